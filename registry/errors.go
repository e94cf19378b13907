package registry

import (
	"errors"
	"strings"
)

// The sentinels. Everything that can be said to a client wraps one of them with %w and a reason; server/errors.go maps each to a
// status in one table. Text wrapped around ErrUnavailable and text without a sentinel never reaches a client.
var (
	ErrInvalid         = errors.New("invalid")           // 400: the request or the uploaded file is wrong
	ErrUnauthenticated = errors.New("unauthenticated")   // 401: no token, or one that is not valid here
	ErrAccessDenied    = errors.New("access denied")     // 403: the principal may not do this
	ErrBlocked         = errors.New("blocked")           // 403: origin controls or status forbid it, whoever asks
	ErrNotFound        = errors.New("not found")         // 404
	ErrUnsupported     = errors.New("not supported")     // 405: a command that this registry deliberately does not offer
	ErrConflict        = errors.New("conflict")          // 409: the state forbids it
	ErrAlreadyExists   = errors.New("already exists")    // 409: same name, other bytes
	ErrStale           = errors.New("changed meanwhile") // 409: an optimistic lock failed
	ErrTooLarge        = errors.New("too large")         // 413
	ErrQuotaExceeded   = errors.New("quota exceeded")    // 402 in the service API, 403 on package endpoints
	ErrThrottled       = errors.New("too many requests") // 429 with Retry-After
	ErrUnavailable     = errors.New("unavailable")       // 503 with Retry-After: an upstream or the store cannot answer now
)

// maxClipped is how much of what a stranger wrote is told back, in bytes.
const maxClipped = 100

// Clip shortens what a stranger wrote, for an error that says what is wrong with it.
func Clip(s string) string {
	if len(s) <= maxClipped {
		return s
	}
	return strings.ToValidUTF8(s[:maxClipped], "") + "…"
}
