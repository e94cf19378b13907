package server

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"packhouse.dev/packhouse/registry/auth"
	"packhouse.dev/packhouse/registry/format"
	"packhouse.dev/packhouse/registry/service"
)

// exchange is one request with its answer. It is used again for later requests, so nobody keeps it, or its response.
type exchange struct {
	response  response
	request   *http.Request
	start     time.Time
	route     route
	base      string // address that the route is below; "": not found yet
	served    *served
	upload    *upload // nil: the request has no body
	identity  *auth.Identity
	presented bool   // the request had a token, good or bad
	id        string // "": nobody needed it yet

	provider   string             // that vouches for who exchanges a token; "": not known
	repository format.Repository  // nil: it was not opened
	failure    error              // why the request was answered with an error
	exception  *service.Exception // how the service API answers that
}

func (s *Server) begin(w http.ResponseWriter, r *http.Request) *exchange {
	x := s.exchanges.Get().(*exchange)
	now := time.Now()
	x.request, x.start, x.served = r, now, s.none
	x.response.ResponseWriter, x.response.extended = w, now
	if r.Body != nil && r.ContentLength != 0 {
		x.upload = newUpload(w, r, s.service.Limits(), now)
		r.Body = x.upload
	}
	// A read that succeeds needs no id, unless the client brought one.
	if x.writes() || r.Header["X-Request-Id"] != nil {
		w.Header().Set("X-Request-Id", x.requestID(s))
	}
	s.metrics.inFlight.Inc()
	return x
}

// writes says whether the request means to change something.
func (x *exchange) writes() bool {
	return x.request.Method != http.MethodGet && x.request.Method != http.MethodHead
}

// requestID names the request in the answer and in the log. A client's own is taken if it is harmless.
func (x *exchange) requestID(s *Server) string {
	if x.id != "" {
		return x.id
	}
	x.id = x.request.Header.Get("X-Request-Id")
	if len(x.id) < 8 || len(x.id) > 64 || !plain(x.id) {
		x.id = s.boot + "-" + strconv.FormatUint(s.requests.Add(1), 36)
	}
	return x.id
}

// maxLoggedSegment is longer than what names anything, in bytes, and shorter than a token.
const maxLoggedSegment = 250

// loggedPath is an address fit for the log: "npm logout" writes the token into it, and nothing else is that long.
func loggedPath(path string) string {
	if len(path) <= maxLoggedSegment {
		return path
	}
	segments := strings.Split(path, "/")
	for i, s := range segments {
		if len(s) > maxLoggedSegment {
			segments[i] = "(" + strconv.Itoa(len(s)) + " bytes)"
		}
	}
	return strings.Join(segments, "/")
}

// attributes of a line of the log. The query is left out, and so is every header: they may hold secrets.
func (x *exchange) attributes() []any {
	a := []any{
		slog.String("request", x.id), slog.String("method", x.request.Method), slog.String("path", loggedPath(x.request.URL.EscapedPath())),
		slog.String("remote", x.request.RemoteAddr), slog.Duration("took", time.Since(x.start)),
	}
	if x.served.format != nil {
		a = append(a, slog.String("domain", x.route.domain.String()), slog.String("repository", x.route.repository))
	}
	if x.identity != nil {
		a = append(a, slog.String("principal", x.identity.Principal.ARN), slog.String("token", x.identity.TokenID))
	}
	return a
}

// end counts and records, and turns a panic into an error of this one request.
func (s *Server) end(x *exchange) {
	v := recover()
	abort := false
	if v != nil {
		abort = s.recovered(x, v)
	}
	w := &x.response
	if w.status == 0 && !abort {
		w.status = http.StatusOK // what net/http sends for a handler that said nothing
	}
	c := &x.served.read
	if x.writes() {
		c = &x.served.write
	}
	c.observe(w.status, time.Since(x.start))
	s.metrics.inFlight.Dec()
	if s.recorded(x) {
		s.record(x)
	}
	if s.accessLog {
		x.requestID(s)
		s.log.InfoContext(x.request.Context(), "request", append(x.attributes(), slog.Int("status", w.status), slog.Int64("bytes", w.bytes))...)
	}
	*x = exchange{}
	s.exchanges.Put(x)
	if abort {
		panic(http.ErrAbortHandler)
	}
}

// recovered says whether the connection has to be broken: because a handler asked for it, or because the answer has begun.
func (s *Server) recovered(x *exchange, v any) (abort bool) {
	if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		return true
	}
	x.requestID(s)
	s.log.ErrorContext(x.request.Context(), "request panicked",
		append(x.attributes(), slog.Any("panic", v), slog.String("stack", string(debug.Stack())))...)
	if x.response.status != 0 {
		return true
	}
	s.answer(x, http.StatusInternalServerError, "internal error; the log of the registry has more under "+x.id)
	return false
}

// quote writes a JSON string.
func quote(text string) []byte {
	b, err := json.Marshal(text)
	if err != nil { // a string: it cannot
		return []byte(`""`)
	}
	return b
}
