package admin

// PermissionRequest asks who decides whether somebody may do something.
type PermissionRequest struct {
	Domain    string   `json:"domain,omitempty"`      // as in TokenRequest; the resource's own counts before it
	Owner     string   `json:"domainOwner,omitempty"` // likewise
	Principal string   `json:"principal"`             // as TokenRequest.As
	Groups    []string `json:"groups,omitempty"`
	Action    string   `json:"action"`             // "codeartifact:" may be left out
	Resource  string   `json:"resource"`           // ARN, *, DOMAIN, DOMAIN/REPOSITORY or DOMAIN/REPOSITORY/FORMAT/NAMESPACE/NAME
	SourceIP  string   `json:"sourceIp,omitempty"` // that the request comes from
	Insecure  bool     `json:"insecure,omitempty"` // the request comes without TLS
}

// Permission is the decision with every statement that was looked at.
type Permission struct {
	Principal  string      `json:"principal"` // ARN
	Action     string      `json:"action"`
	Resource   string      `json:"resource"`
	Allowed    bool        `json:"allowed"`
	Volatile   bool        `json:"volatile,omitempty"` // for another address, time or tag it could be another
	Reason     string      `json:"reason"`
	Statements []Statement `json:"statements,omitempty"`
}

// Statement is one statement of a policy and what it has to do with the question.
type Statement struct {
	Policy  string `json:"policy"` // "DomainPolicy team/my-domain"
	Name    string `json:"name"`   // "statement 2 (Sid)"
	Effect  string `json:"effect"`
	Outcome string `json:"outcome"`
	Decides bool   `json:"decides,omitempty"`
}

// PackageRequest asks where a package comes from.
type PackageRequest struct {
	Domain     string `json:"domain,omitempty"` // as in TokenRequest
	Owner      string `json:"domainOwner,omitempty"`
	Repository string `json:"repository"`
	Format     string `json:"format"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name"`
	Version    string `json:"version,omitempty"`
}

// PackageTrace is the search of a package, place by place.
type PackageTrace struct {
	Package    string  `json:"package"`
	Version    string  `json:"version,omitempty"`
	Repository string  `json:"repository"`
	Group      string  `json:"group"`  // "/npm/acme/* (PackageGroup team/acme)"
	Strong     bool    `json:"strong"` // false: the name is a variation of the group's, and blocked
	Places     []Place `json:"places"`
	Publish    string  `json:"publish"` // what decides about publishing it in the repository
	Result     string  `json:"result"`
}

// Place is a repository or an external connection, in the order of the search.
type Place struct {
	Repository string `json:"repository"`
	Connection string `json:"connection,omitempty"`
	Asked      bool   `json:"asked"`
	Decides    bool   `json:"decides,omitempty"`
	Note       string `json:"note"`
}
