package swift

import (
	"archive/zip"
	"bytes"
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
	"packhouse.dev/packhouse/registry/format/swift/swifttest"
)

func TestNames(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"mona.LinkedList", "a.b", "my_scope.package_name", "a-b.c-d_E", strings.Repeat("a", 39) + "." + strings.Repeat("b", 100)} {
		scope, name, _ := strings.Cut(id, ".")
		got, err := (names{}).Package(scope, name)
		if want := (registry.PackageID{Format: Name, Namespace: strings.ToLower(scope), Name: strings.ToLower(name)}); err != nil || got != want {
			t.Errorf("%s: %v %v", id, got, err)
		}
	}
	for _, id := range []string{".a", "a.", "-a.b", "a-.b", "a.-b", "a.b-", "a.b--c", "a.b-_c", "a.b.c", "a.b/c", "ä.b", "a.ä", strings.Repeat("a", 40) + ".b", "a." + strings.Repeat("b", 101), "a.b\n"} {
		scope, name, _ := strings.Cut(id, ".")
		if got, err := (names{}).Package(scope, name); !errors.Is(err, registry.ErrInvalid) {
			t.Errorf("%q: %v %v", id, got, err)
		}
	}
	for _, v := range []string{"1.0.0", "1.0.0-alpha.1+b.2"} {
		if got, err := (names{}).Version(v); err != nil || got != v {
			t.Errorf("%s: %s %v", v, got, err)
		}
	}
	for _, v := range []string{"", "1", "1.0", "v1.0.0", "01.0.0", "1.0.0-", "1.0.0-01", "1.0.0 ", strings.Repeat("1", 300) + ".0.0"} {
		if got, err := (names{}).Version(v); !errors.Is(err, registry.ErrInvalid) {
			t.Errorf("%q: %s %v", v, got, err)
		}
	}
}

func TestPath(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"": "login", "login": "login", "login/": "login", "availability": "availability", "identifiers": "identifiers",
		"mona/LinkedList": "releases swift/mona/linkedlist", "mona/LinkedList.json": "releases swift/mona/linkedlist", "mona/LinkedList/": "releases swift/mona/linkedlist",
		"mona/LinkedList/1.0.0": "release swift/mona/linkedlist@1.0.0", "mona/LinkedList/1.0.0.json": "release swift/mona/linkedlist@1.0.0",
		"mona/LinkedList/1.0.0.zip": "archive swift/mona/linkedlist@1.0.0", "mona/LinkedList/1.0.0-rc.zip.zip": "archive swift/mona/linkedlist@1.0.0-rc.zip",
		"mona/LinkedList/1.0.0+b%2B": "invalid", "mona/LinkedList/1.0.0%2Bb": "release swift/mona/linkedlist@1.0.0+b", "mona/LinkedList/1.0.0+b": "release swift/mona/linkedlist@1.0.0+b",
		"mona/LinkedList/1.0.0/Package.swift": "manifest swift/mona/linkedlist@1.0.0", "%6Dona/LinkedList": "releases swift/mona/linkedlist",
		"mona/LinkedList/1.0": "invalid", "mona/a.b": "invalid", "mona%2Fx/LinkedList": "invalid", "mona//LinkedList": "invalid", "mona/%zz": "invalid", "mona/..": "invalid",
		"a": "not found", "mona/LinkedList/1.0.0/Package@swift-5.swift": "not found", "mona/LinkedList/1.0.0/Package.swift/x": "not found",
		strings.Repeat("a/", 2000): "invalid",
	} {
		a, err := parsePath(path)
		got := map[operation]string{opLogin: "login", opAvailability: "availability", opIdentifiers: "identifiers", opReleases: "releases", opRelease: "release", opManifest: "manifest", opArchive: "archive"}[a.op]
		switch {
		case errors.Is(err, registry.ErrInvalid):
			got = "invalid"
		case errors.Is(err, registry.ErrNotFound):
			got = "not found"
		case a.version != "":
			got += " " + a.versionID().String()
		case a.name != "":
			got += " " + a.id.String()
		}
		if got != want {
			t.Errorf("%q is %s (%v), want %s", path, got, err, want)
		}
	}
}

