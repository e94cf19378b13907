package external

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/config"
)

func testSite(t testing.TB, address string, hosts ...string) *site {
	t.Helper()
	s, err := newSite(&config.Connection{Name: "public:test", URL: address, Hosts: hosts})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestResolve(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ base, path, want string }{
		"root":                     {"https://r.example", "express", "https://r.example/express"},
		"root with slash":          {"https://r.example/", "express", "https://r.example/express"},
		"folder":                   {"https://r.example/npm/all", "express", "https://r.example/npm/all/express"},
		"escaped scope stays":      {"https://r.example/npm/", "@s%2fname", "https://r.example/npm/@s%2fname"},
		"escaped base stays":       {"https://r.example/a%2Fb/", "x", "https://r.example/a%2Fb/x"},
		"query":                    {"https://r.example/", "-/v1/search?text=a%20b&size=2", "https://r.example/-/v1/search?text=a%20b&size=2"},
		"the address itself":       {"https://r.example/v3/index.json", "", "https://r.example/v3/index.json"},
		"absolute":                 {"https://r.example/", "https://cdn.example/x", "https://cdn.example/x"},
		"absolute, odd case":       {"https://r.example/", "HTTPS://cdn.example/x", "https://cdn.example/x"},
		"colon in a name":          {"https://r.example/", "a:b", "https://r.example/a:b"},
		"looks like another port":  {"https://r.example", "@evil.example/x", "https://r.example/@evil.example/x"},
		"host-absolute":            {"https://r.example/npm/", "/x", ""},
		"other host":               {"https://r.example/npm/", "//evil.example/x", ""},
		"parent":                   {"https://r.example/npm/", "../x", ""},
		"parent, escaped":          {"https://r.example/npm/", "a/%2e%2E/x", ""},
		"parent, half escaped":     {"https://r.example/npm/", "a/.%2e", ""},
		"backslash":                {"https://r.example/npm/", `..\x`, ""},
		"bad escape":               {"https://r.example/npm/", "a%zz", ""},
		"control characters":       {"https://r.example/npm/", "https://r.example/\r\nx", ""},
		"fragment":                 {"https://r.example/npm/", "https://r.example/#x", ""},
		"user information":         {"https://r.example/npm/", "https://u:" + canary + "@r.example/", ""},
		"no host":                  {"https://r.example/npm/", "https:///x", ""},
		"too long":                 {"https://r.example/npm/", "https://r.example/" + strings.Repeat("x", maxURL), ""},
		"other scheme is no path":  {"https://r.example/", "file:///etc/passwd", "https://r.example/file:///etc/passwd"},
		"malformed, with a secret": {"https://r.example/", "https://u:" + canary + "@r.example:x/", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u, err := testSite(t, tt.base).resolve(tt.path)
			if (err == nil) != (tt.want != "") {
				t.Fatalf("got %v, %v; want %q", u, err, tt.want)
			}
			if err == nil && u.String() != tt.want {
				t.Errorf("got %q, want %q", u, tt.want)
			}
			if err != nil && (!errors.Is(err, registry.ErrUnavailable) || strings.Contains(err.Error(), canary)) {
				t.Errorf("error %q", err)
			}
		})
	}
}

