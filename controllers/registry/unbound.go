package registry

import (
	"context"
	"fmt"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"golang.org/x/sync/errgroup"

	api "packhouse.dev/packhouse/api/v1alpha1"
	"packhouse.dev/packhouse/controllers/compile"
)

// reconcileUnbound tells objects that no Registry claims what they lack, and lets those go that are being deleted: their content, if
// there is any, is kept by a registry that is not there.
func (r *Reconciler) reconcileUnbound(ctx context.Context) error {
	w, err := r.gather(ctx)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(concurrentWrites)
	for i := range w.domains {
		o := &w.domains[i]
		if !o.DeletionTimestamp.IsZero() {
			if !slices.ContainsFunc(w.objects.Registries, func(r api.Registry) bool { return belongs(w, o, &r) }) {
				g.Go(func() error { return r.letGo(ctx, o) })
			}
			continue
		}
		if !claimed(w, o) {
			g.Go(func() error { return r.homeless(ctx, "Domain", o, &o.Status.Status, missingRegistry(o)) })
		}
	}
	for i := range w.repositories {
		o := &w.repositories[i]
		d := domainOf(w, &o.Spec.DomainRef, o.Namespace)
		switch {
		case !o.DeletionTimestamp.IsZero():
			if !slices.ContainsFunc(w.objects.Registries, func(r api.Registry) bool { return ofRegistry(&r, o) }) {
				g.Go(func() error { return r.letGo(ctx, o) })
			}
		case d != nil && !claimed(w, d):
			g.Go(func() error {
				return r.homeless(ctx, "Repository", o, &o.Status.Status, fmt.Sprintf("Domain %s/%s belongs to no Registry that there is", d.Namespace, d.Name))
			})
		case d == nil && len(w.objects.Registries) == 0:
			g.Go(func() error {
				return r.homeless(ctx, "Repository", o, &o.Status.Status, fmt.Sprintf("there is no Domain %s", o.Spec.DomainRef.Name))
			})
		}
	}
	for i := range w.objects.AccessKeys {
		o := &w.objects.AccessKeys[i]
		of, _, problem := compile.RegistryOfKey(&w.objects, o)
		switch there := slices.ContainsFunc(w.objects.Registries, func(r api.Registry) bool { return client.ObjectKeyFromObject(&r) == of }); {
		case there, problem != "" && len(w.objects.Registries) > 0: // each of them says that one must be named
			continue
		case problem == "":
			problem = fmt.Sprintf("there is no Registry %s", of)
		}
		g.Go(func() error {
			return r.homeless(ctx, "AccessKey", o, &o.Status.Status, problem)
		})
	}
	return g.Wait()
}

// claimed says whether there is a Registry that reports on a Domain.
func claimed(w *world, d *api.Domain) bool {
	of, problem := compile.RegistryOf(&w.objects, d)
	if problem != "" {
		return len(w.objects.Registries) > 0 // each of them says that one must be named
	}
	return slices.ContainsFunc(w.objects.Registries, func(r api.Registry) bool { return r.Namespace == of.Namespace && r.Name == of.Name })
}

func missingRegistry(d *api.Domain) string {
	if ref := d.Spec.RegistryRef; ref != nil {
		return fmt.Sprintf("there is no Registry %s in namespace %s", ref.Name, orElse(ref.Namespace, d.Namespace))
	}
	return "there is no Registry: apply one"
}

func orElse(s, other string) string {
	if s != "" {
		return s
	}
	return other
}

func (r *Reconciler) homeless(ctx context.Context, kind string, o client.Object, s *api.Status, text string) error {
	before := o.DeepCopyObject().(client.Object)
	old := s.DeepCopy()
	key := compile.Object{Kind: kind, Namespace: o.GetNamespace(), Name: o.GetName()}
	t := &told{resolved: &compile.Condition{Object: key, Type: api.ConditionResolvedRefs, Reason: api.ReasonNotFound, Message: text}}
	r.conditions(key, o.GetGeneration(), s, t, &outcome{compiled: &compile.Result{}, err: errNotReady})
	return r.write(ctx, before, o, old, s)
}
