package registry

import (
	"errors"
	"net/http"
	"testing"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	api "packhouse.dev/packhouse/api/v1alpha1"
	"packhouse.dev/packhouse/controllers/compile"
	"packhouse.dev/packhouse/controllers/declare"
	noun "packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/config"
)

func managed(spec map[string]any, fields ...metav1.ManagedFieldsEntry) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	u.SetManagedFields(fields)
	return u
}

func manages(manager, subresource, fields string) metav1.ManagedFieldsEntry {
	return metav1.ManagedFieldsEntry{
		Manager: manager, Operation: metav1.ManagedFieldsOperationApply, Subresource: subresource, APIVersion: api.GroupVersion.String(),
		FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(fields),
	}
}

func TestOwned(t *testing.T) {
	t.Parallel()
	o := managed(
		map[string]any{
			"description": "theirs", "tags": map[string]any{"a": "1", "b": "2"}, "deletionPolicy": "Retain",
			"upstreams":      []any{map[string]any{"name": "x"}, map[string]any{"name": "y"}},
			"originControls": map[string]any{"publish": map[string]any{"restriction": "Block"}, "internalUpstream": map[string]any{"restriction": "Allow"}},
		},
		manages("packhouse-api", "", `{"f:metadata":{"f:annotations":{}},"f:spec":{"f:tags":{"f:a":{}},"f:upstreams":{"k:{\"name\":\"x\"}":{".":{},"f:name":{}}},"f:originControls":{"f:publish":{"f:restriction":{}}},"f:gone":{}}}`),
		manages("packhouse-operator", "status", `{"f:status":{}}`),
		manages("packhouse-operator", "", `{"f:metadata":{"f:finalizers":{}}}`),
		manages("kubectl", "", `{"f:spec":{"f:description":{},"f:tags":{"f:b":{}}}}`),
		manages("argocd-controller", "", `{"f:spec":{"f:domainRef":{}}}`),
	)
	want := map[string]any{
		"tags": map[string]any{"a": "1"}, "upstreams": []any{map[string]any{"name": "x"}, map[string]any{"name": "y"}},
		"originControls": map[string]any{"publish": map[string]any{"restriction": "Block"}},
	}
	if diff := cmp.Diff(want, owned(o)); diff != "" {
		t.Errorf("owned (-want +got):\n%s", diff)
	}
	for fields, want := range map[string][]string{"": {"argocd-controller", "kubectl"}, "tags": {"kubectl"}, "domainRef": {"argocd-controller"}, "originControls": nil} {
		var asked []string
		if fields != "" {
			asked = []string{fields}
		}
		if diff := cmp.Diff(want, others(o, asked...)); diff != "" {
			t.Errorf("others of %q (-want +got):\n%s", fields, diff)
		}
	}
	// What is not understood keeps everything.
	if got := others(&metav1.ObjectMeta{ManagedFields: []metav1.ManagedFieldsEntry{manages("odd", "", `[`)}}, "tags"); len(got) != 1 {
		t.Errorf("fields that are not understood: %v", got)
	}
	if got := owned(managed(map[string]any{"tags": "x"})); len(got) != 0 {
		t.Errorf("owned of nothing: %v", got)
	}
}

func TestKeeper(t *testing.T) {
	t.Parallel()
	for want, o := range map[string]metav1.ObjectMeta{
		"":                         {Labels: map[string]string{"app.kubernetes.io/instance": "x", managedBy: "packhouse"}, Annotations: map[string]string{declare.By: "arn"}},
		"Argo CD (application a)":  {Annotations: map[string]string{argoTracking: "a:packhouse.dev/Repository:n/m"}},
		"Argo CD (application b)":  {Labels: map[string]string{argoInstance: "b"}},
		"Flux (Kustomization n/c)": {Labels: map[string]string{fluxName: "c", fluxSpace: "n"}},
		"Flux (HelmRelease n/d)":   {Labels: map[string]string{fluxHelmName: "d", fluxHelmFrom: "n", managedBy: "Helm"}},
		"Helm":                     {Labels: map[string]string{managedBy: "Helm"}},
		"Helm (release e)":         {Labels: map[string]string{managedBy: "Helm"}, Annotations: map[string]string{helmRelease: "e"}},
	} {
		if got := keeper(&o); got != want {
			t.Errorf("%+v: %q, want %q", o, got, want)
		}
	}
}

