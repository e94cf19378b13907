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
	say      string // instead of the error's own text; "": that
}{
	{registry.ErrUnavailable, http.StatusServiceUnavailable, "the registry or an upstream of the repository cannot answer now; try again"},
	{context.DeadlineExceeded, http.StatusServiceUnavailable, "the registry cannot answer in time; try again"},
	{errTooSlow, http.StatusRequestTimeout, ""},
	{registry.ErrUnauthenticated, http.StatusUnauthorized, ""},
	{registry.ErrAccessDenied, http.StatusForbidden, ""},
	{registry.ErrBlocked, http.StatusForbidden, ""},
	{registry.ErrQuotaExceeded, http.StatusForbidden, ""},
	{registry.ErrTooLarge, http.StatusRequestEntityTooLarge, ""},
	{registry.ErrAlreadyExists, http.StatusConflict, ""},
	{registry.ErrConflict, http.StatusConflict, ""},
	{registry.ErrStale, http.StatusConflict, ""},
	{registry.ErrUnsupported, http.StatusMethodNotAllowed, ""},
	{errMethod, http.StatusMethodNotAllowed, ""},
	{registry.ErrInvalid, http.StatusBadRequest, ""},
	{registry.ErrNotFound, http.StatusNotFound, ""},
}

// answer maps an error to a status and a text for the client. A status of 500 has no text: the caller puts the request's id there.
func answer(err error) (status int, text string) {
	for _, a := range answers {
		if !errors.Is(err, a.sentinel) {
			continue
		}
		if a.say != "" {
			return a.status, a.say
		}
		return a.status, readable(err.Error(), a.sentinel.Error())
	}
	if over, ok := errors.AsType[*http.MaxBytesError](err); ok && over != nil {
		return http.StatusRequestEntityTooLarge, "the request is too large"
	}
	return http.StatusInternalServerError, ""
}

// maxText is the length of a text for a client, in bytes. Names of a client's own making stand in some.
const maxText = 1 << 10

// readable makes the text of an error fit for a terminal: without the sentinel's own word before a reason, which the status says
// already, and without characters that move the cursor.
func readable(text, sentinel string) string {
	if cut, ok := strings.CutPrefix(text, sentinel+": "); ok {
		text = cut
	} else {
		text = strings.Replace(text, ": "+sentinel+": ", ": ", 1)
	}
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
