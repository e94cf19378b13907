// Package sts is what clients need of AWS's Security Token Service to work in a pod with the usual environment
// (AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_ARN; readings 3.10):
//
//	POST {base}/-/sts   Action=AssumeRoleWithWebIdentity&RoleArn=…&RoleSessionName=…&WebIdentityToken=…[&DurationSeconds=900…43200]
//	POST {base}/-/sts   Action=GetCallerIdentity, signed
//
// Version is 2011-06-15, answers are XML (STS API reference). The token is one that the exchange endpoint takes too; the role is the one
// that it is a session of, and the session keeps its own name: that of the pod, whatever RoleSessionName says. What it may do is what
// policies let the role do.
package sts

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/identity"
	"packhouse.dev/packhouse/registry/policy"
	"packhouse.dev/packhouse/registry/service/sigv4"
)

// Path is the address of the service below a base address.
const Path = "/-/sts"

const (
	version   = "2011-06-15"
	namespace = "https://sts.amazonaws.com/doc/2011-06-15/"
)

// How long sessions live (STS API reference, AssumeRoleWithWebIdentity).
const (
	minSession     = 15 * time.Minute
	maxSession     = 12 * time.Hour
	defaultSession = time.Hour
)

// Door is what the service needs of repository.Service.
type Door interface {
	Providers() *identity.Providers
	Names() policy.Names
}

// Options of a Service. All but Logger and Now are needed.
type Options struct {
	Door     Door
	Foreign  *identity.Verifier
	Keys     sigv4.Keys
	Sessions *Sessions
	Logger   *slog.Logger
	Now      func() time.Time
}

// Service answers. It is safe for concurrent use.
type Service struct {
	opt        Options
	signatures *sigv4.Verifier
}

// New returns a Service.
func New(opt Options) (*Service, error) {
	if opt.Door == nil || opt.Foreign == nil || opt.Keys == nil || opt.Sessions == nil {
		return nil, errors.New("sts: Door, Foreign, Keys and Sessions are needed")
	}
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	return &Service{opt: opt, signatures: &sigv4.Verifier{Service: "sts", Keys: opt.Keys, Now: opt.Now}}, nil
}

// Outcome is what became of a request, for the record.
type Outcome struct {
	Action    string // "": not understood
	Role      string // that was asked for
	Principal policy.Principal
	KeyID     string // of the key that was made or signed
	Code      string // of the error; "": none
	Message   string
	Status    int
}

// Fault is an error of the service, in the words of AWS.
type Fault struct {
	Code, Message string
	Status        int
}

// Error implements error.
func (f *Fault) Error() string { return f.Code + ": " + f.Message }

func fault(status int, code, format string, args ...any) error {
	return &Fault{Code: code, Message: fmt.Sprintf(format, args...), Status: status}
}

// Serve answers a request whose body is bounded. id names it in the answer.
func (s *Service) Serve(w http.ResponseWriter, r *http.Request, body []byte, id string) *Outcome {
	out := &Outcome{Status: http.StatusOK}
	answer, err := s.answer(r, body, id, out)
	if err != nil {
		answer = s.refuse(r.Context(), err, id, out)
	}
	text, err := xml.Marshal(answer)
	if err != nil { // our own types: it cannot
		text, out.Status = nil, http.StatusInternalServerError
	}
	h := w.Header()
	h.Set("Content-Type", "text/xml")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Amzn-Requestid", id)
	h.Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(out.Status)
	_, _ = w.Write(text) // the client is gone; there is nobody to tell
	return out
}

func (s *Service) answer(r *http.Request, body []byte, id string, out *Outcome) (any, error) {
	form, err := parameters(r, body)
	if err != nil {
		return nil, err
	}
	switch action := form.Get("Action"); {
	case action != "" && form.Get("Version") != version:
		return nil, fault(http.StatusBadRequest, "InvalidAction", "Could not find operation for version %s: it is %s.", shown(form.Get("Version")), version)
	case action == "AssumeRoleWithWebIdentity":
		out.Action = action
		return s.assume(r.Context(), form, id, out)
	case action == "GetCallerIdentity":
		out.Action = action
		return s.callerIdentity(r, body, id, out)
	case action == "":
		return nil, fault(http.StatusBadRequest, "MissingAction", "The request must have the parameter Action.")
	default:
		return nil, fault(http.StatusBadRequest, "InvalidAction", "There is no operation %s here: AssumeRoleWithWebIdentity and GetCallerIdentity are.", shown(action))
	}
}

// parameters are those of the body. A token never stands in an address.
func parameters(r *http.Request, body []byte) (url.Values, error) {
	if r.Method != http.MethodPost {
		return nil, fault(http.StatusMethodNotAllowed, "InvalidAction", "Requests are sent with POST.")
	}
	form, err := url.ParseQuery(string(body))
	if err != nil { // which may repeat parts of a token
		return nil, fault(http.StatusBadRequest, "MalformedQueryString", "The form is not understood.")
	}
	for name, values := range form {
		if len(values) > 1 {
			return nil, fault(http.StatusBadRequest, "ValidationError", "%s is there twice.", shown(name))
		}
	}
	return form, nil
}

