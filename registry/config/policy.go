package config

import "time"

// Policy is the resource policy of a domain or a repository.
type Policy struct {
	Source   Source `json:"source"`
	Document string `json:"document"` // a JSON policy document, also of what was declared as typed statements
}

// IdentityPolicy is a policy with those to whom it is attached.
type IdentityPolicy struct {
	Source   Source    `json:"source"`
	Account  string    `json:"account"` // of the namespace; the subjects are principals of it
	Subjects []Subject `json:"subjects"`
	Document string    `json:"document,omitempty"`
	Managed  []string  `json:"managed,omitempty"` // names of predefined policies
}

// Subject is a principal, or several, of an account. Kinds are those of policy.SubjectKind: role, user, group, or * for everybody.
type Subject struct {
	Kind string `json:"kind"`
	Name string `json:"name,omitempty"`
}

// PackageGroup is a package group.
type PackageGroup struct {
	Source           Source            `json:"source"`
	CreatedAt        time.Time         `json:"createdAt,omitzero"` // zero: not known
	Pattern          string            `json:"pattern"`            // canonical
	Description      string            `json:"description,omitempty"`
	Contact          string            `json:"contact,omitempty"`
	Tags             map[string]string `json:"tags,omitempty"`
	Publish          GroupControl      `json:"publish"`
	ExternalUpstream GroupControl      `json:"externalUpstream"`
	InternalUpstream GroupControl      `json:"internalUpstream"`
}

// GroupControl is what a group says about one way. Modes are those of the service model: ALLOW, BLOCK, ALLOW_SPECIFIC_REPOSITORIES and
// INHERIT; any other blocks.
type GroupControl struct {
	Mode         string   `json:"mode"`
	Repositories []string `json:"repositories,omitempty"`
}
