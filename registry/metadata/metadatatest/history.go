package metadatatest

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/metadata"
)

// testCollectWhilePublishing collects without any grace while few contents are published and deleted again and again: foreign keys
// alone keep what is referred to.
func testCollectWhilePublishing(t *testing.T, f *fixture) {
	stored := sync.Map{} // object → nothing, as a blob store would have it
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if err := collect(t, f, &stored); err != nil {
				t.Error(err)
				return
			}
		}
	})
	var publishers sync.WaitGroup
	for w := range 4 {
		publishers.Go(func() {
			for i := range 25 {
				if err := publishAndCheck(t, f, &stored, fmt.Sprintf("%d.%d.0", w, i), fmt.Sprint(i%3)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	publishers.Wait()
	close(stop)
	wg.Wait()
}

func collect(t *testing.T, f *fixture, stored *sync.Map) error {
	if _, err := f.Clear(t.Context()); err != nil {
		return err
	}
	if _, err := f.Condemn(t.Context(), soon()); err != nil {
		return err
	}
	if _, err := f.Sweep(t.Context(), soon()); err != nil {
		return err
	}
	trash, err := f.Trash(t.Context(), 1000)
	if err != nil || len(trash) == 0 {
		return err
	}
	for _, o := range trash {
		stored.Delete(o)
	}
	return f.Forget(t.Context(), trash)
}

// publishAndCheck publishes like the data plane does, looks that the bytes are there, and deletes the version.
func publishAndCheck(t *testing.T, f *fixture, stored *sync.Map, version, content string) error {
	for range 50 {
		b := newBlob(content)
		seen, err := f.Blob(t.Context(), f.domain, b.Digests.SHA256)
		if err != nil {
			return err
		}
		if seen != nil {
			b.Object = ""
		} else {
			stored.Store(b.Object, true)
		}
		_, err = f.Update(t.Context(), f.domain, func(tx metadata.Tx) error {
			row, err := tx.Blob(b)
			if err != nil {
				return err
			}
			p, _, err := tx.EnsurePackage(f.repos[0], pkg, "x", published, metadata.ByArrival)
			if err != nil {
				return err
			}
			_, err = tx.InsertVersion(p.Row, newVersion(version, metadata.NewAsset{Name: "a", Blob: row, Size: 1, Digests: b.Digests}))
			return err
		})
		if errors.Is(err, metadata.ErrBlobGone) {
			continue
		}
		if err != nil {
			return err
		}
		v := f.versions(t, f.repos[0], pkg)[version]
		if v == nil || !v.Assets[0].Stored {
			return fmt.Errorf("version %s is not there: %+v", version, v)
		}
		if _, there := stored.Load(v.Files[0].Object); !there {
			return fmt.Errorf("version %s lost its bytes %s", version, v.Files[0].Object)
		}
		_, err = f.Update(t.Context(), f.domain, func(tx metadata.Tx) error { return tx.DeleteVersion(v.Row) })
		return err
	}
	return errors.New("bytes were collected fifty times in a row")
}

// model is what a store should hold: by repository and version, the content, and its status.
type model map[string]modelVersion

type modelVersion struct {
	content string
	status  registry.Status
}

// testHistory does random things and compares with the model after each.
func testHistory(t *testing.T, f *fixture) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	m := model{}
	generation := int64(1)
	for step := range 200 {
		r, key := rng.IntN(len(f.repos)), fmt.Sprintf("%d.0.0", rng.IntN(4))
		at := fmt.Sprintf("%d %s", r, key)
		old, exists := m[at]
		var row *metadata.Version
		if exists {
			row = f.versions(t, f.repos[r], pkg)[key]
		}
		switch rng.IntN(6) {
		case 0:
			content := fmt.Sprint(rng.IntN(3))
			err := f.put(t.Context(), f.repos[r], pkg, key, content)
			if exists != errors.Is(err, registry.ErrAlreadyExists) {
				t.Fatalf("step %d: publish %s = %v", step, at, err)
			}
			if !exists {
				m[at] = modelVersion{content, registry.Published}
			}
		case 1:
			if exists {
				f.update(t, func(tx metadata.Tx) error { return tx.DeleteVersion(row.Row) })
				delete(m, at)
			}
		case 2:
			if exists && old.status != registry.Disposed {
				status := []registry.Status{registry.Published, registry.Unlisted, registry.Archived, registry.Disposed}[rng.IntN(4)]
				f.update(t, func(tx metadata.Tx) error { return tx.UpdateVersion(row.Row, metadata.VersionUpdate{Status: &status}) })
				m[at] = modelVersion{old.content, status}
			}
		case 3:
			to := rng.IntN(len(f.repos))
			there := fmt.Sprintf("%d %s", to, key)
			if _, taken := m[there]; exists && to != r {
				var retained bool
				f.update(t, func(tx metadata.Tx) error {
					p, _, err := tx.EnsurePackage(f.repos[to], pkg, "x", published, metadata.ByArrival)
					if err != nil {
						return err
					}
					_, retained, err = tx.Retain(row.Row, p.Row)
					return err
				})
				if want := !taken && old.status.Served(); retained != want {
					t.Fatalf("step %d: retain %s into %s = %v, want %v", step, at, there, retained, want)
				}
				if retained {
					m[there] = old
				}
			}
		case 4:
			var none sync.Map
			must(t, collect(t, f, &none))
		case 5:
			removed := rng.IntN(2) == 0
			f.declareAgain(t, &generation, r, removed)
			for at := range m {
				if removed && strings.HasPrefix(at, fmt.Sprint(r)) {
					delete(m, at)
				}
			}
		}
		compare(t, f, m, step)
	}
}

// declareAgain detaches a repository and declares it again; in between it may be removed, and then it is another one.
func (f *fixture) declareAgain(t *testing.T, generation *int64, r int, removed bool) {
	t.Helper()
	names := []string{"a", "b", "c"}
	*generation += 2
	_, err := f.Declare(t.Context(), f.declaration(*generation-1, slices.Delete(slices.Clone(names), r, r+1)...))
	must(t, err)
	if removed {
		must(t, f.Remove(t.Context(), f.removal(names[r])))
	}
	got, err := f.Declare(t.Context(), f.declaration(*generation, names...))
	must(t, err)
	f.repos[r] = got.Repositories[r].ID
}

func compare(t *testing.T, f *fixture, m model, step int) {
	t.Helper()
	got := model{}
	for i, r := range f.repos {
		for key, v := range f.versions(t, r, pkg) {
			a := v.Assets[0]
			content := "?"
			for _, c := range []string{"0", "1", "2"} {
				if a.Digests.Strongest() == digests(c).Strongest() {
					content = c
				}
			}
			if a.Stored == (v.Status == registry.Disposed) {
				t.Fatalf("step %d: %s version with stored=%v", step, v.Status, a.Stored)
			}
			got[fmt.Sprintf("%d %s", i, key)] = modelVersion{content, v.Status}
		}
	}
	if !maps.Equal(m, got) {
		t.Fatalf("step %d:\nwant %v\ngot  %v", step, slices.Sorted(maps.Keys(m)), slices.Sorted(maps.Keys(got)))
	}
}
