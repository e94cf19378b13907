package clienttest_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"packhouse.dev/packhouse/registry/internal/clienttest"
)

// TestSupportedCommands runs the guide's table "Supported commands that interact with a repository", in the order of a working day,
// and those that work here and not there: audit, search, whoami.
func TestSupportedCommands(t *testing.T) {
	t.Parallel()
	p, _ := world(t, "")
	c := client(t, p, clienttest.NPM)
	says := func(args string, texts ...string) string {
		t.Helper()
		out := c.OK(strings.Fields(args)...)
		for _, text := range texts {
			if !strings.Contains(out, text) {
				t.Errorf("npm %s: does not say %q but\n%s", args, text, out)
			}
		}
		return out
	}
	says("ping", "PONG")
	says("whoami", "arn:aws:iam::111122223333:root")
	says("doctor connection", "Ok")
	says("view app-kit dependencies", "@open-source/util")
	says("view left-trim versions", "1.0.0", "1.1.0", "2.0.0-beta.1")
	says("dist-tag ls left-trim", "latest: 1.1.0", "next: 2.0.0-beta.1")
	says("bugs say-hello --no-browser", "https://bugs.example.com/say-hello")
	says("docs say-hello --no-browser", "https://docs.example.com/say-hello")

	says("install left-trim@1.0.0 old-thing", "old-thing@0.9.0: use left-trim")
	c.Requires("left-trim@1.0.0")
	c.WriteFile("package.json", strings.Replace(c.ReadFile("package.json"), `"left-trim": "1.0.0"`, `"left-trim": "^1.0.0"`, 1))
	says("install")
	c.Refused([]string{"left-trim", "1.1.0"}, "outdated") // exit code 1: something is
	says("update")
	c.Requires("left-trim@1.1.0")
	says("audit", "found 0 vulnerabilities")
	says("audit --json", `"total": 0`)
	c.WriteFile("package.json", strings.Replace(c.ReadFile("package.json"), "{", `{"scripts":{"test":"node -e \"console.log('tested')\""},`, 1))
	says("ci", "added 2 packages")
	says("install-test", "tested")
	says("install-ci-test", "tested")
	says("search left-trim", "left-trim") // it is retained by now

	lib := client(t, p, clienttest.NPM)
	lib.Becomes(clienttest.Package{Name: "@acme/lib", Version: "1.0.0"})
	lib.OK("publish")
	lib.Becomes(clienttest.Package{Name: "@acme/lib", Version: "1.1.0-rc.1"})
	lib.OK("publish", "--tag", "rc")
	says("dist-tag ls @acme/lib", "latest: 1.0.0", "rc: 1.1.0-rc.1")
	says("dist-tag add @acme/lib@1.1.0-rc.1 canary", "+canary: @acme/lib@1.1.0-rc.1")
	says("dist-tag rm @acme/lib rc", "-rc: @acme/lib@1.1.0-rc.1")
	if out := says("dist-tag ls @acme/lib", "canary: 1.1.0-rc.1"); strings.Contains(out, "rc: 1.1.0-rc.1\nrc:") {
		t.Errorf("the tag rc is still there:\n%s", out)
	}
	c.Refused([]string{"cannot be removed"}, "dist-tag", "rm", "@acme/lib", "latest")
	says("deprecate @acme/lib@1.0.0 use-something-else")
	says("view @acme/lib@1.0.0 deprecated", "use-something-else")
	says("install @acme/lib", "@acme/lib@1.0.0: use-something-else")
	says("undeprecate @acme/lib@1.0.0")
	if out := says("view @acme/lib@1.0.0 deprecated"); strings.Contains(out, "use-something-else") {
		t.Errorf("still deprecated:\n%s", out)
	}
	says("search acme", "@acme/lib")
}

