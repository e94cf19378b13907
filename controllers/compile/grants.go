package compile

import (
	"slices"

	api "packhouse.dev/packhouse/api/v1alpha1"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/policy"
)

// Whoever may apply an object acts as the root of its namespace: Kubernetes has decided the identity half. Resource policies are asked
// here. because is for the end of a sentence that says what may not be done: empty, where simply nothing allows it.

// created says whether a repository was there before. Creating is permitted once; a grant that goes later takes no repository away.
func (c *compilation) created(r *api.Repository, d *domain) bool {
	src := source("Repository", &r.ObjectMeta)
	return slices.ContainsFunc(c.previous.Domains, func(p config.Domain) bool {
		if p.Ref() != d.doc.Ref() || p.Holder != d.doc.Holder {
			return false
		}
		old := before(p.Repositories, func(r *config.Repository) config.Source { return r.Source }, src)
		return old != nil && old.Name == r.OwnName() && old.AdministratorUID == c.holder(r.Namespace)
	})
}

// mayCreate asks for CreateRepository, and for TagResource if it has tags (guide, "Enable cross-account access to a domain").
func (c *compilation) mayCreate(r *api.Repository, d *domain) (ok bool, because string) {
	q, problem := c.asking(r.Namespace, d)
	if problem != "" {
		return false, ": " + problem
	}
	arns := c.names()
	q.Action, q.Resource, q.Creates = "codeartifact:CreateRepository", arns.Domain(d.doc.Owner, d.doc.Name), arns.Repository(d.doc.Owner, d.doc.Name, r.OwnName())
	q.Context.RequestTags = tags(r.Spec.Tags)
	if ok, because = permitted(q); !ok || len(r.Spec.Tags) == 0 {
		return ok, because
	}
	q.Action = "codeartifact:TagResource"
	return permitted(q)
}

// mayAssociate asks the upstream whether the downstream repository may be that.
func (c *compilation) mayAssociate(down *repo, d *domain, up *repo) (ok bool, because string) {
	return c.onRepository(down.object.Namespace, "codeartifact:AssociateWithDownstreamRepository", d, up)
}

// mayConnect asks whether a repository may have an external connection.
func (c *compilation) mayConnect(re *repo, d *domain) (ok bool, because string) {
	return c.onRepository(re.object.Namespace, "codeartifact:AssociateExternalConnection", d, re)
}

func (c *compilation) onRepository(namespace, action string, d *domain, on *repo) (ok bool, because string) {
	q, problem := c.asking(namespace, d)
	if problem != "" {
		return false, ": " + problem
	}
	q.Action, q.Resource = action, c.names().Repository(d.doc.Owner, d.doc.Name, on.doc.Name)
	q.Administrator, q.Policies.Repository, q.Context.ResourceTags = on.doc.Administrator, on.policy, on.doc.Tags
	return permitted(q)
}

// asking begins a request of a namespace in a domain.
func (c *compilation) asking(namespace string, d *domain) (q policy.Request, problem string) {
	account, problem := c.account(namespace)
	if problem != "" {
		return q, problem
	}
	return ask(c.out.Registry, account, d.doc.Owner, d.policy), ""
}

// ask begins a request of the root of an account in a domain.
func ask(reg *config.Registry, account, owner string, domain *policy.Policy) policy.Request {
	q := policy.Request{Principal: policy.Principal{ARN: namesOf(reg).Root(account), Account: account, Root: true}, Owner: owner}
	q.Policies.Domain = domain
	q.Context.Region = reg.Region
	for _, a := range reg.Accounts {
		if a.ID == account {
			q.Context.Organization = a.Organization
		}
		if a.ID == owner {
			q.Context.ResourceOrg = a.Organization
		}
	}
	return q
}

func (c *compilation) names() policy.Names { return namesOf(c.out.Registry) }

func namesOf(reg *config.Registry) policy.Names {
	return policy.Names{Partition: reg.Partition, Region: reg.Region}
}

func permitted(q policy.Request) (ok bool, because string) {
	d := policy.Evaluate(q)
	if d.Effect == policy.ExplicitDeny {
		because = ": " + q.Action + " is " + d.Reason()
	}
	return d.Allowed(), because
}
