package plane

import (
	"errors"
	"os"
	"path/filepath"
)

// WriteFile replaces a file, readable by its owner only, durably and at once: whoever reads it sees the old or the new content.
func WriteFile(path string, data []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil //nolint:nilerr // the file is there; a directory that cannot be opened cannot be synced
	}
	defer dir.Close()
	_ = dir.Sync() // not every file system can; the content has been synced
	return nil
}
