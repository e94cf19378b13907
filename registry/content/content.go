// Package content keeps the order of writes: the bytes of a file are durable in the blob store before a row says that they are there,
// and no bytes are stored twice in a domain.
package content

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/blob"
	"packhouse.dev/packhouse/registry/metadata"
)

// Bounds of a commit.
const (
	tries      = 8 // a blob may be collected between being seen and being referred to
	concurrent = 4 // uploads of one commit at the same time

	// Longest is how long it may take from the first byte of an upload to its row. Later the row is refused, because collection takes
	// an object that has been without one for long for left over.
	Longest = 2 * time.Hour
)

// Store is what a Keeper needs of package metadata.
type Store interface {
	Blob(ctx context.Context, d metadata.DomainID, sha256 string) (*metadata.Blob, error)
	Update(ctx context.Context, d metadata.DomainID, fn func(metadata.Tx) error) (change int64, err error)
	Discard(ctx context.Context, objects []string) (int, error)
}

// Staged is a file before it belongs to anything: all bytes are there and the digests are known.
type Staged interface {
	io.ReaderAt
	Size() int64
	Digests() registry.Digests
}

// Item is one file of a commit.
type Item struct{ Staged Staged }

// Keeper commits and opens the bytes of assets. It is safe for concurrent use.
type Keeper struct {
	store Store
	blobs blob.Store
	log   *slog.Logger
}

// New returns a Keeper. logger may be nil.
func New(store Store, blobs blob.Store, logger *slog.Logger) *Keeper {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return &Keeper{store: store, blobs: blobs, log: logger}
}

// upload is an item with the place of its bytes.
type upload struct {
	Item
	object string // "": a row was seen for the bytes
	same   int    // index of an earlier item with the same bytes, or its own
}

// Commit makes the bytes of all items durable and runs fn in one transaction with their rows, in the order of items. fn may run more
// than once. When it fails, its error is returned and nothing is written but bytes that collection finds.
func (k *Keeper) Commit(ctx context.Context, d metadata.DomainID, items []Item, fn func(metadata.Tx, []metadata.BlobRow) error) (int64, error) {
	for range tries {
		change, err := k.try(ctx, d, items, fn)
		if !errors.Is(err, metadata.ErrBlobGone) {
			return change, err
		}
	}
	return 0, fmt.Errorf("%w: stored bytes were collected %d times in a row", registry.ErrUnavailable, tries)
}

func (k *Keeper) try(ctx context.Context, d metadata.DomainID, items []Item, fn func(metadata.Tx, []metadata.BlobRow) error) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, Longest)
	defer cancel()
	uploads, err := k.put(ctx, d, items)
	if err != nil {
		k.discard(ctx, uploads)
		return 0, err
	}
	asked := false // to commit
	change, err := k.store.Update(ctx, d, func(tx metadata.Tx) error {
		asked = false
		rows, err := blobRows(tx, uploads)
		if err != nil {
			return err
		}
		if err := fn(tx, rows); err != nil {
			return err
		}
		asked = true
		return nil
	})
	if err != nil && !asked {
		k.discard(ctx, uploads)
	}
	// Else a database that has gone away may still be committing rows that nobody sees yet. The objects are left alone: collection's
	// own walk finds them, much later, if there are no rows then.
	return change, err
}

func blobRows(tx metadata.Tx, uploads []upload) ([]metadata.BlobRow, error) {
	rows := make([]metadata.BlobRow, len(uploads))
	for i, u := range uploads {
		if u.same != i {
			rows[i] = rows[u.same]
			continue
		}
		row, err := tx.Blob(metadata.NewBlob{Digests: u.Staged.Digests(), Size: u.Staged.Size(), Object: u.object})
		if err != nil {
			return nil, err
		}
		rows[i] = row
	}
	return rows, nil
}

// put stores the bytes that the domain does not have yet. What it returns with an error is to be discarded.
func (k *Keeper) put(ctx context.Context, d metadata.DomainID, items []Item) ([]upload, error) {
	uploads := make([]upload, len(items))
	first := map[string]int{}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(concurrent)
	for i, it := range items {
		uploads[i] = upload{Item: it, same: i}
		sum := it.Staged.Digests().SHA256
		if sum == "" {
			return uploads, errors.Join(fmt.Errorf("item %d has no digest: its file is not finished", i), g.Wait())
		}
		if at, again := first[sum]; again {
			uploads[i].same = at
			continue
		}
		first[sum] = i
		g.Go(func() error {
			known, err := k.store.Blob(ctx, d, sum)
			if err != nil || known != nil {
				return err
			}
			uploads[i].object = blob.NewObject(fmt.Sprintf("d%d", d), sum) // before storing, so that a half success is discarded too
			if err := k.save(ctx, uploads[i].object, it.Staged); err != nil {
				return fmt.Errorf("%w: store bytes: %w", registry.ErrUnavailable, err)
			}
			return nil
		})
	}
	return uploads, g.Wait()
}

// save stores a file under a fresh name, without copying where the store can take it over.
func (k *Keeper) save(ctx context.Context, object string, f Staged) error {
	adopter, adopts := k.blobs.(blob.Adopter)
	lying, lies := f.(interface{ Path() string })
	if adopts && lies {
		err := adopter.Adopt(ctx, object, f.Size(), lying.Path())
		if !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	}
	return k.blobs.Put(ctx, object, f.Size(), io.NewSectionReader(f, 0, f.Size()))
}

// discard gives objects that no row names to collection. What it cannot give is found by collection's own walk.
func (k *Keeper) discard(ctx context.Context, uploads []upload) {
	var objects []string
	for _, u := range uploads {
		if u.object != "" {
			objects = append(objects, u.object)
		}
	}
	if len(objects) == 0 {
		return
	}
	if _, err := k.store.Discard(context.WithoutCancel(ctx), objects); err != nil {
		k.log.WarnContext(ctx, "unused objects are left for collection", "count", len(objects), "error", err)
	}
}

// Open opens stored bytes of an asset. size is what its row says; -1: not known. Bytes that are not there, or not all, are
// registry.ErrUnavailable: a row says that they exist, so it is our fault and never "not found". Where a store does not know the
// length beforehand, the reader fails at its end instead of ending.
func (k *Keeper) Open(ctx context.Context, f metadata.File, size int64) (io.ReadCloser, error) {
	if f.Object == "" {
		return nil, fmt.Errorf("%w: the file was not stored", registry.ErrUnavailable)
	}
	r, err := k.blobs.Open(ctx, f.Object, 0)
	if err != nil {
		if ctx.Err() == nil {
			k.log.ErrorContext(ctx, "stored bytes cannot be opened", "object", f.Object, "error", err)
		}
		return nil, fmt.Errorf("%w: stored bytes: %w", registry.ErrUnavailable, err)
	}
	if size < 0 {
		return r, nil
	}
	st, ok := r.(io.Seeker)
	if !ok {
		return blob.Verify(r, size, ""), nil
	}
	if got, err := length(st); err != nil || got != size {
		k.log.ErrorContext(ctx, "stored bytes are damaged", "object", f.Object, "size", got, "want", size, "error", err)
		return nil, errors.Join(fmt.Errorf("%w: %w: another length", registry.ErrUnavailable, blob.ErrDamaged), err, r.Close())
	}
	return r, nil
}

func length(s io.Seeker) (int64, error) {
	n, err := s.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, err
	}
	_, err = s.Seek(0, io.SeekStart)
	return n, err
}
