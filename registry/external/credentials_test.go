package external

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"packhouse.dev/packhouse/registry"
)

// TestCredentialsStayAtTheOrigin records what each of three hosts is told, over a chain that comes back.
func TestCredentialsStayAtTheOrigin(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"token": "Bearer " + canary,
		"basic": "Basic Y2k6YzRuYXJ5LXMzY3JldA==",
		"":      "",
	}
	for secret, want := range tests {
		t.Run(secret, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			var told []string
			record := func(next string) http.HandlerFunc {
				return func(w http.ResponseWriter, r *http.Request) {
					told = append(told, r.Host+r.URL.Path+" "+r.Header.Get("Authorization")+r.Header.Get("Cookie")+r.Header.Get("Referer"))
					http.SetCookie(w, &http.Cookie{Name: "track", Value: "me"})
					if r.URL.Path != "/end" {
						redirectTo(next)(w, r)
					}
				}
			}
			conn := connection(w.serve(t, "a.example.com", func(rw http.ResponseWriter, r *http.Request) {
				next := map[string]string{"/start": "/second", "/second": "https://b.example.com/x", "/back": "/end"}[r.URL.Path]
				record(next)(rw, r)
			}))
			w.serve(t, "b.example.com", record("https://cdn.example.com/x"))
			w.serve(t, "cdn.example.com", record("https://a.example.com/back"))
			conn.Hosts, conn.Credentials = []string{"b.example.com"}, secret
			b, err := w.Client.Open(t.Context(), conn, "start", 0)
			if err != nil {
				t.Fatal(err)
			}
			b.Close()
			expected := []string{
				"a.example.com/start " + want, "a.example.com/second " + want, "b.example.com/x ", "cdn.example.com/x ",
				"a.example.com/back ", "a.example.com/end ",
			}
			if diff := cmp.Diff(expected, told); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestCredentialsOfNamedHostsAndMetadata(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	var told []string
	record := func(_ http.ResponseWriter, r *http.Request) {
		told = append(told, r.Host+" "+r.Header.Get("Authorization"))
	}
	conn := connection(w.serve(t, "a.example.com", record))
	w.serve(t, "b.example.com", record)
	w.serve(t, "any.example.com", record)
	conn.Credentials, conn.Hosts = "token", []string{"b.example.com", "*"}
	for _, u := range []string{"https://a.example.com/x", "https://b.example.com/x", "https://any.example.com/x"} {
		b, err := w.Client.Open(t.Context(), conn, u, 0)
		if err != nil {
			t.Fatal(err)
		}
		b.Close()
	}
	if diff := cmp.Diff([]string{"a.example.com Bearer " + canary, "b.example.com ", "any.example.com "}, told); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCredentialsThatCannotBeHad(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	asked := false
	conn := connection(w.serve(t, "a.example.com", func(http.ResponseWriter, *http.Request) { asked = true }))
	for _, name := range []string{"missing", "broken", "homeless"} {
		conn.Credentials = name
		_, err := w.Client.Open(t.Context(), conn, "x", 0)
		if !errors.Is(err, registry.ErrUnavailable) || errors.Is(err, registry.ErrNotFound) || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if asked {
		t.Error("the upstream was asked without credentials")
	}
}

// Whoever declares a connection chooses its address, and must not choose where somebody's credentials go.
func TestCredentialsGoToTheirHostOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	var told []string
	record := func(_ http.ResponseWriter, r *http.Request) {
		told = append(told, r.Host+" "+r.Header.Get("Authorization"))
	}
	secure := w.serve(t, "a.example.com", record)
	plain := w.serveMemory(t, "a.example.com", record)
	for _, tt := range []struct {
		url, host string
		sent      bool
	}{
		{secure, "a.example.com", true}, {secure, "a.example.com:443", true}, {secure, "A.Example.com.", true}, {plain, "a.example.com:80", true},
		{secure, "b.example.com", false}, {secure, "example.com", false}, {secure, "a.example.com:8443", false}, {secure, "https://a.example.com", false},
		{plain, "a.example.com:443", false}, {secure, "*", false},
	} {
		told = nil
		conn := connection(tt.url)
		conn.Credentials = "for " + tt.host
		b, err := w.Client.Open(t.Context(), conn, "x", 0)
		if !tt.sent {
			if !errors.Is(err, registry.ErrUnavailable) || !strings.Contains(err.Error(), "another host") || strings.Contains(err.Error(), canary) || told != nil {
				t.Errorf("%s with a secret for %s: %v; told %q", tt.url, tt.host, err, told)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s with a secret for %s: %v", tt.url, tt.host, err)
			continue
		}
		b.Close()
		if diff := cmp.Diff([]string{"a.example.com Bearer " + canary}, told); diff != "" {
			t.Errorf("%s with a secret for %s (-want +got):\n%s", tt.url, tt.host, diff)
		}
	}
	if strings.Contains(w.log.String(), canary) {
		t.Error("the log has a secret")
	}
}
