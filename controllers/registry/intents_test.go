package registry

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/google/go-cmp/cmp"

	api "packhouse.dev/packhouse/api/v1alpha1"
	"packhouse.dev/packhouse/controllers/declare"
	noun "packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/admin"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/intent"
)

// opted is a Registry that lets the service API change its own namespace, and a domain.
const opted = `
kind: Registry
metadata: {name: default}
spec: {serviceAPI: {namespaces: {names: [NS]}}}
---
kind: Domain
metadata: {name: my-domain}
spec: {}
---
kind: Repository
metadata: {name: declared}
spec: {domainRef: {name: my-domain}, description: by hand}
`

const ann = "arn:aws:iam::111122223333:user/ann"

// wishing is a fixture with an operator that asks for wishes.
type wishing struct {
	*fixture
	domain noun.DomainRef
	n      int
	stop   func() // the operator
}

func newWishing(t *testing.T, manifests string) *wishing {
	t.Helper()
	f := newFixture(t)
	w := &wishing{fixture: f, domain: noun.DomainRef{Owner: noun.DeriveAccount(f.namespace), Name: "my-domain"}}
	f.given(strings.ReplaceAll(manifests, "NS", f.namespace))
	f.reconcile()
	w.stop = w.operate(f.r)
	t.Cleanup(func() { w.stop() })
	return w
}

// operate starts an operator; stop ends it.
func (w *wishing) operate(r *Reconciler) (stop func()) {
	n := newIntents(r)
	n.wait, n.pause, n.log = 20*time.Millisecond, 10*time.Millisecond, logr.Discard()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		n.follow(ctx, client.ObjectKey{Namespace: w.namespace, Name: "default"})
	}()
	return func() { cancel(); <-done }
}

// instead starts an operator in place of the one that there is, over an apiserver that applies as it is told.
func (w *wishing) instead(apply func(ctx context.Context, c client.WithWatch, o runtime.ApplyConfiguration, opts ...client.ApplyOption) error) {
	w.t.Helper()
	w.stop()
	inner, err := client.NewWithWatch(rest.CopyConfig(cluster), client.Options{Scheme: scheme(w.t)})
	w.must(err)
	w.stop = w.operate(w.operator(interceptor.NewClient(inner, interceptor.Funcs{Apply: apply})))
}

// now is the revision of the domain as the registry has it.
func (w *wishing) now() string {
	w.t.Helper()
	w.plane.mu.Lock()
	defer w.plane.mu.Unlock()
	for i := range w.plane.in.Domains {
		if d := &w.plane.in.Domains[i]; d.Ref() == w.domain {
			body, err := config.Encode(d)
			w.must(err)
			sum := sha256.Sum256(body)
			return hex.EncodeToString(sum[:])
		}
	}
	return ""
}

// send sends a wish as the registry would, and gives what became of it.
func (w *wishing) send(in intent.Intent) intent.Result {
	w.t.Helper()
	in.Principal, in.Account, in.Domain = ann, w.domain.Owner, w.domain
	return w.give(admin.Intent{Left: config.Duration(20 * time.Second), Intent: in})
}

func (w *wishing) give(i admin.Intent) intent.Result {
	w.t.Helper()
	if w.n++; i.ID == "" {
		i.ID = strings.Repeat("i", w.n)
	}
	w.plane.wishes <- i
	select {
	case a := <-w.plane.answers:
		if a.ID != i.ID {
			w.t.Errorf("answered %s, want %s", a.ID, i.ID)
		}
		return a.Result
	case <-time.After(30 * time.Second):
		w.t.Fatal("no answer")
	}
	return intent.Result{}
}

func (w *wishing) done(in intent.Intent) {
	w.t.Helper()
	if r := w.send(in); r != (intent.Result{}) {
		w.t.Fatalf("not made: %+v", r)
	}
}

func (w *wishing) refuses(in intent.Intent, code intent.Code, says ...string) {
	w.t.Helper()
	r := w.send(in)
	if r.Code != code {
		w.t.Errorf("got %+v, want %s", r, code)
	}
	for _, s := range says {
		if !strings.Contains(r.Text, s) {
			w.t.Errorf("%q does not say %q", r.Text, s)
		}
	}
}

