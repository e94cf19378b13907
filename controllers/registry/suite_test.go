package registry

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	api "packhouse.dev/packhouse/api/v1alpha1"
	"packhouse.dev/packhouse/controllers/build"
	"packhouse.dev/packhouse/controllers/compile"
	noun "packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/admin"
	"packhouse.dev/packhouse/registry/config"
)

// cluster is an apiserver with etcd, one for all tests of the package; each test has namespaces of its own and, because a Registry
// sees the objects of all namespaces, everything of ours is deleted before the next.
var cluster *rest.Config

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	ctrl.SetLogger(logr.Discard())
	assets := os.Getenv("KUBEBUILDER_ASSETS")
	if assets == "" {
		if os.Getenv("REQUIRE_ENVTEST") == "1" {
			fmt.Fprintln(os.Stderr, "REQUIRE_ENVTEST=1, but KUBEBUILDER_ASSETS names no folder: run hack/envtest.sh")
			return 1
		}
		return m.Run() // tests skip by needing a cluster
	}
	env := &envtest.Environment{CRDDirectoryPaths: []string{"../../config/crd/bases"}, ErrorIfCRDPathMissing: true, BinaryAssetsDirectory: assets}
	var err error
	defer func() { // also when it did not start as a whole
		if err := env.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "envtest:", err)
		}
	}()
	if cluster, err = env.Start(); err != nil {
		fmt.Fprintln(os.Stderr, "envtest:", err)
		return 1
	}
	return m.Run()
}

func scheme(t testing.TB) *runtime.Scheme {
	t.Helper()
	s := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(s); err != nil {
		t.Fatal(err)
	}
	if err := api.AddToScheme(s); err != nil {
		t.Fatal(err)
	}
	return s
}

// fixture is what a test sees: a cluster, and a registry in place of pods.
type fixture struct {
	t         testing.TB
	c         client.Client
	plane     *fakePlane
	others    map[string]*fakePlane // of Registries in other namespaces
	namespace string
	r         *Reconciler
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	if cluster == nil {
		t.Skip("NOT RUN: needs an apiserver; set KUBEBUILDER_ASSETS to a folder with kube-apiserver and etcd (hack/envtest.sh makes one)")
	}
	c, err := client.New(rest.CopyConfig(cluster), client.Options{Scheme: scheme(t)})
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{t: t, c: c, plane: &fakePlane{wishes: make(chan admin.Intent, 100), answers: make(chan admin.Answer, 100)}, others: map[string]*fakePlane{}, namespace: "t" + strings.ToLower(fmt.Sprintf("%x", t.Name())[:min(20, 2*len(t.Name()))]) + fmt.Sprintf("%d", nextNumber())}
	f.makeNamespace(f.namespace)
	f.r = f.operator(c)
	t.Cleanup(f.cleanUp)
	return f
}

var (
	numbersMu  sync.Mutex
	lastNumber int
)

func nextNumber() int {
	numbersMu.Lock()
	defer numbersMu.Unlock()
	lastNumber++
	return lastNumber
}

// operator is a new one, that remembers nothing.
func (f *fixture) operator(c client.Client) *Reconciler {
	return New(Options{
		Client: c, Live: c, Planes: planesFunc(func(_ context.Context, reg *api.Registry) ([]Plane, error) {
			if f.plane.away {
				return nil, nil
			}
			if reg.Namespace != f.namespace {
				if f.others[reg.Namespace] == nil {
					f.others[reg.Namespace] = &fakePlane{}
				}
				return []Plane{f.others[reg.Namespace]}, nil
			}
			return []Plane{f.plane}, nil
		}),
		Events: events.NewFakeRecorder(10_000), Build: build.Options{Image: "registry:test", OperatorNamespace: "packhouse-system"},
		Formats: []string{"npm", "pypi"}, Presets: []compile.Preset{
			{Name: "public:npmjs", Format: "npm", URL: "https://registry.yarnpkg.com"}, {Name: "public:pypi", Format: "pypi", URL: "https://pypi.org/simple/"},
			{Name: "public:maven-central", Format: "maven", URL: "https://repo1.maven.org/maven2/"}, {Name: "public:crates-io", Format: "cargo", URL: "https://index.crates.io/"},
			{Name: "public:ruby-gems-org", Format: "ruby", URL: "https://rubygems.org/"},
			{Name: "public:nuget-org", Format: "nuget", URL: "https://api.nuget.org/v3/index.json"},
		},
	})
}

