package clienttest_test

import (
	"strings"
	"testing"

	"packhouse.dev/packhouse/registry/format/pypi/pypitest"
)

// TestProxied installs through two repositories from an index like pypi.org, and again without it.
func TestProxied(t *testing.T) {
	t.Parallel()
	eachPip(t, func(t *testing.T, u *user) {
		up := newIndex(t, pypitest.Dist{Name: "lib", Version: "1.0"}, pypitest.Dist{Name: "lib", Version: "2.0"},
			pypitest.Dist{Name: "my-app", Version: "1.0.0", Requires: []string{"lib<2"}}, pypitest.Dist{Name: "lib", Version: "3.0", RequiresPython: "<3"})
		p := start(t, samples(), up.simple())
		u.configure(p, "my-repo")
		u.install("My.App")
		if got := u.version("my_app") + " " + u.version("lib"); got != "1.0.0 1.0" {
			t.Errorf("installed %q", got)
		}
		var held []string
		for _, row := range p.Rows() {
			held = append(held, row.Repository+" "+row.Package+" "+row.Version+" "+row.Origin)
		}
		want := "my-repo lib 1 EXTERNAL; my-repo my-app 1 EXTERNAL; pypi-store lib 1 EXTERNAL; pypi-store my-app 1 EXTERNAL"
		if got := strings.Join(held, "; "); got != want {
			t.Errorf("held: %s\nwant: %s", got, want)
		}
		up.down.Store(true)
		u.fresh()
		u.install("my-app")
		if got := u.version("my_app") + " " + u.version("lib"); got != "1.0.0 1.0" {
			t.Errorf("installed %q without the upstream", got)
		}
		u.fresh()
		u.cannotInstall([]string{"503"}, "lib==2.0")
		u.cannotInstall([]string{"No matching distribution found for lib==9.9"}, "lib==9.9")
	})
}
