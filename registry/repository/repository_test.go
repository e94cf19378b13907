package repository_test

import (
	"context"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
	"packhouse.dev/packhouse/registry/format/formattest"
)

func want(t *testing.T, what, got, want string) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s: %s", what, d)
	}
}

func TestPublishAndRead(t *testing.T) {
	w := newWorld(t)
	got, err := w.publish("app", "Pad", "1.0.0", "a", "hello")
	if err != nil || !got.Created || got.Version.ID != formattest.ID("pad", "1.0.0") {
		t.Fatalf("published %+v, %v", got, err)
	}
	want(t, "list", w.list("app", "pad"), "Pad 1.0.0 a\nlatest=1.0.0\n")
	if body, err := w.read("app", "pad", "1.0.0"); body != "hello" || err != nil {
		t.Errorf("read %q, %v", body, err)
	}
	w.mustPublish("app", "pad", "1.1.0", "more")
	want(t, "list", w.list("app", "pad"), "Pad 1.0.0 a\nPad 1.1.0 a\nlatest=1.1.0\n")
	want(t, "list elsewhere", w.list("other", "pad"), "error: not found")
	own, err := w.view("app").Own(t.Context(), formattest.ID("pad", "").Package)
	if err != nil || own.Controls != (registry.OriginControls{Publish: registry.Allow, Upstream: registry.Block}) || string(own.Versions[0].Document) != "{ verbatim\x00\xff 1.0.0}" {
		t.Errorf("own = %+v, %v", own, err)
	}
}

func TestPublishAgain(t *testing.T) {
	w := newWorld(t)
	w.mustPublish("app", "pad", "1.0.0", "hello")
	w.mustPublish("app", "pad", "2.0.0", "hello")
	if got, err := w.publish("app", "pad", "1.0.0", "a", "hello"); err != nil || got.Created {
		t.Errorf("the same bytes: %+v, %v", got, err)
	}
	want(t, "tags stay", w.list("app", "pad"), "pad 1.0.0 a\npad 2.0.0 a\nlatest=2.0.0\n")
	_, err := w.publish("app", "pad", "1.0.0", "a", "other")
	want(t, "other bytes", sentinel(err), registry.ErrAlreadyExists.Error())
	if _, err := w.publish("app", "pad", "1.0.0", "b", "grown"); err != nil {
		t.Errorf("a further file: %v", err)
	}
	want(t, "grown", w.holds("pad"), "app: 1.0.0[AB] 2.0.0[A]")
	for _, status := range []registry.Status{registry.Archived, registry.Disposed} {
		if err := w.view("app").Edit(t.Context(), formattest.ID("pad", "").Package, []format.Edit{{Version: "1.0.0", Status: status}}); err != nil {
			t.Fatal(err)
		}
		_, err = w.publish("app", "pad", "1.0.0", "a", "hello")
		want(t, string(status), sentinel(err), registry.ErrConflict.Error())
	}
	if err := w.view("app").Delete(t.Context(), formattest.ID("pad", "1.0.0")); err != nil {
		t.Fatal(err)
	}
	w.mustPublish("app", "pad", "1.0.0", "other")
}

// The guide's "Package retention in intermediate repositories": the requested repository and the owner of the connection.
func TestRetention(t *testing.T) {
	w := newWorld(t)
	w.up.put("dep", map[string]string{"latest": "2.0.0"}, "1.0.0", "2.0.0")
	want(t, "list", w.list("app", "dep"), "dep 1.0.0 a,b\ndep 2.0.0 a,b\nlatest=2.0.0\n")
	if a, err := w.view("app").Asset(t.Context(), formattest.ID("dep", "1.0.0"), "a", format.Stat); err != nil || a.Body != nil || a.Digests.SHA256 != sha(remoteContent("dep", "1.0.0", "a")) {
		t.Errorf("Stat = %+v, %v", a, err)
	}
	want(t, "a list and a HEAD retain nothing", w.holds("dep"), "")
	body, err := w.read("app", "dep", "1.0.0")
	if err != nil || body != remoteContent("dep", "1.0.0", "a") {
		t.Fatalf("read %d bytes: %v", len(body), err)
	}
	eventually(t, func() bool { return w.holds("dep") == "app: 1.0.0[AB]; store: 1.0.0[AB]" }, func() string { return w.holds("dep") })
	if n := w.up.asked("/files/dep/1.0.0/a"); n != 1 {
		t.Errorf("the file was fetched %d times", n)
	}
	w.up.Close()
	w.clock.move(time.Hour)
	if body, err := w.read("app", "dep", "1.0.0"); err != nil || body != remoteContent("dep", "1.0.0", "a") {
		t.Errorf("read without the upstream: %d bytes, %v", len(body), err)
	}
	if body, err := readAsset(t.Context(), w.view("mid"), "dep", "1.0.0", "b"); err != nil || body != remoteContent("dep", "1.0.0", "b") {
		t.Errorf("read through another repository: %d bytes, %v", len(body), err)
	}
	want(t, "retained by the one that asked", w.holds("dep"), "app: 1.0.0[AB]; mid: 1.0.0[AB]; store: 1.0.0[AB]")
	_, err = w.read("app", "dep", "2.0.0")
	want(t, "what was never fetched", sentinel(err), registry.ErrUnavailable.Error())
	own, err := w.view("app").Own(t.Context(), formattest.ID("dep", "").Package)
	if err != nil || own.Controls != registry.DefaultControls(registry.ArrivalExternal, false) || own.Versions[0].Origin.Type != registry.External || own.Versions[0].Origin.Entry != "public:toy" {
		t.Errorf("retained = %+v, %v", own, err)
	}
	if strings.Contains(w.list("app", "dep"), "error") {
		t.Errorf("the list is gone: %s", w.list("app", "dep"))
	}
}

