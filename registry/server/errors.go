package server

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"packhouse.dev/packhouse/registry"
)

// Errors of the server's own, beside the registry's sentinels.
var (
	errTooSlow = errors.New("too slow") // 408: the body of the request stopped
	errMethod  = errors.New("method not allowed")
)

// answers is the one table from errors to statuses. The first that an error wraps decides; so what would tell too much, or must be
// repeated, stands first. Nothing that is not in it is ever shown.
//
//nolint:gochecknoglobals // a constant table
var answers = []struct {
	sentinel error
	status   int
	text     text
}{
	{registry.ErrUnavailable, http.StatusServiceUnavailable, "the registry or an upstream of the repository cannot answer now; try again"},
	{context.DeadlineExceeded, http.StatusServiceUnavailable, "the registry cannot answer in time; try again"},
	{errTooSlow, http.StatusRequestTimeout, own},
	{registry.ErrThrottled, http.StatusTooManyRequests, own},
	{registry.ErrUnauthenticated, http.StatusUnauthorized, reason},
	{registry.ErrAccessDenied, http.StatusForbidden, reason},
	{registry.ErrBlocked, http.StatusForbidden, own},
	{registry.ErrQuotaExceeded, http.StatusForbidden, own},
	{registry.ErrTooLarge, http.StatusRequestEntityTooLarge, own},
	{registry.ErrAlreadyExists, http.StatusConflict, own},
	{registry.ErrConflict, http.StatusConflict, reason},
	{registry.ErrStale, http.StatusConflict, own},
	{registry.ErrUnsupported, http.StatusMethodNotAllowed, own},
	{errMethod, http.StatusMethodNotAllowed, own},
	{registry.ErrInvalid, http.StatusBadRequest, reason},
	{registry.ErrNotFound, http.StatusNotFound, own},
}

// text is what the client is told: one of these, or the text itself.
type text string

const (
	own    text = "own"    // all that the error says: "not found: version 1.0.0"
	reason text = "reason" // without the sentinel's word, where that is a mere name of the status
)

// answer maps an error to a status and a text for the client. A status of 500 has no text: the caller puts the request's id there.
func answer(err error) (status int, said string) {
	for _, a := range answers {
		if !errors.Is(err, a.sentinel) {
			continue
		}
		switch a.text {
		case own:
			return a.status, readable(err.Error())
		case reason:
			return a.status, readable(without(err.Error(), a.sentinel.Error()))
		default:
			return a.status, string(a.text)
		}
	}
	if over, ok := errors.AsType[*http.MaxBytesError](err); ok && over != nil {
		return http.StatusRequestEntityTooLarge, "the request is too large"
	}
	return http.StatusInternalServerError, ""
}

// without cuts the word of a sentinel from before its reason.
func without(text, word string) string {
	if cut, ok := strings.CutPrefix(text, word+": "); ok {
		return cut
	}
	return strings.Replace(text, ": "+word+": ", ": ", 1)
}

// maxText is the length of a text for a client, in bytes. Names of a client's own making stand in some.
const maxText = 1 << 10

// readable makes the text of an error fit for a terminal: bounded, and without characters that move the cursor.
func readable(text string) string {
	text = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return '?'
		}
		return r
	}, text)
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "") + "…"
	}
	return text
}