// TestClientSideCommands runs the guide's table "Supported client-side commands": nothing of the registry may be in their way.
// "build" is no command of npm 11; "edit" opens an editor.
func TestClientSideCommands(t *testing.T) {
	t.Parallel()
	p, _ := world(t, "")
	c := client(t, p, clienttest.NPM)
	c.OK("install", "left-trim", "say-hello")
	c.WriteFile("package.json", strings.Replace(c.ReadFile("package.json"), "{",
		`{"scripts":{"hi":"say-hello","start":"node -e 0","stop":"node -e 0"},`, 1))
	for _, args := range []string{
		"cache verify", "completion", "config list", "dedupe", "explore left-trim -- node -e 0", "help install", "help-search tarball",
		"init -y", "link", "ls", "pack --dry-run", "prefix", "prune", "rebuild",
		"restart", "root", "run-script hi", "shrinkwrap", "uninstall left-trim",
	} {
		c.OK(strings.Fields(args)...)
	}
	c.Env = append(c.Env, "EDITOR=true")
	c.OK("edit", "say-hello")
}

// TestUnsupportedCommands runs the guide's table "Unsupported commands" as far as npm 11 still has them: each says what to do instead.
// Logging in asks questions on a terminal, so what it sends is sent without npm.
func TestUnsupportedCommands(t *testing.T) {
	t.Parallel()
	p, _ := world(t, "")
	c := client(t, p, clienttest.NPM)
	c.Becomes(clienttest.Package{Name: "@acme/lib", Version: "1.0.0"})
	c.OK("publish")
	for args, want := range map[string]string{
		"access list packages":                "RepositoryPolicy",
		"access set status=private @acme/lib": "RepositoryPolicy",
		"owner add bob @acme/lib":             "RepositoryPolicy",
		"profile get":                         "IdentityProvider",
		"star @acme/lib":                      "npm search",
		"stars":                               "npm search",
		"team ls acme:dev":                    "IdentityPolicy",
		"org ls acme":                         "IdentityPolicy",
		"token list":                          "packhouse token",
		"unpublish @acme/lib@1.0.0 --force":   "delete-package-versions",
		"unpublish @acme/lib --force":         "delete-package-versions",
		"logout":                              "npm config delete",
	} {
		c.Refused([]string{"405", want}, strings.Fields(args)...)
	}
	for _, q := range []struct{ method, path string }{{http.MethodPost, "-/v1/login"}, {http.MethodPut, "-/user/org.couchdb.user:bob"}} {
		status, answer, err := p.Do(q.method, p.Registry("my-repo")+q.path, []byte(`{"name":"bob","password":"x"}`))
		if err != nil || status != http.StatusMethodNotAllowed || !strings.Contains(string(answer), "packhouse login npm") {
			t.Errorf("%s %s: got %d %s, %v", q.method, q.path, status, answer, err)
		}
	}
	if doc, err := p.Packument("my-repo", "@acme/lib"); err != nil || len(doc.Versions) != 1 {
		t.Errorf("after all that: %+v, %v", doc, err)
	}
}

// TestLogin configures clients with "packhouse login" alone, as a newcomer does, and installs.
func TestLogin(t *testing.T) {
	t.Parallel()
	p, _ := world(t, "")
	for _, kind := range []clienttest.Kind{clienttest.NPM, clienttest.PNPM, clienttest.Yarn1, clienttest.Berry} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			c := clienttest.NewClient(t, kind)
			tool := strings.TrimSuffix(strings.Replace(string(kind), "berry", "yarn", 1), "1")
			out, err := c.Exec(clienttest.Binary(t), "login", tool, "--repository", "my-repo", "--data-dir", p.DataDir)
			if err != nil || !strings.Contains(out, "Login expires in 12 hours") {
				t.Fatalf("packhouse login %s: %v\n%s", tool, err, out)
			}
			c.Add("app-kit")
			c.Requires("app-kit@1.0.0")
		})
		t.Run(string(kind)+" for a scope", func(t *testing.T) {
			t.Parallel()
			c := clienttest.NewClient(t, kind).Use("http://127.0.0.1:1/", "") // everything else comes from elsewhere
			tool := strings.TrimSuffix(strings.Replace(string(kind), "berry", "yarn", 1), "1")
			out, err := c.Exec(clienttest.Binary(t), "login", tool, "--repository", "my-repo", "--scope", "@native-thing", "--data-dir", p.DataDir)
			if err != nil {
				t.Fatalf("packhouse login %s: %v\n%s", tool, err, out)
			}
			c.Add("@native-thing/linux-x64")
			c.Requires("@native-thing/linux-x64@1.0.0")
			if out, err := c.Run("add", "left-trim"); err == nil {
				t.Errorf("a package without the scope came from the repository:\n%s", out)
			}
		})
	}
}

