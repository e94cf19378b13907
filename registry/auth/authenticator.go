package auth

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/policy"
)

// defaultCache is how many verified tokens are remembered; each takes about half a kilobyte.
const defaultCache = 16 << 10

// Identity is what a verified token says. It is shared between requests and immutable.
type Identity struct {
	Principal policy.Principal
	Groups    []string
	Tags      map[string]string // of the principal
	Domain    string            // UID of the domain that the token is for
	TokenID   string
	Source    string
	IssuedAt  time.Time
	ExpiresAt time.Time

	admitted atomic.Uint64 // generation of revocations that it was found not to be among
}

// Options of an Authenticator. Keys and Revocations are needed.
type Options struct {
	Keys        *Keys
	Revocations Revocations
	// Vouches says whether what tokens were issued for (Grant.Source) is still there. It is asked at every request, without waiting; nil: it
	// always is.
	Vouches func(source string) bool
	Now     func() time.Time // default time.Now
	Cache   int              // verified tokens to remember; default 16,384
}

// Authenticator verifies tokens. It is safe for concurrent use.
type Authenticator struct {
	key    []byte
	now    func() time.Time
	parser *jwt.Parser
	vouch  func(source string) bool

	limit    int
	mu       sync.RWMutex
	verified map[[sha256.Size]byte]*Identity

	revocations revocations
}

// New returns an Authenticator.
func New(opt Options) *Authenticator {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Cache <= 0 {
		opt.Cache = defaultCache
	}
	if opt.Vouches == nil {
		opt.Vouches = func(string) bool { return true }
	}
	a := &Authenticator{
		key: opt.Keys.signing, now: opt.Now, vouch: opt.Vouches, limit: opt.Cache, verified: map[[sha256.Size]byte]*Identity{},
		// The algorithm is ours to say, never the token's. Strict decoding: one token has one spelling.
		parser: jwt.NewParser(jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithIssuer(issuer),
			jwt.WithExpirationRequired(), jwt.WithTimeFunc(opt.Now), jwt.WithStrictDecoding()),
	}
	a.revocations.init(opt.Revocations)
	return a
}

// Verify returns who a token speaks for. A token that was verified before costs a hash and a look-up; only tokens that are valid are
// remembered, so nobody without one can fill the memory. Errors wrap registry.ErrUnauthenticated and say what to do; none repeats
// the token.
func (a *Authenticator) Verify(token string) (*Identity, error) {
	var room [512]byte // our tokens fit, so that hashing one makes no garbage
	key := sha256.Sum256(append(room[:0], token...))
	a.mu.RLock()
	id := a.verified[key]
	a.mu.RUnlock()
	if id == nil {
		var err error
		if id, err = a.parse(token); err != nil {
			return nil, err
		}
		a.remember(key, id)
	}
	if now := a.now(); !now.Before(id.ExpiresAt) {
		a.forget(key)
		return nil, expired(id.ExpiresAt)
	}
	return id, nil
}

func (a *Authenticator) parse(token string) (*Identity, error) {
	if len(token) > maxToken {
		return nil, malformed("is too long")
	}
	c := &claims{}
	_, err := a.parser.ParseWithClaims(token, c, func(*jwt.Token) (any, error) { return a.key, nil })
	switch {
	case errors.Is(err, jwt.ErrTokenExpired) && !errors.Is(err, jwt.ErrTokenInvalidIssuer): // its signature is good, else it would be another error
		return nil, expired(c.Expires.time())
	case err != nil: // the library's words may repeat parts of the token
		return nil, fmt.Errorf("%w: the token is not one of this registry; %s", registry.ErrUnauthenticated, Hint)
	}
	id, err := c.identity()
	if err != nil {
		return nil, fmt.Errorf("%w: the token is not complete (%w); %s", registry.ErrUnauthenticated, err, Hint)
	}
	return id, nil
}

func expired(at time.Time) error {
	return fmt.Errorf("%w: the token expired at %s; %s", registry.ErrUnauthenticated, at.UTC().Format(time.RFC3339), Hint)
}

// remember keeps a verified token. When there is no room, tokens that have expired go first, and else some, as they come.
func (a *Authenticator) remember(key [sha256.Size]byte, id *Identity) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.verified) >= a.limit {
		now := a.now()
		for k, old := range a.verified {
			if !now.Before(old.ExpiresAt) {
				delete(a.verified, k)
			}
		}
		for k := range a.verified {
			if len(a.verified) <= a.limit-1-a.limit/16 { // room for many, so that a full memory is not searched for each
				break
			}
			delete(a.verified, k)
		}
	}
	a.verified[key] = id
}

func (a *Authenticator) forget(key [sha256.Size]byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.verified, key)
}
