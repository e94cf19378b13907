// Package build makes the Kubernetes objects of a Registry. It is pure: the same Registry gives the same objects, byte for byte, so
// that applying them twice changes nothing.
package build

import (
	"crypto/sha256"
	"encoding/hex"
)

// Ports of a registry's pods and of its Service.
const (
	PortPackages = 8080
	PortMetrics  = 9090
	PortAdmin    = 8443

	PortNamePackages = "http"
	PortNameMetrics  = "metrics"
	PortNameAdmin    = "admin"

	ServicePort = 80 // of the Service, for packages
)

// Labels of everything that belongs to a Registry.
const (
	LabelName      = "app.kubernetes.io/name"
	LabelInstance  = "app.kubernetes.io/instance"
	LabelComponent = "app.kubernetes.io/component"
	LabelManagedBy = "app.kubernetes.io/managed-by"

	AppName           = "packhouse"
	ComponentRegistry = "registry"
	ComponentOperator = "operator"
	ManagedBy         = "packhouse-operator"
)

// Keys of the Secrets, as in Secrets of type kubernetes.io/tls where there is a certificate.
const (
	KeyCertificate = "tls.crt"
	KeyPrivate     = "tls.key"
	KeyCA          = "ca.crt"
	KeySealing     = "sealing.key"
)

// Names are the names of the objects of a Registry. They depend on its name alone and never change.
type Names struct {
	Workload    string // StatefulSet, Service, ServiceAccount, PodDisruptionBudget, NetworkPolicy
	Headless    string // Service that governs the StatefulSet
	Data        string // PersistentVolumeClaim
	Keys        string // Secret with the sealing key: who loses it loses what is sealed
	Authority   string // Secret with the certificate authority of the admin API; the pods do not get it
	AdminServer string // Secret with the pods' certificate for the admin API
	AdminClient string // Secret with the certificate of administrators and of the operator: who reads it may do everything
}

// maxBase leaves room for the suffixes of names and of pods in labels and host names, which may have 63 characters.
const maxBase = 40

// NamesOf returns the names of the objects of a Registry.
func NamesOf(registry string) Names {
	base := "packhouse-" + registry
	if len(base) > maxBase {
		sum := sha256.Sum256([]byte(registry))
		base = base[:maxBase-9] + "-" + hex.EncodeToString(sum[:4])
	}
	return Names{
		Workload: base, Headless: base + "-pods", Data: base + "-data", Keys: base + "-keys",
		Authority: base + "-admin-ca", AdminServer: base + "-admin-server", AdminClient: base + "-admin",
	}
}

// AdminServerName is the name in the certificate of a registry's admin API. It is no address: callers come by pod IP or through a
// forwarded port.
func AdminServerName(namespace, registry string) string {
	return "admin." + registry + "." + namespace + ".packhouse.internal"
}

// Selector returns the labels of the pods of a Registry.
func Selector(registry string) map[string]string {
	return map[string]string{LabelName: AppName, LabelComponent: ComponentRegistry, LabelInstance: labelValue(registry)}
}

// labelValue makes a label's value of a name, which may be longer.
func labelValue(s string) string {
	if len(s) <= 63 {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	return s[:54] + "-" + hex.EncodeToString(sum[:4])
}
