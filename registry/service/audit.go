package service

import (
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"packhouse.dev/packhouse/registry/audit"
	"packhouse.dev/packhouse/registry/repository"
)

// decider is what a request was decided on: a domain, or everything that is declared.
type decider interface{ Decided() *repository.Decided }

// readOnly are operations that change nothing by their first words. GetAuthorizationToken makes something.
func readOnly(operation string) bool {
	return operation != "GetAuthorizationToken" && slices.ContainsFunc([]string{"Describe", "Get", "List"}, func(p string) bool { return strings.HasPrefix(operation, p) })
}

// audit writes the record of the call.
func (c *call) audit(status int, err error) {
	log := c.api.audit
	if !log.Enabled() {
		return
	}
	e := &audit.Entry{
		UserIdentity: audit.Who(c.caller.Principal.ARN, c.caller.Principal.Account), EventTime: c.request.Context.Time, EventName: c.op.Name,
		Region: c.api.door.Names().Region, UserAgent: c.agent, RequestParameters: parameters(c.input), RequestID: c.request.ID, ReadOnly: readOnly(c.op.Name),
		AdditionalEventData: audit.Additional{
			HTTPMethod: c.op.Method, RequestURI: c.op.Path, HTTPStatus: status, TookMillis: c.api.now().Sub(c.request.Context.Time).Round(time.Millisecond).Milliseconds(),
		},
	}
	if ip := c.request.Context.SourceIP; ip.IsValid() {
		e.SourceIPAddress = ip.String()
	}
	switch {
	case c.key != nil:
		e.UserIdentity.AccessKeyID = c.key.ID
	case c.identity != nil:
		e.UserIdentity.TokenID = c.identity.TokenID
	}
	if err != nil {
		x := ExceptionOf(err, c.request.ID)
		e.ErrorCode, e.ErrorMessage, e.AdditionalEventData.HTTPStatus = x.Type, x.Message, x.Status
	}
	administrator := ""
	if c.decider != nil {
		if d := c.decider.Decided(); d != nil {
			administrator, e.AdditionalEventData.Decision = d.Administrator, d.Decision.Reason()
		}
	}
	if c.resource != "" {
		e.Resources = []audit.Resource{{ARN: c.resource, AccountID: c.account}}
	}
	e.RecipientAccountIDs = audit.Accounts(c.caller.Principal.Account, administrator, c.account)
	log.Write(e)
}

// names of parameters as CloudTrail has them.
//
//nolint:gochecknoglobals // a constant table
var parameterNames = map[string]string{
	"domain": "domainName", "domain-owner": "domainOwner", "repository": "repositoryName", "package": "packageName", "format": "packageFormat",
	"namespace": "packageNamespace", "version": "packageVersion", "source-repository": "sourceRepositoryName", "destination-repository": "destinationRepositoryName",
}

// parameters are what a request says, but for bytes. No request of the model holds a secret.
func parameters(request any) map[string]any {
	if request == nil {
		return nil
	}
	out := map[string]any{}
	v := reflect.ValueOf(request).Elem()
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if _, payload := f.Tag.Lookup("payload"); payload || v.Field(i).IsZero() {
			continue
		}
		name := f.Tag.Get("query") + f.Tag.Get("body")
		if header, ok := f.Tag.Lookup("header"); ok {
			name = http.CanonicalHeaderKey(header)
		}
		if known, ok := parameterNames[name]; ok {
			name = known
		}
		out[name] = v.Field(i).Interface()
	}
	return out
}
