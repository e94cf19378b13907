package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// The types of conditions. Ready is true when all others are.
const (
	ConditionAccepted     = "Accepted"     // the object is valid and wins over others that want the same
	ConditionResolvedRefs = "ResolvedRefs" // everything that it names exists and may be used
	ConditionProgrammed   = "Programmed"   // every replica of the registry serves this generation
	ConditionReady        = "Ready"
)

// The reasons of conditions.
const (
	ReasonAccepted       = "Accepted"
	ReasonResolved       = "Resolved"
	ReasonProgrammed     = "Programmed"
	ReasonReady          = "Ready"
	ReasonPending        = "Pending"         // not known yet
	ReasonInvalid        = "Invalid"         // a rule over the object is broken
	ReasonNameConflict   = "NameConflict"    // an older object has the name
	ReasonConflicted     = "Conflicted"      // an older object is about the same thing
	ReasonNotFound       = "RefNotFound"     // something that is named does not exist
	ReasonAmbiguous      = "Ambiguous"       // something is left out, and there are several
	ReasonNotAllowed     = "RefNotPermitted" // something that is named may not be used from this namespace
	ReasonAccountClash   = "AccountConflict" // two namespaces would be one account
	ReasonUnsupported    = "Unsupported"     // the registry cannot do it
	ReasonContentOfOther = "ContentOfOther"  // the name has content of another namespace
	ReasonTruncated      = "SearchTruncated" // more upstreams than are searched
	ReasonCycle          = "UpstreamCycle"   // the upstreams lead back
	ReasonDenied         = "DeniedByPolicy"  // a policy does not let the namespace do this
	ReasonUnreachable    = "Unreachable"     // the registry does not answer
	ReasonNotAvailable   = "NotAvailable"    // the registry's pods are not ready
	ReasonRefused        = "Refused"         // the apiserver or the registry refused what the operator wanted
	ReasonDeleting       = "Deleting"        // content is being removed
	ReasonKeyMissing     = "KeyMissing"      // there is a volume without the key that it is sealed with
	ReasonBadSecret      = "InvalidSecret"   // a Secret lacks something, or is for another host
)

// Status is what every kind reports.
type Status struct {
	// Generation of the spec that the conditions are about.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// What is true of the object now.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// LocalRef names an object of the same namespace.
type LocalRef struct {
	// Name of the object.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}

// Ref names an object, of the same namespace unless another is named.
type Ref struct {
	// Name of the object.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// Namespace of the object. Left out: that of the object that names it.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`
}

// Restriction says whether versions may come in by one way.
// +kubebuilder:validation:Enum=Allow;Block
type Restriction string

// The restrictions.
const (
	Allow Restriction = "Allow"
	Block Restriction = "Block"
)
