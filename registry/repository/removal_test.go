package repository_test

import (
	"testing"

	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/metadata"
)

// TestRemovedUpstream: what a repository has retained from a removed one it still serves; what it had not is gone, also from lists that
// were cached; and a new one of that name starts empty, for publishes and for reads.
func TestRemovedUpstream(t *testing.T) {
	w := newWorld(t)
	w.mustPublish("mid", "pkg", "1", "one")
	w.mustPublish("mid", "pkg", "2", "two")
	if got, err := w.read("app", "pkg", "1"); got != "one" || err != nil {
		t.Fatalf("%q, %v", got, err)
	}
	before := w.list("app", "pkg")
	w.apply(func(d *config.Domain) { // without mid
		d.Repositories[0].Upstreams = nil
		d.Repositories = append(d.Repositories[:1], d.Repositories[2:]...)
	})
	if err := w.store.Remove(t.Context(), metadata.Removal{Domain: domain, Repository: "mid", Holder: "ns"}); err != nil {
		t.Fatal(err)
	}
	w.apply()
	if got := w.list("mid", "pkg"); got != "error: not found" {
		t.Errorf("a new repository has %q", got)
	}
	if _, err := w.store.Clear(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err := w.read("app", "pkg", "1"); got != "one" || err != nil {
		t.Errorf("what was retained: %q, %v", got, err)
	}
	if got, err := w.read("app", "pkg", "2"); err == nil {
		t.Errorf("what was not retained: %q", got)
	}
	if after := w.list("app", "pkg"); after == before {
		t.Errorf("the list did not change: %q", after)
	}
	w.mustPublish("mid", "pkg", "2", "another two")
	if got, err := w.read("app", "pkg", "2"); got != "another two" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}