func eventually(t *testing.T, ok func() bool, what func() string) {
	t.Helper()
	for range 300 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("never: %s", what())
}

// An outage never looks like a package that does not exist.
func TestOutage(t *testing.T) {
	w := newWorld(t)
	w.up.put("dep", map[string]string{"latest": "1.0.0"}, "1.0.0")
	w.up.put("two", nil, "1.0.0")
	fresh := w.list("app", "dep")
	w.up.down.Store(true)
	w.clock.move(time.Hour)
	want(t, "an old copy", w.list("app", "dep"), fresh+"STALE\n")
	want(t, "no copy", w.list("app", "two"), "error: unavailable")
	w.apply(repo("app", controls("mix", "ALLOW", "ALLOW")))
	w.mustPublish("app", "mix", "1.0.0", "x")
	want(t, "what there is", w.list("app", "mix"), "mix 1.0.0 a\nlatest=1.0.0\nPARTIAL\n")
	w.up.down.Store(false)
	w.svc = w.service() // another replica, whose circuit breaker is closed
	want(t, "afterwards", w.list("app", "dep"), fresh)
	want(t, "afterwards", w.list("app", "two"), "two 1.0.0 a,b\n")
}

// The first repository that has the version decides, whatever its status there (readings 1.5).
func TestStatusAcrossAChain(t *testing.T) {
	for _, tt := range []struct {
		status   registry.Status
		list     string
		read     string
		retained bool
	}{
		{registry.Published, "dep 1.0.0 a\nlatest=1.0.0\n", "nil", true},
		{registry.Unlisted, "error: not found", "nil", true},
		{registry.Archived, "error: not found", "blocked", false},
		{registry.Disposed, "error: not found", "not found", false},
	} {
		w := newWorld(t)
		w.mustPublish("mid", "dep", "1.0.0", "from mid")
		w.apply(repo("mid", controls("dep", "ALLOW", "ALLOW")))
		w.up.put("dep", nil, "1.0.0")
		if err := w.view("mid").Edit(t.Context(), formattest.ID("dep", "").Package, []format.Edit{{Version: "1.0.0", Status: tt.status}}); err != nil {
			t.Fatal(err)
		}
		want(t, string(tt.status)+" list", w.list("app", "dep"), tt.list)
		body, err := w.read("app", "dep", "1.0.0")
		want(t, string(tt.status)+" read", sentinel(err), tt.read)
		if err == nil && body != "from mid" {
			t.Errorf("%s: the bytes of another place: %.20q", tt.status, body)
		}
		if got := strings.HasPrefix(w.holds("dep"), "app: 1.0.0"); got != tt.retained {
			t.Errorf("%s: holds %s", tt.status, w.holds("dep"))
		}
		// A later change upstream does not touch what is retained.
		if tt.retained {
			if err := w.view("mid").Edit(t.Context(), formattest.ID("dep", "").Package, []format.Edit{{Version: "1.0.0", Status: registry.Archived}}); err != nil {
				t.Fatal(err)
			}
			if _, err := w.read("app", "dep", "1.0.0"); err != nil {
				t.Errorf("%s: retained version went with its source: %v", tt.status, err)
			}
		}
	}
}

