package repository_test

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
	"packhouse.dev/packhouse/registry/format/formattest"
	"packhouse.dev/packhouse/registry/repository"
)

// Whoever may do nothing reaches neither the store nor an upstream, by any way through the door.
func TestDeniedTouchesNothing(t *testing.T) {
	w := newWorld(t)
	w.mustPublish("app", "pad", "1.0.0", "x")
	w.up.put("dep", nil, "1.0.0")
	v := open(t, w.svc, "app", stranger)
	ctx, id := t.Context(), formattest.ID("pad", "1.0.0")
	dep := formattest.ID("dep", "1.0.0")
	ways := map[string]func() error{
		"Document":      func() error { _, err := v.Document(ctx, dep.Package, "list", formattest.RenderList); return err },
		"Package":       func() error { _, err := v.Package(ctx, dep.Package); return err },
		"Asset":         func() error { _, err := v.Asset(ctx, dep, "a", format.Open); return err },
		"Stat":          func() error { _, err := v.Asset(ctx, id, "a", format.Stat); return err },
		"Find":          func() error { _, err := v.Find(ctx, "file", "a"); return err },
		"Own":           func() error { _, err := v.Own(ctx, id.Package); return err },
		"Packages":      func() error { return first(v.Packages(ctx, format.Query{})) },
		"IndexDocument": func() error { _, err := v.IndexDocument(ctx, "index", formattest.Index{}); return err },
		"External":      func() error { _, err := v.External(ctx, []registry.PackageID{dep.Package}); return err },
		"Forward":       func() error { _, err := v.Forward(ctx, format.PassThrough{Kind: "audit"}); return err },
		"Stage":         func() error { _, err := v.Stage(ctx, id.Package, strings.NewReader("x")); return err },
		"Stage without a name": func() error {
			_, err := v.Stage(ctx, registry.PackageID{}, strings.NewReader("x"))
			return err
		},
		"Publish": func() error {
			_, err := v.Publish(ctx, format.Publication{ID: id, Assets: []format.NewAsset{}})
			return err
		},
		"Edit status": func() error {
			return v.Edit(ctx, id.Package, []format.Edit{{Version: "1.0.0", Status: registry.Archived}})
		},
		"Edit flags": func() error {
			return v.Edit(ctx, id.Package, []format.Edit{{Version: "1.0.0", Flags: func(b []byte) ([]byte, error) { return b, nil }}})
		},
		"SetTags": func() error { _, err := v.SetTags(ctx, id.Package, map[string]string{"x": "1.0.0"}, nil); return err },
		"Delete":  func() error { return v.Delete(ctx, id) },
	}
	w.store.reads.Store(0)
	w.store.writes.Store(0)
	asked := w.up.asked("")
	for name, way := range ways {
		err := way()
		var denied *repository.DeniedError
		if !errors.As(err, &denied) || !errors.Is(err, registry.ErrAccessDenied) {
			t.Errorf("%s = %v, want a denial", name, err)
		}
		if err != nil && !strings.HasPrefix(err.Error(), "User: "+stranger.ARN+" is not authorized to perform: codeartifact:") {
			t.Errorf("%s says %q", name, err)
		}
		if r, wr, up := w.store.reads.Load(), w.store.writes.Load(), w.up.asked(""); r+wr > 0 || up != asked {
			t.Errorf("%s caused %d reads, %d writes and %d requests", name, r, wr, up-asked)
		}
	}
}

func first[T any](seq func(func(T, error) bool)) (err error) {
	for _, err = range seq {
		break
	}
	return err
}

// Without any permission, an unknown repository and a known one look alike.
func TestUnknownRepository(t *testing.T) {
	w := newWorld(t)
	d, err := w.svc.Enter(t.Context(), domain)
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.Open(t.Context(), repository.Request{Repository: "unknown", Format: "toy", Principal: stranger})
	want(t, "stranger", sentinel(err), registry.ErrAccessDenied.Error())
	_, err = d.Open(t.Context(), repository.Request{Repository: "unknown", Format: "toy", Principal: root})
	want(t, "owner", sentinel(err), registry.ErrNotFound.Error())
	if _, err := w.svc.Enter(t.Context(), registry.DomainRef{Owner: account, Name: "unknown"}); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("unknown domain: %v", err)
	}
}

