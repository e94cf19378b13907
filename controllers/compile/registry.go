package compile

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	api "packhouse.dev/packhouse/api/v1alpha1"
	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/config"
)

// accounts says which account each namespace is.
type accounts struct {
	explicit  map[string]string // by namespace
	byDefault string
	clash     map[string][]string // namespaces by account, where there are several
}

// of returns the account of a namespace.
func (a *accounts) of(namespace string) string {
	if id, ok := a.explicit[namespace]; ok {
		return id
	}
	if namespace == "default" && a.byDefault != "" {
		return a.byDefault
	}
	return registry.DeriveAccount(namespace)
}

func source(kind string, o *metav1.ObjectMeta) config.Source {
	return config.Source{Kind: kind, Namespace: o.Namespace, Name: o.Name, UID: string(o.UID), Generation: o.Generation}
}

// compileRegistry makes the registry's document.
func (c *compilation) compileRegistry() {
	at := slices.IndexFunc(c.objects.Registries, func(r api.Registry) bool {
		return r.Namespace == c.opt.Registry.Namespace && r.Name == c.opt.Registry.Name
	})
	doc := &config.Registry{Schema: config.Schema, Partition: "aws", Region: "local"}
	if at >= 0 {
		r := &c.objects.Registries[at]
		c.registry = r
		doc.Source = source("Registry", &r.ObjectMeta)
		if r.Spec.ARN.Partition != "" {
			doc.Partition = r.Spec.ARN.Partition
		}
		if r.Spec.ARN.Region != "" {
			doc.Region = r.Spec.ARN.Region
		}
		for _, a := range r.Spec.Accounts {
			doc.Accounts = append(doc.Accounts, config.Account{Namespace: a.Namespace, ID: a.ID, Organization: a.Organization})
		}
		slices.SortFunc(doc.Accounts, func(a, b config.Account) int { return strings.Compare(a.Namespace, b.Namespace) })
		for _, e := range r.Spec.Endpoints {
			doc.Endpoints = append(doc.Endpoints, config.Endpoint{Name: e.Name, URL: strings.TrimSuffix(e.URL, "/"), Host: e.Host})
		}
		doc.TrustedProxies = r.Spec.TrustedProxies
		doc.Limits = limits(&r.Spec.Limits)
	} else if c.previous.Registry != nil {
		kept := *c.previous.Registry // unreadable for now: limits and accounts stay as they were
		kept.Identities = nil        // compiled anew, from what is declared now
		kept.Accounts = slices.Clone(kept.Accounts)
		doc = &kept
	}
	if doc.Cluster = c.opt.Cluster; doc.Cluster == nil && c.previous.Registry != nil {
		doc.Cluster = c.previous.Registry.Cluster
	}
	c.out.Registry = doc
	c.limits = doc.Limits.WithDefaults()
	c.compileAccounts(doc)
	if c.registry != nil {
		c.registryConditions(c.registry, c.endpointPolicies(c.registry, doc))
	}
}

// endpointPolicies compiles the policies of the registry's addresses, which are in the same order in both, and says what is wrong.
func (c *compilation) endpointPolicies(r *api.Registry, doc *config.Registry) (problems []string) {
	o := Object{"Registry", r.Namespace, r.Name}
	for i, e := range r.Spec.Endpoints {
		if e.Policy == nil {
			continue
		}
		p := &config.Policy{Source: doc.Source}
		var err error
		if p.Document, err = c.policyText(o, e.Policy); err != nil {
			p.Document = denyAll
			before := "there is no earlier form, so nothing may be done through it"
			if old := c.endpointBefore(e.Name); old != nil {
				p.Document, before = old.Document, "its last good form stays in force"
			}
			problems = append(problems, fmt.Sprintf("policy of endpoint %s: %v; %s", e.Name, err, before))
		}
		doc.Endpoints[i].Policy = p
	}
	return problems
}

// endpointBefore is the policy that an endpoint had the last time.
func (c *compilation) endpointBefore(name string) *config.Policy {
	if c.previous.Registry == nil {
		return nil
	}
	at := slices.IndexFunc(c.previous.Registry.Endpoints, func(e config.Endpoint) bool { return e.Name == name })
	if at < 0 {
		return nil
	}
	return c.previous.Registry.Endpoints[at].Policy
}

func (c *compilation) registryConditions(r *api.Registry, problems []string) {
	o := Object{"Registry", r.Namespace, r.Name}
	for _, s := range []struct {
		field string
		*api.AllowedNamespaces
	}{{"allowedNamespaces", r.Spec.AllowedNamespaces}, {"serviceAPI.namespaces", r.Spec.ServiceAPI.Namespaces}} {
		if s.AllowedNamespaces == nil || s.Selector == nil {
			continue
		}
		if _, err := metav1.LabelSelectorAsSelector(s.Selector); err != nil {
			problems = append(problems, s.field+".selector: "+err.Error()+"; it selects nothing")
		}
	}
	if len(problems) > 0 {
		c.refuse(o, api.ReasonInvalid, strings.Join(problems, "; "))
		return
	}
	c.accept(o)
	c.resolved(o, api.ReasonResolved, nil)
}