// served is a repository as the registry has it, nil if it has none.
func (w *wishing) served(name string) *config.Repository {
	w.plane.mu.Lock()
	defer w.plane.mu.Unlock()
	for i := range w.plane.in.Domains {
		for j := range w.plane.in.Domains[i].Repositories {
			if r := &w.plane.in.Domains[i].Repositories[j]; r.Name == name && w.plane.in.Domains[i].Ref() == w.domain {
				return r
			}
		}
	}
	return nil
}

func (w *wishing) object(kind, name string) *unstructured.Unstructured {
	w.t.Helper()
	u := unstructuredFor(declare.Target{Kind: kind, Namespace: w.namespace, Name: name})
	if err := w.c.Get(context.Background(), client.ObjectKeyFromObject(u), u); apierrors.IsNotFound(err) {
		return nil
	} else if err != nil {
		w.t.Fatal(err)
	}
	return u
}

func repositoryIs(name string, change func(*intent.Repository)) intent.Spec {
	r := &intent.Repository{Name: name}
	if change != nil {
		change(r)
	}
	return intent.Spec{Repository: r}
}

// A repository is created, changed and deleted, and each time it is served so when the answer comes.
func TestIntentRepository(t *testing.T) {
	w := newWishing(t, opted)
	w.done(intent.Intent{Create: true, Base: w.now(), Spec: repositoryIs("npm-store", func(r *intent.Repository) {
		r.Description, r.Upstreams, r.Tags = "first", []string{"declared"}, map[string]string{"a": "1", "b": "2"}
	})})
	o := w.object("Repository", "npm-store")
	if got := w.served("npm-store"); got == nil || got.Description != "first" || got.Source.UID != string(o.GetUID()) {
		t.Fatalf("served %+v", got)
	}
	if by := o.GetAnnotations()[declare.By]; by != ann {
		t.Errorf("declared by %q", by)
	}
	w.refuses(intent.Intent{Create: true, Base: w.now(), Spec: repositoryIs("npm-store", nil)}, intent.Conflict, "exists already")
	w.refuses(intent.Intent{Base: "old", Spec: repositoryIs("npm-store", nil)}, intent.Stale)
	w.refuses(intent.Intent{Create: true, Base: "old", Spec: repositoryIs("late", nil)}, intent.Stale)
	if w.object("Repository", "late") != nil {
		t.Error("a repository was made that was allowed in another state of the domain")
	}
	w.refuses(intent.Intent{Base: w.now(), Spec: repositoryIs("unknown", nil)}, intent.NotFound, "unknown")

	w.done(intent.Intent{Create: true, Base: w.now(), Spec: repositoryIs("Odd_Name", nil)})
	if got := w.served("Odd_Name"); got == nil || !strings.HasPrefix(got.Source.Name, "odd-name-") {
		t.Errorf("served %+v", got)
	}
	// The order of upstreams is one that is declared; what is left out is not declared any more.
	for _, upstreams := range [][]string{{"declared", "Odd_Name"}, {"Odd_Name", "declared"}, {"Odd_Name"}, {"declared", "Odd_Name"}} {
		w.done(intent.Intent{Base: w.now(), Spec: repositoryIs("npm-store", func(r *intent.Repository) { r.Upstreams, r.Tags = upstreams, map[string]string{"b": "3"} })})
		got := w.served("npm-store")
		if diff := cmp.Diff(upstreams, got.Upstreams); diff != "" || got.Description != "" || !cmp.Equal(got.Tags, map[string]string{"b": "3"}) {
			t.Errorf("served %+v; upstreams (-want +got):\n%s", got, diff)
		}
	}
	w.refuses(intent.Intent{Base: w.now(), Spec: repositoryIs("npm-store", func(r *intent.Repository) { r.Connections = []string{"public:nothing"} })}, intent.Invalid, "public:nothing")
	w.refuses(intent.Intent{Create: true, Base: w.now(), Spec: repositoryIs("x", nil)}, intent.Invalid)
	w.refuses(intent.Intent{Create: true, Base: w.now(), Spec: repositoryIs("loop", func(r *intent.Repository) { r.Upstreams = []string{"loop"} })}, intent.Invalid, "its own upstream")
	if w.object("Repository", "loop") != nil || w.served("npm-store").Connections != nil {
		t.Error("what is refused was made")
	}

	// Deleting a repository deletes its packages, and the policy that was put on it.
	w.done(intent.Intent{Create: true, Base: w.now(), Spec: intent.Spec{Policy: &intent.Policy{Repository: "npm-store", Document: allowAll}}})
	if got := w.served("npm-store"); got.Policy == nil || w.object("RepositoryPolicy", got.Policy.Source.Name) == nil {
		t.Fatalf("served %+v", got)
	}
	policy := w.served("npm-store").Policy.Source.Name
	w.done(intent.Intent{Delete: true, Base: w.now(), Spec: repositoryIs("npm-store", nil)})
	if w.served("npm-store") != nil || w.object("Repository", "npm-store") != nil || w.object("RepositoryPolicy", policy) != nil {
		t.Error("it is there still")
	}
	w.plane.mu.Lock()
	defer w.plane.mu.Unlock()
	if len(w.plane.removed) != 1 || w.plane.removed[0].Repository != "npm-store" {
		t.Errorf("removed %+v", w.plane.removed)
	}
}

