package auth

import (
	"crypto/rand"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/policy"
)

// How long tokens may live (guide, "Tokens": 15 minutes to 12 hours).
const (
	MinLifetime = 15 * time.Minute
	MaxLifetime = 12 * time.Hour
)

// Issuer makes tokens. It is safe for concurrent use.
type Issuer struct {
	keys *Keys
	now  func() time.Time
}

// NewIssuer returns an Issuer. now nil: time.Now.
func NewIssuer(keys *Keys, now func() time.Time) *Issuer {
	if now == nil {
		now = time.Now
	}
	return &Issuer{keys: keys, now: now}
}

// Grant is what a token says.
type Grant struct {
	Principal policy.Principal
	Groups    []string          // of the principal, that an identity provider told
	Tags      map[string]string // of the principal, likewise
	Domain    string            // UID of the domain
	Source    string            // what it is issued for, so that it can be revoked with it; may be empty
	Lifetime  time.Duration     // 0: MaxLifetime
	// Until is the end of the session that the token is for, instead of a lifetime. It may be nearer than MinLifetime, and what is further
	// than MaxLifetime is that.
	Until time.Time
}

// Token is an issued token.
type Token struct {
	ID        string // names the token in revocations and records; it is no secret
	Value     string // the secret
	ExpiresAt time.Time
}

func (g *Grant) lifetime(now time.Time) (time.Duration, error) {
	switch left := g.Until.Sub(now); {
	case !g.Until.IsZero() && left <= 0:
		return 0, fmt.Errorf("%w: the session is over", registry.ErrInvalid)
	case !g.Until.IsZero():
		return min(left, MaxLifetime), nil
	case g.Lifetime == 0:
		return MaxLifetime, nil
	case g.Lifetime < MinLifetime || g.Lifetime > MaxLifetime:
		return 0, fmt.Errorf("%w: a token lives 15 minutes to 12 hours, not %v", registry.ErrInvalid, g.Lifetime)
	}
	return g.Lifetime, nil
}

// Issue signs a token. A lifetime outside the bounds, or a grant that names no principal or domain, is registry.ErrInvalid.
func (i *Issuer) Issue(g Grant) (*Token, error) {
	now := i.now()
	lifetime, err := g.lifetime(now)
	switch {
	case err != nil:
		return nil, err
	case g.Principal.Anonymous() || !registry.IsAccount(g.Principal.Account):
		return nil, fmt.Errorf("%w: a token needs a principal", registry.ErrInvalid)
	case g.Domain == "":
		return nil, fmt.Errorf("%w: a token needs a domain", registry.ErrInvalid)
	}
	c := &claims{
		Issuer: issuer, ID: rand.Text(), Subject: g.Principal.ARN, Account: g.Principal.Account, Root: g.Principal.Root,
		UserID: g.Principal.UserID, Groups: g.Groups, Tags: g.Tags, Domain: g.Domain, Source: g.Source, IssuedAt: instantOf(now), Expires: instantOf(now.Add(lifetime)),
	}
	value, err := jwt.NewWithClaims(jwt.SigningMethodHS256, c).SignedString(i.keys.signing)
	if err != nil {
		return nil, fmt.Errorf("sign token: %w", err)
	}
	if len(value) > maxToken {
		return nil, fmt.Errorf("%w: the token would be too long; groups and tags stand in it", registry.ErrInvalid)
	}
	return &Token{ID: c.ID, Value: value, ExpiresAt: c.Expires.time()}, nil
}
