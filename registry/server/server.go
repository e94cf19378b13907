package server

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/access"
	"packhouse.dev/packhouse/registry/audit"
	"packhouse.dev/packhouse/registry/auth"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/format"
	"packhouse.dev/packhouse/registry/identity"
	"packhouse.dev/packhouse/registry/policy"
	"packhouse.dev/packhouse/registry/repository"
	"packhouse.dev/packhouse/registry/service/sts"
	"packhouse.dev/packhouse/registry/throttle"
)

// Service is what the server needs of repository.Service; Door makes one.
type Service interface {
	// Enter passes the feed's barrier and takes the snapshot of the request. registry.ErrNotFound if there is no such domain.
	Enter(ctx context.Context, ref registry.DomainRef) (Domain, error)
	Endpoints() []config.Endpoint
	// TrustedProxies are the addresses whose word counts about who called them.
	TrustedProxies() []netip.Prefix
	Limits() config.Limits
	// Names makes the ARNs of the registry.
	Names() policy.Names
	Ready(ctx context.Context) error
	// Providers are those whose tokens are exchanged.
	Providers() *identity.Providers
	// AuthorizeToken enters a domain for who may have a token for it. registry.ErrAccessDenied for who may not, also if there is none.
	AuthorizeToken(ctx context.Context, ref registry.DomainRef, c *access.Caller, duration time.Duration) (Domain, error)
}

// Domain is a domain in the snapshot of one request.
type Domain interface {
	UID() string
	Open(ctx context.Context, q repository.Request) (format.Repository, error)
}

// Options of a Server. Service, Auth and Formats are needed.
type Options struct {
	Service   Service
	Auth      *auth.Authenticator
	Formats   []format.Format
	API       API                   // nil: there is none
	Issuer    *auth.Issuer          // of tokens in exchange for those of other issuers
	Foreign   *identity.Verifier    // of those; nil: none is exchanged
	STS       STS                   // nil: there is none
	Audit     *audit.Log            // nil: no record is kept
	Throttle  *throttle.Limiter     // counts requests, with the API; nil: one of its own
	Logger    *slog.Logger          // failures; default none
	AccessLog bool                  // a line for every request, also for reads
	Metrics   prometheus.Registerer // default none
}

// Server is the http.Handler of package endpoints. It is safe for concurrent use.
type Server struct {
	service   Service
	auth      *auth.Authenticator
	log       *slog.Logger
	accessLog bool
	formats   map[registry.Format]*served
	issuer    *auth.Issuer
	foreign   *identity.Verifier
	none      *served // for addresses that name no format
	tokens    *served // for exchangePath
	sts       *served // for those of STS; nil: there is none
	stsCalls  STS
	api       *served // for those of the service API; nil: there is none
	apiCalls  API
	audit     *audit.Log
	throttle  *throttle.Limiter
	endpoints atomic.Pointer[endpoints]
	metrics   *metrics
	exchanges sync.Pool
	boot      string // makes request ids unique between processes
	requests  atomic.Uint64
	draining  atomic.Bool
}

// served is a format with what was found once for it.
type served struct {
	format     format.Format
	errors     format.ErrorWriter
	read       counters
	write      counters
	maxRequest int64 // 0: that of any
}

// New returns a Server.
func New(opt Options) (*Server, error) {
	if opt.Service == nil || opt.Auth == nil || len(opt.Formats) == 0 {
		return nil, errors.New("server: Service, Auth and Formats are needed")
	}
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	m, err := newMetrics(opt.Metrics)
	if err != nil {
		return nil, err
	}
	s := &Server{
		service: opt.Service, auth: opt.Auth, log: opt.Logger, accessLog: opt.AccessLog, metrics: m,
		issuer: opt.Issuer, foreign: opt.Foreign, formats: map[registry.Format]*served{}, boot: rand.Text()[:10],
	}
	s.exchanges.New = func() any { return new(exchange) }
	s.none, s.tokens = s.serve(nil, "none"), s.serve(nil, "token")
	s.tokens.errors = oauthErrors{}
	s.audit, s.throttle = opt.Audit, cmp.Or(opt.Throttle, new(throttle.Limiter))
	if opt.STS != nil {
		s.sts, s.stsCalls = s.serve(nil, "sts"), opt.STS
	}
	if opt.API != nil {
		s.api, s.apiCalls = s.serve(nil, "api"), opt.API
		s.api.errors = apiErrors{}
	}
	for _, f := range opt.Formats {
		name := f.Traits().Name
		if _, twice := s.formats[name]; twice {
			return nil, fmt.Errorf("server: format %s is listed twice", name)
		}
		s.formats[name] = s.serve(f, name)
	}
	return s, nil
}

