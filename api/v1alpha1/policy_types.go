package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// PolicyEffect is what a statement does.
// +kubebuilder:validation:Enum=Allow;Deny
type PolicyEffect string

// The effects. A Deny of any policy wins over every Allow.
const (
	EffectAllow PolicyEffect = "Allow"
	EffectDeny  PolicyEffect = "Deny"
)

// PolicyAction is an action with wildcards. Without a service it is one of the registry's own.
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=256
// +kubebuilder:validation:Pattern=`^([A-Za-z0-9-]+:)?[A-Za-z0-9*?]+$`
type PolicyAction string

// PolicyResource is an ARN with wildcards and variables, or *.
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=1024
// +kubebuilder:validation:Pattern=`^(\*|arn:).*$`
type PolicyResource string

// PolicyStatement allows or denies actions on resources.
// +kubebuilder:validation:XValidation:rule="has(self.actions) != has(self.notActions)",message="a statement has either actions or notActions"
// +kubebuilder:validation:XValidation:rule="has(self.resources) != has(self.notResources)",message="a statement has either resources or notResources"
type PolicyStatement struct {
	// Name of the statement, for traces.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Sid string `json:"sid,omitempty"`
	// Allow or Deny. A Deny wins over every Allow.
	Effect PolicyEffect `json:"effect"`
	// Actions like ReadFromRepository, "List*" or "*".
	// +optional
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=100
	Actions []PolicyAction `json:"actions,omitempty"`
	// All actions but these.
	// +optional
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=100
	NotActions []PolicyAction `json:"notActions,omitempty"`
	// ARNs like arn:aws:codeartifact:*:*:repository/my-domain/my-repo. In the policy of a domain or a repository "*" is all that is in it.
	// +optional
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=100
	Resources []PolicyResource `json:"resources,omitempty"`
	// All resources but these.
	// +optional
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=100
	NotResources []PolicyResource `json:"notResources,omitempty"`
	// What must be true of a request besides: all of the conditions, each by one of its values.
	// +optional
	// +kubebuilder:validation:MaxItems=20
	Conditions []PolicyCondition `json:"conditions,omitempty"`
}

// PolicyCondition compares something of a request with values.
type PolicyCondition struct {
	// An operator of IAM, like StringEquals, IpAddress, NumericLessThanEquals or Null, with IfExists at its end or with ForAnyValue: or
	// ForAllValues: before it.
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^(ForAnyValue:|ForAllValues:)?(String(Not)?(Equals|EqualsIgnoreCase|Like)|(Numeric|Date)(Equals|NotEquals|LessThan|LessThanEquals|GreaterThan|GreaterThanEquals)|Bool|(Not)?IpAddress|Arn(Not)?(Equals|Like)|Null)(IfExists)?$`
	Operator string `json:"operator"`
	// What is compared, like aws:SourceIp, aws:PrincipalOrgID or aws:ResourceTag/team.
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9-]+:.+$`
	Key string `json:"key"`
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=100
	// +kubebuilder:validation:items:MaxLength=1024
	Values []string `json:"values"`
}

// PolicyPrincipal is whom a statement of a resource policy is about.
// +kubebuilder:validation:XValidation:rule="[has(self.everyone), has(self.account), has(self.namespace), has(self.serviceAccount), has(self.user), has(self.aws)].filter(x, x).size() == 1",message="name exactly one of everyone, account, namespace, serviceAccount, user and aws"
type PolicyPrincipal struct {
	// Everybody who is signed in, of whatever account. Without signing in there is no access, whatever policies say.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self",message="everyone is true or left out"
	Everyone bool `json:"everyone,omitempty"`
	// All principals of an account, by its 12 digits.
	// +optional
	// +kubebuilder:validation:Pattern=`^[0-9]{12}$`
	Account string `json:"account,omitempty"`
	// All principals of a namespace.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`
	// A service account: the role of its name.
	// +optional
	ServiceAccount *PrincipalRef `json:"serviceAccount,omitempty"`
	// The user of an access key.
	// +optional
	User *PrincipalRef `json:"user,omitempty"`
	// The ARN of an account, a user, a role or a session of a role, like arn:aws:iam::123456789012:user/bob.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:Pattern=`^arn:[a-z0-9-]+:(iam|sts)::[0-9]{12}:[^*?]+$`
	AWS string `json:"aws,omitempty"`
}