// TestTools has manifests from ToolsVersionParserTests.swift and ToolsVersionSpecificationGenerationTests.swift of the client.
func TestTools(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"// swift-tools-version:5.9\n": "5.9", "//swift-tools-version:5.9.1": "5.9.1", "// swift-tools-version: 5.3\nimport x": "5.3", "\n\n// SWIFT-tools-version:5.7\n": "5.7",
		"// swift-tools-version:6.0;experimental": "6.0", "//\u00a0swift-tools-version:\t5.4": "5.4", "// swift-tools-version:5.9.0-dev": "5.9", "// license\n// swift-tools-version:6.1": "6.1",
		"// swift-tools-version:5.9\r\nlet x": "5.9", "// license\n// swift-tools-version:5.9": "", "import x": "", "": "", "// swift-tools-version:5": "", "// swift-tools-version:5.x": "",
		"/// swift-tools-version:5.9": "", "let x // swift-tools-version:5.9": "", "// swift-tools-version:99999.0": "",
	} {
		v, ok := declaredTools(text)
		if got := v.String(); ok != (want != "") || ok && got != want {
			t.Errorf("%q: %s %v, want %q", text, got, ok, want)
		}
	}
}

// listOf makes manifests: "Package.swift 5.7", "Package@swift-5.9.swift 5.8" with the version that it declares.
func listOf(t *testing.T, list ...string) []variant {
	t.Helper()
	var out []variant
	for _, s := range list {
		name, tools, _ := strings.Cut(s, " ")
		v, ok := named(name)
		if v.tools, _ = parseTools(tools); !ok {
			t.Fatalf("%s is no manifest", name)
		}
		out = append(out, v)
	}
	return out
}

func TestVariants(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		list       []string
		advertised string
		chosen     map[string]string // by what is asked for
	}{
		"none": {[]string{"Package.swift 5.7"}, "", map[string]string{"5.7.0": "", "5.9.0": ""}},
		"as named": {
			[]string{"Package.swift 5.3", "Package@swift-5.9.swift 5.9", "Package@swift-5.10.swift 5.10"},
			"Package@swift-5.9.swift 5.9, Package@swift-5.10.swift 5.10",
			map[string]string{"5.9.0": "Package@swift-5.9.swift", "5.9": "Package@swift-5.9.swift", "5.10.0": "Package@swift-5.10.swift", "5.3.0": "", "5.9.1": ""},
		},
		"declares less than its name": {
			[]string{"Package.swift 5.3", "Package@swift-5.9.swift 5.5"}, "Package@swift-5.9.swift 5.9",
			map[string]string{"5.9.0": "Package@swift-5.9.swift", "5.5.0": "Package@swift-5.9.swift"},
		},
		"named as the root": {[]string{"Package.swift 5.7", "Package@swift-5.7.swift 5.7"}, "", map[string]string{"5.7.0": "Package@swift-5.7.swift"}},
		"twice": {
			[]string{"Package.swift 4.0", "Package@swift-5.swift 5.0", "Package@swift-5.0.swift 5.0"}, "Package@swift-5.0.swift 5.0",
			map[string]string{"5.0.0": "Package@swift-5.0.swift"},
		},
		"two declare it": {
			[]string{"Package.swift 4.0", "Package@swift-5.1.swift 5.0", "Package@swift-5.2.swift 5.0"}, "Package@swift-5.1.swift 5.1, Package@swift-5.2.swift 5.2",
			map[string]string{"5.0.0": "Package@swift-5.2.swift"},
		},
	} {
		list := listOf(t, tt.list...)
		var told []string
		for _, v := range advertised(list) {
			told = append(told, v.name+" "+v.version.String())
		}
		if got := strings.Join(told, ", "); got != tt.advertised {
			t.Errorf("%s: advertised %s", name, got)
		}
		for asked, want := range tt.chosen {
			v, ok := parseTools(asked)
			got := ""
			if c := choose(list, v); ok && c != nil {
				got = c.name
			}
			if got != want {
				t.Errorf("%s: for %s %q, want %q", name, asked, got, want)
			}
		}
	}
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	// The example of the specification, appendix B.
	m, err := checkMetadata([]byte(`{"author":{"name":"J. Appleseed","email":"a@x.test","description":"d","organization":{"name":"O","url":"https://o.test"},"url":"https://x.test"},
		"description":"One\n thing","licenseURL":"https://l.test","readmeURL":"https://r.test","repositoryURLs":["https://git.test/a/b.git"],"originalPublicationTime":"2024-01-31T12:00:00Z","other":null}`))
	if diff := cmp.Diff(metadata{Description: "One\n thing", LicenseURL: "https://l.test", RepositoryURLs: []string{"https://git.test/a/b.git"}}, m); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	if got := m.summary(); got != "One thing" {
		t.Errorf("summary %q", got)
	}
	for raw, text := range map[string]string{
		"":   "is not a JSON object",
		"  ": "is not a JSON object", "[]": "is not a JSON object", `{"a":1}x`: "is not a JSON object", `{"description":1}`: "description is not a text",
		`{"author":"x"}`: "author is not an object", `{"author":{}}`: "author.name is missing", `{"author":{"name":"x","organization":{}}}`: "author.organization.name is missing",
		`{"licenseURL":"x y"}`: "licenseURL is not an address", `{"repositoryURLs":"x"}`: "repositoryURLs is not a list of texts",
		`{"originalPublicationTime":"yesterday"}`: "is not a time", `{"repositoryURLs":[` + strings.TrimSuffix(strings.Repeat(`"a:b",`, 101), ",") + `]}`: "more than 100 addresses",
	} {
		if _, err := checkMetadata([]byte(raw)); !errors.Is(err, registry.ErrInvalid) || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v", raw, err)
		}
	}
}

