package server

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"packhouse.dev/packhouse/registry/auth"
	"packhouse.dev/packhouse/registry/format"
)

// addressed answers errors with the address of the repository.
type addressed struct{ *toy }

func (addressed) WriteError(w http.ResponseWriter, r *http.Request, status int, _ string) {
	w.WriteHeader(status)
	_, _ = io.WriteString(w, format.Address(r))
}

// TestAddress: an ErrorWriter knows where the repository is before anybody is known to ask, and never from a made-up Host.
func TestAddress(t *testing.T) {
	t.Parallel()
	keys, err := auth.NewKeys(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Options{Service: &fakeService{}, Auth: auth.New(auth.Options{Keys: keys}), Formats: []format.Format{addressed{&toy{}}}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(host string) string {
		r := httptest.NewRequest(http.MethodGet, base+"x", nil)
		r.Host = host
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w.Body.String()
	}
	if got, want := ask("127.0.0.1:8080"), "http://127.0.0.1:8080"+strings.TrimSuffix(base, "/"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := ask("evil.example.com"); strings.Contains(got, "evil") {
		t.Errorf("the Host header was copied: %q", got)
	}
}
