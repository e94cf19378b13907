package service

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/intent"
	"packhouse.dev/packhouse/registry/repository"
	"packhouse.dev/packhouse/registry/service/model"
	"packhouse.dev/packhouse/registry/service/sigv4"
	"packhouse.dev/packhouse/registry/throttle"
)

// Exception is an error as the API answers it. Those of the model have the statuses of the model.
type Exception struct {
	Type                     string
	Status                   int
	Message                  string
	Reason                   string // of a ValidationException
	ResourceID, ResourceType string // of those that name a thing
	RetryAfter               int    // seconds; 0: none
}

// Error implements error.
func (e *Exception) Error() string { return e.Message }

// The reasons of a ValidationException.
const (
	reasonParse = "CANNOT_PARSE"
	reasonField = "FIELD_VALIDATION_FAILED"
	reasonKey   = "ENCRYPTION_KEY_ERROR"
	reasonOther = "OTHER"
)

func validation(reason, message string) error {
	return &Exception{Type: "ValidationException", Status: http.StatusBadRequest, Message: message, Reason: reason}
}

func conflict(message string) error {
	return &Exception{Type: "ConflictException", Status: http.StatusConflict, Message: message}
}

// exceptions is the one table from the registry's sentinels to exceptions. The first that an error wraps decides.
//
//nolint:gochecknoglobals // a constant table
var exceptions = []struct {
	sentinel error
	name     string
	status   int
	text     string // "": what the error says
}{
	{registry.ErrUnavailable, "ServiceUnavailableException", http.StatusServiceUnavailable, "The registry or an upstream of the repository cannot answer now; try again."},
	{context.DeadlineExceeded, "ServiceUnavailableException", http.StatusServiceUnavailable, "The registry cannot answer in time; try again."},
	{registry.ErrThrottled, "ThrottlingException", http.StatusTooManyRequests, ""},
	{registry.ErrUnauthenticated, "UnrecognizedClientException", http.StatusUnauthorized, ""},
	{registry.ErrAccessDenied, "AccessDeniedException", http.StatusForbidden, ""},
	{registry.ErrBlocked, "AccessDeniedException", http.StatusForbidden, ""},
	{registry.ErrQuotaExceeded, "ServiceQuotaExceededException", http.StatusPaymentRequired, ""},
	{registry.ErrTooLarge, "RequestEntityTooLargeException", http.StatusRequestEntityTooLarge, ""},
	{registry.ErrAlreadyExists, "ConflictException", http.StatusConflict, ""},
	{registry.ErrConflict, "ConflictException", http.StatusConflict, ""},
	{registry.ErrStale, "ConflictException", http.StatusConflict, ""},
	{registry.ErrUnsupported, "ValidationException", http.StatusBadRequest, ""},
	{registry.ErrInvalid, "ValidationException", http.StatusBadRequest, ""},
	{registry.ErrNotFound, "ResourceNotFoundException", http.StatusNotFound, ""},
}

// retryAfter is when a client may try again what could not be answered, in seconds.
const retryAfter = 5

// ExceptionOf turns any error into what the client is told. An error that nothing is known of is InternalServerException and says id only.
func ExceptionOf(err error, id string) *Exception {
	var e *Exception
	if errors.As(err, &e) {
		return e
	}
	var signature *sigv4.Error
	if errors.As(err, &signature) {
		return &Exception{Type: signature.Code, Status: http.StatusForbidden, Message: signature.Message}
	}
	var invalid *model.Invalid
	if errors.As(err, &invalid) {
		reason := reasonField
		if invalid.Parse != "" {
			reason = reasonParse
		}
		return &Exception{Type: "ValidationException", Status: http.StatusBadRequest, Message: readable(invalid.Error()), Reason: reason}
	}
	if u, ok := errors.AsType[*intent.UnavailableError](err); ok && u.Text != "" {
		return &Exception{Type: "ServiceUnavailableException", Status: http.StatusServiceUnavailable, Message: readable(u.Text), RetryAfter: retryAfter}
	}
	if over, ok := errors.AsType[*http.MaxBytesError](err); ok && over != nil {
		err = registry.ErrTooLarge
	}
	for _, x := range exceptions {
		if !errors.Is(err, x.sentinel) {
			continue
		}
		e := &Exception{Type: x.name, Status: x.status, Message: x.text}
		if x.text == "" {
			e.Message = readable(err.Error())
		}
		switch {
		case x.status == http.StatusServiceUnavailable:
			e.RetryAfter = retryAfter
		case x.name == "ValidationException":
			e.Reason = reasonOther
		case x.status == http.StatusTooManyRequests:
			e.RetryAfter = 1
			if many, ok := errors.AsType[*throttle.Error](err); ok {
				e.RetryAfter = many.Seconds()
			}
		}
		var missing *repository.MissingError
		if errors.As(err, &missing) {
			e.ResourceID, e.ResourceType = missing.Name, string(missing.What)
		}
		return e
	}
	return &Exception{Type: "InternalServerException", Status: http.StatusInternalServerError, Message: "internal error; the log of the registry has more under " + id}
}

// Write answers with the exception.
func (e *Exception) Write(w http.ResponseWriter) {
	body, err := json.Marshal(struct {
		Message      string `json:"message"`
		Reason       string `json:"reason,omitempty"`
		ResourceID   string `json:"resourceId,omitempty"`
		ResourceType string `json:"resourceType,omitempty"`
	}{e.Message, e.Reason, e.ResourceID, e.ResourceType})
	if err != nil { // strings: it cannot
		body = []byte("{}")
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("X-Amzn-Errortype", e.Type)
	if e.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(e.RetryAfter))
	}
	w.WriteHeader(e.Status)
	_, _ = w.Write(body) // the client is gone; there is nobody to tell
}

// maxText is the length of a text for a client, in bytes.
const maxText = 4 << 10

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
