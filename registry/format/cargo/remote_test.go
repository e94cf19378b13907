package cargo

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
	"packhouse.dev/packhouse/registry/format/cargo/cargotest"
)

// fakeSource is an upstream of files. A file that is "unavailable" cannot be fetched.
type fakeSource struct {
	files map[string]string
	asked []string
}

func (s *fakeSource) Document(_ context.Context, q format.SourceRequest) (*format.SourceDocument, error) {
	s.asked = append(s.asked, q.Path)
	body, ok := s.files[q.Path]
	switch {
	case !ok:
		return nil, registry.ErrNotFound
	case body == "unavailable":
		return nil, registry.ErrUnavailable
	}
	return &format.SourceDocument{Body: []byte(body)}, nil
}

func idOf(name string) registry.PackageID { return registry.PackageID{Format: Name, Name: name} }

func TestRemotePackage(t *testing.T) {
	t.Parallel()
	lines := []string{
		aLine("name", `"Foo_bar"`), "", "rubbish", aLine("name", `"other"`), aLine("name", `"Foo_bar"`, "deps", "null"),
		aLine("name", `"Foo_bar"`, "vers", `"1.1.0+a"`, "yanked", "true", "pubtime", `"2024-01-02T03:04:05Z"`),
		aLine("name", `"Foo_bar"`, "vers", `"1.1.0+b"`), aLine("name", `"Foo_bar"`, "x", "1"),
	}
	src := &fakeSource{files: map[string]string{"fo/o_/foo_bar": strings.Join(lines, "\r\n"), "config.json": `{"dl":"https://dl.test/crates","api":"https://x"}`}}
	p, err := New().Package(t.Context(), src, idOf("foo_bar"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"fo/o_/foo_bar", "config.json"}, src.asked); diff != "" {
		t.Error(diff)
	}
	at := time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC)
	asset := func(name, path, line string) []registry.Asset {
		return []registry.Asset{{Name: name, Size: -1, Listed: true, Digests: registry.Digests{SHA256: sum}, Source: "https://dl.test/crates/Foo_bar/" + path + "/download", Info: []byte(line)}}
	}
	want := &format.RemotePackage{
		Display: "Foo_bar", Modified: at, Size: int64(len(lines[7]) + len(lines[5]) + 1600),
		Versions: []*registry.Version{
			{ID: registry.VersionID{Package: idOf("foo_bar"), Version: "1.0.0"}, Display: "1.0.0", Status: registry.Published, Assets: asset("Foo_bar-1.0.0.crate", "1.0.0", lines[7])},
			{ID: registry.VersionID{Package: idOf("foo_bar"), Version: "1.1.0"}, Display: "1.1.0+a", Status: registry.Unlisted, PublishedAt: at, Assets: asset("Foo_bar-1.1.0+a.crate", "1.1.0+a", lines[5])},
		},
	}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	a, err := New().Asset(t.Context(), src, p.Versions[1].ID, "Foo_bar-1.1.0+a.crate")
	if err != nil || a.URL != "https://dl.test/crates/Foo_bar/1.1.0+a/download" || a.Want.SHA256 != sum {
		t.Errorf("%+v %v", a, err)
	}
	if _, err := New().Asset(t.Context(), src, p.Versions[1].ID, "Foo_bar-1.1.0.crate"); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("another file: %v", err)
	}
}

func TestRemoteErrors(t *testing.T) {
	t.Parallel()
	const config = `{"dl":"https://dl.test"}`
	for name, tt := range map[string]struct {
		files map[string]string
		want  error
	}{
		"nothing":               {nil, registry.ErrNotFound},
		"empty file":            {map[string]string{"3/f/foo": "\n", "config.json": config}, registry.ErrNotFound},
		"unavailable":           {map[string]string{"3/f/foo": "unavailable"}, registry.ErrUnavailable},
		"config unavailable":    {map[string]string{"3/f/foo": aLine(), "config.json": "unavailable"}, registry.ErrUnavailable},
		"no config":             {map[string]string{"3/f/foo": aLine()}, registry.ErrInvalid},
		"config no JSON":        {map[string]string{"3/f/foo": aLine(), "config.json": "<html>"}, registry.ErrInvalid},
		"config without dl":     {map[string]string{"3/f/foo": aLine(), "config.json": `{"api":"x"}`}, registry.ErrInvalid},
		"dl is no address":      {map[string]string{"3/f/foo": aLine(), "config.json": `{"dl":"file:///etc"}`}, registry.ErrInvalid},
		"dl is relative":        {map[string]string{"3/f/foo": aLine(), "config.json": `{"dl":"crates"}`}, registry.ErrInvalid},
		"rubbish":               {map[string]string{"3/f/foo": "<html>", "config.json": config}, registry.ErrInvalid},
		"lines of other crates": {map[string]string{"3/f/foo": aLine("name", `"bar"`), "config.json": config}, registry.ErrInvalid},
	} {
		if p, err := New().Package(t.Context(), &fakeSource{files: tt.files}, idOf("foo")); !errors.Is(err, tt.want) {
			t.Errorf("%s: %+v %v, want %v", name, p, err, tt.want)
		}
	}
}

