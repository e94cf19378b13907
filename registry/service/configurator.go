package service

import (
	"context"
	"errors"
	"fmt"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/repository"
	"packhouse.dev/packhouse/registry/service/model"
)

// Configurator makes changes of what is declared. In a cluster that is the operator, which applies them as resources; in "packhouse dev"
// they are kept beside the manifests. What somebody else declares (a manifest, another field manager) is never changed.
type Configurator interface {
	// Declare makes a change, which is authorised, and returns when it is served. Errors: registry.ErrConflict (somebody else declares
	// it, or it exists already; the text says who), registry.ErrStale (the domain is not at Base any more), registry.ErrInvalid,
	// registry.ErrQuotaExceeded, registry.ErrUnavailable (nobody is there to make it).
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
	Domain     *DomainSpec     `json:"domain,omitempty"`
	Repository *RepositorySpec `json:"repository,omitempty"`
	Group      *GroupSpec      `json:"group,omitempty"`
	Policy     *PolicySpec     `json:"policy,omitempty"`
}

// DomainSpec declares a domain.
type DomainSpec struct {
	Tags map[string]string `json:"tags,omitempty"`
}

// RepositorySpec declares a repository.
type RepositorySpec struct {
	Name        string            `json:"name"`
	Description string            `json:"description,omitempty"`
	Upstreams   []string          `json:"upstreams,omitempty"`
	Connections []string          `json:"connections,omitempty"`
	Tags        map[string]string `json:"tags,omitempty"`
}

// GroupSpec declares a package group. The controls of the root group are the domain's own.
type GroupSpec struct {
	Pattern     string                  `json:"pattern"`
	Description string                  `json:"description,omitempty"`
	Contact     string                  `json:"contact,omitempty"`
	Controls    map[string]GroupControl `json:"controls"` // by PUBLISH, EXTERNAL_UPSTREAM and INTERNAL_UPSTREAM
	Tags        map[string]string       `json:"tags,omitempty"`
}

// GroupControl is what a group says about one way.
type GroupControl struct {
	Mode         string   `json:"mode"`
	Repositories []string `json:"repositories,omitempty"`
}

// PolicySpec declares the policy of a domain or of a repository.
type PolicySpec struct {
	Repository string `json:"repository,omitempty"` // "": of the domain
	Document   string `json:"document"`
}

// nobody is the Configurator of a registry that has none.
type nobody struct{}

// Declare implements Configurator.
func (nobody) Declare(context.Context, Intent) error {
	return fmt.Errorf("%w: nobody is there to change what is declared", registry.ErrUnavailable)
}

// errAgain says that a change was made from an old state: the operation is to begin again.
var errAgain = errors.New("the domain was changed meanwhile")

// again is how often an operation follows changes of others.
const again = 5

// declare makes a change in the name of the caller.
func (c *call) declare(ctx context.Context, in Intent) error {
	in.Principal, in.Account = c.caller.Principal.ARN, c.caller.Principal.Account
	err := c.api.configurator.Declare(ctx, in)
	if errors.Is(err, registry.ErrStale) {
		return fmt.Errorf("%w: %w", errAgain, err)
	}
	return err
}

// baseOf is the state that a change of a domain is made from.
func baseOf(d *repository.Domain) string { return d.Revision() }

// checkTags holds a resource that would have n tags against the limits that the model does not know.
func (c *call) checkTags(tags []model.Tag, n int) error {
	seen := map[string]bool{}
	for _, t := range tags {
		if seen[t.Key] {
			return validation(reasonField, "The tag '"+t.Key+"' is there twice.")
		}
		seen[t.Key] = true
	}
	if limit := c.api.door.Limits().TagsPerResource; n > limit {
		return fmt.Errorf("%w: a resource may have %d tags", registry.ErrQuotaExceeded, limit)
	}
	return nil
}
