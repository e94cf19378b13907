package plane

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"packhouse.dev/packhouse/registry/auth"
)

// keyCheck is the name under which the database remembers which sealing key is its own, by a value derived from it.
const keyCheck = "sealing-key/check"

type secrets interface {
	Secret(ctx context.Context, name string) ([]byte, error)
	KeepSecret(ctx context.Context, name string, sealed []byte) (kept []byte, err error)
}

// keyFile is where the sealing key is.
type keyFile struct {
	path string
	// given: somebody else makes it, like a Secret that is mounted. It is never made here, and a group may read it, because that is
	// how a volume lets the user of a container read.
	given bool
}

// read returns the key at the path, or makes one for a database that has none. Another key than the database's is refused and never
// replaced: what was sealed with the old one could not be read again.
func (f keyFile) read(ctx context.Context, db secrets) ([]byte, error) {
	known, err := db.Secret(ctx, keyCheck)
	if err != nil {
		return nil, fmt.Errorf("sealing key: %w", err)
	}
	key, err := f.load()
	if errors.Is(err, fs.ErrNotExist) && known == nil && !f.given {
		key, err = makeKey(f.path)
	}
	if err != nil {
		return nil, fmt.Errorf("sealing key: %w", err)
	}
	check, err := auth.Derive(key, "packhouse sealing key check 1", 32)
	if err != nil {
		return nil, fmt.Errorf("sealing key %s: %w", f.path, err)
	}
	if known == nil {
		// Of two replicas with different keys that start at once the first one has the database.
		if known, err = db.KeepSecret(ctx, keyCheck, check); err != nil {
			return nil, fmt.Errorf("sealing key: %w", err)
		}
	}
	if subtle.ConstantTimeCompare(known, check) != 1 {
		return nil, fmt.Errorf("sealing key %s is not the one that this database was made with; bring the right one back", f.path)
	}
	return key, nil
}

func (f keyFile) load() ([]byte, error) {
	info, err := os.Stat(f.path)
	if err != nil {
		return nil, err
	}
	others, mode := fs.FileMode(0o077), "600"
	if f.given {
		others, mode = 0o027, "440"
	}
	if info.Mode().Perm()&others != 0 {
		return nil, fmt.Errorf("%s can be read or written by others (mode %04o); it should have mode %s", f.path, info.Mode().Perm(), mode)
	}
	text, err := os.ReadFile(f.path)
	if err != nil {
		return nil, err
	}
	key, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(text)))
	if err != nil {
		return nil, fmt.Errorf("%s is damaged: it should be base64", f.path)
	}
	return key, nil
}

// makeKey writes a random key durably; a file that is half written never has the name.
func makeKey(path string) ([]byte, error) {
	key := make([]byte, auth.MinSealingKey)
	if _, err := rand.Read(key); err != nil {
		return nil, err
	}
	return key, WriteFile(path, []byte(base64.StdEncoding.EncodeToString(key)+"\n"))
}
