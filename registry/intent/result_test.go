package intent_test

import (
	"errors"
	"fmt"
	"testing"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/intent"
)

// What an operator says is what a client hears: the same sentinel, and the text if it is for clients.
func TestResult(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err      error
		code     intent.Code
		text     string
		sentinel error
	}{
		{nil, "", "", nil},
		{fmt.Errorf("%w: Repository a/b is Argo CD's", registry.ErrConflict), intent.Conflict, "Repository a/b is Argo CD's", registry.ErrConflict},
		{fmt.Errorf("domain d: %w", registry.ErrNotFound), intent.NotFound, "domain d: not found", registry.ErrNotFound},
		{fmt.Errorf("domain d: %w", registry.ErrStale), intent.Stale, "domain d: changed meanwhile", registry.ErrStale},
		{fmt.Errorf("%w: too many", registry.ErrQuotaExceeded), intent.QuotaExceeded, "too many", registry.ErrQuotaExceeded},
		{fmt.Errorf("%w: no", registry.ErrAccessDenied), intent.AccessDenied, "no", registry.ErrAccessDenied},
		{fmt.Errorf("%w: bad", registry.ErrInvalid), intent.Invalid, "bad", registry.ErrInvalid},
		{fmt.Errorf("%w: bad", registry.ErrAlreadyExists), intent.Exists, "bad", registry.ErrAlreadyExists},
		{errors.New("dial tcp 10.0.0.1:6443"), intent.Unavailable, "", registry.ErrUnavailable},
		{fmt.Errorf("%w: dial tcp 10.0.0.1:5432", registry.ErrUnavailable), intent.Unavailable, "", registry.ErrUnavailable},
		{&intent.UnavailableError{Text: "Try again.", Err: errors.New("secret")}, intent.Unavailable, "Try again.", registry.ErrUnavailable},
	} {
		got := intent.ResultOf(tt.err)
		if got != (intent.Result{Code: tt.code, Text: tt.text}) {
			t.Errorf("%v: result %+v", tt.err, got)
		}
		if again := got.Err(); !errors.Is(again, tt.sentinel) || intent.ResultOf(again) != got {
			t.Errorf("%v became %v", tt.err, again)
		}
	}
	if err := (intent.Result{Code: "FromAnotherBuild", Text: "x"}).Err(); !errors.Is(err, registry.ErrUnavailable) {
		t.Errorf("a code that is not known: %v", err)
	}
}