const allowAll = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"codeartifact:ReadFromRepository","Resource":"*"}]}`

// A domain, its groups and its policy.
func TestIntentDomain(t *testing.T) {
	w := newWishing(t, opted)
	w.domain.Name = "second"
	w.done(intent.Intent{Create: true, Spec: intent.Spec{Domain: &intent.Domain{Tags: map[string]string{"a": "1"}}}})
	// The tags and the controls of the group of all packages are of one object; neither takes the other away.
	block := map[string]intent.Control{"PUBLISH": {Mode: "ALLOW_SPECIFIC_REPOSITORIES", Repositories: []string{"rr"}}, "EXTERNAL_UPSTREAM": {Mode: "BLOCK"}}
	w.done(intent.Intent{Base: w.now(), Spec: intent.Spec{Group: &intent.Group{Pattern: "/*", Controls: block}}})
	w.done(intent.Intent{Base: w.now(), Spec: intent.Spec{Domain: &intent.Domain{Tags: map[string]string{"b": "2"}}}})
	d := &api.Domain{}
	w.get(d, "second")
	if d.Spec.RegistryRef == nil || d.Spec.RegistryRef.Name != "default" || d.Spec.OriginControls.ExternalUpstream == nil || d.Spec.OriginControls.Publish.Repositories[0] != "rr" ||
		!cmp.Equal(d.Spec.Tags, map[string]api.TagValue{"b": "2"}) {
		t.Errorf("declared %+v", d.Spec)
	}
	group := &intent.Group{Pattern: "/npm/corp/*", Description: "ours", Controls: map[string]intent.Control{"PUBLISH": {Mode: "INHERIT"}, "EXTERNAL_UPSTREAM": {Mode: "BLOCK"}, "INTERNAL_UPSTREAM": {Mode: "INHERIT"}}}
	w.done(intent.Intent{Create: true, Base: w.now(), Spec: intent.Spec{Group: group}})
	w.refuses(intent.Intent{Create: true, Base: w.now(), Spec: intent.Spec{Group: group}}, intent.Conflict, "exists already")
	w.done(intent.Intent{Create: true, Base: w.now(), Spec: intent.Spec{Policy: &intent.Policy{Document: allowAll}}})
	w.done(intent.Intent{Delete: true, Base: w.now(), Spec: intent.Spec{Group: &intent.Group{Pattern: "/npm/corp/*"}}})
	w.done(intent.Intent{Create: true, Base: w.now(), Spec: intent.Spec{Group: group}})
	w.refuses(intent.Intent{Delete: true, Base: w.now(), Spec: intent.Spec{Group: &intent.Group{Pattern: "/*"}}}, intent.Invalid, "cannot be deleted")
	// With the domain goes what is about it.
	w.done(intent.Intent{Delete: true, Base: w.now(), Spec: intent.Spec{Domain: &intent.Domain{}}})
	for _, list := range []client.ObjectList{&api.PackageGroupList{}, &api.DomainPolicyList{}} {
		w.must(w.c.List(context.Background(), list, client.InNamespace(w.namespace)))
		if n := apimeta.LenList(list); n > 0 {
			t.Errorf("%d of %T are left", n, list)
		}
	}
	w.refuses(intent.Intent{Base: "x", Spec: intent.Spec{Domain: &intent.Domain{}}}, intent.NotFound)
	if w.now() != "" || w.object("Domain", "second") != nil {
		t.Error("the domain is there still")
	}
}

// What somebody else keeps is not changed, and who it is stands in the answer.
func TestIntentOfOthers(t *testing.T) {
	w := newWishing(t, opted)
	describe := func(name string) intent.Intent {
		return intent.Intent{Base: w.now(), Spec: repositoryIs(name, func(r *intent.Repository) { r.Description = "by API" })}
	}
	remove := func(name string) intent.Intent {
		return intent.Intent{Delete: true, Base: w.now(), Spec: repositoryIs(name, nil)}
	}
	w.refuses(describe("declared"), intent.Conflict, `"test"`, "spec.description", "Repository "+w.namespace+"/declared")
	// To say nothing where they say something is a change, too.
	w.refuses(intent.Intent{Base: w.now(), Spec: repositoryIs("declared", nil)}, intent.Conflict, `"test"`, "spec.description")
	w.refuses(remove("declared"), intent.Conflict, `"test"`)
	// What they do not say may be said beside it, and what they do say stays theirs to change.
	w.done(intent.Intent{Base: w.now(), Spec: repositoryIs("declared", func(r *intent.Repository) { r.Description, r.Tags = "by hand", map[string]string{"a": "1"} })})
	if got := w.served("declared"); got.Description != "by hand" || got.Tags["a"] != "1" {
		t.Errorf("served %+v", got)
	}
	want := map[string]any{"tags": map[string]any{"a": "1"}}
	if diff := cmp.Diff(want, owned(w.object("Repository", "declared"))); diff != "" {
		t.Errorf("what the service API keeps (-want +got):\n%s", diff)
	}

	for name, mark := range map[string]struct {
		labels, annotations map[string]string
		says                string
	}{
		"argo by annotation": {map[string]string{"app.kubernetes.io/instance": "shop"}, map[string]string{argoTracking: "shop:packhouse.dev/Repository:ns/marked"}, "Argo CD (application shop)"},
		"argo by label":      {map[string]string{argoInstance: "shop"}, nil, "Argo CD (application shop)"},
		"flux":               {map[string]string{fluxName: "apps", fluxSpace: "flux-system"}, nil, "Flux (Kustomization flux-system/apps)"},
		"flux with helm":     {map[string]string{fluxHelmName: "apps", fluxHelmFrom: "flux-system"}, nil, "Flux (HelmRelease flux-system/apps)"},
		"helm":               {map[string]string{managedBy: "Helm"}, map[string]string{helmRelease: "shop"}, "Helm (release shop)"},
	} {
		t.Run(name, func(t *testing.T) {
			w.done(intent.Intent{Create: true, Base: w.now(), Spec: repositoryIs("marked", nil)})
			o := w.object("Repository", "marked")
			before := o.DeepCopy()
			o.SetLabels(mark.labels)
			notes := o.GetAnnotations()
			for k, v := range mark.annotations {
				notes[k] = v
			}
			o.SetAnnotations(notes)
			w.must(w.c.Patch(context.Background(), o, client.MergeFrom(before), client.FieldOwner("marker")))
			w.refuses(describe("marked"), intent.Conflict, mark.says)
			w.refuses(remove("marked"), intent.Conflict, mark.says)
			if got := w.served("marked"); got == nil || got.Description != "" {
				t.Errorf("served %+v", got)
			}
			o = w.object("Repository", "marked")
			before = o.DeepCopy()
			o.SetLabels(nil)
			o.SetAnnotations(nil)
			w.must(w.c.Patch(context.Background(), o, client.MergeFrom(before), client.FieldOwner("marker")))
			w.done(remove("marked"))
		})
	}
}

// Nothing is made where nobody said that it may be.
func TestIntentNamespaces(t *testing.T) {
	w := newWishing(t, strings.Replace(opted, "spec: {serviceAPI: {namespaces: {names: [NS]}}}", "spec: {}", 1))
	w.refuses(intent.Intent{Create: true, Base: w.now(), Spec: repositoryIs("one", nil)}, intent.AccessDenied, "spec.serviceAPI.namespaces", "namespace "+w.namespace, w.namespace+"/default")
	w.refuses(intent.Intent{Delete: true, Base: w.now(), Spec: repositoryIs("declared", nil)}, intent.AccessDenied)
	w.given(`{"kind": "Registry", "metadata": {"name": "default"}, "spec": {"serviceAPI": {"namespaces": {"selector": {"matchLabels": {"api": "yes"}}}}}}`)
	w.refuses(intent.Intent{Create: true, Base: w.now(), Spec: repositoryIs("one", nil)}, intent.AccessDenied)
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}}
	w.must(w.c.Patch(context.Background(), ns, client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"labels":{"api":"yes"}}}`))))
	w.done(intent.Intent{Create: true, Base: w.now(), Spec: repositoryIs("one", nil)})
	other := w.domain
	other.Owner = "000000000000"
	r := w.give(admin.Intent{Left: config.Duration(20 * time.Second), Intent: intent.Intent{Principal: ann, Account: other.Owner, Domain: other, Create: true, Spec: intent.Spec{Domain: &intent.Domain{}}}})
	if r.Code != intent.AccessDenied || !strings.Contains(r.Text, "000000000000") {
		t.Errorf("an account without a namespace: %+v", r)
	}
}

