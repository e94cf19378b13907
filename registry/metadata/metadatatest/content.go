package metadatatest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/metadata"
)

func testPackages(t *testing.T, f *fixture) {
	for i, id := range []registry.PackageID{pkg, {Format: "npm", Name: "left-pad"}, {Format: "npm", Namespace: "Corp", Name: "left-pad"}, {Format: "pypi", Name: "left-pad"}} {
		must(t, f.put(t.Context(), f.repos[0], id, fmt.Sprintf("1.0.%d", i), fmt.Sprint(i)))
	}
	must(t, f.put(t.Context(), f.repos[2], pkg, "2.0.0", "x"))
	rows, err := f.Packages(t.Context(), f.repos, pkg)
	must(t, err)
	if len(rows) != 2 {
		t.Fatalf("%d rows of %s", len(rows), pkg)
	}
	if got := f.row(t, f.repos[0], pkg); got.Controls != published || got.ID != pkg || got.Display != "left-pad" || got.ModifiedAt.IsZero() {
		t.Errorf("row = %+v", got)
	}
	if f.row(t, f.repos[1], pkg) != nil {
		t.Error("a package is in a repository where it is not")
	}
	f.update(t, func(tx metadata.Tx) error {
		p, err := tx.Package(f.repos[0], pkg)
		if err != nil {
			return err
		}
		display, summary, controls := "Left-Pad", "pads", registry.OriginControls{Publish: registry.Block, Upstream: registry.Allow}
		return tx.SetPackage(p.Row, metadata.PackageUpdate{Display: &display, Summary: &summary, Controls: &controls, By: metadata.ByAPI})
	})
	if got := f.row(t, f.repos[0], pkg); got.Display != "Left-Pad" || got.Summary != "pads" || got.Controls.Publish != registry.Block {
		t.Errorf("row after SetPackage = %+v", got)
	}
	f.update(t, func(tx metadata.Tx) error { return tx.DeletePackage(f.mustRow(tx, f.repos[0])) })
	if f.row(t, f.repos[0], pkg) != nil || len(f.versions(t, f.repos[2], pkg)) != 1 {
		t.Error("DeletePackage removed too little or too much")
	}
}

// mustRow returns the row of pkg in a repository inside a transaction.
func (f *fixture) mustRow(tx metadata.Tx, repository metadata.RepositoryID) metadata.PackageRow {
	p, err := tx.Package(repository, pkg)
	if err != nil || p == nil {
		panic(fmt.Sprintf("no package: %v", err))
	}
	return p.Row
}

func testTags(t *testing.T, f *fixture) {
	must(t, f.put(t.Context(), f.repos[0], pkg, "1.0.0", "x"))
	f.update(t, func(tx metadata.Tx) error {
		return tx.SetTags(f.mustRow(tx, f.repos[0]), map[string]string{"latest": "1.0.0", "next": "1.0.0"}, nil)
	})
	f.update(t, func(tx metadata.Tx) error {
		return tx.SetTags(f.mustRow(tx, f.repos[0]), map[string]string{"latest": "2.0.0"}, []string{"next", "unknown"})
	})
	if d := cmp.Diff(map[string]string{"latest": "2.0.0"}, f.row(t, f.repos[0], pkg).Tags); d != "" {
		t.Error(d)
	}
}

