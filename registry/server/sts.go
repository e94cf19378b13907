package server

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/audit"
	"packhouse.dev/packhouse/registry/service/sts"
)

// STS gives temporary keys; *sts.Service is one.
type STS interface {
	// Serve answers, and tells what became of the request.
	Serve(w http.ResponseWriter, r *http.Request, body []byte, id string) *sts.Outcome
}

// callSTS answers a request to STS.
func (s *Server) callSTS(x *exchange) error {
	var body []byte
	if x.upload != nil {
		x.upload.limit = maxForm
		var err error
		switch body, err = io.ReadAll(x.request.Body); {
		case errors.Is(err, registry.ErrTooLarge), errors.Is(err, errTooSlow):
			return err
		case err != nil:
			return fmt.Errorf("%w: the request cannot be read", registry.ErrInvalid)
		}
	}
	out := s.stsCalls.Serve(&x.response, x.request, body, x.requestID(s))
	if s.audit.Enabled() && out.Action != "" {
		s.recordSTS(x, out)
	}
	return nil
}

func (s *Server) recordSTS(x *exchange, out *sts.Outcome) {
	e := &audit.Entry{
		EventSource: "sts.amazonaws.com", EventName: out.Action, EventTime: x.start, Region: s.service.Names().Region, UserAgent: x.request.UserAgent(), RequestID: x.id,
		ReadOnly: true, UserIdentity: audit.Who(out.Principal.ARN, out.Principal.Account), ErrorCode: out.Code, ErrorMessage: out.Message,
		AdditionalEventData: audit.Additional{
			HTTPMethod: x.request.Method, RequestURI: x.request.URL.EscapedPath(), HTTPStatus: out.Status, Bytes: x.response.bytes, TookMillis: time.Since(x.start).Milliseconds(),
		},
		RecipientAccountIDs: audit.Accounts(out.Principal.Account),
	}
	e.UserIdentity.AccessKeyID = out.KeyID
	if out.Role != "" {
		e.RequestParameters = map[string]any{"roleArn": out.Role}
	}
	if source, _ := origin(x.request, s.service.TrustedProxies()); source.IsValid() {
		e.SourceIPAddress = source.String()
	}
	s.audit.Write(e)
}
