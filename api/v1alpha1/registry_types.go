package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

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
	Accounts []Account `json:"accounts,omitempty"`
	// What clients of the service API may change in the cluster.
	// +optional
	ServiceAPI ServiceAPI `json:"serviceAPI,omitzero"`
	// Under which addresses clients reach the registry. Addresses in documents are made from these and from nothing else. Requests to
	// a loopback address are always answered.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	Endpoints []Endpoint `json:"endpoints,omitempty"`
	// Networks of proxies and load balancers in front of the registry whose headers X-Forwarded-For and X-Forwarded-Proto are believed:
	// conditions on aws:SourceIp and aws:SecureTransport see what they say. Left out: none, and conditions see the connection's address.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=100
	// +kubebuilder:validation:items:MaxLength=50
	// +kubebuilder:validation:items:XValidation:rule="isCIDR(self)",message="must be a network like 10.0.0.0/8"
	TrustedProxies []string `json:"trustedProxies,omitempty"`
	// Bounds of what the registry takes. Left out, they are those of CodeArtifact.
	// +optional
	Limits Limits `json:"limits,omitzero"`
	// What the record of who did what has of reads. It is on the standard output of the pods, a line of JSON for each entry.
	// +optional
	Audit Audit `json:"audit,omitzero"`
	// Volume for packages and, as long as there is no other database, their metadata.
	// +optional
	// +kubebuilder:default={}
	Storage Storage `json:"storage,omitzero"`
	// How the registry is reached inside the cluster, and from outside without an ingress.
	// +optional
	// +kubebuilder:default={}
	Service Service `json:"service,omitzero"`
	// The pods.
	// +optional
	// +kubebuilder:default={}
	Pods Pods `json:"pods,omitzero"`
	// Who may open connections to the pods. Managed: everybody those for packages and metrics, and nobody but the operator those of
	// the admin API. None: there is no NetworkPolicy, or it is yours.
	// +optional
	// +kubebuilder:default=Managed
	// +kubebuilder:validation:Enum=Managed;None
	NetworkPolicy string `json:"networkPolicy,omitempty"`
	// What becomes of the volume and of the sealing key when the object is deleted. Retain: they stay, and an object of the same name
	// takes them up again. Delete: they are removed with it.
	// +optional
	// +kubebuilder:default=Retain
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`
}

// Storage of a registry.
// +kubebuilder:validation:XValidation:rule="has(self.storageClassName) == has(oldSelf.storageClassName) && (!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName)",message="storageClassName cannot be changed: move the data to a new registry"
type Storage struct {
	// Size of the volume. It can grow where the storage class allows that.
	// +optional
	// +kubebuilder:default="10Gi"
	Size resource.Quantity `json:"size,omitempty"`
	// Storage class of the volume. Left out: the cluster's default.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	StorageClassName *string `json:"storageClassName,omitempty"`
}

// Service of a registry.
type Service struct {
	// +optional
	// +kubebuilder:default=ClusterIP
	// +kubebuilder:validation:Enum=ClusterIP;NodePort;LoadBalancer
	Type corev1.ServiceType `json:"type,omitempty"`
	// Annotations of the Service, for example for a load balancer.
	// +optional
	// +kubebuilder:validation:MaxProperties=50
	Annotations map[string]string `json:"annotations,omitempty"`
}

// Pods of a registry.
type Pods struct {
	// Image to run. Left out: the one that belongs to the operator.
	// +optional
	// +kubebuilder:validation:MaxLength=500
	Image string `json:"image,omitempty"`
	// +optional
	// +kubebuilder:validation:Enum=Always;IfNotPresent;Never
	ImagePullPolicy corev1.PullPolicy `json:"imagePullPolicy,omitempty"`
	// Secrets of the same namespace with which the image is pulled.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=10
	ImagePullSecrets []LocalRef `json:"imagePullSecrets,omitempty"`
	// CPU and memory. Left out: requests of 100m and 128Mi, and no limits.
	// +optional
	Resources corev1.ResourceRequirements `json:"resources,omitzero"`
	// Labels that a node must have.
	// +optional
	// +kubebuilder:validation:MaxProperties=50
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`
	// Taints that are put up with.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=50
	Tolerations []corev1.Toleration `json:"tolerations,omitempty"`
	// +optional
	// +kubebuilder:validation:MaxLength=253
	PriorityClassName string `json:"priorityClassName,omitempty"`
}

