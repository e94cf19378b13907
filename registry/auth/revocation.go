package auth

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"packhouse.dev/packhouse/registry"
)

// Kind says what a revocation names.
type Kind string

// The kinds of revocation.
const (
	RevokeToken     Kind = "token"     // value: Token.ID
	RevokePrincipal Kind = "principal" // value: ARN
	RevokeSource    Kind = "source"    // value: Grant.Source
	RevokeDomain    Kind = "domain"    // every token of the domain; the value is not looked at
)

// ParseKind reads a kind. An unknown one is registry.ErrInvalid.
func ParseKind(s string) (Kind, error) {
	switch k := Kind(s); k {
	case RevokeToken, RevokePrincipal, RevokeSource, RevokeDomain:
		return k, nil
	}
	return "", fmt.Errorf("%w: a revocation names a token, principal, source or domain, not %q", registry.ErrInvalid, s)
}

// Revocation ends tokens of a kind and value that were issued before a time.
type Revocation struct {
	Kind         Kind
	Value        string
	IssuedBefore time.Time
}

// Revocations is where they are kept.
type Revocations interface {
	// Revocations returns those of a domain, by its UID, and those of the registry as a whole, as they are now.
	Revocations(ctx context.Context, domain string) ([]Revocation, error)
}

// revocations remembers what was read until something changes. Changes are rare: then everything is read again, once per domain.
type revocations struct {
	source     Revocations
	generation atomic.Uint64
	mu         sync.Mutex
	domains    map[string]revoked
}

// revoked is what was read for a domain.
type revoked struct {
	generation uint64
	until      map[Kind]map[string]time.Time // tokens issued before are dead
}

func (r *revocations) init(source Revocations) {
	r.source, r.domains = source, map[string]revoked{}
	r.generation.Store(1) // 0 is what an Identity begins with
}

// RevocationsChanged drops what is known about revocations. The feed's follower calls it before a barrier lets requests pass.
func (a *Authenticator) RevocationsChanged() { a.revocations.generation.Add(1) }

// Admit says whether a verified token is good for a domain: it names that domain, is not revoked, and what it was issued for is still
// there. It is called behind the feed's
// barrier. Errors: registry.ErrUnauthenticated, and registry.ErrUnavailable if the revocations cannot be read.
func (a *Authenticator) Admit(ctx context.Context, id *Identity, domain string) error {
	if id.Domain != domain {
		return Foreign()
	}
	if !a.vouch(id.Source) {
		return revokedError()
	}
	generation := a.revocations.generation.Load() // before reading: a change in between makes what is read old
	if id.admitted.Load() == generation {
		return nil
	}
	set, err := a.revocations.of(ctx, domain, generation)
	if err != nil {
		return err
	}
	if set.covers(id) {
		return revokedError()
	}
	id.admitted.Store(generation)
	return nil
}

func revokedError() error {
	return fmt.Errorf("%w: the token was revoked; %s", registry.ErrUnauthenticated, Hint)
}

// Foreign is the error of a token that is for another domain. A domain that does not exist gives the same, so that nobody learns
// which ones there are.
func Foreign() error {
	return fmt.Errorf("%w: the token is for another domain than the one in the address; %s for this domain", registry.ErrUnauthenticated, Hint)
}

func (r *revocations) of(ctx context.Context, domain string, generation uint64) (revoked, error) {
	r.mu.Lock()
	set, ok := r.domains[domain]
	r.mu.Unlock()
	if ok && set.generation == generation {
		return set, nil
	}
	list, err := r.source.Revocations(ctx, domain)
	if err != nil {
		return revoked{}, fmt.Errorf("read revocations: %w: %w", registry.ErrUnavailable, err)
	}
	set = revoked{generation: generation, until: map[Kind]map[string]time.Time{}}
	for _, v := range list {
		set.add(v)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.domains[domain] = set
	return set, nil
}

func (s revoked) add(r Revocation) {
	if r.Kind == RevokeDomain {
		r.Value = ""
	}
	values := s.until[r.Kind]
	if values == nil {
		values = map[string]time.Time{}
		s.until[r.Kind] = values
	}
	if r.IssuedBefore.After(values[r.Value]) {
		values[r.Value] = r.IssuedBefore
	}
}

func (s revoked) covers(id *Identity) bool {
	dead := func(k Kind, value string) bool { return id.IssuedAt.Before(s.until[k][value]) }
	return dead(RevokeToken, id.TokenID) || dead(RevokePrincipal, id.Principal.ARN) || dead(RevokeDomain, "") ||
		id.Source != "" && dead(RevokeSource, id.Source)
}