// events are those that were told since the last time.
func (f *fixture) events() string {
	recorder, ok := f.r.opt.Events.(*events.FakeRecorder)
	if !ok {
		f.t.Fatalf("%T", f.r.opt.Events)
	}
	var out []string
	for {
		select {
		case e := <-recorder.Events:
			out = append(out, e)
		default:
			return strings.Join(out, "\n")
		}
	}
}

type planesFunc func(context.Context, *api.Registry) ([]Plane, error)

func (f planesFunc) Of(ctx context.Context, r *api.Registry) ([]Plane, error) { return f(ctx, r) }

func (f *fixture) makeNamespace(name string) {
	f.t.Helper()
	f.must(f.c.Create(context.Background(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}))
}

func (f *fixture) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) cleanUp() {
	ctx := context.Background()
	for _, list := range []client.ObjectList{&api.RepositoryList{}, &api.DomainList{}, &api.ExternalConnectionList{}, &api.PackageOriginConfigurationList{}, &api.PackageGroupList{}, &api.DomainPolicyList{}, &api.RepositoryPolicyList{}, &api.IdentityPolicyList{}, &api.IdentityProviderList{}, &api.AccessKeyList{}, &api.RegistryList{}} {
		f.must(f.c.List(ctx, list))
		f.must(apimeta.EachListItem(list, func(o runtime.Object) error {
			obj := o.(client.Object)
			if len(obj.GetFinalizers()) > 0 {
				before := obj.DeepCopyObject().(client.Object)
				obj.SetFinalizers(nil)
				if err := client.IgnoreNotFound(f.c.Patch(ctx, obj, client.MergeFrom(before))); err != nil {
					return err
				}
			}
			return client.IgnoreNotFound(f.c.Delete(ctx, obj))
		}))
	}
}

// apply does what "kubectl apply --server-side" does with manifests. Namespace NS is the test's own.
func (f *fixture) apply(manifests string) error {
	for _, text := range strings.Split(manifests, "\n---\n") {
		if strings.TrimSpace(text) == "" {
			continue
		}
		u := map[string]any{}
		if err := yaml.Unmarshal([]byte(text), &u); err != nil {
			return err
		}
		if u == nil {
			continue
		}
		if u["apiVersion"] == nil {
			u["apiVersion"] = "packhouse.dev/v1alpha1"
		}
		o := unstructuredOf(u)
		if o.GetNamespace() == "" {
			o.SetNamespace(f.namespace)
		}
		if err := f.c.Apply(context.Background(), client.ApplyConfigurationFromUnstructured(o), client.FieldOwner("test")); err != nil {
			return err
		}
	}
	return nil
}

func (f *fixture) given(manifests string) {
	f.t.Helper()
	f.must(f.apply(manifests))
}

// reconcile looks at everything until nothing is left to do, as the queue would.
func (f *fixture) reconcile() {
	f.t.Helper()
	for range 3 {
		f.must(f.once(f.r))
	}
}

func (f *fixture) once(r *Reconciler) error {
	var list api.RegistryList
	if err := f.c.List(context.Background(), &list); err != nil {
		return err
	}
	for i := range list.Items {
		if _, err := r.Reconcile(context.Background(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])}); err != nil {
			return err
		}
	}
	_, err := r.Reconcile(context.Background(), ctrl.Request{NamespacedName: unbound})
	return err
}

func (f *fixture) get(o client.Object, name string) {
	f.t.Helper()
	f.must(f.c.Get(context.Background(), client.ObjectKey{Namespace: f.namespace, Name: name}, o))
}

// condition is "True Reason: message" of a repository.
func (f *fixture) repository(name, kind string) string {
	f.t.Helper()
	o := &api.Repository{}
	f.get(o, name)
	return said(o.Status.Conditions, kind)
}

func (f *fixture) domain(name, kind string) string {
	f.t.Helper()
	o := &api.Domain{}
	f.get(o, name)
	return said(o.Status.Conditions, kind)
}

func (f *fixture) registry(kind string) string {
	f.t.Helper()
	o := &api.Registry{}
	f.get(o, "default")
	return said(o.Status.Conditions, kind)
}

func said(list []metav1.Condition, kind string) string {
	c := apimeta.FindStatusCondition(list, kind)
	if c == nil {
		return "none"
	}
	s := string(c.Status) + " " + c.Reason
	if c.Message != "" {
		s += ": " + c.Message
	}
	return s
}