func (s *Server) serve(f format.Format, name registry.Format) *served {
	v := &served{format: f, errors: plainErrors{}, read: s.metrics.counters(name, "read"), write: s.metrics.counters(name, "write")}
	if w, ok := f.(format.ErrorWriter); ok {
		v.errors = w
	}
	if f != nil {
		v.maxRequest = f.Traits().MaxRequest
	}
	return v
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := s.begin(w, r)
	defer s.end(x)
	if err := s.handle(x); err != nil {
		s.fail(x, err)
	}
}

// handle is the route of every request; doc.go draws it.
func (s *Server) handle(x *exchange) error {
	r := x.request
	if !knownMethod(r.Method) {
		return fmt.Errorf("%w: %s", errMethod, readable(r.Method))
	}
	at, err := s.locate(x)
	if err != nil {
		return err
	}
	switch {
	case x.served == s.tokens, x.served == s.sts && s.sts != nil:
		if err := s.countAddress(x); err != nil {
			return err
		}
		if x.served == s.sts {
			return s.callSTS(x)
		}
		return s.exchangeToken(x, at)
	case x.served == s.api && s.api != nil:
		return s.callAPI(x, at)
	}
	token, err := auth.Credentials(r.Header)
	if err != nil {
		return cmp.Or(s.countAddress(x), err)
	}
	x.presented = true
	if x.identity, err = s.auth.Verify(token); err != nil {
		return cmp.Or(s.countAddress(x), err)
	}
	if err := s.count(x); err != nil {
		return err
	}
	domain, err := s.service.Enter(r.Context(), x.route.domain)
	if errors.Is(err, registry.ErrNotFound) {
		return auth.Foreign()
	}
	if err != nil {
		return err
	}
	if err := s.auth.Admit(r.Context(), x.identity, domain.UID()); err != nil {
		return err
	}
	if x.upload != nil {
		if m := x.served.maxRequest; m > 0 {
			x.upload.limit = m
		}
		if r.ContentLength > x.upload.limit {
			return x.upload.tooLarge()
		}
	}
	repo, err := domain.Open(r.Context(), repository.Request{
		Repository: x.route.repository, Format: x.route.format, Principal: x.identity.Principal, Groups: x.identity.Groups,
		Context: s.context(x, at), Base: x.route.address(at.base),
	})
	if err != nil {
		return err
	}
	x.repository = repo
	return x.served.format.Serve(&x.response, format.WithRest(r, x.route.rest), repo)
}

func knownMethod(m string) bool {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPut, http.MethodPost, http.MethodDelete, http.MethodPatch:
		return true
	}
	return false
}

// locate finds out what the address names.
func (s *Server) locate(x *exchange) (location, error) {
	now := s.service.Endpoints()
	e := s.endpoints.Load()
	if !e.madeOf(now) {
		e = newEndpoints(now)
		s.endpoints.Store(e)
	}
	r := x.request
	at, err := e.locate(r.Host, r.TLS != nil, r.URL.EscapedPath())
	if err != nil {
		return location{}, err
	}
	switch {
	case at.left == exchangePath && s.foreign != nil:
		x.served = s.tokens
		return at, nil
	case s.sts != nil && strings.TrimSuffix(at.left, "/") == sts.Path:
		x.served = s.sts
		return at, nil
	case s.isAPI(at):
		x.served = s.api
		return at, nil
	}
	if x.route, err = parseRoute(at.left, at.domain); err != nil {
		return location{}, err
	}
	served, ok := s.formats[x.route.format]
	if !ok {
		return location{}, fmt.Errorf("%w: there is no package format %q; %s", registry.ErrNotFound, x.route.format, addressHelp)
	}
	x.served, x.base = served, at.base
	return at, nil
}

