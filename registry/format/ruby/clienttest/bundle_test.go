package clienttest_test

import (
	"slices"
	"strings"
	"testing"

	"packhouse.dev/packhouse/registry/internal/clienttest"
)

// TestBundle installs through a chain of repositories, again from the lock file when the source is gone, and upgrades.
func TestBundle(t *testing.T) {
	t.Parallel()
	up := newSource(t, gem{name: "pub-one", version: "1.0.0"}, gem{name: "pub-two", version: "0.1.0", more: "  s.add_dependency 'pub-one', '~> 1.0'"}, gem{name: "unused", version: "1.0.0"})
	p := start(t, clienttest.Head+clienttest.Repository("repo-c", "public:ruby-gems-org")+clienttest.Repository("repo-b", "repo-c")+clienttest.Repository("my-repo", "repo-b"), up.URL+"/")
	u := newUser(t).configure(p, "my-repo")
	u.push(gem{name: "acme", version: "1.0.0", more: "  s.add_dependency 'pub-two'"})
	u.gemfile(address(p, "my-repo"), "'acme'")
	u.Says([]string{"Bundle complete!"}, "bundle", "install")
	for _, line := range []string{"    acme (1.0.0)", "      pub-two", "    pub-one (1.0.0)", "    pub-two (0.1.0)", "      pub-one (~> 1.0)"} {
		if !u.locked(line) {
			t.Errorf("Gemfile.lock lacks %q:\n%s", line, u.Read("Gemfile.lock"))
		}
	}
	row := func(repository, pkg, version, origin string) clienttest.Row {
		return clienttest.Row{Repository: repository, Package: pkg, Version: version, Status: "Published", Origin: origin}
	}
	want := []clienttest.Row{
		row("my-repo", "acme", "1.0.0", "INTERNAL"), row("my-repo", "pub-one", "1.0.0", "EXTERNAL"), row("my-repo", "pub-two", "0.1.0", "EXTERNAL"),
		row("repo-c", "pub-one", "1.0.0", "EXTERNAL"), row("repo-c", "pub-two", "0.1.0", "EXTERNAL"),
	}
	if rows := p.Rows(); !slices.Equal(rows, want) {
		t.Errorf("rows %+v\nwant %+v", rows, want)
	}
	up.behave(down)
	u.fresh()
	u.Says([]string{"Bundle complete!"}, "bundle", "install", "--verbose")
	up.behave(well)
	u.push(gem{name: "acme", version: "1.1.0"})
	u.OK("bundle", "update", "acme")
	if !u.locked("    acme (1.1.0)") {
		t.Errorf("locked\n%s", u.Read("Gemfile.lock"))
	}
	u.Says([]string{"Bundle up to date!"}, "bundle", "outdated")
	u.OK("gem", "yank", "acme", "-v", "1.1.0")
	u.fresh()
	u.Refused([]string{"acme"}, "bundle", "install")
}

// TestMisbehavingSource: what comes from a source that fails is not kept, and all is well as soon as the source is.
func TestMisbehavingSource(t *testing.T) {
	t.Parallel()
	for name, m := range map[string]mode{"500": broken, "no answer": down, "login page": html} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			up := newSource(t, gem{name: "pub-one", version: "1.0.0"})
			p := start(t, samples(), up.URL+"/")
			u := newUser(t).configure(p, "my-repo")
			up.behave(m)
			u.Refused([]string{"pub-one"}, "gem", "install", "pub-one")
			if rows := p.Rows(); len(rows) != 0 {
				t.Errorf("something was kept: %+v", rows)
			}
			status, body, err := p.Do("GET", address(p, "my-repo")+"info/pub-one", nil)
			if err != nil || status != 503 {
				t.Errorf("%d %s %v", status, body, err)
			}
		})
	}
}

// TestCorrupt: gems that are no gems are not kept under the name of one that clients check; those that were kept stay as they were.
func TestCorrupt(t *testing.T) {
	t.Parallel()
	up := newSource(t, gem{name: "pub-one", version: "1.0.0"}, gem{name: "pub-two", version: "1.0.0"})
	p := start(t, samples(), up.URL+"/")
	u := newUser(t).configure(p, "my-repo")
	u.OK("gem", "install", "pub-one")
	up.behave(corrupt)
	u.fresh()
	u.Says([]string{"Successfully installed pub-one-1.0.0"}, "gem", "install", "pub-one")
	u.Refused([]string{"pub-two"}, "gem", "install", "pub-two")
	for _, r := range p.Rows() {
		if strings.Contains(r.Package, "pub-two") {
			t.Errorf("kept %+v", r)
		}
	}
}
