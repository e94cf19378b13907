package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/audit"
	"packhouse.dev/packhouse/registry/format"
	"packhouse.dev/packhouse/registry/repository"
)

func TestErrorTable(t *testing.T) {
	t.Parallel()
	internal := errors.New("open /var/lib/packhouse/x: permission denied")
	tests := map[string]struct {
		err    error
		status int
		text   string
	}{
		"invalid":        {fmt.Errorf("%w: no name", registry.ErrInvalid), 400, "no name"},
		"in the middle":  {fmt.Errorf("publish x: %w", fmt.Errorf("%w: no name", registry.ErrInvalid)), 400, "publish x: no name"},
		"not found":      {fmt.Errorf("%w: version 1", registry.ErrNotFound), 404, "not found: version 1"},
		"wrapped behind": {fmt.Errorf("repository r: %w", registry.ErrNotFound), 404, "repository r: not found"},
		"denied":         {&repository.DeniedError{Principal: "p", Action: "a", Resource: "r"}, 403, "User: p is not authorized to perform: a on resource: r"},
		"blocked":        {fmt.Errorf("%w: by origin controls", registry.ErrBlocked), 403, "by origin controls"},
		"unsupported":    {fmt.Errorf("%w: login", registry.ErrUnsupported), 405, "login"},
		"conflict":       {fmt.Errorf("%w: x", registry.ErrConflict), 409, "x"},
		"exists":         {fmt.Errorf("%w: x", registry.ErrAlreadyExists), 409, "x"},
		"stale":          {fmt.Errorf("%w: x", registry.ErrStale), 409, "x"},
		"too large":      {fmt.Errorf("%w: x", registry.ErrTooLarge), 413, "x"},
		"quota":          {fmt.Errorf("%w: x", registry.ErrQuotaExceeded), 403, "x"},
		"token":          {fmt.Errorf("%w: x", registry.ErrUnauthenticated), 401, "x"},
		"unavailable":    {fmt.Errorf("%w: %w", registry.ErrUnavailable, internal), 503, "cannot answer now"},
		"unavailable, whatever else": {fmt.Errorf("%w: %w", registry.ErrNotFound, fmt.Errorf("%w: %w", registry.ErrUnavailable, internal)), 503,
			"cannot answer now"},
		"in time":            {context.DeadlineExceeded, 503, "in time"},
		"size":               {&http.MaxBytesError{Limit: 1}, 413, "too large"},
		"internal":           {internal, 500, ""},
		"control characters": {fmt.Errorf("%w: a\x1b[31m\u202e\r\nb", registry.ErrInvalid), 400, "a?[31m???b"},
		"long":               {fmt.Errorf("%w: %s", registry.ErrInvalid, strings.Repeat("ä", 4000)), 400, "…"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, text := answer(tt.err)
			if status != tt.status || !strings.Contains(text, tt.text) || tt.text == "" && text != "" || len(text) > maxText+4 {
				t.Errorf("got %d %q; want %d %q", status, text, tt.status, tt.text)
			}
			if strings.Contains(text, "/var/lib") {
				t.Errorf("%q tells an internal", text)
			}
		})
	}
	for _, sentinel := range []error{
		registry.ErrInvalid, registry.ErrUnauthenticated, registry.ErrAccessDenied, registry.ErrBlocked, registry.ErrNotFound, registry.ErrUnsupported,
		registry.ErrConflict, registry.ErrAlreadyExists, registry.ErrStale, registry.ErrTooLarge, registry.ErrQuotaExceeded, registry.ErrUnavailable,
	} {
		if status, _ := answer(sentinel); status == http.StatusInternalServerError {
			t.Errorf("%v is not in the table", sentinel)
		}
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.toy.serve = func(http.ResponseWriter, *http.Request, format.Repository) error { return errors.New("secret detail") }
	for _, rest := range []string{"panic", "internal"} {
		rec := w.do(http.MethodGet, base+rest, w.bearer(t), nil)
		id := rec.Header().Get("X-Request-Id")
		if rec.Code != 500 || id == "" || !strings.Contains(rec.Body.String(), id) || strings.Contains(rec.Body.String(), "secret") || !json.Valid(rec.Body.Bytes()) {
			t.Errorf("%s: %d %s", rest, rec.Code, rec.Body)
		}
		if !strings.Contains(w.log.String(), id) {
			t.Errorf("%s: the log does not have %s", rest, id)
		}
	}
	if !strings.Contains(w.log.String(), "secret detail") {
		t.Error("the log does not have the detail")
	}
	for _, method := range []string{"TRACE", "OPTIONS", "CONNECT", "BREW"} {
		if rec := w.do(method, base+"document", w.bearer(t), nil); rec.Code != 405 {
			t.Errorf("%s: %d", method, rec.Code)
		}
	}
	w.toy.serve = nil
	if rec := w.do(http.MethodHead, base+"nothing", w.bearer(t), nil); rec.Code != 404 || rec.Body.Len() != 0 {
		t.Errorf("HEAD: %d %q", rec.Code, rec.Body)
	}
	w.toy.serve = func(http.ResponseWriter, *http.Request, format.Repository) error { return registry.ErrUnavailable }
	if rec := w.do(http.MethodGet, base+"x", w.bearer(t), nil); rec.Code != 503 || rec.Header().Get("Retry-After") == "" {
		t.Errorf("unavailable: %d %v", rec.Code, rec.Header())
	}
	r := httptest.NewRequest(http.MethodGet, base+"x", nil)
	r.Host = "localhost"
	r.Header.Set("X-Request-Id", "ticket-4711")
	rec := httptest.NewRecorder()
	w.ServeHTTP(rec, r)
	if got := rec.Header().Get("X-Request-Id"); got != "ticket-4711" {
		t.Errorf("the client's request id became %q", got)
	}
}

