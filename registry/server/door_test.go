package server

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"packhouse.dev/packhouse/registry/auth"
	"packhouse.dev/packhouse/registry/config"
)

// TestWhoIsLetIn is the matrix of tokens and their dresses.
func TestWhoIsLetIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	good, foreign, denied := w.token(t, root, "uid-1"), w.token(t, root, "uid-2"), w.token(t, nobody, "uid-1")
	old := w.token(t, root, "uid-1")
	w.skew.Store(int64(30 * time.Minute))
	good2 := w.token(t, root, "uid-1")
	w.skew.Store(int64(61 * time.Minute))
	dresses := map[string]func(token string) string{
		"bearer": func(s string) string { return "Bearer " + s },
		"basic":  func(s string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte("aws:"+s)) },
		"raw":    func(s string) string { return s },
	}
	tests := map[string]struct {
		token  string
		path   string
		status int
		says   string
	}{
		"good":                          {good2, base + "document", 200, ""},
		"expired":                       {old, base + "document", 401, "the token expired at"},
		"expired, too":                  {good, base + "document", 401, "packhouse login"},
		"foreign":                       {foreign, base + "document", 401, "expired"},
		"malformed":                     {good2 + "x", base + "document", 401, "not one of this registry"},
		"denied":                        {denied, base + "document", 401, "expired"},
		"unknown domain":                {good2, "/other-111122223333/toy/my-repo/document", 401, "another domain"},
		"unknown repository":            {good2, "/my-domain-111122223333/toy/nothing/document", 404, "nothing"},
		"unknown format":                {good2, "/my-domain-111122223333/nothing/my-repo/document", 404, "no package format"},
		"unknown format without access": {denied, "/my-domain-111122223333/nothing/my-repo/document", 404, "no package format"},
	}
	for name, tt := range tests {
		for dress, wear := range dresses {
			t.Run(name+"/"+dress, func(t *testing.T) {
				t.Parallel()
				rec := w.do(http.MethodGet, tt.path, wear(tt.token), nil)
				if rec.Code != tt.status || !strings.Contains(rec.Body.String(), tt.says) {
					t.Errorf("got %d %s; want %d %q", rec.Code, rec.Body, tt.status, tt.says)
				}
				if challenge := rec.Header()["Www-Authenticate"]; (rec.Code == 401) != (len(challenge) == 2) {
					t.Errorf("challenge %q", challenge)
				}
				if rec.Code != 200 && rec.Header().Get("X-Request-Id") == "" {
					t.Error("an error without X-Request-Id")
				}
			})
		}
	}
	t.Cleanup(func() {
		for _, secret := range []string{good, foreign, denied, old, good2} {
			if strings.Contains(w.log.String(), secret[len(secret)-20:]) {
				t.Error("a token stands in the log")
			}
		}
	})
}

// TestFormatsMayDropTheChallenge: npm shows the text of an error only if there is none.
func TestFormatsMayDropTheChallenge(t *testing.T) {
	t.Parallel()
	rec := newWorld(t).do(http.MethodGet, "/my-domain-111122223333/npm/my-repo/express", "", nil)
	if rec.Code != 401 || rec.Header()["Www-Authenticate"] != nil || !strings.Contains(rec.Body.String(), "packhouse login") {
		t.Errorf("got %d %v %s", rec.Code, rec.Header(), rec.Body)
	}
}

func TestForeignAndUnknownDomainsLookAlike(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	foreign := "Bearer " + w.token(t, root, "uid-2")
	known := w.do(http.MethodGet, base+"document", foreign, nil)
	unknown := w.do(http.MethodGet, "/other-111122223333/toy/my-repo/document", foreign, nil)
	if known.Code != 401 || unknown.Code != 401 || known.Body.String() != unknown.Body.String() {
		t.Errorf("known: %d %s; unknown: %d %s", known.Code, known.Body, unknown.Code, unknown.Body)
	}
	if n := w.service.opened.Load(); n != 0 {
		t.Errorf("%d repositories were opened", n)
	}
}

func TestRevokedAtTheNextRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.bearer(t)
	if rec := w.do(http.MethodGet, base+"document", token, nil); rec.Code != 200 {
		t.Fatalf("before: %d", rec.Code)
	}
	w.revoked = []auth.Revocation{{Kind: auth.RevokePrincipal, Value: root.ARN, IssuedBefore: time.Now().Add(time.Second)}}
	w.auth.RevocationsChanged()
	if rec := w.do(http.MethodGet, base+"document", token, nil); rec.Code != 401 || !strings.Contains(rec.Body.String(), "revoked") {
		t.Errorf("after: %d %s", rec.Code, rec.Body)
	}
}

// npmRoutes are all addresses that the npm format knows, and some that it does not.
var npmRoutes = []string{
	"express", "@types%2fnode", "@types/node", "express/4.0.0", "express/latest", "express/-/express-4.0.0.tgz",
	"@types/node/-/node-20.0.0.tgz", "express/-rev/1-abc", "express/-/express-4.0.0.tgz/-rev/1-abc", "-/ping", "-/whoami",
	"-/v1/search?text=x", "-/npm/v1/security/advisories/bulk", "-/npm/v1/security/audits", "-/npm/v1/security/audits/quick",
	"-/package/express/dist-tags", "-/package/express/dist-tags/latest", "-/package/express/access", "-/v1/login", "-/user/token/x",
	"-/user/org.couchdb.user:me", "-/org/x/team", "-/team/x/y/user", "-/npm/v1/user", "-/npm/v1/tokens", "-/npm/v1/hooks", "-/npm/v1/keys",
	"-/_view/starredByUser", "", "-", "nothing/of/the/sort",
}

// TestDoorWalker: no route, in no form of address, and no method gives anything to who may not have it. Who has no good token does
// not even come to the repository; who has no permission does not come behind its door.
func TestDoorWalker(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.service.endpoints = []config.Endpoint{{URL: "https://p.example.com", Host: "p.example.com"}}
	callers := map[string]struct {
		authorization string
		status        int
		opens         bool
	}{
		"nobody":              {"", 401, false},
		"malformed":           {"Bearer nonsense", 401, false},
		"token of another":    {"Bearer " + w.token(t, root, "uid-2"), 401, false},
		"without permission":  {"Bearer " + w.token(t, nobody, "uid-1"), 403, true},
		"two authorizations":  {"two", 401, false},
		"AWS signature":       {"AWS4-HMAC-SHA256 Credential=AKIA/x, Signature=y", 401, false},
		"empty bearer":        {"Bearer ", 401, false},
		"an empty basic pair": {"Basic Og==", 401, false},
	}
	forms := map[string][2]string{
		"path": {"127.0.0.1", "/my-domain-111122223333/npm/my-repo/"}, "guide": {"127.0.0.1", "/npm/d/my-domain-111122223333/my-repo/"},
		"host": {"my-domain-111122223333.d.p.example.com", "/npm/my-repo/"}, "unknown repository": {"127.0.0.1", "/my-domain-111122223333/npm/nothing/"},
	}
	for name, c := range callers {
		for _, where := range forms {
			for _, rest := range npmRoutes {
				for _, method := range []string{"GET", "HEAD", "PUT", "POST", "DELETE", "PATCH"} {
					opened := w.service.opened.Load()
					r := httptest.NewRequest(method, where[1]+rest, strings.NewReader(`{"name":"express"}`))
					r.Host = where[0]
					switch c.authorization {
					case "":
					case "two":
						r.Header["Authorization"] = []string{w.bearer(t), w.bearer(t)}
					default:
						r.Header.Set("Authorization", c.authorization)
					}
					rec := httptest.NewRecorder()
					w.ServeHTTP(rec, r)
					if rec.Code != c.status {
						t.Fatalf("%s: %s %s%s: %d, want %d", name, method, where[1], rest, rec.Code, c.status)
					}
					if got := w.service.opened.Load() != opened; got != c.opens {
						t.Fatalf("%s: %s %s%s: the repository was opened: %v", name, method, where[1], rest, got)
					}
				}
			}
		}
	}
	if n := w.service.view.count.Load(); n != 0 {
		t.Errorf("package data was touched %d times", n)
	}
}
