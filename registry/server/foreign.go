package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/access"
	"packhouse.dev/packhouse/registry/auth"
	"packhouse.dev/packhouse/registry/identity"
)

// exchangePath is where tokens of other issuers are exchanged for the registry's own, below a base address (RFC 8693):
//
//	POST {base}/-/oauth/token
//	grant_type=urn:ietf:params:oauth:grant-type:token-exchange
//	subject_token=…
//	subject_token_type=urn:ietf:params:oauth:token-type:jwt   or …:id_token
//	audience=my-domain-111122223333                           the domain that the token is for
//	duration_seconds=3600                                     ours; 0: as long as the subject token; left out: 12 hours
//	provider=NAMESPACE/NAME                                   ours; needed if several identity providers take the token
//
// What is answered is a token for that domain, to who may have one: GetAuthorizationToken (readings 3.3).
const exchangePath = "/-/oauth/token"

// Names of RFC 8693.
const (
	grantExchange = "urn:ietf:params:oauth:grant-type:token-exchange"
	typeJWT       = "urn:ietf:params:oauth:token-type:jwt"
	typeID        = "urn:ietf:params:oauth:token-type:id_token"
	typeAccess    = "urn:ietf:params:oauth:token-type:access_token"
)

// maxForm is the size of a request, in bytes.
const maxForm = 64 << 10

// exchangeToken answers at exchangePath.
func (s *Server) exchangeToken(x *exchange, at location) error {
	x.served = s.tokens
	r := x.request
	if r.Method != http.MethodPost {
		return fmt.Errorf("%w: tokens are exchanged with POST", errMethod)
	}
	if x.upload != nil {
		x.upload.limit = maxForm
	}
	r.URL.RawQuery = "" // a token never stands in an address
	switch err := r.ParseForm(); {
	case errors.Is(err, registry.ErrTooLarge), errors.Is(err, errTooSlow):
		return err
	case err != nil: // which may repeat parts of the token
		return fmt.Errorf("%w: the form is not understood", registry.ErrInvalid)
	}
	ref, duration, err := readExchange(r.PostForm)
	if err != nil {
		return err
	}
	x.presented, x.route.domain = true, ref
	who, err := s.foreign.Verify(r.Context(), s.service.Providers(), r.PostForm.Get("subject_token"), identity.Meant{Provider: r.PostForm.Get("provider")})
	if err != nil {
		return err
	}
	// Not yet an identity of ours: what it may do is asked for what it is.
	x.identity, x.provider = &auth.Identity{Principal: who.Principal, Groups: who.Groups, Tags: who.Tags}, who.Provider
	caller := &access.Caller{Principal: who.Principal, Groups: who.Groups, Context: s.context(x, at)}
	domain, err := s.service.AuthorizeToken(r.Context(), ref, caller, duration)
	if err != nil {
		return err
	}
	grant := auth.Grant{Principal: who.Principal, Groups: who.Groups, Tags: who.Tags, Domain: domain.UID(), Source: who.Source, Lifetime: duration}
	if duration == 0 {
		grant.Until = who.ExpiresAt
	}
	tok, err := s.issuer.Issue(grant)
	if err != nil {
		return err
	}
	x.identity.TokenID = tok.ID // for the record
	return answerToken(x, tok, who)
}

// readExchange checks what a request says, but for the token itself.
func readExchange(form url.Values) (ref registry.DomainRef, duration time.Duration, err error) {
	fail := func(text string) (registry.DomainRef, time.Duration, error) {
		return registry.DomainRef{}, 0, fmt.Errorf("%w: %s", registry.ErrInvalid, text)
	}
	for _, name := range []string{"grant_type", "subject_token", "subject_token_type", "audience", "duration_seconds", "provider"} {
		if len(form[name]) > 1 { // RFC 6749, 3.2
			return fail(name + " is there twice")
		}
	}
	switch kind := form.Get("subject_token_type"); {
	case form.Get("grant_type") != grantExchange:
		return fail("grant_type is " + grantExchange)
	case kind != typeJWT && kind != typeID:
		return fail("subject_token_type is " + typeJWT + " or " + typeID)
	}
	if ref, err = registry.ParseDomainRef(form.Get("audience")); err != nil {
		return fail("audience names the domain that the token is for: {domain}-{account}")
	}
	duration = auth.MaxLifetime
	if text := form.Get("duration_seconds"); text != "" {
		n, err := strconv.ParseInt(text, 10, 32)
		duration = time.Duration(n) * time.Second
		if err != nil || n != 0 && (duration < auth.MinLifetime || duration > auth.MaxLifetime) {
			return fail("duration_seconds is 0, or from 900 to 43200")
		}
	}
	return ref, duration, nil
}

func answerToken(x *exchange, tok *auth.Token, who *identity.Caller) error {
	body, err := json.Marshal(map[string]any{
		"access_token": tok.Value, "issued_token_type": typeAccess, "token_type": "Bearer",
		"expires_in": int64(time.Until(tok.ExpiresAt).Round(time.Second) / time.Second), "principal": who.Principal.ARN,
	})
	if err != nil {
		return err
	}
	h := x.response.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(body)+1))
	x.response.WriteHeader(http.StatusOK)
	_, _ = x.response.Write(append(body, '\n')) // the client is gone; there is nobody to tell
	return nil
}

// refusal is why a foreign token was refused, for the log.
func refusal(err error) string {
	if r, ok := errors.AsType[*identity.Refusal](err); ok {
		return readable(r.Reason.Error())
	}
	return ""
}

// oauthErrors answers as RFC 6749, 5.2, has it.
type oauthErrors struct{}

// WriteError implements format.ErrorWriter.
func (oauthErrors) WriteError(w http.ResponseWriter, _ *http.Request, status int, message string) {
	code := "server_error"
	switch status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusMethodNotAllowed:
		code = "invalid_request"
	case http.StatusUnauthorized:
		code = "invalid_grant"
	case http.StatusForbidden:
		code = "access_denied"
	case http.StatusServiceUnavailable:
		code = "temporarily_unavailable"
	}
	body, err := json.Marshal(map[string]string{"error": code, "error_description": message})
	if err != nil { // strings: it cannot
		body = nil
	}
	w.Header().Del("Www-Authenticate") // there is no password to ask for
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)+1))
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // the client is gone; there is nobody to tell
}