func TestRepositoryKey(t *testing.T) {
	t.Parallel()
	for at, want := range map[string]string{
		"https://github.com/Mona/LinkedList": "github.com/mona/linkedlist", "https://github.com/mona/LinkedList.git/": "github.com/mona/linkedlist", "git@github.com:mona/LinkedList.git": "github.com/mona/linkedlist",
		"ssh://git@github.com:22/mona/LinkedList": "github.com/mona/linkedlist", "http://u:p@github.com/mona/LinkedList?x#y": "github.com/mona/linkedlist", "git@host:/a/b": "host/a/b",
		"": "", "x": "", "https://github.com": "", "https://github.com/": "", "/a/b:c": "", "https://": "", "https://%zz/a": "", "https://a/" + strings.Repeat("b", 1100): "",
	} {
		if got := repositoryKey(at); got != want {
			t.Errorf("%q: %q, want %q", at, got, want)
		}
	}
}

func TestLinks(t *testing.T) {
	t.Parallel()
	got := parseLinks([]string{
		`<https://a.test/?page=2>; rel="next", <https://a.test/?page=9>; rel=last`, `</x>;REL="alternate"; filename="Package@swift-5.9.swift"; swift-tools-version="5.9"`, `rubbish`, `<x`,
	})
	want := []link{
		{"https://a.test/?page=2", map[string]string{"rel": "next"}}, {"https://a.test/?page=9", map[string]string{"rel": "last"}},
		{"/x", map[string]string{"rel": "alternate", "filename": "Package@swift-5.9.swift", "swift-tools-version": "5.9"}},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(link{})); diff != "" {
		t.Error(diff)
	}
	for header, want := range map[string]string{`</b?page=2>; rel="next"`: "https://a.test/b?page=2", `<%zz>; rel="next"`: "", `</b>; rel="prev"`: "", "": ""} {
		if got := next(&format.SourceDocument{URL: "https://a.test/x/y", Links: []string{header}}); got != want {
			t.Errorf("%s: %q, want %q", header, got, want)
		}
	}
}

