package build

import (
	"fmt"
	"maps"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Folders of the pods, as the registry's own flags are given them.
const (
	dataDir    = "/var/lib/packhouse"
	adminDir   = "/etc/packhouse/admin"
	sealingDir = "/etc/packhouse/sealing"
)

// The user of the pods. The image has no user of its own, so that any number will do.
const userID = 65532

// drainSeconds is how long a pod is taken for ready to others after it was told to stop: until then they send it requests.
const drainSeconds = 5

// graceSeconds is how long requests under way may take after that: an upload of the largest asset over a slow line is not waited for.
const graceSeconds = 90

// AnnotationRestart makes pods start anew when it changes.
const AnnotationRestart = "packhouse.dev/restart"

func (b *builder) podTemplate() corev1.PodTemplateSpec {
	p := &b.r.Spec.Pods
	template := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: Labels(b.r.Name)}}
	if b.opt.Restart != "" {
		template.Annotations = map[string]string{AnnotationRestart: b.opt.Restart}
	}
	user, group, yes, grace := int64(userID), int64(userID), true, int64(drainSeconds+graceSeconds)
	onMismatch := corev1.FSGroupChangeOnRootMismatch
	spec := &template.Spec
	*spec = corev1.PodSpec{
		ServiceAccountName: b.names.Workload, AutomountServiceAccountToken: new(bool), EnableServiceLinks: new(bool),
		TerminationGracePeriodSeconds: &grace, NodeSelector: maps.Clone(p.NodeSelector), Tolerations: p.Tolerations, PriorityClassName: p.PriorityClassName,
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot: &yes, RunAsUser: &user, RunAsGroup: &group, FSGroup: &group, FSGroupChangePolicy: &onMismatch,
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		Containers: []corev1.Container{b.container()},
		Volumes: []corev1.Volume{
			{Name: "data", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: b.names.Data}}},
			secretVolume("admin", b.names.AdminServer), secretVolume("sealing", b.names.Keys),
		},
	}
	for _, s := range p.ImagePullSecrets {
		spec.ImagePullSecrets = append(spec.ImagePullSecrets, corev1.LocalObjectReference{Name: s.Name})
	}
	return template
}

func (b *builder) container() corev1.Container {
	p := &b.r.Spec.Pods
	image := p.Image
	if image == "" {
		image = b.opt.Image
	}
	yes := true
	return corev1.Container{
		Name: "registry", Image: image, ImagePullPolicy: p.ImagePullPolicy, Args: b.args(),
		Ports: []corev1.ContainerPort{containerPort(PortNamePackages, PortPackages), containerPort(PortNameMetrics, PortMetrics), containerPort(PortNameAdmin, PortAdmin)},
		// Readiness follows the database, liveness only the process: a database that is away is no reason to kill anything.
		StartupProbe:   probe("/-/healthz", 2, 60), // a large database may have to be recovered
		LivenessProbe:  probe("/-/healthz", 10, 6),
		ReadinessProbe: probe("/-/readyz", 3, 2),
		Resources:      b.resources(),
		SecurityContext: &corev1.SecurityContext{
			AllowPrivilegeEscalation: new(bool), ReadOnlyRootFilesystem: &yes, RunAsNonRoot: &yes,
			Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		},
		VolumeMounts: []corev1.VolumeMount{
			{Name: "data", MountPath: dataDir}, {Name: "admin", MountPath: adminDir, ReadOnly: true}, {Name: "sealing", MountPath: sealingDir, ReadOnly: true},
		},
		TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
	}
}

// args are the registry's flags. What the Registry leaves out has the default of the registry, not of the operator.
func (b *builder) args() []string {
	args := []string{
		"--data-dir", dataDir, "--listen", fmt.Sprintf(":%d", PortPackages), "--metrics-listen", fmt.Sprintf(":%d", PortMetrics),
		"--admin-listen", fmt.Sprintf(":%d", PortAdmin), "--admin-tls-dir", adminDir,
		"--sealing-key-file", sealingDir + "/" + KeySealing, "--drain-delay", fmt.Sprintf("%ds", drainSeconds),
	}
	if reads := b.r.Spec.Audit.Reads; reads != nil {
		args = append(args, "--audit-reads", strconv.Itoa(int(*reads)))
	}
	return args
}

func (b *builder) resources() corev1.ResourceRequirements {
	r := *b.r.Spec.Pods.Resources.DeepCopy()
	if len(r.Requests) == 0 && len(r.Limits) == 0 {
		r.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("128Mi")}
	}
	return r
}

func containerPort(name string, number int32) corev1.ContainerPort {
	return corev1.ContainerPort{Name: name, ContainerPort: number, Protocol: corev1.ProtocolTCP}
}

func probe(path string, seconds, failures int32) *corev1.Probe {
	return &corev1.Probe{
		ProbeHandler:  corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: path, Port: fromString(PortNameMetrics)}},
		PeriodSeconds: seconds, FailureThreshold: failures, TimeoutSeconds: 3,
	}
}

func secretVolume(name, secret string) corev1.Volume {
	mode := int32(0o440) // the group is the pod's fsGroup
	return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: secret, DefaultMode: &mode}}}
}

func fromString(s string) intstr.IntOrString { return intstr.FromString(s) }

func netPort(number int) networkingv1.NetworkPolicyPort {
	p, tcp := intstr.FromInt32(int32(number)), corev1.ProtocolTCP
	return networkingv1.NetworkPolicyPort{Port: &p, Protocol: &tcp}
}