// RegistryStatus is what a registry reports.
type RegistryStatus struct {
	Status `json:",inline"`
	// Addresses under which clients reach the registry, the one for documents first.
	// +optional
	// +listType=atomic
	Endpoints []string `json:"endpoints,omitempty"`
	// Version of the registry that runs.
	// +optional
	Version string `json:"version,omitempty"`
	// How many domains and repositories are served.
	// +optional
	Domains int32 `json:"domains,omitempty"`
	// +optional
	Repositories int32 `json:"repositories,omitempty"`
	// Domains, as <account>/<name>, whose content is kept and not served, because no Domain declares them any more.
	// +optional
	// +listType=atomic
	Retained []string `json:"retained,omitempty"`
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

// ServiceAPI says what becomes of changes that clients of the service API want of domains, repositories, package groups and policies.
type ServiceAPI struct {
	// In which namespaces the operator makes, changes and deletes objects for them: the one of a client's account for a domain or a
	// repository that it creates, and the domain's for package groups and policies. What somebody else keeps, as Argo CD, Flux, Helm or
	// kubectl, is never changed. Left out: in none, and such changes are refused.
	// +optional
	Namespaces *AllowedNamespaces `json:"namespaces,omitempty"`
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
	// What may be done through this address, whoever asks: requests that come in here must be allowed by it, beside what all other
	// policies say. Left out: everything. Clients choose the address that they write into their requests; it is a border if the network
	// lets them reach no other one.
	// +optional
	// +kubebuilder:validation:XValidation:rule="has(self.document) != has(self.statements)",message="a policy has either a document or statements"
	Policy *ResourcePolicy `json:"policy,omitempty"`
}

// Audit is how much of what is done goes into the record.
type Audit struct {
	// One of so many reads of packages is recorded: 1 is all, 0 none. What changes something, what is denied and every call of the
	// service API is always recorded. Left out: one of 100. A change starts the pods anew.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000000
	Reads *int32 `json:"reads,omitempty"`
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
	// Repositories of one domain. Default 1000.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000
	RepositoriesPerDomain int32 `json:"repositoriesPerDomain,omitempty"`
	// Domains of one account, of which the service API may create as many. Default 10.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000
	DomainsPerAccount int32 `json:"domainsPerAccount,omitempty"`
	// CodeArtifact: where requestRates says nothing, the request quotas of CodeArtifact hold. Left out: no request is one too many.
	// +optional
	// +kubebuilder:validation:Enum=CodeArtifact
	Profile string `json:"profile,omitempty"`
	// How many requests a second are answered, by each replica. Those beyond get status 429 and are told when to try again.
	// +optional
	RequestRates RequestRates `json:"requestRates,omitzero"`
}

// RequestRates are requests per second. 0 is no limit.
type RequestRates struct {
	// Requests of one account that read. In CodeArtifact 800.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000000
	Reads *int32 `json:"reads,omitempty"`
	// Requests of one account that write. In CodeArtifact 100.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000000
	Writes *int32 `json:"writes,omitempty"`
	// Requests with one token. In CodeArtifact 1200.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000000
	Token *int32 `json:"token,omitempty"`
	// Requests without a token from one address. In CodeArtifact 600.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000000
	Address *int32 `json:"address,omitempty"`
	// Requests of one account for operations of the service API that have quotas of their own. In CodeArtifact CopyPackageVersions 5,
	// GetAuthorizationToken 40, GetPackageVersionAsset 50, ListPackageVersionAssets 200, ListPackageVersions 200, ListPackages 200 and
	// PublishPackageVersion 10.
	// +optional
	// +kubebuilder:validation:MaxProperties=7
	// +kubebuilder:validation:XValidation:rule="self.all(k, k in ['CopyPackageVersions', 'GetAuthorizationToken', 'GetPackageVersionAsset', 'ListPackageVersionAssets', 'ListPackageVersions', 'ListPackages', 'PublishPackageVersion'] && self[k] >= 0 && self[k] <= 1000000)",message="an operation has no quota of its own, or not one between 0 and 1000000"
	Operations map[string]int32 `json:"operations,omitempty"`
}

// Registry is a package registry. Domains belong to it.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories=packhouse,shortName=phreg
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Endpoint",type=string,JSONPath=`.status.endpoints[0]`
// +kubebuilder:printcolumn:name="Domains",type=integer,JSONPath=`.status.domains`
// +kubebuilder:printcolumn:name="Repositories",type=integer,JSONPath=`.status.repositories`
// +kubebuilder:printcolumn:name="Version",type=string,priority=1,JSONPath=`.status.version`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Registry struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +optional
	// +kubebuilder:default={}
	Spec RegistrySpec `json:"spec,omitempty"`
	// +optional
	// +kubebuilder:default={observedGeneration:-1}
	Status RegistryStatus `json:"status,omitempty"`
}

// RegistryList is a list of registries.
//
// +kubebuilder:object:root=true
type RegistryList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Registry `json:"items"`
}
