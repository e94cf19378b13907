// Package registry is the controller of everything: it makes a Registry run, gives it what is declared, and says in statuses what
// became of that. All kinds share one queue, with one key per Registry, because a document of a registry depends on all of them.
//
// Nothing here decides: controllers/build makes the objects and controllers/compile the documents, both pure.
package registry

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "packhouse.dev/packhouse/api/v1alpha1"
	"packhouse.dev/packhouse/controllers/build"
	"packhouse.dev/packhouse/controllers/compile"
	"packhouse.dev/packhouse/registry/admin"
	"packhouse.dev/packhouse/registry/config"
)

// FieldOwner is whose fields the operator's are, in server-side apply.
const FieldOwner = client.FieldOwner("packhouse-operator")

// Finalizer stays on a Domain or Repository until its content is removed. Only the deletion policy Delete has it.
const Finalizer = "packhouse.dev/content"

// How often everything is looked at although nothing seems to have changed: the registry may have been restored from a backup, a
// Secret with credentials may have another content (Secrets are not watched), a pod may have come up.
const (
	resync      = time.Minute
	retrySoon   = 2 * time.Second // while something is on its way
	ensureAgain = 10 * time.Minute
)

// Plane is the admin API of one replica. admin.Client implements it.
type Plane interface {
	Status(ctx context.Context) (*admin.Status, error)
	Groups(ctx context.Context) (*admin.Groups, error)
	Configuration(ctx context.Context) (*admin.Configuration, error)
	Apply(ctx context.Context, q admin.Configuration) (*admin.Applied, error)
	PutSecrets(ctx context.Context, q admin.Secrets) error
	Remove(ctx context.Context, q admin.Removal) error
	Take(ctx context.Context, q admin.TakeRequest) (*admin.Intents, error)
	Answer(ctx context.Context, q admin.Answer) error
}

// Planes finds the replicas of a Registry that are ready. None is no error.
type Planes interface {
	Of(ctx context.Context, r *api.Registry) ([]Plane, error)
}

// Options of a Reconciler. All but Epoch, Issuer and Now are needed.
type Options struct {
	Client  client.Client // reads from the cache
	Live    client.Reader // reads from the apiserver
	Planes  Planes
	Events  events.EventRecorder
	Build   build.Options
	Formats []string // in the order in which endpoints are shown
	Presets []compile.Preset
	// Epoch grows with every leader, so that one that was deposed and does not know it yet is refused. nil: always 0.
	Epoch func(ctx context.Context) (int64, error)
	// Issuer tells who signs the tokens of the cluster's service accounts. nil: registries do not take them.
	Issuer func(ctx context.Context) (*config.ClusterIssuer, error)
	Now    func() time.Time
}

// Reconciler reconciles Registries and everything that belongs to them. It is safe for concurrent use with different keys.
type Reconciler struct {
	opt    Options
	issuer issuer

	mu     sync.Mutex
	states map[types.NamespacedName]*state
}

// state is what is remembered of a Registry between two looks. Losing it costs a question to the registry.
type state struct {
	mu sync.Mutex // of all of it: changes through the service API look at a Registry, too

	ensured   string // digest of the objects that were applied last; "": apply them again
	ensuredAt time.Time

	known    bool    // the fields below are what the registry has
	seen     numbers // of what it serves
	epoch    int64   // of what it is given
	digest   string  // of the documents
	previous compile.Documents
	problems []admin.Problem
	secrets  map[string]string // digest of the secrets that an instance of the registry was given

	keys map[types.UID]pairs // of access keys

	counts atomic.Pointer[counts] // without the lock; nil: not known

	// permitted are objects that clients of the service API delete, who were asked for the permission themselves.
	permitted map[types.UID]bool
	// protected tells of objects in a namespace that is being deleted why their content is kept, or "": the policies in it go in any order.
	protected map[types.UID]string
}

// New returns a Reconciler.
func New(opt Options) *Reconciler {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Epoch == nil {
		opt.Epoch = func(context.Context) (int64, error) { return 0, nil }
	}
	return &Reconciler{opt: opt, issuer: issuer{ask: opt.Issuer, now: opt.Now}, states: map[types.NamespacedName]*state{}}
}

// unbound is the key of objects that no Registry claims.
//
//nolint:gochecknoglobals // a constant
var unbound = types.NamespacedName{Name: "unbound"}

// Reconcile implements reconcile.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, q ctrl.Request) (ctrl.Result, error) {
	if q.NamespacedName == unbound {
		return ctrl.Result{}, r.reconcileUnbound(ctx)
	}
	reg := &api.Registry{}
	if err := r.opt.Client.Get(ctx, q.NamespacedName, reg); err != nil {
		if apierrors.IsNotFound(err) {
			r.forget(q.NamespacedName)
			return ctrl.Result{}, nil
		}
		return ctrl.Result{}, err
	}
	if !reg.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, nil // its objects go with it
	}
	return r.reconcile(ctx, reg, r.state(q.NamespacedName))
}

// pass makes a Registry what it should be: its objects, what it serves, and what is said of that. The lock of the state is held.
func (r *Reconciler) pass(ctx context.Context, reg *api.Registry, s *state) (*world, *outcome, error) {
	running := r.ensure(ctx, reg, s)
	w, err := r.gather(ctx)
	if err != nil {
		return nil, nil, err
	}
	out := r.push(ctx, reg, w, s)
	out.running, out.counts = running, s.counts.Load()
	finished := r.finalize(ctx, reg, w, out)
	out.after = errors.Join(finished, r.report(ctx, reg, w, out))
	return w, out, nil
}

