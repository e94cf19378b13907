package server

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/service"
)

// API is the service API; *service.API is one.
type API interface {
	// MaxBody is how large the body of a request may be, in bytes; 0: as large as any.
	MaxBody(method, path string) int64
	// Serve answers, or returns an error before it has written anything.
	Serve(w http.ResponseWriter, r *http.Request, q service.Request) error
}

// isAPI says whether an address is one of the service API. No domain is called so: its name has an account behind it.
func (s *Server) isAPI(at location) bool {
	return s.api != nil && at.domain == (registry.DomainRef{}) && strings.HasPrefix(at.left, service.Prefix)
}

// callAPI answers a request to the service API.
func (s *Server) callAPI(x *exchange, at location) error {
	if x.upload != nil {
		if limit := s.apiCalls.MaxBody(x.request.Method, at.left); limit > 0 {
			x.upload.limit = limit
			if x.request.ContentLength > limit {
				return s.exception(x, x.upload.tooLarge())
			}
		}
	}
	err := s.apiCalls.Serve(&x.response, x.request, service.Request{
		Path: at.left, Base: at.base, Context: s.context(x, at), ID: x.requestID(s),
	})
	return s.exception(x, err)
}

// exception remembers how the API answers an error.
func (s *Server) exception(x *exchange, err error) error {
	if err == nil {
		return nil
	}
	x.exception = service.ExceptionOf(err, x.requestID(s))
	var own *service.Exception
	if errors.As(err, &own) { // an answer that is no failure of the registry's
		return fmt.Errorf("%w: %w", registry.ErrInvalid, err)
	}
	return err
}

// apiErrors answers what went wrong before or behind the API's own handling.
type apiErrors struct{}

// WriteError implements format.ErrorWriter.
func (apiErrors) WriteError(w http.ResponseWriter, _ *http.Request, status int, message string) {
	e := &service.Exception{Type: errorCodes[status], Status: status, Message: message}
	if e.Type == "" {
		e.Type = "ValidationException"
	}
	e.Write(w)
}
