package npm

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

// upstreamPackage is a package as an upstream has it.
func upstreamPackage(t *testing.T, name string, tags map[string]string, versions ...string) *format.RemotePackage {
	t.Helper()
	var list object
	for _, v := range versions {
		list.raw(v, fmt.Appendf(nil, `{"name":%q,"version":%q,"dist":{"tarball":"https://up.test/%s-%s.tgz","shasum":"%040d"}}`, name, v, name, v, 1))
	}
	b, err := json.Marshal(tags)
	if err != nil {
		t.Fatal(err)
	}
	p, err := parsePackument(npmID(name), fmt.Appendf(nil, `{"name":%q,"dist-tags":%s,"versions":%s}`, name, b, list.bytes()), "https://up.test/"+name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// deprecateAs does what npm deprecate does: it takes the full packument, sets the field and sends everything back.
func deprecateAs(t *testing.T, repo *fakeRepository, name, version string, message any) (int, string) {
	t.Helper()
	w := do(t, repo, "GET", name+"?write=true", nil, "Accept", abbreviatedType)
	var doc map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil || doc["_rev"] == nil {
		t.Fatalf("no full packument: %v: %s", err, w.Body)
	}
	doc["versions"].(map[string]any)[version].(map[string]any)["deprecated"] = message
	b, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	w = do(t, repo, "PUT", name, bytes.NewReader(b))
	return w.Code, w.Body.String()
}

func TestDeprecate(t *testing.T) {
	t.Parallel()
	repo := newFake()
	publish(t, repo, "n", "1.0.0", "latest")
	publish(t, repo, "n", "1.1.0", "latest")
	repo.upstream[npmID("n")] = upstreamPackage(t, "n", nil, "0.9.0")
	shown := func() string {
		t.Helper()
		w := do(t, repo, "GET", "n", nil, "Accept", abbreviatedType)
		var doc struct {
			Versions map[string]struct{ Deprecated any }
		}
		if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%v %v %v", doc.Versions["0.9.0"].Deprecated, doc.Versions["1.0.0"].Deprecated, doc.Versions["1.1.0"].Deprecated)
	}
	steps := []struct {
		name, version string
		message       any
		status        int
		want          string
	}{
		{"set", "1.0.0", `use "2" <ä>`, 200, `<nil> use "2" <ä> <nil>`},
		{"another, the first stays", "1.1.0", "too", 200, `<nil> use "2" <ä> too`},
		{"empty removes", "1.0.0", "", 200, "<nil> <nil> too"},
		{"false removes", "1.1.0", false, 200, "<nil> <nil> <nil>"},
		{"no text is none", "1.1.0", map[string]any{"x": 1}, 200, "<nil> <nil> <nil>"},
		{"of an upstream", "0.9.0", "no", 404, "<nil> <nil> <nil>"},
		{"too long", "1.0.0", strings.Repeat("x", maxDeprecation+1), 400, "<nil> <nil> <nil>"},
	}
	for _, s := range steps {
		code, body := deprecateAs(t, repo, "n", s.version, s.message)
		if got := shown(); code != s.status || got != s.want {
			t.Errorf("%s: %d %s; shown %s, want %s", s.name, code, body, got, s.want)
		}
	}
	for body, want := range map[string]int{
		`{"name":"n","versions":{"1.0.0":{}}}`:                  200, // nothing said
		`{"name":"n","versions":{"1.0.0":{},"7.0.0":{}}}`:       200, // somebody deleted one meanwhile
		`{"name":"n","versions":{"7.0.0":{"deprecated":"x"}}}`:  400, // a publish that lost its tarball
		`{"name":"n","versions":{}}`:                            400,
		`{"_id":"n","_rev":"1","users":{"bob":true}}`:           405,
		`{"_id":"n","_rev":"1","maintainers":[{"name":"bob"}]}`: 405,
		`{}`: 400,
	} {
		if w := do(t, repo, "PUT", "n", strings.NewReader(body)); w.Code != want {
			t.Errorf("%s: %d %s, want %d", body, w.Code, w.Body, want)
		}
	}
	if w := do(t, repo, "PUT", "unknown", strings.NewReader(`{"versions":{"1.0.0":{"deprecated":"x"}}}`)); w.Code != 400 {
		t.Errorf("unknown package: %d %s", w.Code, w.Body)
	}
}

func TestDistTags(t *testing.T) {
	t.Parallel()
	repo := newFake()
	publish(t, repo, "@s/n", "1.0.0", "latest")
	publish(t, repo, "@s/n", "1.1.0-beta", "beta")
	repo.upstream[npmID("@s/n")] = upstreamPackage(t, "@s/n", map[string]string{"up": "0.9.0"}, "0.9.0")
	const base = "-/package/@s%2fn/dist-tags"
	steps := []struct {
		method, path, body string
		status             int
		tags               string
		notice             bool
	}{
		{"GET", base, "", 200, `{"beta":"1.1.0-beta","latest":"1.0.0","up":"0.9.0"}`, false},
		{"PUT", base + "/next", `"1.1.0-beta"`, 200, `{"beta":"1.1.0-beta","latest":"1.0.0","next":"1.1.0-beta","up":"0.9.0"}`, false},
		{"PUT", base + "/next", `"9.9.9"`, 404, "", false},
		{"PUT", base + "/next", `1`, 400, "", false},
		{"PUT", base + "/next", `"nonsense"`, 400, "", false},
		{"PUT", base + "/next", `"1.0.0`, 400, "", false},
		{"PUT", base + "/1.x", `"1.0.0"`, 400, "", false},
		{"PUT", base + "/a%2fb", `"1.0.0"`, 400, "", false},
		{"PUT", base + "/" + strings.Repeat("t", 300), `"1.0.0"`, 400, "", false},
		{"PUT", base + "/up", `"1.0.0"`, 200, `{"beta":"1.1.0-beta","latest":"1.0.0","next":"1.1.0-beta","up":"0.9.0"}`, true},
		{"DELETE", base + "/latest", "", 400, "", false},
		{"DELETE", base + "/nothing", "", 404, "", false},
		{"DELETE", base + "/next", "", 200, `{"beta":"1.1.0-beta","latest":"1.0.0","up":"0.9.0"}`, false},
		{"POST", base, `{"a":"1.0.0","b":"v1.0.0"}`, 200, `{"a":"1.0.0","b":"1.0.0","beta":"1.1.0-beta","latest":"1.0.0","up":"0.9.0"}`, false},
		{"PUT", base, `{"c":"1.0.0"}`, 200, `{"c":"1.0.0","latest":"1.0.0","up":"0.9.0"}`, false},
		{"PUT", base, `"1.0.0"`, 400, "", false},
		{"POST", base + "/x", `"1.0.0"`, 405, "", false},
		{"DELETE", base, "", 405, "", false},
		{"HEAD", base, "", 200, "", false},
	}
	for _, s := range steps {
		w := do(t, repo, s.method, s.path, strings.NewReader(s.body))
		if w.Code != s.status || (w.Header().Get("Npm-Notice") != "") != s.notice {
			t.Errorf("%s %s %s: %d %s, notice %q", s.method, registry.Clip(s.path), s.body, w.Code, w.Body, w.Header().Get("Npm-Notice"))
		}
		if s.tags != "" {
			if got := do(t, repo, "GET", base, nil).Body.String(); got != s.tags {
				t.Errorf("after %s %s: %s, want %s", s.method, s.path, got, s.tags)
			}
		}
	}
	if w := do(t, repo, "GET", "-/package/unknown/dist-tags", nil); w.Code != 404 {
		t.Errorf("unknown package: %d", w.Code)
	}
}

func TestSearch(t *testing.T) {
	t.Parallel()
	repo := newFake()
	for _, name := range []string{"alpha", "beta", "@s/alpha", "@s/gamma"} {
		publish(t, repo, name, "1.0.0", "latest")
	}
	delete(repo.own[npmID("beta")].tags, latest)
	tests := map[string]string{
		"text=alpha":               "@s/alpha@1.0.0 alpha@1.0.0 of 2",
		"text=%40s%2Falpha":        "@s/alpha@1.0.0 of 1",
		"text=%40s":                "@s/alpha@1.0.0 @s/gamma@1.0.0 of 2",
		"text=scope%3As+gamma":     "@s/gamma@1.0.0 of 1",
		"text=author%3Abob+beta":   "beta@1.0.0 of 1",
		"text=alpha&size=1":        "@s/alpha@1.0.0 of 2",
		"text=alpha&size=1&from=1": "alpha@1.0.0 of 2",
		"text=alpha&from=7":        "of 2",
		"size=-1&from=x":           "@s/alpha@1.0.0 @s/gamma@1.0.0 alpha@1.0.0 beta@1.0.0 of 4",
		"text=nothing":             "of 0",
	}
	for query, want := range tests {
		w := do(t, repo, "GET", "-/v1/search?"+query, nil)
		var doc struct {
			Objects []struct {
				Package struct {
					Name, Version string
					Maintainers   []any
				}
			}
			Total int
		}
		if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil || w.Code != 200 {
			t.Fatalf("%s: %d %v %s", query, w.Code, err, w.Body)
		}
		got := ""
		for _, o := range doc.Objects {
			got += o.Package.Name + "@" + o.Package.Version + " "
			if o.Package.Maintainers == nil {
				t.Error("maintainers must be a list")
			}
		}
		if got += fmt.Sprintf("of %d", doc.Total); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
}

func TestAudit(t *testing.T) {
	t.Parallel()
	const bulk = "-/npm/v1/security/advisories/bulk"
	question := `{"lodash":["4.0.0"],"@corp/secret":["1.0.0"],"../x":["1"],"bad":"1"}`
	var told []string
	forward := func(q format.PassThrough) (*format.SourceDocument, error) {
		told = append(told, q.Method+" "+q.Path+" "+q.Kind+" "+string(q.Body))
		return &format.SourceDocument{Body: []byte(`{"lodash":[{"id":1,"title":"x"}],"unasked":[{"id":2}],"@corp/secret":{}}`)}, nil
	}
	tests := map[string]struct {
		external []string
		forward  func(format.PassThrough) (*format.SourceDocument, error)
		body     []byte
		encoding string
		status   int
		want     string
		told     []string
	}{
		"nothing is public": {nil, forward, []byte(question), "", 200, `{}`, nil},
		"no opt-in":         {[]string{"lodash"}, nil, []byte(question), "", 200, `{}`, nil},
		"opted in":          {[]string{"lodash"}, forward, []byte(question), "", 200, `{"lodash":[{"id":1,"title":"x"}]}`, []string{"POST " + bulkPath + ` audit {"lodash":["4.0.0"]}`}},
		"compressed":        {nil, nil, gz(t, []byte(question)), "gzip", 200, `{}`, nil},
		"bomb":              {nil, nil, gz(t, bytes.Repeat([]byte(" "), 20<<20)), "gzip", 413, ``, nil},
		"no JSON":           {nil, nil, []byte("x"), "", 400, ``, nil},
		"no object":         {nil, nil, []byte("[]"), "", 200, `{}`, nil},
		"upstream has no idea": {[]string{"lodash"}, func(format.PassThrough) (*format.SourceDocument, error) {
			return &format.SourceDocument{Body: []byte("<html>")}, nil
		}, []byte(question), "", 503, ``, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			told = nil
			repo := newFake()
			repo.forward = tt.forward
			for _, n := range tt.external {
				repo.external[n] = true
			}
			w := do(t, repo, "POST", bulk, bytes.NewReader(tt.body), "Content-Encoding", tt.encoding)
			if w.Code != tt.status || tt.want != "" && w.Body.String() != tt.want {
				t.Errorf("%d %s, want %d %s", w.Code, w.Body, tt.status, tt.want)
			}
			if diff := cmp.Diff(tt.told, told); diff != "" {
				t.Errorf("told the upstream (-want +got):\n%s", diff)
			}
		})
	}
	for _, path := range []string{"-/npm/v1/security/audits", "-/npm/v1/security/audits/quick"} {
		repo := newFake()
		repo.forward = func(format.PassThrough) (*format.SourceDocument, error) {
			t.Error("the old protocol names everything, and was told outside")
			return nil, registry.ErrNotFound
		}
		w := do(t, repo, "POST", path, strings.NewReader(`{"name":"x","requires":{"lodash":"1"},"dependencies":{}}`))
		if w.Code != 200 || !json.Valid(w.Body.Bytes()) || !strings.Contains(w.Body.String(), `"vulnerabilities"`) {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

// TestCommandTables is every row of the guide's tables "Supported commands that interact with a repository" and "Unsupported
// commands", as the requests that npm sends for them (readings 1.14). The commands of "Supported client-side commands" send nothing.
func TestCommandTables(t *testing.T) {
	t.Parallel()
	repo := newFake()
	publish(t, repo, "n", "1.0.0", "latest")
	const accept = abbreviatedType + "; q=1.0, application/json; q=0.8, */*"
	tests := []struct {
		command, method, path, body string
		status                      int
		want                        string // part of the answer
	}{
		{"bugs", "GET", "n", "", 200, `"name":"n"`},
		{"ci", "GET", "n/-/n-1.0.0.tgz", "", 200, ""},
		{"dist-tag", "GET", "-/package/n/dist-tags", "", 200, `{"latest":"1.0.0"}`},
		{"dist-tag", "PUT", "-/package/n/dist-tags/next", `"1.0.0"`, 200, `"ok":true`},
		{"dist-tag", "DELETE", "-/package/n/dist-tags/next", "", 200, `"ok":true`},
		{"docs", "GET", "n", "", 200, `"name":"n"`},
		{"doctor", "GET", "-/ping?write=true", "", 200, "{}"},
		{"install", "GET", "n", "", 200, `"tarball"`},
		{"install-ci-test", "GET", "n/-/n-1.0.0.tgz", "", 200, ""},
		{"install-test", "GET", "n", "", 200, `"tarball"`},
		{"outdated", "GET", "n", "", 200, `"dist-tags"`},
		{"ping", "GET", "-/ping", "", 200, "{}"},
		{"deprecate", "PUT", "n", `{"versions":{"1.0.0":{"deprecated":"x"}}}`, 200, `"ok":true`},
		{"publish", "PUT", "m", string(publishRequest("m", "1.0.0", "latest", tgz(t, packageJSON("m", "1.0.0"))).body(t)), 201, `"ok":true`},
		{"update", "GET", "n", "", 200, `"dist-tags"`},
		{"view", "GET", "n", "", 200, `"versions"`},

		{"access", "POST", "-/package/n/access", "{}", 405, "RepositoryPolicy"},
		{"access", "GET", "-/package/n/visibility", "", 405, "RepositoryPolicy"},
		{"access", "GET", "-/package/n/collaborators", "", 405, "RepositoryPolicy"},
		{"adduser", "PUT", "-/user/org.couchdb.user:bob", "{}", 405, "packhouse login npm"},
		{"audit", "POST", "-/npm/v1/security/advisories/bulk", `{"n":["1.0.0"]}`, 200, "{}"},
		{"hook", "GET", "-/npm/v1/hooks", "", 405, "EventSink"},
		{"login", "POST", "-/v1/login", "{}", 405, "packhouse login npm"},
		{"login", "PUT", "-/user/org.couchdb.user:bob", "{}", 405, "packhouse login npm"},
		{"logout", "DELETE", "-/user/token/abc", "", 405, "tokens expire"},
		{"owner", "GET", "-/user/org.couchdb.user:bob", "", 405, "npm owner: who may publish"},
		{"owner", "PUT", "n/-rev/1-0", `{"maintainers":[]}`, 405, "npm owner: who may publish"},
		{"profile", "GET", "-/npm/v1/user", "", 405, "IdentityProvider"},
		{"search", "GET", "-/v1/search?text=n", "", 200, `"objects":[{"package":{"name":"n"`},
		{"star", "PUT", "n", `{"_id":"n","_rev":"1-0","users":{"bob":true}}`, 405, "npm search"},
		{"unstar", "PUT", "n", `{"_id":"n","_rev":"1-0","users":{}}`, 405, "npm search"},
		{"stars", "GET", `-/_view/starredByUser?key=%22bob%22`, "", 405, "npm search"},
		{"team", "GET", "-/org/acme/team", "", 405, "IdentityPolicy"},
		{"team", "PUT", "-/team/acme/devs/user", "{}", 405, "IdentityPolicy"},
		{"token", "GET", "-/npm/v1/tokens", "", 405, "get-authorization-token"},
		{"unpublish", "PUT", "n/-rev/1-0", `{"versions":{}}`, 405, "delete-package-versions"},
		{"unpublish", "DELETE", "n/-/n-1.0.0.tgz/-rev/1-0", "", 405, "delete-package-versions"},
		{"unpublish", "DELETE", "n/-rev/1-0", "", 405, "delete-package-versions"},
		{"whoami", "GET", "-/whoami", "", 200, `"username":"arn:aws:iam::111122223333:root"`},
	}
	for _, tt := range tests {
		for _, header := range [][]string{{"Accept", accept, "npm-command", tt.command}, {"Accept", accept}} {
			if tt.command == "owner" && tt.method == http.MethodPut && len(header) == 2 {
				continue // without the header it cannot be told from unpublish
			}
			w := do(t, repo, tt.method, tt.path, strings.NewReader(tt.body), header...)
			again := tt.command == "publish" && w.Code == 200 || tt.method == http.MethodDelete && w.Code == 404
			if w.Code != tt.status && !again || !again && !strings.Contains(w.Body.String(), tt.want) {
				t.Errorf("npm %s: %s %s: %d %s, want %d %q", tt.command, tt.method, tt.path, w.Code, w.Body, tt.status, tt.want)
			}
			if w.Code == 405 && !strings.HasPrefix(w.Body.String(), `{"error":"not supported: npm `) {
				t.Errorf("npm %s: %s", tt.command, w.Body)
			}
		}
	}
}

func TestReadingNeedsPermission(t *testing.T) {
	t.Parallel()
	repo := newFake()
	repo.denied = true
	for _, path := range []string{"n", "n/1.0.0", "n/-/n-1.0.0.tgz", "-/ping", "-/whoami", "-/package/n/dist-tags", "-/v1/search?text=n"} {
		if w := do(t, repo, "GET", path, nil); w.Code != 403 {
			t.Errorf("GET %s: %d %s", path, w.Code, w.Body)
		}
	}
	for _, path := range []string{"-/npm/v1/security/advisories/bulk", "-/npm/v1/security/audits/quick"} {
		if w := do(t, repo, "POST", path, strings.NewReader("{}")); w.Code != 403 {
			t.Errorf("POST %s: %d %s", path, w.Code, w.Body)
		}
	}
}

func TestMethods(t *testing.T) {
	t.Parallel()
	repo := newFake()
	publish(t, repo, "n", "1.0.0", "latest")
	for _, c := range [][2]string{{"POST", "n"}, {"DELETE", "n"}, {"PUT", "n/1.0.0"}, {"PUT", "n/-/n-1.0.0.tgz"}, {"GET", "-/npm/v1/security/audits"}, {"POST", "-/ping"}} {
		if w := do(t, repo, c[0], c[1], nil); w.Code != 405 {
			t.Errorf("%s %s: %d %s", c[0], c[1], w.Code, w.Body)
		}
	}
	for _, path := range []string{"n", "n/latest", "n/-/n-1.0.0.tgz", "-/ping", "-/whoami", "-/v1/search"} {
		get, head := do(t, repo, "GET", path, nil), do(t, repo, "HEAD", path, nil)
		if head.Code != get.Code || head.Body.Len() != 0 || head.Header().Get("Content-Length") != get.Header().Get("Content-Length") {
			t.Errorf("HEAD %s: %d, %d bytes, length %q instead of %q", path, head.Code, head.Body.Len(), head.Header().Get("Content-Length"), get.Header().Get("Content-Length"))
		}
		if get.Header().Get("Content-Length") == "" {
			t.Errorf("GET %s has no Content-Length", path)
		}
	}
}
