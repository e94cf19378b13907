package compile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	api "packhouse.dev/packhouse/api/v1alpha1"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/policy"
)

// denyAll is in force instead of a resource policy that cannot be read and has no earlier form: it may have been meant to forbid.
// PutDomainPermissionsPolicy does not ask it, so it locks nobody out.
const denyAll = `{"Version":"` + policy.Version + `","Statement":[{"Sid":"PolicyCannotBeRead","Effect":"Deny","Principal":"*","Action":["*"],"Resource":["*"]}]}`

// denySubjects is the same for an identity policy.
const denySubjects = `{"Version":"` + policy.Version + `","Statement":[{"Sid":"PolicyCannotBeRead","Effect":"Deny","Action":["*"],"Resource":["*"]}]}`

// compileDomainPolicies attaches policies to domains, the oldest of those for one domain.
func (c *compilation) compileDomainPolicies() {
	for i := range c.objects.DomainPolicies {
		p := &c.objects.DomainPolicies[i]
		o := Object{"DomainPolicy", p.Namespace, p.Name}
		src := source("DomainPolicy", &p.ObjectMeta)
		namespace := cmp.Or(p.Spec.DomainRef.Namespace, p.Namespace)
		d := c.domains[types.NamespacedName{Namespace: namespace, Name: p.Spec.DomainRef.Name}]
		if namespace != p.Namespace || d == nil {
			if !c.foreign(namespace, p.Spec.DomainRef.Name) {
				c.unresolved(o, namespace != p.Namespace, fmt.Sprintf("Domain %s/%s", namespace, p.Spec.DomainRef.Name))
				c.keepDomainPolicy(src)
			}
			continue
		}
		if first := d.doc.Policy; first != nil {
			c.refuse(o, api.ReasonConflicted, fmt.Sprintf("DomainPolicy %s is older and about the same domain", first.Source.Name))
			continue
		}
		d.setPolicy(c.resourcePolicy(o, src, d.doc.Ref().String(), &p.Spec.ResourcePolicy))
		c.resolved(o, "", nil)
	}
}

// keepDomainPolicy attaches a policy whose reference went astray to the domain that it was about: references cannot be changed, and a
// policy that forbids must not get lost.
func (c *compilation) keepDomainPolicy(src config.Source) {
	old, at := c.policyBefore(src)
	for _, d := range c.domains {
		if old != nil && at == d.doc.Ref().String() && d.doc.Policy == nil {
			d.setPolicy(old)
		}
	}
}

// compileRepositoryPolicies attaches policies to repositories: first those of the domain's namespace, then the oldest.
func (c *compilation) compileRepositoryPolicies() {
	for _, ofDomain := range []bool{true, false} {
		for i := range c.objects.RepositoryPolicies {
			p := &c.objects.RepositoryPolicies[i]
			o := Object{"RepositoryPolicy", p.Namespace, p.Name}
			src := source("RepositoryPolicy", &p.ObjectMeta)
			namespace := cmp.Or(p.Spec.RepositoryRef.Namespace, p.Namespace)
			d, re := c.repositoryOf(namespace, p.Spec.RepositoryRef.Name)
			owners := d != nil && d.object.Namespace == p.Namespace
			if owners != ofDomain {
				continue
			}
			if d == nil || !owners && namespace != p.Namespace {
				if !c.foreignRepository(namespace, p.Spec.RepositoryRef.Name) {
					c.unresolved(o, d != nil, fmt.Sprintf("Repository %s/%s", namespace, p.Spec.RepositoryRef.Name))
					c.keepRepositoryPolicy(src)
				}
				continue
			}
			if first := re.doc.Policy; first != nil {
				c.refuse(o, api.ReasonConflicted, fmt.Sprintf("RepositoryPolicy %s/%s is about the same repository and counts before this one", first.Source.Namespace, first.Source.Name))
				continue
			}
			re.setPolicy(c.resourcePolicy(o, src, d.doc.Ref().String()+"/"+re.doc.Name, &p.Spec.ResourcePolicy))
			c.resolved(o, "", nil)
		}
	}
}

func (c *compilation) keepRepositoryPolicy(src config.Source) {
	old, at := c.policyBefore(src)
	for _, d := range c.domains {
		for name, re := range d.repos {
			if old != nil && at == d.doc.Ref().String()+"/"+name && re.doc.Policy == nil {
				re.setPolicy(old)
			}
		}
	}
}

// repositoryOf finds an accepted repository by its object.
func (c *compilation) repositoryOf(namespace, name string) (*domain, *repo) {
	for _, d := range c.domains {
		for _, re := range d.repos {
			if re.object.Namespace == namespace && re.object.Name == name {
				return d, re
			}
		}
	}
	return nil, nil
}

func (d *domain) setPolicy(p *config.Policy) { d.doc.Policy, d.policy = p, readPolicy(p) }

func (re *repo) setPolicy(p *config.Policy) { re.doc.Policy, re.policy = p, readPolicy(p) }

// readPolicy reads what resourcePolicy made. If a build before this one made it and this one cannot read it, it denies everything.
func readPolicy(p *config.Policy) *policy.Policy {
	name := Object{p.Source.Kind, p.Source.Namespace, p.Source.Name}.String()
	out, err := policy.Read(name, policy.Resource, []byte(p.Document))
	if err != nil {
		p.Document = denyAll
		out, err = policy.Read(name, policy.Resource, []byte(denyAll))
	}
	if err != nil {
		panic(err) // a constant
	}
	return out
}