// What the apiserver says is told as far as a client can do something about it.
func TestRefused(t *testing.T) {
	t.Parallel()
	kind := schema.GroupKind{Group: "packhouse.dev", Kind: "Repository"}
	resource := schema.GroupResource{Group: "packhouse.dev", Resource: "repositories"}
	conflict := apierrors.NewApplyConflict([]metav1.StatusCause{
		{Type: metav1.CauseTypeFieldManagerConflict, Message: `conflict with "argocd-controller" using packhouse.dev/v1alpha1`, Field: ".spec.description"},
		{Type: metav1.CauseTypeFieldManagerConflict, Message: `conflict with "kubectl" using packhouse.dev/v1alpha1 at 2026-11-23T23:00:00Z`, Field: ".spec.tags.a"},
	}, "Apply failed with 2 conflicts")
	invalid := &apierrors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Reason: metav1.StatusReasonInvalid, Code: http.StatusUnprocessableEntity, Details: &metav1.StatusDetails{
		Kind: kind.Kind, Causes: []metav1.StatusCause{{Type: metav1.CauseTypeFieldValueInvalid, Field: "spec.name", Message: "too long"}},
	}}}
	terminating := apierrors.NewForbidden(resource, "r", errors.New("namespace packages is being terminated"))
	terminating.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
	for name, tt := range map[string]struct {
		err      error
		live     *unstructured.Unstructured
		sentinel error // nil: it is worth another try
		text     string
	}{
		"fields of others": {conflict, nil, noun.ErrConflict,
			`conflict: Repository packages/r: spec.description is kept by field manager "argocd-controller"; spec.tags.a is kept by field manager "kubectl": change it there`},
		"changed at the same time":      {apierrors.NewConflict(resource, "r", errors.New("modified")), nil, noun.ErrStale, ""},
		"made at the same time":         {apierrors.NewAlreadyExists(resource, "r"), nil, noun.ErrStale, ""},
		"against the schema":            {invalid, nil, noun.ErrInvalid, "invalid: Repository packages/r: spec.name: too long"},
		"against what others say":       {invalid, managed(nil, manages("kubectl", "", `{"f:spec":{"f:statements":{}}}`)), noun.ErrConflict, `conflict: Repository packages/r is declared by field manager "kubectl", and with that: spec.name: too long`},
		"a namespace that is going":     {terminating, nil, noun.ErrConflict, "conflict: namespace packages is being deleted"},
		"a webhook, or a missing right": {apierrors.NewForbidden(resource, "r", errors.New("secret reason of 10.0.0.1")), nil, noun.ErrAccessDenied, "access denied: the cluster does not let Repository packages/r be changed through the service API; the operator's log says why"},
		"no namespace":                  {apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, "packages"), nil, noun.ErrInvalid, "invalid: there is no namespace packages"},
		"an apiserver that is away":     {errors.New("dial tcp 10.0.0.1:6443: connection refused"), nil, nil, ""},
		"an apiserver that is busy":     {apierrors.NewTooManyRequests("later", 1), nil, nil, ""},
	} {
		c := &change{Target: declare.Target{Kind: "Repository", Namespace: "packages", Name: "r"}, live: tt.live, log: logr.Discard()}
		got := c.refused(tt.err)
		if tt.sentinel == nil {
			if final(got) {
				t.Errorf("%s: %v is final", name, got)
			}
		} else if !errors.Is(got, tt.sentinel) || !final(got) || tt.text != "" && got.Error() != tt.text {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// Whether a change was made from what is declared now is seen from the digest of the document that the registry has stored.
func TestRevisionSurvivesTheWire(t *testing.T) {
	f := newFixture(t)
	f.given(samples(t))
	f.reconcile()
	if len(f.plane.in.Domains) == 0 {
		t.Fatal("nothing is declared")
	}
	for i := range f.plane.in.Domains {
		d := &f.plane.in.Domains[i]
		body, err := config.Encode(d)
		f.must(err)
		stored, err := config.Decode[config.Domain](body)
		f.must(err)
		a, errA := revision(d)
		b, errB := revision(stored)
		if f.must(errors.Join(errA, errB)); a != b || a == "" {
			t.Errorf("domain %s: %s here, %s there", d.Name, a, b)
		}
	}
}

func TestRefusal(t *testing.T) {
	t.Parallel()
	target := declare.Target{Kind: "Repository", Namespace: "packages", Name: "r"}
	o := compile.Object{Kind: target.Kind, Namespace: target.Namespace, Name: target.Name}
	result := func(reasons ...string) *compile.Result {
		r := &compile.Result{Conditions: []compile.Condition{{Object: compile.Object{Kind: "Repository", Namespace: "packages", Name: "other"}, Reason: api.ReasonInvalid}}}
		for _, reason := range reasons {
			r.Conditions = append(r.Conditions, compile.Condition{Object: o, Type: api.ConditionAccepted, Status: reason == api.ReasonAccepted, Reason: reason, Message: "because"})
		}
		return r
	}
	for name, tt := range map[string]struct {
		now, before *compile.Result
		want        error
	}{
		"accepted":             {result(api.ReasonAccepted), nil, nil},
		"invalid":              {result(api.ReasonInvalid), nil, noun.ErrInvalid},
		"missing":              {result(api.ReasonNotFound), result(api.ReasonAccepted), noun.ErrInvalid},
		"denied":               {result(api.ReasonDenied), nil, noun.ErrAccessDenied},
		"not permitted":        {result(api.ReasonNotAllowed), nil, noun.ErrAccessDenied},
		"another has it":       {result(api.ReasonNameConflict), nil, noun.ErrConflict},
		"it was so before":     {result(api.ReasonInvalid), result(api.ReasonInvalid), nil},
		"only a long search":   {result(api.ReasonTruncated), nil, nil},
		"two, one from before": {result(api.ReasonInvalid, api.ReasonDenied), result(api.ReasonInvalid), noun.ErrAccessDenied},
	} {
		if got := refusal(tt.now, tt.before, target); !errors.Is(got, tt.want) {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

func TestNamespaceOf(t *testing.T) {
	t.Parallel()
	w := &world{namespaces: map[string]*corev1.Namespace{"packages": {}, "team-a": {}, "team-b": {}, "twin": {}, "plain": {}}}
	reg := &config.Registry{
		Accounts:       []config.Account{{Namespace: "packages", ID: "111122223333"}, {Namespace: "team-a", ID: "222233334444"}, {Namespace: "twin", ID: "222233334444"}, {Namespace: "gone", ID: "555566667777"}, {Namespace: "team-b", ID: "333344445555"}},
		ClosedAccounts: []string{"333344445555"},
	}
	for account, want := range map[string]struct {
		namespace string
		err       error
	}{
		"111122223333": {"packages", nil}, noun.DeriveAccount("plain"): {"plain", nil}, noun.DeriveAccount("packages"): {"", noun.ErrAccessDenied},
		"222233334444": {"", noun.ErrConflict}, "333344445555": {"", noun.ErrConflict}, "555566667777": {"", noun.ErrAccessDenied},
	} {
		got, err := w.namespaceOf(account, reg)
		if got != want.namespace || !errors.Is(err, want.err) {
			t.Errorf("account %s: %q, %v; want %q, %v", account, got, err, want.namespace, want.err)
		}
	}
}
