package compile

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	api "packhouse.dev/packhouse/api/v1alpha1"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/upstream"
)

// compileRepositories accepts repositories, oldest first, and then resolves what they name.
func (c *compilation) compileRepositories() {
	var accepted, kept []*repo
	for i := range c.objects.Repositories {
		r := &c.objects.Repositories[i]
		o := Object{"Repository", r.Namespace, r.Name}
		namespace := r.Spec.DomainRef.Namespace
		if namespace == "" {
			namespace = r.Namespace
		}
		d := c.domains[types.NamespacedName{Namespace: namespace, Name: r.Spec.DomainRef.Name}]
		if d == nil {
			if c.foreign(namespace, r.Spec.DomainRef.Name) {
				continue // of another registry
			}
			c.resolved(o, api.ReasonNotFound, []string{fmt.Sprintf("Domain %s/%s does not exist or is not accepted", namespace, r.Spec.DomainRef.Name)})
			c.accept(o)
			continue
		}
		reason, problem := c.checkRepository(r, d, namespace)
		if problem != "" {
			c.refuse(o, reason, problem)
			if re := c.keepRepository(r, d); re != nil {
				kept = append(kept, re)
			}
			continue
		}
		doc := &config.Repository{
			Source: source("Repository", &r.ObjectMeta), Name: r.OwnName(), Administrator: c.accounts.of(r.Namespace), AdministratorUID: c.holder(r.Namespace),
			Description: r.Spec.Description, Tags: tags(r.Spec.Tags),
		}
		re := &repo{object: r, doc: doc}
		d.repos[doc.Name] = re
		accepted = append(accepted, re)
	}
	c.compileRepositoryPolicies()
	for _, re := range accepted {
		d := c.domainOf(re.object)
		c.resolveSources(re, d)
	}
	for _, re := range accepted {
		d := c.domainOf(re.object)
		c.truncated(re, d)
		d.doc.Repositories = append(d.doc.Repositories, *re.doc)
	}
	for _, re := range kept {
		d := c.domainOf(re.object)
		d.doc.Repositories = append(d.doc.Repositories, *re.doc)
	}
}

func (c *compilation) domainOf(r *api.Repository) *domain {
	namespace := r.Spec.DomainRef.Namespace
	if namespace == "" {
		namespace = r.Namespace
	}
	return c.domains[types.NamespacedName{Namespace: namespace, Name: r.Spec.DomainRef.Name}]
}

// foreign says whether a domain belongs to another registry, whose compilation reports on what names it.
func (c *compilation) foreign(namespace, name string) bool {
	at := slices.IndexFunc(c.objects.Domains, func(d api.Domain) bool { return d.Namespace == namespace && d.Name == name })
	if at < 0 {
		return false
	}
	ours, problem := c.belongs(&c.objects.Domains[at])
	return !ours && problem == ""
}

func (c *compilation) checkRepository(r *api.Repository, d *domain, namespace string) (reason, problem string) {
	if !repositoryName.MatchString(r.OwnName()) {
		return api.ReasonInvalid, fmt.Sprintf("%q is no name of a repository", r.OwnName())
	}
	if first := d.repos[r.OwnName()]; first != nil {
		return api.ReasonNameConflict, fmt.Sprintf("Repository %s/%s is older and has the name %q", first.object.Namespace, first.object.Name, r.OwnName())
	}
	if c.created(r, d) {
		return "", ""
	}
	if ok, because := c.mayCreate(r, d); !ok && because == "" {
		return api.ReasonNotAllowed, fmt.Sprintf("Domain %s/%s is of another namespace, and no policy of it grants CreateRepository", namespace, d.object.Name)
	} else if !ok {
		return api.ReasonDenied, "it may not be created" + because
	}
	return "", ""
}

// keepRepository serves a repository as it was declared before, if its name is still free.
func (c *compilation) keepRepository(r *api.Repository, d *domain) *repo {
	for i := range c.previous.Domains {
		p := &c.previous.Domains[i]
		if p.Ref() != d.doc.Ref() || p.Holder != d.doc.Holder {
			continue
		}
		old := before(p.Repositories, func(r *config.Repository) config.Source { return r.Source }, source("Repository", &r.ObjectMeta))
		if old == nil || d.repos[old.Name] != nil || old.Name != r.OwnName() || old.AdministratorUID != c.holder(r.Namespace) {
			return nil
		}
		doc := *old
		doc.Packages, doc.Policy = nil, nil // compiled anew, from what is declared now
		re := &repo{object: r, doc: &doc}
		d.repos[doc.Name] = re
		for _, name := range doc.Connections {
			if at := slices.IndexFunc(p.Connections, func(c config.Connection) bool { return c.Name == name }); at >= 0 {
				addConnection(d.doc, &p.Connections[at])
			}
		}
		return re
	}
	return nil
}

