package npm

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestGolden renders upstream packuments. Each archive in testdata/packuments has "upstream", the packument as an upstream sends it,
// and what comes of it: "full", "abbreviated", "dist-tags", "version latest", and "error" where it is refused.
func TestGolden(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/packuments/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no golden files", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := txtar.Archive{Comment: archive.Comment, Files: archive.Files[:1]}
			name, _, _ := strings.Cut(strings.TrimSpace(string(archive.Comment)), " ")
			got.Files = append(got.Files, rendered(t, npmID(name), archive.Files[0].Data)...)
			if *update {
				if err := os.WriteFile(file, txtar.Format(&got), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(txtar.Format(archive)), string(txtar.Format(&got))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func rendered(t *testing.T, id registry.PackageID, upstream []byte) []txtar.File {
	t.Helper()
	p, err := parsePackument(id, upstream, "https://up.test/npm/"+escapedName(id))
	if err != nil {
		return []txtar.File{{Name: "error", Data: []byte(err.Error() + "\n")}}
	}
	view := viewOf(id, p)
	var out []txtar.File
	for _, kind := range []struct {
		name   string
		render func(*format.PackageView) (*format.Rendered, error)
	}{
		{kindFull, renderFull}, {kindAbbreviated, renderAbbreviated}, {kindTags, renderTags},
		{kindVersion + latest, func(v *format.PackageView) (*format.Rendered, error) { return renderVersion(v, latest) }},
	} {
		r, err := kind.render(view)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := json.Indent(&b, r.Body, "", " "); err != nil {
			t.Fatalf("%s is not JSON: %v\n%s", kind.name, err, r.Body)
		}
		out = append(out, txtar.File{Name: kind.name, Data: append(b.Bytes(), '\n')})
	}
	var assets strings.Builder
	for _, v := range view.Versions {
		a := v.Assets[0]
		fmt.Fprintf(&assets, "%s %s from %s %s\n", v.ID.Version, a.Name, a.Source, a.Digests.Strongest())
	}
	return append(out, txtar.File{Name: "assets", Data: []byte(assets.String())})
}

func viewOf(id registry.PackageID, p *format.RemotePackage) *format.PackageView {
	sortVersions(p.Versions)
	return &format.PackageView{
		ID: id, Display: fullName(id), Versions: p.Versions, Tags: p.Tags, Modified: p.Modified, Revision: 7,
		URL: func(path string) string { return "http://packhouse.test/d-1/npm/r/" + path },
	}
}

func TestWantsAbbreviated(t *testing.T) {
	t.Parallel()
	tests := map[string]bool{
		"": false, "*/*": false, "application/json": false, "text/html": false,
		abbreviatedType: true,
		abbreviatedType + "; q=1.0, application/json; q=0.8, */*": true,
		abbreviatedType + ", */*":                                 true,
		abbreviatedType + ", application/json":                    true,
		"application/json; q=1.0, */*":                            false,
		"application/json, " + abbreviatedType + ";q=0.5":         false,
		abbreviatedType + ";q=0":                                  false,
		abbreviatedType + ";q=x, */*":                             false,
		strings.ToUpper(abbreviatedType):                          true,
	}
	for accept, want := range tests {
		if got := wantsAbbreviated([]string{accept}); got != want {
			t.Errorf("%q: %v, want %v", accept, got, want)
		}
	}
}

// The two documents have one address: type, tag and Vary keep caches from mixing them.
func TestPackumentHeaders(t *testing.T) {
	t.Parallel()
	repo := newFake()
	publish(t, repo, "n", "1.0.0", "latest", entry{name: "package/README.md", body: strings.Repeat("readme ", 1000)})
	full := do(t, repo, "GET", "n", nil)
	short := do(t, repo, "GET", "n", nil, "Accept", abbreviatedType)
	forWriting := do(t, repo, "GET", "n?write=true", nil, "Accept", abbreviatedType)
	zipped := do(t, repo, "GET", "n", nil, "Accept-Encoding", "gzip")
	get := func(w *httptest.ResponseRecorder, k string) string { return w.Header().Get(k) }
	if get(full, "Content-Type") != fullType || get(short, "Content-Type") != abbreviatedType || get(forWriting, "Content-Type") != fullType {
		t.Errorf("types %q, %q, %q", get(full, "Content-Type"), get(short, "Content-Type"), get(forWriting, "Content-Type"))
	}
	tags := map[string]bool{}
	for _, w := range []*httptest.ResponseRecorder{full, short, zipped} {
		tags[get(w, "Etag")] = true
		if get(w, "Vary") != "Accept, Accept-Encoding, Authorization" || get(w, "Cache-Control") != "private, no-cache" || get(w, "Last-Modified") == "" || get(w, "Content-Length") == "" {
			t.Errorf("headers %v", w.Header())
		}
		again := do(t, repo, "GET", "n", nil, "Accept", get(w, "Content-Type"), "Accept-Encoding", get(w, "Content-Encoding"), "If-None-Match", get(w, "Etag"))
		if again.Code != 304 || again.Body.Len() != 0 || get(again, "Vary") == "" {
			t.Errorf("revalidation: %d %v", again.Code, again.Header())
		}
	}
	if len(tags) != 3 || get(zipped, "Content-Encoding") != "gzip" {
		t.Errorf("tags %v", tags)
	}
	for _, leak := range []string{"readme", `"_id"`, `"_rev"`, `"gitHead"`} {
		if strings.Contains(short.Body.String(), leak) {
			t.Errorf("the abbreviated document has %s", leak)
		}
	}
}

func TestVersionDocument(t *testing.T) {
	t.Parallel()
	repo := newFake()
	publish(t, repo, "n", "1.0.0", "latest")
	for path, want := range map[string]int{"n/1.0.0": 200, "n/v1.0.0": 200, "n/1.0.0+b": 200, "n/latest": 200, "n/2.0.0": 404, "n/nothing": 404, "n/__proto__": 404, "m/1.0.0": 404} {
		w := do(t, repo, "GET", path, nil)
		if w.Code != want || want == 404 && !strings.HasPrefix(w.Body.String(), `{"error":"`) {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

// A tag of a hidden version is not in the view; what clients need is repaired, in the right direction.
func TestLatestIsRepaired(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		versions []string
		tags     map[string]string
		want     string
	}{
		"as set":                     {[]string{"1.0.0", "2.0.0"}, map[string]string{"latest": "1.0.0"}, "latest=1.0.0"},
		"missing":                    {[]string{"1.0.0", "2.0.0", "3.0.0-rc.1"}, nil, "latest=2.0.0"},
		"dangling":                   {[]string{"1.0.0", "1.10.0"}, map[string]string{"latest": "9.0.0", "next": "9.0.0"}, "latest=1.10.0"},
		"prereleases only":           {[]string{"1.0.0-a", "1.0.0-b"}, map[string]string{"b": "1.0.0-a"}, "b=1.0.0-a latest=1.0.0-b"},
		"a prerelease that was told": {[]string{"1.0.0", "2.0.0-a"}, map[string]string{"latest": "2.0.0-a"}, "latest=2.0.0-a"},
	}
	for name, tt := range tests {
		view := &format.PackageView{Tags: tt.tags}
		for _, v := range tt.versions {
			view.Versions = append(view.Versions, &registry.Version{ID: registry.VersionID{Version: v}})
		}
		var got []string
		for _, x := range viewTags(view) {
			got = append(got, x.name+"="+x.key)
		}
		if g := strings.Join(got, " "); g != tt.want {
			t.Errorf("%s: %s, want %s", name, g, tt.want)
		}
	}
}

// The map of times is complete or absent in the abbreviated document: pnpm throws a partial one away.
func TestPartialTimes(t *testing.T) {
	t.Parallel()
	p := upstreamPackage(t, "n", nil, "1.0.0", "2.0.0")
	p.Versions[0].PublishedAt = fakeTime
	short, err := renderAbbreviated(viewOf(npmID("n"), p))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(short.Body), `"time"`) {
		t.Errorf("partial: %s", short.Body)
	}
	p.Versions[1].PublishedAt = fakeTime.Add(time.Hour)
	short, err = renderAbbreviated(viewOf(npmID("n"), p))
	if err != nil {
		t.Fatal(err)
	}
	const want = `"time":{"created":"2026-01-02T03:04:05.678Z","modified":"2026-01-02T04:04:05.678Z","1.0.0":"2026-01-02T03:04:05.678Z","2.0.0":"2026-01-02T04:04:05.678Z"}`
	if !strings.Contains(string(short.Body), want) {
		t.Errorf("got %s\nwant %s", short.Body, want)
	}
}

func TestManifestRoundTrip(t *testing.T) {
	t.Parallel()
	m := manifest{core: []byte(`{"a":1}`), more: []byte(`{"b":"\n"}`), dist: []byte(`{}`), page: []byte(`{"readme":"x"}`)}
	got, err := decodeManifest(m.encode())
	if diff := cmp.Diff(m, got, cmp.AllowUnexported(manifest{})); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	for _, bad := range []string{"", "npm1 ", "npm2 2 2 2 2\n{}{}{}{}", "npm1 2 2 2\n{}{}{}", "npm1 2 2 2 2\n{}{}{}", "npm1 2 2 2 2\n{}{}{}{}x", "npm1 2 2 2 9\n{}{}{}{}", "npm1 -2 2 2 2\n{}{}{}{}", "npm1 2 2 2 2\n[]{}{}{}"} {
		if _, err := decodeManifest([]byte(bad)); !errors.Is(err, errManifest) {
			t.Errorf("decodeManifest(%q): %v", bad, err)
		}
	}
}

// What is above 400 KB is left out; what an installation needs stays (readings 2.9).
func TestLargeManifest(t *testing.T) {
	t.Parallel()
	big := `"` + strings.Repeat("x", maxDocument) + `"`
	var more object
	more.text("license", "MIT")
	more.raw("huge", []byte(big))
	more.text("description", "d")
	m := manifest{core: []byte(`{"name":"n"}`), more: more.bytes(), dist: []byte("{}"), page: []byte(`{"readme":"x"}`)}
	got, err := decodeManifest(m.encode())
	if err != nil {
		t.Fatal(err)
	}
	if string(got.more) != `{"license":"MIT","description":"d"}` || string(got.page) != "{}" {
		t.Errorf("more %s, page %s", registry.Clip(string(got.more)), got.page)
	}
	m.core = []byte(`{"dependencies":` + big + `}`)
	if got, err = decodeManifest(m.encode()); err != nil || !bytes.Equal(got.core, m.core) || string(got.more) != "{}" {
		t.Errorf("core was cut: %v", err)
	}
}

func BenchmarkAbbreviated(b *testing.B) {
	view := manyVersions(b, 500)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := renderAbbreviated(view); err != nil {
			b.Fatal(err)
		}
	}
}

func manyVersions(tb testing.TB, n int) *format.PackageView {
	tb.Helper()
	p, err := parsePackument(npmID("n"), largePackument(n), "https://up.test/n")
	if err != nil {
		tb.Fatal(err)
	}
	return viewOf(npmID("n"), p)
}

// largePackument is a packument of n versions with some 2 KB each, as large packages have.
func largePackument(n int) []byte {
	var list, times object
	for i := range n {
		v := fmt.Sprintf("1.%d.0", i)
		list.raw(v, fmt.Appendf(nil, `{"name":"n","version":%q,"description":%q,"dependencies":{"a":"^1.0.0","b":"^2.0.0"},"scripts":{"test":"x"},"engines":{"node":">=18"},`+
			`"dist":{"tarball":"https://up.test/n/-/n-%s.tgz","shasum":"%040d","integrity":"sha512-%s","fileCount":3,"unpackedSize":1000,"signatures":[{"keyid":"k","sig":"s"}]},`+
			`"maintainers":[{"name":"m","email":"m@example.org"}],"_npmUser":{"name":"m","email":"m@example.org"}}`, v, strings.Repeat("text ", 250), v, i, b64hex(strings.Repeat("ab", 64))))
		times.text(v, time.Unix(1_700_000_000+int64(i), 0).UTC().Format(time.RFC3339))
	}
	return fmt.Appendf(nil, `{"name":"n","dist-tags":{"latest":"1.0.0"},"versions":%s,"time":%s}`, list.bytes(), times.bytes())
}

func BenchmarkParsePackument(b *testing.B) {
	body := largePackument(5000)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parsePackument(npmID("n"), body, "https://up.test/n"); err != nil {
			b.Fatal(err)
		}
	}
}
