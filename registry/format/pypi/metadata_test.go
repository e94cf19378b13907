package pypi

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
	"packhouse.dev/packhouse/registry/format/pypi/pypitest"
)

func TestDescribe(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		metadata string
		want     format.Description
	}{
		"new": {"Metadata-Version: 2.4\nName: My.Lib\nVersion: 1.0\nSummary: does\n  things\nLicense-Expression: MIT AND Apache-2.0\nProject-URL: Source Code, https://git.example.com/x\n" +
			"Project-URL: Homepage, https://example.com\nRequires-Dist: Foo_Bar[extra] (>=1.0) ; python_version < \"3.9\"\nRequires-Dist: plain\nRequires-Dist: !!\n\n# Readme\n",
			format.Description{
				DisplayName: "My.Lib", Summary: "does things", HomePage: "https://example.com", SourceCodeRepository: "https://git.example.com/x", Readme: "# Readme",
				Licenses: []format.License{{Name: "MIT AND Apache-2.0"}},
				Dependencies: []format.Dependency{
					{Package: "foo-bar", Type: "Requires-Dist", Requirement: `[extra] (>=1.0) ; python_version < "3.9"`}, {Package: "plain", Type: "Requires-Dist"},
				},
			}},
		"old": {"Metadata-Version: 1.0\r\nName: old\r\nVersion: 1\r\nSummary: UNKNOWN\r\nHome-page: http://example.com\r\nLicense: UNKNOWN\r\n" +
			"Classifier: License :: OSI Approved :: MIT License\r\nClassifier: Topic :: x\r\nDescription: First\r\n        second\r\n       |third\r\nPlatform: UNKNOWN\r\n",
			format.Description{DisplayName: "old", HomePage: "http://example.com", Licenses: []format.License{{Name: "MIT License"}}, Readme: "First\nsecond\nthird"}},
		"nothing fetched": {"", format.Description{DisplayName: "x"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, err := parseMetadata([]byte(tt.metadata))
			if err != nil {
				t.Fatal(err)
			}
			v := &registry.Version{ID: registry.VersionID{Package: registry.PackageID{Format: Name, Name: "x"}}, Document: document(m)}
			got, err := Format{}.Describe(v)
			if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
				t.Error(err, diff)
			}
		})
	}
}

// TestDocumentBounds: a package with endless metadata is published, and what is kept of it is bounded (guide: 400 KB).
func TestDocumentBounds(t *testing.T) {
	t.Parallel()
	m, err := parseMetadata([]byte("Name: x\nVersion: 1\nSummary: short\nLicense: " + strings.Repeat("x", 300<<10) + "\nAuthor: " + strings.Repeat("y", 200<<10) + "\n\n" + strings.Repeat("z", 1<<20)))
	if err != nil {
		t.Fatal(err)
	}
	doc := document(m)
	if len(doc) > maxHeader+maxDescription || bytes.Contains(doc, []byte("license:")) || !bytes.Contains(doc, []byte("author:")) || !bytes.HasPrefix(doc, []byte("name: x\nversion: 1\nsummary: short\n")) {
		t.Errorf("%d bytes: %.60q", len(doc), doc)
	}
	if _, err := parseMetadata(bytes.Repeat([]byte("a"), maxMetadata+1)); word(err) != "invalid" {
		t.Errorf("too long: %v", err)
	}
	if _, err := parseMetadata(bytes.Repeat([]byte("a:\n"), maxFields+1)); word(err) != "invalid" {
		t.Errorf("too many: %v", err)
	}
}

func TestRequiresPython(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		">=3.8": ">=3.8", " >= 3.8 ,\n <4 ": ">= 3.8 , <4", ">=2.7,!=3.0.*,": ">=2.7,!=3.0.*,", "~=3.6": "~=3.6", "===1!2+x": "===1!2+x",
		"3.8": "", "<script>": "", `>=3" onload="x`: "", ">=": "", "UNKNOWN": "",
	} {
		if got := cleanSpecifier(in); got != want {
			t.Errorf("cleanSpecifier(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzMetadata(f *testing.F) {
	f.Add([]byte(lib().Metadata()))
	f.Add([]byte("Name: x\r\n y\r\n\tz\rVersion:1\n\n body \n"))
	f.Add([]byte("\ufeffName : x\n: y\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := parseMetadata(raw)
		if err != nil {
			return
		}
		doc := document(m)
		v := &registry.Version{ID: registry.VersionID{Package: registry.PackageID{Format: Name, Name: "x"}}, Document: doc}
		if _, err := (Format{}).Describe(v); err != nil {
			t.Fatalf("what was stored cannot be read: %v", err)
		}
		again, err := parseMetadata(doc)
		if err != nil {
			t.Fatal(err)
		}
		for _, field := range []string{"name", "version", "summary", "requires-python"} {
			if len(doc) < 1000 && again.get(field) != m.get(field) {
				t.Fatalf("%s was %q and is stored as %q", field, m.get(field), again.get(field))
			}
		}
	})
}

// TestExtract reads documents from files of upstreams, and minds nothing.
func TestExtract(t *testing.T) {
	t.Parallel()
	d := lib()
	id := registry.VersionID{Package: registry.PackageID{Format: Name, Name: "my-lib"}, Version: "1"}
	tests := map[string]struct {
		name  string
		bytes []byte
		want  bool
	}{
		"wheel":           {d.WheelName(), d.Wheel(), true},
		"source":          {d.SourceName(), d.Source(), true},
		"damaged":         {d.WheelName(), d.Wheel()[1:], false},
		"of another":      {"My_Lib-1.0.0.tar.gz", pypitest.Dist{Name: "evil", Version: "1"}.Source(), false},
		"egg":             {"My_Lib-1.0.0-py3.8.egg", d.Wheel(), false},
		"another archive": {"My_Lib-1.0.0.tar.bz2", []byte("BZh"), false},
	}
	for name, tt := range tests {
		doc, err := Format{}.Extract(id, tt.name, stagedBytes(tt.bytes))
		if err != nil || (doc != nil) != tt.want {
			t.Errorf("%s: %q, %v", name, doc, err)
		}
	}
}