// PrincipalRef names a principal in a namespace.
type PrincipalRef struct {
	// Left out: the namespace of the policy.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}

// ResourceStatement is a statement with the principals that it is about.
// +kubebuilder:validation:XValidation:rule="has(self.principals) != has(self.notPrincipals)",message="a statement has either principals or notPrincipals"
type ResourceStatement struct {
	// +optional
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=100
	Principals []PolicyPrincipal `json:"principals,omitempty"`
	// Everybody but these.
	// +optional
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=100
	NotPrincipals []PolicyPrincipal `json:"notPrincipals,omitempty"`

	PolicyStatement `json:",inline"`
}

// ResourcePolicy is what policies of domains and of repositories say.
type ResourcePolicy struct {
	// A JSON policy document, as AWS has it. Either this or statements.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=7168
	Document string `json:"document,omitempty"`
	// +optional
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=50
	Statements []ResourceStatement `json:"statements,omitempty"`
}

// DomainPolicySpec says who may do what in a domain.
// +kubebuilder:validation:XValidation:rule="has(self.document) != has(self.statements)",message="a policy has either a document or statements"
// +kubebuilder:validation:XValidation:rule="self.domainRef == oldSelf.domainRef",message="domainRef cannot be changed: make a new policy"
type DomainPolicySpec struct {
	// Domain of the same namespace. It has one policy: of several objects the oldest counts.
	DomainRef Ref `json:"domainRef"`

	ResourcePolicy `json:",inline"`
}

// DomainPolicy says who may do what in a domain: with the domain itself and with everything in it. Principals of other namespaces need
// it, or a RepositoryPolicy, and an IdentityPolicy of their own.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=domainpolicies,singular=domainpolicy,categories=packhouse,shortName=phdompol
// +kubebuilder:printcolumn:name="Domain",type=string,JSONPath=`.spec.domainRef.name`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type DomainPolicy struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec DomainPolicySpec `json:"spec"`
	// +optional
	// +kubebuilder:default={observedGeneration:-1}
	Status Status `json:"status,omitempty"`
}

// DomainPolicyList is a list of domain policies.
//
// +kubebuilder:object:root=true
type DomainPolicyList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []DomainPolicy `json:"items"`
}

// RepositoryPolicySpec says who may do what in a repository.
// +kubebuilder:validation:XValidation:rule="has(self.document) != has(self.statements)",message="a policy has either a document or statements"
// +kubebuilder:validation:XValidation:rule="self.repositoryRef == oldSelf.repositoryRef",message="repositoryRef cannot be changed: make a new policy"
type RepositoryPolicySpec struct {
	// Repository of the same namespace, or one of another namespace in a domain of this one. It has one policy: that of the domain's
	// namespace counts before others, and of several the oldest.
	RepositoryRef Ref `json:"repositoryRef"`

	ResourcePolicy `json:",inline"`
}

// RepositoryPolicy says who may do what in a repository and with the packages in it. The policy of its domain holds as well.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=repositorypolicies,singular=repositorypolicy,categories=packhouse,shortName=phrepopol
// +kubebuilder:printcolumn:name="Repository",type=string,JSONPath=`.spec.repositoryRef.name`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type RepositoryPolicy struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec RepositoryPolicySpec `json:"spec"`
	// +optional
	// +kubebuilder:default={observedGeneration:-1}
	Status Status `json:"status,omitempty"`
}

// RepositoryPolicyList is a list of repository policies.
//
// +kubebuilder:object:root=true
type RepositoryPolicyList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []RepositoryPolicy `json:"items"`
}

// PolicySubject is to whom an identity policy is attached, in its namespace.
// +kubebuilder:validation:XValidation:rule="[has(self.everyone), has(self.serviceAccount), has(self.user), has(self.group)].filter(x, x).size() == 1",message="name exactly one of everyone, serviceAccount, user and group"
type PolicySubject struct {
	// Every principal of the namespace.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self",message="everyone is true or left out"
	Everyone bool `json:"everyone,omitempty"`
	// Name of a service account.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	ServiceAccount string `json:"serviceAccount,omitempty"`
	// Name of an access key's user.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	User string `json:"user,omitempty"`
	// Name of a group that an identity provider of the namespace tells.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Group string `json:"group,omitempty"`
}

// ManagedPolicy is the name of a predefined policy.
// +kubebuilder:validation:Enum=AWSCodeArtifactAdminAccess;AWSCodeArtifactReadOnlyAccess
type ManagedPolicy string

// IdentityPolicySpec says what principals of the namespace may do.
// +kubebuilder:validation:XValidation:rule="!(has(self.document) && has(self.statements))",message="a policy has either a document or statements"
// +kubebuilder:validation:XValidation:rule="has(self.document) || has(self.statements) || has(self.managedPolicies)",message="a policy has a document, statements or managedPolicies"
type IdentityPolicySpec struct {
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=100
	Subjects []PolicySubject `json:"subjects"`
	// Predefined policies that are attached to the subjects, too.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=2
	ManagedPolicies []ManagedPolicy `json:"managedPolicies,omitempty"`
	// A JSON policy document, as AWS has it. Either this or statements.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=10240
	Document string `json:"document,omitempty"`
	// +optional
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=50
	Statements []PolicyStatement `json:"statements,omitempty"`
}

// IdentityPolicy says what service accounts, users and groups of its namespace may do. For what belongs to another namespace they need
// a DomainPolicy or a RepositoryPolicy there as well.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=identitypolicies,singular=identitypolicy,categories=packhouse,shortName=phidpol
// +kubebuilder:printcolumn:name="Managed",type=string,JSONPath=`.spec.managedPolicies`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type IdentityPolicy struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec IdentityPolicySpec `json:"spec"`
	// +optional
	// +kubebuilder:default={observedGeneration:-1}
	Status Status `json:"status,omitempty"`
}

// IdentityPolicyList is a list of identity policies.
//
// +kubebuilder:object:root=true
type IdentityPolicyList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []IdentityPolicy `json:"items"`
}
