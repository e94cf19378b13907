package server

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"packhouse.dev/packhouse/registry/audit"
	"packhouse.dev/packhouse/registry/policy"
	"packhouse.dev/packhouse/registry/repository"
)

// decider is a repository that knows what was decided about a request.
type decider interface{ Decided() *repository.Decided }

// recorded says whether the request is one for the audit log: it changed something or meant to, or it was denied, or it is one of the
// reads that are sampled. Those without a token are left out: clients ask so first to hear how they are to identify themselves.
func (s *Server) recorded(x *exchange) bool {
	switch {
	case !s.audit.Enabled() || x.served == s.api || x.served == s.sts || x.served == s.none:
		return false
	case x.response.status == http.StatusUnauthorized:
		return x.presented
	case x.writes() || x.response.status == http.StatusForbidden:
		return true
	}
	return s.audit.Reads()
}

// errorCodes are what the service API calls these statuses.
//
//nolint:gochecknoglobals // a constant table
var errorCodes = map[int]string{
	http.StatusUnauthorized: "UnrecognizedClientException", http.StatusForbidden: "AccessDeniedException", http.StatusNotFound: "ResourceNotFoundException",
	http.StatusConflict: "ConflictException", http.StatusServiceUnavailable: "ServiceUnavailableException", http.StatusInternalServerError: "InternalServerException",
	http.StatusTooManyRequests: "ThrottlingException",
}

// asked is what a request asks for unless it asks for more, and what of it stands in the record.
func (s *Server) asked(x *exchange, names policy.Names) (action, resource string, parameters map[string]any) {
	at := &x.route
	parameters = map[string]any{"domainName": at.domain.Name, "domainOwner": at.domain.Owner}
	if x.served == s.tokens {
		if parameters["grantType"] = grantExchange; x.provider != "" {
			parameters["identityProvider"] = x.provider
		}
		return "codeartifact:GetAuthorizationToken", names.Domain(at.domain.Owner, at.domain.Name), parameters
	}
	parameters["repositoryName"], parameters["packageFormat"] = at.repository, string(at.format)
	return "codeartifact:ReadFromRepository", names.Repository(at.domain.Owner, at.domain.Name, at.repository), parameters
}

// record writes the entry of a request of a package manager. What decided is what the door was asked last: a request asks for reading
// unless it asks for more.
func (s *Server) record(x *exchange) {
	x.requestID(s)
	names := s.service.Names()
	source, _ := origin(x.request, s.service.TrustedProxies())
	action, resource, parameters := s.asked(x, names)
	decided := repository.Decided{Action: action}
	if d, ok := x.repository.(decider); ok {
		if last := d.Decided(); last != nil {
			decided = *last
		}
	}
	e := &audit.Entry{
		EventTime: x.start, Region: names.Region, UserAgent: x.request.UserAgent(), RequestID: x.id,
		RequestParameters: parameters,
		AdditionalEventData: audit.Additional{
			HTTPMethod: x.request.Method, RequestURI: loggedPath(x.request.URL.EscapedPath()), HTTPStatus: x.response.status, Bytes: x.response.bytes,
			TookMillis: time.Since(x.start).Milliseconds(),
		},
	}
	if source.IsValid() {
		e.SourceIPAddress = source.String()
	}
	if x.failure != nil {
		e.ErrorCode = errorCodes[x.response.status]
		if _, e.ErrorMessage = answer(x.failure); e.ErrorCode == "" {
			e.ErrorCode = "ValidationException"
		}
		if denied, ok := errors.AsType[*repository.DeniedError](x.failure); ok {
			decided.Action, decided.Resource, decided.Decision = denied.Action, denied.Resource, denied.Decision
			e.AdditionalEventData.Decision = denied.Decision.Reason()
		}
	}
	if decided.Resource != "" {
		e.AdditionalEventData.Decision = decided.Decision.Reason()
	} else {
		decided.Resource = resource
	}
	e.EventName = strings.TrimPrefix(decided.Action, "codeartifact:")
	e.ReadOnly = e.EventName == "ReadFromRepository"
	e.Resources = []audit.Resource{{ARN: decided.Resource, AccountID: x.route.domain.Owner}}
	e.UserIdentity = audit.Who("", "")
	if x.identity != nil {
		e.UserIdentity = audit.Who(x.identity.Principal.ARN, x.identity.Principal.Account)
		e.UserIdentity.TokenID = x.identity.TokenID
	}
	e.RecipientAccountIDs = audit.Accounts(e.UserIdentity.AccountID, decided.Administrator, x.route.domain.Owner)
	s.audit.Write(e)
}
