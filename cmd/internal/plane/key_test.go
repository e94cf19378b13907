package plane

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

type memory map[string][]byte

func (m memory) Secret(_ context.Context, name string) ([]byte, error) { return m[name], nil }

func (m memory) KeepSecret(_ context.Context, name string, v []byte) ([]byte, error) {
	if m[name] == nil {
		m[name] = v
	}
	return m[name], nil
}

// late is a database that gets another key's check right after it was asked.
type late struct{ memory }

func (late) Secret(context.Context, string) ([]byte, error) { return nil, nil }

func sealingKey(ctx context.Context, path string, db secrets) ([]byte, error) {
	return keyFile{path: path}.read(ctx, db)
}

func TestSealingKey(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sealing.key")
	db := memory{}
	key, err := sealingKey(t.Context(), path, db)
	if err != nil || len(key) != 32 {
		t.Fatal(key, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if again, err := sealingKey(t.Context(), path, db); err != nil || !bytes.Equal(again, key) {
		t.Errorf("the second time: %v", err)
	}
	if bytes.Contains(db[keyCheck], key) || bytes.Equal(db[keyCheck], key) {
		t.Error("the database has the key")
	}
	other := filepath.Join(t.TempDir(), "sealing.key")
	if _, err := sealingKey(t.Context(), other, memory{}); err != nil {
		t.Fatal(err)
	}
	if _, err := sealingKey(t.Context(), other, db); err == nil || !strings.Contains(err.Error(), "not the one") {
		t.Errorf("another key: %v", err)
	}
	if _, err := sealingKey(t.Context(), filepath.Join(t.TempDir(), "gone"), db); err == nil {
		t.Error("a lost key was replaced")
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := sealingKey(t.Context(), path, db); err == nil || !strings.Contains(err.Error(), "mode 600") {
		t.Errorf("a key that others can read: %v", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sealingKey(t.Context(), other, late{db}); err == nil || !strings.Contains(err.Error(), "not the one") {
		t.Errorf("another key that started at the same time: %v", err)
	}
	for name, text := range map[string]string{"damaged": "?", "short": "c2hvcnQ=", "empty": ""} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := sealingKey(t.Context(), path, memory{}); err == nil {
			t.Errorf("a %s key was taken", name)
		}
	}
}

// A key that somebody else makes is never made here, and may be readable by a group.
func TestGivenSealingKey(t *testing.T) {
	t.Parallel()
	f := keyFile{path: filepath.Join(t.TempDir(), "sealing.key"), given: true}
	db := memory{}
	if _, err := f.read(t.Context(), db); !errors.Is(err, fs.ErrNotExist) || len(db) > 0 {
		t.Errorf("a key that is not there yet: %v", err)
	}
	key := bytes.Repeat([]byte("k"), 32)
	if err := WriteFile(f.path, []byte(base64.StdEncoding.EncodeToString(key))); err != nil {
		t.Fatal(err)
	}
	for mode, ok := range map[fs.FileMode]bool{0o400: true, 0o440: true, 0o600: true, 0o640: true, 0o644: false, 0o660: false} {
		if err := os.Chmod(f.path, mode); err != nil {
			t.Fatal(err)
		}
		if got, err := f.read(t.Context(), db); (err == nil) != ok || ok && !bytes.Equal(got, key) {
			t.Errorf("mode %04o: %v", mode, err)
		}
	}
	if _, err := sealingKey(t.Context(), filepath.Join(t.TempDir(), "sealing.key"), db); err == nil {
		t.Error("a key in the data directory took the place of the given one")
	}
}

func TestWriteFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	for _, text := range []string{"one", "two"} {
		if err := WriteFile(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); string(got) != text || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	}
	if entries, err := os.ReadDir(dir); len(entries) != 1 || err != nil {
		t.Errorf("left behind: %v, %v", entries, err)
	}
	if err := WriteFile(filepath.Join(dir, "nowhere", "file"), nil); err == nil {
		t.Error("written into no folder")
	}
}