func (r *Reconciler) reconcile(ctx context.Context, reg *api.Registry, s *state) (ctrl.Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, out, err := r.pass(ctx, reg, s)
	switch {
	case err != nil:
		return ctrl.Result{}, err
	case out.after != nil:
		return ctrl.Result{}, out.after
	case out.running != nil && !errors.As(out.running, new(*problem)):
		return ctrl.Result{}, fmt.Errorf("objects of Registry %s/%s: %w", reg.Namespace, reg.Name, out.running)
	case out.err != nil && !errors.Is(out.err, errNotReady):
		return ctrl.Result{}, fmt.Errorf("configuration of Registry %s/%s: %w", reg.Namespace, reg.Name, out.err)
	case out.err != nil || out.running != nil || out.waiting:
		return ctrl.Result{RequeueAfter: retrySoon}, nil
	}
	return ctrl.Result{RequeueAfter: resync}, nil
}

// problem is an error that trying again does not mend: it is shown, and somebody has to do something.
type problem struct{ reason, text string }

// Error implements error.
func (p *problem) Error() string { return p.text }

func (r *Reconciler) state(key types.NamespacedName) *state {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.states[key]
	if s == nil {
		s = &state{secrets: map[string]string{}, permitted: map[types.UID]bool{}, protected: map[types.UID]string{}}
		r.states[key] = s
	}
	return s
}

func (r *Reconciler) forget(key types.NamespacedName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.states, key)
}

// world is all that is declared, as the cache has it.
type world struct {
	objects    compile.Objects
	namespaces map[string]*corev1.Namespace
	// all has also the Domains and Repositories that are being deleted, which objects has not.
	domains      []api.Domain
	repositories []api.Repository
}

// gather reads everything from the cache.
func (r *Reconciler) gather(ctx context.Context) (*world, error) {
	var (
		registries   api.RegistryList
		domains      api.DomainList
		repositories api.RepositoryList
		connections  api.ExternalConnectionList
		origins      api.PackageOriginConfigurationList
		groups       api.PackageGroupList
		domainPolicy api.DomainPolicyList
		repoPolicy   api.RepositoryPolicyList
		identities   api.IdentityPolicyList
		providers    api.IdentityProviderList
		accessKeys   api.AccessKeyList
		namespaces   corev1.NamespaceList
	)
	for _, list := range []client.ObjectList{&registries, &domains, &repositories, &connections, &origins, &groups, &domainPolicy, &repoPolicy, &identities, &providers, &accessKeys, &namespaces} {
		if err := r.opt.Client.List(ctx, list); err != nil {
			return nil, err
		}
	}
	var err error
	w := &world{domains: domains.Items, repositories: repositories.Items, namespaces: map[string]*corev1.Namespace{}}
	w.objects = compile.Objects{
		Registries: alive(registries.Items), Domains: alive(domains.Items), Repositories: alive(repositories.Items),
		Connections: alive(connections.Items), Origins: alive(origins.Items), Groups: alive(groups.Items),
		DomainPolicies: alive(domainPolicy.Items), RepositoryPolicies: alive(repoPolicy.Items), IdentityPolicies: alive(identities.Items),
		IdentityProviders: alive(providers.Items), AccessKeys: alive(accessKeys.Items), Namespaces: map[string]compile.Namespace{},
	}
	for i := range namespaces.Items {
		n := &namespaces.Items[i]
		w.namespaces[n.Name] = n
		w.objects.Namespaces[n.Name] = compile.Namespace{UID: string(n.UID), Labels: n.Labels}
	}
	w.objects.ServiceAccounts, err = r.serviceAccounts(ctx, &w.objects)
	return w, err
}

// serviceAccounts are those of namespaces whose principals policies or access keys speak of.
func (r *Reconciler) serviceAccounts(ctx context.Context, o *compile.Objects) ([]config.ServiceAccount, error) {
	namespaces := map[string]bool{}
	for i := range o.IdentityPolicies {
		namespaces[o.IdentityPolicies[i].Namespace] = true
	}
	for i := range o.AccessKeys {
		namespaces[o.AccessKeys[i].Namespace] = true
	}
	out := []config.ServiceAccount{}
	for ns := range namespaces {
		var list corev1.ServiceAccountList
		if err := r.opt.Client.List(ctx, &list, client.InNamespace(ns)); err != nil {
			return nil, err
		}
		for i := range list.Items {
			if a := &list.Items[i]; a.DeletionTimestamp.IsZero() {
				out = append(out, config.ServiceAccount{Namespace: ns, Name: a.Name, UID: string(a.UID)})
			}
		}
	}
	return out, nil
}

// alive leaves out what is being deleted: it is not declared any more.
func alive[T any, P interface {
	*T
	client.Object
}](list []T) []T {
	out := make([]T, 0, len(list))
	for i := range list {
		if P(&list[i]).GetDeletionTimestamp().IsZero() {
			out = append(out, list[i])
		}
	}
	return out
}

// documentsOf takes the operator's own endpoints out of what the registry has, so that they are not compiled again.
func documentsOf(c *admin.Configuration) compile.Documents {
	if c.Registry == nil {
		return compile.Documents{}
	}
	reg := *c.Registry
	reg.Endpoints = nil
	return compile.Documents{Registry: &reg, Domains: append([]config.Domain(nil), c.Domains...)}
}
