package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "packhouse.dev/packhouse/api/v1alpha1"
	"packhouse.dev/packhouse/controllers/compile"
	"packhouse.dev/packhouse/controllers/declare"
	noun "packhouse.dev/packhouse/registry"
)

// object is what the change declares.
func (c *change) object() (*unstructured.Unstructured, error) {
	in := c.in
	var before map[string]any
	if c.live != nil {
		before = owned(c.live)
	}
	spec, err := declare.Spec(in, c.Target, c.doc, before)
	if err != nil {
		return nil, err
	}
	if in.Create && in.Spec.Domain != nil {
		ref := map[string]any{"name": c.reg.Name}
		if c.reg.Namespace != c.Namespace {
			ref["namespace"] = c.reg.Namespace
		}
		spec["registryRef"] = ref
	}
	u := unstructuredFor(c.Target)
	u.SetAnnotations(map[string]string{declare.By: in.Principal, annotationIntent: c.id})
	if c.live != nil { // one that somebody changes at the same time is not changed
		u.SetResourceVersion(c.live.GetResourceVersion())
	}
	return u, unstructured.SetNestedMap(u.Object, spec, "spec")
}

// ours is what is declared without the fields that say so already and are not the service API's: whoever keeps them would be told of a
// conflict when they change them.
func (c *change) ours(wanted *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	u := wanted.DeepCopy()
	if c.live == nil {
		return u, nil
	}
	mine := owned(c.live)
	spec, _, err := unstructured.NestedMap(wanted.Object, "spec")
	if err != nil {
		return nil, err
	}
	for field, want := range spec {
		is, _, _ := unstructured.NestedFieldNoCopy(c.live.Object, "spec", field)
		same, err := alike(is, want)
		if err != nil {
			return nil, err
		}
		if _, claimed := mine[field]; same && !claimed {
			unstructured.RemoveNestedField(u.Object, "spec", field)
		}
	}
	return u, nil
}

// whole refuses a change that somebody else's fields would be left beside, or stand against: what a client declares is complete.
func (c *change) whole(shown, wanted *unstructured.Unstructured) error {
	for _, field := range declare.Fields(c.in) {
		is, _, _ := unstructured.NestedFieldNoCopy(shown.Object, "spec", field)
		want, _, _ := unstructured.NestedFieldNoCopy(wanted.Object, "spec", field)
		if same, err := alike(is, want); err != nil || same {
			if err != nil {
				return err
			}
			continue
		}
		if managers := others(shown, field); len(managers) > 0 {
			return fmt.Errorf("%w: %s: spec.%s is kept by field manager %s: change it there", noun.ErrConflict, c.Target, field, quoted(managers))
		}
	}
	return nil
}

// alike compares values as they are written.
func alike(a, b any) (bool, error) {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return string(x) == string(y), errors.Join(errX, errY)
}

func unstructuredFor(t declare.Target) *unstructured.Unstructured {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(api.GroupVersion.WithKind(t.Kind))
	u.SetNamespace(t.Namespace)
	u.SetName(t.Name)
	return u
}

// withObject is objects with one as it would be.
func withObject(o compile.Objects, u *unstructured.Unstructured) (compile.Objects, error) {
	var err error
	switch u.GetKind() {
	case "Domain":
		o.Domains, err = replaced(o.Domains, u)
	case "Repository":
		o.Repositories, err = replaced(o.Repositories, u)
	case "PackageGroup":
		o.Groups, err = replaced(o.Groups, u)
	case "DomainPolicy":
		o.DomainPolicies, err = replaced(o.DomainPolicies, u)
	case "RepositoryPolicy":
		o.RepositoryPolicies, err = replaced(o.RepositoryPolicies, u)
	}
	return o, err
}

func replaced[T any, P interface {
	*T
	client.Object
}](list []T, u *unstructured.Unstructured) ([]T, error) {
	var made T
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &made); err != nil {
		return nil, err
	}
	out := slices.DeleteFunc(slices.Clone(list), func(t T) bool {
		return P(&t).GetNamespace() == u.GetNamespace() && P(&t).GetName() == u.GetName()
	})
	return append(out, made), nil
}
