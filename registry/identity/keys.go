package identity

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"packhouse.dev/packhouse/registry"
)

// algorithms are those that are accepted (RFC 7518, 3.1; RFC 8037): signatures that only the issuer can make. A shared secret or none
// proves nothing.
func algorithms() []string {
	return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
}

// Bounds of key sets.
const (
	maxKeys    = 64
	maxKeyText = 256 << 10
	minRSA     = 2048 // bits
)

// key is a public key and what it is for.
type key struct {
	public     any
	algorithms []string
}

// fits returns the key if a token that says to be signed with an algorithm can be signed with it.
func (k *key) fits(algorithm string) (any, error) {
	if !slices.Contains(k.algorithms, algorithm) {
		return nil, fmt.Errorf("its key is not for %s", algorithm)
	}
	return k.public, nil
}

// keySet is keys by their kid.
type keySet struct{ keys map[string]*key }

func (s *keySet) key(kid string) (*key, error) {
	k := s.keys[kid]
	if k == nil {
		return nil, fmt.Errorf("its key %.100q is not known", kid)
	}
	return k, nil
}

// parseKeys reads a JSON Web Key Set (RFC 7517). Keys that are not for signatures, of other kinds, too short or without a name are left
// out; a set without a key that is left is an error.
func parseKeys(b []byte) (*keySet, error) {
	if len(b) > maxKeyText {
		return nil, fmt.Errorf("the key set has more than %d bytes", maxKeyText)
	}
	var raw struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(b, &raw); err != nil {
		return nil, fmt.Errorf("it is no JSON Web Key Set: %w", err)
	}
	if len(raw.Keys) > maxKeys {
		return nil, fmt.Errorf("the key set has more than %d keys", maxKeys)
	}
	set := &keySet{keys: map[string]*key{}}
	for _, text := range raw.Keys {
		var jwk jose.JSONWebKey
		if json.Unmarshal(text, &jwk) != nil || jwk.KeyID == "" || jwk.Use != "" && jwk.Use != "sig" {
			continue // of a kind that others use
		}
		able := able(jwk.Key)
		if jwk.Algorithm != "" {
			able = slices.DeleteFunc(able, func(a string) bool { return a != jwk.Algorithm })
		}
		if len(able) > 0 {
			set.keys[jwk.KeyID] = &key{public: jwk.Key, algorithms: able}
		}
	}
	if len(set.keys) == 0 {
		return nil, errors.New("the key set has no public key with a kid that signatures can be verified with")
	}
	return set, nil
}

// able are the algorithms that a public key is good for. Private and shared keys are good for none.
func able(public any) []string {
	switch k := public.(type) {
	case *rsa.PublicKey:
		if k.N.BitLen() >= minRSA {
			return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
		}
	case *ecdsa.PublicKey:
		switch k.Curve.Params().BitSize {
		case 256:
			return []string{"ES256"}
		case 384:
			return []string{"ES384"}
		case 521:
			return []string{"ES512"}
		}
	case ed25519.PublicKey:
		return []string{"EdDSA"}
	}
	return nil
}

// fetched says where a key set is fetched. It is comparable.
type fetched struct {
	url, ca string
	private bool // the address may be private
}

// Fetch reads a document from outside, within bounds on where it may lead and how large it may be.
type Fetch func(ctx context.Context, url, ca string, allowPrivate bool) ([]byte, error)

// How long fetched keys are taken.
const (
	keysFresh = time.Hour
	keysStale = 24 * time.Hour   // if the issuer cannot be asked
	keysAgain = 30 * time.Second // between two questions for a key that is not there
	maxSets   = 1000
)

// remoteKeys are key sets that are fetched.
type remoteKeys struct {
	fetch Fetch
	now   func() time.Time
	mu    sync.Mutex
	sets  map[fetched]*remoteSet
}

// remoteSet is the key set of one address. Its lock is held while it is fetched, so that all who want it wait for one answer.
type remoteSet struct {
	mu      sync.Mutex
	set     *keySet
	at      time.Time // of set
	triedAt time.Time
	err     error // of the last try
}

func (r *remoteKeys) key(ctx context.Context, from fetched, kid string) (*key, error) {
	s := r.of(from)
	s.mu.Lock()
	defer s.mu.Unlock()
	now := r.now()
	known := s.set != nil && s.set.keys[kid] != nil
	if wanted := !known || now.Sub(s.at) > keysFresh; wanted && now.Sub(s.triedAt) > keysAgain {
		s.triedAt = now
		var set *keySet
		if set, s.err = r.load(ctx, from); s.err == nil {
			s.set, s.at = set, now
		}
	}
	if s.set == nil || now.Sub(s.at) > keysStale || s.err != nil && s.set.keys[kid] == nil {
		return nil, fmt.Errorf("%w: keys of %s: %w", registry.ErrUnavailable, from.url, s.err)
	}
	return s.set.key(kid)
}

func (r *remoteKeys) load(ctx context.Context, from fetched) (*keySet, error) {
	if r.fetch == nil {
		return nil, errors.New("keys are not fetched here")
	}
	// Who asks may go; the others wait for the answer.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	b, err := r.fetch(ctx, from.url, from.ca, from.private)
	if err != nil {
		return nil, err
	}
	return parseKeys(b)
}

func (r *remoteKeys) of(from fetched) *remoteSet {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.sets[from]
	if s == nil {
		if len(r.sets) >= maxSets { // of providers that are gone
			clear(r.sets)
		}
		s = &remoteSet{}
		r.sets[from] = s
	}
	return s
}
