package cluster_test

import (
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clienttesting "k8s.io/client-go/testing"

	api "packhouse.dev/packhouse/api/v1alpha1"
	"packhouse.dev/packhouse/cmd/internal/cluster"
	"packhouse.dev/packhouse/cmd/internal/cluster/clustertest"
	"packhouse.dev/packhouse/controllers/build"
)

// refuse lets the apiserver answer a verb on a resource with an error.
func refuse(f *clienttesting.Fake, verb, resource string, err error) {
	f.PrependReactor(verb, resource, func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, err })
}

func forbidden(resource, name string) error {
	return apierrors.NewForbidden(schema.GroupResource{Resource: resource}, name, errors.New("no role"))
}

// check holds an error against a sentinel and the words that it must have.
func check(t *testing.T, err, want error, words ...string) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got %v, want %v", err, want)
	}
	if _, ok := errors.AsType[*cluster.Problem](err); !ok {
		t.Errorf("%v is no Problem", err)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q does not say %q", err, w)
		}
	}
}

func TestRegistry(t *testing.T) {
	t.Parallel()
	noKind := apierrors.NewGenericServerResponse(404, "list", schema.GroupResource{}, "", "the server could not find the requested resource", 0, true)
	tests := map[string]struct {
		there  []string
		name   string
		refuse func(f *clienttesting.Fake)
		want   string
		err    error
		says   []string
	}{
		"by name":           {there: []string{"a", "b"}, name: "b", want: "b"},
		"the only":          {there: []string{"a"}, want: "a"},
		"several":           {there: []string{"b", "a"}, err: cluster.ErrAmbiguous, says: []string{"--registry", `namespace "platform" has a, b`}},
		"none":              {err: cluster.ErrNotFound, says: []string{"no Registry", `context "test"`, "-n"}},
		"unknown":           {there: []string{"a", "b"}, name: "x", err: cluster.ErrNotFound, says: []string{`no Registry "x"`, "it has a, b"}},
		"unknown, and none": {name: "x", err: cluster.ErrNotFound, says: []string{`no Registry "x"`, "-n"}},
		"may not get": {
			there: []string{"a"}, name: "a", refuse: func(f *clienttesting.Fake) { refuse(f, "get", "registries", forbidden("registries", "a")) },
			err: cluster.ErrNotAllowed, says: []string{`verb "get" on registries.packhouse.dev "a"`, `"platform"`},
		},
		"may not list": {
			there: []string{"a"}, refuse: func(f *clienttesting.Fake) { refuse(f, "list", "registries", forbidden("registries", "")) },
			err: cluster.ErrNotAllowed, says: []string{`verb "list" on registries.packhouse.dev in`},
		},
		"unknown, may not list": {
			name: "x", refuse: func(f *clienttesting.Fake) { refuse(f, "list", "registries", forbidden("registries", "")) },
			err: cluster.ErrNotFound, says: []string{`no Registry "x"`, "-n"},
		},
		"not installed": {
			name: "x", refuse: func(f *clienttesting.Fake) { refuse(f, "*", "registries", noKind) },
			err: cluster.ErrNotFound, says: []string{"not installed", `context "test"`},
		},
		"not known": {
			refuse: func(f *clienttesting.Fake) { refuse(f, "list", "registries", apierrors.NewUnauthorized("who?")) },
			err:    cluster.ErrNotAllowed, says: []string{"log in to the cluster"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := clustertest.New(t, tt.there...)
			if tt.refuse != nil {
				tt.refuse(&c.Objects.Fake)
			}
			got, err := c.Registry(t.Context(), tt.name)
			if tt.err != nil {
				check(t, err, tt.err, tt.says...)
				return
			}
			if err != nil || got.Name != tt.want || got.Namespace != clustertest.Namespace {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

// TestPods: connections go to a pod that is ready, and who has none is told what its pods are at.
func TestPods(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		set  func(t *testing.T, c *clustertest.Cluster)
		err  error
		says []string
	}{
		"ready, behind one that is not": {set: func(t *testing.T, c *clustertest.Cluster) {
			c.AddPod(t, "default", "p-0", false)
			c.AddPod(t, "default", "p-1", true)
		}},
		"none": {set: func(t *testing.T, c *clustertest.Cluster) { c.AddPod(t, "other", "o-0", true) },
			err: cluster.ErrNotReady, says: []string{"platform/default has no pod", "kubectl -n platform describe registries.packhouse.dev default"}},
		"not ready": {set: func(t *testing.T, c *clustertest.Cluster) { c.AddPod(t, "default", "p-0", false) },
			err: cluster.ErrNotReady, says: []string{"p-0 (not ready)"}},
		"no image, and going": {
			set: func(t *testing.T, c *clustertest.Cluster) {
				waiting := corev1.ContainerStatus{State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff"}}}
				now := metav1.Now()
				for name, p := range map[string]corev1.Pod{
					"p-0": {Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{waiting}}},
					"p-1": {ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: &now}, Status: corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}}},
					"p-2": {Status: corev1.PodStatus{Phase: corev1.PodPending}},
				} {
					p.Namespace, p.Name, p.Labels = clustertest.Namespace, name, build.Selector("default")
					if err := c.Core.Tracker().Add(&p); err != nil {
						t.Fatal(err)
					}
				}
			},
			err: cluster.ErrNotReady, says: []string{"p-0 (ImagePullBackOff), p-1 (terminating), p-2 (pending)"},
		},
		"may not list": {
			set: func(_ *testing.T, c *clustertest.Cluster) {
				refuse(&c.Core.Fake, "list", "pods", forbidden("pods", ""))
			},
			err: cluster.ErrNotAllowed, says: []string{`verb "list" on pods`},
		},
		"may not forward": {
			set: func(t *testing.T, c *clustertest.Cluster) {
				c.AddPod(t, "default", "p-0", true)
				c.DialPod = (&apiserver{refuse: true}).dialer(t)
			},
			err: cluster.ErrNotAllowed, says: []string{`verb "create" on pods/portforward`, `"platform"`},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := clustertest.New(t, "default")
			address := echo(t)
			c.Listen("p-1", 4000, address)
			tt.set(t, c)
			conn, err := c.Dial(t.Context(), registryNamed("default"), 4000)
			if tt.err != nil {
				check(t, err, tt.err, tt.says...)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if got := conn.RemoteAddr().String(); got != address {
				t.Errorf("connected to %s", got)
			}
		})
	}
}

func registryNamed(name string) *api.Registry {
	return &api.Registry{ObjectMeta: metav1.ObjectMeta{Namespace: clustertest.Namespace, Name: name}}
}
