package clienttest_test

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"packhouse.dev/packhouse/registry/internal/clienttest"
)

// TestPublish pushes gems, one of which needs the other and a public one; others install, list and look at them; then they are yanked.
func TestPublish(t *testing.T) {
	t.Parallel()
	up := newSource(t, gem{name: "pub-one", version: "1.1.0"}, gem{name: "pub-one", version: "2.0.0.rc1"})
	p := start(t, samples(), up.URL+"/")
	u := newUser(t).configure(p, "my-repo")
	u.push(gem{name: "acme-base", version: "1.0.0"})
	u.push(gem{name: "acme-base", version: "1.1.0"})
	u.push(gem{name: "acme-base", version: "2.0.0.beta.1"})
	u.push(gem{name: "acme-app", version: "0.1.0", more: "  s.add_dependency 'acme-base', '~> 1.0'\n  s.add_dependency 'pub-one', '>= 1', '< 3'\n  s.required_ruby_version = '>= 2.5'"})
	u.build(gem{name: "acme-app", version: "0.1.0", more: "  s.platform = 'x86_64-linux'\n  s.add_dependency 'acme-base', '~> 1.0'\n  s.add_dependency 'pub-one', '>= 1'"})
	u.Says([]string{"Successfully registered gem: acme-app (0.1.0-x86_64-linux)"}, "gem", "push", "--key", "codeartifact_api_key", "acme-app-0.1.0-x86_64-linux.gem")
	u.Says([]string{"is there already, with the same bytes; nothing was changed"}, "gem", "push", "acme-base-1.0.0.gem")
	u.build(gem{name: "acme-base", version: "1.0.0", lib: "other bytes"})
	u.Refused([]string{"other bytes of acme-base-1.0.0.gem; publish a new version instead"}, "gem", "push", "acme-base-1.0.0.gem")

	other := newUser(t).configure(p, "my-repo")
	other.Says([]string{"Successfully installed acme-base-1.1.0", "Successfully installed pub-one-1.1.0", "Successfully installed acme-app-0.1.0"}, "gem", "install", "acme-app")
	if out := other.OK("ruby", "-e", "require 'acme-base'; require 'pub-one'"); out != "acme-base 1.1.0\npub-one 1.1.0\n" {
		t.Errorf("the gems say %q", out)
	}
	other.Says([]string{"acme-app (0.1.0 ruby x86_64-linux)", "acme-base (1.1.0, 1.0.0)"}, "gem", "list", "-r", "--all")
	other.Says([]string{"acme-base (2.0.0.beta.1)"}, "gem", "list", "-r", "--pre", "acme-base")
	other.Says([]string{"acme-base (1.1.0)"}, "gem", "search", "acme-b", "-r")
	other.Says([]string{"acme-base (1.1.0)", "about acme-base", "https://example.com"}, "gem", "info", "acme-base", "-r")
	other.Says([]string{"Downloaded acme-base-1.0.0"}, "gem", "fetch", "acme-base", "-v", "1.0.0")
	other.Says([]string{"name: acme-app", "requirement: !ruby/object:Gem::Requirement"}, "gem", "specification", "acme-app", "-r")
	other.OK("gem", "install", "acme-base", "-v", "1.0.0", "--force")
	u.push(gem{name: "acme-base", version: "1.2.0"})
	other.Says([]string{"acme-base (1.1.0 < 1.2.0)"}, "gem", "outdated")
	other.Says([]string{"Successfully installed acme-base-1.2.0"}, "gem", "update", "acme-base")
	other.Says([]string{"Successfully installed acme-base-2.0.0.beta.1"}, "gem", "install", "acme-base", "-v", "2.0.0.beta.1")

	u.Says([]string{"Successfully deleted gem: acme-base (1.2.0)"}, "gem", "yank", "acme-base", "-v", "1.2.0")
	u.Says([]string{"Successfully deleted gem: acme-base (1.2.0)"}, "gem", "yank", "acme-base", "-v", "1.2.0") // once more
	u.Says([]string{"Successfully deleted gem: acme-app (0.1.0-x86_64-linux)"}, "gem", "yank", "acme-app", "-v", "0.1.0", "--platform", "x86_64-linux")
	other.Says([]string{"acme-app (0.1.0)", "acme-base (1.1.0, 1.0.0)"}, "gem", "list", "-r", "--all")
	other.fresh()
	if err := os.Remove(other.Path("acme-base-1.0.0.gem")); err != nil { // gem takes files of the folder first
		t.Fatal(err)
	}
	other.Says([]string{"Successfully installed acme-base-1.1.0"}, "gem", "install", "acme-base")
	other.Refused([]string{"Could not find a valid gem 'acme-base' (= 1.2.0)"}, "gem", "install", "acme-base", "-v", "1.2.0")
	status, _, err := p.Do(http.MethodGet, address(p, "my-repo")+"gems/acme-base-1.2.0.gem", nil)
	if err != nil || status != 200 { // unlisted, not gone
		t.Errorf("the yanked gem: %d %v", status, err)
	}
	u.Says([]string{"pub-one (1.0.0) is not in this repository itself"}, "gem", "yank", "pub-one", "-v", "1.0.0")
	out, _ := u.Run("gem", "owner", "acme-base") // its exit status does not tell
	if !strings.Contains(out, "RepositoryPolicy") {
		t.Errorf("gem owner says\n%s", out)
	}
}

