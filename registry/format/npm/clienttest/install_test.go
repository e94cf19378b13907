package clienttest_test

import (
	"slices"
	"testing"

	"packhouse.dev/packhouse/registry/internal/clienttest"
)

// TestInstall installs a tree through two repositories, and from the lock file alone again when there is no upstream any more.
func TestInstall(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, kind clienttest.Kind) {
		p, up := world(t, "")
		c := client(t, p, kind)
		c.Add("app-kit")
		c.Requires("app-kit@1.0.0")

		lock := c.ReadFile(kind.Lockfile())
		up.Stop()
		c.Clean()
		c.OK(c.Frozen()...)
		c.Requires("app-kit@1.0.0")
		if after := c.ReadFile(kind.Lockfile()); after != lock {
			t.Errorf("the lock file changed:\n%s\nbefore:\n%s", after, lock)
		}

		for _, repository := range []string{"my-repo", "npm-store"} {
			var held []string
			for _, row := range p.Rows() {
				if row.Repository == repository {
					held = append(held, row.Package+"@"+row.Version)
				}
			}
			for _, spec := range clienttest.CatalogueTree() {
				if !slices.Contains(held, spec) {
					t.Errorf("%s does not hold %s but %q", repository, spec, held)
				}
			}
		}
	})
}
