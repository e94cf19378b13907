package sigv4

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/policy"
)

// Skew is how far a client's clock may be off.
const Skew = 5 * time.Minute

// maxExpires is how long a presigned request may be good.
const maxExpires = 7 * 24 * time.Hour

// Key is an access key with the principal that it acts as.
type Key struct {
	ID           string
	Secret       string
	SessionToken string // "": a long-term key
	Principal    policy.Principal
	Groups       []string
	Tags         map[string]string // of the principal
	Source       string            // UID of what made it
	IssuedAt     time.Time         // of a session; zero: a long-term key
	ExpiresAt    time.Time         // of a session
}

// Keys finds access keys.
type Keys interface {
	// AccessKey returns a key by its id; registry.ErrNotFound if there is none.
	AccessKey(ctx context.Context, id string) (*Key, error)
}

// SessionKeys is what Keys implements that knows temporary keys, which come with a token that says what they are for.
type SessionKeys interface {
	// SessionKey returns the key of an id and a token, also one that is over; registry.ErrNotFound if they are no pair.
	SessionKey(ctx context.Context, id, token string) (*Key, error)
}

// Error is why a signature is not accepted, in the words of AWS. It unwraps to registry.ErrUnauthenticated.
type Error struct{ Code, Message string }

// Error implements error.
func (e *Error) Error() string { return e.Message }

// Unwrap makes errors.Is(err, registry.ErrUnauthenticated) true.
func (e *Error) Unwrap() error { return registry.ErrUnauthenticated }

func incomplete(format string, args ...any) error {
	return &Error{"IncompleteSignatureException", fmt.Sprintf(format, args...)}
}

func invalid(format string, args ...any) error {
	return &Error{"InvalidSignatureException", fmt.Sprintf(format, args...)}
}

// The two that say nothing of what was wrong.
func unknownKey() error {
	return &Error{"UnrecognizedClientException", "The security token included in the request is invalid."}
}

func mismatch() error {
	return invalid("The request signature we calculated does not match the signature you provided. " +
		"Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
}

// Verifier verifies requests to one service. It is safe for concurrent use.
type Verifier struct {
	Service string // of the scope: "codeartifact"; the region may be any
	Keys    Keys
	Now     func() time.Time
}

// Signed says whether a request has a signature, good or bad.
func Signed(r *http.Request, query url.Values) bool {
	return strings.HasPrefix(r.Header.Get("Authorization"), Algorithm) || query.Get("X-Amz-Algorithm") != ""
}

// signed is what a request says of its signature.
type signed struct {
	key       string
	scope     scope
	headers   []string
	signature []byte
	time      string // as written
	at        time.Time
	expires   time.Duration // 0: in the header
	token     string
}

// Verify finds out whose request it is. body is the SHA-256 of the body in hexadecimal, which is compared with what was signed; with ""
// the caller compares it itself with what the header X-Amz-Content-Sha256 says, which is then there. Errors are *Error, or what Keys
// returns.
func (v *Verifier) Verify(r *http.Request, query url.Values, body string) (*Key, error) {
	s, err := parse(r, query)
	if err != nil {
		return nil, err
	}
	if err := s.complete(r, v.Service); err != nil {
		return nil, err
	}
	key, err := v.find(r.Context(), s)
	if errors.Is(err, registry.ErrNotFound) {
		return nil, unknownKey()
	}
	if err != nil {
		return nil, err
	}
	now := v.Now()
	if err := s.timely(now); err != nil {
		return nil, err
	}
	payload, err := payloadOf(r, body)
	if err != nil {
		return nil, err
	}
	want := signature(key.Secret, s.time, s.scope, canonicalRequest(r, query, s.headers, payload))
	if !hmac.Equal(want, s.signature) {
		return nil, mismatch()
	}
	if subtle.ConstantTimeCompare([]byte(key.SessionToken), []byte(s.token)) != 1 {
		return nil, unknownKey()
	}
	if !key.ExpiresAt.IsZero() && !now.Before(key.ExpiresAt) {
		return nil, &Error{"ExpiredTokenException", "The security token included in the request is expired"}
	}
	return key, nil
}

func (v *Verifier) find(ctx context.Context, s *signed) (*Key, error) {
	if sessions, ok := v.Keys.(SessionKeys); ok && s.token != "" {
		return sessions.SessionKey(ctx, s.key, s.token)
	}
	return v.Keys.AccessKey(ctx, s.key)
}

// payloadOf is what stands for the body in the canonical request.
func payloadOf(r *http.Request, body string) (string, error) {
	switch said := r.Header.Get("X-Amz-Content-Sha256"); {
	case said == UnsignedPayload:
		return said, nil
	case said == "" && body == "":
		return "", incomplete("The request must have the header 'X-Amz-Content-Sha256'.")
	case said == "":
		return body, nil
	case body != "" && said != body:
		return "", invalid("The body of the request is not the one that 'X-Amz-Content-Sha256' says.")
	default:
		return said, nil
	}
}

// Hash is the digest of a body as Verify takes it.
func Hash(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

func parse(r *http.Request, query url.Values) (*signed, error) {
	text := r.Header.Get("Authorization")
	if text == "" {
		return parseQuery(query)
	}
	if len(r.Header.Values("Authorization")) > 1 || query.Has("X-Amz-Signature") {
		return nil, incomplete("The request has more than one signature.")
	}
	fields := map[string]string{}
	rest, ok := strings.CutPrefix(text, Algorithm)
	if !ok || rest != "" && rest[0] != ' ' {
		return nil, incomplete("Unsupported AWS 'algorithm'; write %s.", Algorithm)
	}
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		if _, twice := fields[name]; twice {
			return nil, incomplete("Authorization header has '%s' twice.", shown(name))
		}
		fields[name] = value
	}
	for _, name := range []string{"Credential", "Signature", "SignedHeaders"} {
		if fields[name] == "" {
			return nil, incomplete("Authorization header requires '%s' parameter.", name)
		}
	}
	time := r.Header.Get("X-Amz-Date")
	if time == "" {
		return nil, incomplete("Authorization header requires existence of an 'X-Amz-Date' header.")
	}
	s := &signed{time: time, token: r.Header.Get("X-Amz-Security-Token")}
	return s, s.set(fields["Credential"], fields["SignedHeaders"], fields["Signature"])
}

func parseQuery(query url.Values) (*signed, error) {
	for _, name := range []string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature"} {
		if len(query[name]) != 1 {
			return nil, incomplete("AWS query-string parameters must include '%s' once.", name)
		}
	}
	if query.Get("X-Amz-Algorithm") != Algorithm {
		return nil, incomplete("Unsupported AWS 'algorithm'; write %s.", Algorithm)
	}
	seconds, err := strconv.Atoi(query.Get("X-Amz-Expires"))
	if err != nil || seconds < 1 || seconds > int(maxExpires/time.Second) {
		return nil, incomplete("'X-Amz-Expires' must be a number of seconds from 1 to %d.", int(maxExpires/time.Second))
	}
	s := &signed{time: query.Get("X-Amz-Date"), expires: time.Duration(seconds) * time.Second, token: query.Get("X-Amz-Security-Token")}
	return s, s.set(query.Get("X-Amz-Credential"), query.Get("X-Amz-SignedHeaders"), query.Get("X-Amz-Signature"))
}

