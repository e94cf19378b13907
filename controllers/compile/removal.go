package compile

import (
	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/policy"
)

// RemovalDenied says which policy denies that the content of a Domain or Repository is removed, by what was served when its object was
// deleted: policies may be deleted with it. It is "" if none does. A domain is not removed either while one of its repositories may not
// be; retained tells its repositories whose content is kept without an object.
func RemovalDenied(served Documents, of config.Source, retained func(registry.DomainRef) []string) string {
	for i := range served.Domains {
		d := &served.Domains[i]
		if same(d.Source, of) {
			return domainRemovalDenied(served.Registry, d, retained(d.Ref()))
		}
		for j := range d.Repositories {
			if same(d.Repositories[j].Source, of) {
				return repositoryRemovalDenied(served.Registry, d, &d.Repositories[j])
			}
		}
	}
	return ""
}

func domainRemovalDenied(reg *config.Registry, d *config.Domain, retained []string) string {
	q := ask(reg, d.Owner, d.Owner, readIfAny(d.Policy))
	q.Action, q.Resource, q.Context.ResourceTags = "codeartifact:DeleteDomain", namesOf(reg).Domain(d.Owner, d.Name), d.Tags
	because := denied(q)
	for i := 0; i < len(d.Repositories) && because == ""; i++ {
		because = repositoryRemovalDenied(reg, d, &d.Repositories[i])
	}
	for i := 0; i < len(retained) && because == ""; i++ {
		because = repositoryRemovalDenied(reg, d, &config.Repository{Name: retained[i], Administrator: d.Owner})
	}
	return because
}

func repositoryRemovalDenied(reg *config.Registry, d *config.Domain, r *config.Repository) string {
	q := ask(reg, r.Administrator, d.Owner, readIfAny(d.Policy))
	q.Action, q.Resource = "codeartifact:DeleteRepository", namesOf(reg).Repository(d.Owner, d.Name, r.Name)
	q.Administrator, q.Policies.Repository, q.Context.ResourceTags = r.Administrator, readIfAny(r.Policy), r.Tags
	return denied(q)
}

func readIfAny(p *config.Policy) *policy.Policy {
	if p == nil {
		return nil
	}
	own := *p
	return readPolicy(&own)
}

// denied is why a request is denied explicitly. What is merely not granted does not count: RBAC let the object be deleted.
func denied(q policy.Request) string {
	if d := policy.Evaluate(q); d.Effect == policy.ExplicitDeny {
		return q.Action + " is " + d.Reason()
	}
	return ""
}
