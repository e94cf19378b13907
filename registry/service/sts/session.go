package sts

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/auth"
	"packhouse.dev/packhouse/registry/identity"
	"packhouse.dev/packhouse/registry/policy"
	"packhouse.dev/packhouse/registry/service/sigv4"
)

// prefix of the ids of temporary keys (IAM user guide, "Understanding unique ID prefixes").
const prefix = "ASIA"

// maxToken is the length of the longest session token that is looked at, in bytes. AWS promises at least 4 KB to its own.
const maxToken = 4 << 10

// Sessions makes temporary keys and knows them again. Nothing is written down: what a key is for stands in its session token, sealed
// with a key of the registry, and its secret is derived from its id, so that every replica knows it. It is safe for concurrent use.
type Sessions struct {
	sealing []byte
	signing []byte
	now     func() time.Time
	parser  *jwt.Parser
}

// NewSessions returns Sessions. now nil: time.Now. A sealing key that is too short is an error.
func NewSessions(sealing []byte, now func() time.Time) (*Sessions, error) {
	signing, err := auth.Derive(sealing, "packhouse session token signature 1", 32)
	if err != nil {
		return nil, err
	}
	if now == nil {
		now = time.Now
	}
	return &Sessions{sealing: sealing, signing: signing, now: now, parser: jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithStrictDecoding(), jwt.WithoutClaimsValidation(), // that it is over is for sigv4 to say, in the words of AWS
	)}, nil
}

// Credentials are a temporary key.
type Credentials struct {
	AccessKeyID, SecretAccessKey, SessionToken string
	Expiration                                 time.Time
}

// issuer is the "iss" of session tokens. They are signed with a key of their own besides.
const issuer = "packhouse sts"

// session is the body of a session token.
type session struct {
	jwt.RegisteredClaims // sub: ARN of the principal; jti: id of the key

	Account string            `json:"account"`
	UserID  string            `json:"uid,omitempty"`
	Groups  []string          `json:"groups,omitempty"`
	Tags    map[string]string `json:"tags,omitempty"`
	Source  string            `json:"source"`
}

// Issue makes a key that is good for a time. Groups and tags that make its token too long are registry.ErrInvalid.
func (s *Sessions) Issue(who *identity.Caller, lifetime time.Duration) (*Credentials, error) {
	random := make([]byte, 10)
	_, _ = rand.Read(random) // it never fails
	id, now := prefix+base32.StdEncoding.EncodeToString(random), s.now()
	secret, err := s.secret(id)
	if err != nil {
		return nil, err
	}
	end := now.Add(lifetime).Truncate(time.Second)
	claims := &session{Account: who.Principal.Account, UserID: who.Principal.UserID, Groups: who.Groups, Tags: who.Tags, Source: who.Source}
	claims.Issuer, claims.ID, claims.Subject = issuer, id, who.Principal.ARN
	claims.IssuedAt, claims.ExpiresAt = jwt.NewNumericDate(now), jwt.NewNumericDate(end)
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(s.signing)
	if err != nil {
		return nil, fmt.Errorf("sign session token: %w", err)
	}
	if len(token) > maxToken {
		return nil, fmt.Errorf("%w: the session token would be too long; groups and tags stand in it", registry.ErrInvalid)
	}
	return &Credentials{AccessKeyID: id, SecretAccessKey: secret, SessionToken: token, Expiration: end}, nil
}

func (s *Sessions) secret(id string) (string, error) {
	b, err := auth.Derive(s.sealing, "packhouse session secret 1 "+id, 30)
	if err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(b), nil
}

// Key returns a temporary key with what its session token says, also if it is over. registry.ErrNotFound for a token that is not one of
// ours, or not that of this key.
func (s *Sessions) Key(id, token string) (*sigv4.Key, error) {
	unknown := fmt.Errorf("session: %w", registry.ErrNotFound)
	if !strings.HasPrefix(id, prefix) || len(token) > maxToken {
		return nil, unknown
	}
	c := &session{}
	if _, err := s.parser.ParseWithClaims(token, c, func(*jwt.Token) (any, error) { return s.signing, nil }); err != nil {
		return nil, unknown
	}
	if c.Issuer != issuer || c.ID != id || c.complete() != nil {
		return nil, unknown
	}
	secret, err := s.secret(id)
	if err != nil {
		return nil, err
	}
	return &sigv4.Key{
		ID: id, Secret: secret, SessionToken: token, Principal: policy.Principal{ARN: c.Subject, Account: c.Account, UserID: c.UserID},
		Groups: c.Groups, Tags: c.Tags, Source: c.Source, IssuedAt: c.IssuedAt.Time, ExpiresAt: c.ExpiresAt.Time,
	}, nil
}

// complete is an error if a claim is missing that every session of ours has.
func (c *session) complete() error {
	if c.Subject == "" || !registry.IsAccount(c.Account) || c.Source == "" || c.IssuedAt == nil || c.ExpiresAt == nil {
		return errors.New("a claim is missing")
	}
	return nil
}
