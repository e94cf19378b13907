package sql_test

import (
	"context"
	dbsql "database/sql"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/metadata"
	"packhouse.dev/packhouse/registry/metadata/sql"
)

// TestNothingIsLeft removes a domain with something in every table and looks into the tables: what a statement forgets would stay for
// ever, or keep the domain's row.
func TestNothingIsLeft(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "db")
		s, err := sql.OpenSQLite(t.Context(), path, sql.Options{})
		if err != nil {
			t.Fatal(err)
		}
		removeAll(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		nothingLeft(t, "sqlite", path)
	})
	t.Run("postgres", func(t *testing.T) {
		dsn := database(t)
		removeAll(t, openPostgres(t, dsn))
		nothingLeft(t, "pgx", dsn)
	})
}

func removeAll(t *testing.T, s *sql.Store) {
	t.Helper()
	ctx, soon := t.Context(), time.Now().Add(time.Hour)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ref := registry.DomainRef{Owner: "111122223333", Name: "d"}
	d, err := s.Declare(ctx, metadata.Declaration{
		Ref: ref, Holder: "h", Body: []byte("{}"), Repositories: []metadata.DeclaredRepository{{Name: "r", Administrator: "h"}, {Name: "s", Administrator: "h"}},
	})
	must(err)
	repository, id := d.Repositories[0].ID, registry.PackageID{Format: "npm", Name: "p"}
	_, err = s.Update(ctx, d.Domain.ID, func(tx metadata.Tx) error {
		blob, err := tx.Blob(metadata.NewBlob{Digests: registry.Digests{SHA256: "aa"}, Object: "o"})
		if err != nil {
			return err
		}
		if _, err := tx.PutUpstream(metadata.Upstream{Connection: "c", Key: "k", Blob: blob}); err != nil {
			return err
		}
		p, _, err := tx.EnsurePackage(repository, id, "p", registry.OriginControls{}, metadata.ByArrival)
		if err != nil {
			return err
		}
		if _, err := tx.InsertVersion(p.Row, metadata.NewVersion{
			Key: "1", Status: registry.Published, Document: []byte("{}"), Assets: []metadata.NewAsset{{Name: "a", Blob: blob}}, Lookups: []metadata.Lookup{{Kind: "k", Key: "k"}},
		}); err != nil {
			return err
		}
		return tx.SetTags(p.Row, map[string]string{"latest": "1"}, nil)
	})
	must(err)
	must(s.PutDerived(ctx, repository, "npm", "k", []metadata.Derived{{Key: "k", Inputs: []byte("i")}}))
	must(s.Revoke(ctx, metadata.Revocation{Domain: d.Domain.ID, Kind: "token", ExpiresAt: soon}))
	must(s.Undeclare(ctx, ref, 0, 0))
	must(s.Remove(ctx, metadata.Removal{Domain: ref, Holder: "h"}))
	for range 2 {
		_, err := s.Clear(ctx)
		must(err)
		_, err = s.Condemn(ctx, soon)
		must(err)
		_, err = s.Sweep(ctx, soon)
		must(err)
	}
	must(s.Forget(ctx, []string{"o"}))
}

func nothingLeft(t *testing.T, driver, dsn string) {
	t.Helper()
	db, err := dbsql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for table, where := range map[string]string{
		"domain": "id <> 0", "change": "domain_id <> 0", // the registry's own stay
		"config": "", "repository": "", "package": "", "document": "", "version": "", "blob": "", "asset": "", "lookup": "", "tag": "",
		"upstream": "", "derived": "", "lease": "", "revocation": "", "secret": "", "trash": "",
	} {
		if where == "" {
			where = "1 = 1"
		}
		var n int
		if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM "+table+" WHERE "+where).Scan(&n); err != nil || n != 0 {
			t.Errorf("%d rows are left in table %s, %v", n, table, err)
		}
	}
}

// TestClearGoesOn stops Clear in each of its transactions, as the end of a process does; the next one goes on.
func TestClearGoesOn(t *testing.T) {
	var transactions, last int
	var stop context.CancelFunc
	path := filepath.Join(t.TempDir(), "db")
	s, err := sql.OpenSQLite(t.Context(), path, sql.Options{Now: func() time.Time {
		if transactions++; transactions == last && stop != nil {
			stop()
		}
		return time.Now()
	}})
	if err != nil {
		t.Fatal(err)
	}
	ref := registry.DomainRef{Owner: "111122223333", Name: "d"}
	d, err := s.Declare(t.Context(), metadata.Declaration{Ref: ref, Holder: "h", Body: []byte("{}"), Repositories: []metadata.DeclaredRepository{{Name: "r"}}})
	if err != nil {
		t.Fatal(err)
	}
	const versions = 1300
	_, err = s.Update(t.Context(), d.Domain.ID, func(tx metadata.Tx) error {
		p, _, err := tx.EnsurePackage(d.Repositories[0].ID, registry.PackageID{Format: "npm", Name: "p"}, "p", registry.OriginControls{}, metadata.ByArrival)
		for i := 0; i < versions && err == nil; i++ {
			_, err = tx.InsertVersion(p.Row, metadata.NewVersion{Key: strconv.Itoa(i)})
		}
		return err
	})
	if err == nil {
		err = s.Undeclare(t.Context(), ref, 0, 0)
	}
	if err == nil {
		err = s.Remove(t.Context(), metadata.Removal{Domain: ref, Holder: "h"})
	}
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for last = 1; ; last++ {
		var ctx context.Context
		ctx, stop = context.WithCancel(t.Context())
		transactions = 0
		n, err := s.Clear(ctx)
		stopped := ctx.Err() != nil
		stop()
		if total += n; err == nil && !stopped {
			break
		}
		if last > 100 {
			t.Fatalf("it does not come to an end: %v", err)
		}
	}
	if total != versions || last < 5 {
		t.Errorf("%d versions in %d rounds", total, last)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	nothingLeft(t, "sqlite", path)
}
