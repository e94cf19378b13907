// Command operator makes registries of what is declared in a cluster. It holds nothing that a registry needs to serve: while it is
// away, registries go on with the configuration that they have.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	api "packhouse.dev/packhouse/api/v1alpha1"
	"packhouse.dev/packhouse/controllers/build"
	"packhouse.dev/packhouse/controllers/compile"
	"packhouse.dev/packhouse/controllers/registry"
	"packhouse.dev/packhouse/registry/format/all"
)

// version is set by the linker.
var version = "dev"

func main() {
	ctx := ctrl.SetupSignalHandler()
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "operator:", err)
		os.Exit(1)
	}
}

type flags struct {
	image, metrics, health string
	namespace              string // the operator's own
	elect, verbose         bool
	secureMetrics          bool
}

// leaseName is the Lease of the leader.
const leaseName = "packhouse-operator"

func command() *cobra.Command {
	var f flags
	c := &cobra.Command{
		Use: "operator", Short: "Run registries as declared in a cluster", Version: version, Args: cobra.NoArgs,
		Long: `Run registries as declared in the cluster of the current kubeconfig, or the one that the process runs in.`,
		Example: `  operator --registry-image ghcr.io/packhouse/registry:v1 --namespace packhouse-system
  KUBECONFIG=~/.kube/config operator --registry-image local/registry:dev --leader-elect=false`,
		SilenceUsage: true, SilenceErrors: true,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c.Context()) },
	}
	fl := c.Flags()
	fl.StringVar(&f.image, "registry-image", "", "image of the registry, for Registries that name none")
	fl.StringVar(&f.metrics, "metrics-listen", ":8443", "address for /metrics; 0: none")
	fl.BoolVar(&f.secureMetrics, "metrics-secure", true, "serve /metrics over TLS, to those whom RBAC allows it")
	fl.StringVar(&f.health, "health-listen", ":8081", "address for /healthz and /readyz; 0: none")
	fl.StringVar(&f.namespace, "namespace", os.Getenv("POD_NAMESPACE"), "namespace of the operator, for its Lease and for network policies; also POD_NAMESPACE")
	fl.BoolVar(&f.elect, "leader-elect", true, "let one of several operators work at a time")
	fl.BoolVarP(&f.verbose, "verbose", "v", false, "log more")
	fl.AddGoFlag(flag.Lookup("kubeconfig")) // controller-runtime's own
	return c
}

func (f *flags) run(ctx context.Context) error {
	level := slog.LevelInfo
	if f.verbose {
		level = slog.LevelDebug
	}
	log := logr.FromSlogHandler(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	ctrl.SetLogger(log)
	klog.SetLogger(log)
	if f.image == "" {
		return errors.New("--registry-image is needed: which image registries run")
	}
	if f.elect && f.namespace == "" {
		return errors.New("--namespace is needed for the leader's Lease; or give --leader-elect=false")
	}
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), api.AddToScheme(scheme)); err != nil {
		return err
	}
	restConfig, err := ctrl.GetConfig()
	if err != nil {
		return err
	}
	restConfig.QPS = -1 // the apiserver's own priority and fairness decides
	restConfig.UserAgent = "packhouse-operator/" + version
	m, err := ctrl.NewManager(restConfig, f.managerOptions(scheme))
	if err != nil {
		return err
	}
	if err := f.setup(m); err != nil {
		return err
	}
	log.Info("starting", "version", version)
	return m.Start(ctx)
}

func (f *flags) managerOptions(scheme *runtime.Scheme) ctrl.Options {
	metrics := metricsserver.Options{BindAddress: f.metrics, SecureServing: f.secureMetrics}
	if f.secureMetrics {
		metrics.FilterProvider = filters.WithAuthenticationAndAuthorization
	}
	ours := cache.ByObject{Label: labels.SelectorFromSet(labels.Set{build.LabelName: build.AppName})}
	return ctrl.Options{
		Scheme: scheme, Metrics: metrics, HealthProbeBindAddress: f.health,
		LeaderElection: f.elect, LeaderElectionID: leaseName, LeaderElectionNamespace: f.namespace, LeaderElectionReleaseOnCancel: true,
		Cache: cache.Options{
			DefaultTransform: cache.TransformStripManagedFields(),
			ByObject: map[client.Object]cache.ByObject{
				&corev1.Pod{}: ours, &corev1.Service{}: ours, &corev1.ServiceAccount{}: {Transform: namesOnly}, &appsv1.StatefulSet{}: ours, &networkingv1.NetworkPolicy{}: ours,
			},
		},
		Client: client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}, &corev1.PersistentVolumeClaim{}}}},
	}
}

// namesOnly leaves of a service account what is asked about it: there may be many.
func namesOnly(o any) (any, error) {
	if a, ok := o.(*corev1.ServiceAccount); ok {
		a.ManagedFields, a.Annotations, a.Secrets, a.ImagePullSecrets = nil, nil, nil, nil
		if a.Labels[build.LabelName] != build.AppName {
			a.Labels = nil
		}
	}
	return o, nil
}

func (f *flags) setup(m ctrl.Manager) error {
	if err := errors.Join(m.AddHealthzCheck("ping", healthz.Ping), m.AddReadyzCheck("ping", healthz.Ping)); err != nil {
		return err
	}
	opt := registry.Options{
		Client: m.GetClient(), Live: m.GetAPIReader(), Events: m.GetEventRecorder("packhouse-operator"),
		Planes: &registry.Pods{Client: m.GetClient(), Live: m.GetAPIReader()},
		Build:  build.Options{Image: f.image, OperatorNamespace: f.namespace},
	}
	for _, x := range all.Formats() {
		t := x.Traits()
		opt.Formats = append(opt.Formats, string(t.Name))
		for _, p := range t.Presets {
			opt.Presets = append(opt.Presets, compile.Preset{Name: p.Name, Format: t.Name, URL: p.URL, Hosts: p.Hosts})
		}
	}
	if f.elect {
		opt.Epoch = f.epoch(m.GetAPIReader())
	}
	clients, err := discovery.NewDiscoveryClientForConfig(m.GetConfig())
	if err != nil {
		return err
	}
	opt.Issuer = registry.ClusterIssuer(clients.RESTClient())
	return registry.New(opt).SetupWithManager(m)
}

// epoch counts leaders: the Lease counts how often it changed hands.
func (f *flags) epoch(r client.Reader) func(context.Context) (int64, error) {
	return func(ctx context.Context) (int64, error) {
		lease := &coordinationv1.Lease{}
		if err := r.Get(ctx, types.NamespacedName{Namespace: f.namespace, Name: leaseName}, lease); err != nil {
			return 0, fmt.Errorf("the leader's Lease: %w", err)
		}
		if lease.Spec.LeaseTransitions == nil {
			return 0, nil
		}
		return int64(*lease.Spec.LeaseTransitions), nil
	}
}
