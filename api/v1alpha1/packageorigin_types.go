package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// PackageOriginConfigurationSpec overrides the origin controls of a package in a repository.
// +kubebuilder:validation:XValidation:rule="has(self.publish) || has(self.upstream)",message="set publish, upstream or both"
type PackageOriginConfigurationSpec struct {
	// Repository in whose origin controls the package is looked up.
	RepositoryRef Ref `json:"repositoryRef"`
	// The package. It need not exist: a private name can be blocked before its first publish.
	Package PackageName `json:"package"`
	// Whether versions may be published directly. Left out: as recorded when the package first came.
	// +optional
	Publish Restriction `json:"publish,omitempty"`
	// Whether versions may come from upstream repositories and external connections. With Block nobody outside is ever asked for the
	// name. Left out: as recorded when the package first came.
	// +optional
	Upstream Restriction `json:"upstream,omitempty"`
}

// PackageName is a package's name in its format.
type PackageName struct {
	// +kubebuilder:validation:Enum=cargo;generic;maven;npm;nuget;pypi;ruby;swift
	Format string `json:"format"`
	// npm scope without @, Maven group id, Swift scope.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	// +kubebuilder:validation:Pattern=`^[^#/\s]+$`
	Namespace string `json:"namespace,omitempty"`
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	// +kubebuilder:validation:Pattern=`^[^#/\s]+$`
	Name string `json:"name"`
}

// PackageOriginConfiguration declares where versions of a package may come from, against dependency confusion. While it exists it
// overrides what the registry recorded when the package first came; when it is deleted, that is in force again.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories=packhouse,shortName=phorigin
// +kubebuilder:printcolumn:name="Repository",type=string,JSONPath=`.spec.repositoryRef.name`
// +kubebuilder:printcolumn:name="Format",type=string,JSONPath=`.spec.package.format`
// +kubebuilder:printcolumn:name="Package",type=string,JSONPath=`.spec.package.name`
// +kubebuilder:printcolumn:name="Publish",type=string,JSONPath=`.spec.publish`
// +kubebuilder:printcolumn:name="Upstream",type=string,JSONPath=`.spec.upstream`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
type PackageOriginConfiguration struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec PackageOriginConfigurationSpec `json:"spec"`
	// +optional
	// +kubebuilder:default={observedGeneration:-1}
	Status Status `json:"status,omitempty"`
}

// PackageOriginConfigurationList is a list of package origin configurations.
//
// +kubebuilder:object:root=true
type PackageOriginConfigurationList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []PackageOriginConfiguration `json:"items"`
}
