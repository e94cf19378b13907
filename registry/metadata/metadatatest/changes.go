package metadatatest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/metadata"
)

// Followers see every change, in order, before it is acknowledged.
func testChanges(t *testing.T, f *fixture) {
	must(t, f.Barrier(t.Context(), f.domain))
	var mu sync.Mutex
	var told []int64
	f.Follow(func(d metadata.DomainID, changes []metadata.Change) {
		mu.Lock()
		defer mu.Unlock()
		if d == f.domain && changes == nil {
			t.Error("changes were lost")
		}
		for _, c := range changes {
			if c.Package != pkg || c.Repository != f.repos[0] || string(c.Event) != "event" {
				t.Errorf("change %+v", c)
			}
			told = append(told, c.Number)
		}
	})
	change := func() (int64, error) {
		return f.Update(t.Context(), f.domain, func(tx metadata.Tx) error {
			if _, _, err := tx.EnsurePackage(f.repos[0], pkg, "x", published, metadata.ByArrival); err != nil {
				return err
			}
			return tx.Record(metadata.Change{Kind: metadata.PackageChanged, Repository: f.repos[0], Package: pkg, Event: []byte("event")})
		})
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 10 {
				n, err := change()
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				if !slices.Contains(told, n) {
					t.Errorf("change %d was acknowledged before it was told", n)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if !slices.IsSorted(told) || len(told) != 80 {
		t.Errorf("%d changes told: %v", len(told), told)
	}
	if n, err := f.Update(t.Context(), f.domain, func(metadata.Tx) error { return nil }); err != nil || n != 0 {
		t.Errorf("an update without changes = %d, %v", n, err)
	}
}

func testRevisions(t *testing.T, f *fixture) {
	var last int64
	for i := range 3 {
		must(t, f.put(t.Context(), f.repos[0], pkg, fmt.Sprint(i), "x"))
		p := f.row(t, f.repos[0], pkg)
		if p.Revision <= last {
			t.Errorf("revision %d after %d", p.Revision, last)
		}
		last = p.Revision
	}
	f.update(t, func(tx metadata.Tx) error { return tx.DeletePackage(f.mustRow(tx, f.repos[0])) })
	must(t, f.put(t.Context(), f.repos[0], pkg, "1", "x"))
	if p := f.row(t, f.repos[0], pkg); p.Revision <= last {
		t.Errorf("revision %d of a package that came again, after %d", p.Revision, last)
	}
}

func testBlobs(t *testing.T, f *fixture) {
	first, second := newBlob("x"), newBlob("x")
	var r1, r2 metadata.BlobRow
	f.update(t, func(tx metadata.Tx) (err error) { r1, err = tx.Blob(first); return err })
	f.update(t, func(tx metadata.Tx) (err error) { r2, err = tx.Blob(second); return err })
	got, err := f.Blob(t.Context(), f.domain, digests("x").SHA256)
	if err != nil || r1 != r2 || got == nil || got.Object != first.Object || got.Digests != first.Digests || got.Row != r1 {
		t.Errorf("rows %d %d; blob %+v, %v", r1, r2, got, err)
	}
	if trash, err := f.Trash(t.Context(), 10); err != nil || !slices.Equal(trash, []string{second.Object}) {
		t.Errorf("trash = %v, %v; want the object that lost", trash, err)
	}
	gone := newBlob("never stored")
	gone.Object = ""
	if _, err := f.Update(t.Context(), f.domain, func(tx metadata.Tx) error { _, err := tx.Blob(gone); return err }); !errors.Is(err, metadata.ErrBlobGone) {
		t.Errorf("a row that is not there: %v", err)
	}
	if got, err := f.Blob(t.Context(), f.domain, digests("never stored").SHA256); got != nil || err != nil {
		t.Errorf("unknown blob = %+v, %v", got, err)
	}
}

func soon() time.Time { return time.Now().Add(time.Hour) }

func testCollection(t *testing.T, f *fixture) {
	must(t, f.put(t.Context(), f.repos[0], pkg, "1.0.0", "kept"))
	must(t, f.put(t.Context(), f.repos[0], pkg, "2.0.0", "dropped"))
	v := f.versions(t, f.repos[0], pkg)
	if n, err := f.Condemn(t.Context(), soon()); err != nil || n != 0 {
		t.Errorf("condemned %d of what is in use: %v", n, err)
	}
	f.update(t, func(tx metadata.Tx) error { return tx.DeleteVersion(v["2.0.0"].Row) })
	if n, err := f.Condemn(t.Context(), time.Now().Add(-time.Hour)); err != nil || n != 0 {
		t.Errorf("condemned %d within the grace: %v", n, err)
	}
	if n, err := f.Condemn(t.Context(), soon()); err != nil || n != 1 {
		t.Errorf("condemned %d, want 1: %v", n, err)
	}
	if b, err := f.Blob(t.Context(), f.domain, digests("dropped").SHA256); b != nil || err != nil {
		t.Errorf("a condemned blob is offered: %+v, %v", b, err)
	}
	// A publish takes it back.
	again := newBlob("dropped")
	again.Object = ""
	f.update(t, func(tx metadata.Tx) error { _, err := tx.Blob(again); return err })
	if n, err := f.Sweep(t.Context(), soon()); err != nil || n != 0 {
		t.Errorf("swept %d of what was taken back: %v", n, err)
	}
	if n, err := f.Condemn(t.Context(), soon()); err != nil || n != 1 {
		t.Errorf("condemned %d, want 1: %v", n, err)
	}
	if n, err := f.Sweep(t.Context(), soon()); err != nil || n != 1 {
		t.Errorf("swept %d, want 1: %v", n, err)
	}
	trash, err := f.Trash(t.Context(), 10)
	if err != nil || !slices.Equal(trash, []string{v["2.0.0"].Files[0].Object}) {
		t.Errorf("trash = %v, %v", trash, err)
	}
	must(t, f.Forget(t.Context(), trash))
	if trash, err := f.Trash(t.Context(), 10); err != nil || len(trash) != 0 {
		t.Errorf("trash = %v, %v", trash, err)
	}
	if got := f.versions(t, f.repos[0], pkg)["1.0.0"]; !got.Assets[0].Stored || string(got.Document) == "" {
		t.Errorf("what is in use = %+v", got)
	}
}

func testDiscard(t *testing.T, f *fixture) {
	must(t, f.put(t.Context(), f.repos[0], pkg, "1.0.0", "x"))
	used := f.versions(t, f.repos[0], pkg)["1.0.0"].Files[0].Object
	if n, err := f.Discard(t.Context(), []string{used, "d/unused"}); err != nil || n != 1 {
		t.Errorf("discarded %d: %v", n, err)
	}
	if trash, err := f.Trash(t.Context(), 10); err != nil || !slices.Equal(trash, []string{"d/unused"}) {
		t.Errorf("trash = %v, %v", trash, err)
	}
}

func testTrim(t *testing.T, f *fixture) {
	must(t, f.put(t.Context(), f.repos[0], pkg, "1.0.0", "x"))
	must(t, f.Revoke(t.Context(), metadata.Revocation{Domain: f.domain, Kind: "token", Value: "v", IssuedBefore: time.Now(), ExpiresAt: time.Now()}))
	must(t, f.TrimChanges(t.Context(), soon()))
	if got, err := f.Revocations(t.Context(), f.domain); err != nil || len(got) != 0 {
		t.Errorf("revocations = %v, %v", got, err)
	}
	must(t, f.Barrier(t.Context(), f.domain))
	must(t, f.put(t.Context(), f.repos[0], pkg, "2.0.0", "x"))
}

// Of many first arrivals one decides, and all see what it decided.
func testFirstArrival(t *testing.T, f *fixture) {
	for round := range 5 {
		id := registry.PackageID{Format: "npm", Name: fmt.Sprintf("p%d", round)}
		var created atomic.Int32
		controls := make([]registry.OriginControls, 8)
		var wg sync.WaitGroup
		for i := range controls {
			wg.Go(func() {
				want := registry.DefaultControls(registry.Arrival(i%2), false)
				_, err := f.Update(t.Context(), f.domain, func(tx metadata.Tx) error {
					p, first, err := tx.EnsurePackage(f.repos[0], id, "x", want, metadata.ByArrival)
					if err != nil {
						return err
					}
					if controls[i] = p.Controls; first {
						created.Add(1)
					}
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if created.Load() < 1 || len(slices.Compact(controls)) != 1 || f.row(t, f.repos[0], id).Controls != controls[0] {
			t.Errorf("%d created; controls %v", created.Load(), controls)
		}
	}
}

func testConcurrentVersions(t *testing.T, f *fixture) {
	var won atomic.Int32
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			err := f.put(t.Context(), f.repos[0], pkg, "1.0.0", fmt.Sprint(i))
			switch {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, registry.ErrAlreadyExists):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("%d publishes won", won.Load())
	}
}

func testClosed(t *testing.T, f *fixture) {
	must(t, f.Close())
	must(t, f.Close())
	for name, err := range map[string]error{
		"Update":   f.put(t.Context(), f.repos[0], pkg, "1.0.0", "x"),
		"Barrier":  f.Barrier(t.Context(), f.domain),
		"Packages": func() error { _, err := f.Packages(t.Context(), f.repos, pkg); return err }(),
	} {
		if !errors.Is(err, registry.ErrUnavailable) {
			t.Errorf("%s on a closed store = %v", name, err)
		}
	}
}
