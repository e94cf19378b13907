// Package config holds the configuration documents of the data plane: what is declared about the registry and its domains, compiled
// by the operator or by "packhouse dev" and kept in the database. Documents hold no secret. Decoding is strict, so nothing that
// matters for security is dropped silently.
package config

import (
	"time"

	"packhouse.dev/packhouse/registry"
)

// Schema is the version of the documents that this build writes and reads.
const Schema = 1

// Source names the object that declared a fragment.
type Source struct {
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace"`
	Name       string `json:"name"`
	UID        string `json:"uid,omitempty"`
	Generation int64  `json:"generation,omitempty"`
}

// Registry is the document of the registry as a whole.
type Registry struct {
	Schema    int       `json:"schema"`
	Source    Source    `json:"source"`
	Partition string    `json:"partition"`          // of ARNs: "aws"
	Region    string    `json:"region"`             // of ARNs
	Accounts  []Account `json:"accounts,omitempty"` // of the namespaces that are known; others have the one that is derived
	// ClosedAccounts are those that several namespaces would be: nobody can say whose they are.
	ClosedAccounts []string   `json:"closedAccounts,omitempty"`
	Endpoints      []Endpoint `json:"endpoints,omitempty"`
	// TrustedProxies are networks (CIDR) of proxies that say truly, in X-Forwarded-For and X-Forwarded-Proto, whom they speak for.
	TrustedProxies []string `json:"trustedProxies,omitempty"`
	Limits         Limits   `json:"limits"`
	// Identities are the identity policies of all namespaces, in order of their sources.
	Identities []IdentityPolicy   `json:"identities,omitempty"`
	Providers  []IdentityProvider `json:"providers,omitempty"`  // likewise
	AccessKeys []AccessKey        `json:"accessKeys,omitempty"` // likewise
	Cluster    *ClusterIssuer     `json:"cluster,omitempty"`    // nil: tokens of service accounts are not taken
	// ServiceAccounts are those that policies let have tokens, in order of namespace and name.
	ServiceAccounts []ServiceAccount `json:"serviceAccounts,omitempty"`
}

// Account ties a namespace to a 12-digit account id.
type Account struct {
	Namespace    string `json:"namespace"`
	ID           string `json:"id"`
	Organization string `json:"organization,omitempty"`
}

// Endpoint is a base address under which clients reach the registry. The list is closed: URLs in documents are built from it, never
// from a Host header as such.
type Endpoint struct {
	Name string `json:"name,omitempty"`
	URL  string `json:"url"`            // https://packages.example.com or with a path prefix
	Host string `json:"host,omitempty"` // wildcard form: {domain}-{owner}.d.{host}
	// Policy must allow every request that comes in here; nil: there is none.
	Policy *Policy `json:"policy,omitempty"`
}

// Limits of the registry. 0 takes the default.
type Limits struct {
	AssetBytes                       int64 `json:"assetBytes,omitempty"`                       // 5 GiB
	AssetsPerVersion                 int   `json:"assetsPerVersion,omitempty"`                 // 150
	DirectUpstreams                  int   `json:"directUpstreams,omitempty"`                  // 10
	SearchedUpstreams                int   `json:"searchedUpstreams,omitempty"`                // 25
	ExternalConnectionsPerRepository int   `json:"externalConnectionsPerRepository,omitempty"` // 1
	MixedSources                     bool  `json:"mixedSources,omitempty"`                     // upstreams and connections in one repository
	TagsPerResource                  int   `json:"tagsPerResource,omitempty"`                  // 50
	RepositoriesPerDomain            int   `json:"repositoriesPerDomain,omitempty"`            // 1000; of the service API
	DomainsPerAccount                int   `json:"domainsPerAccount,omitempty"`                // 10; of the service API

	Rates RequestRates `json:"rates,omitzero"`
}

// RequestRates are requests per second, with the names of the guide's quotas. 0 is no limit.
type RequestRates struct {
	Reads   int `json:"reads,omitempty"`   // of one account
	Writes  int `json:"writes,omitempty"`  // of one account
	Token   int `json:"token,omitempty"`   // with one token
	Address int `json:"address,omitempty"` // without a token, from one address
	// Operations of the service API, of one account, by name: "CopyPackageVersions".
	Operations map[string]int `json:"operations,omitempty"`
}

// CodeArtifactRates are the quotas of the guide ("Quotas in AWS CodeArtifact").
func CodeArtifactRates() RequestRates {
	return RequestRates{
		Reads: 800, Writes: 100, Token: 1200, Address: 600,
		Operations: map[string]int{
			"CopyPackageVersions": 5, "GetAuthorizationToken": 40, "GetPackageVersionAsset": 50, "ListPackageVersionAssets": 200, "ListPackageVersions": 200,
			"ListPackages": 200, "PublishPackageVersion": 10,
		},
	}
}

