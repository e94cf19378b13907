package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// AccessKeySpec is whom a pair of access key and secret speaks for, and where it is.
// +kubebuilder:validation:XValidation:rule="has(self.serviceAccountName) == has(oldSelf.serviceAccountName) && (!has(self.serviceAccountName) || self.serviceAccountName == oldSelf.serviceAccountName)",message="serviceAccountName cannot be changed: make a new access key"
// +kubebuilder:validation:XValidation:rule="has(self.registryRef) == has(oldSelf.registryRef) && (!has(self.registryRef) || self.registryRef == oldSelf.registryRef)",message="registryRef cannot be changed: make a new access key"
type AccessKeySpec struct {
	// Service account of the same namespace that the key acts as: requests are those of a session of its role, and policies that name it
	// hold. Left out: the key is of a user, whose name is that of this object.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	ServiceAccountName string `json:"serviceAccountName,omitempty"`
	// Secrets of the same namespace with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. One that is not there is made, with a fresh key, and
	// goes with this object. All of them are good: to rotate, add another, let the clients take it, and take the first away. Left out: one,
	// with the name of this object.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=2
	Secrets []LocalRef `json:"secrets,omitempty"`
	// Registry that takes the key. Left out: the only one that there is.
	// +optional
	RegistryRef *Ref `json:"registryRef,omitempty"`
}

// AccessKeyStatus is what an access key reports.
type AccessKeyStatus struct {
	Status `json:",inline"`
	// Registry that takes the key, as <namespace>/<name>. It goes on doing so when there are others.
	// +optional
	Registry string `json:"registry,omitempty"`
	// ARN of the principal that requests are of.
	// +optional
	Principal string `json:"principal,omitempty"`
	// The keys that are taken.
	// +optional
	// +listType=map
	// +listMapKey=secret
	Keys []ActiveKey `json:"keys,omitempty"`
}

// ActiveKey is a key that is taken.
type ActiveKey struct {
	// Secret that it is in.
	Secret string `json:"secret"`
	// AWS_ACCESS_KEY_ID, as records name it. It is no secret.
	ID string `json:"id"`
}

// SecretNames are the names of the Secrets.
func (k *AccessKey) SecretNames() []string {
	if len(k.Spec.Secrets) == 0 {
		return []string{k.Name}
	}
	out := make([]string, len(k.Spec.Secrets))
	for i, r := range k.Spec.Secrets {
		out[i] = r.Name
	}
	return out
}

// AccessKey is a pair of access key and secret for clients that sign their requests, like the AWS CLI and SDKs.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories=packhouse,shortName=phkey
// +kubebuilder:printcolumn:name="Principal",type=string,JSONPath=`.status.principal`
// +kubebuilder:printcolumn:name="Keys",type=string,JSONPath=`.status.keys[*].id`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 63",message="the name of an access key, which is that of its user, has at most 63 characters"
type AccessKey struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +optional
	// +kubebuilder:default={}
	Spec AccessKeySpec `json:"spec,omitempty"`
	// +optional
	// +kubebuilder:default={observedGeneration:-1}
	Status AccessKeyStatus `json:"status,omitempty"`
}

// AccessKeyList is a list of access keys.
//
// +kubebuilder:object:root=true
type AccessKeyList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []AccessKey `json:"items"`
}