// TestTornAnswer: an error after the first byte breaks the connection.
func TestTornAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start(t)
	r, err := http.NewRequest(http.MethodGet, w.url+base+"torn", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", w.bearer(t))
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return // broken before the header was sent: as good
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("the client takes %q for the whole", body)
	}
}

func TestAuditRecords(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.toy.serve = func(w http.ResponseWriter, _ *http.Request, _ format.Repository) error {
		w.WriteHeader(http.StatusCreated)
		return nil
	}
	w.do(http.MethodGet, base+"document?token=secret", w.bearer(t), nil)
	w.do(http.MethodGet, base+"document", "", nil) // as clients do before they know how to identify themselves
	if got := w.log.String() + w.record.String(); got != "" {
		t.Errorf("a read is recorded: %s", got)
	}
	w.do(http.MethodPut, base+"thing?token=secret", w.bearer(t), strings.NewReader("x"))
	token := w.token(t, nobody, "uid-1")
	w.do(http.MethodGet, base+"document", "Bearer "+token, nil)
	w.do(http.MethodDelete, base+"-/user/token/"+token, "Bearer "+token, nil) // as npm logout does
	w.do(http.MethodGet, base+"document", "Bearer nonsense", nil)
	type line struct {
		Name, Who, Code, Method string
		Status                  int
		Decision                string
	}
	var got []line
	for text := range strings.Lines(w.record.String()) {
		var e audit.Entry
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			t.Fatal(err)
		}
		more := e.AdditionalEventData
		got = append(got, line{e.EventName, e.UserIdentity.ARN, e.ErrorCode, more.HTTPMethod, more.HTTPStatus, more.Decision})
		if e.RequestID == "" || e.RequestParameters["repositoryName"] != "my-repo" || len(e.Resources) != 1 || !slices.Equal(e.RecipientAccountIDs, []string{"111122223333"}) {
			t.Errorf("a record is not whole: %s", text)
		}
	}
	want := []line{
		{"ReadFromRepository", root.ARN, "", "PUT", 201, ""}, // the toy asks for nothing more
		{"ReadFromRepository", nobody.ARN, "AccessDeniedException", "GET", 403, "nobody is signed in"},
		{"ReadFromRepository", nobody.ARN, "AccessDeniedException", "DELETE", 403, "nobody is signed in"},
		{"ReadFromRepository", "", "UnrecognizedClientException", "GET", 401, ""},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if all := w.log.String() + w.record.String(); strings.Contains(all, "secret") || strings.Contains(all, token) || strings.Contains(all, "nonsense") {
		t.Errorf("the query or a token is recorded: %s", all)
	}
}