// unresolved says that the object of a reference is not there, or is not for this namespace to write about.
func (c *compilation) unresolved(o Object, notAllowed bool, what string) {
	c.accept(o)
	if notAllowed {
		c.resolved(o, api.ReasonNotAllowed, []string{what + " is of another namespace and cannot be configured from here"})
		return
	}
	c.resolved(o, api.ReasonNotFound, []string{what + " does not exist or is not accepted"})
}

// policyBefore finds the policy that an object gave the last time, and the domain or repository that it was of.
func (c *compilation) policyBefore(src config.Source) (_ *config.Policy, at string) {
	same := func(p *config.Policy) bool {
		return p != nil && p.Source.Kind == src.Kind && p.Source.Namespace == src.Namespace && p.Source.Name == src.Name && p.Source.UID == src.UID
	}
	for i := range c.previous.Domains {
		d := &c.previous.Domains[i]
		if same(d.Policy) {
			return d.Policy, d.Ref().String()
		}
		for j := range d.Repositories {
			if same(d.Repositories[j].Policy) {
				return d.Repositories[j].Policy, d.Ref().String() + "/" + d.Repositories[j].Name
			}
		}
	}
	return nil, ""
}

// resourcePolicy compiles a policy. What cannot be read is what it was before, and denies everything if it was nothing.
func (c *compilation) resourcePolicy(o Object, src config.Source, target string, spec *api.ResourcePolicy) *config.Policy {
	text, err := c.policyText(o, spec)
	if err == nil {
		c.accept(o)
		return &config.Policy{Source: src, Document: text}
	}
	if old, at := c.policyBefore(src); old != nil && at == target {
		c.refuse(o, api.ReasonInvalid, err.Error()+"; its last good form stays in force")
		return old
	}
	c.refuse(o, api.ReasonInvalid, err.Error()+"; there is no earlier form, so everything is denied")
	return &config.Policy{Source: src, Document: denyAll}
}

// policyText is the document of a policy, which can be read.
func (c *compilation) policyText(o Object, spec *api.ResourcePolicy) (string, error) {
	text := spec.Document
	var err error
	if spec.Statements != nil || text == "" {
		text, err = c.statements(o.Namespace, spec.Statements)
	}
	if err == nil {
		_, err = policy.Read(o.String(), policy.Resource, []byte(text))
	}
	if err == nil && spec.Statements != nil && spec.Document != "" {
		err = fmt.Errorf("%w: there are a document and statements", policy.ErrInvalid)
	}
	return text, err
}

// statements writes typed statements of a resource policy as a document.
func (c *compilation) statements(namespace string, list []api.ResourceStatement) (string, error) {
	doc := &policy.Document{Version: policy.Version}
	for i := range list {
		s := plainStatement(&list[i].PolicyStatement)
		var err error
		if s.Principals, err = c.principals(namespace, list[i].Principals); err == nil {
			s.NotPrincipals, err = c.principals(namespace, list[i].NotPrincipals)
		}
		if err != nil {
			return "", &policy.Error{Statement: i + 1, Sid: s.Sid, Field: "principals", Text: err.Error()}
		}
		doc.Statements = append(doc.Statements, s)
	}
	text, err := doc.JSON()
	return string(text), err
}

func plainStatement(s *api.PolicyStatement) policy.Statement {
	out := policy.Statement{Sid: s.Sid, Effect: string(s.Effect), Actions: actions(s.Actions), NotActions: actions(s.NotActions)}
	for _, r := range s.Resources {
		out.Resources = append(out.Resources, string(r))
	}
	for _, r := range s.NotResources {
		out.NotResources = append(out.NotResources, string(r))
	}
	for _, x := range s.Conditions {
		out.Conditions = append(out.Conditions, policy.Condition{Operator: x.Operator, Key: x.Key, Values: x.Values})
	}
	return out
}

// actions adds the service, which typed statements may leave out.
func actions(list []api.PolicyAction) []string {
	var out []string
	for _, a := range list {
		s := string(a)
		if s != "*" && !strings.Contains(s, ":") {
			s = "codeartifact:" + s
		}
		out = append(out, s)
	}
	return out
}

// principals writes typed principals as policies have them. Namespaces that would be one account are nobody.
func (c *compilation) principals(namespace string, list []api.PolicyPrincipal) ([]string, error) {
	var out []string
	for i := range list {
		s, err := c.principal(namespace, &list[i])
		if err != nil {
			return nil, err
		}
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out, nil
}

func (c *compilation) principal(namespace string, p *api.PolicyPrincipal) (string, error) {
	arns := c.names()
	named := func(ref *api.PrincipalRef, arn func(account, name string) string) (string, error) {
		account, problem := c.account(cmp.Or(ref.Namespace, namespace))
		if problem != "" {
			return "", fmt.Errorf("%w: %s", policy.ErrInvalid, problem)
		}
		return arn(account, ref.Name), nil
	}
	switch {
	case p.Everyone:
		return "*", nil
	case p.Account != "":
		return arns.Root(p.Account), nil
	case p.Namespace != "":
		return named(&api.PrincipalRef{Namespace: p.Namespace}, func(account, _ string) string { return arns.Root(account) })
	case p.ServiceAccount != nil:
		return named(p.ServiceAccount, arns.Role)
	case p.User != nil:
		return named(p.User, arns.User)
	case p.AWS != "":
		return p.AWS, nil
	}
	return "", fmt.Errorf("%w: a principal names nobody", policy.ErrInvalid)
}