// An operator that is given what the one before it may have made makes it once.
func TestIntentAgain(t *testing.T) {
	w := newWishing(t, opted)
	in := intent.Intent{Principal: ann, Account: w.domain.Owner, Domain: w.domain, Base: w.now(), Create: true, Spec: repositoryIs("one", nil)}
	give := func(id string, again bool, in intent.Intent) intent.Result {
		return w.give(admin.Intent{ID: id, Again: again, Left: config.Duration(20 * time.Second), Intent: in})
	}
	for _, again := range []bool{false, true, true} {
		if r := give("create", again, in); r != (intent.Result{}) {
			t.Errorf("again %v: %+v", again, r)
		}
	}
	if r := give("other", true, in); r.Code != intent.Conflict {
		t.Errorf("another one that was never made: %+v", r)
	}
	in.Create, in.Delete, in.Base = false, true, w.now()
	for _, again := range []bool{false, true} {
		if r := give("delete", again, in); r != (intent.Result{}) {
			t.Errorf("again %v: %+v", again, r)
		}
	}
	if r := give("delete later", false, in); r.Code != intent.NotFound {
		t.Errorf("what is not there: %+v", r)
	}
}

// What the registry does not serve, because the content is another's, is taken back.
func TestIntentContentOfAnother(t *testing.T) {
	w := newWishing(t, opted)
	w.done(intent.Intent{Create: true, Base: w.now(), Spec: repositoryIs("one", nil)})
	w.plane.mu.Lock()
	w.plane.problems = []admin.Problem{{Source: config.Source{Kind: "Repository", Namespace: w.namespace, Name: "two"}, Text: "the name belongs to content of another namespace; it is not served"}}
	w.plane.mu.Unlock()
	w.refuses(intent.Intent{Create: true, Base: w.now(), Spec: repositoryIs("two", nil)}, intent.Conflict, "content of another namespace")
	if w.object("Repository", "two") != nil {
		t.Error("it was not taken back")
	}
}