// TestRefused is what gem says to somebody without a right to do what they do.
func TestRefused(t *testing.T) {
	t.Parallel()
	up := newSource(t, gem{name: "theirs", version: "1.0.0"})
	p := start(t, samples(), up.URL+"/")
	u := newUser(t).configure(p, "my-repo")
	u.build(gem{name: "theirs", version: "1.0.0", lib: "mine"})
	u.Refused([]string{"public:ruby-gems-org"}, "gem", "push", "theirs-1.0.0.gem")
	u.Write("rubbish.gem", "rubbish")
	u.Write(u.Home+"/.gem/credentials", ":codeartifact_api_key: Bearer nonsense\n")
	u.Refused([]string{"token"}, "gem", "push", "--key", "codeartifact_api_key", "theirs-1.0.0.gem")
	for _, dress := range []string{p.Token, "Bearer " + p.Token} {
		u.Env = append(u.Env, "GEM_HOST_API_KEY="+dress)
		u.push(gem{name: "dressed", version: "1.0." + string(rune('0'+len(u.Env)))})
	}
	u.Refused([]string{"Could not find a valid gem 'theirs'"}, "gem", "install", "theirs", "--clear-sources", "--source", withToken(p, address(p, "my-repo"), "nonsense"))
	status, body, err := p.Do(http.MethodPost, address(p, "my-repo")+"api/v1/gems", []byte("rubbish"))
	if err != nil || status != 400 || !strings.Contains(string(body), "the file is no gem") {
		t.Errorf("%d %s %v", status, body, err)
	}
}

// TestConfusion: gems that a package group keeps in are not even asked for outside, and what was published here never comes from there.
func TestConfusion(t *testing.T) {
	t.Parallel()
	up := newSource(t, gem{name: "evil-twin", version: "9.0.0"}, gem{name: "ours", version: "9.9.9"})
	p := start(t, samples()+clienttest.Group("/ruby//evil-twin$"), up.URL+"/")
	u := newUser(t).configure(p, "my-repo")
	u.Refused([]string{"Could not find a valid gem 'evil-twin'"}, "gem", "install", "evil-twin")
	u.gemfile(address(p, "my-repo"), "'evil-twin'")
	u.Refused([]string{"Could not find gem 'evil-twin'"}, "bundle", "install")
	u.push(gem{name: "evil-twin", version: "1.0.0"})
	u.Says([]string{"Successfully installed evil-twin-1.0.0"}, "gem", "install", "evil-twin")
	u.OK("bundle", "install")
	if !u.locked("    evil-twin (1.0.0)") {
		t.Errorf("locked\n%s", u.Read("Gemfile.lock"))
	}
	if heard := up.heard("evil"); len(heard) > 0 {
		t.Errorf("the upstream was asked for %q", heard)
	}
	u.push(gem{name: "ours", version: "1.0.0"})
	u.Says([]string{"Successfully installed ours-1.0.0"}, "gem", "install", "ours")
}

// TestArchived: a version that is archived is gone from indexes and as a file.
func TestArchived(t *testing.T) {
	t.Parallel()
	p := start(t, samples(), newSource(t, gem{name: "other", version: "1.0.0"}).URL+"/")
	u := newUser(t).configure(p, "my-repo")
	u.push(gem{name: "lib", version: "1.0.0"})
	u.push(gem{name: "lib", version: "1.1.0"})
	u.gemfile(address(p, "my-repo"), "'lib'")
	u.OK("bundle", "install")
	p.Stop()
	p.SetStatus("my-repo", "lib", "1.1.0", "Archived")
	p.Restart()
	u.fresh()
	u.Refused([]string{"lib"}, "bundle", "install")
	if err := os.Remove(u.Path("Gemfile.lock")); err != nil { // bundle update goes no lower than it
		t.Fatal(err)
	}
	u.OK("bundle", "install")
	if !u.locked("    lib (1.0.0)") {
		t.Errorf("locked\n%s", u.Read("Gemfile.lock"))
	}
	status, body, err := p.Do(http.MethodGet, address(p, "my-repo")+"gems/lib-1.1.0.gem", nil)
	if err != nil || status != 403 || !strings.Contains(string(body), "archived") {
		t.Errorf("%d %s %v", status, body, err)
	}
	u.Says([]string{"changed meanwhile"}, "gem", "yank", "lib", "-v", "1.1.0")
}

// TestLogin: after packhouse login, gem and bundle work without another word, and Gemfiles that name rubygems.org go through the
// repository.
func TestLogin(t *testing.T) {
	t.Parallel()
	p := start(t, samples(), newSource(t, gem{name: "pub-one", version: "1.0.0"}).URL+"/")
	u := newUser(t)
	for _, tool := range []string{"gem", "bundle"} {
		u.Says([]string{"Configured " + tool + " to use " + address(p, "my-repo")}, clienttest.Binary(t), "login", tool, "--repository", "my-repo", "--data-dir", p.DataDir)
	}
	u.OK("gem", "install", "--no-document", "pub-one")
	u.build(gem{name: "ours", version: "1.0.0"})
	u.OK("gem", "push", "--host", strings.TrimSuffix(address(p, "my-repo"), "/"), "ours-1.0.0.gem")
	u.gemfile("https://rubygems.org", "'pub-one'", "'ours'")
	u.OK("bundle", "install")
	if !u.locked("  remote: https://rubygems.org/") {
		t.Errorf("locked\n%s", u.Read("Gemfile.lock"))
	}
}