// assume answers AssumeRoleWithWebIdentity.
func (s *Service) assume(ctx context.Context, form url.Values, id string, out *Outcome) (any, error) {
	role, lifetime, err := readAssume(form)
	if err != nil {
		return nil, err
	}
	out.Role = role.ARN
	who, err := s.opt.Foreign.Verify(ctx, s.opt.Door.Providers(), form.Get("WebIdentityToken"), identity.Meant{Account: role.Account})
	var refusal *identity.Refusal
	switch {
	case errors.As(err, &refusal):
		s.opt.Logger.InfoContext(ctx, "denied", "request", id, "path", Path, "reason", readable(refusal.Reason.Error()))
		return nil, fault(http.StatusBadRequest, "InvalidIdentityToken", "The token is not accepted.")
	case err != nil:
		return nil, err
	}
	out.Principal = who.Principal
	if session, ok := strings.CutPrefix(who.Principal.ARN, s.opt.Door.Names().Session(role.Account, role.name, "")); !ok || session == "" || role.ARN != s.opt.Door.Names().Role(role.Account, role.name) {
		return nil, fault(http.StatusForbidden, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")
	}
	made, err := s.opt.Sessions.Issue(who, lifetime)
	if err != nil {
		return nil, err
	}
	out.KeyID = made.AccessKeyID
	return assumed(who, made, id), nil
}

// role is what a client wants to be.
type role struct {
	policy.Principal

	name string
}

func readAssume(form url.Values) (role, time.Duration, error) {
	fail := func(format string, args ...any) (role, time.Duration, error) {
		return role{}, 0, fault(http.StatusBadRequest, "ValidationError", format, args...)
	}
	for _, name := range []string{"RoleArn", "RoleSessionName", "WebIdentityToken"} {
		if form.Get(name) == "" {
			return fail("%s is needed.", name)
		}
	}
	for _, name := range []string{"Policy", "PolicyArns.member.1.arn", "ProviderId"} { // what would narrow the session must not be lost
		if form.Has(name) {
			return fail("%s is not supported.", name)
		}
	}
	lifetime := defaultSession
	if text := form.Get("DurationSeconds"); text != "" {
		n, err := strconv.ParseInt(text, 10, 32)
		lifetime = time.Duration(n) * time.Second
		if err != nil || lifetime < minSession || lifetime > maxSession {
			return fail("DurationSeconds must be a number from %d to %d.", int(minSession/time.Second), int(maxSession/time.Second))
		}
	}
	p, err := policy.ParsePrincipal(form.Get("RoleArn"))
	_, name, found := strings.Cut(p.ARN, ":role/")
	if err != nil || !found || name == "" || strings.Contains(name, "/") {
		return fail("RoleArn must be the ARN of a role, like arn:aws:iam::111122223333:role/builder.")
	}
	return role{p, name}, lifetime, nil
}

// callerIdentity answers GetCallerIdentity.
func (s *Service) callerIdentity(r *http.Request, body []byte, id string, out *Outcome) (any, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, fault(http.StatusBadRequest, "MalformedQueryString", "The query is not escaped correctly.")
	}
	if !sigv4.Signed(r, query) {
		return nil, fault(http.StatusForbidden, "MissingAuthenticationToken", "Request is missing Authentication Token")
	}
	key, err := s.signatures.Verify(r, query, sigv4.Hash(body))
	if err != nil {
		return nil, err
	}
	out.Principal, out.KeyID = key.Principal, key.ID
	a := &callerIdentityResponse{XMLNS: namespace, RequestID: id}
	a.Result.ARN, a.Result.Account, a.Result.UserID = key.Principal.ARN, key.Principal.Account, key.Principal.UserID
	return a, nil
}

// refuse turns an error into an answer.
func (s *Service) refuse(ctx context.Context, err error, id string, out *Outcome) any {
	f, ok := errors.AsType[*Fault](err)
	if signature, bad := errors.AsType[*sigv4.Error](err); !ok && bad {
		f, ok = &Fault{Code: signature.Code, Message: signature.Message, Status: http.StatusForbidden}, true
	}
	switch {
	case ok:
	case errors.Is(err, registry.ErrInvalid):
		f = &Fault{Code: "ValidationError", Message: readable(err.Error()), Status: http.StatusBadRequest}
	case errors.Is(err, registry.ErrUnavailable): // SDKs try again
		s.opt.Logger.WarnContext(ctx, "cannot answer", "request", id, "path", Path, "error", err)
		f = &Fault{Code: "IDPCommunicationError", Message: "The keys of the token's issuer cannot be fetched; try again.", Status: http.StatusServiceUnavailable}
	default:
		s.opt.Logger.ErrorContext(ctx, "request failed", "request", id, "path", Path, "error", err)
		f = &Fault{Code: "InternalFailure", Message: "internal error; the log of the registry has more under " + id, Status: http.StatusInternalServerError}
	}
	out.Code, out.Message, out.Status = f.Code, f.Message, f.Status
	a := &errorResponse{XMLNS: namespace, RequestID: id}
	a.Error.Type, a.Error.Code, a.Error.Message = "Sender", f.Code, f.Message
	if f.Status >= http.StatusInternalServerError {
		a.Error.Type = "Receiver"
	}
	return a
}

// shown is what of a client's own text stands in an answer.
func shown(s string) string { return fmt.Sprintf("%.64q", s) }

// readable drops control characters, which no line of a log is to have.
func readable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}
