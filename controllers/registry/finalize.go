package registry

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	api "packhouse.dev/packhouse/api/v1alpha1"
	"packhouse.dev/packhouse/controllers/compile"
	noun "packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/admin"
	"packhouse.dev/packhouse/registry/config"
)

// finalize gives content objects the finalizer that their deletion policy asks for, and removes the content of those that are being
// deleted, once the registry does not serve it any more.
func (r *Reconciler) finalize(ctx context.Context, reg *api.Registry, w *world, out *outcome) error {
	var failed []error
	for i := range w.repositories {
		o := &w.repositories[i]
		if o.DeletionTimestamp.IsZero() {
			if _, mine := out.compiled.Served[compile.Object{Kind: "Repository", Namespace: o.Namespace, Name: o.Name}]; mine {
				failed = append(failed, r.hold(ctx, o, o.Spec.DeletionPolicy))
			}
			continue
		}
		account, domain, repository := parseARN(o.Status.ARN)
		failed = append(failed, r.release(ctx, reg, w, out, o, ofRegistry(reg, o), admin.Removal{Owner: account, Domain: domain, Repository: repository}))
	}
	for i := range w.domains {
		o := &w.domains[i]
		if o.DeletionTimestamp.IsZero() {
			if _, mine := out.compiled.Served[compile.Object{Kind: "Domain", Namespace: o.Namespace, Name: o.Name}]; mine {
				failed = append(failed, r.hold(ctx, o, o.Spec.DeletionPolicy))
			}
			continue
		}
		account, domain, _ := parseARN(o.Status.ARN)
		failed = append(failed, r.release(ctx, reg, w, out, o, belongs(w, o, reg), admin.Removal{Owner: account, Domain: domain}))
	}
	return errors.Join(failed...)
}

// keep lets objects go whose content may not be removed, as policies say: an object must not hang, so its content stays, unserved, as
// under the deletion policy Retain. It comes before what the registry serves is changed, because the policies that count are those
// that it still has.
func (r *Reconciler) keep(ctx context.Context, reg *api.Registry, w *world, s *state, out *outcome) error {
	var failed []error
	known := map[types.UID]bool{}
	look := func(o client.Object, kind string) {
		if !controllerutil.ContainsFinalizer(o, Finalizer) {
			return
		}
		known[o.GetUID()] = true
		because, asked := s.protected[o.GetUID()]
		namespace := w.namespaces[o.GetNamespace()]
		terminating := namespace != nil && namespace.DeletionTimestamp != nil
		if !asked && (terminating || !o.GetDeletionTimestamp().IsZero()) {
			because = compile.RemovalDenied(s.previous, config.Source{Kind: kind, Namespace: o.GetNamespace(), Name: o.GetName(), UID: string(o.GetUID())}, out.retained)
		}
		if terminating {
			s.protected[o.GetUID()] = because
		}
		if o.GetDeletionTimestamp().IsZero() || because == "" || s.permitted[o.GetUID()] {
			return
		}
		r.opt.Events.Eventf(o, nil, corev1.EventTypeWarning, api.ReasonDenied, "Delete", "the content is kept: %s", because)
		failed = append(failed, r.letGo(ctx, o))
	}
	for i := range w.repositories {
		if o := &w.repositories[i]; ofRegistry(reg, o) {
			look(o, "Repository")
		}
	}
	for i := range w.domains {
		if o := &w.domains[i]; belongs(w, o, reg) {
			look(o, "Domain")
		}
	}
	maps.DeleteFunc(s.permitted, func(uid types.UID, _ bool) bool { return !known[uid] })
	maps.DeleteFunc(s.protected, func(uid types.UID, _ string) bool { return !known[uid] })
	return errors.Join(failed...)
}

// retained are the repositories of a domain whose content is kept without an object.
func (out *outcome) retained(d noun.DomainRef) []string {
	i := slices.IndexFunc(out.status.Domains, func(s admin.DomainStatus) bool { return s.Owner == d.Owner && s.Name == d.Name })
	if i < 0 {
		return nil
	}
	return out.status.Domains[i].Retained
}

// hold adds or takes away the finalizer of an object that lives.
func (r *Reconciler) hold(ctx context.Context, o client.Object, policy api.DeletionPolicy) error {
	before := o.DeepCopyObject().(client.Object)
	changed := false
	if policy == api.Delete {
		changed = controllerutil.AddFinalizer(o, Finalizer)
	} else {
		changed = controllerutil.RemoveFinalizer(o, Finalizer)
	}
	if !changed {
		return nil
	}
	return client.IgnoreNotFound(r.opt.Client.Patch(ctx, o, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}), FieldOwner))
}

// release removes the content of an object that is being deleted and lets it go.
func (r *Reconciler) release(ctx context.Context, reg *api.Registry, w *world, out *outcome, o client.Object, mine bool, q admin.Removal) error {
	if !mine || !controllerutil.ContainsFinalizer(o, Finalizer) {
		return nil
	}
	namespace := w.namespaces[o.GetNamespace()]
	switch {
	case out.err != nil && namespace != nil && namespace.DeletionTimestamp != nil && o.GetNamespace() == reg.Namespace:
		// The registry goes with the same namespace: nobody will ever be there to ask.
	case out.err != nil:
		return nil // the error is told where it belongs; the content is still served
	case q.Domain != "":
		if namespace == nil {
			return nil // the cache has not seen it yet
		}
		q.Holder = string(namespace.UID)
		if err := out.planes[0].Remove(ctx, q); err != nil {
			return err
		}
		r.opt.Events.Eventf(o, nil, corev1.EventTypeNormal, "ContentRemoved", "Delete", "the content is removed")
	}
	return r.letGo(ctx, o)
}

func (r *Reconciler) letGo(ctx context.Context, o client.Object) error {
	before := o.DeepCopyObject().(client.Object)
	if !controllerutil.RemoveFinalizer(o, Finalizer) {
		return nil
	}
	return client.IgnoreNotFound(r.opt.Client.Patch(ctx, o, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}), FieldOwner))
}

// parseARN takes apart what a status says. An object that was never served has none, and no content.
func parseARN(arn string) (account, domain, repository string) {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 {
		return "", "", ""
	}
	kind, name, _ := strings.Cut(parts[5], "/")
	if kind == "domain" {
		return parts[4], name, ""
	}
	domain, repository, _ = strings.Cut(name, "/")
	return parts[4], domain, repository
}

// belongs says whether a Domain is one of a Registry.
func belongs(w *world, d *api.Domain, reg *api.Registry) bool {
	of, problem := compile.RegistryOf(&w.objects, d)
	return problem == "" && of == client.ObjectKeyFromObject(reg)
}

// ofRegistry says whether a Repository that is being deleted has its content in a Registry: the one that served it.
func ofRegistry(reg *api.Registry, o *api.Repository) bool {
	return o.Status.Registry == client.ObjectKeyFromObject(reg).String()
}

func domainOf(w *world, ref *api.Ref, namespace string) *api.Domain {
	key := types.NamespacedName{Namespace: ref.Namespace, Name: ref.Name}
	if key.Namespace == "" {
		key.Namespace = namespace
	}
	for i := range w.domains {
		if d := &w.domains[i]; d.Namespace == key.Namespace && d.Name == key.Name {
			return d
		}
	}
	return nil
}
