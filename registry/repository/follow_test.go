package repository_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/format"
	"packhouse.dev/packhouse/registry/format/formattest"
)

// follower is the toy format with versions that follow their upstream. There, a tag "flags-<version>" is the version's flags, assets
// "<name>.meta" are hidden, and documents are read from the files.
type follower struct{ formattest.Toy }

func (follower) Traits() format.Traits {
	t := formattest.Toy{}.Traits()
	t.Follows = true
	return t
}

func (follower) Package(ctx context.Context, src format.Source, id registry.PackageID) (*format.RemotePackage, error) {
	p, err := formattest.Toy{}.Package(ctx, src, id)
	if err != nil {
		return nil, err
	}
	for _, v := range p.Versions {
		v.Document = nil
		if f := p.Tags["flags-"+v.ID.Version]; f != "" {
			v.Flags = []byte(" " + f)
		}
		for i := range v.Assets {
			v.Assets[i].Listed = !strings.HasSuffix(v.Assets[i].Name, ".meta")
		}
	}
	p.Tags = nil
	return p, nil
}

func (follower) Extract(_ registry.VersionID, name string, file format.Staged) ([]byte, error) {
	return fmt.Appendf(nil, "%d bytes of %s", file.Size(), name), nil
}

// offer makes the upstream have version 1 of "p" with files, and flags.
func (u *upstreamServer) offer(flags string, files ...string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	v := formattest.RemoteVersion{Version: "1", Files: map[string]string{}}
	for _, f := range files {
		u.files["/files/p/1/"+f] = remoteContent("p", "1", f)
		v.Files[f] = sha(remoteContent("p", "1", f))
	}
	b, err := json.Marshal(formattest.Page{Versions: []formattest.RemoteVersion{v}, Tags: map[string]string{"flags-1": flags}})
	if err != nil {
		panic(err)
	}
	u.files["/pages/p.json"], u.files["/lists/p.json"] = string(b), `["pages/p.json"]`
}

// settled waits until the repositories hold what is wanted: further files are fetched in the background.
func (w *world) settled(want string) {
	w.t.Helper()
	eventually(w.t, func() bool { return w.holds("p") == want }, func() string { return w.holds("p") + "; want " + want })
}

// TestFollow is "Requesting Python packages from upstreams and external connections": files and flags that come later reach retained
// versions wherever they are read, and stay when the upstream is gone.
func TestFollow(t *testing.T) {
	t.Parallel()
	w := newWorldOf(t, follower{})
	w.up.offer("", "a", "a.meta")
	if got := w.list("app", "p"); got != "p 1 a,a.meta\n" {
		t.Errorf("list %q", got)
	}
	if got, err := readAsset(t.Context(), w.view("app"), "p", "1", "a.meta"); err != nil || got != remoteContent("p", "1", "a.meta") {
		t.Errorf("hidden asset: %q, %v", got, err)
	}
	if got := w.holds("p"); got != "" {
		t.Errorf("a look at metadata retained: %s", got)
	}
	if _, err := w.read("app", "p", "1"); err != nil {
		t.Fatal(err)
	}
	w.settled("app: 1[AA.META]; store: 1[AA.META]")
	own, err := w.view("app").Own(t.Context(), formattest.ID("p", "").Package)
	if want := fmt.Sprintf("%d bytes of a", len(remoteContent("p", "1", "a"))); err != nil || string(own.Versions[0].Document) != want {
		t.Errorf("document %q, %v; want %q", own.Versions[0].Document, err, want)
	}

	w.up.offer("yanked", "a", "a.meta", "b")
	w.clock.move(time.Hour)
	if got := w.list("app", "p"); got != "p 1 a,a.meta,b yanked\n" {
		t.Errorf("list %q", got)
	}
	w.settled("app: 1[AA.METAB]; store: 1[AA.METAB]")
	before := w.up.asked("")
	if got := w.list("app", "p"); got != "p 1 a,a.meta,b yanked\n" {
		t.Errorf("list %q", got)
	}
	writes := w.store.writes.Load()
	if got := w.list("app", "p"); got != "p 1 a,a.meta,b yanked\n" || w.store.writes.Load() != writes || w.up.asked("") != before {
		t.Errorf("list %q; nothing changed, and %d writes", got, w.store.writes.Load()-writes)
	}

	// The connection is gone: what was last seen stays, what nobody fetched is left out.
	w.up.offer("", "a", "a.meta", "b", "c")
	w.apply(repo("store", func(r *config.Repository) { r.Connections = nil }))
	if got := w.list("app", "p"); got != "p 1 a,a.meta,b yanked\n" {
		t.Errorf("without the connection: %q", got)
	}
	w.apply()
	w.clock.move(time.Hour)
	if got := w.list("app", "p"); got != "p 1 a,a.meta,b,c\n" {
		t.Errorf("with the connection again: %q", got)
	}
}

