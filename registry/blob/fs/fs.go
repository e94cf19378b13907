// Package fs keeps blobs as files of a directory on one machine.
//
// An object is written to a file of its own below tmp/, synced, linked under its name below objects/, and the folder is synced: an
// object is there whole and durably, or not at all. What a crash leaves in tmp/ is removed when the store is opened. Files below
// objects/ whose names are not those of objects are nobody's business: they are neither walked nor deleted.
package fs

import (
	"context"
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"packhouse.dev/packhouse/registry/blob"
)

// Store implements blob.Store and blob.Adopter. One process opens a directory at a time.
type Store struct {
	objects, tmp string
	durable      sync.Map // folders below objects that survive a power cut: made, and their parent synced, by this Store

	// What can fail late; tests replace them.
	sync func(*os.File) error
	link func(from, to string) error
}

var (
	_ blob.Store   = (*Store)(nil)
	_ blob.Adopter = (*Store)(nil)
)

// New opens or makes a store in root.
func New(root string) (*Store, error) {
	s := &Store{objects: filepath.Join(root, "objects"), tmp: filepath.Join(root, "tmp"), sync: (*os.File).Sync, link: os.Link}
	if err := os.RemoveAll(s.tmp); err != nil {
		return nil, fmt.Errorf("blob store: %w", err)
	}
	for _, dir := range []string{s.objects, s.tmp} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("blob store: %w", err)
		}
	}
	for _, dir := range []string{root, filepath.Dir(root)} { // the second for root itself
		if err := s.syncDir(dir); err != nil {
			return nil, fmt.Errorf("blob store: %w", err)
		}
	}
	return s, nil
}

func (s *Store) path(object string) (string, error) {
	if err := blob.CheckObject(object); err != nil {
		return "", err
	}
	return filepath.Join(s.objects, filepath.FromSlash(object)), nil
}

// Stat implements blob.Store.
func (s *Store) Stat(_ context.Context, object string) (blob.Info, error) {
	path, err := s.path(object)
	if err != nil {
		return blob.Info{}, err
	}
	fi, err := os.Stat(path)
	if err != nil {
		return blob.Info{}, translate(object, err)
	}
	return blob.Info{Object: object, Size: fi.Size(), Created: fi.ModTime()}, nil
}

// Open implements blob.Store. The reader is an *os.File.
func (s *Store) Open(_ context.Context, object string, offset int64) (io.ReadCloser, error) {
	path, err := s.path(object)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, translate(object, err)
	}
	if offset > 0 {
		if _, err := f.Seek(offset, io.SeekStart); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	return f, nil
}

// Put implements blob.Store.
func (s *Store) Put(ctx context.Context, object string, size int64, r io.Reader) error {
	path, err := s.path(object)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("object %s: %w", object, blob.ErrExist)
	}
	f, err := os.CreateTemp(s.tmp, "put-*")
	if err != nil {
		return fmt.Errorf("object %s: %w", object, err)
	}
	defer func() { _ = os.Remove(f.Name()) }() // the bytes have another name by then; what stays in tmp is removed at the next start
	if err := s.write(ctx, f, size, r); err != nil {
		return fmt.Errorf("object %s: %w", object, errors.Join(err, f.Close()))
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("object %s: %w", object, err)
	}
	return s.publish(object, f.Name(), path)
}

func (s *Store) write(ctx context.Context, f *os.File, size int64, r io.Reader) error {
	n, err := io.CopyBuffer(struct{ io.Writer }{f}, io.LimitReader(reader{ctx, r}, size+1), make([]byte, 128<<10))
	if err != nil {
		return err
	}
	if n != size {
		return fmt.Errorf("%w: %d bytes or more, not %d", io.ErrUnexpectedEOF, n, size)
	}
	if err := f.Chmod(0o400); err != nil {
		return err
	}
	return s.sync(f)
}

// reader ends a long copy with its context.
type reader struct {
	ctx context.Context //nolint:containedctx // lives as long as one call
	r   io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// Adopt implements blob.Adopter by a second link to the file, so nothing is copied. errors.ErrUnsupported if the file is on another
// file system.
func (s *Store) Adopt(ctx context.Context, object string, size int64, file string) error {
	path, err := s.path(object)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.settle(file, size); err != nil {
		return fmt.Errorf("object %s: adopt: %w", object, err)
	}
	return s.publish(object, file, path)
}

// settle makes a file that others wrote what Put would have written.
func (s *Store) settle(file string, size int64) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	if !fi.Mode().IsRegular() || fi.Size() != size {
		return fmt.Errorf("%w: %d bytes, not %d", io.ErrUnexpectedEOF, fi.Size(), size)
	}
	if err := f.Chmod(0o400); err != nil {
		return err
	}
	now := time.Now() // when the object was made, which may be long after the file was written
	if err := os.Chtimes(file, now, now); err != nil {
		return err
	}
	return s.sync(f)
}

// publish gives a file that is durable its name as an object, durably, or leaves nothing under it.
func (s *Store) publish(object, file, path string) error {
	dir := filepath.Dir(path)
	if err := s.makeFolder(dir); err != nil {
		return fmt.Errorf("object %s: %w", object, err)
	}
	if err := s.link(file, path); err != nil { // unlike a rename it never replaces
		if errors.Is(err, syscall.EXDEV) {
			err = errors.Join(errors.ErrUnsupported, err)
		}
		return translate(object, err)
	}
	if err := s.syncDir(dir); err != nil {
		return fmt.Errorf("object %s: %w", object, errors.Join(err, os.Remove(path)))
	}
	return nil
}

// makeFolder makes dir below objects, durably. That a folder is there does not say that it survives a power cut: whoever made it may
// not be done yet, or may have been killed before.
func (s *Store) makeFolder(dir string) error {
	if _, ok := s.durable.Load(dir); ok || dir == s.objects {
		return nil
	}
	parent := filepath.Dir(dir)
	if err := s.makeFolder(parent); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, iofs.ErrExist) {
		return err
	}
	if err := s.syncDir(parent); err != nil {
		return err
	}
	s.durable.Store(dir, nil)
	return nil
}

func (s *Store) syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(s.sync(d), d.Close())
}

// Delete implements blob.Store.
func (s *Store) Delete(_ context.Context, object string) error {
	path, err := s.path(object)
	if err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, iofs.ErrNotExist) {
		return fmt.Errorf("object %s: %w", object, err)
	}
	return nil
}

// Walk implements blob.Store. Files that are not objects are left out.
func (s *Store) Walk(ctx context.Context, fn func(blob.Info) error) error {
	return filepath.WalkDir(s.objects, func(path string, d iofs.DirEntry, err error) error {
		switch {
		case errors.Is(err, iofs.ErrNotExist): // deleted meanwhile
			return nil
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case !d.Type().IsRegular():
			return nil
		}
		rel, err := filepath.Rel(s.objects, path)
		if err != nil {
			return err
		}
		object := filepath.ToSlash(rel)
		if blob.CheckObject(object) != nil {
			return nil
		}
		fi, err := d.Info()
		if errors.Is(err, iofs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		return fn(blob.Info{Object: object, Size: fi.Size(), Created: fi.ModTime()})
	})
}

func translate(object string, err error) error {
	switch {
	case errors.Is(err, iofs.ErrNotExist):
		return fmt.Errorf("object %s: %w", object, blob.ErrNotExist)
	case errors.Is(err, iofs.ErrExist):
		return fmt.Errorf("object %s: %w", object, blob.ErrExist)
	}
	return fmt.Errorf("object %s: %w", object, err)
}
