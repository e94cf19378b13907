package repository_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
	"packhouse.dev/packhouse/registry/format/formattest"
)

// tree is the toy format over upstreams that are trees of files: a version is there if its file "a" is, and may have "b" and "c".
type tree struct{ formattest.Toy }

func (tree) Version(ctx context.Context, src format.Source, id registry.VersionID) (*registry.Version, error) {
	if _, err := src.Document(ctx, format.SourceRequest{Path: "files/" + id.Package.Name + "/" + id.Version + "/a"}); err != nil {
		return nil, err
	}
	return &registry.Version{ID: id, Display: id.Version, Status: registry.Published}, nil
}

func (tree) Likely(registry.VersionID) []string { return []string{"a", "b", "c"} }

func (tree) Asset(_ context.Context, _ format.Source, id registry.VersionID, name string) (*format.RemoteAsset, error) {
	return &format.RemoteAsset{URL: "files/" + id.Package.Name + "/" + id.Version + "/" + name, Size: -1}, nil
}

func (tree) Inspect(_ registry.VersionID, name string, file format.Staged) ([]byte, error) {
	return fmt.Appendf(nil, "%s has %d bytes", name, file.Size()), nil
}

func (tree) HeldOnly(kind string) bool { return kind == "held" }

// place puts files of version 1 of "p" into the tree of the upstream, which has no list of it.
func (u *upstreamServer) place(files ...string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, f := range files {
		u.files["/files/p/1/"+f] = remoteContent("p", "1", f)
	}
}

// TestLayout: a version that no list names, and its likely files; others when they are asked for.
func TestLayout(t *testing.T) {
	w := newWorldOf(t, tree{})
	w.up.place("a", "b", "d")
	if _, err := w.read("app", "p", "2"); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("a version that is not there: %v", err)
	}
	if got, err := w.read("app", "p", "1"); err != nil || got != remoteContent("p", "1", "a") {
		t.Fatalf("%q %v", got, err)
	}
	w.settled("app: 1[AB]; store: 1[AB]")
	if got, err := readAsset(t.Context(), w.view("app"), "p", "1", "d"); err != nil || got != remoteContent("p", "1", "d") {
		t.Errorf("%q %v", got, err)
	}
	w.settled("app: 1[ABD]; store: 1[ABD]")
	own, err := w.view("app").Own(t.Context(), formattest.ID("p", "").Package)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(own.Versions[0].Asset("d").Info), fmt.Sprintf("d has %d bytes", len(remoteContent("p", "1", "d"))); got != want {
		t.Errorf("kept %q, want %q", got, want)
	}
	if strings.Contains(w.log.String(), "not ingested") {
		t.Errorf("what nobody announced is missed:\n%s", w.log.String())
	}
}

// TestLayoutPublish: a version that only its file tells of is a conflict, too.
func TestLayoutPublish(t *testing.T) {
	w := newWorldOf(t, tree{})
	w.up.place("a")
	if _, err := w.publish("app", "p", "1", "a", "x"); !errors.Is(err, registry.ErrConflict) {
		t.Errorf("published over the upstream's: %v", err)
	}
	if _, err := w.publish("app", "p", "2", "a", "x"); err != nil {
		t.Error(err)
	}
}

// TestHeldOnly: a document about what never comes from connections does not ask them, and does not fail with them.
func TestHeldOnly(t *testing.T) {
	w := newWorldOf(t, tree{})
	w.up.Close()
	id := formattest.ID("p", "").Package
	if _, err := w.view("app").Document(t.Context(), id, "held", formattest.RenderList); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("held: %v", err)
	}
	if _, err := w.view("app").Document(t.Context(), id, "list", formattest.RenderList); !errors.Is(err, registry.ErrUnavailable) {
		t.Errorf("list: %v", err)
	}
}

// TestKeptAway: it can be told whether a connection was asked for what is not there.
func TestKeptAway(t *testing.T) {
	w := newWorld(t)
	w.apply(repo("app", controls("secret", registry.Allow, registry.Block)))
	for name, want := range map[string]bool{"secret": true, "unknown": false} {
		_, err := w.view("app").Package(t.Context(), formattest.ID(name, "").Package)
		if !errors.Is(err, registry.ErrNotFound) || errors.Is(err, format.ErrKeptAway) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestStandsFor: a version has the assets of the one that it stands for, and their revision, whatever an upstream has of that name.
func TestStandsFor(t *testing.T) {
	w := newWorld(t)
	w.apply(repo("app", controls("p", registry.Allow, registry.Allow)))
	stand := func(repository, build string) *registry.Version {
		t.Helper()
		p := format.Publication{ID: formattest.ID("p", "newest"), Display: "p", VersionDisplay: "newest", AssetsOf: build}
		if _, err := w.view(repository).Publish(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		own, err := w.view(repository).Own(t.Context(), p.ID.Package)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range own.Versions {
			if v.ID.Version == "newest" {
				return v
			}
		}
		t.Fatal("it is not there")
		return nil
	}
	w.mustPublish("mid", "p", "b1", "one")
	stand("mid", "b1")
	w.mustPublish("app", "p", "b2", "two")
	w.mustPublish("app", "p", "b3", "three")
	first, again, second := stand("app", "b2"), stand("app", "b2"), stand("app", "b3")
	if first.Revision != again.Revision || first.Revision == second.Revision {
		t.Errorf("revisions %s, %s, %s", first.Revision, again.Revision, second.Revision)
	}
	if got, err := w.read("app", "p", "newest"); err != nil || got != "three" {
		t.Errorf("%q %v", got, err)
	}
}