// TestFollowStops is "Why is CodeArtifact not fetching the latest yanked metadata or assets for a package version?": three ways.
func TestFollowStops(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(w *world)
		want   string
		file   string // error of reading the new file through app
	}{
		"nothing in the way": {func(*world) {}, "p 1 a,b new\n", "nil"},
		"origin controls": {func(w *world) {
			w.apply(repo("app", controls("p", registry.Block, registry.Block)))
		}, "p 1 a old\n", "not found"},
		"upstream removed": {func(w *world) {
			w.apply(repo("app", func(r *config.Repository) { r.Upstreams = nil }))
		}, "p 1 a old\n", "not found"},
		"archived in between": {func(w *world) {
			if err := w.view("store").Edit(w.t.Context(), formattest.ID("p", "").Package, []format.Edit{{Version: "1", Status: registry.Archived}}); err != nil {
				w.t.Fatal(err)
			}
		}, "p 1 a old\n", "not found"},
		"unlisted in between": {func(w *world) {
			if err := w.view("store").Edit(w.t.Context(), formattest.ID("p", "").Package, []format.Edit{{Version: "1", Status: registry.Unlisted}}); err != nil {
				w.t.Fatal(err)
			}
		}, "p 1 a,b new\n", "nil"},
		"published in between": {func(w *world) {
			w.apply(repo("mid", controls("p", registry.Allow, registry.Block)))
			w.mustPublish("mid", "p", "1", "of our own")
			w.apply()
		}, "p 1 a old\nlatest=1\n", "not found"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorldOf(t, follower{})
			w.up.offer("old", "a")
			if _, err := w.read("app", "p", "1"); err != nil {
				t.Fatal(err)
			}
			tt.change(w)
			w.up.offer("new", "a", "b")
			w.clock.move(time.Hour)
			if got := w.list("app", "p"); got != tt.want {
				t.Errorf("list %q, want %q", got, tt.want)
			}
			_, err := readAsset(t.Context(), w.view("app"), "p", "1", "b")
			if got := sentinel(err); got != tt.file {
				t.Errorf("new file: %s, want %s", got, tt.file)
			}
		})
	}
}

// TestFollowInternal: "if new assets are available for a package version in an upstream repository that are not present in the current
// repository, they will be retained in the current repository".
func TestFollowInternal(t *testing.T) {
	t.Parallel()
	w := newWorldOf(t, follower{})
	w.mustPublish("mid", "p", "1", "a")
	if _, err := w.read("app", "p", "1"); err != nil {
		t.Fatal(err)
	}
	w.settled("app: 1[A]; mid: 1[A]")
	if _, err := w.publish("mid", "p", "1", "b", "later"); err != nil {
		t.Fatal(err)
	}
	if got := w.list("app", "p"); got != "p 1 a,b\nlatest=1\n" {
		t.Errorf("list %q", got)
	}
	w.settled("app: 1[AB]; mid: 1[AB]")
	if err := w.view("mid").Delete(t.Context(), formattest.ID("p", "1")); err != nil {
		t.Fatal(err)
	}
	if got, err := readAsset(t.Context(), w.view("app"), "p", "1", "b"); err != nil || got != "later" {
		t.Errorf("after the upstream's deletion: %q, %v", got, err)
	}
}
