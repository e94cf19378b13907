package pypi

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format/pypi/pypitest"
)

func lib() pypitest.Dist {
	return pypitest.Dist{Name: "My.Lib", Version: "1.0.0", RequiresPython: ">=3.8,<4", Fields: []string{"Summary: ours"}}
}

func TestJSONPage(t *testing.T) {
	t.Parallel()
	d := lib()
	f := hosted(t, d)
	id := registry.VersionID{Package: registry.PackageID{Format: Name, Name: "my-lib"}, Version: "1"}
	f.versions[id].Flags = flags{Yanked: map[string]string{d.SourceName(): `breaks "<everything>"`}}.encode()
	w := do(t, f, http.MethodGet, "simple/my-lib/", nil, "Accept", "application/vnd.pypi.simple.v1+json")
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/vnd.pypi.simple.v1+json" {
		t.Fatalf("got %d %q", w.Code, w.Header().Get("Content-Type"))
	}
	var got any
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	base := "http://packhouse.test/d-111122223333/pypi/r/simple/my-lib/1/"
	want := map[string]any{
		"meta": map[string]any{"api-version": "1.4"}, "name": "my-lib", "versions": []any{"1.0.0"},
		"files": []any{
			map[string]any{
				"filename": "My_Lib-1.0.0-py3-none-any.whl", "url": base + "My_Lib-1.0.0-py3-none-any.whl", "hashes": map[string]any{"sha256": pypitest.SHA256(d.Wheel())},
				"requires-python": ">=3.8,<4", "size": float64(len(d.Wheel())), "upload-time": "2026-01-02T03:04:05.678901Z", "yanked": false,
				"core-metadata": map[string]any{"sha256": pypitest.SHA256([]byte(d.Metadata()))},
			},
			map[string]any{
				"filename": "My_Lib-1.0.0.tar.gz", "url": base + "My_Lib-1.0.0.tar.gz", "hashes": map[string]any{"sha256": pypitest.SHA256(d.Source())},
				"requires-python": ">=3.8,<4", "size": float64(len(d.Source())), "upload-time": "2026-01-02T03:04:05.678901Z", "yanked": `breaks "<everything>"`,
				"core-metadata": false,
			},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestHTMLPage(t *testing.T) {
	t.Parallel()
	d := lib()
	f := hosted(t, d)
	id := registry.VersionID{Package: registry.PackageID{Format: Name, Name: "my-lib"}, Version: "1"}
	f.versions[id].Flags = flags{Yanked: map[string]string{d.SourceName(): `breaks "<everything>"`, d.WheelName(): ""}}.encode()
	w := do(t, f, http.MethodGet, "simple/my-lib/", nil)
	metadata := "sha256=" + pypitest.SHA256([]byte(d.Metadata()))
	base := "http://packhouse.test/d-111122223333/pypi/r/simple/my-lib/1/"
	want := `<!DOCTYPE html>
<html>
  <head>
    <meta charset="utf-8">
    <meta name="pypi:repository-version" content="1.4">
    <title>Links for my-lib</title>
  </head>
  <body>
    <h1>Links for my-lib</h1>
    <a href="` + base + `My_Lib-1.0.0-py3-none-any.whl#sha256=` + pypitest.SHA256(d.Wheel()) + `" data-requires-python="&gt;=3.8,&lt;4" data-yanked="" data-core-metadata="` +
		metadata + `" data-dist-info-metadata="` + metadata + `">My_Lib-1.0.0-py3-none-any.whl</a><br>
    <a href="` + base + `My_Lib-1.0.0.tar.gz#sha256=` + pypitest.SHA256(d.Source()) +
		`" data-requires-python="&gt;=3.8,&lt;4" data-yanked="breaks &#34;&lt;everything&gt;&#34;">My_Lib-1.0.0.tar.gz</a><br>
  </body>
</html>
`
	if diff := cmp.Diff(want, w.Body.String()); diff != "" {
		t.Error(diff)
	}
	if got := w.Header().Get("Vary"); !strings.Contains(got, "Accept") {
		t.Errorf("Vary: %q", got)
	}
	if got := w.Header().Get("Content-Type"); got != "text/html; charset=utf-8" {
		t.Errorf("Content-Type: %q", got)
	}
}

// TestNegotiation has what pip and uv ask with.
func TestNegotiation(t *testing.T) {
	t.Parallel()
	const jsonType, htmlType, text = "application/vnd.pypi.simple.v1+json", "application/vnd.pypi.simple.v1+html", "text/html; charset=utf-8"
	f := hosted(t, lib())
	tests := []struct{ accept, want string }{
		{"", text}, {"*/*", text}, {"text/html", text}, {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", text},
		{"application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01", jsonType},
		{"application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01", jsonType},
		{"application/vnd.pypi.simple.v1+html", htmlType}, {"application/vnd.pypi.simple.latest+json", jsonType}, {"application/vnd.pypi.simple.latest+html;q=0.9, */*;q=0.1", htmlType},
		{"*/*, application/vnd.pypi.simple.v1+json", jsonType}, {"application/*", jsonType}, {"text/html;q=0, application/vnd.pypi.simple.v1+html", htmlType},
		{"application/json", "406"}, {"application/vnd.pypi.simple.v2+json", "406"}, {"text/html;q=0", "406"},
	}
	for _, tt := range tests {
		for _, path := range []string{"simple/my-lib/", "simple/"} {
			var header []string
			if tt.accept != "" {
				header = []string{"Accept", tt.accept}
			}
			w := do(t, f, http.MethodGet, path, nil, header...)
			got := w.Header().Get("Content-Type")
			if w.Code == http.StatusNotAcceptable {
				got = "406"
			}
			if got != tt.want {
				t.Errorf("%s, Accept %q: got %d %q, want %q", path, tt.accept, w.Code, got, tt.want)
			}
		}
	}
	if w := do(t, f, http.MethodGet, "simple/my-lib/?format=application/vnd.pypi.simple.v1%2Bjson", nil, "Accept", "text/html"); w.Header().Get("Content-Type") != jsonType {
		t.Errorf("?format: %d %q", w.Code, w.Header().Get("Content-Type"))
	}
}

func TestProjectList(t *testing.T) {
	t.Parallel()
	f := hosted(t, lib(), pypitest.Dist{Name: "alpha", Version: "1"})
	w := do(t, f, http.MethodGet, "simple/", nil, "Accept", typeJSON)
	if diff := cmp.Diff(`{"meta":{"api-version":"1.4"},"projects":[{"name":"alpha"},{"name":"my-lib"}]}`, w.Body.String()); diff != "" {
		t.Error(diff)
	}
	w = do(t, f, http.MethodGet, "simple/", nil)
	if body := w.Body.String(); !strings.Contains(body, "<a href=\"alpha/\">alpha</a><br>\n    <a href=\"my-lib/\">my-lib</a><br>\n") {
		t.Error(body)
	}
	if w := do(t, newFake(), http.MethodGet, "simple/", nil, "Accept", typeJSON); w.Body.String() != `{"meta":{"api-version":"1.4"},"projects":[]}` {
		t.Error(w.Body)
	}
}

// TestWire has the odd requests, with status and what is said.
func TestWire(t *testing.T) {
	t.Parallel()
	d := lib()
	f := hosted(t, d)
	tests := map[string]struct {
		method, path string
		header       []string
		status       int
		says         string
		location     string
	}{
		"no slash":          {path: "simple/my-lib", status: 301, location: "simple/my-lib/"},
		"another spelling":  {path: "simple/My_Lib/?x=1", status: 301, location: "simple/my-lib/?x=1"},
		"list, no slash":    {path: "simple", status: 301, location: "simple/"},
		"head of a page":    {method: "HEAD", path: "simple/my-lib/", status: 200},
		"unknown project":   {path: "simple/nothing/", status: 404},
		"no project at all": {path: "simple/favicon.ico!/", status: 404},
		"base":              {path: "", status: 404, says: "projects are below simple/"},
		"JSON API":          {path: "pypi/my-lib/json", status: 404},
		"pip search":        {method: "POST", path: "simple/", status: 405, says: "uploads go to http://packhouse.test/d-111122223333/pypi/r/, and pip search is not there"},
		"delete":            {method: "DELETE", path: "simple/my-lib/", status: 405},
		"put":               {method: "PUT", path: "", status: 405},
		"metadata":          {path: "simple/my-lib/1/" + d.WheelName() + ".metadata", status: 200, says: d.Metadata()},
		"another version":   {path: "simple/my-lib/1.0/" + d.WheelName() + ".metadata", status: 200, says: d.Metadata()},
		"unknown file":      {path: "simple/my-lib/1/nothing-1.whl", status: 404},
		"source metadata":   {path: "simple/my-lib/1/" + d.SourceName() + ".metadata", status: 404},
		"form, not a form":  {method: "POST", path: "legacy/", header: []string{"Content-Type", "application/json"}, status: 400, says: "multipart/form-data"},
		"head of a file":    {method: "HEAD", path: "simple/my-lib/1/" + d.WheelName(), status: 200},
		"range":             {path: "simple/my-lib/1/" + d.WheelName(), header: []string{"Range", "bytes=0-3"}, status: 206, says: "PK\x03\x04"},
		"end of a file":     {path: "simple/my-lib/1/" + d.WheelName(), header: []string{"Range", "bytes=-22"}, status: 206, says: "PK\x05\x06"},
		"beyond the end":    {path: "simple/my-lib/1/" + d.WheelName(), header: []string{"Range", "bytes=9999999-"}, status: 416},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			method := tt.method
			if method == "" {
				method = http.MethodGet
			}
			w := do(t, f, method, tt.path, strings.NewReader("x"), tt.header...)
			if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.says) {
				t.Errorf("got %d %q; want %d %q", w.Code, w.Body, tt.status, tt.says)
			}
			if tt.location != "" && w.Header().Get("Location") != f.URL(tt.location) {
				t.Errorf("Location %q", w.Header().Get("Location"))
			}
			if method == http.MethodHead && w.Body.Len() > 0 {
				t.Errorf("a HEAD has %d bytes", w.Body.Len())
			}
		})
	}
	w := do(t, f, http.MethodHead, "simple/my-lib/1/"+d.WheelName(), nil)
	if w.Header().Get("Accept-Ranges") != "bytes" || w.Header().Get("Content-Length") == "" {
		t.Errorf("HEAD as uv needs it: %v", w.Header())
	}
	etag := do(t, f, http.MethodGet, "simple/my-lib/", nil, "Accept", typeJSON).Header().Get("Etag")
	if w := do(t, f, http.MethodGet, "simple/my-lib/", nil, "Accept", typeJSON, "If-None-Match", etag); w.Code != http.StatusNotModified || w.Header().Get("Vary") == "" {
		t.Errorf("If-None-Match: %d %v", w.Code, w.Header())
	}
	if w := do(t, f, http.MethodGet, "simple/my-lib/", nil, "If-None-Match", etag); w.Code != http.StatusOK {
		t.Errorf("the HTML page has the ETag of the JSON page: %d", w.Code)
	}
}

