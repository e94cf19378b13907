package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "packhouse.dev/packhouse/api/v1alpha1"
)

// suite is the cluster and what the tests have in it.
type suite struct {
	c    client.Client
	root string // of the sources
	// cluster is the script of the cluster that was started for the tests; "" on another's, which is not stopped.
	cluster string
	// image has node and npm, for pods that install.
	image string
}

const (
	operatorNamespace = "packhouse-system"
	namespace         = "packages" // of the Registry and what it serves
)

// TestEndToEnd is one run, in order: a cluster is too dear to be started for every test, and each part leaves it in good order.
func TestEndToEnd(t *testing.T) {
	if os.Getenv("PACKHOUSE_E2E") == "" {
		t.Skip("needs a cluster: run make e2e")
	}
	s := newSuite(t)
	t.Run("install", s.install)
	t.Run("samples", s.samples)
	t.Run("npm", s.npm)
	t.Run("polyglot", s.polyglot)
	t.Run("identities", s.identities)
	t.Run("changes", s.changes)
	t.Run("latency", s.latency)
	t.Run("credentials", s.credentials)
	t.Run("counts", s.counts)
	t.Run("alone", s.alone)
	t.Run("deletion", s.deletion)
	t.Run("namespace", s.namespace)
	t.Run("thousand", s.thousand)
}

func newSuite(t *testing.T) *suite {
	t.Helper()
	restConfig, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(clientcmd.NewDefaultClientConfigLoadingRules(), nil).ClientConfig()
	if err != nil {
		t.Fatal(err)
	}
	restConfig.QPS = -1
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, api.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	c, err := client.New(restConfig, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return &suite{c: c, root: root, cluster: os.Getenv("E2E_CLUSTER"), image: os.Getenv("E2E_NPM_IMAGE")}
}

// command runs a program and gives its output; a failure ends the test with what it printed.
func (s *suite) command(t *testing.T, stdin, name string, args ...string) string {
	t.Helper()
	out, err := s.try(t, stdin, name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

func (s *suite) try(t *testing.T, stdin, name string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	err := cmd.Run()
	if err != nil {
		return out.String() + stderr.String(), err
	}
	return out.String(), nil
}

func (s *suite) packhouse(t *testing.T, args ...string) string {
	t.Helper()
	return strings.TrimSpace(s.command(t, "", filepath.Join(s.root, "bin", "packhouse"), args...))
}

// apply is "kubectl apply --server-side" into the namespace of the Registry.
func (s *suite) apply(t *testing.T, manifests string) {
	t.Helper()
	s.applyIn(t, namespace, manifests)
}

func (s *suite) applyIn(t *testing.T, ns, manifests string) {
	t.Helper()
	s.command(t, withVersions(manifests), "kubectl", "apply", "--server-side", "-n", ns, "-f", "-")
}

func withVersions(manifests string) string {
	return strings.ReplaceAll("\n"+manifests, "\nkind: ", "\napiVersion: packhouse.dev/v1alpha1\nkind: ")
}

// eventually looks until ok returns "", and fails with what it said last.
func eventually(t *testing.T, within time.Duration, what string, ok func() string) time.Duration {
	t.Helper()
	start, last := time.Now(), ""
	for time.Since(start) < within {
		if last = ok(); last == "" {
			return time.Since(start)
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("%s: not within %v: %s", what, within, last)
	return 0
}

// ready says what an object lacks for being served as it is declared now.
func (s *suite) ready(o client.Object, status *api.Status, ns, name string) func() string {
	return func() string {
		if err := s.c.Get(context.Background(), client.ObjectKey{Namespace: ns, Name: name}, o); err != nil {
			return err.Error()
		}
		c := apimeta.FindStatusCondition(status.Conditions, api.ConditionReady)
		switch {
		case c == nil:
			return "no condition"
		case status.ObservedGeneration != o.GetGeneration():
			return "an older generation was observed"
		case c.Status != metav1.ConditionTrue:
			return c.Reason + ": " + c.Message
		}
		return ""
	}
}

func (s *suite) registryReady(t *testing.T, ns, name string) *api.Registry {
	t.Helper()
	r := &api.Registry{}
	eventually(t, 2*time.Minute, "Registry "+name, s.ready(r, &r.Status.Status, ns, name))
	return r
}

func (s *suite) repositoryReady(t *testing.T, ns, name string) *api.Repository {
	t.Helper()
	r := &api.Repository{}
	eventually(t, time.Minute, "Repository "+name, s.ready(r, &r.Status.Status, ns, name))
	return r
}

func (s *suite) domainReady(t *testing.T, ns, name string) *api.Domain {
	t.Helper()
	d := &api.Domain{}
	eventually(t, time.Minute, "Domain "+name, s.ready(d, &d.Status.Status, ns, name))
	return d
}

// scale sets the number of operators and waits until it is so.
func (s *suite) scale(t *testing.T, replicas int32) {
	t.Helper()
	s.command(t, "", "kubectl", "-n", operatorNamespace, "scale", "deployment/packhouse-operator", fmt.Sprintf("--replicas=%d", replicas))
	eventually(t, 2*time.Minute, fmt.Sprintf("%d operators", replicas), func() string {
		var pods corev1.PodList
		if err := s.c.List(context.Background(), &pods, client.InNamespace(operatorNamespace)); err != nil {
			return err.Error()
		}
		d := &appsv1.Deployment{}
		if err := s.c.Get(context.Background(), client.ObjectKey{Namespace: operatorNamespace, Name: "packhouse-operator"}, d); err != nil {
			return err.Error()
		}
		if len(pods.Items) != int(replicas) || d.Status.ReadyReplicas != replicas {
			return fmt.Sprintf("%d pods, %d ready", len(pods.Items), d.Status.ReadyReplicas)
		}
		return ""
	})
}

// pod is the only pod of a registry.
func (s *suite) pod(t *testing.T, ns string) *corev1.Pod {
	t.Helper()
	var pods corev1.PodList
	if err := s.c.List(t.Context(), &pods, client.InNamespace(ns), client.MatchingLabels{"app.kubernetes.io/component": "registry"}); err != nil {
		t.Fatal(err)
	}
	if len(pods.Items) != 1 {
		t.Fatalf("%d pods of the registry in %s", len(pods.Items), ns)
	}
	return &pods.Items[0]
}

// forward is a "packhouse port-forward" that runs until the test ends, and its base address.
func (s *suite) forward(t *testing.T, ns, registry string) string {
	t.Helper()
	cmd := exec.Command(filepath.Join(s.root, "bin", "packhouse"), "port-forward", "-n", ns, "--registry", registry, "--port", "0")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line := make([]byte, 0, 100)
	for one := make([]byte, 1); ; line = append(line, one[0]) {
		if _, err := io.ReadFull(out, one); err != nil {
			t.Fatalf("port-forward said %q: %v", line, err)
		}
		if one[0] == '\n' {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return string(line)
		}
	}
}

// get asks with a token and gives status and body.
func get(t *testing.T, url, token string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := (&http.Client{Timeout: 10 * time.Second}).Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(b)
}
