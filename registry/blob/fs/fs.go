// Package fs keeps blobs as files of a directory on one machine.
//
// An object is written to a file of its own below tmp/, synced, linked under its name below objects/, and the folder is synced: an
// object is there whole and durably, or not at all. What a crash leaves in tmp/ is removed when the store is opened.
package fs

import (
	"context"
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"os"
	"path/filepath"

	"packhouse.dev/packhouse/registry/blob"
)

// Store implements blob.Store. One process opens a directory at a time.
type Store struct {
	objects, tmp string
}

var _ blob.Store = (*Store)(nil)

// New opens or makes a store in root.
func New(root string) (*Store, error) {
	s := &Store{objects: filepath.Join(root, "objects"), tmp: filepath.Join(root, "tmp")}
	if err := os.RemoveAll(s.tmp); err != nil {
		return nil, fmt.Errorf("blob store: %w", err)
	}
	for _, dir := range []string{s.objects, s.tmp} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("blob store: %w", err)
		}
	}
	return s, syncDir(root)
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
func (s *Store) Put(ctx context.Context, object string, size int64, r io.Reader) (err error) {
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
	defer func() {
		if e := os.Remove(f.Name()); e != nil && err == nil {
			err = fmt.Errorf("object %s: %w", object, e)
		}
	}()
	if err := write(ctx, f, size, r); err != nil {
		return fmt.Errorf("object %s: %w", object, errors.Join(err, f.Close()))
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("object %s: %w", object, err)
	}
	if err := s.makeFolder(filepath.Dir(path)); err != nil {
		return fmt.Errorf("object %s: %w", object, err)
	}
	if err := os.Link(f.Name(), path); err != nil { // unlike a rename it never replaces
		return translate(object, err)
	}
	return syncDir(filepath.Dir(path))
}

func write(ctx context.Context, f *os.File, size int64, r io.Reader) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	n, err := io.CopyBuffer(struct{ io.Writer }{f}, io.LimitReader(r, size+1), make([]byte, 128<<10))
	if err != nil {
		return err
	}
	if n != size {
		return fmt.Errorf("%w: %d bytes or more, not %d", io.ErrUnexpectedEOF, n, size)
	}
	if err := f.Chmod(0o400); err != nil {
		return err
	}
	return f.Sync()
}

// makeFolder makes dir below objects, durably.
func (s *Store) makeFolder(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	parent := filepath.Dir(dir)
	if parent != s.objects {
		if err := s.makeFolder(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, iofs.ErrExist) {
		return err
	}
	return syncDir(parent) // also when somebody else has just made it, and is not done yet
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
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

// Walk implements blob.Store.
func (s *Store) Walk(ctx context.Context, fn func(blob.Info) error) error {
	return filepath.WalkDir(s.objects, func(path string, d iofs.DirEntry, err error) error {
		switch {
		case errors.Is(err, iofs.ErrNotExist): // deleted meanwhile
			return nil
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case d.IsDir():
			return nil
		}
		fi, err := d.Info()
		if errors.Is(err, iofs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(s.objects, path)
		if err != nil {
			return err
		}
		return fn(blob.Info{Object: filepath.ToSlash(rel), Size: fi.Size(), Created: fi.ModTime()})
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