// TestErrors is about clients that are configured badly, or ask for what they cannot have.
func TestErrors(t *testing.T) {
	t.Parallel()
	p, _ := world(t, clienttest.Samples()+clienttest.Origin("say-hello", "", "Block"))
	if status, answer := p.Publish(t, "my-repo", clienttest.Package{Name: "hidden", Version: "1.0.0"}); status != http.StatusCreated {
		t.Fatalf("publish: %d %s", status, answer)
	}
	p.Stop()
	p.SetStatus("my-repo", "hidden", "1.0.0", "Archived")
	p.Restart()
	elsewhere := clienttest.Start(t, clienttest.Options{})
	tests := map[string]struct {
		repository, token string
		args              []string
		want              []string
	}{
		"no token":           {"my-repo", "", []string{"view", "left-trim"}, []string{"E401", "packhouse login"}},
		"no token, ping":     {"my-repo", "", []string{"ping"}, []string{"E401", "packhouse login"}},
		"malformed token":    {"my-repo", "nonsense", []string{"view", "left-trim"}, []string{"E401", "token"}},
		"foreign token":      {"my-repo", elsewhere.Token, []string{"view", "left-trim"}, []string{"E401", "token"}},
		"unknown repository": {"no-such-repo", p.Token, []string{"view", "left-trim"}, []string{"E404", "no-such-repo"}},
		"unknown package":    {"my-repo", p.Token, []string{"install", "no-such-package"}, []string{"E404", "no-such-package"}},
		"unknown version":    {"my-repo", p.Token, []string{"install", "left-trim@7.0.0"}, []string{"ETARGET"}},
		"blocked package":    {"my-repo", p.Token, []string{"install", "say-hello"}, []string{"E404"}},
		"archived version":   {"my-repo", p.Token, []string{"install", p.Registry("my-repo") + "hidden/-/hidden-1.0.0.tgz"}, []string{"E403", "archived"}},
		"archived package":   {"my-repo", p.Token, []string{"install", "hidden"}, []string{"E404"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := clienttest.NewClient(t, clienttest.NPM).Use(p.Registry(tt.repository), tt.token)
			c.Refused(tt.want, tt.args...)
		})
	}
}

// TestTokensStaySecret looks for tokens in what the registry wrote, also of clients that put them into an address.
func TestTokensStaySecret(t *testing.T) {
	t.Parallel()
	p := clienttest.Start(t, clienttest.Options{Args: []string{"--access-log", "--verbose"}})
	c := client(t, p, clienttest.NPM)
	c.Refused(nil, "logout") // DELETE -/user/token/<the token>
	token := strings.TrimSpace(func() string { out, _ := p.Run("token", "--data-dir", p.DataDir); return out }())
	for _, url := range []string{
		strings.Replace(p.Registry("my-repo"), "//", "//aws:"+token+"@", 1) + "-/ping",
		p.Registry("my-repo") + "-/ping?token=" + token, p.Registry("no-such-repo") + token, p.Registry("my-repo") + "a/b/c/" + token,
	} {
		if _, _, err := clienttest.Do(http.MethodGet, url, "", nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, secret := range []string{p.Token, token} {
		if log := p.Log.String(); strings.Contains(log, secret) {
			t.Errorf("the log has a token:\n%s", strings.ReplaceAll(log, secret, "<TOKEN>"))
		}
		for _, name := range []string{"packhouse.db", "packhouse.db-wal"} {
			data, err := os.ReadFile(filepath.Join(p.DataDir, name))
			if err != nil || strings.Contains(string(data), secret) {
				t.Errorf("%s has a token, or: %v", name, err)
			}
		}
	}
	if info, err := os.Stat(filepath.Join(p.DataDir, "dev.json")); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(fmt.Sprint(info), err)
	}
}
