package content_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/blob"
	"packhouse.dev/packhouse/registry/blob/fs"
	"packhouse.dev/packhouse/registry/content"
	"packhouse.dev/packhouse/registry/metadata"
	"packhouse.dev/packhouse/registry/metadata/sql"
)

var errBroken = errors.New("broken")

// store counts what a Keeper asks of metadata, and fails on demand.
type store struct {
	*sql.Store
	before    func() error // of Update, in place of the transaction
	after     func() error // of Update, when it is committed
	discarded []string
}

func (s *store) Update(ctx context.Context, d metadata.DomainID, fn func(metadata.Tx) error) (int64, error) {
	if s.before != nil {
		if err := s.before(); err != nil {
			return 0, err
		}
	}
	n, err := s.Store.Update(ctx, d, fn)
	if err == nil && s.after != nil {
		err = s.after()
	}
	return n, err
}

func (s *store) Discard(ctx context.Context, objects []string) (int, error) {
	s.discarded = append(s.discarded, objects...)
	return s.Store.Discard(ctx, objects)
}

// blobs is a store whose writes can fail and whose objects can be looked at.
type blobs struct {
	blob.Store
	fail func() error
	puts atomic.Int64
}

func (b *blobs) Put(ctx context.Context, object string, size int64, r io.Reader) error {
	b.puts.Add(1)
	if b.fail != nil {
		if err := b.fail(); err != nil {
			return err
		}
	}
	return b.Store.Put(ctx, object, size, r)
}

type world struct {
	t       *testing.T
	dir     string
	store   *store
	blobs   *blobs
	keeper  *content.Keeper
	domain  metadata.DomainID
	another metadata.DomainID
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir()}
	db, err := sql.OpenSQLite(t.Context(), filepath.Join(w.dir, "db"), sql.Options{})
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	files, err := fs.New(filepath.Join(w.dir, "blobs"))
	must(t, err)
	w.store, w.blobs = &store{Store: db}, &blobs{Store: files}
	w.keeper = content.New(w.store, w.blobs, nil)
	w.domain, w.another = w.declare("d"), w.declare("e")
	return w
}

func (w *world) declare(name string) metadata.DomainID {
	w.t.Helper()
	d, err := w.store.Declare(w.t.Context(), metadata.Declaration{
		Ref: registry.DomainRef{Owner: "111122223333", Name: name}, Holder: "h", Generation: 1, Body: []byte("{}"),
		Repositories: []metadata.DeclaredRepository{{Name: "r", Administrator: "h"}},
	})
	must(w.t, err)
	return d.Domain.ID
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// item is a finished upload.
func (w *world) item(text string) content.Item {
	w.t.Helper()
	s, err := blob.NewSpool(w.dir, 1<<20)
	must(w.t, err)
	w.t.Cleanup(func() { must(w.t, s.Close()) })
	_, err = s.ReadFrom(strings.NewReader(text))
	must(w.t, err)
	must(w.t, s.Finish())
	return content.Item{Staged: s}
}

func nothing(metadata.Tx, []metadata.BlobRow) error { return nil }

func (w *world) read(d metadata.DomainID, it content.Item) string {
	w.t.Helper()
	row, err := w.store.Blob(w.t.Context(), d, it.Staged.Digests().SHA256)
	must(w.t, err)
	if row == nil {
		w.t.Fatal("no row for the bytes")
	}
	r, err := w.keeper.Open(w.t.Context(), metadata.File{Object: row.Object}, it.Staged.Size())
	must(w.t, err)
	got, err := io.ReadAll(r)
	must(w.t, errors.Join(err, r.Close()))
	return string(got)
}

func (w *world) objects() int {
	w.t.Helper()
	n := 0
	must(w.t, w.blobs.Walk(w.t.Context(), func(blob.Info) error { n++; return nil }))
	return n
}

func TestTheSameBytesAreStoredOnceInADomain(t *testing.T) {
	w := newWorld(t)
	a, b, again := w.item("one"), w.item("two"), w.item("one")
	var rows []metadata.BlobRow
	_, err := w.keeper.Commit(t.Context(), w.domain, []content.Item{a, b, again}, func(_ metadata.Tx, got []metadata.BlobRow) error {
		rows = got
		return nil
	})
	must(t, err)
	if rows[0] != rows[2] || rows[0] == rows[1] {
		t.Errorf("rows %v: the first and the third have the same bytes", rows)
	}
	_, err = w.keeper.Commit(t.Context(), w.domain, []content.Item{w.item("two")}, nothing)
	must(t, err)
	if n := w.objects(); n != 2 {
		t.Errorf("%d objects, want 2", n)
	}
	if got := w.read(w.domain, again); got != "one" {
		t.Errorf("read %q", got)
	}
	// Another domain is another tenant: it must not even learn that the bytes are known.
	_, err = w.keeper.Commit(t.Context(), w.another, []content.Item{w.item("one")}, nothing)
	must(t, err)
	if n := w.objects(); n != 3 {
		t.Errorf("%d objects, want 3: domains share none", n)
	}
}

func TestWhatAFailureLeaves(t *testing.T) {
	tests := map[string]struct {
		arrange   func(*world)
		fn        func(metadata.Tx, []metadata.BlobRow) error
		discarded int
		known     bool // the bytes have a row all the same
	}{
		"the transaction refuses": {
			fn: func(metadata.Tx, []metadata.BlobRow) error { return errBroken }, discarded: 1,
		},
		"the database is away": {
			arrange: func(w *world) { w.store.before = func() error { return errBroken } }, discarded: 1,
		},
		"the database goes away while it commits": {
			arrange: func(w *world) { w.store.after = func() error { return errBroken } }, known: true,
		},
		"the store is full": {
			arrange: func(w *world) { w.blobs.fail = func() error { return errBroken } }, discarded: 1,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			// A file that only lies in memory cannot be taken over: it is written.
			it := content.Item{Staged: inMemory{w.item("bytes").Staged}}
			if tc.arrange != nil {
				tc.arrange(w)
			}
			if tc.fn == nil {
				tc.fn = nothing
			}
			if _, err := w.keeper.Commit(t.Context(), w.domain, []content.Item{it}, tc.fn); !errors.Is(err, errBroken) {
				t.Fatalf("error %v, want %v", err, errBroken)
			}
			if len(w.store.discarded) != tc.discarded {
				t.Errorf("given to collection: %v, want %d", w.store.discarded, tc.discarded)
			}
			row, err := w.store.Blob(t.Context(), w.domain, it.Staged.Digests().SHA256)
			must(t, err)
			if (row != nil) != tc.known {
				t.Errorf("row %v", row)
			}
			w.store.before, w.store.after, w.blobs.fail = nil, nil, nil
			_, err = w.keeper.Commit(t.Context(), w.domain, []content.Item{it}, nothing)
			must(t, err)
			if got := w.read(w.domain, it); got != "bytes" {
				t.Errorf("afterwards %q", got)
			}
		})
	}
}

