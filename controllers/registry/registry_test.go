package registry

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	api "packhouse.dev/packhouse/api/v1alpha1"
	"packhouse.dev/packhouse/controllers/build"
	"packhouse.dev/packhouse/registry/config"
)

func unstructuredOf(o map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: o}
}

const topology = `
kind: Registry
metadata: {name: default}
---
kind: Domain
metadata: {name: my-domain}
---
kind: Repository
metadata: {name: npm-store}
spec: {domainRef: {name: my-domain}, externalConnections: [{name: "public:npmjs"}]}
---
kind: Repository
metadata: {name: my-repo}
spec: {domainRef: {name: my-domain}, upstreams: [{name: npm-store}]}
`

func TestSamplesBecomeReady(t *testing.T) {
	f := newFixture(t)
	f.given(samples(t))
	fresh := &api.Repository{}
	f.get(fresh, "my-repo")
	if fresh.Status.ObservedGeneration != -1 {
		t.Errorf("observedGeneration of a fresh object is %d: tools take it for healthy", fresh.Status.ObservedGeneration)
	}
	f.reconcile()
	for what, got := range map[string]string{
		"registry": f.registry("Ready"), "domain": f.domain("my-domain", "Ready"), "my-repo": f.repository("my-repo", "Ready"), "npm-store": f.repository("npm-store", "Ready"),
	} {
		if got != "True Ready" {
			t.Errorf("%s: %s", what, got)
		}
	}
	r, d := &api.Repository{}, &api.Domain{}
	f.get(r, "my-repo")
	f.get(d, "my-domain")
	base := "http://packhouse-default." + f.namespace + ".svc.cluster.local/my-domain-" + d.Status.Account
	want := []api.RepositoryEndpoint{{Format: "npm", URL: base + "/npm/my-repo/"}, {Format: "pypi", URL: base + "/pypi/my-repo/"}}
	if diff := cmp.Diff(want, r.Status.Endpoints); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{
		"my-repo", "npm-store", "public:npmjs", "pypi-store", "public:pypi", "maven-central-store", "public:maven-central", "cargo-store", "public:crates-io",
		"rubygems-store", "public:ruby-gems-org", "nuget-store", "public:nuget-org",
	}, r.Status.SearchOrder); diff != "" {
		t.Error(diff)
	}
	g := &api.PackageGroup{}
	f.get(g, "acme-npm")
	wantGroup := api.PackageGroupStatus{
		Status: g.Status.Status, Parent: "/npm/*", Publish: &api.EffectiveControl{Restriction: "AllowSpecificRepositories", Repositories: 1},
		ExternalUpstream: &api.EffectiveControl{Restriction: "Block"}, InternalUpstream: &api.EffectiveControl{Restriction: "Allow"},
	}
	if diff := cmp.Diff(wantGroup, g.Status); diff != "" {
		t.Error(diff)
	}
	dp, rp, ip := &api.DomainPolicy{}, &api.RepositoryPolicy{}, &api.IdentityPolicy{}
	f.get(dp, "my-domain")
	f.get(rp, "my-repo")
	f.get(ip, "builders")
	for what, s := range map[string]api.Status{"group": g.Status.Status, "domain policy": dp.Status, "repository policy": rp.Status, "identity policy": ip.Status} {
		if !apimeta.IsStatusConditionTrue(s.Conditions, api.ConditionReady) {
			t.Errorf("%s: %+v", what, s.Conditions)
		}
	}
	if r.Status.ObservedGeneration != r.Generation || d.Status.Repositories != 7 {
		t.Errorf("status %+v of domain %+v", r.Status, d.Status)
	}
}

// TestNothingChangesTwice: applying again, and looking again, writes nothing.
func TestNothingChangesTwice(t *testing.T) {
	f := newFixture(t)
	f.given(samples(t))
	f.reconcile()
	f.r = f.operator(f.c)
	f.reconcile() // the apiserver stores a claim once more when it is applied for the second time, with the same content
	before := f.versions()
	f.given(samples(t))
	f.reconcile()
	f.r = f.operator(f.c) // another leader
	f.reconcile()
	if diff := cmp.Diff(before, f.versions()); diff != "" {
		t.Errorf("resource versions:\n%s", diff)
	}
	if f.plane.applied != 1 {
		t.Errorf("the configuration was given %d times", f.plane.applied)
	}
}

