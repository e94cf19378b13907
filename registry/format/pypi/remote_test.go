package pypi

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

// served is an upstream with one document.
type served struct {
	contentType, url string
	body             []byte
	asked            format.SourceRequest
}

func (s *served) Document(_ context.Context, q format.SourceRequest) (*format.SourceDocument, error) {
	s.asked = q
	if s.body == nil {
		return nil, registry.ErrNotFound
	}
	return &format.SourceDocument{URL: s.url, ContentType: s.contentType, Body: s.body}, nil
}

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// summary writes a package in a line for each file.
func summary(p *format.RemotePackage) string {
	var b strings.Builder
	for _, v := range p.Versions {
		f, err := flagsOf(v)
		if err != nil {
			return err.Error()
		}
		fmt.Fprintf(&b, "%s (%s)", v.ID.Version, v.Display)
		if !v.PublishedAt.IsZero() {
			b.WriteString(" " + v.PublishedAt.Format(uploadTime))
		}
		b.WriteString("\n")
		for i := range v.Assets {
			a := &v.Assets[i]
			fmt.Fprintf(&b, "  %s %d <%s>", a.Name, a.Size, a.Source)
			if s := a.Digests.Strongest(); s != "" {
				b.WriteString(" " + s[:min(12, len(s))])
			}
			if info := infoOf(a); info.RequiresPython != "" {
				b.WriteString(" python" + info.RequiresPython)
			}
			if reason, ok := f.Yanked[a.Name]; ok {
				fmt.Fprintf(&b, " yanked %q", reason)
			}
			if !a.Listed {
				b.WriteString(" hidden")
			}
			b.WriteString("\n")
		}
	}
	return b.String()
}

func TestRemotePages(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		file, contentType, url, want string
	}{
		"pypi.org": {"pypi.json", typeJSON, "https://index.example.com/simple/lib/", `
1 (1.0) 2024-01-02T03:04:05.678901Z
  lib-1.0-py3-none-any.whl 1234 <https://files.example.com/packages/aa/lib-1.0-py3-none-any.whl> sha256:aaaaa python>=3.8
  lib-1.0-py3-none-any.whl.metadata -1 <https://files.example.com/packages/aa/lib-1.0-py3-none-any.whl.metadata> sha256:bbbbb hidden
  lib-1.0.tar.gz 99 <https://index.example.com/packages/bb/lib-1.0.tar.gz> yanked "broken build"
1.1 (1.1)
  lib-1.1-py3-none-any.whl -1 <https://index.example.com/simple/lib/lib-1.1-py3-none-any.whl> yanked ""
  lib-1.1-py3-none-any.whl.metadata -1 <https://index.example.com/simple/lib/lib-1.1-py3-none-any.whl.metadata> hidden
1.6 (1.6)
  lib-1.6.tar.gz -1 <https://index.example.com/simple/lib/lib-1.6.tar.gz>
`},
		"PEP 503, as odd as pages are": {"pep503.html", "text/html; charset=UTF-8", "https://index.example.com/simple/lib/", `
2004d (2004d)
  lib-2004d.tar.bz2 -1 <https://files.example.com/packages/lib-2004d.tar.bz2>
1 (1.0)
  lib-1.0.tar.gz -1 <https://files.example.com/packages/aa/bb/lib-1.0.tar.gz> md5:01234567
  lib-1.0-py3-none-any.whl -1 <https://files.example.com/lib-1.0-py3-none-any.whl> sha256:aaaaa python>=3.6, <4
  lib-1.0-py3-none-any.whl.metadata -1 <https://files.example.com/lib-1.0-py3-none-any.whl.metadata> hidden
1.1 (1.1)
  lib-1.1-py3-none-any.whl -1 <https://files.example.com/root/lib-1.1-py3-none-any.whl> yanked ""
  lib-1.1-py3-none-any.whl.metadata -1 <https://files.example.com/root/lib-1.1-py3-none-any.whl.metadata> sha256:bbbbb hidden
1.2+local.1 (1.2+local.1)
  lib-1.2+local.1.tar.gz -1 <https://other.example.com/d/lib-1.2%2Blocal.1.tar.gz?token=1> yanked "bad \"release\""
1.3 (1.3)
  lib-1.3.zip -1 <https://cdn.example.com/lib-1.3.zip>
`},
		"python -m http.server": {"http.server.html", "text/html; charset=utf-8", "http://127.0.0.1:8000/lib/", `
2004d (2004d)
  lib-2004d.zip -1 <http://127.0.0.1:8000/lib/lib-2004d.zip>
1 (1.0)
  lib-1.0-py3-none-any.whl -1 <http://127.0.0.1:8000/lib/lib-1.0-py3-none-any.whl>
  lib-1.0.tar.gz -1 <http://127.0.0.1:8000/lib/lib-1.0.tar.gz>
1.1+local.1 (1.1+local.1)
  lib-1.1+local.1-py3-none-any.whl -1 <http://127.0.0.1:8000/lib/lib-1.1%2Blocal.1-py3-none-any.whl>
`},
	}
	id := registry.PackageID{Format: Name, Name: "lib"}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			src := &served{contentType: tt.contentType, url: tt.url, body: fixture(t, tt.file)}
			p, err := Format{}.Package(t.Context(), src, id)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := summary(p), strings.TrimPrefix(tt.want, "\n"); got != want {
				t.Errorf("got\n%swant\n%s", got, want)
			}
			if src.asked.Path != "lib/" || !strings.HasPrefix(src.asked.Accept, typeJSON) || src.asked.Class != format.ClassIndex {
				t.Errorf("asked %+v", src.asked)
			}
			a, err := Format{}.Asset(t.Context(), src, registry.VersionID{Package: id, Version: "1"}, "lib-1.0-py3-none-any.whl")
			if err != nil || a.Hidden || a.URL == "" {
				t.Errorf("asset %+v, %v", a, err)
			}
			if _, err := (Format{}).Asset(t.Context(), src, registry.VersionID{Package: id, Version: "1"}, "nothing.whl"); !errors.Is(err, registry.ErrNotFound) {
				t.Errorf("an unknown file: %v", err)
			}
		})
	}
}