// inMemory hides that a file lies on the disk.
type inMemory struct{ content.Staged }

func TestBytesThatAreCollectedMeanwhileAreStoredAgain(t *testing.T) {
	w := newWorld(t)
	it := w.item("bytes")
	gone := 0
	w.store.before = func() error {
		if gone++; gone < 3 {
			return metadata.ErrBlobGone
		}
		return nil
	}
	_, err := w.keeper.Commit(t.Context(), w.domain, []content.Item{it}, nothing)
	must(t, err)
	if got := w.read(w.domain, it); got != "bytes" {
		t.Errorf("read %q", got)
	}
	gone = -1000
	w.store.before = func() error { return metadata.ErrBlobGone }
	if _, err := w.keeper.Commit(t.Context(), w.domain, []content.Item{it}, nothing); !errors.Is(err, registry.ErrUnavailable) {
		t.Errorf("error %v, want unavailable after bounded tries", err)
	}
}

func TestOpenNeverGivesOtherBytes(t *testing.T) {
	w := newWorld(t)
	it := w.item("some bytes")
	_, err := w.keeper.Commit(t.Context(), w.domain, []content.Item{it}, nothing)
	must(t, err)
	row, err := w.store.Blob(t.Context(), w.domain, it.Staged.Digests().SHA256)
	must(t, err)
	if _, err := w.keeper.Open(t.Context(), metadata.File{}, 10); !errors.Is(err, registry.ErrUnavailable) {
		t.Errorf("no object: %v", err)
	}
	if _, err := w.keeper.Open(t.Context(), metadata.File{Object: "d1/00/absent"}, 10); !errors.Is(err, registry.ErrUnavailable) || errors.Is(err, registry.ErrNotFound) {
		t.Errorf("object that is not there: %v", err)
	}
	must(t, filepath.Walk(filepath.Join(w.dir, "blobs"), func(path string, i os.FileInfo, err error) error {
		if err == nil && i.Mode().IsRegular() && i.Size() == it.Staged.Size() {
			err = errors.Join(os.Chmod(path, 0o600), os.Truncate(path, 4))
		}
		return err
	}))
	_, err = w.keeper.Open(t.Context(), metadata.File{Object: row.Object}, it.Staged.Size())
	if diff := cmp.Diff([]bool{true, true}, []bool{errors.Is(err, registry.ErrUnavailable), errors.Is(err, blob.ErrDamaged)}); diff != "" {
		t.Errorf("cut off bytes: %v", err)
	}
}