// N misses at the same time cause one fetch (I6), and all get whole bodies.
func TestConcurrentMisses(t *testing.T) {
	w := newWorld(t)
	w.up.put("dep", nil, "1.0.0")
	gate := make(chan struct{})
	w.up.mu.Lock()
	w.up.hang = gate
	w.up.mu.Unlock()
	var wg sync.WaitGroup
	for i := range 12 {
		v := w.view([]string{"app", "mid", "store"}[i%3])
		wg.Go(func() {
			if body, err := readAsset(t.Context(), v, "dep", "1.0.0", "a"); err != nil || body != remoteContent("dep", "1.0.0", "a") {
				t.Errorf("read %d bytes: %v", len(body), err)
			}
		})
	}
	time.Sleep(100 * time.Millisecond)
	close(gate)
	wg.Wait()
	if n := w.up.asked("/files/dep/1.0.0/a"); n != 1 {
		t.Errorf("fetched %d times", n)
	}
	eventually(t, func() bool { return w.holds("dep") == "app: 1.0.0[AB]; mid: 1.0.0[AB]; store: 1.0.0[AB]" }, func() string { return w.holds("dep") })
}

// A client that goes away does not end the fetch of others, nor the retention.
func TestReaderLeaves(t *testing.T) {
	w := newWorld(t)
	w.up.put("dep", nil, "1.0.0")
	ctx, cancel := context.WithCancel(t.Context())
	a, err := w.view("app").Asset(ctx, formattest.ID("dep", "1.0.0"), "a", format.Open)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	_, _ = io.ReadAll(a.Body)
	if err := a.Body.Close(); err != nil {
		t.Error(err)
	}
	eventually(t, func() bool { return w.holds("dep") == "app: 1.0.0[AB]; store: 1.0.0[AB]" }, func() string { return w.holds("dep") })
}

// An upstream that lies gives no client a whole body and leaves nothing behind.
func TestLyingUpstream(t *testing.T) {
	w := newWorld(t)
	w.up.put("dep", nil, "1.0.0")
	w.up.mu.Lock()
	truth := w.up.files["/files/dep/1.0.0/a"]
	w.up.files["/files/dep/1.0.0/a"] = truth[:len(truth)-1] + "X"
	w.up.mu.Unlock()
	body, err := w.read("app", "dep", "1.0.0")
	if err == nil || len(body) >= len(truth) {
		t.Errorf("read %d of %d bytes: %v", len(body), len(truth), err)
	}
	want(t, "nothing is kept", w.holds("dep"), "")
	w.up.mu.Lock()
	w.up.files["/files/dep/1.0.0/a"] = truth
	w.up.mu.Unlock()
	if body, err := w.read("app", "dep", "1.0.0"); err != nil || body != truth {
		t.Errorf("afterwards: %d bytes, %v", len(body), err)
	}
}

// A format that grows finds files that no list names, also of versions that were retained before.
func TestGrowthAfterRetention(t *testing.T) {
	w := newWorld(t)
	w.up.put("dep", nil, "1.0.0")
	if _, err := w.read("app", "dep", "1.0.0"); err != nil {
		t.Fatal(err)
	}
	if body, err := readAsset(t.Context(), w.view("app"), "dep", "1.0.0", "extra"); err != nil || body != "extra of 1.0.0" {
		t.Errorf("read %q, %v", body, err)
	}
	eventually(t, func() bool { return w.holds("dep") == "app: 1.0.0[ABEXTRA]; store: 1.0.0[ABEXTRA]" }, func() string { return w.holds("dep") })
	_, err := readAsset(t.Context(), w.view("app"), "dep", "1.0.0", "nothing")
	want(t, "an unknown file", sentinel(err), registry.ErrNotFound.Error())
	_, err = w.publish("app", "dep", "1.0.0", "mine", "x")
	want(t, "published files do not mix with ingested", sentinel(err), registry.ErrBlocked.Error())
}

func TestUnfinished(t *testing.T) {
	w := newWorld(t)
	put := func(asset string, unfinished bool) error {
		return formattest.Put(t.Context(), w.view("app"), "pad", "1.0.0", asset, unfinished, strings.NewReader(asset))
	}
	if err := put("a", true); err != nil {
		t.Fatal(err)
	}
	want(t, "list", w.list("app", "pad"), "error: not found")
	_, err := w.read("app", "pad", "1.0.0")
	want(t, "read", sentinel(err), registry.ErrNotFound.Error())
	if err := put("b", true); err != nil {
		t.Fatal(err)
	}
	if err := put("c", false); err != nil {
		t.Fatal(err)
	}
	want(t, "finished", w.list("app", "pad"), "pad 1.0.0 a,b,c\nlatest=1.0.0\n")
}

