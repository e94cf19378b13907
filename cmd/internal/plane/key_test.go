package plane

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

type memory map[string][]byte

func (m memory) Secret(_ context.Context, name string) ([]byte, error) { return m[name], nil }

func (m memory) PutSecret(_ context.Context, name string, v []byte) error { m[name] = v; return nil }

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
	if _, err := sealingKey(t.Context(), path, db); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a key that others can read: %v", err)
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
