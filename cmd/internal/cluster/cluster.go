// Package cluster is the way of a command line to a registry in a Kubernetes cluster. It has the rights of a kubeconfig and no others:
// who may read the Secret with the administrators' certificate and forward a port to the registry's pods is an administrator.
//
// Nothing listens for the admin API outside the cluster. A connection to a pod's port goes through the apiserver, as that of "kubectl
// port-forward" does.
package cluster

import (
	"context"
	"fmt"
	"net"
	"os"

	"k8s.io/client-go/dynamic"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	_ "k8s.io/client-go/plugin/pkg/client/auth" // the ways to log in that kubeconfigs name, as in kubectl
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Options are what people say about the cluster they mean. Left empty, each is what the kubeconfig says.
type Options struct {
	Kubeconfig string // path; "": KUBECONFIG, ~/.kube/config, or the service account of the pod that this runs in
	Context    string
	Namespace  string
	Program    string // how this program is called, in what is said
}

// PodDialer connects to a port of a pod.
type PodDialer func(ctx context.Context, namespace, pod string, port int) (net.Conn, error)

// Cluster reaches the registries of a namespace. It is safe for concurrent use.
type Cluster struct {
	Core      corev1client.CoreV1Interface // Secrets and pods
	Dynamic   dynamic.Interface            // Registries
	DialPod   PodDialer
	Namespace string
	Context   string // of the kubeconfig, in what is said; "" in a pod
}

// Open reads the kubeconfig. It does not connect yet. Its errors are Problems.
func Open(opt Options) (*Cluster, error) {
	loader := opt.loader()
	cfg, err := loader.ClientConfig()
	if clientcmd.IsEmptyConfig(err) {
		return nil, problem(ErrNotConfigured, "there is no kubeconfig: say --kubeconfig, or set KUBECONFIG")
	}
	if err != nil {
		return nil, problem(fmt.Errorf("%w: %w", ErrNotConfigured, err), "the kubeconfig is of no use: %v", err)
	}
	cfg.QPS, cfg.Burst = 50, 300 // as kubectl has them; the apiserver has its own limits
	cfg.WarningHandler = rest.NoWarnings{}
	namespace, _, err := loader.Namespace()
	if err != nil {
		return nil, problem(fmt.Errorf("%w: %w", ErrNotConfigured, err), "the kubeconfig names no namespace: say --namespace: %v", err)
	}
	core, err := corev1client.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("kubeconfig: %w", err)
	}
	dyn, err := dynamic.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("kubeconfig: %w", err)
	}
	return &Cluster{
		Core: core, Dynamic: dyn, DialPod: NewPodDialer(cfg, core.RESTClient()),
		Namespace: namespace, Context: opt.current(),
	}, nil
}

// Configured tells whether there is a cluster that Open could mean, and its context, "" in a pod.
func Configured() (kubeContext string, ok bool) {
	if name := (Options{}).current(); name != "" {
		return name, true
	}
	return "", InPod()
}

// InPod tells whether this runs in a cluster; every pod has that variable.
func InPod() bool { return os.Getenv("KUBERNETES_SERVICE_HOST") != "" }

func (opt Options) loader() clientcmd.ClientConfig {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = opt.Kubeconfig
	overrides := &clientcmd.ConfigOverrides{CurrentContext: opt.Context}
	overrides.Context.Namespace = opt.Namespace
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides)
}

// current is the name of the context that is meant, "" if there is none.
func (opt Options) current() string {
	if opt.Context != "" {
		return opt.Context
	}
	raw, err := opt.loader().RawConfig()
	if err != nil || raw.Contexts[raw.CurrentContext] == nil {
		return ""
	}
	return raw.CurrentContext
}
