package npm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

// fakeSource is an upstream with one document.
type fakeSource struct {
	asked format.SourceRequest
	body  string
	err   error
}

func (s *fakeSource) Document(_ context.Context, q format.SourceRequest) (*format.SourceDocument, error) {
	s.asked = q
	if s.err != nil {
		return nil, s.err
	}
	return &format.SourceDocument{URL: "https://up.test/npm/" + q.Path, Body: []byte(s.body)}, nil
}

func TestRemotePackage(t *testing.T) {
	t.Parallel()
	src := &fakeSource{body: `{"name":"@s/n","description":"d","dist-tags":{"latest":"1.0.0"},"time":{"1.0.0":"2020-01-01T00:00:00.000Z"},
		"versions":{"1.0.0":{"name":"@s/n","version":"1.0.0","dist":{"tarball":"https://up.test/odd/1","shasum":"0000000000000000000000000000000000000001"}}}}`}
	p, err := New().Package(t.Context(), src, npmID("@s/n"))
	if err != nil {
		t.Fatal(err)
	}
	want := format.SourceRequest{Path: "@s%2fn", Accept: "application/json", Class: format.ClassIndex, Types: []string{"application/json", "application/vnd.npm"}}
	if diff := cmp.Diff(want, src.asked); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
	v := p.Versions[0]
	if p.Summary != "d" || p.Tags[latest] != "1.0.0" || p.Modified != v.PublishedAt || v.PublishedAt.Year() != 2020 || v.Status != registry.Published || p.Size < 600 {
		t.Errorf("got %+v, %+v", p, v)
	}
	id := registry.VersionID{Package: npmID("@s/n"), Version: "1.0.0"}
	a, err := New().Asset(t.Context(), src, id, "n-1.0.0.tgz")
	if diff := cmp.Diff(&format.RemoteAsset{URL: "https://up.test/odd/1", Size: -1, Want: registry.Digests{SHA1: "0000000000000000000000000000000000000001"}}, a); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	if _, err := New().Asset(t.Context(), src, id, "n-1.0.0.sigstore"); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("another file: %v", err)
	}
	id.Version = "2.0.0"
	if _, err := New().Asset(t.Context(), src, id, "n-2.0.0.tgz"); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("another version: %v", err)
	}
	src.err = registry.ErrUnavailable
	if _, err := New().Package(t.Context(), src, npmID("@s/n")); !errors.Is(err, registry.ErrUnavailable) {
		t.Errorf("unavailable: %v", err)
	}
}