// set reads the three parts that both forms have.
func (s *signed) set(credential, headers, signature string) (err error) {
	parts := strings.Split(credential, "/")
	if len(parts) != 5 || slices.Contains(parts, "") || parts[4] != terminator {
		return incomplete("Credential must be '<access key>/<date>/<region>/<service>/%s'.", terminator)
	}
	s.key, s.scope = parts[0], scope{date: parts[1], region: parts[2], service: parts[3]}
	s.headers = strings.Split(headers, ";")
	for i, h := range s.headers {
		if h == "" || h != strings.ToLower(h) || i > 0 && s.headers[i-1] >= h {
			return incomplete("'SignedHeaders' must be in lower case and in order.")
		}
	}
	if s.signature, err = hex.DecodeString(signature); err != nil || len(s.signature) != sha256.Size {
		return mismatch()
	}
	if s.at, err = time.Parse(timeFormat, s.time); err != nil {
		return incomplete("Date must be in ISO-8601 'basic format'. Got '%s'.", shown(s.time))
	}
	return nil
}

// complete checks that everything is signed that says something: the host, and what AWS adds.
func (s *signed) complete(r *http.Request, service string) error {
	if s.scope.service != service {
		return invalid("Credential should be scoped to correct service: '%s'.", service)
	}
	if s.scope.date != s.at.Format(dateFormat) {
		return invalid("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '%s' != '%s'.",
			shown(s.scope.date), s.at.Format(dateFormat))
	}
	if !slices.Contains(s.headers, "host") {
		return invalid("'Host' must be a 'SignedHeader' in the AWS Authorization.")
	}
	for name := range r.Header {
		if lower := strings.ToLower(name); strings.HasPrefix(lower, "x-amz-") && !slices.Contains(s.headers, lower) {
			return invalid("'%s' must be a 'SignedHeader' in the AWS Authorization.", shown(lower))
		}
	}
	return nil
}

func (s *signed) timely(now time.Time) error {
	end := s.at.Add(Skew)
	if s.expires > 0 {
		end = s.at.Add(s.expires)
	}
	switch {
	case s.at.After(now.Add(Skew)):
		return invalid("Signature not yet current: %s is still later than %s (%s + 5 min.)", s.time, now.Add(Skew).UTC().Format(timeFormat), now.UTC().Format(timeFormat))
	case now.After(end):
		return invalid("Signature expired: %s is now earlier than %s (%s - 5 min.)", s.time, now.Add(-Skew).UTC().Format(timeFormat), now.UTC().Format(timeFormat))
	}
	return nil
}

// shown is what of a client's own text stands in an error.
func shown(s string) string {
	if len(s) > 64 {
		s = s[:64]
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}