// versions are the resource versions of everything in the namespace.
func (f *fixture) versions() map[string]string {
	f.t.Helper()
	out := map[string]string{}
	for _, kind := range []string{"v1/Service", "v1/Secret", "v1/ServiceAccount", "v1/PersistentVolumeClaim", "apps/v1/StatefulSet", "networking.k8s.io/v1/NetworkPolicy",
		"packhouse.dev/v1alpha1/Registry", "packhouse.dev/v1alpha1/Domain", "packhouse.dev/v1alpha1/Repository"} {
		at := strings.LastIndex(kind, "/")
		list := &unstructured.UnstructuredList{}
		list.SetAPIVersion(kind[:at])
		list.SetKind(kind[at+1:] + "List")
		f.must(f.c.List(context.Background(), list, client.InNamespace(f.namespace)))
		for _, o := range list.Items {
			out[o.GetKind()+" "+o.GetName()] = o.GetResourceVersion()
		}
	}
	return out
}

func TestAnyOrder(t *testing.T) {
	documents := strings.Split(topology, "\n---\n")
	var want string
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			f := newFixture(t)
			order := rand.New(rand.NewPCG(seed, 1)).Perm(len(documents)) // an order, repeatable
			for _, i := range order {
				f.given(documents[i])
				f.must(f.once(f.r))
			}
			f.reconcile()
			if got := f.repository("my-repo", "Ready"); got != "True Ready" {
				t.Errorf("my-repo: %s", got)
			}
			var got []string
			for _, d := range f.plane.in.Domains {
				for _, r := range d.Repositories {
					got = append(got, fmt.Sprint(d.Name, r.Name, r.Upstreams, r.Connections))
				}
			}
			if text := strings.Join(got, "\n"); want == "" {
				want = text
			} else if text != want {
				t.Errorf("documents depend on the order:\n%s\n%s", text, want)
			}
		})
	}
}

func TestWhatIsWrongIsSaid(t *testing.T) {
	f := newFixture(t)
	f.given(topology + `
---
kind: Repository
metadata: {name: lost}
spec: {domainRef: {name: nowhere}}
---
kind: Repository
metadata: {name: wants}
spec: {domainRef: {name: my-domain}, upstreams: [{name: absent}, {name: npm-store}]}
---
kind: Repository
metadata: {name: second}
spec: {name: my-repo, domainRef: {name: my-domain}}
---
kind: ExternalConnection
metadata: {name: inner}
spec: {format: npm, url: "https://npm.example.com/", credentials: {name: inner}}
---
kind: Repository
metadata: {name: uses-inner}
spec: {domainRef: {name: my-domain}, externalConnections: [{name: inner}]}
---
kind: Domain
metadata: {name: elsewhere}
spec: {registryRef: {name: another}}
`)
	f.must(f.c.Create(context.Background(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: f.namespace, Name: "inner"}, StringData: map[string]string{"host": "evil.example.com", "token": "s3cret"},
	}))
	f.reconcile()
	x := &api.ExternalConnection{}
	f.get(x, "inner")
	for name, tc := range map[string]struct{ got, want string }{
		"no domain":       {f.repository("lost", "ResolvedRefs"), "False RefNotFound: Domain " + f.namespace + "/nowhere does not exist or is not accepted"},
		"no domain ready": {f.repository("lost", "Ready"), "False RefNotFound"},
		"no upstream":     {f.repository("wants", "ResolvedRefs"), "False RefNotFound: upstream absent is no repository of domain my-domain"},
		"its rest serves": {f.repository("wants", "Programmed"), "True Programmed"},
		"taken name":      {f.repository("second", "Accepted"), "False NameConflict"},
		"secret's host":   {said(x.Status.Conditions, "ResolvedRefs"), `False InvalidSecret: Secret inner is for host "evil.example.com" and is not sent to "npm.example.com"`},
		"no registry":     {f.domain("elsewhere", "Ready"), "False RefNotFound: there is no Registry another in namespace " + f.namespace},
		"the first stays": {f.repository("my-repo", "Ready"), "True Ready"},
	} {
		if !strings.HasPrefix(tc.got, tc.want) {
			t.Errorf("%s: %q, want %q", name, tc.got, tc.want)
		}
	}
	if len(f.plane.secrets) != 0 {
		t.Errorf("secrets were pushed: %d", len(f.plane.secrets))
	}
}