func limits(l *api.Limits) config.Limits {
	return config.Limits{
		RepositoriesPerDomain: int(l.RepositoriesPerDomain), DomainsPerAccount: int(l.DomainsPerAccount), Rates: rates(l),
		AssetBytes: l.AssetBytes, AssetsPerVersion: int(l.AssetsPerVersion), DirectUpstreams: int(l.DirectUpstreams),
		SearchedUpstreams: int(l.SearchedUpstreams), ExternalConnectionsPerRepository: int(l.ExternalConnectionsPerRepository),
		MixedSources: l.MixedSources, TagsPerResource: int(l.TagsPerResource),
	}
}

// rates are those that are said, and those of the profile where nothing is said.
func rates(l *api.Limits) config.RequestRates {
	var out config.RequestRates
	if l.Profile != "" {
		out = config.CodeArtifactRates()
	}
	for _, r := range []struct {
		to   *int
		from *int32
	}{{&out.Reads, l.RequestRates.Reads}, {&out.Writes, l.RequestRates.Writes}, {&out.Token, l.RequestRates.Token}, {&out.Address, l.RequestRates.Address}} {
		if r.from != nil {
			*r.to = int(*r.from)
		}
	}
	for operation, n := range l.RequestRates.Operations {
		if out.Operations == nil {
			out.Operations = map[string]int{}
		}
		out.Operations[operation] = int(n)
	}
	return out
}

// compileAccounts finds namespaces that would be one account: all of them are closed then, for nobody can say whose it is.
func (c *compilation) compileAccounts(doc *config.Registry) {
	c.accounts = accounts{explicit: map[string]string{}, byDefault: c.opt.DefaultAccount, clash: map[string][]string{}}
	namespaces := map[string]bool{}
	for _, a := range doc.Accounts {
		c.accounts.explicit[a.Namespace] = a.ID
		namespaces[a.Namespace] = true
	}
	if c.opt.DefaultAccount != "" {
		namespaces["default"] = true
	}
	for i := range c.objects.Domains {
		namespaces[c.objects.Domains[i].Namespace] = true
	}
	for i := range c.objects.Repositories {
		namespaces[c.objects.Repositories[i].Namespace] = true
	}
	for i := range c.objects.IdentityPolicies {
		namespaces[c.objects.IdentityPolicies[i].Namespace] = true
	}
	for i := range c.objects.IdentityProviders {
		namespaces[c.objects.IdentityProviders[i].Namespace] = true
	}
	for i := range c.objects.AccessKeys {
		namespaces[c.objects.AccessKeys[i].Namespace] = true
	}
	by := map[string][]string{}
	for ns := range namespaces {
		id := c.accounts.of(ns)
		by[id] = append(by[id], ns)
		if _, named := c.accounts.explicit[ns]; !named { // so that the data plane knows whose it is
			doc.Accounts = append(doc.Accounts, config.Account{Namespace: ns, ID: id})
		}
	}
	slices.SortFunc(doc.Accounts, func(a, b config.Account) int { return strings.Compare(a.Namespace, b.Namespace) })
	doc.ClosedAccounts = nil
	for id, list := range by {
		if len(list) > 1 {
			slices.Sort(list)
			c.accounts.clash[id] = list
			doc.ClosedAccounts = append(doc.ClosedAccounts, id)
		}
	}
	slices.Sort(doc.ClosedAccounts)
}

// account returns the account of a namespace, or why it has none.
func (c *compilation) account(namespace string) (id, problem string) {
	id = c.accounts.of(namespace)
	if list := c.accounts.clash[id]; list != nil {
		return "", fmt.Sprintf("namespaces %s would all be account %s: give each an account of its own in the Registry", strings.Join(list, ", "), id)
	}
	if !registry.IsAccount(id) {
		return "", fmt.Sprintf("namespace %s has no valid account id: %q", namespace, id)
	}
	return id, ""
}

// allowed says whether a namespace may have domains in the registry.
func (c *compilation) allowed(namespace string) bool {
	return c.registry == nil || allows(c.registry, namespace, c.objects.Namespaces)
}

func allows(r *api.Registry, namespace string, namespaces map[string]Namespace) bool {
	return namespace == r.Namespace || Selects(r.Spec.AllowedNamespaces, namespace, namespaces)
}

// Selects says whether a selection has a namespace; nil has none.
func Selects(s *api.AllowedNamespaces, namespace string, namespaces map[string]Namespace) bool {
	if s == nil {
		return false
	}
	if s.All || slices.Contains(s.Names, namespace) {
		return true
	}
	if s.Selector == nil {
		return false
	}
	selector, err := metav1.LabelSelectorAsSelector(s.Selector)
	return err == nil && !selector.Empty() && selector.Matches(labels.Set(namespaces[namespace].Labels))
}

// holder is the lasting name of a namespace.
func (c *compilation) holder(namespace string) string {
	if uid := c.objects.Namespaces[namespace].UID; uid != "" {
		return uid
	}
	return "namespace/" + namespace
}
