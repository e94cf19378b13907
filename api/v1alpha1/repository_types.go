package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// RepositorySpec is a repository: a set of packages of any format.
// +kubebuilder:validation:XValidation:rule="has(self.name) == has(oldSelf.name) && (!has(self.name) || self.name == oldSelf.name)",message="name cannot be changed: make a new repository"
// +kubebuilder:validation:XValidation:rule="self.domainRef == oldSelf.domainRef",message="domainRef cannot be changed: make a new repository"
type RepositorySpec struct {
	// Name of the repository, if it is another than that of the object: 2 to 100 letters, digits, dots, underscores and hyphens.
	// +optional
	// +kubebuilder:validation:MaxLength=100
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9][A-Za-z0-9._-]{1,99}$`
	Name string `json:"name,omitempty"`
	// Domain of the repository.
	DomainRef Ref `json:"domainRef"`
	// What the repository is for.
	// +optional
	// +kubebuilder:validation:MaxLength=1000
	Description string `json:"description,omitempty"`
	// Repositories of the domain in which packages are looked for that are not in this one, in this order.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=63
	Upstreams []Upstream `json:"upstreams,omitempty"`
	// Public registries from which packages are fetched that are not in this repository: one at most, and instead of upstreams, unless
	// the limits of the registry say otherwise.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=10
	ExternalConnections []ConnectionRef `json:"externalConnections,omitempty"`
	// Tags of the repository, for policies and for the service API.
	// +optional
	// +kubebuilder:validation:MaxProperties=200
	// +kubebuilder:validation:XValidation:rule="self.all(k, size(k) > 0 && size(k) <= 128 && size(self[k]) <= 256)",message="tag keys have 1 to 128 characters and values at most 256"
	Tags map[string]TagValue `json:"tags,omitempty"`
	// What becomes of the content when the object is deleted. Retain: it stays, is not served, and comes back with the object.
	// Delete: it is removed.
	// +optional
	// +kubebuilder:default=Retain
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`
}

// RepositoryStatus is what a repository reports.
type RepositoryStatus struct {
	Status `json:",inline"`
	// Registry that serves the repository, as <namespace>/<name>.
	// +optional
	Registry string `json:"registry,omitempty"`
	// ARN of the repository.
	// +optional
	ARN string `json:"arn,omitempty"`
	// Where clients find the repository, by package format.
	// +optional
	// +listType=map
	// +listMapKey=format
	Endpoints []RepositoryEndpoint `json:"endpoints,omitempty"`
	// Where packages are looked for, in this order: names of repositories of the domain, beginning with this one, and of external
	// connections.
	// +optional
	// +listType=atomic
	SearchOrder []string `json:"searchOrder,omitempty"`
}

// RepositoryEndpoint is an address for the clients of a package format.
type RepositoryEndpoint struct {
	Format string `json:"format"`
	URL    string `json:"url"`
}

// Upstream is a repository of the same domain.
type Upstream struct {
	// The repository's own name in the domain.
	// +kubebuilder:validation:MaxLength=100
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9][A-Za-z0-9._-]{1,99}$`
	Name string `json:"name"`
}

// ConnectionRef names an external connection.
type ConnectionRef struct {
	// A preset like public:npmjs, or the name of an ExternalConnection of the same namespace.
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9][A-Za-z0-9._:-]{1,99}$`
	Name string `json:"name"`
}

// Repository is a set of packages, to which clients publish and from which they install.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=repositories,singular=repository,categories=packhouse,shortName=phrepo
// +kubebuilder:printcolumn:name="Domain",type=string,JSONPath=`.spec.domainRef.name`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="has(self.spec.name) || self.metadata.name.matches('^[A-Za-z0-9][A-Za-z0-9._-]{1,99}$')",message="a repository's name has 2 to 100 characters; set spec.name if the object's name is another"
// +kubebuilder:validation:XValidation:rule="!has(self.spec.upstreams) || !self.spec.upstreams.exists(u, u.name == (has(self.spec.name) ? self.spec.name : self.metadata.name))",message="a repository cannot be its own upstream"
type Repository struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec RepositorySpec `json:"spec"`
	// +optional
	// +kubebuilder:default={observedGeneration:-1}
	Status RepositoryStatus `json:"status,omitempty"`
}

// OwnName is the name of the repository in its domain.
func (r *Repository) OwnName() string {
	if r.Spec.Name != "" {
		return r.Spec.Name
	}
	return r.Name
}

// RepositoryList is a list of repositories.
//
// +kubebuilder:object:root=true
type RepositoryList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Repository `json:"items"`
}