func TestAdmit(t *testing.T) {
	t.Parallel()
	const refused standing = -1
	tests := map[string]struct {
		base, to string
		hosts    []string
		want     standing
	}{
		"origin":                            {"https://r.example/npm/", "https://r.example/x", nil, origin},
		"origin with its port":              {"https://r.example/npm/", "https://r.example:443/x", nil, origin},
		"origin, odd case and dot":          {"https://r.example/npm/", "https://R.Example./x", nil, origin},
		"other port of the origin":          {"https://r.example/", "https://r.example:2375/x", nil, refused},
		"origin without encryption":         {"https://r.example/", "http://r.example/x", nil, refused},
		"origin with encryption":            {"http://r.example/", "https://r.example/x", nil, named},
		"other host":                        {"https://r.example/", "https://cdn.example/x", nil, refused},
		"suffix of the host":                {"https://r.example/", "https://evilr.example/x", nil, refused},
		"host as a label":                   {"https://r.example/", "https://r.example.evil.example/x", nil, refused},
		"named":                             {"https://r.example/", "https://cdn.example/x", []string{"CDN.example"}, named},
		"named without encryption":          {"https://r.example/", "http://cdn.example/x", []string{"cdn.example"}, refused},
		"named, all without encryption":     {"http://r.example/", "http://cdn.example/x", []string{"cdn.example"}, named},
		"other port of a named host":        {"https://r.example/", "https://cdn.example:8443/x", []string{"cdn.example"}, refused},
		"named with a port":                 {"https://r.example/", "https://cdn.example:8443/x", []string{"cdn.example:8443"}, named},
		"named by address":                  {"https://r.example/", "https://[2001:db8::1]:8443/x", []string{"[2001:db8::1]:8443"}, named},
		"any host":                          {"https://r.example/", "https://cdn.example/x", []string{"*"}, foreign},
		"any host, other port":              {"https://r.example/", "https://cdn.example:8443/x", []string{"*"}, refused},
		"any host, unencrypted":             {"https://r.example/", "http://cdn.example/x", []string{"*"}, refused},
		"any host, unencrypted from plain":  {"http://r.example/", "http://cdn.example/x", []string{"*"}, refused},
		"any host does not lift the origin": {"https://r.example/", "http://r.example/x", []string{"*"}, refused},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u, err := parseURL(tt.to)
			if err != nil {
				t.Fatal(err)
			}
			got, err := testSite(t, tt.base, tt.hosts...).admit(u)
			if err != nil {
				got = refused
			}
			if got != tt.want {
				t.Errorf("got %d (%v), want %d", got, err, tt.want)
			}
		})
	}
}

func TestRedirect(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		location       string
		document, file bool // allowed
	}{
		"same host":           {"/moved", true, true},
		"relative":            {"moved", true, true},
		"fragment is dropped": {"/moved#x", true, true},
		"named":               {"https://named.example/x", true, true},
		"foreign":             {"https://cdn.example/x?sig=1", false, true},
		"foreign port":        {"https://cdn.example:8443/x", false, false},
		"downgrade":           {"http://r.example/x", false, false},
		"downgrade elsewhere": {"http://cdn.example/x", false, false},
		"scheme":              {"file:///etc/passwd", false, false},
		"scheme-relative":     {"//cdn.example/x", false, true},
		"user information":    {"https://a:b@r.example/x", false, false},
		"nothing":             {"", false, false},
		"nonsense":            {"https://%zz/", false, false},
		"no host":             {"https:///x", false, false},
	}
	from, err := url.Parse("https://r.example/npm/x")
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := testSite(t, "https://r.example/npm/", "named.example")
			for file, want := range map[bool]bool{false: tt.document, true: tt.file} {
				if _, _, err := s.redirect(from, tt.location, file); (err == nil) != want {
					t.Errorf("file %t: %v, want allowed = %t", file, err, want)
				}
			}
		})
	}
}

// FuzzResolve: what a format or its metadata names either stays on the connection's hosts or is refused, and what comes out is the
// same when it is read again, so nothing can be one address to the check and another to the transport.
func FuzzResolve(f *testing.F) {
	for _, s := range []string{"express", "@s%2fname", "../x", "//evil.example", "https://r.example/x", "https://r.example\\@evil.example/", "https://r.example@evil.example/", "a?b", "%2e%2e/", "http://[::1]:80/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		s := testSite(t, "https://r.example/npm/", "cdn.example")
		u, err := s.resolve(path)
		if err != nil {
			return
		}
		if !hasScheme(path) && path != "" && !strings.HasPrefix(u.String(), "https://r.example/npm/") {
			t.Fatalf("%q leads to %s", path, u)
		}
		st, err := s.admit(u)
		if err != nil {
			return
		}
		again, err := url.Parse(u.String())
		if err != nil || again.Host != u.Host || again.User != nil || s.standing(again) != st {
			t.Fatalf("%q is %s, which reads as %v, %v", path, u, again, err)
		}
		if host := strings.TrimSuffix(strings.ToLower(again.Hostname()), "."); host != "r.example" && host != "cdn.example" {
			t.Fatalf("%q leads to %s", path, u)
		}
	})
}