// While the registry does not take its configuration, nothing is said to be served; and what comes later is.
func TestIntentWaits(t *testing.T) {
	w := newWishing(t, opted)
	w.plane.mu.Lock()
	w.plane.fail = errNotReady // once
	w.plane.mu.Unlock()
	w.done(intent.Intent{Create: true, Base: w.now(), Spec: repositoryIs("one", nil)})
	if w.served("one") == nil {
		t.Error("not served")
	}
	in := intent.Intent{Principal: ann, Account: w.domain.Owner, Domain: w.domain, Base: w.now(), Create: true, Spec: repositoryIs("two", nil)}
	if r := w.give(admin.Intent{Left: config.Duration(answerSlack), Intent: in}); r.Code != intent.Unavailable || r.Text == "" {
		t.Errorf("without time: %+v", r)
	}
	if w.object("Repository", "two") != nil {
		t.Error("it was made all the same")
	}
}

// wished says whether an apply is one of the service API.
func wished(opts []client.ApplyOption) bool {
	var o client.ApplyOptions
	o.ApplyOptions(opts)
	return o.FieldManager == string(APIFieldOwner)
}

// An apiserver that is away for a while only delays a change; if it stays away, the client hears that, and nothing of why.
func TestIntentWithoutApiserver(t *testing.T) {
	w := newWishing(t, opted)
	var calls, failing atomic.Int32
	w.instead(func(ctx context.Context, c client.WithWatch, o runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
		if wished(opts) && calls.Add(1) <= failing.Load() {
			return errors.New("dial tcp 10.0.0.1:6443: connection refused")
		}
		return c.Apply(ctx, o, opts...)
	})
	failing.Store(3)
	w.done(intent.Intent{Create: true, Base: w.now(), Spec: repositoryIs("one", nil)})
	calls.Store(0)
	failing.Store(1 << 20)
	in := intent.Intent{Principal: ann, Account: w.domain.Owner, Domain: w.domain, Base: w.now(), Create: true, Spec: repositoryIs("two", nil)}
	if r := w.give(admin.Intent{Left: config.Duration(answerSlack + time.Second), Intent: in}); r.Code != intent.Unavailable || strings.Contains(r.Text, "10.0.0.1") || !strings.Contains(r.Text, "try again") {
		t.Errorf("the apiserver stays away: %+v", r)
	}
	// What may have been made, because the answer was lost, is found and not made twice.
	var lost atomic.Bool
	w.instead(func(ctx context.Context, c client.WithWatch, o runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
		var x client.ApplyOptions
		x.ApplyOptions(opts)
		err := c.Apply(ctx, o, opts...)
		if wished(opts) && len(x.DryRun) == 0 && !lost.Swap(true) {
			return errors.Join(err, errors.New("connection reset"))
		}
		return err
	})
	w.done(intent.Intent{Create: true, Base: w.now(), Spec: repositoryIs("three", nil)})
	if !lost.Load() || w.served("three") == nil {
		t.Errorf("lost %v, served %+v", lost.Load(), w.served("three"))
	}
}

