package external

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"syscall"
	"time"

	"packhouse.dev/packhouse/registry"
)

// ErrRefused is an address that our own rules keep us from: asking again is of no use. It wraps registry.ErrUnavailable.
var ErrRefused = fmt.Errorf("%w: refused", registry.ErrUnavailable)

// Reasons within registry.ErrUnavailable.
var (
	errMalformed = fmt.Errorf("%w: malformed answer", registry.ErrUnavailable)
	errTooLong   = fmt.Errorf("%w: no complete answer in time", registry.ErrUnavailable)
	errIdle      = fmt.Errorf("%w: the answer stopped", registry.ErrUnavailable)
	errSlow      = fmt.Errorf("%w: the answer is too slow", registry.ErrUnavailable)
	errTooBig    = fmt.Errorf("%w: the answer is too large", registry.ErrUnavailable)

	errOpen      = errors.New("the upstream is left alone for a while")
	errNoVerdict = errors.New("nothing was learnt about the upstream")
)

// statusError is an answer that is not what was asked for. It wraps registry.ErrNotFound or registry.ErrUnavailable.
type statusError struct {
	connection string
	url        *url.URL
	status     int
	pause      time.Duration // that the upstream asked for
}

// Error implements error.
func (e *statusError) Error() string {
	hint := ""
	switch e.status {
	case http.StatusUnauthorized, http.StatusForbidden:
		hint = "; its credentials are missing or not accepted"
	case http.StatusTooManyRequests:
		hint = "; it limits our requests"
	}
	return fmt.Sprintf("connection %s answered %d for %s%s", e.connection, e.status, redacted{e.url}, hint)
}

// Unwrap implements the interface of errors.Is.
func (e *statusError) Unwrap() error {
	if e.status == http.StatusNotFound || e.status == http.StatusGone {
		return registry.ErrNotFound
	}
	return registry.ErrUnavailable
}

// failing says whether a status means that the origin does not work.
func failing(status int) bool { return status >= 500 || status == http.StatusTooManyRequests }

// transient says whether the same request may well succeed a moment later.
func transient(err error) bool {
	if e, ok := errors.AsType[*statusError](err); ok {
		again := e.status == http.StatusBadGateway || e.status == http.StatusServiceUnavailable || e.status == http.StatusGatewayTimeout
		return again && e.pause == 0
	}
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}