// TestMetadataOfStored: an upstream that announced core metadata is gone, and the wheel is here.
func TestMetadataOfStored(t *testing.T) {
	t.Parallel()
	d := lib()
	path := "simple/my-lib/1/" + d.WheelName() + metadataExtension
	id := registry.VersionID{Package: registry.PackageID{Format: Name, Name: "my-lib"}, Version: "1"}
	tests := map[string]struct {
		change func(v *registry.Version)
		status int
	}{
		"here":            {func(*registry.Version) {}, 200},
		"another digest":  {func(v *registry.Version) { v.Assets[1].Digests.SHA256 = strings.Repeat("0", 64) }, 503},
		"wheel not here":  {func(v *registry.Version) { v.Assets[0].Stored = false }, 503},
		"nothing is said": {func(v *registry.Version) { v.Assets[1].Digests = registry.Digests{} }, 503},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := hosted(t, d)
			v := f.versions[id]
			v.Assets[1].Stored = false
			tt.change(v)
			w := do(t, f, http.MethodGet, path, nil)
			if w.Code != tt.status || w.Code == http.StatusOK && !bytes.Equal(w.Body.Bytes(), []byte(d.Metadata())) {
				t.Errorf("got %d %s", w.Code, w.Body)
			}
		})
	}
}

// TestUnknownSize: pages of version 1.1 and later must tell every size.
func TestUnknownSize(t *testing.T) {
	t.Parallel()
	f := hosted(t, lib())
	id := registry.VersionID{Package: registry.PackageID{Format: Name, Name: "my-lib"}, Version: "1"}
	v := f.versions[id]
	v.Origin.Type = registry.External
	v.Assets[2].Size, v.Assets[2].Info, v.Assets[2].Digests = -1, nil, registry.Digests{}
	var got page
	if err := json.Unmarshal(do(t, f, http.MethodGet, "simple/my-lib/", nil, "Accept", typeJSON).Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if file := got.Files[1]; got.Meta.APIVersion != "1.0" || file.Size != nil || file.UploadTime != "" || file.Hashes == nil || len(file.Hashes) != 0 {
		t.Errorf("got %+v", got)
	}
}
