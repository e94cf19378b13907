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
	PutSecret(ctx context.Context, name string, sealed []byte) error
}

// sealingKey reads the key at path, or makes one for a database that has none. Another key than the database's is refused and never
// replaced: what was sealed with the old one could not be read again.
func sealingKey(ctx context.Context, path string, db secrets) ([]byte, error) {
	known, err := db.Secret(ctx, keyCheck)
	if err != nil {
		return nil, fmt.Errorf("sealing key: %w", err)
	}
	key, err := readKey(path)
	if errors.Is(err, fs.ErrNotExist) && known == nil {
		key, err = makeKey(path)
	}
	if err != nil {
		return nil, fmt.Errorf("sealing key: %w", err)
	}
	check, err := auth.Derive(key, "packhouse sealing key check 1", 32)
	if err != nil {
		return nil, fmt.Errorf("sealing key %s: %w", path, err)
	}
	if known == nil {
		return key, db.PutSecret(ctx, keyCheck, check)
	}
	if subtle.ConstantTimeCompare(known, check) != 1 {
		return nil, fmt.Errorf("sealing key %s is not the one that this database was made with; bring the right one back", path)
	}
	return key, nil
}

func readKey(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s can be read by others (mode %04o); run: chmod 600 %s", path, info.Mode().Perm(), path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	key, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(text)))
	if err != nil {
		return nil, fmt.Errorf("%s is damaged", path)
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