func TestAdmission(t *testing.T) {
	f := newFixture(t)
	f.given(topology)
	for name, tc := range map[string]struct{ manifest, want string }{
		"another domain":   {"kind: Repository\nmetadata: {name: my-repo}\nspec: {domainRef: {name: other}, upstreams: [{name: npm-store}]}", "domainRef cannot be changed"},
		"itself":           {"kind: Repository\nmetadata: {name: r1}\nspec: {domainRef: {name: my-domain}, upstreams: [{name: r1}]}", "cannot be its own upstream"},
		"password in URL":  {"kind: ExternalConnection\nmetadata: {name: x1}\nspec: {format: npm, url: \"https://a:b@example.com/\"}", "use credentials"},
		"no such format":   {"kind: ExternalConnection\nmetadata: {name: x1}\nspec: {format: floppy, url: \"https://example.com/\"}", "spec.format"},
		"unknown field":    {"kind: Repository\nmetadata: {name: r1}\nspec: {domainRef: {name: my-domain}, upstream: npm-store}", "upstream"},
		"name of a domain": {"kind: Domain\nmetadata: {name: x}", "2 to 50"},
	} {
		if err := f.apply(tc.manifest); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDeletion(t *testing.T) {
	f := newFixture(t)
	f.given(topology + `
---
kind: Repository
metadata: {name: scratch}
spec: {domainRef: {name: my-domain}, deletionPolicy: Delete}
---
kind: Domain
metadata: {name: gone-too}
spec: {deletionPolicy: Delete}
`)
	f.reconcile()
	for name, want := range map[string]int{"my-repo": 0, "scratch": 1} {
		r := &api.Repository{}
		f.get(r, name)
		if len(r.Finalizers) != want {
			t.Errorf("%s has finalizers %v, want %d", name, r.Finalizers, want)
		}
	}
	ctx := context.Background()
	scratch, myRepo, gone := &api.Repository{}, &api.Repository{}, &api.Domain{}
	f.get(scratch, "scratch")
	f.get(myRepo, "my-repo")
	f.get(gone, "gone-too")
	f.plane.away = true
	for _, o := range []client.Object{scratch, myRepo, gone} {
		f.must(f.c.Delete(ctx, o))
	}
	f.reconcile()
	f.get(scratch, "scratch") // still there: nobody could be asked
	f.plane.away = false
	f.reconcile()
	for _, o := range []client.Object{scratch, myRepo, gone} {
		if err := f.c.Get(ctx, client.ObjectKeyFromObject(o), o); !apierrors.IsNotFound(err) {
			t.Errorf("%s: %v", o.GetName(), err)
		}
	}
	var removed []string
	for _, r := range f.plane.removed {
		removed = append(removed, r.Domain+" "+r.Repository)
		if r.Holder == "" || r.Owner == "" {
			t.Errorf("removal %+v names nobody", r)
		}
	}
	if diff := cmp.Diff([]string{"my-domain scratch", "gone-too "}, removed); diff != "" {
		t.Error(diff)
	}
	f.given("kind: Repository\nmetadata: {name: my-repo}\nspec: {domainRef: {name: my-domain}, upstreams: [{name: npm-store}]}")
	f.reconcile()
	if got := f.repository("my-repo", "Ready"); got != "True Ready" {
		t.Errorf("applied again: %s", got)
	}
}

// TestDeletionDenied: what a policy protects goes as an object and stays as content, although the policy goes with it.
func TestDeletionDenied(t *testing.T) {
	for _, namespace := range []bool{false, true} {
		t.Run(fmt.Sprintf("with its namespace %v", namespace), func(t *testing.T) { deletionDenied(t, namespace) })
	}
}

func deletionDenied(t *testing.T, namespace bool) {
	f := newFixture(t)
	f.given(topology + `
---
kind: Repository
metadata: {name: scratch}
spec: {domainRef: {name: my-domain}, deletionPolicy: Delete}
---
kind: Repository
metadata: {name: protected}
spec: {domainRef: {name: my-domain}, deletionPolicy: Delete}
---
kind: RepositoryPolicy
metadata: {name: protected}
spec:
  repositoryRef: {name: protected}
  statements:
    - {sid: Protected, effect: Deny, principals: [{everyone: true}], actions: [DeleteRepository], resources: ["*"]}
`)
	f.reconcile()
	ctx := context.Background()
	rp := &api.RepositoryPolicy{}
	f.get(rp, "protected")
	if namespace {
		f.must(f.c.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: f.namespace}}))
		f.reconcile()
	}
	f.must(f.c.Delete(ctx, rp))
	if namespace { // whose policies may be gone long before
		f.reconcile()
	}
	for _, name := range []string{"scratch", "protected"} {
		o := &api.Repository{}
		f.get(o, name)
		f.must(f.c.Delete(ctx, o))
	}
	f.reconcile()
	for _, name := range []string{"scratch", "protected"} {
		if err := f.c.Get(ctx, client.ObjectKey{Namespace: f.namespace, Name: name}, &api.Repository{}); !apierrors.IsNotFound(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(f.plane.removed) != 1 || f.plane.removed[0].Repository != "scratch" {
		t.Errorf("removed: %+v", f.plane.removed)
	}
	if got := f.events(); !strings.Contains(got, "Warning DeniedByPolicy the content is kept: codeartifact:DeleteRepository") || !strings.Contains(got, "Protected") {
		t.Errorf("events: %s", got)
	}
}

// TestWithoutTheRegistry: objects go although there is nobody who could remove their content.
func TestWithoutTheRegistry(t *testing.T) {
	f := newFixture(t)
	f.given(topology + "\n---\nkind: Repository\nmetadata: {name: scratch}\nspec: {domainRef: {name: my-domain}, deletionPolicy: Delete}")
	f.reconcile()
	ctx := context.Background()
	r, scratch := &api.Registry{}, &api.Repository{}
	f.get(r, "default")
	f.get(scratch, "scratch")
	f.must(f.c.Delete(ctx, r))
	f.must(f.c.Delete(ctx, scratch))
	f.reconcile()
	if err := f.c.Get(ctx, client.ObjectKeyFromObject(scratch), scratch); !apierrors.IsNotFound(err) {
		t.Errorf("scratch: %v", err)
	}
	if got := f.repository("my-repo", "Ready"); !strings.HasPrefix(got, "False RefNotFound: Domain") {
		t.Errorf("my-repo: %s", got)
	}
}

func TestUnavailable(t *testing.T) {
	f := newFixture(t)
	f.plane.away = true
	f.given(topology)
	f.reconcile()
	if got := f.repository("my-repo", "Programmed"); got != "False NotAvailable: no pod of the registry is ready" {
		t.Errorf("before: %s", got)
	}
	f.plane.away = false
	f.reconcile()
	f.plane.away = true
	f.given("kind: Repository\nmetadata: {name: npm-store}\nspec: {domainRef: {name: my-domain}, externalConnections: [{name: \"public:npmjs\"}], description: changed}")
	f.reconcile()
	for name, tc := range map[string]struct{ got, want string }{
		"what did not change is still served": {f.repository("my-repo", "Ready"), "True Ready"},
		"what did is not":                     {f.repository("npm-store", "Ready"), "False NotAvailable"},
		"the registry":                        {f.registry("Ready"), "False NotAvailable"},
	} {
		if !strings.HasPrefix(tc.got, tc.want) {
			t.Errorf("%s: %q", name, tc.got)
		}
	}
}

// TestAnotherWasThere: a configuration that was changed behind our back is read and replaced, with higher numbers.
func TestAnotherWasThere(t *testing.T) {
	f := newFixture(t)
	f.given(topology)
	f.reconcile()
	f.plane.mu.Lock()
	f.plane.in.Generation, f.plane.numbers[""] = 40, numbers{0, 40}
	f.plane.mu.Unlock()
	f.given("kind: Repository\nmetadata: {name: new}\nspec: {domainRef: {name: my-domain}}")
	f.reconcile()
	if got := f.repository("new", "Ready"); got != "True Ready" || f.plane.in.Generation != 41 {
		t.Errorf("%s, generation %d", got, f.plane.in.Generation)
	}
	f.plane.in.Generation, f.plane.in.Domains = 3, nil
	f.plane.numbers = map[string]numbers{"": {0, 3}} // restored from an old backup
	f.reconcile()
	if len(f.plane.in.Domains) != 1 || f.plane.in.Generation != 4 {
		t.Errorf("after a restore: generation %d, %d domains", f.plane.in.Generation, len(f.plane.in.Domains))
	}
}

// TestAnotherRegistry: a Registry that somebody makes takes nothing away from those that there are.
func TestAnotherRegistry(t *testing.T) {
	f := newFixture(t)
	f.given(topology)
	f.reconcile()
	other := f.namespace + "-other"
	f.makeNamespace(other)
	f.given("kind: Registry\nmetadata: {name: default, namespace: " + other + "}\n---\nkind: Domain\nmetadata: {name: theirs, namespace: " + other + "}")
	f.given("kind: Domain\nmetadata: {name: late}")
	f.reconcile()
	for name, want := range map[string]string{"my-domain": "True Ready", "late": "True Ready"} {
		if got := f.domain(name, "Ready"); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
	d := &api.Domain{}
	f.must(f.c.Get(context.Background(), client.ObjectKey{Namespace: other, Name: "theirs"}, d))
	if d.Status.Registry != other+"/default" {
		t.Errorf("theirs is served by %q", d.Status.Registry)
	}
}

func TestLostKey(t *testing.T) {
	f := newFixture(t)
	f.given(topology)
	f.reconcile()
	ctx := context.Background()
	names := build.NamesOf("default")
	key := &corev1.Secret{}
	f.get(key, names.Keys)
	f.must(f.c.Delete(ctx, key))
	f.r = f.operator(f.c)
	f.must(f.once(f.r))
	if got := f.registry("Ready"); !strings.HasPrefix(got, "False KeyMissing: the volume "+names.Data+" is there") {
		t.Errorf("registry: %s", got)
	}
	if err := f.c.Get(ctx, client.ObjectKeyFromObject(key), key); !apierrors.IsNotFound(err) {
		t.Error("a key was made for a volume that has another")
	}
}

// TestFailures fails every call to the apiserver in turn: whatever was half done, looking again gets there.
func TestFailures(t *testing.T) {
	broken := errors.New("broken")
	for k := 0; ; k++ {
		f := newFixture(t)
		f.given(topology)
		calls, hit, over := 0, false, false
		fail := func() error {
			calls++
			if calls == k+1 && !over {
				hit = true
				return broken
			}
			return nil
		}
		inner, err := client.NewWithWatch(cluster, client.Options{Scheme: scheme(t)})
		f.must(err)
		c := interceptor.NewClient(inner, interceptor.Funcs{
			Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
				if err := fail(); err != nil {
					return err
				}
				return c.Get(ctx, key, o, opts...)
			},
			List: func(ctx context.Context, c client.WithWatch, l client.ObjectList, opts ...client.ListOption) error {
				if err := fail(); err != nil {
					return err
				}
				return c.List(ctx, l, opts...)
			},
			Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
				if err := fail(); err != nil {
					return err
				}
				return c.Create(ctx, o, opts...)
			},
			Patch: func(ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
				if err := fail(); err != nil {
					return err
				}
				return c.Patch(ctx, o, p, opts...)
			},
			SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
				if err := fail(); err != nil {
					return err
				}
				return c.SubResource(sub).Patch(ctx, o, p, opts...)
			},
		})
		f.r = f.operator(c)
		told := false
		for range 4 {
			told = f.once(f.r) != nil || told
		}
		over = true
		f.must(f.once(f.r)) // the failure may have been in the last look
		if got := f.repository("my-repo", "Ready"); got != "True Ready" {
			t.Errorf("call %d failed: my-repo %s", k, got)
		}
		if got := f.registry("Ready"); got != "True Ready" {
			t.Errorf("call %d failed: registry %s", k, got)
		}
		f.cleanUp()
		if !hit {
			t.Logf("%d calls", k)
			return
		}
		if !told {
			t.Errorf("the failure of call %d was swallowed", k)
		}
	}
}

