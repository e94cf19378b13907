package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "packhouse.dev/packhouse/api/v1alpha1"
	"packhouse.dev/packhouse/controllers/build"
	"packhouse.dev/packhouse/controllers/compile"
	"packhouse.dev/packhouse/registry/admin"
	"packhouse.dev/packhouse/registry/config"
)

// errNotReady says that there is no replica to speak to. It is no error of ours and needs no backoff: pods are watched.
var errNotReady = errors.New("no pod of the registry is ready")

// outcome is what became of a look at a Registry.
type outcome struct {
	compiled  *compile.Result
	endpoints []config.Endpoint
	problems  []admin.Problem // that the registry found
	secrets   map[compile.Object]string
	status    *admin.Status     // of the first replica; nil if there is none
	planes    []Plane           // all that are ready
	before    compile.Documents // what was served until now
	running   error             // what is wrong with the Registry's own objects
	after     error             // of what is done with objects once it is served
	err       error             // why the configuration is not served; nil: every ready replica serves it
	counts    *counts           // of packages; nil: not known
	waiting   bool              // something is on its way that nothing will tell of
}

// push compiles what is declared and gives it to the registry, unless the registry has it already.
func (r *Reconciler) push(ctx context.Context, reg *api.Registry, w *world, s *state) *outcome {
	out := &outcome{before: s.previous}
	out.planes, out.err = r.opt.Planes.Of(ctx, reg)
	if out.err == nil && len(out.planes) == 0 {
		out.err = errNotReady
	}
	if out.err == nil {
		out.status, out.err = out.planes[0].Status(ctx)
	}
	if out.err == nil {
		out.err = r.remember(ctx, out, w, s)
	}
	out.before = s.previous
	if err := r.readKeys(ctx, reg, w, s); err != nil && out.err == nil {
		out.err = err
	}
	if err := r.compile(ctx, reg, w, s, out); out.err == nil {
		out.err = err
	}
	if out.err != nil {
		return out
	}
	if out.err = r.keep(ctx, reg, w, s, out); out.err != nil {
		return out
	}
	if out.err = r.pushSecrets(ctx, w, s, out); out.err != nil {
		return out
	}
	out.err = r.pushDocuments(ctx, s, out)
	out.problems = s.problems
	return out
}

// numbers order configurations.
type numbers struct{ epoch, generation int64 }

// served are the highest numbers of what a replica has in force. A document that did not change keeps the numbers it had.
func served(st *admin.Status) numbers {
	high := numbers{st.Epoch, st.Generation}
	for _, d := range st.Domains {
		if n := (numbers{d.Epoch, d.Generation}); n.epoch > high.epoch || n.epoch == high.epoch && n.generation > high.generation {
			high = n
		}
	}
	return high
}

// remember makes sure of knowing what the registry has. A new leader asks, and so does one whose registry has other numbers than it
// gave it: it may have been restored from a backup.
func (r *Reconciler) remember(ctx context.Context, out *outcome, w *world, s *state) error {
	if s.known && served(out.status) == s.seen {
		return nil
	}
	s.known = false
	c, err := out.planes[0].Configuration(ctx)
	if err != nil {
		return err
	}
	epoch, err := r.opt.Epoch(ctx)
	if err != nil {
		return err
	}
	previous := documentsOf(c)
	if err := r.current(ctx, previous, w); err != nil {
		return err
	}
	s.previous, s.digest, s.problems = previous, "", nil
	if c.Registry != nil {
		if s.digest, err = digestOf([]any{*c.Registry, c.Domains}); err != nil {
			return err
		}
	}
	s.seen = served(out.status)
	s.epoch = max(epoch, s.seen.epoch) // a Lease that was made anew counts from the beginning
	s.known = true
	return nil
}

// current makes sure that the cache is not behind what the registry has been told: else a leader that has just come would take
// back what the one before it did.
func (r *Reconciler) current(ctx context.Context, previous compile.Documents, w *world) error {
	seen := map[config.Source]int64{}
	note := func(kind, namespace, name string, uid types.UID, generation int64) {
		seen[config.Source{Kind: kind, Namespace: namespace, Name: name, UID: string(uid)}] = generation
	}
	for i := range w.domains {
		o := &w.domains[i]
		note("Domain", o.Namespace, o.Name, o.UID, o.Generation)
	}
	for i := range w.repositories {
		o := &w.repositories[i]
		note("Repository", o.Namespace, o.Name, o.UID, o.Generation)
	}
	if err := r.currentIdentities(ctx, previous.Registry, w); err != nil {
		return err
	}
	for _, d := range previous.Domains {
		if err := r.notBehind(ctx, seen, d.Source, &api.Domain{}); err != nil {
			return err
		}
		for _, re := range d.Repositories {
			if err := r.notBehind(ctx, seen, re.Source, &api.Repository{}); err != nil {
				return err
			}
		}
	}
	return nil
}