// A warm read costs no SQL, no log line and few allocations (design, 6).
func TestWarmReadBudget(t *testing.T) {
	w := newWorld(t)
	w.mustPublish("app", "pad", "1.0.0", strings.Repeat("x", 1000))
	ctx, id := t.Context(), formattest.ID("pad", "1.0.0")
	v := w.view("app")
	read := func() {
		if _, err := v.Document(ctx, id.Package, "list", formattest.RenderList); err != nil {
			t.Fatal(err)
		}
	}
	stat := func() {
		if _, err := v.Asset(ctx, id, "a", format.Stat); err != nil {
			t.Fatal(err)
		}
	}
	read()
	if a, err := v.Asset(ctx, id, "a", format.Open); err != nil {
		t.Fatal(err)
	} else if err := a.Body.Close(); err != nil {
		t.Fatal(err)
	}
	w.store.reads.Store(0)
	logged := len(w.log.String())
	if n := testing.AllocsPerRun(200, read); n > 3 {
		t.Errorf("a document costs %v allocations", n)
	}
	if n := testing.AllocsPerRun(200, stat); n > 6 {
		t.Errorf("an asset costs %v allocations", n)
	}
	if n := w.store.reads.Load(); n > 0 {
		t.Errorf("%d statements", n)
	}
	if got := w.log.String()[logged:]; got != "" {
		t.Errorf("logged: %s", got)
	}
}

// What one Service acknowledged, another one over the same store obeys at its next request.
func TestTwoServices(t *testing.T) {
	w := newWorld(t)
	b := w.service()
	read := func() string {
		got, err := list(t, open(t, b, "app", root), "pad")
		if err != nil {
			return sentinel(err)
		}
		return got
	}
	want(t, "before", read(), "not found")
	w.mustPublish("app", "pad", "1.0.0", "x")
	want(t, "published", read(), "pad 1.0.0 a\nlatest=1.0.0\n")
	if _, err := readAsset(t.Context(), open(t, b, "app", root), "pad", "1.0.0", "a"); err != nil {
		t.Fatal(err)
	}
	id := formattest.ID("pad", "").Package
	if err := w.view("app").Edit(t.Context(), id, []format.Edit{{Version: "1.0.0", Status: registry.Archived}}); err != nil {
		t.Fatal(err)
	}
	want(t, "archived", read(), "not found")
	_, err := readAsset(t.Context(), open(t, b, "app", root), "pad", "1.0.0", "a")
	want(t, "archived asset", sentinel(err), registry.ErrBlocked.Error())
	w.apply(repo("app", controls("new", "BLOCK", "")))
	_, err = formattest.Publish(t.Context(), open(t, b, "app", root), "new", "1.0.0", "a", false, strings.NewReader("x"))
	want(t, "blocked by configuration", sentinel(err), registry.ErrBlocked.Error())
}

// Reads that run while versions are published never show less than what was acknowledged before they began.
func TestReadYourWrites(t *testing.T) {
	w := newWorld(t)
	b := w.service()
	var published atomic.Int64
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range 3 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				floor := published.Load()
				got, err := list(t, open(t, b, "app", root), "pad")
				if floor > 0 && (err != nil || int64(strings.Count(got, " a\n")) < floor) {
					t.Errorf("a read that began after %d publishes shows %q, %v", floor, got, err)
					return
				}
			}
		})
	}
	for i := range 40 {
		w.mustPublish("app", "pad", time.Duration(i).String(), "x")
		published.Add(1)
	}
	close(stop)
	wg.Wait()
}

// A format that mixes up identities reaches nothing of another format.
func TestForeignIdentities(t *testing.T) {
	w := newWorld(t)
	v := w.view("app")
	for _, id := range []registry.PackageID{{}, {Format: "toy"}, {Format: "npm", Name: "x"}, {Format: "toy", Name: "a\x00b"}} {
		if _, err := v.Document(t.Context(), id, "list", formattest.RenderList); !errors.Is(err, registry.ErrInvalid) {
			t.Errorf("Document of %q = %v", id, err)
		}
		if _, err := v.Publish(t.Context(), format.Publication{ID: registry.VersionID{Package: id, Version: "1"}}); !errors.Is(err, registry.ErrInvalid) {
			t.Errorf("Publish of %q = %v", id, err)
		}
	}
}
