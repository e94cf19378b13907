package auth

import (
	"errors"
	"strconv"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/policy"
)

// issuer is the "iss" of every token. It keeps apart what else may once be signed with a key of the registry.
const issuer = "packhouse"

// claims are the body of a token.
type claims struct {
	Issuer   string  `json:"iss"`
	ID       string  `json:"jti"`
	Subject  string  `json:"sub"` // ARN of the principal
	Account  string  `json:"account"`
	Root     bool    `json:"root,omitempty"`
	UserID   string  `json:"uid,omitempty"`    // aws:userid
	Domain   string  `json:"aud"`              // UID of the domain
	Source   string  `json:"source,omitempty"` // what it was issued for: UID of an access token or key; revoked with it
	IssuedAt instant `json:"iat"`
	Expires  instant `json:"exp"`

	Groups []string          `json:"groups,omitempty"` // of the principal, in its account
	Tags   map[string]string `json:"tags,omitempty"`   // aws:PrincipalTag/…
}

var _ jwt.Claims = (*claims)(nil)

// GetExpirationTime implements jwt.Claims.
func (c *claims) GetExpirationTime() (*jwt.NumericDate, error) { return c.Expires.date(), nil }

// GetIssuedAt implements jwt.Claims.
func (c *claims) GetIssuedAt() (*jwt.NumericDate, error) { return c.IssuedAt.date(), nil }

// GetNotBefore implements jwt.Claims.
func (c *claims) GetNotBefore() (*jwt.NumericDate, error) { return nil, nil }

// GetIssuer implements jwt.Claims.
func (c *claims) GetIssuer() (string, error) { return c.Issuer, nil }

// GetSubject implements jwt.Claims.
func (c *claims) GetSubject() (string, error) { return c.Subject, nil }

// GetAudience implements jwt.Claims.
func (c *claims) GetAudience() (jwt.ClaimStrings, error) { return jwt.ClaimStrings{c.Domain}, nil }

// identity turns verified claims into an Identity. A claim that every token of ours has and this one lacks is an error, so that an
// empty field never becomes a principal.
func (c *claims) identity() (*Identity, error) {
	if c.ID == "" || c.Subject == "" || c.Domain == "" || !registry.IsAccount(c.Account) || c.IssuedAt == 0 {
		return nil, errors.New("a claim is missing")
	}
	return &Identity{
		Principal: policy.Principal{ARN: c.Subject, Account: c.Account, Root: c.Root, UserID: c.UserID},
		Groups:    c.Groups, Tags: c.Tags,
		Domain: c.Domain, TokenID: c.ID, Source: c.Source,
		IssuedAt: c.IssuedAt.time(), ExpiresAt: c.Expires.time(),
	}, nil
}

// instant is microseconds since 1970, written as seconds with a fraction (RFC 7519, NumericDate). The fraction lets a token that is
// issued right after a revocation live.
type instant int64

func instantOf(t time.Time) instant { return instant(t.UnixMicro()) }

func (i instant) time() time.Time { return time.UnixMicro(int64(i)).UTC() }

func (i instant) date() *jwt.NumericDate {
	if i == 0 {
		return nil
	}
	return &jwt.NumericDate{Time: i.time()}
}

// MarshalJSON writes 1700000000.123456.
func (i instant) MarshalJSON() ([]byte, error) {
	b := strconv.AppendInt(nil, int64(i)/1e6, 10)
	b = append(b, '.')
	fraction := strconv.FormatInt(1e6+int64(i)%1e6, 10)
	return append(b, fraction[1:]...), nil
}

// UnmarshalJSON reads a number of seconds after 1970 and before 2500.
func (i *instant) UnmarshalJSON(b []byte) error {
	seconds, err := strconv.ParseFloat(string(b), 64)
	if err != nil || !(seconds > 0 && seconds < 17e9) {
		return errors.New("not a time")
	}
	*i = instant(seconds*1e6 + 0.5) // 17e15 is below 2^54: a float64 holds the microsecond
	return nil
}
