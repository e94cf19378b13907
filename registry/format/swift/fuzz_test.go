package swift

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format/swift/swifttest"
)

func FuzzPath(f *testing.F) {
	for _, s := range []string{"", "login", "mona/LinkedList.json", "mona/LinkedList/1.0.0-a.zip", "mona/LinkedList/1.0.0%2Bb/Package.swift", "%2e%2e/a/b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		a, err := parsePath(path)
		if err != nil {
			if !errors.Is(err, registry.ErrInvalid) && !errors.Is(err, registry.ErrNotFound) {
				t.Errorf("%q: %v", path, err)
			}
			return
		}
		if a.op < opReleases {
			return
		}
		if id, err := (names{}).Package(a.id.Namespace, a.id.Name); err != nil || id != a.id {
			t.Errorf("%q: %v is not normalised", path, a.id)
		}
		if a.op != opReleases {
			again, err := parsePath(releasePath(identifier(a.scope, a.name), strings.ReplaceAll(a.version, "%", "%25")))
			if err != nil || again.id != a.id || again.version != a.version && !strings.HasSuffix(a.version, ".zip") && !strings.HasSuffix(a.version, ".json") {
				t.Errorf("%q: %+v is written as %+v, %v", path, a, again, err)
			}
		}
	})
}

func FuzzArchive(f *testing.F) {
	f.Add(swifttest.Package{Scope: "a", Name: "B", Version: "1.0.0", Manifests: map[string]string{"Package@swift-5.9.swift": "5.9"}, Files: map[string]string{"README.md": "r"}}.Archive())
	f.Add(swifttest.Zip([][2]string{{"a/../b", "x"}, {"c:/d", ""}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		z, err := openArchive(bytes.NewReader(b), int64(len(b)))
		if err == nil {
			var list []variant
			if list, err = z.manifests(); err == nil && (len(list) == 0 || list[0].name != manifestFile) {
				t.Errorf("manifests %+v", list)
			}
		}
		if err != nil {
			if !errors.Is(err, registry.ErrInvalid) && !errors.Is(err, registry.ErrTooLarge) {
				t.Errorf("%v", err)
			}
			return
		}
		if readme, err := z.readme(); err == nil && (len(readme) > 3*maxReadme || !utf8.ValidString(readme)) {
			t.Errorf("a readme of %d bytes", len(readme))
		}
	})
}

func FuzzManifest(f *testing.F) {
	f.Add(swifttest.Package{Name: "A"}.Manifest("5.9"), "5.9.0")
	f.Add("\n//\u00a0swift-tools-version:6.0;x\r\n/* .package(id: \"a.b\", from: \"1\") */", "5")
	f.Fuzz(func(t *testing.T, text, asked string) {
		if v, ok := declaredTools(text); ok {
			if again, ok := parseTools(v.String()); !ok || again != v {
				t.Errorf("%q: %v is written %s", text, v, v)
			}
		}
		if v, ok := parseTools(asked); ok {
			if again, ok := parseTools(v.full()); !ok || again != v {
				t.Errorf("%q: %v is written %s", asked, v, v.full())
			}
		}
		if got := dependencies(text); len(got) > maxDependencies {
			t.Errorf("%d dependencies", len(got))
		}
	})
}

func FuzzVariants(f *testing.F) {
	f.Add("Package@swift-5.swift 5.0\nPackage@swift-5.0.swift 5.1", "5.0.0")
	f.Fuzz(func(t *testing.T, lines, asked string) {
		list := []variant{{name: manifestFile, tools: toolsVersion{5, 1, 0}}}
		for line := range strings.Lines(lines) {
			name, tools, _ := strings.Cut(strings.TrimSpace(line), " ")
			if v, ok := named(name); ok && v.suffix != "" {
				v.tools, _ = parseTools(tools)
				list = append(list, v)
			}
		}
		seen := []toolsVersion{list[0].tools}
		for _, v := range advertised(list) {
			if slices.Contains(seen, v.version) {
				t.Errorf("%q: %s twice", lines, v.version)
			}
			seen = append(seen, v.version)
			want, ok := parseTools(v.version.full())
			if c := choose(list, want); !ok || c == nil || c.version != v.version {
				t.Errorf("%q: %s is advertised, and %+v chosen", lines, v.name, c)
			}
		}
		if want, ok := parseTools(asked); ok {
			if c := choose(list, want); c != nil && c.version != want && c.tools != want {
				t.Errorf("%q: for %s %+v is chosen", lines, asked, c)
			}
		}
	})
}

func FuzzMetadata(f *testing.F) {
	f.Add([]byte(`{"author":{"name":"a","organization":{"name":"b"}},"description":"d","repositoryURLs":["https://a.test/b"],"originalPublicationTime":"2024-01-31T12:00:00Z"}`))
	f.Add([]byte(` [null]`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := checkMetadata(raw)
		if err != nil {
			if !errors.Is(err, registry.ErrInvalid) {
				t.Errorf("%v", err)
			}
			return
		}
		if s := m.summary(); len(s) > maxSummary {
			t.Errorf("a summary of %d bytes", len(s))
		}
		for _, u := range m.RepositoryURLs {
			if key := repositoryKey(u); key != strings.ToLower(key) {
				t.Errorf("%q: key %q", u, key)
			}
		}
		// what a client reads of it has the types that it wants
		var decoded struct {
			Author *struct {
				Name         *string `json:"name"`
				Organization *struct {
					Name *string `json:"name"`
				} `json:"organization"`
			} `json:"author"`
			Description    *string  `json:"description"`
			RepositoryURLs []string `json:"repositoryURLs"`
		}
		if err := json.Unmarshal(raw, &decoded); err != nil && !bytes.ContainsAny(raw, "\\") && json.Valid(raw) && onlyExactKeys(raw) {
			t.Errorf("%s: %v", raw, err)
		}
	})
}

// onlyExactKeys says whether raw has no key that Go takes for another one because it does not look at letter case.
func onlyExactKeys(raw []byte) bool {
	lower := strings.ToLower(string(raw))
	for _, key := range []string{"author", "name", "organization", "description", "repositoryURLs"} {
		if strings.Count(lower, `"`+strings.ToLower(key)+`"`) != strings.Count(string(raw), `"`+key+`"`) {
			return false
		}
	}
	return utf8.Valid(raw) && !strings.ContainsAny(string(raw), "ſK")
}

func FuzzRelease(f *testing.F) {
	id := registry.VersionID{Package: registry.PackageID{Format: Name, Namespace: "mona", Name: "lib"}, Version: "1.0.0"}
	f.Add([]byte(`{"id":"Mona.Lib","version":"1.0.0","resources":[{"name":"source-archive","checksum":"` + strings.Repeat("ab", 32) + `","signing":{"signatureBase64Encoded":"x","signatureFormat":"cms-1.0.0"}}],"metadata":{"description":"d"},"publishedAt":"2023-02-16T04:00:00.123Z"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, checksum, err := parseRelease(id, body)
		if err != nil {
			if !errors.Is(err, registry.ErrInvalid) {
				t.Errorf("%v", err)
			}
			return
		}
		info, err := r.encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := decodeRelease(info)
		if err != nil || again.ID != r.ID || len(checksum) != 64 {
			t.Errorf("%s: %+v %q %v", info, again, checksum, err)
		}
		if s := r.Signing; s != nil && strings.ContainsAny(s.Signature+s.Format, "\r\n\x00") {
			t.Errorf("a header with %q", s)
		}
	})
}

func FuzzReleases(f *testing.F) {
	f.Add([]byte(`{"releases":{"1.0.0":{"url":"https://a.test"},"1.1.0":{"problem":{"status":410}},"x":{}}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		list, err := parseReleases(body)
		if err != nil {
			if !errors.Is(err, registry.ErrInvalid) {
				t.Errorf("%v", err)
			}
			return
		}
		for _, v := range list {
			if _, err := (names{}).Version(v); err != nil {
				t.Errorf("%v", err)
			}
		}
	})
}

func FuzzLinks(f *testing.F) {
	f.Add(`<https://a.test/?page=2>; rel="next", <x>;filename="y"; swift-tools-version="5.9"`)
	f.Fuzz(func(t *testing.T, header string) {
		list := parseLinks([]string{header, header})
		if len(list) > maxLinks {
			t.Errorf("%d links", len(list))
		}
		for _, l := range list {
			if l.url == "" || strings.ContainsAny(l.url, "<>") {
				t.Errorf("%q: %q", header, l.url)
			}
		}
	})
}
