package gc_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/blob"
	"packhouse.dev/packhouse/registry/blob/fs"
	"packhouse.dev/packhouse/registry/content"
	"packhouse.dev/packhouse/registry/gc"
	"packhouse.dev/packhouse/registry/metadata"
	"packhouse.dev/packhouse/registry/metadata/sql"
)

// world is a store with a domain of one repository.
type world struct {
	t      *testing.T
	store  *sql.Store
	blobs  *faulty
	keeper *content.Keeper
	gc     *gc.Collector
	domain metadata.DomainID
	repo   metadata.RepositoryID
	dir    string
}

// faulty is a blob store whose deletes can fail.
type faulty struct {
	blob.Store
	fail func(object string) error
}

func (f *faulty) Delete(ctx context.Context, object string) error {
	if f.fail != nil {
		if err := f.fail(object); err != nil {
			return err
		}
	}
	return f.Store.Delete(ctx, object)
}

func newWorld(t *testing.T, orphanAge time.Duration) *world {
	t.Helper()
	dir := t.TempDir()
	s, err := sql.OpenSQLite(t.Context(), filepath.Join(dir, "db"), sql.Options{})
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	files, err := fs.New(filepath.Join(dir, "blobs"))
	must(t, err)
	b := &faulty{Store: files}
	d, err := s.Declare(t.Context(), metadata.Declaration{
		Ref: ref, Holder: "h", Generation: 1, Body: []byte("{}"),
		Repositories: []metadata.DeclaredRepository{{Name: "r", Administrator: "h"}},
	})
	must(t, err)
	return &world{
		t: t, store: s, blobs: b, keeper: content.New(s, b, nil), domain: d.Domain.ID, repo: d.Repositories[0].ID, dir: dir,
		gc: gc.New(gc.Options{Store: s, Blobs: b, OrphanAge: orphanAge}),
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var ref = registry.DomainRef{Owner: "111122223333", Name: "d"}

var pkg = registry.PackageID{Format: "npm", Name: "p"}

// publish commits a version with the given content.
func (w *world) publish(version, text string) error {
	spool, err := blob.NewSpool(w.dir, 1<<20)
	if err != nil {
		return err
	}
	defer func() { must(w.t, spool.Close()) }()
	if _, err := spool.ReadFrom(strings.NewReader(text)); err != nil {
		return err
	}
	if err := spool.Finish(); err != nil {
		return err
	}
	_, err = w.keeper.Commit(w.t.Context(), w.domain, []content.Item{{Staged: spool}}, func(tx metadata.Tx, rows []metadata.BlobRow) error {
		p, _, err := tx.EnsurePackage(w.repo, pkg, "p", registry.OriginControls{}, metadata.ByArrival)
		if err != nil {
			return err
		}
		_, err = tx.InsertVersion(p.Row, metadata.NewVersion{Key: version, Status: registry.Published, Document: []byte(version), Assets: []metadata.NewAsset{
			{Name: "a", Blob: rows[0], Size: spool.Size(), Digests: spool.Digests()},
		}})
		return err
	})
	return err
}

func (w *world) version(version string) *metadata.Version {
	w.t.Helper()
	rows, err := w.store.Packages(w.t.Context(), []metadata.RepositoryID{w.repo}, pkg)
	must(w.t, err)
	got, err := w.store.Versions(w.t.Context(), []metadata.PackageRow{rows[0].Row}, []string{version})
	must(w.t, err)
	if len(got) != 1 {
		w.t.Fatalf("version %s is not there", version)
	}
	return got[0]
}

func (w *world) remove(version string) {
	w.t.Helper()
	v := w.version(version)
	_, err := w.store.Update(w.t.Context(), w.domain, func(tx metadata.Tx) error { return tx.DeleteVersion(v.Row) })
	must(w.t, err)
}

func (w *world) objects() int {
	w.t.Helper()
	n := 0
	must(w.t, w.blobs.Walk(w.t.Context(), func(blob.Info) error { n++; return nil }))
	return n
}

func TestOnce(t *testing.T) {
	w := newWorld(t, 0)
	must(t, w.publish("1", "kept"))
	must(t, w.publish("2", "dropped"))
	w.remove("2")
	if r, err := w.gc.Once(t.Context(), time.Hour); err != nil || r != (gc.Report{}) {
		t.Errorf("within the grace: %+v, %v", r, err)
	}
	if r, err := w.gc.Once(t.Context(), 0); err != nil || r != (gc.Report{Condemned: 1, Swept: 1, Deleted: 1}) {
		t.Errorf("without a grace: %+v, %v", r, err)
	}
	if w.objects() != 1 {
		t.Errorf("%d objects are left", w.objects())
	}
	body, err := w.keeper.Open(t.Context(), w.version("1").Files[0], 4)
	must(t, err)
	must(t, body.Close())
}

// An upload that never got its row is found when it is old enough, and never before.
func TestOrphans(t *testing.T) {
	w := newWorld(t, 50*time.Millisecond)
	must(t, w.publish("1", "kept"))
	must(t, w.blobs.Put(t.Context(), blob.NewObject("d1", "aabb"), 1, strings.NewReader("x")))
	if r, err := w.gc.Once(t.Context(), 0); err != nil || r.Orphans != 0 || w.objects() != 2 {
		t.Errorf("a young orphan: %+v, %v", r, err)
	}
	time.Sleep(100 * time.Millisecond)
	if r, err := w.gc.Once(t.Context(), 0); err != nil || r.Orphans != 1 || r.Deleted != 1 || w.objects() != 1 {
		t.Errorf("an old orphan: %+v, %v", r, err)
	}
}

// What cannot be deleted stays in the trash and holds up nothing else.
func TestFailingDeletes(t *testing.T) {
	w := newWorld(t, 0)
	for i := range 5 {
		must(t, w.publish(fmt.Sprint(i), fmt.Sprint(i)))
	}
	stuck := w.version("2").Files[0].Object
	for i := range 5 {
		w.remove(fmt.Sprint(i))
	}
	broken := errors.New("disk")
	w.blobs.fail = func(o string) error {
		if o == stuck {
			return broken
		}
		return nil
	}
	if r, err := w.gc.Once(t.Context(), 0); !errors.Is(err, broken) || r.Deleted != 4 || w.objects() != 1 {
		t.Errorf("%+v, %v; %d objects are left", r, err, w.objects())
	}
	w.blobs.fail = nil
	if r, err := w.gc.Once(t.Context(), 0); err != nil || r.Deleted != 1 || w.objects() != 0 {
		t.Errorf("afterwards %+v, %v; %d objects are left", r, err, w.objects())
	}
}

func TestOneAtATime(t *testing.T) {
	w := newWorld(t, 0)
	l, err := w.store.Acquire(t.Context(), "gc", time.Minute)
	must(t, err)
	if _, err := w.gc.Once(t.Context(), 0); !errors.Is(err, metadata.ErrHeld) {
		t.Errorf("beside another: %v", err)
	}
	must(t, w.store.Release(t.Context(), l))
	if _, err := w.gc.Once(t.Context(), 0); err != nil {
		t.Error(err)
	}
}

// declare puts a configuration with these repositories in force and returns their rows.
func (w *world) declare(repositories ...string) []metadata.Repository {
	w.t.Helper()
	decl := metadata.Declaration{Ref: ref, Holder: "h", Body: []byte(strings.Join(repositories, " "))}
	for _, r := range repositories {
		decl.Repositories = append(decl.Repositories, metadata.DeclaredRepository{Name: r, Administrator: "h"})
	}
	d, err := w.store.Declare(w.t.Context(), decl)
	must(w.t, err)
	w.domain = d.Domain.ID
	return d.Repositories
}

// A removed repository gives back what nobody else has; a new one of its name starts empty.
func TestRemovedRepository(t *testing.T) {
	w := newWorld(t, 0)
	rows := w.declare("r", "s")
	must(t, w.publish("1", "shared"))
	must(t, w.publish("2", "alone"))
	w.repo = rows[1].ID
	must(t, w.publish("1", "shared"))
	w.declare("s")
	must(t, w.store.Remove(t.Context(), metadata.Removal{Domain: ref, Repository: "r", Holder: "h"}))
	w.repo = w.declare("r", "s")[0].ID
	if rows, err := w.store.Packages(t.Context(), []metadata.RepositoryID{w.repo}, pkg); err != nil || len(rows) > 0 {
		t.Errorf("a new repository has %v, %v", rows, err)
	}
	must(t, w.publish("3", "new"))
	// Within the grace rows go and bytes stay: they may come again.
	if r, err := w.gc.Once(t.Context(), time.Hour); err != nil || r != (gc.Report{Cleared: 2}) || w.objects() != 3 {
		t.Errorf("within the grace: %+v, %v; %d objects", r, err, w.objects())
	}
	if r, err := w.gc.Once(t.Context(), 0); err != nil || r != (gc.Report{Condemned: 1, Swept: 1, Deleted: 1}) || w.objects() != 2 {
		t.Errorf("without a grace: %+v, %v; %d objects", r, err, w.objects())
	}
	for version, repository := range map[string]metadata.RepositoryID{"3": w.repo, "1": rows[1].ID} {
		w.repo = repository
		body, err := w.keeper.Open(t.Context(), w.version(version).Files[0], -1)
		must(t, err)
		must(t, body.Close())
	}
}

// A removed domain goes with all its bytes, in one collection without a grace; a domain of the same name that came since keeps its own.
func TestRemovedDomain(t *testing.T) {
	w := newWorld(t, 0)
	must(t, w.publish("1", "x"))
	must(t, w.publish("2", "y"))
	old := w.domain
	must(t, w.store.Undeclare(t.Context(), ref, 0, 0))
	must(t, w.store.Remove(t.Context(), metadata.Removal{Domain: ref, Holder: "h"}))
	w.repo = w.declare("r")[0].ID
	must(t, w.publish("1", "x"))
	if r, err := w.gc.Once(t.Context(), 0); err != nil || r != (gc.Report{Cleared: 2, Condemned: 2, Swept: 2, Deleted: 2}) || w.objects() != 1 {
		t.Errorf("%+v, %v; %d objects", r, err, w.objects())
	}
	body, err := w.keeper.Open(t.Context(), w.version("1").Files[0], 1)
	must(t, err)
	must(t, body.Close())
	if _, err := w.store.Update(t.Context(), old, func(tx metadata.Tx) error { return tx.Record(metadata.Change{}) }); err == nil {
		t.Error("the old domain's row is still there")
	}
	if r, err := w.gc.Once(t.Context(), 0); err != nil || r != (gc.Report{}) {
		t.Errorf("afterwards: %+v, %v", r, err)
	}
}

// broken is a store that cannot clear.
type broken struct{ *sql.Store }

var errBroken = errors.New("broken")

func (broken) Clear(context.Context) (int, error) { return 1, errBroken }

// What cannot be cleared holds up no other step.
func TestFailingClear(t *testing.T) {
	w := newWorld(t, 0)
	must(t, w.publish("1", "x"))
	w.remove("1")
	c := gc.New(gc.Options{Store: broken{w.store}, Blobs: w.blobs})
	if r, err := c.Once(t.Context(), time.Hour); !errors.Is(err, errBroken) || r.Cleared != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	if r, err := c.Once(t.Context(), 0); !errors.Is(err, errBroken) || r.Deleted != 1 || w.objects() != 0 {
		t.Errorf("%+v, %v; %d objects are left", r, err, w.objects())
	}
}

// Publishing goes on while everything unused is collected without any grace: nothing that was acknowledged loses its bytes.
func TestWhilePublishing(t *testing.T) {
	w := newWorld(t, 0)
	stop := make(chan struct{})
	var collector, publishers sync.WaitGroup
	collector.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				if _, err := w.gc.Once(t.Context(), 0); err != nil {
					t.Error(err)
					return
				}
			}
		}
	})
	for n := range 4 {
		publishers.Go(func() {
			for i := range 20 {
				version, text := fmt.Sprintf("%d.%d", n, i), fmt.Sprint(i%3)
				if err := w.publish(version, text); err != nil {
					t.Error(err)
					return
				}
				body, err := w.keeper.Open(t.Context(), w.version(version).Files[0], 1)
				if err != nil {
					t.Errorf("version %s lost its bytes: %v", version, err)
					return
				}
				must(t, body.Close())
				w.remove(version)
			}
		})
	}
	publishers.Wait()
	close(stop)
	collector.Wait()
	if _, err := w.gc.Once(t.Context(), 0); err != nil || w.objects() != 0 {
		t.Errorf("%d objects are left: %v", w.objects(), err)
	}
}