func TestCrateURL(t *testing.T) {
	t.Parallel()
	e := entry{name: "Foo", version: "1.0.0+b", checksum: sum}
	for template, want := range map[string]string{
		"https://dl.test":                         "https://dl.test/Foo/1.0.0+b/download",
		"https://dl.test/crates/":                 "https://dl.test/crates/Foo/1.0.0+b/download",
		"https://dl.test/{crate}-{version}.crate": "https://dl.test/Foo-1.0.0+b.crate",
		"https://dl.test/{prefix}/{lowerprefix}":  "https://dl.test/3/F/3/f",
		"https://dl.test/{sha256-checksum}":       "https://dl.test/" + sum,
		"ftp://dl.test":                           "", "//dl.test": "", "https://dl.test/%zz": "",
	} {
		if got, err := crateURL(template, e); got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q %v, want %q", template, got, err, want)
		}
	}
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	repo := newFake()
	crate := cargotest.Crate{
		Name: "Foo", Version: "1.0.0", Description: "a  crate\nof ours", Files: map[string]string{"README.md": "# Foo"},
		Package: "homepage = \"https://h.test\"\nrepository = \"https://r.test\"\nlicense = \"MIT OR Apache-2.0\"",
		Deps:    []cargotest.Dep{{Name: "a", Req: "1"}, {Name: "real", Rename: "alias", Req: "2", Kind: "dev"}},
	}
	do(t, repo, "PUT", newCrate, crate.Request())
	v := repo.version(registry.VersionID{Package: idOf("foo"), Version: "1.0.0"})
	want := format.Description{
		DisplayName: "Foo", Summary: "a crate of ours", HomePage: "https://h.test", SourceCodeRepository: "https://r.test", Readme: "# Foo",
		Licenses:     []format.License{{Name: "MIT OR Apache-2.0"}},
		Dependencies: []format.Dependency{{Package: "a", Type: "normal", Requirement: "^1"}, {Package: "real", Type: "dev", Requirement: "^2"}},
	}
	got, err := New().Describe(v)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}

	// A proxied version has the same once its crate was fetched, and its dependencies before.
	staged, err := repo.Stage(t.Context(), registry.PackageID{}, bytes.NewReader(crate.File()))
	if err != nil {
		t.Fatal(err)
	}
	document, err := New().Extract(v.ID, crate.FileName(), staged)
	if err != nil || !bytes.Equal(document, v.Document) {
		t.Errorf("%s %v", document, err)
	}
	for _, name := range []string{"other.crate", "x"} {
		if d, err := New().Extract(v.ID, name, staged); err == nil {
			t.Errorf("extracted %s from a file %s", d, name)
		}
	}
	v.Document = nil
	got, err = New().Describe(v)
	if err != nil || got.DisplayName != "Foo" || !slices.Equal(got.Dependencies, want.Dependencies) || got.Summary != "" {
		t.Errorf("%+v %v", got, err)
	}
	v.Document = []byte("rubbish")
	if _, err := New().Describe(v); err == nil {
		t.Error("rubbish was described")
	}
}

func TestSearchRanking(t *testing.T) {
	t.Parallel()
	var list []byte
	for _, name := range []string{"a-serde", "serde", "serde_json", "zserde"} {
		list = append(list, `{"name":"`+name+`","max_version":"1.0.0","description":"about"}`+"\n"...)
	}
	for text, want := range map[string]string{
		"serde": "serde serde_json a-serde zserde", "SERDE-JSON": "serde_json", "json about": "serde_json", "": "a-serde serde serde_json zserde", "none": "",
	} {
		hits, err := matching(list, text)
		got := make([]string, 0, len(hits))
		for _, h := range hits {
			got = append(got, h.Name)
		}
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%q: %v %v, want %s", text, got, err, want)
		}
	}
	versions := func(list ...string) (out []*registry.Version) {
		for _, s := range list {
			key, yanked := strings.CutSuffix(s, "!")
			v := &registry.Version{ID: registry.VersionID{Version: key}, Status: registry.Published}
			if yanked {
				v.Status = registry.Unlisted
			}
			out = append(out, v)
		}
		return out
	}
	for want, list := range map[string][]string{"1.1.0": {"1.0.0", "1.1.0", "2.0.0-rc", "3.0.0!"}, "2.0.0-rc": {"1.0.0!", "2.0.0-rc"}, "1.0.0": {"1.0.0!", "2.0.0-rc!"}} {
		if got := bestVersion(versions(list...)).ID.Version; got != want {
			t.Errorf("%v: %s, want %s", list, got, want)
		}
	}
}

func FuzzConfig(f *testing.F) {
	f.Add(`{"dl":"https://dl.test/{crate}/{version}","api":null}`, "foo", "1.0.0")
	f.Add(`{"dl":"https://dl.test"}`, "Foo_bar", "1.0.0+b")
	f.Fuzz(func(t *testing.T, config, name, version string) {
		dl, err := downloads(t.Context(), &fakeSource{files: map[string]string{"config.json": config}})
		if err != nil {
			if !errors.Is(err, registry.ErrInvalid) && !errors.Is(err, registry.ErrUnavailable) {
				t.Error(err)
			}
			return
		}
		if _, ok := (names{}).Version(version); ok != nil || !isCrateName(name) {
			return
		}
		if u, err := crateURL(dl, entry{name: name, version: version, checksum: sum}); err == nil && !strings.HasPrefix(strings.ToLower(u), "http") {
			t.Errorf("%q", u)
		}
	})
}

func FuzzIndex(f *testing.F) {
	f.Add([]byte(aLine() + "\n" + aLine("vers", `"1.0.1"`, "yanked", "true") + "\n"))
	f.Add([]byte("\r\n{}\n" + aLine() + aLine()))
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := parseIndex(idOf("foo"), body, "https://dl.test")
		if err != nil {
			if !errors.Is(err, registry.ErrInvalid) && !errors.Is(err, registry.ErrNotFound) {
				t.Error(err)
			}
			return
		}
		seen := map[string]bool{}
		for _, v := range p.Versions {
			if seen[v.ID.Version] {
				t.Errorf("version %s twice", v.ID.Version)
			}
			seen[v.ID.Version] = true
			if _, _, err := servedLine(v); err != nil {
				t.Error(err)
			}
		}
	})
}
