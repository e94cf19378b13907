package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// RegistrySpec is a package registry: one data plane with its database and its blobs.
type RegistrySpec struct {
	// Partition and region of the ARNs that policies, events and the service API show.
	// +optional
	ARN ARN `json:"arn,omitzero"`
	// Which namespaces may have domains in this registry. Left out: only the registry's own.
	// +optional
	AllowedNamespaces *AllowedNamespaces `json:"allowedNamespaces,omitempty"`
	// Which AWS-style account each namespace is. Namespaces that are not named get an account id made from their name.
	// +optional
	// +listType=map
	// +listMapKey=namespace
	// +kubebuilder:validation:MaxItems=1000
	// +kubebuilder:validation:XValidation:rule="self.all(a, self.exists_one(b, b.id == a.id))",message="two namespaces cannot be one account: every id must be unique"
	Accounts []Account `json:"accounts,omitempty"`
	// Under which addresses clients reach the registry. Addresses in documents are made from these and from nothing else. Requests to
	// a loopback address are always answered.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	Endpoints []Endpoint `json:"endpoints,omitempty"`
	// Bounds of what the registry takes. Left out, they are those of CodeArtifact.
	// +optional
	Limits Limits `json:"limits,omitzero"`
}

// ARN says how resource names begin: arn:<partition>:codeartifact:<region>:….
type ARN struct {
	// +optional
	// +kubebuilder:default=aws
	// +kubebuilder:validation:Pattern=`^[a-z][a-z0-9-]{0,30}$`
	Partition string `json:"partition,omitempty"`
	// +optional
	// +kubebuilder:default=local
	// +kubebuilder:validation:Pattern=`^[a-z][a-z0-9-]{0,30}$`
	Region string `json:"region,omitempty"`
}

// AllowedNamespaces selects namespaces.
type AllowedNamespaces struct {
	// Every namespace.
	// +optional
	All bool `json:"all,omitempty"`
	// Namespaces by name.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=1000
	// +kubebuilder:validation:items:MaxLength=63
	Names []string `json:"names,omitempty"`
	// Namespaces by their labels.
	// +optional
	Selector *metav1.LabelSelector `json:"selector,omitempty"`
}

// Account ties a namespace to an account id.
type Account struct {
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace"`
	// Twelve digits.
	// +kubebuilder:validation:Pattern=`^[0-9]{12}$`
	ID string `json:"id"`
	// Organization that aws:PrincipalOrgID conditions see.
	// +optional
	// +kubebuilder:validation:Pattern=`^o-[a-z0-9]{10,32}$`
	Organization string `json:"organization,omitempty"`
}

// Endpoint is an address of the registry: a URL, or a host below which every domain has a host of its own.
// +kubebuilder:validation:XValidation:rule="has(self.url) != has(self.host)",message="an endpoint has either a url or a host"
type Endpoint struct {
	// +kubebuilder:validation:Pattern=`^[a-z][a-z0-9-]{0,30}$`
	Name string `json:"name"`
	// For example https://packages.example.com, or with a path below which everything is.
	// +optional
	// +kubebuilder:validation:MaxLength=300
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHost() != '' && size(url(self).getQuery()) == 0",message="must be an http or https URL without a query"
	URL string `json:"url,omitempty"`
	// For example packages.example.com: domains are at <domain>-<account>.d.packages.example.com.
	// +optional
	// +kubebuilder:validation:MaxLength=180
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?$`
	Host string `json:"host,omitempty"`
}

// Limits of a registry.
type Limits struct {
	// Bytes of one asset. Default 5 GiB.
	// +optional
	// +kubebuilder:validation:Minimum=1
	AssetBytes int64 `json:"assetBytes,omitempty"`
	// Assets that may be published into one version. Default 150.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000
	AssetsPerVersion int32 `json:"assetsPerVersion,omitempty"`
	// Direct upstreams of a repository. Default 10.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=63
	DirectUpstreams int32 `json:"directUpstreams,omitempty"`
	// Upstreams that are searched for a package, besides the repository itself. Default 25.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=63
	SearchedUpstreams int32 `json:"searchedUpstreams,omitempty"`
	// External connections of one repository. Default 1.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10
	ExternalConnectionsPerRepository int32 `json:"externalConnectionsPerRepository,omitempty"`
	// Whether a repository may have upstreams and external connections; the connections are then searched last.
	// +optional
	MixedSources bool `json:"mixedSources,omitempty"`
	// Tags of one resource. Default 50.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=200
	TagsPerResource int32 `json:"tagsPerResource,omitempty"`
}

// Registry is a package registry. Domains belong to it.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories=packhouse,shortName=phreg
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Registry struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +optional
	// +kubebuilder:default={}
	Spec RegistrySpec `json:"spec,omitempty"`
	// +optional
	Status Status `json:"status,omitempty"`
}

// RegistryList is a list of registries.
//
// +kubebuilder:object:root=true
type RegistryList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Registry `json:"items"`
}