// resolveSources finds upstreams and connections. What is not there, or is more than is allowed, is left out: a repository never has
// more sources than it should.
func (c *compilation) resolveSources(re *repo, d *domain) {
	r := re.object
	o := Object{"Repository", r.Namespace, r.Name}
	var refused, missing []string
	reason := api.ReasonNotFound
	for i, u := range r.Spec.Upstreams {
		switch {
		case i >= c.limits.DirectUpstreams:
			refused = append(refused, fmt.Sprintf("upstream %s is beyond the limit of %d (directUpstreams) and is not asked", u.Name, c.limits.DirectUpstreams))
		case d.repos[u.Name] == nil:
			missing = append(missing, fmt.Sprintf("upstream %s is no repository of domain %s", u.Name, d.doc.Name))
		case u.Name == re.doc.Name:
			refused = append(refused, "a repository cannot be its own upstream")
		default:
			if ok, because := c.mayAssociate(re, d, d.repos[u.Name]); !ok {
				missing = append(missing, fmt.Sprintf("upstream %s is not asked: AssociateWithDownstreamRepository on it is not granted%s", u.Name, because))
				reason = api.ReasonNotAllowed
				continue
			}
			re.doc.Upstreams = append(re.doc.Upstreams, u.Name)
		}
	}
	for i, x := range r.Spec.ExternalConnections {
		switch {
		case len(r.Spec.Upstreams) > 0 && !c.limits.MixedSources:
			refused = append(refused, fmt.Sprintf("%s is not asked: a repository has either upstreams or an external connection (mixedSources)", x.Name))
			continue
		case i >= c.limits.ExternalConnectionsPerRepository:
			refused = append(refused, fmt.Sprintf("%s is beyond the limit of %d (externalConnectionsPerRepository) and is not asked", x.Name, c.limits.ExternalConnectionsPerRepository))
			continue
		}
		if ok, because := c.mayConnect(re, d); !ok {
			refused = append(refused, x.Name+" is not asked"+because)
			continue
		}
		conn, problem := c.connection(x.Name, r.Namespace)
		if problem != "" {
			missing = append(missing, problem)
			continue
		}
		re.doc.Connections = append(re.doc.Connections, conn.Name)
		addConnection(d.doc, conn)
	}
	if over := len(r.Spec.Tags) - c.limits.TagsPerResource; over > 0 {
		refused = append(refused, fmt.Sprintf("it has %d tags more than the limit of %d", over, c.limits.TagsPerResource))
		re.doc.Tags = nil
	}
	if len(refused) > 0 {
		c.refuse(o, api.ReasonInvalid, strings.Join(refused, "; "))
	} else {
		c.accept(o)
	}
	if len(missing) > 0 {
		c.resolved(o, reason, missing)
	}
}

func addConnection(d *config.Domain, conn *config.Connection) {
	if !slices.ContainsFunc(d.Connections, func(c config.Connection) bool { return c.Name == conn.Name }) {
		d.Connections = append(d.Connections, *conn)
	}
}

// truncated reports upstreams that are not looked in because there are too many (readings A10).
func (c *compilation) truncated(re *repo, d *domain) {
	o := Object{"Repository", re.object.Namespace, re.object.Name}
	if slices.ContainsFunc(c.out.Conditions, func(x Condition) bool { return x.Object == o && x.Type == api.ConditionResolvedRefs }) {
		return
	}
	if loop := d.loop(re.doc.Name); loop != nil {
		c.resolved(o, api.ReasonCycle, []string{fmt.Sprintf("its upstreams lead back to it (%s): take one of them out; until then each is searched once", strings.Join(loop, " → "))})
		return
	}
	if c.plan(re, d).Truncated() {
		c.resolved(o, api.ReasonTruncated, []string{fmt.Sprintf("only the first %d upstreams are searched (searchedUpstreams)", c.limits.SearchedUpstreams)})
		return
	}
	c.resolved(o, "", nil)
}

// loop is a way from a repository through upstreams back to itself, the shortest; nil if there is none.
func (d *domain) loop(name string) []string {
	from := map[string]string{} // by which repository each was reached first
	for queue := []string{name}; len(queue) > 0; queue = queue[1:] {
		at := d.repos[queue[0]]
		if at == nil {
			continue
		}
		for _, up := range at.doc.Upstreams {
			if up == name {
				path := []string{name}
				for step := queue[0]; step != name; step = from[step] {
					path = append(path, step)
				}
				slices.Reverse(path[1:])
				return append(path, name)
			}
			if _, seen := from[up]; !seen {
				from[up] = queue[0]
				queue = append(queue, up)
			}
		}
	}
	return nil
}

// plan is where packages are looked for from a repository.
func (c *compilation) plan(re *repo, d *domain) *upstream.Plan {
	return upstream.New(re.doc.Name, c.limits.SearchedUpstreams, func(name string) (upstream.Node, bool) {
		r := d.repos[name]
		if r == nil {
			return upstream.Node{}, false
		}
		return upstream.Node{Upstreams: r.doc.Upstreams, Connections: r.doc.Connections}, true
	})
}
