package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// GroupRestriction says whether versions of a group's packages may come in by one way.
// +kubebuilder:validation:Enum=Allow;Block;AllowSpecificRepositories;Inherit
type GroupRestriction string

// The restrictions of groups.
const (
	GroupAllow         GroupRestriction = "Allow"
	GroupBlock         GroupRestriction = "Block"
	GroupAllowSpecific GroupRestriction = "AllowSpecificRepositories"
	GroupInherit       GroupRestriction = "Inherit"
)

// GroupControl says by which repositories versions may come in.
// +kubebuilder:validation:XValidation:rule="has(self.repositories) == (self.restriction == 'AllowSpecificRepositories')",message="repositories are named with AllowSpecificRepositories, and only then"
type GroupControl struct {
	// Allow and Block are for all repositories. Inherit takes what the parent group says, its list included.
	Restriction GroupRestriction `json:"restriction"`
	// Names of repositories in the domain.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=1000
	// +kubebuilder:validation:items:MaxLength=100
	// +kubebuilder:validation:items:Pattern=`^[A-Za-z0-9][A-Za-z0-9._-]{1,99}$`
	Repositories []string `json:"repositories,omitempty"`
}

// GroupOriginControls say how versions of a group's packages may come into repositories.
type GroupOriginControls struct {
	// Direct publishing, into the repositories that are named. Left out: as the parent says.
	// +optional
	Publish *GroupControl `json:"publish,omitempty"`
	// Fetching from public registries, into the repositories that have the connection. Left out: as the parent says.
	// +optional
	ExternalUpstream *GroupControl `json:"externalUpstream,omitempty"`
	// Retention from upstream repositories, into the repositories that retain. Left out: as the parent says.
	// +optional
	InternalUpstream *GroupControl `json:"internalUpstream,omitempty"`
}

// PackageGroupSpec is a group of packages by their names.
// +kubebuilder:validation:XValidation:rule="self.domainRef == oldSelf.domainRef",message="domainRef cannot be changed: make a new group"
// +kubebuilder:validation:XValidation:rule="self.pattern == oldSelf.pattern",message="pattern cannot be changed: make a new group"
type PackageGroupSpec struct {
	// Domain of the same namespace.
	DomainRef Ref `json:"domainRef"`
	// Which packages: /npm/* (a format), /npm/corp/* (a namespace), /maven/com.corp~ (namespaces that begin with words), /npm/corp/ui~
	// (names that begin with words) or /npm/corp/ui$ (one package). A package belongs to the most specific group. Variations in case,
	// in -._ and in characters that look alike belong to it, too, and are blocked.
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=520
	// +kubebuilder:validation:XValidation:rule="self != '/*'",message="the group of all packages is Domain.spec.originControls"
	// +kubebuilder:validation:XValidation:rule="self == '/*' || self.matches('^/[a-z]+/[^/#\\\\s]*(/[^/#\\\\s]*)?[*~$]$')",message="a pattern is /format/*, /format/namespace/*, or ends with a namespace or a name and ~, or with a name and $"
	Pattern string `json:"pattern"`
	// What the group is for.
	// +optional
	// +kubebuilder:validation:MaxLength=1000
	Description string `json:"description,omitempty"`
	// Who answers questions about the group.
	// +optional
	// +kubebuilder:validation:MaxLength=1000
	Contact string `json:"contact,omitempty"`
	// How versions may come in. Left out: as the parent group says.
	// +optional
	OriginControls GroupOriginControls `json:"originControls,omitzero"`
	// Tags of the group, for policies and for the service API.
	// +optional
	// +kubebuilder:validation:MaxProperties=200
	// +kubebuilder:validation:XValidation:rule="self.all(k, size(k) > 0 && size(k) <= 128 && size(self[k]) <= 256)",message="tag keys have 1 to 128 characters and values at most 256"
	Tags map[string]TagValue `json:"tags,omitempty"`
}

// EffectiveControl is what holds for a way once parents are asked.
type EffectiveControl struct {
	Restriction GroupRestriction `json:"restriction"`
	// Pattern of the group that says so, if it is a parent.
	// +optional
	InheritedFrom string `json:"inheritedFrom,omitempty"`
	// How many repositories are named, with AllowSpecificRepositories.
	// +optional
	Repositories int32 `json:"repositories,omitempty"`
}

// PackageGroupStatus is what is true of a group.
type PackageGroupStatus struct {
	Status `json:",inline"`
	// Pattern of the parent group.
	// +optional
	Parent string `json:"parent,omitempty"`
	// How many groups have this one as their parent.
	// +optional
	Subgroups int32 `json:"subgroups,omitempty"`
	// How many packages of the domain are of this group and of no subgroup, whatever the repository. Counted about once a minute.
	// +optional
	Packages int64 `json:"packages,omitempty"`
	// +optional
	Publish *EffectiveControl `json:"publish,omitempty"`
	// +optional
	ExternalUpstream *EffectiveControl `json:"externalUpstream,omitempty"`
	// +optional
	InternalUpstream *EffectiveControl `json:"internalUpstream,omitempty"`
}

// PackageGroup says how versions of all packages of a pattern may come into the repositories of a domain, against dependency confusion.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories=packhouse,shortName=phgroup
// +kubebuilder:printcolumn:name="Domain",type=string,JSONPath=`.spec.domainRef.name`
// +kubebuilder:printcolumn:name="Pattern",type=string,JSONPath=`.spec.pattern`
// +kubebuilder:printcolumn:name="Publish",type=string,JSONPath=`.status.publish.restriction`
// +kubebuilder:printcolumn:name="External",type=string,JSONPath=`.status.externalUpstream.restriction`
// +kubebuilder:printcolumn:name="Internal",type=string,JSONPath=`.status.internalUpstream.restriction`
// +kubebuilder:printcolumn:name="Packages",type=integer,JSONPath=`.status.packages`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
type PackageGroup struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec PackageGroupSpec `json:"spec"`
	// +optional
	// +kubebuilder:default={observedGeneration:-1}
	Status PackageGroupStatus `json:"status,omitempty"`
}

// PackageGroupList is a list of package groups.
//
// +kubebuilder:object:root=true
type PackageGroupList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []PackageGroup `json:"items"`
}
