// Package admin is the administrator's way to a registry: the wire types of the admin API and a client. The API is for the operator,
// over mutual TLS, and for the command line, over a unix socket that only the owner of the data directory can open; who reaches it
// may do everything, so it does not ask who is calling. Package admin/handler is the other side.
//
//	POST /v1/tokens          TokenRequest → Token
//	PUT  /v1/configuration   Configuration → Applied
//	GET  /v1/configuration   → Configuration
//	PUT  /v1/secrets         Secrets → {}
//	POST /v1/removals        Removal → {}
//	GET  /v1/status          → Status
//	GET  /v1/groups          → Groups
//	POST /v1/gc              CollectRequest → Collected
//	POST /v1/revocations     Revocation → {}
//	POST /v1/intents/taken   TakeRequest → Intents
//	POST /v1/intents/answers Answer → {}
//	POST /v1/why/permission  PermissionRequest → Permission
//	POST /v1/why/package     PackageRequest → PackageTrace
//
// Errors are {"error": "…"} with a status that stands for one of the registry's sentinels.
package admin

import (
	"time"

	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/intent"
)

// Addresses of the API.
const (
	PathTokens        = "/v1/tokens"
	PathConfiguration = "/v1/configuration"
	PathStatus        = "/v1/status"
	PathGroups        = "/v1/groups"
	PathCollect       = "/v1/gc"
	PathRevocations   = "/v1/revocations"
	PathSecrets       = "/v1/secrets"
	PathRemovals      = "/v1/removals"
	PathTaken         = "/v1/intents/taken"
	PathAnswers       = "/v1/intents/answers"
	PathWhyPermission = "/v1/why/permission"
	PathWhyPackage    = "/v1/why/package"
)

// SocketName is the name of the unix socket in a data directory.
const SocketName = "admin.sock"

// TokenRequest asks for a token for a domain.
type TokenRequest struct {
	Domain string `json:"domain,omitempty"`      // own name; "": the only domain
	Owner  string `json:"domainOwner,omitempty"` // account id; "": the only owner of a domain of that name
	// As is whose token it is: "serviceaccount:NAMESPACE/NAME", "role:NAME", "user:NAME" or an ARN; "": root, of the account that owns the
	// domain. Names without a namespace are of that account, too. No policy is asked: an administrator may be anybody.
	As       string          `json:"as,omitempty"`
	Groups   []string        `json:"groups,omitempty"`   // that an identity provider would tell
	Duration config.Duration `json:"duration,omitempty"` // 15m to 12h; 0: 12h
	Source   string          `json:"source,omitempty"`   // what it is for, to revoke it with
}

// Token is a fresh token.
type Token struct {
	Token     string    `json:"token"`
	ID        string    `json:"id"` // names it in a revocation
	ExpiresAt time.Time `json:"expiresAt"`
	Domain    string    `json:"domain"`
	Owner     string    `json:"domainOwner"`
	Principal string    `json:"principal"` // ARN
}

// Configuration is everything that is declared. Generation 0 takes the next one. One that is read has the highest numbers of its
// documents, and none at all (Registry nil) if nothing was ever declared.
type Configuration struct {
	Epoch      int64            `json:"epoch,omitempty"`
	Generation int64            `json:"generation,omitempty"`
	Registry   *config.Registry `json:"registry,omitempty"`
	Domains    []config.Domain  `json:"domains,omitempty"`
}

// Applied tells what became of a configuration.
type Applied struct {
	Changed  bool      `json:"changed"`
	Problems []Problem `json:"problems,omitempty"`
}

// Problem is a part of a configuration that is not in force.
type Problem struct {
	Source config.Source `json:"source"`
	Text   string        `json:"text"`
}

// Status is what a registry serves now.
type Status struct {
	Version   string         `json:"version"`
	Schema    int            `json:"schema"`   // of the configuration documents that this build reads
	Instance  string         `json:"instance"` // another one after every start
	StartedAt time.Time      `json:"startedAt"`
	Ready     bool           `json:"ready"`
	Endpoints []string       `json:"endpoints,omitempty"` // base addresses for clients, without a slash at the end
	Domains   []DomainStatus `json:"domains,omitempty"`
	// Epoch and Generation of the registry's own document in force.
	Epoch      int64 `json:"epoch"`
	Generation int64 `json:"generation"`
}

