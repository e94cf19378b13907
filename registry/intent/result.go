package intent

import (
	"errors"
	"fmt"
	"strings"

	"packhouse.dev/packhouse/registry"
)

// Result is what became of an intent, in a form that is written down.
type Result struct {
	Code Code   `json:"code,omitempty"`
	Text string `json:"text,omitempty"` // for the client; it has what it wants changed, and no secret
}

// Code stands for an error.
type Code string

// The codes. The empty one is no error.
const (
	Conflict      Code = "Conflict"
	Exists        Code = "AlreadyExists"
	Stale         Code = "Stale"
	Invalid       Code = "Invalid"
	QuotaExceeded Code = "QuotaExceeded"
	AccessDenied  Code = "AccessDenied"
	NotFound      Code = "NotFound"
	Unavailable   Code = "Unavailable"
)

//nolint:gochecknoglobals // a constant table
var codes = []struct {
	code     Code
	sentinel error
}{
	{Unavailable, registry.ErrUnavailable}, // first: what it wraps is not for clients
	{Stale, registry.ErrStale}, {Conflict, registry.ErrConflict}, {Exists, registry.ErrAlreadyExists}, {Invalid, registry.ErrInvalid},
	{QuotaExceeded, registry.ErrQuotaExceeded}, {AccessDenied, registry.ErrAccessDenied}, {NotFound, registry.ErrNotFound},
}

// ResultOf is the result that an error stands for. Of an error that nothing is known of no text is told: it is Unavailable.
func ResultOf(err error) Result {
	if err == nil {
		return Result{}
	}
	if u, ok := errors.AsType[*UnavailableError](err); ok {
		return Result{Unavailable, u.Text}
	}
	for _, c := range codes {
		if c.code == Unavailable && errors.Is(err, c.sentinel) {
			break
		}
		if errors.Is(err, c.sentinel) {
			return Result{c.code, strings.TrimPrefix(err.Error(), c.sentinel.Error()+": ")}
		}
	}
	return Result{Code: Unavailable}
}

// Err is the opposite of ResultOf.
func (r Result) Err() error {
	if r == (Result{}) {
		return nil
	}
	for _, c := range codes {
		if c.code == r.Code && c.code != Unavailable {
			return fmt.Errorf("%w: %s", c.sentinel, r.Text)
		}
	}
	return &UnavailableError{Text: r.Text}
}

// UnavailableError says to a client why a change was not made, or not seen to be made. It is registry.ErrUnavailable.
type UnavailableError struct {
	Text string // "": nothing in particular
	Err  error  // for the log; may be nil
}

// Error implements error.
func (e *UnavailableError) Error() string {
	text := registry.ErrUnavailable.Error()
	if e.Text != "" {
		text += ": " + e.Text
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap implements the interface of errors.Is.
func (e *UnavailableError) Unwrap() []error { return []error{registry.ErrUnavailable, e.Err} }