func testList(t *testing.T, f *fixture) {
	var want []string
	for _, ns := range []string{"", "A", "a", "é"} {
		for _, name := range []string{"Zed", "a%", "a_b", "b", "bb", "é1"} {
			for i, r := range f.repos {
				if name == "b" && i == 1 {
					continue
				}
				must(t, f.put(t.Context(), r, registry.PackageID{Format: "npm", Namespace: ns, Name: name}, "1.0.0", "x"))
				want = append(want, fmt.Sprintf("%s/%s/%d", ns, name, i))
			}
		}
	}
	must(t, f.put(t.Context(), f.repos[0], registry.PackageID{Format: "pypi", Name: "other"}, "1.0.0", "x"))
	all := func(q metadata.ListQuery, repos ...metadata.RepositoryID) (got []string) {
		q.Format = "npm"
		for pages := 0; ; pages++ {
			page, next, err := f.List(t.Context(), repos, q)
			must(t, err)
			if q.Limit > 0 && len(page) > q.Limit || pages > 200 {
				t.Fatalf("page %d has %d rows", pages, len(page))
			}
			for _, p := range page {
				for i, r := range f.repos {
					if p.Repository == r {
						got = append(got, fmt.Sprintf("%s/%s/%d", p.ID.Namespace, p.ID.Name, i))
					}
				}
			}
			if q.After = next; next == nil {
				return got
			}
		}
	}
	for _, limit := range []int{0, 1, 2, 7, 1000} {
		if d := cmp.Diff(want, all(metadata.ListQuery{Limit: limit}, f.repos...)); d != "" {
			t.Errorf("limit %d: %s", limit, d)
		}
	}
	for _, tt := range []struct {
		q    metadata.ListQuery
		want []string
	}{
		{metadata.ListQuery{HasNamespace: true, NamePrefix: "b"}, []string{"/b/0", "/bb/0"}},
		{metadata.ListQuery{HasNamespace: true, Namespace: "a", NamePrefix: "a%"}, []string{"a/a%/0"}},
		{metadata.ListQuery{HasNamespace: true, Namespace: "a", NamePrefix: "A"}, nil},
		{metadata.ListQuery{HasNamespace: true, Namespace: "é", NamePrefix: "é"}, []string{"é/é1/0"}},
		{metadata.ListQuery{HasNamespace: true, Namespace: "b"}, nil},
		{metadata.ListQuery{NamespacePrefix: "é", NamePrefix: "b"}, []string{"é/b/0", "é/bb/0"}},
		{metadata.ListQuery{NamespacePrefix: "a", NamePrefix: "b"}, []string{"a/b/0", "a/bb/0"}},
		{metadata.ListQuery{NamespacePrefix: "aa"}, nil},
	} {
		if d := cmp.Diff(tt.want, all(tt.q, f.repos[0])); d != "" {
			t.Errorf("%+v: %s", tt.q, d)
		}
	}
	if page, next, err := f.List(t.Context(), nil, metadata.ListQuery{Format: "npm"}); err != nil || len(page) > 0 || next != nil {
		t.Errorf("list of nothing = %v, %v, %v", page, next, err)
	}
}

func testVersions(t *testing.T, f *fixture) {
	for _, v := range []string{"1.0.0", "1.1.0", "2.0.0"} {
		must(t, f.put(t.Context(), f.repos[0], pkg, v, v))
	}
	must(t, f.put(t.Context(), f.repos[1], pkg, "1.0.0", "other"))
	rows := []metadata.PackageRow{f.row(t, f.repos[0], pkg).Row, f.row(t, f.repos[1], pkg).Row}
	for _, tt := range []struct {
		keys []string
		want int
	}{{nil, 4}, {[]string{}, 0}, {[]string{"1.0.0"}, 2}, {[]string{"1.0.0", "2.0.0", "9"}, 3}} {
		got, err := f.Versions(t.Context(), rows, tt.keys)
		if err != nil || len(got) != tt.want {
			t.Errorf("Versions(%q) gave %d: %v", tt.keys, len(got), err)
		}
	}
	v := f.versions(t, f.repos[0], pkg)["1.1.0"]
	want := newVersion("1.1.0")
	if v.ID != (registry.VersionID{Package: pkg, Version: "1.1.0"}) || string(v.Document) != string(want.Document) || v.Origin != want.Origin ||
		!v.PublishedAt.Equal(want.PublishedAt) || !v.ArrivedAt.Equal(want.ArrivedAt) || v.Revision != want.Revision || v.Repository != f.repos[0] {
		t.Errorf("version = %+v", v)
	}
	heads, err := f.Heads(t.Context(), rows[0])
	must(t, err)
	if len(heads) != 3 {
		t.Errorf("Heads gave %d", len(heads))
	}
	for _, h := range heads {
		full := *f.versions(t, f.repos[0], pkg)[h.ID.Version]
		full.Document, full.Flags, full.Assets, full.Files = nil, nil, nil, nil
		if d := cmp.Diff(&full, h); d != "" {
			t.Error(d)
		}
	}
	if len(v.Assets) != 1 || len(v.Files) != 1 || !v.Assets[0].Stored || v.Assets[0].Digests != digests("1.1.0") || v.Files[0].Object == "" {
		t.Errorf("assets = %+v, files %+v", v.Assets, v.Files)
	}
}