// DomainStatus is one domain, served or not.
type DomainStatus struct {
	Name         string   `json:"name"`
	Owner        string   `json:"owner"`
	State        string   `json:"state"`  // Active, or Detached: content is kept and not served
	Holder       string   `json:"holder"` // UID of the namespace whose content it is
	Epoch        int64    `json:"epoch"`
	Generation   int64    `json:"generation"` // of the configuration in force
	Repositories []string `json:"repositories,omitempty"`
	Retained     []string `json:"retained,omitempty"` // repositories whose content is kept and not served
}

// Groups tells how many packages the package groups of every domain that is served have.
type Groups struct {
	Domains []DomainGroups `json:"domains,omitempty"`
}

// DomainGroups are those of one domain.
type DomainGroups struct {
	Name     string           `json:"name"`
	Owner    string           `json:"owner"`
	Packages map[string]int64 `json:"packages,omitempty"` // by pattern; groups without any are absent
}

// Secrets are all secrets that a configuration names. Those that are not among them are forgotten. They are stored sealed, never
// shown again and never logged.
type Secrets struct {
	Secrets    []Secret          `json:"secrets"`
	AccessKeys []AccessKeySecret `json:"accessKeys,omitempty"`
}

// AccessKeySecret is what a client signs with that names an access key of a config.AccessKey.
type AccessKeySecret struct {
	ID     string `json:"id"`
	Secret string `json:"secret"`
}

// Secret proves to another registry who is asking: username and password, or a token.
type Secret struct {
	Name     string `json:"name"` // as config.Connection.Credentials has it
	Host     string `json:"host"` // the only one that it is sent to, with the port unless it is the scheme's own
	Username string `json:"username,omitempty"`
	Password string `json:"password,omitempty"`
	Token    string `json:"token,omitempty"`
}

// Removal deletes content for good that is not declared any more: of a repository, or of a domain with all its repositories. The name
// is free at once; the bytes go with collection. What is not there is no error, what is declared is registry.ErrConflict, and so is
// content of another holder or administrator.
type Removal struct {
	Domain     string `json:"domain"`
	Owner      string `json:"domainOwner"`
	Repository string `json:"repository,omitempty"`
	// Holder is the UID of the namespace whose content it is: the domain's, or, with a repository, its administrator's.
	Holder string `json:"holder"`
}

// TakeRequest asks for changes of what is declared that clients of the service API want. Every replica gives those of all.
type TakeRequest struct {
	// Holding are those that the caller has already. All others are given, also those that somebody took before and did not answer.
	Holding []string `json:"holding,omitempty"`
	// Wait is how long to wait while there are none; 10s at most.
	Wait config.Duration `json:"wait,omitempty"`
}

// Intents are changes to make, oldest first.
type Intents struct {
	Intents []Intent `json:"intents,omitempty"`
}

// Intent is a change that somebody waits for.
type Intent struct {
	ID string `json:"id"`
	// Again: it was given to somebody before, and may have been made.
	Again  bool            `json:"again,omitempty"`
	Left   config.Duration `json:"left"` // for how long somebody waits
	Intent intent.Intent   `json:"intent"`
}

// Answer says what became of an intent: that it is served by every replica, or why it was not made. The first answer counts; for one
// that nobody waits for any more it is registry.ErrNotFound.
type Answer struct {
	ID     string        `json:"id"`
	Result intent.Result `json:"result,omitzero"`
}

// CollectRequest asks for a collection now.
type CollectRequest struct {
	// Grace is how long bytes must have been unused; negative: as configured. It only saves uploads: with 0 nothing is lost.
	Grace config.Duration `json:"grace"`
}

// Collected tells what a collection did.
type Collected struct {
	Cleared   int `json:"cleared"`   // package versions of removed repositories and domains
	Condemned int `json:"condemned"` // blobs that nothing refers to
	Swept     int `json:"swept"`     // rows removed
	Orphans   int `json:"orphans"`   // objects of uploads that came to nothing
	Deleted   int `json:"deleted"`   // objects deleted from the store
}

// Revocation ends tokens of a domain that were issued before now.
type Revocation struct {
	Domain string `json:"domain,omitempty"` // as in TokenRequest
	Owner  string `json:"domainOwner,omitempty"`
	Kind   string `json:"kind"`            // token, principal, source or domain
	Value  string `json:"value,omitempty"` // a token's ID, an ARN, a source
}
