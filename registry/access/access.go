// Package access compiles what configuration documents say of permissions and package groups into what requests are judged by. It is
// pure. What cannot be read denies and blocks: documents come from another process, perhaps of another build, and nothing is allowed
// because it did not parse.
package access

import (
	"fmt"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/group"
	"packhouse.dev/packhouse/registry/policy"
)

// Problem is something in a document that could not be used.
type Problem struct {
	Source config.Source
	Text   string
}

// Registry is what holds in all domains. It is immutable.
type Registry struct {
	names      policy.Names
	identities *policy.Identities
	orgs       map[string]string // by account
	endpoints  map[string]*policy.Policy
	accounts   accounts
}

// Domain is what holds in one domain. It is immutable.
type Domain struct {
	registry     *Registry
	doc          *config.Domain
	policy       *policy.Policy
	repositories map[string]*repository
	groups       *group.Index
	groupTags    map[group.Pattern]map[string]string
}

type repository struct {
	doc    *config.Repository
	policy *policy.Policy
}

// CompileRegistry reads the registry's document.
func CompileRegistry(doc *config.Registry) (*Registry, []Problem) {
	r := &Registry{
		names: policy.Names{Partition: doc.Partition, Region: doc.Region}, orgs: map[string]string{}, endpoints: map[string]*policy.Policy{}, accounts: compileAccounts(doc),
	}
	for _, a := range doc.Accounts {
		if a.Organization != "" {
			r.orgs[a.ID] = a.Organization
		}
	}
	var attached []policy.Attached
	var problems []Problem
	for i := range doc.Identities {
		in := &doc.Identities[i]
		var subjects []policy.Subject
		for _, s := range in.Subjects {
			subjects = append(subjects, policy.Subject{Account: in.Account, Kind: policy.SubjectKind(s.Kind), Name: s.Name})
		}
		add := func(p *policy.Policy, err error) {
			if err != nil {
				problems = append(problems, Problem{in.Source, err.Error()})
				p = denyAll(in.Source, policy.Identity)
			}
			attached = append(attached, policy.Attached{Policy: p, Subjects: subjects})
		}
		if in.Document != "" {
			add(policy.Read(label(in.Source), policy.Identity, []byte(in.Document)))
		}
		for _, name := range in.Managed {
			p, err := policy.Managed(name)
			if err == nil {
				p = p.Named(label(in.Source) + " (" + name + ")")
			}
			add(p, err)
		}
	}
	r.identities = policy.NewIdentities(attached)
	for _, e := range doc.Endpoints {
		if p := readPolicy(e.Policy, &problems); p != nil {
			r.endpoints[e.Name] = p
		}
	}
	return r, problems
}

// readPolicy reads a resource policy; nil is none.
func readPolicy(p *config.Policy, problems *[]Problem) *policy.Policy {
	if p == nil {
		return nil
	}
	out, err := policy.Read(label(p.Source), policy.Resource, []byte(p.Document))
	if err != nil {
		*problems = append(*problems, Problem{p.Source, err.Error()})
		return denyAll(p.Source, policy.Resource)
	}
	return out
}

// CompileDomain reads a domain's document.
func CompileDomain(r *Registry, doc *config.Domain) (*Domain, []Problem) {
	d := &Domain{registry: r, doc: doc, repositories: map[string]*repository{}, groupTags: map[group.Pattern]map[string]string{}}
	var problems []Problem
	d.policy = readPolicy(doc.Policy, &problems)
	for i := range doc.Repositories {
		r := &doc.Repositories[i]
		d.repositories[r.Name] = &repository{doc: r, policy: readPolicy(r.Policy, &problems)}
	}
	var groups []group.Group
	broken := false
	for i := range doc.Groups {
		in := &doc.Groups[i]
		g := group.Group{Source: label(in.Source), Controls: group.Controls{control(in.Publish), control(in.ExternalUpstream), control(in.InternalUpstream)}}
		var err error
		if g.Pattern, err = group.Parse(in.Pattern); err != nil {
			problems = append(problems, Problem{in.Source, err.Error()})
			broken = true
			continue
		}
		groups = append(groups, g)
		d.groupTags[g.Pattern] = in.Tags
	}
	if broken { // which packages the group was to block nobody can say, so all are blocked
		groups = []group.Group{{Pattern: group.Root(), Controls: group.Closed()}}
	}
	d.groups = group.New(groups)
	return d, problems
}