// TestRepair: what somebody changes of the Registry's objects is put back, and what they add stays.
func TestRepair(t *testing.T) {
	f := newFixture(t)
	f.given(topology)
	f.reconcile()
	set := &appsv1.StatefulSet{}
	f.get(set, build.NamesOf("default").Workload)
	before := set.DeepCopy()
	zero := int32(0)
	set.Spec.Replicas, set.Labels["mine"] = &zero, "yes"
	f.must(f.c.Patch(context.Background(), set, client.MergeFrom(before)))
	f.r.owner(context.Background(), set)
	f.reconcile()
	f.get(set, set.Name)
	if *set.Spec.Replicas != 1 || set.Labels["mine"] != "yes" {
		t.Errorf("replicas %d, labels %v", *set.Spec.Replicas, set.Labels)
	}
}

func TestDamageKeepsTheLast(t *testing.T) {
	f := newFixture(t)
	f.given(topology)
	f.reconcile()
	f.plane.problems = nil
	f.r = f.operator(f.c)
	f.plane.fail = errors.New("the database is full")
	f.given("kind: Repository\nmetadata: {name: new}\nspec: {domainRef: {name: my-domain}}")
	if err := f.once(f.r); err == nil {
		t.Error("a failed push is told to nobody")
	}
	if got := f.repository("new", "Programmed"); !strings.HasPrefix(got, "False Unreachable") {
		t.Errorf("new: %s", got)
	}
	if got := f.repository("my-repo", "Ready"); got != "True Ready" {
		t.Errorf("my-repo: %s", got)
	}
	f.reconcile()
	if got := f.repository("new", "Ready"); got != "True Ready" {
		t.Errorf("new, then: %s", got)
	}
	if len(f.plane.in.Domains) != 1 || f.plane.in.Domains[0].Schema != config.Schema {
		t.Errorf("%+v", f.plane.in)
	}
}
