package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ClaimExpression is an expression of CEL over the claims of a token, as the variable claims.
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=4096
type ClaimExpression string

// IdentityProviderSpec is an issuer of OIDC tokens and what they are turned into.
type IdentityProviderSpec struct {
	// Issuer, exactly as the claim iss has it.
	// +kubebuilder:validation:MaxLength=500
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHost() != ''",message="must be an http or https URL"
	Issuer string `json:"issuer"`
	// The claim aud must have one of these, exactly. Choose one that no other service takes, like the address of the registry.
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=10
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=500
	Audiences []string `json:"audiences"`
	// The issuer's public keys.
	Keys IssuerKeys `json:"keys"`
	// Whose tokens are meant: an expression that is true for them, for example claims.repository_owner == 'acme'. Left out: all of the
	// issuer's for the audience.
	// +optional
	Condition ClaimExpression `json:"condition,omitempty"`
	// What the tokens are turned into.
	Principal ProvidedPrincipal `json:"principal"`
	// Groups of the principal, which identity policies of the namespace name: an expression that gives a list of strings.
	// +optional
	Groups ClaimExpression `json:"groups,omitempty"`
	// Tags of the principal, which conditions on aws:PrincipalTag/… see: an expression that gives a map of strings.
	// +optional
	Tags ClaimExpression `json:"tags,omitempty"`
}

// IssuerKeys says which keys an issuer signs with.
// +kubebuilder:validation:XValidation:rule="has(self.url) != has(self.document)",message="there is either a url or a document"
// +kubebuilder:validation:XValidation:rule="!has(self.url) || self.url.startsWith('https://') || (has(self.allowPrivateAddresses) && self.allowPrivateAddresses)",message="url must be https, unless private addresses are allowed"
type IssuerKeys struct {
	// Where the JSON Web Key Set is: jwks_uri of the issuer's discovery document.
	// +optional
	// +kubebuilder:validation:MaxLength=500
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHost() != ''",message="must be an http or https URL"
	URL string `json:"url,omitempty"`
	// The JSON Web Key Set itself.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=65536
	Document string `json:"document,omitempty"`
	// Certificates, in PEM, that the server's certificate may be issued by, instead of the well-known ones.
	// +optional
	// +kubebuilder:validation:MaxLength=65536
	CA string `json:"ca,omitempty"`
	// Whether the address may lead into private networks.
	// +optional
	AllowPrivateAddresses bool `json:"allowPrivateAddresses,omitempty"`
}

// ProvidedPrincipal is a principal of the provider's namespace. Names have letters, digits and _+=,.@-; a token for which an expression
// gives another is refused.
// +kubebuilder:validation:XValidation:rule="has(self.role) != has(self.user)",message="there is either a role or a user"
// +kubebuilder:validation:XValidation:rule="!has(self.session) || has(self.role)",message="sessions are of roles"
type ProvidedPrincipal struct {
	// Name of the role that the token is a session of: that of the service account that policies name. For one and the same, 'ci'.
	// +optional
	Role ClaimExpression `json:"role,omitempty"`
	// Name of the session, for records. Left out: oidc.
	// +optional
	Session ClaimExpression `json:"session,omitempty"`
	// Name of the user, for example claims.email.
	// +optional
	User ClaimExpression `json:"user,omitempty"`
}

// IdentityProvider is an issuer outside, like GitHub Actions, GitLab CI, Dex or Keycloak, whose tokens are exchanged for tokens of the
// registry. What they speak for are principals of the provider's own namespace, and policies say what those may do.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories=packhouse,shortName=phidp
// +kubebuilder:printcolumn:name="Issuer",type=string,JSONPath=`.spec.issuer`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type IdentityProvider struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec IdentityProviderSpec `json:"spec"`
	// +optional
	// +kubebuilder:default={observedGeneration:-1}
	Status Status `json:"status,omitempty"`
}

// IdentityProviderList is a list of identity providers.
//
// +kubebuilder:object:root=true
type IdentityProviderList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []IdentityProvider `json:"items"`
}
