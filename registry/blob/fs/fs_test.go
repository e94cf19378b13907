package fs_test

import (
	"os"
	"path/filepath"
	"testing"

	"packhouse.dev/packhouse/registry/blob"
	"packhouse.dev/packhouse/registry/blob/blobtest"
	"packhouse.dev/packhouse/registry/blob/fs"
)

func TestStore(t *testing.T) {
	blobtest.Run(t, func(t *testing.T) blob.Store {
		s, err := fs.New(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

// What a crash leaves behind is gone after the next start.
func TestLeftovers(t *testing.T) {
	root := t.TempDir()
	if _, err := fs.New(root); err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(root, "tmp", "put-1")
	if err := os.WriteFile(left, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := fs.New(root); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", left, err)
	}
}