// fail answers with an error, or breaks the connection if the answer has begun: a client must never take a part for the whole.
func (s *Server) fail(x *exchange, err error) {
	r := x.request
	if r.Context().Err() != nil && errors.Is(err, context.Canceled) { // the client is gone
		panic(http.ErrAbortHandler)
	}
	status, text := answer(err)
	x.requestID(s)
	x.failure = err
	if x.exception != nil {
		status, text = x.exception.Status, x.exception.Message
	}
	switch {
	case status == http.StatusInternalServerError:
		text = "internal error; the log of the registry has more under " + x.id
		s.log.ErrorContext(r.Context(), "request failed", append(x.attributes(), slog.Any("error", err))...)
	case status == http.StatusServiceUnavailable:
		s.log.WarnContext(r.Context(), "cannot answer", append(x.attributes(), slog.Any("error", err))...)
	case status == http.StatusForbidden, status == http.StatusUnauthorized && x.presented:
		s.log.InfoContext(r.Context(), "denied", append(x.attributes(), slog.String("reason", cmp.Or(refusal(err), text)))...)
	}
	if x.response.status != 0 {
		panic(http.ErrAbortHandler)
	}
	s.answer(x, status, text)
}

func (s *Server) answer(x *exchange, status int, text string) {
	h := x.response.Header()
	for _, k := range []string{ // of an answer that did not come to be
		"Accept-Ranges", "Cache-Control", "Content-Encoding", "Content-Length", "Content-Range", "Content-Type", "Etag", "Last-Modified", "Vary",
	} {
		delete(h, k)
	}
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Request-Id", x.id)
	if x.base != "" {
		x.request = format.WithAddress(x.request, x.route.address(x.base))
	}
	switch status {
	case http.StatusUnauthorized:
		// Java and .NET clients send what they have only when asked for Basic; formats whose clients misread a challenge remove it.
		h["Www-Authenticate"] = []string{`Basic realm="Packhouse", charset="UTF-8"`, `Bearer realm="Packhouse"`}
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", "5")
	case http.StatusTooManyRequests:
		if e, ok := errors.AsType[*throttle.Error](x.failure); ok {
			h.Set("Retry-After", strconv.Itoa(e.Seconds()))
		}
	case http.StatusMethodNotAllowed:
		h.Set("Allow", "GET, HEAD, PUT, POST, DELETE, PATCH")
	}
	if x.upload == nil || x.upload.ended {
		x.writeError(status, text)
		return
	}
	// The client is still sending. net/http would read on before it writes, and close the connection under the client's hands.
	h.Set("Connection", "close")
	_ = x.upload.control.EnableFullDuplex() // HTTP/2 has it anyway
	x.writeError(status, text)
	_ = x.upload.control.Flush()
	if waits := x.upload.read == 0 && strings.EqualFold(x.request.Header.Get("Expect"), "100-continue"); !waits {
		x.upload.drain()
	}
}

// writeError writes an error as the format, or the service API, has it.
func (x *exchange) writeError(status int, text string) {
	if x.exception != nil && x.exception.Status == status {
		x.exception.Write(&x.response)
		return
	}
	x.served.errors.WriteError(&x.response, x.request, status, text)
}

// plainErrors answers where no format says how.
type plainErrors struct{}

// WriteError implements format.ErrorWriter.
func (plainErrors) WriteError(w http.ResponseWriter, r *http.Request, status int, message string) {
	body := append(append([]byte(`{"error":`), quote(message)...), '}', '\n')
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // the client is gone; there is nobody to tell
	}
}