func TestRemoteRefusals(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ contentType, body, want string }{
		"JSON of another version": {typeJSON, `{"meta":{"api-version":"2.0"},"files":[]}`, "invalid"},
		"JSON without a version":  {typeJSON, `{"files":[]}`, "invalid"},
		"not JSON":                {typeJSON, `<html>`, "invalid"},
		"HTML of another version": {typeText, `<meta name="pypi:repository-version" content="2.0"><a href="lib-1.0.tar.gz">x</a>`, "invalid"},
		"quarantine":              {typeJSON, `{"meta":{"api-version":"1.4"},"project-status":{"status":"quarantined"},"files":[{"filename":"lib-1.0.tar.gz","url":"a/lib-1.0.tar.gz","hashes":{}}]}`, "not found"},
		"quarantine in HTML":      {typeHTML, `<meta name="pypi:project-status" content="quarantined"><a href="lib-1.0.tar.gz">x</a>`, "not found"},
		"nothing":                 {typeHTML, ``, "not found"},
		"an endless tag":          {typeHTML, `<a href="` + strings.Repeat("x", maxToken+10) + `">`, "invalid"},
		"deep JSON":               {typeJSON, strings.Repeat(`[`, 20_000), "invalid"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Format{}.Package(t.Context(), &served{tt.contentType, "https://index.example.com/simple/lib/", []byte(tt.body), format.SourceRequest{}}, registry.PackageID{Format: Name, Name: "lib"})
			if word(err) != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
	if _, err := (Format{}).Package(t.Context(), &served{}, registry.PackageID{Format: Name, Name: "lib"}); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("no page: %v", err)
	}
}

func FuzzPage(f *testing.F) {
	for _, name := range []string{"pypi.json", "pep503.html", "http.server.html"} {
		f.Add(name == "pypi.json", fixture(f, name))
	}
	f.Add(false, []byte(`<a href="lib-1.0.tar.gz#sha256=&amp;">`))
	f.Fuzz(func(t *testing.T, isJSON bool, body []byte) {
		src := &served{contentType: typeHTML, url: "https://index.example.com/simple/lib/", body: body}
		if isJSON {
			src.contentType = typeJSON
		}
		if body == nil {
			src.body = []byte{}
		}
		id := registry.PackageID{Format: Name, Name: "lib"}
		p, err := Format{}.Package(t.Context(), src, id)
		if err != nil {
			if word(err) == "" {
				t.Fatalf("%v has no meaning", err)
			}
			return
		}
		view := &format.PackageView{ID: id, URL: func(path string) string { return "https://packhouse.test/" + path }}
		for _, v := range p.Versions {
			if key, err := (names{}).Version(v.ID.Version); err != nil || key != v.ID.Version {
				t.Fatalf("version %q is not normalised", v.ID.Version)
			}
			for _, a := range v.Assets {
				if !strings.HasPrefix(a.Source, "http://") && !strings.HasPrefix(a.Source, "https://") {
					t.Fatalf("source %q", a.Source)
				}
				if _, err := (names{}).Asset(a.Name); err != nil {
					t.Fatal(err)
				}
			}
		}
		view.Versions = p.Versions
		for _, rep := range []representation{repJSON, repLegacy} {
			r, err := renderProject(view, rep)
			if err != nil {
				t.Fatal(err)
			}
			// What we render, we read, and it has the same files.
			again, err := parsePage(r.ContentType, r.Body, "https://packhouse.test/simple/lib/")
			if err != nil {
				t.Fatalf("%s page cannot be read: %v\n%s", rep, err, r.Body)
			}
			listed := 0
			for _, v := range p.Versions {
				for _, a := range v.Assets {
					if a.Listed {
						listed++
					}
				}
			}
			if len(again) != listed {
				t.Fatalf("%s page has %d files, want %d", rep, len(again), listed)
			}
			for _, file := range again {
				if !strings.HasPrefix(file.url, "https://packhouse.test/simple/lib/") {
					t.Fatalf("%s page leads to %s", rep, file.url)
				}
			}
		}
	})
}
