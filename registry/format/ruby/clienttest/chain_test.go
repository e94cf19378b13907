package clienttest_test

import (
	"slices"
	"strings"
	"testing"

	"packhouse.dev/packhouse/registry/internal/clienttest"
)

// TestAnotherPackhouse has the rubygems.org of one registry be another one, which has a compact index: bundler finds what only the
// first one lists, with the platform of this machine, and installs from the lock file when the first one is gone.
func TestAnotherPackhouse(t *testing.T) {
	t.Parallel()
	first := start(t, clienttest.Head+clienttest.Repository("my-repo"), "")
	owner := newUser(t).configure(first, "my-repo")
	owner.push(gem{name: "deep", version: "1.0.0"})
	owner.push(gem{name: "deep", version: "1.1.0"})
	owner.push(gem{name: "deep", version: "2.0.0.pre.1"})
	owner.push(gem{name: "top-gem", version: "0.1.0", more: "  s.add_dependency 'deep', '~> 1.0'\n  s.required_ruby_version = '>= 2.5'"})
	owner.OK("gem", "yank", "deep", "-v", "1.1.0")
	up := first.WithToken(t)
	up.Path = strings.TrimPrefix(address(first, "my-repo"), first.Endpoint)
	second := start(t, samples(), up.String())

	u := newUser(t).configure(second, "my-repo")
	u.push(gem{name: "deep-own", version: "3.0.0"})
	u.gemfile(address(second, "my-repo"), "'top-gem'", "'deep-own'")
	u.Says([]string{"Bundle complete!"}, "bundle", "install")
	for _, line := range []string{"    deep (1.0.0)", "    deep-own (3.0.0)", "    top-gem (0.1.0)"} {
		if !u.locked(line) {
			t.Errorf("Gemfile.lock lacks %q:\n%s", line, u.Read("Gemfile.lock"))
		}
	}
	for _, path := range []string{"info/deep", "info/top-gem"} {
		if got, want := body(t, second, path), body(t, first, path); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", path, got, want)
		}
	}
	if got, want := body(t, second, "names"), "---\ndeep\ndeep-own\ntop-gem\n"; got != want {
		t.Errorf("names:\n%s\nwant\n%s", got, want)
	}
	u.Says([]string{"deep (1.0.0)", "deep-own (3.0.0)"}, "gem", "list", "--remote", "deep")
	u.Says([]string{"2.0.0.pre.1"}, "gem", "install", "deep", "--pre", "--explain")
	first.Stop()
	u.fresh()
	u.Says([]string{"Bundle complete!"}, "bundle", "install")
	row := func(repository, pkg, version, origin string) clienttest.Row {
		return clienttest.Row{Repository: repository, Package: pkg, Version: version, Status: "Published", Origin: origin}
	}
	want := []clienttest.Row{
		row("gem-store", "deep", "1.0.0", "EXTERNAL"), row("gem-store", "top-gem", "0.1.0", "EXTERNAL"),
		row("my-repo", "deep", "1.0.0", "EXTERNAL"), row("my-repo", "deep-own", "3.0.0", "INTERNAL"), row("my-repo", "top-gem", "0.1.0", "EXTERNAL"),
	}
	if rows := second.Rows(); !slices.Equal(rows, want) {
		t.Errorf("rows %+v\nwant %+v", rows, want)
	}
}

func body(t *testing.T, p *clienttest.Packhouse, path string) string {
	t.Helper()
	status, b, err := p.Do("GET", address(p, "my-repo")+path, nil)
	if err != nil || status != 200 {
		t.Fatalf("%s: %d %s %v", path, status, b, err)
	}
	return string(b)
}
