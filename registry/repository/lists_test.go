package repository_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/format"
	"packhouse.dev/packhouse/registry/format/formattest"
)

// lister is the toy format whose upstreams have a list of everything: a name in a line.
type lister struct{ formattest.Toy }

func (lister) List(ctx context.Context, src format.Source, kind string) (map[registry.PackageID][]byte, error) {
	if kind != "index" {
		return nil, nil
	}
	got, err := src.Document(ctx, format.SourceRequest{Path: "everything.json", Class: format.ClassIndex})
	if err != nil {
		return nil, err
	}
	out := map[registry.PackageID][]byte{}
	for name := range strings.FieldsSeq(string(got.Body)) {
		out[formattest.ID(name, "").Package] = []byte(name + ": (upstream)\n")
	}
	return out, nil
}

func (u *upstreamServer) everything(names string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.files["/everything.json"] = names
}

// everythingIn renders a repository's list of everything.
func (w *world) everythingIn(repository, kind string) string {
	w.t.Helper()
	doc, err := w.view(repository).IndexDocument(w.t.Context(), kind, formattest.Index{})
	if err != nil {
		return "error: " + sentinel(err)
	}
	body := string(doc.Body)
	if doc.Stale {
		body += "STALE\n"
	}
	if doc.Partial {
		body += "PARTIAL\n"
	}
	return body
}

// TestUpstreamLists: an index has what upstreams list, in order, but for what origin controls keep from coming from there; of a package
// that a repository holds, it says what the repository does.
func TestUpstreamLists(t *testing.T) {
	w := newWorldOf(t, lister{})
	w.up.everything("zed held blocked alpha")
	w.mustPublish("app", "held", "1", "x")
	w.apply(repo("app", controls("blocked", registry.Allow, registry.Block)))
	want(t, "app", w.everythingIn("app", "index"), "alpha: (upstream)\nheld: 1\nzed: (upstream)\n")
	want(t, "store", w.everythingIn("store", "index"), "alpha: (upstream)\nblocked: (upstream)\nheld: (upstream)\nzed: (upstream)\n")
	want(t, "no upstream", w.everythingIn("other", "index"), "")
	want(t, "another kind", w.everythingIn("app", "held"), "held: 1\n")
	w.mustPublish("app", "alpha", "2", "x")
	want(t, "published", w.everythingIn("app", "index"), "alpha: 2\nheld: 1\nzed: (upstream)\n")
}

// TestUpstreamListsFail: an upstream that never listed anything makes the index a partial one, and one that did a stale one.
func TestUpstreamListsFail(t *testing.T) {
	w := newWorldOf(t, lister{})
	want(t, "no list", w.everythingIn("app", "index"), "")
	w.apply(repo("other", func(r *config.Repository) { r.Connections = []string{"public:toy"} }))
	w.up.everything("alpha")
	w.clock.move(time.Hour)
	want(t, "listed", w.everythingIn("other", "index"), "alpha: (upstream)\n")
	w.up.down.Store(true)
	w.clock.move(time.Hour)
	want(t, "stale", w.everythingIn("other", "index"), "alpha: (upstream)\nSTALE\n")

	fresh := newWorldOf(t, lister{})
	fresh.up.down.Store(true)
	fresh.mustPublish("other", "own", "1", "x")
	want(t, "beside the failure", fresh.everythingIn("other", "index"), "own: 1\n")
	want(t, "partial", fresh.everythingIn("app", "index"), "PARTIAL\n")
	fresh.up.down.Store(false)
	fresh.up.everything("alpha")
	fresh.clock.move(time.Hour)
	want(t, "well again", fresh.everythingIn("app", "index"), "alpha: (upstream)\n")
}