func TestDependencies(t *testing.T) {
	t.Parallel()
	got := dependencies(`// swift-tools-version:5.9
let package = Package(dependencies: [
  .package(id: "mona.LinkedList", from: "1.0.0"),
  .package(url: "https://git.test/x/Kit.git", .upToNextMinor(from: "2.0.0")),
  .package(name: "N", url: "https://git.test/y/", branch: "main"), // .package(id: "a.b", from: "1.0.0")
  /* .package(id: "c.d", from: "1.0.0"), */
  .package(id: "nonsense", from: "1.0.0"),
  .package(path: "../here"),
])`)
	want := []format.Dependency{
		{Namespace: "mona", Package: "LinkedList", Requirement: `from: "1.0.0"`}, {Package: "Kit", Requirement: `.upToNextMinor(from: "2.0.0")`}, {Package: "y", Requirement: `branch: "main"`},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// zipOf makes an archive of a package whose further entries have the header that edit makes.
func zipOf(t *testing.T, name, content string, edit func(*zip.FileHeader)) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, f := range [][2]string{{"a/Package.swift", "// swift-tools-version:5.9\n"}, {name, content}} {
		h := &zip.FileHeader{Name: f[0], Method: zip.Deflate}
		if f[0] == name {
			edit(h)
		}
		w, err := z.CreateHeader(h)
		if err == nil {
			_, err = w.Write([]byte(f[1]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestArchive(t *testing.T) {
	t.Parallel()
	file := func(*zip.FileHeader) {}
	link := func(h *zip.FileHeader) { h.SetMode(fs.ModeSymlink | 0o777) }
	for name, tt := range map[string]struct {
		archive []byte
		text    string // "": it is a package
	}{
		"file":            {zipOf(t, "a/b", "", file), ""},
		"link":            {zipOf(t, "a/b/c", "../Package.swift", link), ""},
		"link out":        {zipOf(t, "a/b", "../c", link), "is a link that leaves the package"},
		"link to root":    {zipOf(t, "a/b", "/etc/passwd", link), "is a link that leaves the package"},
		"device":          {zipOf(t, "a/b", "", func(h *zip.FileHeader) { h.SetMode(fs.ModeDevice) }), "is neither a file nor a folder"},
		"absolute":        {zipOf(t, "/a/b", "", file), "leaves the package"},
		"drive":           {zipOf(t, "c:/b", "", file), "leaves the package"},
		"backslash":       {zipOf(t, `a\..\b`, "", file), "leaves the package"},
		"twice":           {zipOf(t, "a/Package.swift", "", file), "is there twice"},
		"cut off":         {zipOf(t, "a/b", "", file)[:100], "is no ZIP file"},
		"big manifest":    {zipOf(t, "a/Package@swift-5.9.swift", strings.Repeat("x", maxManifest+1), file), "has more than 1024 KB"},
		"no UTF-8":        {zipOf(t, "a/Package@swift-5.9.swift", "// swift-tools-version:5.9\n\xff", file), "is not in UTF-8"},
		"bad variant":     {zipOf(t, "a/Package@swift-5.9.swift", "x", file), "Package@swift-5.9.swift does not begin with"},
		"no such variant": {zipOf(t, "a/Package@swift-5.9.1.2.swift", "x", file), ""},
		"nothing":         {swifttest.Zip(nil), "is empty"},
		"many manifests":  {manyManifests(), "has more than 50 manifests"},
	} {
		z, err := openArchive(bytes.NewReader(tt.archive), int64(len(tt.archive)))
		if err == nil {
			_, err = z.manifests()
		}
		if tt.text == "" && err != nil || tt.text != "" && (!errors.Is(err, registry.ErrInvalid) || !strings.Contains(err.Error(), tt.text)) {
			t.Errorf("%s: %v, want %q", name, err, tt.text)
		}
	}
}

func manyManifests() []byte {
	files := [][2]string{{"a/Package.swift", "// swift-tools-version:5.9\n"}}
	for i := range maxVariants {
		files = append(files, [2]string{"a/Package@swift-" + toolsVersion{5, i, 0}.String() + ".swift", "// swift-tools-version:5.9\n"})
	}
	return swifttest.Zip(files)
}

// TestBomb: an archive that says that it unpacks to far more than it has bytes is refused before anything is unpacked.
func TestBomb(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.CreateRaw(&zip.FileHeader{Name: "a/b", UncompressedSize64: 2 << 30, CompressedSize64: 3, Method: zip.Deflate})
	if err == nil {
		_, err = w.Write([]byte("abc"))
	}
	if err := errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := openArchive(bytes.NewReader(b.Bytes()), int64(b.Len())); !errors.Is(err, registry.ErrInvalid) || !strings.Contains(err.Error(), "unpacks to more than") {
		t.Errorf("%v", err)
	}
}