// What a format stores comes back byte for byte.
func testDocumentBytes(t *testing.T, f *fixture) {
	hostile := []byte("{\"a\":1,\"a\":2, \x00\xff\xfe 'quoted' \\u0000 \r\n}")
	f.update(t, func(tx metadata.Tx) error {
		p, _, err := tx.EnsurePackage(f.repos[0], pkg, "Display \U0001F4E6 'x'", published, metadata.ByArrival)
		if err != nil {
			return err
		}
		v := newVersion("1.0.0", metadata.NewAsset{Name: "a'; DROP TABLE asset; --", Size: -1, Info: hostile, Source: "https://example.com/ä"})
		v.Document, v.Flags = hostile, hostile
		_, err = tx.InsertVersion(p.Row, v)
		return err
	})
	v := f.versions(t, f.repos[0], pkg)["1.0.0"]
	if string(v.Document) != string(hostile) || string(v.Flags) != string(hostile) || string(v.Assets[0].Info) != string(hostile) {
		t.Errorf("bytes changed: %q %q %q", v.Document, v.Flags, v.Assets[0].Info)
	}
	if a := v.Assets[0]; a.Stored || a.Size != -1 || v.Files[0].Object != "" || v.Files[0].Blob != 0 {
		t.Errorf("pending asset = %+v", a)
	}
}

func testInsertTwice(t *testing.T, f *fixture) {
	must(t, f.put(t.Context(), f.repos[0], pkg, "1.0.0", "x"))
	if err := f.put(t.Context(), f.repos[0], pkg, "1.0.0", "y"); !errors.Is(err, registry.ErrAlreadyExists) {
		t.Errorf("second insert = %v", err)
	}
	if v := f.versions(t, f.repos[0], pkg)["1.0.0"]; v.Assets[0].Digests != digests("x") {
		t.Error("the bytes are those of the second")
	}
}

func testAssets(t *testing.T, f *fixture) {
	must(t, f.put(t.Context(), f.repos[0], pkg, "1.0.0", "x"))
	v := f.versions(t, f.repos[0], pkg)["1.0.0"]
	add := func(name, content string) error {
		_, err := f.Update(t.Context(), f.domain, func(tx metadata.Tx) error {
			b, err := tx.Blob(newBlob(content))
			if err != nil {
				return err
			}
			return tx.InsertAsset(v.Row, metadata.NewAsset{Name: name, Blob: b, Size: int64(len(content)), Digests: digests(content)})
		})
		return err
	}
	must(t, add("b.tgz", "more"))
	must(t, add("b.tgz", "more"))
	if err := add("b.tgz", "different"); !errors.Is(err, registry.ErrAlreadyExists) {
		t.Errorf("other bytes under a name: %v", err)
	}
	f.update(t, func(tx metadata.Tx) error {
		return tx.InsertAsset(v.Row, metadata.NewAsset{Name: "c.tgz", Size: -1, Digests: registry.Digests{SHA1: digests("c").SHA1}})
	})
	fill := func(content string) {
		f.update(t, func(tx metadata.Tx) error {
			b, err := tx.Blob(newBlob(content))
			if err != nil {
				return err
			}
			return tx.FillAsset(v.Row, "c.tgz", b, digests(content), int64(len(content)))
		})
	}
	if a := f.versions(t, f.repos[0], pkg)["1.0.0"].Asset("c.tgz"); a.Stored || a.Digests.SHA1 != digests("c").SHA1 {
		t.Errorf("announced asset = %+v", a)
	}
	fill("c")
	fill("too late")
	if a := f.versions(t, f.repos[0], pkg)["1.0.0"].Asset("c.tgz"); !a.Stored || a.Digests != digests("c") || a.Size != 1 {
		t.Errorf("filled asset = %+v", a)
	}
}

