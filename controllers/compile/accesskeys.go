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

// Key is what a Secret of an AccessKey has, but for the secret itself.
type Key struct {
	Secret  string // its name
	ID      string
	Problem string // why there is no key in it
}

// KeyState is what an access key shows in its status.
type KeyState struct {
	Object    Object
	Principal string
	Keys      []api.ActiveKey
}

// compileKeys takes the access keys that are for this registry. An id is of the AccessKey that had it before, else of the oldest that
// says so: ids are no secrets, and nobody takes another's away by writing it into a Secret.
func (c *compilation) compileKeys() {
	doc := c.out.Registry
	doc.AccessKeys, doc.ServiceAccounts = nil, c.serviceAccounts()
	holders := c.keyHolders()
	for i := range c.objects.AccessKeys {
		k := &c.objects.AccessKeys[i]
		o := Object{config.KindAccessKey, k.Namespace, k.Name}
		ours, reason, problem := c.keyBelongs(k)
		switch {
		case problem != "":
			c.refuse(o, reason, problem)
			continue
		case !ours:
			continue
		}
		account, problem := c.account(k.Namespace)
		if problem != "" {
			c.refuse(o, api.ReasonAccountClash, problem)
			continue
		}
		c.accept(o)
		if name := k.Spec.ServiceAccountName; name != "" && !c.hasServiceAccount(k.Namespace, name) {
			c.resolved(o, api.ReasonNotFound, []string{fmt.Sprintf("there is no ServiceAccount %s in namespace %s; the key is not taken", name, k.Namespace)})
			continue
		}
		c.takeKey(o, k, account, holders)
	}
	slices.SortFunc(doc.AccessKeys, func(a, b config.AccessKey) int {
		return strings.Compare(a.Source.Namespace+"/"+a.Source.Name, b.Source.Namespace+"/"+b.Source.Name)
	})
}

func (c *compilation) takeKey(o Object, k *api.AccessKey, account string, holders map[string]Object) {
	names := policy.Names{Partition: c.out.Registry.Partition, Region: c.out.Registry.Region}
	out := config.AccessKey{Source: source(o.Kind, &k.ObjectMeta), Account: account, Role: k.Spec.ServiceAccountName}
	state := KeyState{Object: o, Principal: names.User(account, k.Name)}
	if out.Role != "" {
		state.Principal = names.Session(account, out.Role, k.Name)
	}
	var problems []string
	reason := api.ReasonBadSecret
	for _, key := range c.keysOf(k) {
		switch {
		case key.Problem != "":
			problems = append(problems, key.Problem)
		case slices.Contains(out.IDs, key.ID):
			problems = append(problems, fmt.Sprintf("Secret %s has the same key as another of this object", key.Secret))
		case holders[key.ID] != o:
			reason = api.ReasonConflicted
			problems = append(problems, fmt.Sprintf("the key in Secret %s is another's already", key.Secret)) // whose it is concerns nobody
		default:
			out.IDs = append(out.IDs, key.ID)
			state.Keys = append(state.Keys, api.ActiveKey{Secret: key.Secret, ID: key.ID})
		}
	}
	c.resolved(o, reason, problems)
	c.out.Registry.AccessKeys = append(c.out.Registry.AccessKeys, out)
	c.out.Keys = append(c.out.Keys, state)
}

func (c *compilation) keysOf(k *api.AccessKey) []Key {
	return c.objects.Keys[types.NamespacedName{Namespace: k.Namespace, Name: k.Name}]
}

// keyHolders says which AccessKey each id is of.
func (c *compilation) keyHolders() map[string]Object {
	out := map[string]Object{}
	claim := func(k *api.AccessKey, had []string) {
		o := Object{config.KindAccessKey, k.Namespace, k.Name}
		for _, key := range c.keysOf(k) {
			if _, taken := out[key.ID]; !taken && key.Problem == "" && (had == nil || slices.Contains(had, key.ID)) {
				out[key.ID] = o
			}
		}
	}
	for i := range c.objects.AccessKeys {
		k := &c.objects.AccessKeys[i]
		if c.previous.Registry == nil {
			break
		}
		old := before(c.previous.Registry.AccessKeys, func(x *config.AccessKey) config.Source { return x.Source }, source(config.KindAccessKey, &k.ObjectMeta))
		if old != nil && len(old.IDs) > 0 {
			claim(k, old.IDs)
		}
	}
	for i := range c.objects.AccessKeys {
		k := &c.objects.AccessKeys[i]
		if ours, _, _ := c.keyBelongs(k); ours {
			claim(k, nil)
		}
	}
	return out
}

func (c *compilation) keyBelongs(k *api.AccessKey) (ours bool, reason, problem string) {
	if len(c.objects.Registries) == 0 {
		return true, "", "" // there is one without an object
	}
	of, reason, problem := RegistryOfKey(&c.objects, k)
	return of == c.opt.Registry, reason, problem
}

// RegistryOfKey names the Registry that an access key is for: the one that it names; else the one that took it first, for ever; else
// the only one that there is. Unlike a Domain it is never given to one because that offers to take it: the key would be told.
func RegistryOfKey(o *Objects, k *api.AccessKey) (_ types.NamespacedName, reason, problem string) {
	if ref := k.Spec.RegistryRef; ref != nil {
		return types.NamespacedName{Namespace: cmp.Or(ref.Namespace, k.Namespace), Name: ref.Name}, "", ""
	}
	if namespace, name, bound := strings.Cut(k.Status.Registry, "/"); bound {
		return types.NamespacedName{Namespace: namespace, Name: name}, "", ""
	}
	switch len(o.Registries) {
	case 0:
		return types.NamespacedName{}, api.ReasonNotFound, "there is no Registry: apply one"
	case 1:
		return types.NamespacedName{Namespace: o.Registries[0].Namespace, Name: o.Registries[0].Name}, "", ""
	}
	return types.NamespacedName{}, api.ReasonAmbiguous, fmt.Sprintf("there are %d registries: name one in registryRef", len(o.Registries))
}

// serviceAccounts are those whose namespaces have an identity policy: no other can have a token.
func (c *compilation) serviceAccounts() []config.ServiceAccount {
	with := map[string]bool{}
	for i := range c.objects.IdentityPolicies {
		with[c.objects.IdentityPolicies[i].Namespace] = true
	}
	out := slices.DeleteFunc(slices.Clone(c.objects.ServiceAccounts), func(a config.ServiceAccount) bool { return !with[a.Namespace] })
	slices.SortFunc(out, func(a, b config.ServiceAccount) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
	return out
}

// hasServiceAccount says whether there is a service account. Where there is no cluster each name is one.
func (c *compilation) hasServiceAccount(namespace, name string) bool {
	return c.objects.ServiceAccounts == nil || slices.ContainsFunc(c.objects.ServiceAccounts, func(a config.ServiceAccount) bool {
		return a.Namespace == namespace && a.Name == name
	})
}
