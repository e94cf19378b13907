package build

import (
	"maps"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	api "packhouse.dev/packhouse/api/v1alpha1"
)

// Options are what the operator knows beside the Registry.
type Options struct {
	Image             string // of the registry, unless the Registry names one
	OperatorNamespace string // the pods that may reach the admin API are in it; "" leaves the API open to the cluster
	// Restart is a text that changes when the pods have to start anew, apart from changes of their own objects.
	Restart string
}

// Objects are everything that a Registry is made of, but for Secrets, whose content is random and therefore not built. Those that
// nobody must lose have no owner under the deletion policy Retain.
func Objects(r *api.Registry, opt Options) []runtime.Object {
	b := builder{r: r, opt: opt, names: NamesOf(r.Name)}
	out := []runtime.Object{b.serviceAccount(), b.volumeClaim(), b.headless(), b.service(), b.statefulSet()}
	if r.Spec.NetworkPolicy != "None" {
		out = append(out, b.networkPolicy())
	}
	return out
}

type builder struct {
	r     *api.Registry
	opt   Options
	names Names
}

// Labels of the objects of a Registry.
func Labels(registry string) map[string]string {
	l := Selector(registry)
	l[LabelManagedBy] = ManagedBy
	return l
}

// OwnedBy is the reference of what goes when its Registry goes.
func OwnedBy(r *api.Registry) []metav1.OwnerReference {
	yes := true
	return []metav1.OwnerReference{{
		APIVersion: api.GroupVersion.String(), Kind: "Registry", Name: r.Name, UID: r.UID, Controller: &yes, BlockOwnerDeletion: &yes,
	}}
}

// OwnedUnlessRetained is the reference of what holds content.
func OwnedUnlessRetained(r *api.Registry) []metav1.OwnerReference {
	if r.Spec.DeletionPolicy == api.Delete {
		return OwnedBy(r)
	}
	return nil
}

func (b *builder) meta(name string, owners []metav1.OwnerReference) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: b.r.Namespace, Name: name, Labels: Labels(b.r.Name), OwnerReferences: owners}
}

func (b *builder) serviceAccount() *corev1.ServiceAccount {
	return &corev1.ServiceAccount{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"},
		ObjectMeta: b.meta(b.names.Workload, OwnedBy(b.r)), AutomountServiceAccountToken: new(bool), // the registry never talks to the apiserver
	}
}

func (b *builder) volumeClaim() *corev1.PersistentVolumeClaim {
	return &corev1.PersistentVolumeClaim{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "PersistentVolumeClaim"},
		ObjectMeta: b.meta(b.names.Data, OwnedUnlessRetained(b.r)),
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes:      []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			StorageClassName: b.r.Spec.Storage.StorageClassName,
			Resources:        corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: b.r.Spec.Storage.Size}},
		},
	}
}

func (b *builder) service() *corev1.Service {
	s := b.r.Spec.Service
	meta := b.meta(b.names.Workload, OwnedBy(b.r))
	meta.Annotations = maps.Clone(s.Annotations)
	return &corev1.Service{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Service"}, ObjectMeta: meta,
		Spec: corev1.ServiceSpec{
			Type: s.Type, Selector: Selector(b.r.Name),
			// Only packages: metrics are scraped from pods, and the admin API is nobody's but the operator's.
			Ports: []corev1.ServicePort{port(PortNamePackages, ServicePort, PortNamePackages)},
		},
	}
}

func (b *builder) headless() *corev1.Service {
	return &corev1.Service{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Service"}, ObjectMeta: b.meta(b.names.Headless, OwnedBy(b.r)),
		Spec: corev1.ServiceSpec{
			ClusterIP: corev1.ClusterIPNone, Selector: Selector(b.r.Name), PublishNotReadyAddresses: true,
			Ports: []corev1.ServicePort{port(PortNamePackages, PortPackages, PortNamePackages), port(PortNameMetrics, PortMetrics, PortNameMetrics)},
		},
	}
}

func port(name string, number int32, target string) corev1.ServicePort {
	return corev1.ServicePort{Name: name, Port: number, TargetPort: fromString(target), Protocol: corev1.ProtocolTCP}
}

func (b *builder) networkPolicy() *networkingv1.NetworkPolicy {
	open := networkingv1.NetworkPolicyIngressRule{Ports: []networkingv1.NetworkPolicyPort{netPort(PortPackages), netPort(PortMetrics)}}
	admin := networkingv1.NetworkPolicyIngressRule{Ports: []networkingv1.NetworkPolicyPort{netPort(PortAdmin)}}
	if b.opt.OperatorNamespace != "" {
		admin.From = []networkingv1.NetworkPolicyPeer{{
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: b.opt.OperatorNamespace}},
			PodSelector:       &metav1.LabelSelector{MatchLabels: map[string]string{LabelName: AppName, LabelComponent: ComponentOperator}},
		}}
	}
	return &networkingv1.NetworkPolicy{
		TypeMeta: metav1.TypeMeta{APIVersion: "networking.k8s.io/v1", Kind: "NetworkPolicy"}, ObjectMeta: b.meta(b.names.Workload, OwnedBy(b.r)),
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: metav1.LabelSelector{MatchLabels: Selector(b.r.Name)},
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
			Ingress:     []networkingv1.NetworkPolicyIngressRule{open, admin},
		},
	}
}

// statefulSet runs one pod: the embedded database has one writer, which its lock on the volume makes sure of, too.
func (b *builder) statefulSet() *appsv1.StatefulSet {
	one, history := int32(1), int32(3)
	return &appsv1.StatefulSet{
		TypeMeta: metav1.TypeMeta{APIVersion: "apps/v1", Kind: "StatefulSet"}, ObjectMeta: b.meta(b.names.Workload, OwnedBy(b.r)),
		Spec: appsv1.StatefulSetSpec{
			Replicas: &one, ServiceName: b.names.Headless, RevisionHistoryLimit: &history,
			PodManagementPolicy: appsv1.ParallelPodManagement, // a pod that never became ready must not hold up its own repair
			Selector:            &metav1.LabelSelector{MatchLabels: Selector(b.r.Name)},
			Template:            b.podTemplate(),
		},
	}
}
