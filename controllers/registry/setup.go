package registry

import (
	"context"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	api "packhouse.dev/packhouse/api/v1alpha1"
	"packhouse.dev/packhouse/controllers/build"
)

// The operator's permissions. It reads Secrets one by one and never lists them; it has no right over pods' content, roles or bindings.
// What it may create, change and delete of its own kinds it does for clients of the service API, in namespaces that a Registry names.
//
// +kubebuilder:rbac:groups=packhouse.dev,resources=registries;domains;repositories;externalconnections;packageoriginconfigurations;packagegroups;domainpolicies;repositorypolicies;identitypolicies;identityproviders;accesskeys,verbs=get;list;watch
// +kubebuilder:rbac:groups=packhouse.dev,resources=domains;repositories;packagegroups;domainpolicies;repositorypolicies,verbs=create;patch;delete
// +kubebuilder:rbac:groups=packhouse.dev,resources=domains/finalizers;repositories/finalizers;registries/finalizers,verbs=update
// +kubebuilder:rbac:groups=packhouse.dev,resources=registries/status;domains/status;repositories/status;externalconnections/status;packageoriginconfigurations/status;packagegroups/status;domainpolicies/status;repositorypolicies/status;identitypolicies/status;identityproviders/status;accesskeys/status,verbs=patch
// +kubebuilder:rbac:urls=/.well-known/openid-configuration;/openid/v1/jwks,verbs=get
// +kubebuilder:rbac:groups=apps,resources=statefulsets,verbs=get;list;watch;create;patch
// +kubebuilder:rbac:groups="",resources=services;serviceaccounts,verbs=get;list;watch;create;patch
// +kubebuilder:rbac:groups="",resources=persistentvolumeclaims,verbs=get;create;patch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get;create;patch
// +kubebuilder:rbac:groups=networking.k8s.io,resources=networkpolicies,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups="",resources=pods;namespaces,verbs=get;list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// SetupWithManager makes the manager run the reconciler.
func (r *Reconciler) SetupWithManager(m ctrl.Manager) error {
	everyone := handler.EnqueueRequestsFromMapFunc(r.everyRegistry)
	// A status that was written is no reason to look again; a spec, an end, and labels of namespaces are.
	declared := builder.WithPredicates(predicate.GenerationChangedPredicate{})
	ours := builder.WithPredicates(predicate.NewPredicateFuncs(func(o client.Object) bool { return o.GetLabels()[build.LabelName] == build.AppName }))
	b := ctrl.NewControllerManagedBy(m).Named("registry").
		WithOptions(controller.Options{
			MaxConcurrentReconciles: 4,
			RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](200*time.Millisecond, 30*time.Second),
		}).
		For(&api.Registry{}, declared)
	for _, o := range []client.Object{
		&api.Registry{}, &api.Domain{}, &api.Repository{}, &api.ExternalConnection{}, &api.PackageOriginConfiguration{},
		&api.PackageGroup{}, &api.DomainPolicy{}, &api.RepositoryPolicy{}, &api.IdentityPolicy{}, &api.IdentityProvider{}, &api.AccessKey{},
	} {
		b = b.Watches(o, everyone, declared)
	}
	b = b.Watches(&corev1.Namespace{}, everyone, builder.WithPredicates(predicate.LabelChangedPredicate{}))
	for _, o := range []client.Object{&appsv1.StatefulSet{}, &corev1.Service{}, &corev1.ServiceAccount{}, &networkingv1.NetworkPolicy{}} {
		b = b.Watches(o, handler.EnqueueRequestsFromMapFunc(r.owner), ours, builder.WithPredicates(predicate.ResourceVersionChangedPredicate{}))
	}
	// A service account that comes or goes is one whose tokens begin or cease to be worth something.
	b = b.Watches(&corev1.ServiceAccount{}, handler.EnqueueRequestsFromMapFunc(r.ofAccount), builder.WithPredicates(predicate.Funcs{
		UpdateFunc: func(e event.UpdateEvent) bool { return !e.ObjectNew.GetDeletionTimestamp().IsZero() },
	}))
	b = b.Watches(&corev1.Pod{}, handler.EnqueueRequestsFromMapFunc(ofInstance), ours)
	for _, also := range []manager.Runnable{newIntents(r), newCounting(r)} {
		if err := m.Add(also); err != nil {
			return err
		}
	}
	return b.Complete(r)
}

// everyRegistry enqueues all Registries, and those that have none.
func (r *Reconciler) everyRegistry(ctx context.Context, _ client.Object) []reconcile.Request {
	var list api.RegistryList
	if err := r.opt.Client.List(ctx, &list); err != nil { // the cache answers; it cannot but before it is filled
		return nil
	}
	out := []reconcile.Request{{NamespacedName: unbound}}
	for i := range list.Items {
		out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
	}
	return out
}

// ofAccount enqueues all Registries, if tokens of a service account could be of use at all.
func (r *Reconciler) ofAccount(ctx context.Context, o client.Object) []reconcile.Request {
	for _, list := range []client.ObjectList{&api.IdentityPolicyList{}, &api.AccessKeyList{}} {
		if err := r.opt.Client.List(ctx, list, client.InNamespace(o.GetNamespace()), client.Limit(1)); err != nil || apimeta.LenList(list) > 0 {
			return r.everyRegistry(ctx, o)
		}
	}
	return nil
}

// owner enqueues the Registry of an object that was touched, and has its objects applied again.
func (r *Reconciler) owner(_ context.Context, o client.Object) []reconcile.Request {
	ref := metav1.GetControllerOf(o)
	if ref == nil || ref.Kind != "Registry" {
		return nil
	}
	key := types.NamespacedName{Namespace: o.GetNamespace(), Name: ref.Name}
	r.touched(key)
	return []reconcile.Request{{NamespacedName: key}}
}

// ofInstance enqueues the Registry of a pod.
func ofInstance(_ context.Context, o client.Object) []reconcile.Request {
	name := o.GetLabels()[build.LabelInstance]
	if name == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: o.GetNamespace(), Name: name}}}
}