func TestFindAndIndex(t *testing.T) {
	w := newWorld(t)
	w.mustPublish("app", "one", "1.0.0", "x")
	w.mustPublish("mid", "two", "1.0.0", "x")
	w.mustPublish("mid", "one", "2.0.0", "x")
	w.mustPublish("other", "three", "1.0.0", "x")
	index := func() string {
		doc, err := w.view("app").IndexDocument(t.Context(), "index", formattest.Index{})
		if err != nil {
			t.Fatal(err)
		}
		return string(doc.Body)
	}
	want(t, "index", index(), "one: 1.0.0\ntwo: 1.0.0\n") // "one" is app's own: upstream BLOCK
	w.mustPublish("mid", "two", "1.1.0", "x")
	want(t, "index after a publish", index(), "one: 1.0.0\ntwo: 1.0.0 1.1.0\n")
	if err := w.view("mid").Edit(t.Context(), formattest.ID("two", "").Package, []format.Edit{{Version: "1.0.0", Status: registry.Unlisted}, {Version: "1.1.0", Status: registry.Archived}}); err != nil {
		t.Fatal(err)
	}
	want(t, "index after archiving", index(), "one: 1.0.0\n")
	got, err := w.view("app").Find(t.Context(), "file", "a")
	if err != nil || len(got) != 2 || got[0] != formattest.ID("one", "1.0.0") || got[1] != formattest.ID("two", "1.0.0") {
		t.Errorf("found %v, %v", got, err)
	}
	var names []string
	for p, err := range w.view("app").Packages(t.Context(), format.Query{Text: "TOY o"}) {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, p.ID.Name)
	}
	if d := cmp.Diff([]string{"one", "two"}, names); d != "" {
		t.Error(d)
	}
}

func TestTags(t *testing.T) {
	w := newWorld(t)
	w.mustPublish("app", "dep", "9.0.0", "x")
	w.mustPublish("app", "dep", "9.1.0", "x")
	w.apply(repo("app", controls("dep", "ALLOW", "ALLOW")))
	w.up.put("dep", map[string]string{"latest": "1.0.0", "ghost": "7.7.7"}, "1.0.0")
	w.clock.move(time.Hour) // before the first publish it had none, and that is remembered for a while
	want(t, "the upstream's tag wins", w.list("app", "dep"), "dep 1.0.0 a,b\ndep 9.0.0 a\ndep 9.1.0 a\nlatest=1.0.0\n")
	shadowed, err := w.view("app").SetTags(t.Context(), formattest.ID("dep", "").Package, map[string]string{"latest": "9.0.0", "beta": "9.1.0"}, nil)
	if d := cmp.Diff([]string{"latest"}, shadowed); d != "" || err != nil {
		t.Errorf("%v %s", err, d)
	}
	want(t, "tags", w.list("app", "dep"), "dep 1.0.0 a,b\ndep 9.0.0 a\ndep 9.1.0 a\nbeta=9.1.0\nlatest=1.0.0\n")
	_, err = w.view("app").SetTags(t.Context(), formattest.ID("dep", "").Package, map[string]string{"x": "7.7.7"}, nil)
	want(t, "a tag of nothing", sentinel(err), registry.ErrNotFound.Error())
}

func TestEdit(t *testing.T) {
	w := newWorld(t)
	w.mustPublish("app", "pad", "1.0.0", "x")
	w.mustPublish("app", "pad", "2.0.0", "x")
	id := formattest.ID("pad", "").Package
	edit := func(e ...format.Edit) string { return sentinel(w.view("app").Edit(t.Context(), id, e)) }
	flags := func(s string) func([]byte) ([]byte, error) {
		return func([]byte) ([]byte, error) { return []byte(s), nil }
	}
	want(t, "flags", edit(format.Edit{Version: "1.0.0", Flags: flags(" yanked")}), "nil")
	want(t, "list", w.list("app", "pad"), "pad 1.0.0 a yanked\npad 2.0.0 a\nlatest=2.0.0\n")
	want(t, "all or none", edit(format.Edit{Version: "2.0.0", Status: registry.Archived}, format.Edit{Version: "3.0.0", Status: registry.Archived}), "not found")
	want(t, "list", w.list("app", "pad"), "pad 1.0.0 a yanked\npad 2.0.0 a\nlatest=2.0.0\n")
	want(t, "expected status", edit(format.Edit{Version: "1.0.0", Status: registry.Archived, IfStatus: registry.Unlisted}), registry.ErrStale.Error())
	want(t, "forbidden", edit(format.Edit{Version: "1.0.0", Status: registry.Unfinished}), registry.ErrConflict.Error())
	want(t, "unknown package", sentinel(w.view("other").Edit(t.Context(), id, []format.Edit{{Version: "1.0.0", Status: registry.Archived}})), "not found")
}