// An operator that stops in the middle says nothing; the one that comes next makes the change and answers.
func TestIntentOperatorStops(t *testing.T) {
	w := newWishing(t, opted)
	for name, after := range map[string]bool{"before": false, "behind": true} {
		reached := make(chan struct{})
		w.instead(func(ctx context.Context, c client.WithWatch, o runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
			var x client.ApplyOptions
			x.ApplyOptions(opts)
			if !wished(opts) || len(x.DryRun) > 0 {
				return c.Apply(ctx, o, opts...)
			}
			if after {
				if err := c.Apply(ctx, o, opts...); err != nil {
					return err
				}
			}
			close(reached)
			<-ctx.Done()
			return ctx.Err()
		})
		in := admin.Intent{ID: name, Left: config.Duration(20 * time.Second), Intent: intent.Intent{
			Principal: ann, Account: w.domain.Owner, Domain: w.domain, Base: w.now(), Create: true, Spec: repositoryIs(name, nil),
		}}
		w.plane.wishes <- in
		<-reached
		w.stop()
		if n := len(w.plane.answers); n > 0 {
			t.Errorf("%s the apply: %d answers of an operator that was stopped", name, n)
		}
		w.stop = w.operate(w.operator(w.c))
		in.Again = true
		if r := w.give(in); r != (intent.Result{}) || w.served(name) == nil {
			t.Errorf("%s the apply: %+v, served %+v", name, r, w.served(name))
		}
	}
}