func control(c config.GroupControl) group.Control {
	return group.Control{Mode: group.Mode(c.Mode), Repositories: c.Repositories}
}

func label(s config.Source) string { return fmt.Sprintf("%s %s/%s", s.Kind, s.Namespace, s.Name) }

// denyAll stands for a policy that cannot be read.
func denyAll(s config.Source, kind policy.Kind) *policy.Policy {
	all := []string{"*"}
	deny := policy.Statement{Sid: "PolicyCannotBeRead", Effect: "Deny", Actions: all, Resources: all}
	if kind == policy.Resource {
		deny.Principals = all
	}
	p, err := policy.Compile(label(s), kind, &policy.Document{Version: policy.Version, Statements: []policy.Statement{deny}})
	if err != nil {
		panic(err) // a constant
	}
	return p
}

// Groups finds the group of a package: d.Groups().Find(id).Allows(group.Publish, "my-repo").
func (d *Domain) Groups() *group.Index { return d.groups }

// Names makes the ARNs of the registry.
func (r *Registry) Names() policy.Names { return r.names }

// Caller is who asks and how: what of a request's context depends on the request.
type Caller struct {
	Principal policy.Principal
	Groups    []string // that an identity provider told
	// Context has the time, the address, the transport, the endpoint, the token and the tags of the request. Region, organization and
	// the tags of the resource are filled in.
	Context policy.Context
}

// Account begins a request on the account of the caller: CreateDomain, ListDomains, ListRepositories, GetServiceBearerToken. resource is
// "*", or for lists the ARN of each thing that could be in the list.
func (r *Registry) Account(c *Caller, action, resource string) policy.Request {
	q := r.request(c, action, resource)
	q.Owner = c.Principal.Account
	return q
}

// Unknown begins a request on a domain that there is not, so that who may not know learns nothing from the answer.
func (r *Registry) Unknown(c *Caller, action string, ref registry.DomainRef) policy.Request {
	q := r.request(c, action, r.names.Domain(ref.Owner, ref.Name))
	q.Owner, q.Context.ResourceOrg = ref.Owner, r.orgs[ref.Owner]
	return q
}

func (r *Registry) request(c *Caller, action, resource string) policy.Request {
	q := policy.Request{Principal: c.Principal, Action: action, Resource: resource, Context: c.Context}
	q.Policies.Identity, q.Policies.Endpoint = r.identities.Of(c.Principal, c.Groups...), r.endpoints[c.Context.Listener]
	q.Context.Region = r.names.Region
	q.Context.Organization = r.orgs[c.Principal.Account]
	q.Context.ResourceTags = nil
	return q
}

func (d *Domain) request(c *Caller, action, resource string) policy.Request {
	q := d.registry.request(c, action, resource)
	q.Owner, q.Policies.Domain = d.doc.Owner, d.policy
	q.Context.ResourceOrg = d.registry.orgs[d.doc.Owner]
	return q
}

// Domain begins a request on the domain. creates is the ARN of what CreateRepository or CreatePackageGroup would make, else "".
func (d *Domain) Domain(c *Caller, action, creates string) policy.Request {
	q := d.request(c, action, d.registry.names.Domain(d.doc.Owner, d.doc.Name))
	q.Creates, q.Context.ResourceTags = creates, d.doc.Tags
	return q
}

// Repository begins a request on a repository, which need not exist: then the domain's policy answers.
func (d *Domain) Repository(c *Caller, action, name string) policy.Request {
	q := d.request(c, action, d.registry.names.Repository(d.doc.Owner, d.doc.Name, name))
	if r := d.repositories[name]; r != nil {
		q.Administrator, q.Policies.Repository, q.Context.ResourceTags = r.doc.Administrator, r.policy, r.doc.Tags
	}
	return q
}

// Package begins a request on a package in a repository. Packages have no tags.
func (d *Domain) Package(c *Caller, action, name string, id registry.PackageID) policy.Request {
	q := d.Repository(c, action, name)
	q.Resource = d.registry.names.Package(d.doc.Owner, d.doc.Name, name, string(id.Format), id.Namespace, id.Name)
	q.Context.ResourceTags = nil
	return q
}

// PackageGroup begins a request on a package group.
func (d *Domain) PackageGroup(c *Caller, action string, p group.Pattern) policy.Request {
	q := d.request(c, action, d.registry.names.PackageGroup(d.doc.Owner, d.doc.Name, p.Encoded()))
	q.Context.ResourceTags = d.groupTags[p]
	return q
}