func testDispose(t *testing.T, f *fixture) {
	must(t, f.put(t.Context(), f.repos[0], pkg, "1.0.0", "x"))
	must(t, f.put(t.Context(), f.repos[1], pkg, "1.0.0", "yes"))
	must(t, f.put(t.Context(), f.repos[2], pkg, "1.0.0", "yes"))
	usage := func(want int64) {
		t.Helper()
		if got, err := f.Usage(t.Context(), f.domain); err != nil || got != want {
			t.Errorf("usage is %d, %v; want %d", got, err, want)
		}
	}
	usage(4)
	defer usage(3)
	v := f.versions(t, f.repos[0], pkg)["1.0.0"]
	status := registry.Disposed
	f.update(t, func(tx metadata.Tx) error { return tx.UpdateVersion(v.Row, metadata.VersionUpdate{Status: &status}) })
	got := f.versions(t, f.repos[0], pkg)["1.0.0"]
	if a := got.Assets[0]; got.Status != registry.Disposed || a.Stored || a.Size != 1 || a.Digests.Strongest() != digests("x").Strongest() {
		t.Errorf("disposed = %+v", got)
	}
}

func testDelete(t *testing.T, f *fixture) {
	must(t, f.put(t.Context(), f.repos[0], pkg, "1.0.0", "x"))
	must(t, f.put(t.Context(), f.repos[0], pkg, "2.0.0", "y"))
	v := f.versions(t, f.repos[0], pkg)
	f.update(t, func(tx metadata.Tx) error {
		if err := tx.SetTags(v["1.0.0"].Package, map[string]string{"latest": "2.0.0", "old": "1.0.0"}, nil); err != nil {
			return err
		}
		return tx.DeleteVersion(v["1.0.0"].Row)
	})
	if d := cmp.Diff(map[string]string{"latest": "2.0.0"}, f.row(t, f.repos[0], pkg).Tags); d != "" {
		t.Error(d)
	}
	f.update(t, func(tx metadata.Tx) error { return tx.DeleteVersion(v["2.0.0"].Row) })
	if got := f.row(t, f.repos[0], pkg); got == nil || got.Controls != published {
		t.Errorf("the package went with its versions: %+v", got)
	}
	must(t, f.put(t.Context(), f.repos[0], pkg, "1.0.0", "again"))
}

func testRetain(t *testing.T, f *fixture) {
	must(t, f.put(t.Context(), f.repos[0], pkg, "1.0.0", "x"))
	v := f.versions(t, f.repos[0], pkg)["1.0.0"]
	if !f.retain(t, v.Row, f.repos[1]) || f.retain(t, v.Row, f.repos[1]) {
		t.Error("retained must be true once")
	}
	copied := f.versions(t, f.repos[1], pkg)["1.0.0"]
	if copied.Revision != v.Revision || copied.Origin != v.Origin || !copied.PublishedAt.Equal(v.PublishedAt) || copied.ArrivedAt.Equal(v.ArrivedAt) ||
		copied.Files[0].Object != v.Files[0].Object || string(copied.Document) != string(v.Document) {
		t.Errorf("copy = %+v of %+v", copied, v)
	}
	f.update(t, func(tx metadata.Tx) error { return tx.DeleteVersion(v.Row) })
	if !f.versions(t, f.repos[1], pkg)["1.0.0"].Assets[0].Stored {
		t.Error("the copy lost its bytes with its source")
	}
	if f.retain(t, v.Row, f.repos[2]) {
		t.Error("a deleted version was retained")
	}
	for _, status := range []registry.Status{registry.Archived, registry.Disposed, registry.Unfinished} {
		f.update(t, func(tx metadata.Tx) error {
			return tx.UpdateVersion(copied.Row, metadata.VersionUpdate{Status: &status})
		})
		if f.retain(t, copied.Row, f.repos[2]) {
			t.Errorf("an %s version was retained", status)
		}
	}
}

