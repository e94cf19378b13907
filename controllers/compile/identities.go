package compile

import (
	"fmt"
	"slices"
	"strings"

	api "packhouse.dev/packhouse/api/v1alpha1"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/policy"
)

// compileIdentities takes the identity policies of every namespace: callers need not be in one that has a domain. A policy is about
// principals of its own namespace only, whatever it says.
func (c *compilation) compileIdentities() {
	for i := range c.objects.IdentityPolicies {
		p := &c.objects.IdentityPolicies[i]
		o := Object{"IdentityPolicy", p.Namespace, p.Name}
		account, problem := c.account(p.Namespace)
		if problem != "" { // nobody can be told to be of this account
			c.refuse(o, api.ReasonAccountClash, problem)
			continue
		}
		c.out.Registry.Identities = append(c.out.Registry.Identities, c.identityPolicy(o, p, account))
		c.resolved(o, "", nil)
	}
	slices.SortFunc(c.out.Registry.Identities, func(a, b config.IdentityPolicy) int {
		return strings.Compare(a.Source.Namespace+"/"+a.Source.Name, b.Source.Namespace+"/"+b.Source.Name)
	})
}

// identityPolicy compiles a policy. What cannot be read is what it was before, and denies its subjects everything if it was nothing.
func (c *compilation) identityPolicy(o Object, p *api.IdentityPolicy, account string) config.IdentityPolicy {
	out := config.IdentityPolicy{Source: source("IdentityPolicy", &p.ObjectMeta), Account: account, Document: p.Spec.Document}
	var err error
	out.Subjects, err = subjects(p.Spec.Subjects)
	if err == nil {
		err = identityDocument(o, p, &out)
	}
	if err == nil {
		c.accept(o)
		return out
	}
	if c.previous.Registry != nil {
		old := before(c.previous.Registry.Identities, func(x *config.IdentityPolicy) config.Source { return x.Source }, out.Source)
		if old != nil && old.Account == account {
			c.refuse(o, api.ReasonInvalid, err.Error()+"; its last good form stays in force")
			return *old
		}
	}
	c.refuse(o, api.ReasonInvalid, err.Error()+"; there is no earlier form, so its subjects are denied everything")
	out.Document, out.Managed = denySubjects, nil
	return out
}

// subjects are everybody, where one cannot be read.
func subjects(list []api.PolicySubject) ([]config.Subject, error) {
	everybody := config.Subject{Kind: string(policy.Everybody)}
	var out []config.Subject
	for _, s := range list {
		switch {
		case s.Everyone:
			out = append(out, everybody)
		case s.ServiceAccount != "":
			out = append(out, config.Subject{Kind: string(policy.RoleSubject), Name: s.ServiceAccount})
		case s.User != "":
			out = append(out, config.Subject{Kind: string(policy.UserSubject), Name: s.User})
		case s.Group != "":
			out = append(out, config.Subject{Kind: string(policy.GroupSubject), Name: s.Group})
		default:
			return []config.Subject{everybody}, fmt.Errorf("%w: a subject names nobody", policy.ErrInvalid)
		}
	}
	if len(out) == 0 {
		return []config.Subject{everybody}, fmt.Errorf("%w: there is no subject", policy.ErrInvalid)
	}
	return out, nil
}

func identityDocument(o Object, p *api.IdentityPolicy, out *config.IdentityPolicy) error {
	spec := &p.Spec
	if spec.Document != "" && spec.Statements != nil || spec.Document == "" && spec.Statements == nil && len(spec.ManagedPolicies) == 0 {
		return fmt.Errorf("%w: it has either a document or statements, or managedPolicies", policy.ErrInvalid)
	}
	for _, m := range spec.ManagedPolicies {
		if _, err := policy.Managed(string(m)); err != nil {
			return err
		}
		out.Managed = append(out.Managed, string(m))
	}
	if spec.Statements != nil {
		doc := &policy.Document{Version: policy.Version}
		for i := range spec.Statements {
			doc.Statements = append(doc.Statements, plainStatement(&spec.Statements[i]))
		}
		text, err := doc.JSON()
		if err != nil {
			return err
		}
		out.Document = string(text)
	}
	if out.Document == "" {
		return nil
	}
	_, err := policy.Read(o.String(), policy.Identity, []byte(out.Document))
	return err
}
