package repository

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/access"
	"packhouse.dev/packhouse/registry/identity"
	"packhouse.dev/packhouse/registry/policy"
)

// The actions of the permissions reference that package endpoints need.
const (
	actionRead          = "codeartifact:ReadFromRepository"
	actionPublish       = "codeartifact:PublishPackageVersion"
	actionMetadata      = "codeartifact:PutPackageMetadata"
	actionStatus        = "codeartifact:UpdatePackageVersionsStatus"
	actionDeleteVersion = "codeartifact:DeletePackageVersions"
)

// DeniedError says who may not do what. It unwraps to registry.ErrAccessDenied; its text is for the client.
type DeniedError struct {
	Principal, Action, Resource string
	Decision                    policy.Decision
}

// Error begins with the sentence of the service API (readings 2.15) and says what decided.
func (e *DeniedError) Error() string {
	return fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s (%s)", e.Principal, e.Action, e.Resource, e.Decision.Reason())
}

// Unwrap makes errors.Is(err, registry.ErrAccessDenied) true.
func (e *DeniedError) Unwrap() error { return registry.ErrAccessDenied }

func permitted(d policy.Decision, q *policy.Request) error {
	if d.Allowed() {
		return nil
	}
	return &DeniedError{Principal: q.Principal.ARN, Action: q.Action, Resource: q.Resource, Decision: d}
}

// mayRead asks for ReadFromRepository, which is per repository, never per package (readings 1.21). It is on the way of every read.
func (v *View) mayRead() error {
	key := decisionKey{principal: v.caller.Principal, groups: strings.Join(v.caller.Groups, "\x00"), listener: v.caller.Context.Listener, repository: v.rc}
	if v.snap.readers.has(key) {
		return nil
	}
	q := v.rc.domain.access.Repository(&v.caller, actionRead, v.rc.doc.Name)
	d := policy.Evaluate(q)
	if d.Allowed() && !d.Volatile {
		v.snap.readers.add(key)
	}
	return permitted(d, &q)
}

// may asks for an action on a package of this repository, or on the repository if it is none on packages.
func (v *View) may(action string, id registry.PackageID) error {
	return v.decisions.authorize(v.request(action, id))
}

func (v *View) request(action string, id registry.PackageID) policy.Request {
	if types, _ := policy.On(action); !types.Has(policy.OnPackage) {
		return v.rc.domain.access.Repository(&v.caller, action, v.rc.doc.Name)
	}
	return v.rc.domain.access.Package(&v.caller, action, v.rc.doc.Name, id)
}

// Access is what the domain's policies and package groups say, in the snapshot of the request.
func (d *Domain) Access() *access.Domain { return d.cfg.access }

// Account begins a request on the account of the caller; see access.Registry.
func (d *Domain) Account(c *access.Caller, action, resource string) policy.Request {
	return d.snap.access.Account(c, action, resource)
}

// Authorize asks for what no View does: actions on the domain, its groups, its lists, and accounts. The request is one of Access or
// Account. A denial is a DeniedError.
func (d *Domain) Authorize(q policy.Request) error { return d.decisions.authorize(q) }

// Providers returns those whose tokens are taken in exchange for the registry's own.
func (s *Service) Providers() *identity.Providers { return s.current.Load().providers }

// Vouches says whether what a token was issued for is still there; see identity.Providers. It does not wait: who asks has entered a domain.
func (s *Service) Vouches(source string) bool { return s.current.Load().providers.Vouches(source) }

// AccessKey returns whom an access key is of, as it was declared when the call began: nil, if nobody has one of that id.
func (s *Service) AccessKey(ctx context.Context, id string) (*identity.AccessKey, error) {
	if err := s.Ready(ctx); err != nil {
		return nil, err
	}
	return s.current.Load().providers.AccessKey(id), nil
}

// AuthorizeToken asks whether a caller may have a token for a domain: GetAuthorizationToken on it, and sts:GetServiceBearerToken from an
// identity policy (readings 3.1, 3.3). duration 0 asks for the rest of the caller's session. A domain that there is not is denied as one
// that the caller may do nothing with.
func (s *Service) AuthorizeToken(ctx context.Context, ref registry.DomainRef, c *access.Caller, duration time.Duration) (*Domain, error) {
	const action = "codeartifact:GetAuthorizationToken"
	d, err := s.Enter(ctx, ref)
	if errors.Is(err, registry.ErrNotFound) {
		q := s.current.Load().access.Unknown(c, action, ref)
		if denied := permitted(policy.Evaluate(q), &q); denied != nil {
			return nil, denied
		}
	}
	if err != nil {
		return nil, err
	}
	if err := d.Authorize(d.cfg.access.Domain(c, action, "")); err != nil {
		return nil, err
	}
	bearer := *c
	bearer.Context.TokenDuration = int64(duration / time.Second)
	return d, d.Authorize(d.Account(&bearer, "sts:GetServiceBearerToken", "*"))
}

// Principal reads who is meant; see access.Registry.
func (s *Service) Principal(text, account string) (policy.Principal, error) {
	return s.current.Load().access.Principal(text, account)
}

// readers remembers who may read what in one snapshot. Only decisions that no other time, address or tag of a request could change are
// kept, and only those on repositories: the names of packages are the clients' to choose.
type readers struct {
	mu sync.RWMutex
	m  map[decisionKey]struct{}
}

type decisionKey struct {
	principal  policy.Principal
	groups     string
	listener   string
	repository *repoConfig
}

// maxReaders bounds what is remembered; each takes about 200 bytes.
const maxReaders = 32 << 10

func (r *readers) has(k decisionKey) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	_, ok := r.m[k]
	return ok
}

func (r *readers) add(k decisionKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.m == nil || len(r.m) >= maxReaders {
		r.m = map[decisionKey]struct{}{}
	}
	r.m[k] = struct{}{}
}