// fakePlane is a registry that remembers what it was told. It refuses what is stale, as the real one does.
type fakePlane struct {
	mu       sync.Mutex
	away     bool
	fail     error // of the next Apply
	in       admin.Configuration
	numbers  map[string]numbers // by owner/name
	applied  int
	secrets  []admin.Secret
	keys     []admin.AccessKeySecret
	removed  []admin.Removal
	problems []admin.Problem
	detached map[string]config.Domain
	packages map[string]int64  // of groups
	wishes   chan admin.Intent // that clients of the service API have
	answers  chan admin.Answer
}

// Take waits for a wish, as the registry does.
func (p *fakePlane) Take(ctx context.Context, q admin.TakeRequest) (*admin.Intents, error) {
	select {
	case i := <-p.wishes:
		return &admin.Intents{Intents: []admin.Intent{i}}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(time.Duration(q.Wait)):
		return &admin.Intents{}, nil
	}
}

func (p *fakePlane) Answer(_ context.Context, q admin.Answer) error {
	p.answers <- q
	return nil
}

func (p *fakePlane) Groups(context.Context) (*admin.Groups, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := &admin.Groups{}
	for _, d := range p.in.Domains {
		out.Domains = append(out.Domains, admin.DomainGroups{Name: d.Name, Owner: d.Owner, Packages: p.packages})
	}
	return out, nil
}

func (p *fakePlane) Status(context.Context) (*admin.Status, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := &admin.Status{Version: "test", Schema: config.Schema, Instance: "one", Ready: true, Epoch: p.numbers[""].epoch, Generation: p.numbers[""].generation}
	for i := range p.in.Domains {
		d := &p.in.Domains[i]
		n := p.numbers[d.Owner+"/"+d.Name]
		s := admin.DomainStatus{Name: d.Name, Owner: d.Owner, State: "Active", Holder: d.Holder, Epoch: n.epoch, Generation: n.generation}
		for _, r := range d.Repositories {
			s.Repositories = append(s.Repositories, r.Name)
		}
		out.Domains = append(out.Domains, s)
	}
	for _, d := range p.detached {
		out.Domains = append(out.Domains, admin.DomainStatus{Name: d.Name, Owner: d.Owner, State: "Detached", Holder: d.Holder})
	}
	return out, nil
}

func (p *fakePlane) Configuration(context.Context) (*admin.Configuration, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.in
	return &c, nil
}

func (p *fakePlane) Apply(_ context.Context, q admin.Configuration) (*admin.Applied, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.fail; err != nil {
		p.fail = nil
		return nil, err
	}
	if q.Epoch < p.in.Epoch || q.Epoch == p.in.Epoch && q.Generation <= p.in.Generation {
		return nil, fmt.Errorf("%w: %d.%d", noun.ErrStale, q.Epoch, q.Generation)
	}
	if p.numbers == nil {
		p.numbers, p.detached = map[string]numbers{}, map[string]config.Domain{}
	}
	now := numbers{q.Epoch, q.Generation}
	for _, d := range p.in.Domains {
		p.detached[d.Owner+"/"+d.Name] = d
	}
	for i := range q.Domains {
		d := &q.Domains[i]
		at := d.Owner + "/" + d.Name
		delete(p.detached, at)
		old := slices.IndexFunc(p.in.Domains, func(x config.Domain) bool { return x.Ref() == d.Ref() })
		if old < 0 || !same(p.in.Domains[old], *d) {
			p.numbers[at] = now
		}
	}
	if p.in.Registry == nil || !same(*p.in.Registry, *q.Registry) {
		p.numbers[""] = now
	}
	p.in = q
	p.applied++
	return &admin.Applied{Changed: true, Problems: p.problems}, nil
}

func same(a, b any) bool {
	x, errX := digestOf(a)
	y, errY := digestOf(b)
	return errX == nil && errY == nil && x == y
}

func (p *fakePlane) PutSecrets(_ context.Context, q admin.Secrets) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.secrets, p.keys = q.Secrets, q.AccessKeys
	return nil
}

func (p *fakePlane) Remove(_ context.Context, q admin.Removal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range p.in.Domains {
		if d.Name == q.Domain && d.Owner == q.Owner && (q.Repository == "" || slices.ContainsFunc(d.Repositories, func(r config.Repository) bool { return r.Name == q.Repository })) {
			return fmt.Errorf("%w: it is declared", noun.ErrConflict)
		}
	}
	p.removed = append(p.removed, q)
	delete(p.detached, q.Owner+"/"+q.Domain)
	return nil
}

func samples(t testing.TB) string {
	t.Helper()
	var all []string
	paths, err := filepath.Glob("../../config/samples/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatal("no samples", err)
	}
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(b))
	}
	return strings.Join(all, "\n---\n")
}
