package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ExternalConnectionSpec is a registry outside, from which packages are fetched.
// +kubebuilder:validation:XValidation:rule="self.format == oldSelf.format",message="format cannot be changed: make a new external connection"
// +kubebuilder:validation:XValidation:rule="!has(self.overrides) || self.overrides.startsWith('public:')",message="overrides names a preset, like public:npmjs"
type ExternalConnectionSpec struct {
	// Package format of the registry.
	// +kubebuilder:validation:Enum=cargo;maven;npm;nuget;pypi;ruby;swift
	Format string `json:"format"`
	// Address, as the format's own client would be given it.
	// +kubebuilder:validation:MaxLength=500
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHost() != ''",message="must be an http or https URL"
	// +kubebuilder:validation:XValidation:rule="!self.contains('@')",message="credentials do not belong into an address: use credentials"
	URL string `json:"url"`
	// Preset whose place it takes for the whole registry, for example public:npmjs. Only in the namespace of the Registry.
	// +optional
	// +kubebuilder:validation:MaxLength=100
	Overrides string `json:"overrides,omitempty"`
	// Further hosts from which files are fetched, if the registry's documents name them. Credentials are never sent there.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=20
	// +kubebuilder:validation:items:MaxLength=253
	Hosts []string `json:"hosts,omitempty"`
	// Secret of the same namespace with username and password, or token.
	// +optional
	Credentials *LocalRef `json:"credentials,omitempty"`
	// Certificates, in PEM, that the registry's certificate may be issued by, instead of the well-known ones.
	// +optional
	// +kubebuilder:validation:MaxLength=65536
	CA string `json:"ca,omitempty"`
	// Whether the address may lead into private networks.
	// +optional
	AllowPrivateAddresses bool `json:"allowPrivateAddresses,omitempty"`
	// How long answers are taken without asking again.
	// +optional
	Cache Cache `json:"cache,omitzero"`
	// Which files of a version are kept when one of them is downloaded.
	// +optional
	// +kubebuilder:default=All
	// +kubebuilder:validation:Enum=All;Requested
	Retain string `json:"retain,omitempty"`
	// What becomes of a publish when the registry cannot be asked whether it has the version.
	// +optional
	// +kubebuilder:default=Allow
	// +kubebuilder:validation:Enum=Allow;Deny
	PublishWhenUnavailable string `json:"publishWhenUnavailable,omitempty"`
	// Which questions of clients are passed on, with public names only.
	// +optional
	Forward Forward `json:"forward,omitzero"`
}

// Cache lifetimes.
type Cache struct {
	// Of lists of versions. Default 5m.
	// +optional
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('720h')",message="must be a duration from 1s to 720h"
	Index string `json:"index,omitempty"`
	// Of the answer that there is no such package. Default 1m.
	// +optional
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('720h')",message="must be a duration from 1s to 720h"
	Absent string `json:"absent,omitempty"`
}

// Forward selects questions.
type Forward struct {
	// Vulnerability audits, as by "npm audit".
	// +optional
	Audit bool `json:"audit,omitempty"`
	// Searches.
	// +optional
	Search bool `json:"search,omitempty"`
}

// ExternalConnection is a registry outside. Repositories of its namespace name it in externalConnections.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories=packhouse,shortName=phconn
// +kubebuilder:printcolumn:name="Format",type=string,JSONPath=`.spec.format`
// +kubebuilder:printcolumn:name="URL",type=string,JSONPath=`.spec.url`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type ExternalConnection struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec ExternalConnectionSpec `json:"spec"`
	// +optional
	// +kubebuilder:default={observedGeneration:-1}
	Status Status `json:"status,omitempty"`
}

// ExternalConnectionList is a list of external connections.
//
// +kubebuilder:object:root=true
type ExternalConnectionList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ExternalConnection `json:"items"`
}