func TestDistDigests(t *testing.T) {
	t.Parallel()
	sum := func(c string, n int) string { return strings.Repeat(c, n) }
	one, two := "sha512-"+b64hex(sum("11", 64)), "sha512-"+b64hex(sum("22", 64))
	tests := map[string]registry.Digests{
		`{}`:                              {},
		`{"integrity":"` + one + `"}`:     {SHA512: sum("11", 64)},
		`{"integrity":"` + one + `?x=y"}`: {SHA512: sum("11", 64)},
		`{"integrity":"` + one + " " + two + `"}`:                                                    {},
		`{"integrity":" sha1-` + b64hex(sum("33", 20)) + "  sha256-" + b64hex(sum("44", 32)) + ` "}`: {SHA1: sum("33", 20), SHA256: sum("44", 32)},
		`{"shasum":"` + sum("AB", 20) + `"}`:                                                         {SHA1: sum("ab", 20)},
		`{"integrity":"sha512-AAAA","shasum":1}`:                                                     {},
		`{"integrity":["` + one + `"]}`:                                                              {},
	}
	for dist, want := range tests {
		if diff := cmp.Diff(want, distDigests([]byte(dist))); diff != "" {
			t.Errorf("%s:\n%s", dist, diff)
		}
	}
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	p, err := parsePackument(npmID("@s/n"), []byte(`{"name":"@s/n","readme":"# n","dist-tags":{"latest":"1.0.0"},"versions":{"1.0.0":{"name":"@s/n","version":"1.0.0",
		"description":"d","homepage":"https://n.test","repository":{"url":"git+https://n.test"},"licenses":[{"type":"MIT","url":"https://mit.test"},"ISC"],
		"dependencies":{"a":"^1","@b/c":"2","o":"3"},"devDependencies":{"d":"4"},"peerDependencies":{"p":"5"},"optionalDependencies":{"o":"3"},
		"dist":{"tarball":"https://up.test/x.tgz"}}}}`), "https://up.test/")
	if err != nil {
		t.Fatal(err)
	}
	got, err := New().Describe(p.Versions[0])
	if err != nil {
		t.Fatal(err)
	}
	want := format.Description{
		DisplayName: "n", Summary: "d", HomePage: "https://n.test", SourceCodeRepository: "https://n.test", Readme: "# n",
		Licenses: []format.License{{Name: "MIT", URL: "https://mit.test"}, {Name: "ISC"}},
		Dependencies: []format.Dependency{
			{Package: "a", Type: "regular", Requirement: "^1"}, {Namespace: "b", Package: "c", Type: "regular", Requirement: "2"},
			{Package: "d", Type: "dev", Requirement: "4"}, {Package: "p", Type: "peer", Requirement: "5"}, {Package: "o", Type: "optional", Requirement: "3"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for doc, want := range map[string][]format.License{
		`{"license":"MIT"}`:                    {{Name: "MIT"}},
		`{"license":{"type":"MIT","url":"u"}}`: {{Name: "MIT", URL: "u"}},
		`{"license":["MIT","ISC"]}`:            {{Name: "MIT"}, {Name: "ISC"}},
		`{"license":7,"licenses":"BSD"}`:       {{Name: "BSD"}},
		`{}`:                                   nil,
	} {
		if diff := cmp.Diff(want, licenses([]byte(doc))); diff != "" {
			t.Errorf("%s: %s", doc, diff)
		}
	}
	if _, err := New().Describe(&registry.Version{Document: []byte("x")}); !errors.Is(err, errManifest) {
		t.Errorf("damaged document: %v", err)
	}
}

// FuzzPackument: whatever an upstream sends, what is taken of it renders as JSON, and every version that is shown has its address
// here.
func FuzzPackument(f *testing.F) {
	files, err := filepath.Glob("testdata/packuments/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		upstream, err := parseJSON(txtar.Parse(b).Files[0].Data)
		if err != nil {
			continue
		}
		f.Add(bytes.ReplaceAll(upstream, []byte("@s/n"), []byte("n")))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := parsePackument(npmID("n"), body, "https://up.test/n")
		if err != nil {
			if !errors.Is(err, registry.ErrInvalid) && !errors.Is(err, registry.ErrNotFound) {
				t.Fatalf("unexpected error %v", err)
			}
			return
		}
		view := viewOf(npmID("n"), p)
		for _, render := range []func(*format.PackageView) (*format.Rendered, error){renderFull, renderAbbreviated, renderTags} {
			r, err := render(view)
			if err != nil {
				t.Fatal(err)
			}
			var doc struct {
				Versions map[string]struct{ Dist struct{ Tarball string } }
			}
			if !json.Valid(r.Body) {
				t.Fatalf("not JSON: %s", r.Body)
			}
			_ = json.Unmarshal(r.Body, &doc) // other members may have any type
			for v, d := range doc.Versions {
				if d.Dist.Tarball != "" && !strings.HasPrefix(d.Dist.Tarball, "http://packhouse.test/d-1/npm/r/n/-/n-") {
					t.Fatalf("%s is at %q", v, d.Dist.Tarball)
				}
			}
		}
		for _, v := range p.Versions {
			if _, err := New().Describe(v); err != nil {
				t.Fatal(err)
			}
		}
	})
}
