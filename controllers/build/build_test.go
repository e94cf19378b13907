package build

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/yaml"

	api "packhouse.dev/packhouse/api/v1alpha1"
)

var update = flag.Bool("update", false, "write the golden files anew")

func aRegistry(edits ...func(*api.Registry)) *api.Registry {
	r := &api.Registry{ObjectMeta: metav1.ObjectMeta{Namespace: "packages", Name: "default", UID: "6f0c8f4e-0000-4000-8000-000000000001"}}
	r.Spec.Storage.Size = resource.MustParse("10Gi") // the schema's defaults
	r.Spec.Service.Type = corev1.ServiceTypeClusterIP
	r.Spec.NetworkPolicy, r.Spec.DeletionPolicy = "Managed", api.Retain
	for _, e := range edits {
		e(r)
	}
	return r
}

// TestObjects compares with files, so that every change of what runs in clusters is seen in a review.
func TestObjects(t *testing.T) {
	class, everyRead := "fast", int32(1)
	tests := map[string]struct {
		registry *api.Registry
		opt      Options
	}{
		"default": {aRegistry(), Options{Image: "example.com/registry:v1", OperatorNamespace: "packhouse-system"}},
		"everything": {aRegistry(func(r *api.Registry) {
			r.Spec.DeletionPolicy, r.Spec.NetworkPolicy = api.Delete, "None"
			r.Spec.Audit.Reads = &everyRead
			r.Spec.Storage = api.Storage{Size: resource.MustParse("1Ti"), StorageClassName: &class}
			r.Spec.Service = api.Service{Type: corev1.ServiceTypeLoadBalancer, Annotations: map[string]string{"example.com/internal": "true"}}
			r.Spec.Pods = api.Pods{
				Image: "mirror.example.com/registry@sha256:0000", ImagePullPolicy: corev1.PullAlways, ImagePullSecrets: []api.LocalRef{{Name: "mirror"}},
				Resources:    corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Gi")}},
				NodeSelector: map[string]string{"disk": "fast"}, Tolerations: []corev1.Toleration{{Key: "packages", Operator: corev1.TolerationOpExists}},
				PriorityClassName: "important",
			}
		}), Options{Image: "example.com/registry:v1", Restart: "2"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			var got bytes.Buffer
			for _, o := range Objects(tc.registry, tc.opt) {
				b, err := yaml.Marshal(o)
				if err != nil {
					t.Fatal(err)
				}
				got.WriteString("---\n")
				got.Write(b)
			}
			path := filepath.Join("testdata", name+".yaml")
			if *update {
				if err := os.WriteFile(path, got.Bytes(), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("run go test ./controllers/build -update if this is meant (-want +got):\n%s", diff)
			}
		})
	}
}

// TestRestricted holds pods against the Kubernetes pod security standard "restricted".
func TestRestricted(t *testing.T) {
	b := builder{r: aRegistry(), names: NamesOf("default")}
	spec := b.podTemplate().Spec
	c := spec.Containers[0]
	for what, ok := range map[string]bool{
		"no token of the apiserver": !*spec.AutomountServiceAccountToken,
		"not root":                  *spec.SecurityContext.RunAsNonRoot && *c.SecurityContext.RunAsNonRoot && *spec.SecurityContext.RunAsUser != 0,
		"default seccomp profile":   spec.SecurityContext.SeccompProfile.Type == corev1.SeccompProfileTypeRuntimeDefault,
		"no capabilities":           cmp.Equal(c.SecurityContext.Capabilities, &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}),
		"no escalation":             !*c.SecurityContext.AllowPrivilegeEscalation,
		"read-only root":            *c.SecurityContext.ReadOnlyRootFilesystem,
		"no host namespaces":        !spec.HostNetwork && !spec.HostPID && !spec.HostIPC,
	} {
		if !ok {
			t.Errorf("%s does not hold", what)
		}
	}
}

func TestNames(t *testing.T) {
	long := strings.Repeat("a", 250)
	seen := map[string]bool{}
	for _, name := range []string{"a", "default", long, long + "b", strings.Repeat("a", 31), strings.Repeat("a", 30) + "-x"} {
		n := NamesOf(name)
		for _, s := range []string{n.Workload + "-0", n.Headless, n.Data, n.Keys, n.Authority, n.AdminServer, n.AdminClient} {
			if problems := validation.IsDNS1123Label(s); len(problems) > 0 {
				t.Errorf("%s: %v", s, problems)
			}
			if seen[s] {
				t.Errorf("%s is the name of two objects", s)
			}
			seen[s] = true
		}
		for k, v := range Labels(name) {
			if problems := validation.IsValidLabelValue(v); len(problems) > 0 {
				t.Errorf("label %s: %v", k, problems)
			}
		}
	}
}

func TestPairs(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	pair := func(role Role, authority Pair) Pair {
		t.Helper()
		p, err := NewPair(role, "admin.example", authority, now)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	ca, other := pair(Authority, Pair{}), pair(Authority, Pair{})
	server := pair(Server, ca)
	tests := map[string]struct {
		pair, authority Pair
		at              time.Time
		want            bool
	}{
		"authority":         {ca, Pair{}, now, true},
		"server":            {server, ca, now, true},
		"almost due":        {server, ca, now.Add(certificateLife*2/3 - 24*time.Hour), true},
		"due":               {server, ca, now.Add(certificateLife*2/3 + 24*time.Hour), false},
		"not yet":           {server, ca, now.Add(-time.Hour), false},
		"another authority": {server, other, now, false},
		"nothing":           {Pair{}, ca, now, false},
		"rubbish":           {Pair{Certificate: []byte("x"), Key: []byte("y")}, ca, now, false},
		"another key":       {Pair{Certificate: server.Certificate, Key: pair(Server, ca).Key}, ca, now, false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := tc.pair.Good(tc.authority, tc.at); got != tc.want {
				t.Errorf("good is %v, want %v", got, tc.want)
			}
		})
	}
	if _, err := NewPair(Client, "x", Pair{}, now); err == nil {
		t.Error("a client without an authority")
	}
}
