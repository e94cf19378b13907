package repository

import (
	"fmt"
	"strings"
	"sync"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/access"
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

// authorize asks the policies.
func authorize(q policy.Request) error { return permitted(policy.Evaluate(q), &q) }

func permitted(d policy.Decision, q *policy.Request) error {
	if d.Allowed() {
		return nil
	}
	return &DeniedError{Principal: q.Principal.ARN, Action: q.Action, Resource: q.Resource, Decision: d}
}

// mayRead asks for ReadFromRepository, which is per repository, never per package (readings 1.21). It is on the way of every read.
func (v *View) mayRead() error {
	key := decisionKey{principal: v.caller.Principal, groups: strings.Join(v.caller.Groups, "\x00"), repository: v.rc}
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
	return authorize(v.request(action, id))
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
func (d *Domain) Authorize(q policy.Request) error { return authorize(q) }

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