// currentIdentities is current for what lets somebody in.
func (r *Reconciler) currentIdentities(ctx context.Context, previous *config.Registry, w *world) error {
	if previous == nil {
		return nil
	}
	seen := map[config.Source]int64{}
	note := func(kind string, o client.Object) {
		seen[config.Source{Kind: kind, Namespace: o.GetNamespace(), Name: o.GetName(), UID: string(o.GetUID())}] = o.GetGeneration()
	}
	for i := range w.objects.IdentityPolicies {
		note("IdentityPolicy", &w.objects.IdentityPolicies[i])
	}
	for i := range w.objects.IdentityProviders {
		note(config.KindIdentityProvider, &w.objects.IdentityProviders[i])
	}
	for i := range w.objects.AccessKeys {
		note(config.KindAccessKey, &w.objects.AccessKeys[i])
	}
	var failed []error
	for i := range previous.Identities {
		failed = append(failed, r.notBehind(ctx, seen, previous.Identities[i].Source, &api.IdentityPolicy{}))
	}
	for i := range previous.Providers {
		failed = append(failed, r.notBehind(ctx, seen, previous.Providers[i].Source, &api.IdentityProvider{}))
	}
	for i := range previous.AccessKeys {
		failed = append(failed, r.notBehind(ctx, seen, previous.AccessKeys[i].Source, &api.AccessKey{}))
	}
	return errors.Join(failed...)
}

func (r *Reconciler) notBehind(ctx context.Context, seen map[config.Source]int64, s config.Source, into client.Object) error {
	had := s.Generation
	s.Generation = 0
	if have, ok := seen[s]; ok && have >= had {
		return nil
	}
	err := r.opt.Live.Get(ctx, types.NamespacedName{Namespace: s.Namespace, Name: s.Name}, into)
	switch {
	case apierrors.IsNotFound(err):
		return nil // deleted
	case err != nil:
		return err
	case string(into.GetUID()) != s.UID:
		return nil // deleted and made again; the cache sees to the new one
	case !into.GetDeletionTimestamp().IsZero():
		return nil // not declared any more, whatever holds it
	}
	return fmt.Errorf("%s %s/%s: the cache is behind the apiserver", s.Kind, s.Namespace, s.Name)
}

// compile makes the documents. Without anything known of the registry it only serves to tell conditions.
func (r *Reconciler) compile(ctx context.Context, reg *api.Registry, w *world, s *state, out *outcome) error {
	out.compiled = r.compiled(ctx, reg, w.objects, s)
	own, err := r.ownEndpoints(ctx, reg)
	out.endpoints = slices.Concat(out.compiled.Registry.Endpoints, own)
	return err
}

// compiled is what becomes of objects for a Registry, if they are what is declared.
func (r *Reconciler) compiled(ctx context.Context, reg *api.Registry, objects compile.Objects, s *state) *compile.Result {
	return compile.Compile(objects, s.previous, compile.Options{
		Registry: types.NamespacedName{Namespace: reg.Namespace, Name: reg.Name}, Presets: r.opt.Presets, Cluster: r.issuer.get(ctx),
	})
}

// ownEndpoints are the addresses that a registry has in its cluster. Those that are declared come before them.
func (r *Reconciler) ownEndpoints(ctx context.Context, reg *api.Registry) ([]config.Endpoint, error) {
	name := build.NamesOf(reg.Name).Workload + "." + reg.Namespace
	hosts := []string{name + ".svc.cluster.local", name + ".svc", name}
	svc := &corev1.Service{}
	err := r.opt.Client.Get(ctx, types.NamespacedName{Namespace: reg.Namespace, Name: build.NamesOf(reg.Name).Workload}, svc)
	for _, ip := range svc.Spec.ClusterIPs {
		if ip != corev1.ClusterIPNone {
			hosts = append(hosts, bracketed(ip))
		}
	}
	out := make([]config.Endpoint, len(hosts))
	for i, h := range hosts {
		out[i] = config.Endpoint{URL: "http://" + h}
	}
	return out, client.IgnoreNotFound(err) // there is none before it is made
}

// pushDocuments puts the documents unless they are there, and sees that every replica serves them.
func (r *Reconciler) pushDocuments(ctx context.Context, s *state, out *outcome) error {
	own := *out.compiled.Registry
	own.Endpoints = out.endpoints
	digest, err := digestOf([]any{own, out.compiled.Domains})
	if err != nil {
		return err
	}
	if digest != s.digest {
		q := admin.Configuration{Epoch: s.epoch, Generation: s.seen.generation + 1, Registry: &own, Domains: out.compiled.Domains}
		applied, err := out.planes[0].Apply(ctx, q)
		if err != nil {
			s.known = false // some of it may be in force, or somebody else's is: ask again
			return err
		}
		s.digest, s.previous, s.problems = digest, out.compiled.Documents, applied.Problems
		if out.status, err = out.planes[0].Status(ctx); err != nil {
			s.known = false
			return err
		}
		s.seen = served(out.status)
	}
	for _, p := range out.planes[1:] {
		st, err := p.Status(ctx)
		if err != nil {
			return err
		}
		if served(st) != s.seen {
			return errBehind
		}
	}
	return nil
}

// errBehind says that a replica has not taken over what others have.
var errBehind = fmt.Errorf("%w: a replica has not taken over the newest configuration yet", errNotReady)
