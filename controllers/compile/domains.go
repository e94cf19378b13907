package compile

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	api "packhouse.dev/packhouse/api/v1alpha1"
	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/config"
)

// The names of the service model. The schemas have them too; an object may have been written by another build's.
var (
	domainName     = regexp.MustCompile(`^[a-z][a-z0-9-]{0,48}[a-z0-9]$`)
	repositoryName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{1,99}$`)
)

// compileDomains accepts domains, oldest first.
func (c *compilation) compileDomains() {
	taken := map[registry.DomainRef]*api.Domain{}
	for i := range c.objects.Domains {
		d := &c.objects.Domains[i]
		o := Object{"Domain", d.Namespace, d.Name}
		ours, problem := c.belongs(d)
		if problem != "" {
			c.refuse(o, api.ReasonAmbiguous, problem)
			continue
		}
		if !ours {
			continue
		}
		ref, reason, problem := c.checkDomain(d)
		if first := taken[ref]; problem == "" && first != nil {
			reason, problem = api.ReasonNameConflict, fmt.Sprintf("Domain %s/%s is older and has the name %q", first.Namespace, first.Name, ref.Name)
		}
		if problem != "" {
			c.refuse(o, reason, problem)
			continue
		}
		taken[ref] = d
		c.accept(o)
		c.resolved(o, "", nil)
		doc := &config.Domain{Schema: config.Schema, Source: source("Domain", &d.ObjectMeta), Owner: ref.Owner, Name: ref.Name, Holder: c.holder(d.Namespace), Tags: tags(d.Spec.Tags)}
		c.domains[types.NamespacedName{Namespace: d.Namespace, Name: d.Name}] = &domain{object: d, doc: doc, repos: map[string]*repo{}}
	}
}

// belongs says whether a domain is one of the registry being compiled.
func (c *compilation) belongs(d *api.Domain) (ours bool, problem string) {
	if len(c.objects.Registries) == 0 {
		return true, "" // there is one without an object
	}
	of, problem := RegistryOf(&c.objects, d)
	return of == c.opt.Registry, problem
}

// RegistryOf names the Registry that a domain belongs to: the one that it names; else the one that it was served by, as long as that
// exists, so that another Registry that somebody makes takes nothing away; else the only one that allows its namespace.
func RegistryOf(o *Objects, d *api.Domain) (_ types.NamespacedName, problem string) {
	if ref := d.Spec.RegistryRef; ref != nil {
		return types.NamespacedName{Namespace: cmp.Or(ref.Namespace, d.Namespace), Name: ref.Name}, ""
	}
	var all, open []types.NamespacedName
	for i := range o.Registries {
		r := &o.Registries[i]
		key := types.NamespacedName{Namespace: r.Namespace, Name: r.Name}
		if d.Status.Registry == key.String() {
			return key, ""
		}
		all = append(all, key)
		if allows(r, d.Namespace, o.Namespaces) {
			open = append(open, key)
		}
	}
	switch {
	case len(open) == 1:
		return open[0], ""
	case len(all) == 1:
		return all[0], "" // and it says that it does not allow the namespace
	case len(all) == 0:
		return types.NamespacedName{}, "there is no Registry: apply one"
	}
	return types.NamespacedName{}, fmt.Sprintf("there are %d registries: name one in registryRef", len(all))
}

func (c *compilation) checkDomain(d *api.Domain) (ref registry.DomainRef, reason, problem string) {
	if !c.allowed(d.Namespace) {
		return ref, api.ReasonNotAllowed, fmt.Sprintf("Registry %s does not allow domains of namespace %s (allowedNamespaces)", c.opt.Registry, d.Namespace)
	}
	if !domainName.MatchString(d.OwnName()) {
		return ref, api.ReasonInvalid, fmt.Sprintf("%q is no name of a domain", d.OwnName())
	}
	account, problem := c.account(d.Namespace)
	if problem != "" {
		return ref, api.ReasonAccountClash, problem
	}
	return registry.DomainRef{Owner: account, Name: d.OwnName()}, "", ""
}

func tags(from map[string]api.TagValue) map[string]string {
	if len(from) == 0 {
		return nil
	}
	out := make(map[string]string, len(from))
	for k, v := range from {
		out[k] = string(v)
	}
	return out
}

// before finds what an object gave the last time: the same object by its UID, so that another one of its name inherits nothing.
func before[T any](list []T, of func(*T) config.Source, s config.Source) *T {
	at := slices.IndexFunc(list, func(t T) bool {
		return same(of(&t), s)
	})
	if at < 0 {
		return nil
	}
	return &list[at]
}

// same says whether two sources are one object, whatever its generation.
func same(a, b config.Source) bool {
	a.Generation, b.Generation = 0, 0
	return a == b
}
