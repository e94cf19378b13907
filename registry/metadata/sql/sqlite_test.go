package sql_test

import (
	"path/filepath"
	"strings"
	"testing"

	"packhouse.dev/packhouse/registry/metadata"
	"packhouse.dev/packhouse/registry/metadata/metadatatest"
	"packhouse.dev/packhouse/registry/metadata/sql"
)

func openSQLite(t *testing.T) metadata.Store {
	t.Helper()
	s, err := sql.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "db"), sql.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestSQLite(t *testing.T) { metadatatest.Run(t, openSQLite) }

func TestSQLiteBelongsToOneProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	s, err := sql.OpenSQLite(t.Context(), path, sql.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sql.OpenSQLite(t.Context(), path, sql.Options{}); err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("opened twice: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, err = sql.OpenSQLite(t.Context(), path, sql.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// A warm read passes the barrier without SQL, and without allocating.
func TestSQLiteBarrierAllocatesNothing(t *testing.T) {
	s := openSQLite(t)
	ctx := t.Context()
	if n := testing.AllocsPerRun(100, func() {
		if err := s.Barrier(ctx, 1); err != nil {
			t.Error(err)
		}
	}); n > 0 {
		t.Errorf("Barrier allocates %v times", n)
	}
}
