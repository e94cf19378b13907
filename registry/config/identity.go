package config

// IdentityProvider is an issuer of OIDC tokens that are taken in exchange for the registry's own, by principals of one namespace.
// Expressions are CEL over the variable claims.
type IdentityProvider struct {
	Source    Source   `json:"source"`
	Account   string   `json:"account"` // of the namespace; what the tokens speak for are principals of it
	Issuer    string   `json:"issuer"`  // exactly as "iss" has it
	Audiences []string `json:"audiences"`
	// Keys is a JSON Web Key Set; "": it is fetched from KeysURL.
	Keys                  string `json:"keys,omitempty"`
	KeysURL               string `json:"keysURL,omitempty"`
	CA                    string `json:"ca,omitempty"` // PEM, for KeysURL
	AllowPrivateAddresses bool   `json:"allowPrivateAddresses,omitempty"`

	Condition string `json:"condition,omitempty"` // bool: whose tokens are meant; "": all
	Role      string `json:"role,omitempty"`      // string: the role that the token is a session of
	Session   string `json:"session,omitempty"`   // string: name of the session; "": "oidc"
	User      string `json:"user,omitempty"`      // string: the user, instead of a role
	Groups    string `json:"groups,omitempty"`    // list of strings
	Tags      string `json:"tags,omitempty"`      // map of strings: aws:PrincipalTag/…
}

// AccessKey is whom requests speak for that are signed with one of its keys. The secrets of the keys are pushed apart, by their ids.
type AccessKey struct {
	Source  Source `json:"source"`
	Account string `json:"account"` // of the namespace
	// Role is the service account whose sessions the requests are; "": they are of the user that has the name of the AccessKey.
	Role string   `json:"role,omitempty"`
	IDs  []string `json:"ids"` // of keys, each of one AccessKey only
}

// ServiceAccount is one that there is in the cluster. Tokens of others are worth nothing, whatever is signed.
type ServiceAccount struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	UID       string `json:"uid"`
}

// Voucher names what a token is issued for, so that the token dies with it: "AccessKey " and its UID.
func (s Source) Voucher() string { return s.Kind + " " + s.UID }

// Kinds of what the registry's document has to have for tokens to live that were issued for it.
const (
	KindIdentityProvider = "IdentityProvider"
	KindAccessKey        = "AccessKey"
	KindServiceAccount   = "ServiceAccount"
)

// ClusterIssuer is who signs the tokens of the cluster's service accounts. Their audience is an endpoint of the registry.
type ClusterIssuer struct {
	Issuer string `json:"issuer"`
	Keys   string `json:"keys"` // a JSON Web Key Set
}