func testReplaceAssets(t *testing.T, f *fixture) {
	must(t, f.put(t.Context(), f.repos[0], pkg, "1.0-SNAPSHOT", "old"))
	must(t, f.put(t.Context(), f.repos[0], pkg, "1.0-1", "new"))
	v := f.versions(t, f.repos[0], pkg)
	f.update(t, func(tx metadata.Tx) error { return tx.ReplaceAssets(v["1.0-SNAPSHOT"].Row, v["1.0-1"].Row) })
	got := f.versions(t, f.repos[0], pkg)
	if len(got["1.0-SNAPSHOT"].Assets) != 1 || got["1.0-SNAPSHOT"].Assets[0].Digests != digests("new") || len(got["1.0-1"].Assets) != 1 {
		t.Errorf("replaced = %+v", got["1.0-SNAPSHOT"].Assets)
	}
}

func testFind(t *testing.T, f *fixture) {
	f.update(t, func(tx metadata.Tx) error {
		p, _, err := tx.EnsurePackage(f.repos[0], pkg, "left-pad", published, metadata.ByArrival)
		if err != nil {
			return err
		}
		v := newVersion("1.0.0")
		v.Lookups = []metadata.Lookup{{Kind: "name", Key: "left-pad-1.0.0"}, {Kind: "name", Key: "Left-Pad"}}
		row, err := tx.InsertVersion(p.Row, v)
		if err != nil {
			return err
		}
		to, _, err := tx.EnsurePackage(f.repos[1], pkg, "left-pad", published, metadata.ByArrival)
		if err != nil {
			return err
		}
		_, _, err = tx.Retain(row, to.Row)
		return err
	})
	for _, tt := range []struct {
		repos []metadata.RepositoryID
		kind  string
		key   string
		want  int
	}{{f.repos, "name", "left-pad-1.0.0", 2}, {f.repos[1:], "name", "left-pad-1.0.0", 1}, {f.repos[2:], "name", "left-pad-1.0.0", 0}, {f.repos, "url", "left-pad-1.0.0", 0}, {f.repos, "name", "left-pad", 0}} {
		got, err := f.Find(t.Context(), tt.repos, "npm", tt.kind, tt.key)
		if err != nil || len(got) != tt.want {
			t.Errorf("Find(%s %s) gave %d: %v", tt.kind, tt.key, len(got), err)
		}
	}
}

func testRollback(t *testing.T, f *fixture) {
	broken := errors.New("broken")
	seen := 0
	f.Follow(func(metadata.DomainID, []metadata.Change) { seen++ })
	_, err := f.Update(t.Context(), f.domain, func(tx metadata.Tx) error {
		if _, _, err := tx.EnsurePackage(f.repos[0], pkg, "x", published, metadata.ByArrival); err != nil {
			return err
		}
		if err := tx.Record(metadata.Change{Kind: metadata.PackageChanged, Repository: f.repos[0], Package: pkg}); err != nil {
			return err
		}
		return broken
	})
	if !errors.Is(err, broken) || f.row(t, f.repos[0], pkg) != nil || seen != 0 {
		t.Errorf("error %v, row %v, %d changes told", err, f.row(t, f.repos[0], pkg), seen)
	}
}

// A panic ends its own transaction and no other.
func testPanic(t *testing.T, f *fixture) {
	if _, err := f.Update(t.Context(), f.domain, func(metadata.Tx) error { panic("boom") }); err == nil {
		t.Error("a panic was no error")
	}
	must(t, f.put(t.Context(), f.repos[0], pkg, "1.0.0", "x"))
}
