package compile

import (
	"fmt"
	"slices"
	"strings"

	api "packhouse.dev/packhouse/api/v1alpha1"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/identity"
)

// compileProviders takes the identity providers of every namespace: what their tokens speak for are principals of it, and of no other.
// One that breaks a rule is what it was before, and trusts nobody if it was nothing.
func (c *compilation) compileProviders() {
	doc := c.out.Registry
	doc.Providers = nil
	for i := range c.objects.IdentityProviders {
		p := &c.objects.IdentityProviders[i]
		o := Object{config.KindIdentityProvider, p.Namespace, p.Name}
		account, problem := c.account(p.Namespace)
		if problem != "" {
			c.refuse(o, api.ReasonAccountClash, problem)
			continue
		}
		c.resolved(o, "", nil)
		out := identityProvider(p, account)
		if twin := c.twin(p); twin != nil {
			c.refuse(o, api.ReasonConflicted, fmt.Sprintf("IdentityProvider %s is older and takes the same tokens: the same issuer, an audience and the condition", twin.Name))
			continue
		}
		if err := identity.Check(&out); err != nil {
			problem = err.Error()
			old := c.providerBefore(out.Source)
			if old == nil || old.Account != account {
				c.refuse(o, api.ReasonInvalid, problem+"; no token of it is accepted")
				continue
			}
			c.refuse(o, api.ReasonInvalid, problem+"; its last good form stays in force")
			doc.Providers = append(doc.Providers, *old)
			continue
		}
		c.accept(o)
		doc.Providers = append(doc.Providers, out)
	}
	slices.SortFunc(doc.Providers, func(a, b config.IdentityProvider) int {
		return strings.Compare(a.Source.Namespace+"/"+a.Source.Name, b.Source.Namespace+"/"+b.Source.Name)
	})
}

// twin is an older provider of the same namespace that takes the same tokens: then each would have to name one, and nobody did so on
// purpose. Those of other namespaces make other principals; a request that two would take has to say which it means.
func (c *compilation) twin(p *api.IdentityProvider) *api.IdentityProvider {
	for i := range c.objects.IdentityProviders {
		o := &c.objects.IdentityProviders[i]
		if o.Namespace != p.Namespace {
			continue
		}
		if o.Name == p.Name { // those behind it are younger
			return nil
		}
		shared := func(a string) bool { return slices.Contains(o.Spec.Audiences, a) }
		if o.Spec.Issuer == p.Spec.Issuer && o.Spec.Condition == p.Spec.Condition && slices.ContainsFunc(p.Spec.Audiences, shared) {
			return o
		}
	}
	return nil
}

func (c *compilation) providerBefore(src config.Source) *config.IdentityProvider {
	if c.previous.Registry == nil {
		return nil
	}
	return before(c.previous.Registry.Providers, func(p *config.IdentityProvider) config.Source { return p.Source }, src)
}

func identityProvider(p *api.IdentityProvider, account string) config.IdentityProvider {
	s := &p.Spec
	return config.IdentityProvider{
		Source: source(config.KindIdentityProvider, &p.ObjectMeta), Account: account, Issuer: s.Issuer, Audiences: slices.Sorted(slices.Values(s.Audiences)),
		Keys: s.Keys.Document, KeysURL: s.Keys.URL, CA: s.Keys.CA, AllowPrivateAddresses: s.Keys.AllowPrivateAddresses,
		Condition: string(s.Condition), Role: string(s.Principal.Role), Session: string(s.Principal.Session), User: string(s.Principal.User),
		Groups: string(s.Groups), Tags: string(s.Tags),
	}
}