// WithDefaults fills in the guide's quotas.
func (l Limits) WithDefaults() Limits {
	set := func(p *int, d int) {
		if *p == 0 {
			*p = d
		}
	}
	if l.AssetBytes == 0 {
		l.AssetBytes = 5 << 30
	}
	set(&l.AssetsPerVersion, 150)
	set(&l.DirectUpstreams, 10)
	set(&l.SearchedUpstreams, 25)
	set(&l.ExternalConnectionsPerRepository, 1)
	set(&l.TagsPerResource, 50)
	set(&l.RepositoriesPerDomain, 1000)
	set(&l.DomainsPerAccount, 10)
	return l
}

// Domain is the document of one domain.
type Domain struct {
	Schema       int               `json:"schema"`
	Source       Source            `json:"source"`
	Owner        string            `json:"owner"`  // account id
	Name         string            `json:"name"`   // own name
	Holder       string            `json:"holder"` // UID of the namespace
	Tags         map[string]string `json:"tags,omitempty"`
	Policy       *Policy           `json:"policy,omitempty"`
	Groups       []PackageGroup    `json:"groups,omitempty"` // in order of their patterns; /* is the domain's own
	Repositories []Repository      `json:"repositories,omitempty"`
	Connections  []Connection      `json:"connections,omitempty"` // those that repositories of the domain use
}

// Ref returns the domain's name.
func (d *Domain) Ref() registry.DomainRef { return registry.DomainRef{Owner: d.Owner, Name: d.Name} }

// Repository is a declared repository.
type Repository struct {
	Source           Source            `json:"source"`
	Name             string            `json:"name"`
	Administrator    string            `json:"administrator"`    // account id of its namespace
	AdministratorUID string            `json:"administratorUID"` // UID of its namespace
	Description      string            `json:"description,omitempty"`
	Tags             map[string]string `json:"tags,omitempty"`
	Upstreams        []string          `json:"upstreams,omitempty"`   // names in the domain, in order
	Connections      []string          `json:"connections,omitempty"` // names of Connections, after the upstreams
	Packages         []PackageOrigin   `json:"packages,omitempty"`
	Policy           *Policy           `json:"policy,omitempty"`
}

// PackageOrigin is a declared override of a package's origin controls in a repository. Package identities are as written; the data
// plane normalises them with the format's Names, and a name that does not parse blocks nothing and is reported.
type PackageOrigin struct {
	Source    Source               `json:"source"`
	Format    registry.Format      `json:"format"`
	Namespace string               `json:"namespace,omitempty"`
	Name      string               `json:"name"`
	Publish   registry.Restriction `json:"publish,omitempty"`  // "": as recorded
	Upstream  registry.Restriction `json:"upstream,omitempty"` // "": as recorded
}

// Connection is an external connection: a preset or a declared one.
type Connection struct {
	Source                 Source          `json:"source"`
	Name                   string          `json:"name"` // public:npmjs, or <namespace>:<name>
	Format                 registry.Format `json:"format"`
	URL                    string          `json:"url"`
	Hosts                  []string        `json:"hosts,omitempty"`       // further hosts that its metadata may name for files
	Credentials            string          `json:"credentials,omitempty"` // name of a secret that was pushed apart
	CA                     string          `json:"ca,omitempty"`          // PEM
	AllowPrivateAddresses  bool            `json:"allowPrivateAddresses,omitempty"`
	IndexFresh             Duration        `json:"indexFresh,omitempty"`  // 5 min
	AbsentFresh            Duration        `json:"absentFresh,omitempty"` // 60 s
	RetainAll              bool            `json:"retainAll"`             // import all assets of a version, not only the requested
	DenyPublishUnavailable bool            `json:"denyPublishUnavailable,omitempty"`
	ForwardAudit           bool            `json:"forwardAudit,omitempty"`
	ForwardSearch          bool            `json:"forwardSearch,omitempty"`
}

// Identity names the cache of the connection: another address is another cache. It holds no secret.
func (c *Connection) Identity() string { return c.Name + " " + c.URL }

// Duration is a time.Duration written as text ("5m").
type Duration time.Duration

// MarshalText writes the duration.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads the duration.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	*d = Duration(v)
	return err
}

// Or returns the duration, or def if it is 0.
func (d Duration) Or(def time.Duration) time.Duration {
	if d == 0 {
		return def
	}
	return time.Duration(d)
}
