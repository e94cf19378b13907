// Package intent has the changes of what is declared that come through the service API: rows that wait for the operator in a cluster, and
// files beside the manifests in "packhouse dev".
package intent

import (
	"context"

	"packhouse.dev/packhouse/registry"
)

// Configurator makes changes of what is declared. In a cluster that is the operator, which applies them as resources; in "packhouse dev"
// they are kept beside the manifests. What somebody else declares (a manifest, another field manager) is never changed.
type Configurator interface {
	// Declare makes a change, which is authorised, and returns when it is served. Errors: registry.ErrConflict (somebody else declares
	// it, or it exists already; the text says who), registry.ErrStale (the domain is not at Base any more), registry.ErrInvalid,
	// registry.ErrQuotaExceeded, registry.ErrAccessDenied (not in this namespace, or the account is none), registry.ErrUnavailable
	// (nobody is there to make it).
	Declare(ctx context.Context, in Intent) error
}

// Intent is a change of one thing that is declared, complete: what is not in Spec is not declared any more. It has a JSON form because
// in a cluster it is a row that waits for the operator.
type Intent struct {
	Principal string             `json:"principal"` // ARN of who wants it, for the record
	Account   string             `json:"account"`   // of the principal: what is created belongs to it
	Domain    registry.DomainRef `json:"domain"`
	Base      string             `json:"base,omitempty"` // revision of the domain that the change was made from; "": any
	Create    bool               `json:"create,omitempty"`
	Delete    bool               `json:"delete,omitempty"` // with its content
	Spec      Spec               `json:"spec"`
}

// Spec is what is declared: exactly one of the pointers is not nil.
type Spec struct {
	Domain     *Domain     `json:"domain,omitempty"`
	Repository *Repository `json:"repository,omitempty"`
	Group      *Group      `json:"group,omitempty"`
	Policy     *Policy     `json:"policy,omitempty"`
}

// Domain declares a domain.
type Domain struct {
	Tags map[string]string `json:"tags,omitempty"`
}

// Repository declares a repository.
type Repository struct {
	Name        string            `json:"name"`
	Description string            `json:"description,omitempty"`
	Upstreams   []string          `json:"upstreams,omitempty"`
	Connections []string          `json:"connections,omitempty"`
	Tags        map[string]string `json:"tags,omitempty"`
}

// Group declares a package group. The controls of the root group are the domain's own.
type Group struct {
	Pattern     string             `json:"pattern"`
	Description string             `json:"description,omitempty"`
	Contact     string             `json:"contact,omitempty"`
	Controls    map[string]Control `json:"controls"` // by PUBLISH, EXTERNAL_UPSTREAM and INTERNAL_UPSTREAM
	Tags        map[string]string  `json:"tags,omitempty"`
}

// Control is what a group says about one way.
type Control struct {
	Mode         string   `json:"mode"`
	Repositories []string `json:"repositories,omitempty"`
}

// Policy declares the policy of a domain or of a repository.
type Policy struct {
	Repository string `json:"repository,omitempty"` // "": of the domain
	Document   string `json:"document"`
}
