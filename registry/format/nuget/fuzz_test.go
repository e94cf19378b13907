package nuget

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"testing"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
	"packhouse.dev/packhouse/registry/format/nuget/nugettest"
)

func FuzzVersion(f *testing.F) {
	for _, s := range []string{"1.0", "1.2.3.4-beta.1+x", "01.0-a", "[1.0,2.0)", "(,)"} {
		f.Add(s, "1.0.0-a")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		v, err := parseVersion(a)
		if err == nil {
			again, err := parseVersion(v.key())
			if err != nil || again.key() != v.key() || again.compare(v) != 0 {
				t.Errorf("%q: key %q is not its own key: %v", a, v.key(), err)
			}
			if w, err := parseVersion(b); err == nil && v.compare(w) != -w.compare(v) {
				t.Errorf("%q and %q are in two orders", a, b)
			}
		}
		if r, err := parseRange(a); err == nil {
			if again, err := parseRange(r.String()); err != nil || again.String() != r.String() {
				t.Errorf("%q: %q is not its own form: %v", a, r, err)
			}
		}
	})
}

func FuzzPath(f *testing.F) {
	for _, s := range []string{"v3/index.json", "v3/flatcontainer/lib/1.0.0/lib.1.0.0.nupkg", "v3/registration/lib/page/1.0/2.0.json", "v3/package/%41/1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		got, err := parsePath(path)
		if err != nil {
			if !errors.Is(err, registry.ErrNotFound) {
				t.Errorf("%q: %v", path, err)
			}
			return
		}
		if got.id != (registry.PackageID{}) {
			if id, err := (names{}).Package("", got.id.Name); err != nil || id != got.id {
				t.Errorf("%q: %v is not normalised", path, got.id)
			}
		}
	})
}

func FuzzManifest(f *testing.F) {
	f.Add([]byte(nugettest.Package{ID: "A", Version: "1.0", Dependencies: map[string][][2]string{"net8.0": {{"B", "[1,2)"}}}}.Spec()))
	f.Add([]byte("\xff\xfe<\x00"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := parseManifest(raw)
		if err != nil {
			if !errors.Is(err, registry.ErrInvalid) {
				t.Errorf("%v", err)
			}
			return
		}
		if id, err := m.versionID(); err != nil || id.Version == "" {
			t.Errorf("%v %v", id, err)
		}
		if _, err := json.Marshal(m.entry); err != nil {
			t.Error(err)
		}
	})
}

func FuzzArchive(f *testing.F) {
	p := nugettest.Package{ID: "A", Version: "1.0", Files: map[string]string{"r.md": "r", "i.png": "i"}, More: "<readme>r.md</readme><icon>i.png</icon>"}
	f.Add(p.File())
	f.Add(p.Symbols())
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := openArchive(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			if !errors.Is(err, registry.ErrInvalid) {
				t.Errorf("%v", err)
			}
			return
		}
		for _, part := range []file{fileNuspec, fileReadme, fileIcon, fileLicense} {
			if out, err := a.part(part); err == nil && len(out.Body) > maxNuspec {
				t.Errorf("part %d has %d bytes", part, len(out.Body))
			}
		}
	})
}

func FuzzRegistration(f *testing.F) {
	f.Add([]byte(`{"items":[{"items":[{"packageContent":"x","catalogEntry":{"id":"Lib","version":"1.0+a","tags":"a","listed":false,"published":"2024-01-01T00:00:00Z","dependencyGroups":[{"dependencies":[{"id":"B"}]}]}}]}]}`))
	f.Add([]byte(`{"items":[{"@id":"page"}]}`))
	base, err := url.Parse("https://up.test/reg/lib/index.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var index remoteIndex
		if json.Unmarshal(body, &index) != nil {
			return
		}
		id := registry.PackageID{Format: Name, Name: "lib"}
		p := &format.RemotePackage{}
		r := &registrationReader{service: &service{home: base, container: "https://up.test/flat/"}, id: id, into: p, seen: map[string]bool{}}
		for _, page := range index.Items {
			for _, item := range page.Items {
				if err := r.add(item, base); err != nil {
					t.Error(err)
				}
			}
		}
		view := &format.PackageView{ID: id, Versions: p.Versions, URL: func(s string) string { return "https://ours.test/" + s }}
		if len(p.Versions) == 0 {
			return
		}
		for _, h := range []string{hivePlain, hiveSemVer2} {
			out, err := hive{h}.renderIndex(view)
			if err != nil && !errors.Is(err, registry.ErrNotFound) {
				t.Error(err)
			}
			if err == nil && !json.Valid(out.Body) {
				t.Errorf("%s", out.Body)
			}
		}
		for _, v := range p.Versions {
			if _, err := New().Describe(v); err != nil {
				t.Error(err)
			}
		}
		if _, err := (searchList{}).Entry(view); err != nil {
			t.Error(err)
		}
	})
}

func FuzzVulnerabilities(f *testing.F) {
	f.Add([]byte(`{"lib":[{"severity":2,"url":"https://a.test","versions":"[1.0, )"}]}`))
	f.Add([]byte("[]"))
	f.Fuzz(func(t *testing.T, body []byte) {
		into := map[registry.PackageID][]vulnerability{}
		if err := parseVulnerabilities(body, into); err != nil {
			return
		}
		var b strings.Builder
		_, err := vulnerabilityList{}.Assemble(&b, func(yield func(registry.PackageID, []byte) bool) {
			for id, list := range into {
				raw, err := json.Marshal(list)
				if err != nil {
					t.Error(err)
				}
				if !yield(id, raw) {
					return
				}
			}
		})
		if err != nil || !json.Valid([]byte(b.String())) {
			t.Errorf("%v %s", err, b.String())
		}
	})
}
