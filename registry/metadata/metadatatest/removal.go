package metadatatest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/metadata"
)

// removal is one by the namespace that declares everything in these tests.
func (f *fixture) removal(repository string) metadata.Removal {
	return metadata.Removal{Domain: f.ref, Repository: repository, Holder: "ns-1"}
}

// retain copies a version by reference.
func (f *fixture) retain(t *testing.T, from metadata.VersionRow, to metadata.RepositoryID) (retained bool) {
	t.Helper()
	_, err := f.Update(t.Context(), f.domain, func(tx metadata.Tx) error {
		p, _, err := tx.EnsurePackage(to, pkg, "left-pad", published, metadata.ByArrival)
		if err != nil {
			return err
		}
		_, retained, err = tx.Retain(from, p.Row)
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return retained
}

// collectAll collects without any grace and returns what would be deleted from the blob store.
func (f *fixture) collectAll(t *testing.T) (objects []string) {
	t.Helper()
	for range 2 { // the rows that hold a domain go after its blobs
		_, err := f.Clear(t.Context())
		must(t, err)
		_, err = f.Condemn(t.Context(), soon())
		must(t, err)
		_, err = f.Sweep(t.Context(), soon())
		must(t, err)
	}
	objects, err := f.Trash(t.Context(), 10_000)
	must(t, err)
	must(t, f.Forget(t.Context(), objects))
	return objects
}

// A removed repository is gone at once, its name is free, its rows go with collection, and what others have of it stays.
func testRemoveRepository(t *testing.T, f *fixture) {
	must(t, f.put(t.Context(), f.repos[0], pkg, "1.0.0", "shared"))
	must(t, f.put(t.Context(), f.repos[0], pkg, "2.0.0", "alone"))
	must(t, f.PutDerived(t.Context(), f.repos[0], "npm", "index", []metadata.Derived{{Key: "k", Inputs: []byte("1")}}))
	old := f.versions(t, f.repos[0], pkg)
	if !f.retain(t, old["1.0.0"].Row, f.repos[1]) {
		t.Fatal("not retained")
	}
	_, err := f.Declare(t.Context(), f.declaration(2, "b", "c"))
	must(t, err)
	for range 2 { // it can be asked for again
		must(t, f.Remove(t.Context(), f.removal("a")))
	}
	all, err := f.Repositories(t.Context(), f.domain)
	must(t, err)
	if slices.ContainsFunc(all, func(r metadata.Repository) bool { return r.ID == f.repos[0] }) {
		t.Errorf("a removed repository is listed: %+v", all)
	}
	if bytes, err := f.Usage(t.Context(), f.domain); err != nil || bytes != int64(len("shared")) {
		t.Errorf("usage is %d, %v; want that of what was retained elsewhere", bytes, err)
	}
	got, err := f.Declare(t.Context(), f.declaration(3, "a", "b", "c"))
	if err != nil || got.Repositories[0].ID == f.repos[0] || len(f.versions(t, got.Repositories[0].ID, pkg)) > 0 {
		t.Fatalf("declared again: %+v, %v", got, err)
	}
	must(t, f.put(t.Context(), got.Repositories[0].ID, pkg, "2.0.0", "new"))

	for _, want := range []int{2, 0} {
		if n, err := f.Clear(t.Context()); n != want || err != nil {
			t.Errorf("cleared %d versions, %v; want %d", n, err, want)
		}
	}
	if f.row(t, f.repos[0], pkg) != nil {
		t.Error("the package is still there")
	}
	must(t, f.PutDerived(t.Context(), f.repos[0], "npm", "index", []metadata.Derived{{Key: "late"}}))
	if left, err := f.Derived(t.Context(), f.repos[0], "npm", "index"); err != nil || len(left) > 0 {
		t.Errorf("index entries of a removed repository: %v, %v", left, err)
	}
	if objects := f.collectAll(t); !slices.Equal(objects, []string{old["2.0.0"].Files[0].Object}) {
		t.Errorf("collected %v", objects)
	}
	if v := f.versions(t, f.repos[1], pkg)["1.0.0"]; !v.Assets[0].Stored || string(v.Document) == "" {
		t.Errorf("what was retained = %+v", v)
	}
	if v := f.versions(t, got.Repositories[0].ID, pkg)["2.0.0"]; !v.Assets[0].Stored {
		t.Errorf("what was published since = %+v", v)
	}
	if err := f.put(t.Context(), f.repos[0], pkg, "3.0.0", "late"); err == nil {
		t.Error("published into a row that is gone")
	}
}

// A domain goes with everything in it, and a new one of that name is another one.
func testRemoveDomain(t *testing.T, f *fixture) {
	must(t, f.put(t.Context(), f.repos[0], pkg, "1.0.0", "x"))
	f.update(t, func(tx metadata.Tx) error {
		b, err := tx.Blob(newBlob("list"))
		if err != nil {
			return err
		}
		_, err = tx.PutUpstream(metadata.Upstream{Connection: "public:npmjs https://r", Key: "left-pad", Blob: b, Size: 4})
		return err
	})
	must(t, f.Revoke(t.Context(), metadata.Revocation{Domain: f.domain, Kind: "token", Value: "v", IssuedBefore: time.Now(), ExpiresAt: soon()}))
	before, err := f.Domains(t.Context())
	must(t, err)
	must(t, f.Undeclare(t.Context(), f.ref, 0, 2))
	for range 2 {
		must(t, f.Remove(t.Context(), f.removal("")))
	}
	if all, err := f.Domains(t.Context()); err != nil || len(all) > 0 {
		t.Errorf("domains = %+v, %v", all, err)
	}
	// Another namespace may have the name now, and numbers begin anew.
	d := f.declaration(1, "a")
	d.Holder, d.Repositories[0].Administrator = "ns-2", "ns-2"
	got, err := f.Declare(t.Context(), d)
	if err != nil || got.Domain.ID == f.domain || got.Domain.UID == before[0].UID || len(got.Conflicts) > 0 {
		t.Fatalf("declared again: %+v, %v", got, err)
	}
	old := *f
	f.domain, f.repos = got.Domain.ID, []metadata.RepositoryID{got.Repositories[0].ID}
	must(t, f.put(t.Context(), f.repos[0], pkg, "1.0.0", "x"))
	if objects := f.collectAll(t); len(objects) != 2 {
		t.Errorf("collected %v", objects)
	}
	if v := f.versions(t, f.repos[0], pkg)["1.0.0"]; !v.Assets[0].Stored || string(v.Document) == "" {
		t.Errorf("the new domain lost what it has: %+v", v)
	}
	must(t, f.Barrier(t.Context(), old.domain)) // of a request that began before
	if err := old.put(t.Context(), old.repos[0], pkg, "2.0.0", "late"); err == nil {
		t.Error("published into a domain that is gone")
	}
}

// What is declared stays, and so does what belongs to another namespace.
func testRemovalConflicts(t *testing.T, f *fixture) {
	conflict := func(what string, r metadata.Removal) {
		t.Helper()
		if err := f.Remove(t.Context(), r); !errors.Is(err, registry.ErrConflict) {
			t.Errorf("%s: %v", what, err)
		}
	}
	conflict("a declared repository", f.removal("a"))
	conflict("a declared domain", f.removal(""))
	must(t, f.Remove(t.Context(), f.removal("unknown")))
	must(t, f.Remove(t.Context(), metadata.Removal{Domain: registry.DomainRef{Owner: "111122223333", Name: "unknown"}, Holder: "ns-1"}))
	must(t, f.Remove(t.Context(), metadata.Removal{})) // not the registry's own row

	_, err := f.Declare(t.Context(), f.declaration(2, "b", "c"))
	must(t, err)
	other := f.removal("a")
	other.Holder = "ns-2"
	conflict("a repository of another administrator", other)
	must(t, f.Undeclare(t.Context(), f.ref, 0, 3))
	other.Repository = ""
	conflict("a domain of another holder", other)
	if all, err := f.Repositories(t.Context(), f.domain); err != nil || len(all) != 3 {
		t.Errorf("repositories = %+v, %v", all, err)
	}
	must(t, f.Remove(t.Context(), f.removal("b"))) // also in a detached domain
	if n, err := f.Clear(t.Context()); n != 0 || err != nil {
		t.Errorf("cleared %d, %v", n, err)
	}
	if _, err = f.Declare(t.Context(), f.declaration(4, "a", "b", "c")); err != nil || f.served(t) != "a b c" {
		t.Errorf("declared again: %v; served %q", err, f.served(t))
	}
	for _, d := range []metadata.Declaration{f.declaration(5, "a/x"), {Ref: registry.DomainRef{Owner: "111122223333", Name: "d/x"}, Generation: 1}} {
		if _, err := f.Declare(t.Context(), d); !errors.Is(err, registry.ErrInvalid) {
			t.Errorf("a name with a slash: %v", err)
		}
	}
}

// More than fits into a transaction: many versions of one package and many packages, by two collectors at once.
func testClearInBatches(t *testing.T, f *fixture) {
	const versions, names = 1100, 600
	f.update(t, func(tx metadata.Tx) error {
		p, _, err := tx.EnsurePackage(f.repos[0], pkg, "x", published, metadata.ByArrival)
		for i := 0; i < versions && err == nil; i++ {
			_, err = tx.InsertVersion(p.Row, newVersion(fmt.Sprint(i)))
		}
		for i := 0; i < names && err == nil; i++ {
			p, _, err = tx.EnsurePackage(f.repos[0], registry.PackageID{Format: "npm", Name: fmt.Sprint(i)}, "x", published, metadata.ByArrival)
			if err == nil && i%2 == 0 {
				_, err = tx.InsertVersion(p.Row, newVersion("1"))
			}
		}
		return err
	})
	must(t, f.put(t.Context(), f.repos[1], pkg, "1.0.0", "other"))
	_, err := f.Declare(t.Context(), f.declaration(2, "b", "c"))
	must(t, err)
	must(t, f.Remove(t.Context(), f.removal("a")))
	var total [2]int
	var wg sync.WaitGroup
	for i := range total {
		wg.Go(func() {
			n, err := f.Clear(t.Context())
			if err != nil {
				t.Error(err)
			}
			total[i] = n
		})
	}
	wg.Wait()
	if got := total[0] + total[1]; got != versions+names/2 {
		t.Errorf("cleared %d versions", got)
	}
	if list, _, err := f.List(t.Context(), f.repos[:1], metadata.ListQuery{Format: "npm"}); err != nil || len(list) > 0 {
		t.Errorf("%d packages are left, %v", len(list), err)
	}
	if len(f.versions(t, f.repos[1], pkg)) != 1 {
		t.Error("another repository lost something")
	}
}

// A request that began before the removal may still retain from what is on its way out: all of a version, or nothing.
func testClearWhileRetaining(t *testing.T, f *fixture) {
	const versions = 60
	f.update(t, func(tx metadata.Tx) error {
		p, _, err := tx.EnsurePackage(f.repos[0], pkg, "x", published, metadata.ByArrival)
		for i := 0; i < versions && err == nil; i++ {
			var b metadata.BlobRow
			if b, err = tx.Blob(newBlob(fmt.Sprint(i))); err != nil {
				return err
			}
			a := metadata.NewAsset{Blob: b, Size: 1, Digests: digests(fmt.Sprint(i))}
			v := newVersion(fmt.Sprint(i))
			for _, a.Name = range []string{"a", "b", "c"} {
				v.Assets = append(v.Assets, a)
			}
			_, err = tx.InsertVersion(p.Row, v)
		}
		return err
	})
	old := f.versions(t, f.repos[0], pkg)
	_, err := f.Declare(t.Context(), f.declaration(2, "b", "c"))
	must(t, err)
	must(t, f.Remove(t.Context(), f.removal("a")))
	var wg sync.WaitGroup
	wg.Go(func() {
		for _, v := range old {
			f.retain(t, v.Row, f.repos[1])
		}
	})
	time.Sleep(5 * time.Millisecond)
	if _, err := f.Clear(t.Context()); err != nil {
		t.Error(err)
	}
	wg.Wait()
	f.collectAll(t)
	got := f.versions(t, f.repos[1], pkg)
	t.Logf("%d of %d were retained", len(got), versions)
	for key, v := range got {
		if len(v.Assets) != 3 || !v.Assets[0].Stored || string(v.Document) == "" {
			t.Errorf("version %s was torn: %+v", key, v)
		}
	}
}
