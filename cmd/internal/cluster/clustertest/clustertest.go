// Package clustertest is a cluster for tests: Kubernetes objects in memory, and pods whose ports are listeners of this machine.
package clustertest

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	kubefake "k8s.io/client-go/kubernetes/fake"

	api "packhouse.dev/packhouse/api/v1alpha1"
	"packhouse.dev/packhouse/cmd/internal/cluster"
	"packhouse.dev/packhouse/controllers/build"
)

// Namespace has everything.
const Namespace = "platform"

var resource = api.GroupVersion.WithResource("registries")

// Cluster is a cluster with Registries. Tests change its objects through the two fakes.
type Cluster struct {
	*cluster.Cluster
	Core    *kubefake.Clientset
	Objects *dynamicfake.FakeDynamicClient

	mu    sync.Mutex
	ports map[string]string // pod:port → address of a listener
}

// New returns a cluster with Registries of these names and nothing else of them.
func New(t testing.TB, registries ...string) *Cluster {
	t.Helper()
	kinds := map[schema.GroupVersionResource]string{resource: "RegistryList"}
	c := &Cluster{
		Core: kubefake.NewClientset(), Objects: dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), kinds),
		ports: map[string]string{},
	}
	c.Cluster = &cluster.Cluster{
		Core: c.Core.CoreV1(), Dynamic: c.Objects, DialPod: c.dial, Namespace: Namespace, Context: "test",
	}
	for _, name := range registries {
		c.AddRegistry(t, name)
	}
	return c
}

// AddRegistry makes a Registry with these addresses in its status.
func (c *Cluster) AddRegistry(t testing.TB, name string, endpoints ...string) {
	t.Helper()
	r := &api.Registry{
		TypeMeta:   metav1.TypeMeta{APIVersion: api.GroupVersion.String(), Kind: "Registry"},
		ObjectMeta: metav1.ObjectMeta{Namespace: Namespace, Name: name},
	}
	r.Status.Endpoints = endpoints
	u, err := runtime.DefaultUnstructuredConverter.ToUnstructured(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Objects.Tracker().Create(resource, &unstructured.Unstructured{Object: u}, Namespace); err != nil {
		t.Fatal(err)
	}
}

// AddPod makes a pod of a registry.
func (c *Cluster) AddPod(t testing.TB, registry, name string, ready bool) {
	t.Helper()
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: Namespace, Name: name, Labels: build.Selector(registry)}}
	p.Status.Phase = corev1.PodRunning
	p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse}}
	if ready {
		p.Status.Conditions[0].Status = corev1.ConditionTrue
	}
	if err := c.Core.Tracker().Add(p); err != nil {
		t.Fatal(err)
	}
}

// RemovePod deletes a pod at once.
func (c *Cluster) RemovePod(t testing.TB, name string) {
	t.Helper()
	if err := c.Core.Tracker().Delete(corev1.SchemeGroupVersion.WithResource("pods"), Namespace, name); err != nil {
		t.Fatal(err)
	}
}

// Listen says where a pod's port is on this machine.
func (c *Cluster) Listen(pod string, port int, address string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ports[key(pod, port)] = address
}

// Address is where a pod's port is on this machine.
func (c *Cluster) Address(pod string, port int) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ports[key(pod, port)]
}

func key(pod string, port int) string { return fmt.Sprintf("%s:%d", pod, port) }

// dial is a cluster.PodDialer.
func (c *Cluster) dial(ctx context.Context, namespace, pod string, port int) (net.Conn, error) {
	address := c.Address(pod, port)
	if address == "" {
		return nil, fmt.Errorf("nobody listens on port %d of pod %s/%s", port, namespace, pod)
	}
	return (&net.Dialer{}).DialContext(ctx, "tcp", address)
}

// ServeAdmin lets a pod serve the admin API with mutual TLS, and makes the Secret of its clients.
func (c *Cluster) ServeAdmin(t testing.TB, registry, pod string, h http.Handler) {
	t.Helper()
	ca := NewAuthority(t)
	s := httptest.NewUnstartedServer(h)
	s.TLS = ca.Server(t, build.AdminServerName(Namespace, registry))
	s.StartTLS()
	t.Cleanup(s.Close)
	c.Listen(pod, build.PortAdmin, s.Listener.Addr().String())
	c.SetSecret(t, registry, ca.Client(t))
}

// Secret is the content of the Secret of the administrators of a registry.
func (c *Cluster) Secret(t testing.TB, registry string) map[string][]byte {
	t.Helper()
	s, err := c.Core.CoreV1().Secrets(Namespace).Get(t.Context(), build.NamesOf(registry).AdminClient, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return s.Data
}

// SetSecret replaces the Secret of the administrators of a registry.
func (c *Cluster) SetSecret(t testing.TB, registry string, data map[string][]byte) {
	t.Helper()
	secrets := c.Core.CoreV1().Secrets(Namespace)
	name := build.NamesOf(registry).AdminClient
	_ = secrets.Delete(t.Context(), name, metav1.DeleteOptions{}) // if there was one
	_, err := secrets.Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: Namespace, Name: name}, Data: data}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
}
