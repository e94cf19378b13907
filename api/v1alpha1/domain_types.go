package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// DomainSpec is a namespace for repositories and the unit in which stored bytes are shared.
// +kubebuilder:validation:XValidation:rule="has(self.name) == has(oldSelf.name) && (!has(self.name) || self.name == oldSelf.name)",message="name cannot be changed: make a new domain"
// +kubebuilder:validation:XValidation:rule="has(self.registryRef) == has(oldSelf.registryRef) && (!has(self.registryRef) || self.registryRef == oldSelf.registryRef)",message="registryRef cannot be changed: make a new domain"
type DomainSpec struct {
	// Name of the domain, if it is another than that of the object: 2 to 50 lower-case letters, digits and hyphens.
	// +optional
	// +kubebuilder:validation:MaxLength=50
	// +kubebuilder:validation:Pattern=`^[a-z][a-z0-9-]{0,48}[a-z0-9]$`
	Name string `json:"name,omitempty"`
	// Registry that serves the domain. Left out: the only one that there is.
	// +optional
	RegistryRef *Ref `json:"registryRef,omitempty"`
	// Tags of the domain, for policies and for the service API.
	// +optional
	// +kubebuilder:validation:MaxProperties=200
	// +kubebuilder:validation:XValidation:rule="self.all(k, size(k) > 0 && size(k) <= 128 && size(self[k]) <= 256)",message="tag keys have 1 to 128 characters and values at most 256"
	Tags map[string]TagValue `json:"tags,omitempty"`
	// How versions of packages may come in that are in no PackageGroup, and of those whose groups inherit it: the group of all packages,
	// /*. Left out, everything is allowed.
	// +optional
	// +kubebuilder:validation:XValidation:rule="(!has(self.publish) || self.publish.restriction != 'Inherit') && (!has(self.externalUpstream) || self.externalUpstream.restriction != 'Inherit') && (!has(self.internalUpstream) || self.internalUpstream.restriction != 'Inherit')",message="the group of all packages has no parent to inherit from"
	OriginControls GroupOriginControls `json:"originControls,omitzero"`
	// What becomes of the content when the object is deleted. Retain: it stays, is not served, and comes back with the object.
	// Delete: it is removed.
	// +optional
	// +kubebuilder:default=Retain
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`
}

// DomainStatus is what a domain reports.
type DomainStatus struct {
	Status `json:",inline"`
	// Registry that serves the domain, as <namespace>/<name>. It goes on doing so when there are others.
	// +optional
	Registry string `json:"registry,omitempty"`
	// Account that owns the domain: the one of its namespace.
	// +optional
	Account string `json:"account,omitempty"`
	// ARN of the domain.
	// +optional
	ARN string `json:"arn,omitempty"`
	// How many repositories are served.
	// +optional
	Repositories int32 `json:"repositories,omitempty"`
	// Repositories whose content is kept and not served, because no Repository declares them any more.
	// +optional
	// +listType=atomic
	Retained []string `json:"retained,omitempty"`
}

// TagValue of a resource.
// +kubebuilder:validation:MaxLength=256
type TagValue string

// DeletionPolicy says what becomes of content.
// +kubebuilder:validation:Enum=Retain;Delete
type DeletionPolicy string

// The deletion policies.
const (
	Retain DeletionPolicy = "Retain"
	Delete DeletionPolicy = "Delete"
)

// Domain is a namespace for repositories. Repositories of a domain share stored bytes, and can be upstreams of each other.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories=packhouse,shortName=phdom
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Account",type=string,JSONPath=`.status.account`
// +kubebuilder:printcolumn:name="Repositories",type=integer,JSONPath=`.status.repositories`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="has(self.spec.name) || self.metadata.name.matches('^[a-z][a-z0-9-]{0,48}[a-z0-9]$')",message="a domain's name has 2 to 50 lower-case letters, digits and hyphens and begins with a letter; set spec.name if the object's name is another"
type Domain struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +optional
	// +kubebuilder:default={}
	Spec DomainSpec `json:"spec,omitempty"`
	// +optional
	// +kubebuilder:default={observedGeneration:-1}
	Status DomainStatus `json:"status,omitempty"`
}

// OwnName is the name of the domain.
func (d *Domain) OwnName() string {
	if d.Spec.Name != "" {
		return d.Spec.Name
	}
	return d.Name
}

// DomainList is a list of domains.
//
// +kubebuilder:object:root=true
type DomainList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Domain `json:"items"`
}
