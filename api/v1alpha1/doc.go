// Package v1alpha1 has the kinds by which a registry and its content are declared: packhouse.dev/v1alpha1.
//
// Comments here are what "kubectl explain" and the reference show. Rules over one object are CEL; rules over several are conditions,
// so that objects can be applied in any order.
//
// +kubebuilder:object:generate=true
// +groupName=packhouse.dev
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion of all kinds.
var GroupVersion = schema.GroupVersion{Group: "packhouse.dev", Version: "v1alpha1"}

// AddToScheme makes the kinds known to a scheme.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion,
		&Registry{}, &RegistryList{}, &Domain{}, &DomainList{}, &Repository{}, &RepositoryList{},
		&ExternalConnection{}, &ExternalConnectionList{}, &PackageOriginConfiguration{}, &PackageOriginConfigurationList{},
		&PackageGroup{}, &PackageGroupList{}, &DomainPolicy{}, &DomainPolicyList{}, &RepositoryPolicy{}, &RepositoryPolicyList{}, &IdentityPolicy{}, &IdentityPolicyList{},
		&IdentityProvider{}, &IdentityProviderList{}, &AccessKey{}, &AccessKeyList{})
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
}
