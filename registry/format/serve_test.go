package format

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"

	"packhouse.dev/packhouse/registry"
)

func newDocument(t *testing.T, body string) *Document {
	t.Helper()
	d, err := NewDocument(&Rendered{ContentType: "application/json", Body: []byte(body), Modified: time.Unix(1700000000, 5)})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func serveDocument(t *testing.T, d *Document, method string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, "/x", nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	if err := ServeDocument(w, r, d); err != nil {
		t.Fatal(err)
	}
	return w.Result()
}

func TestServeDocument(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("0123456789", 1000)
	d := newDocument(t, long)
	if d.Gzip == nil || d.ETag == d.GzipETag {
		t.Fatalf("a long document has a compressed form with a tag of its own; got %d bytes, %s and %s", len(d.Gzip), d.ETag, d.GzipETag)
	}
	if small := newDocument(t, "{}"); small.Gzip != nil {
		t.Error("a small document is not compressed")
	}
	tests := map[string]struct {
		method   string
		header   []string
		status   int
		encoding string
		length   string
	}{
		"plain":                        {"GET", nil, 200, "", d.Lengths[0]},
		"head":                         {"HEAD", nil, 200, "", d.Lengths[0]},
		"gzip":                         {"GET", []string{"Accept-Encoding", "br, gzip"}, 200, "gzip", d.Lengths[1]},
		"gzip refused":                 {"GET", []string{"Accept-Encoding", "gzip;q=0, br"}, 200, "", d.Lengths[0]},
		"gzip head":                    {"HEAD", []string{"Accept-Encoding", "gzip"}, 200, "gzip", d.Lengths[1]},
		"same":                         {"GET", []string{"If-None-Match", d.ETag}, 304, "", ""},
		"same, weakened on the way":    {"GET", []string{"If-None-Match", `"a", W/` + d.ETag}, 304, "", ""},
		"same in gzip":                 {"GET", []string{"Accept-Encoding", "gzip", "If-None-Match", d.GzipETag}, 304, "", ""},
		"tag of the other form":        {"GET", []string{"If-None-Match", d.GzipETag}, 200, "", d.Lengths[0]},
		"any":                          {"GET", []string{"If-None-Match", "*"}, 304, "", ""},
		"a date alone is no validator": {"GET", []string{"If-Modified-Since", "Fri, 01 Jan 2100 00:00:00 GMT"}, 200, "", d.Lengths[0]},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			res := serveDocument(t, d, tt.method, tt.header...)
			got := []string{res.Header.Get("Content-Encoding"), res.Header.Get("Content-Length"), res.Header.Get("Vary"), res.Header.Get("Cache-Control"), res.Header.Get("Last-Modified")}
			want := []string{tt.encoding, tt.length, documentVary, documentCacheControl, "Tue, 14 Nov 2023 22:13:20 GMT"}
			if diff := cmp.Diff(want, got); res.StatusCode != tt.status || diff != "" {
				t.Errorf("status %d, want %d; headers (-want +got):\n%s", res.StatusCode, tt.status, diff)
			}
			body, err := io.ReadAll(res.Body)
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case tt.method == "HEAD" || tt.status == 304:
				if len(body) > 0 {
					t.Errorf("%d bytes of body", len(body))
				}
			case tt.encoding == "gzip":
				zr, err := gzip.NewReader(bytes.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				if body, err = io.ReadAll(zr); err != nil || string(body) != long {
					t.Errorf("decoded %d bytes, %v", len(body), err)
				}
			case string(body) != long:
				t.Errorf("body has %d bytes", len(body))
			}
		})
	}
}

func TestServeDocumentBehind(t *testing.T) {
	t.Parallel()
	d := newDocument(t, "{}")
	d.Stale, d.Partial = true, true
	res := serveDocument(t, d, "GET")
	got := []string{res.Header.Get(StaleHeader), res.Header.Get(PartialHeader), res.Header.Get("Cache-Control")}
	if diff := cmp.Diff([]string{"1", "1", "no-store"}, got); diff != "" {
		t.Error(diff)
	}
	if again := serveDocument(t, newDocument(t, "{}"), "GET"); again.Header.Get("Cache-Control") != documentCacheControl {
		t.Error("headers of one response reached another document")
	}
}

func TestServeDocumentAllocations(t *testing.T) {
	d := newDocument(t, strings.Repeat("x", 10_000))
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/x", nil)
	r.Header.Set("Accept-Encoding", "gzip")
	w := &discard{h: http.Header{}}
	n := testing.AllocsPerRun(100, func() {
		if err := ServeDocument(w, r, d); err != nil {
			t.Fatal(err)
		}
	})
	if n > 0 {
		t.Errorf("%.0f allocations to serve a prepared document, want none", n)
	}
}

type discard struct{ h http.Header }

func (d *discard) Header() http.Header         { return d.h }
func (d *discard) WriteHeader(int)             {}
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }

type seekable struct{ *strings.Reader }

func (seekable) Close() error { return nil }

func asset(size int64, body io.ReadCloser) *Asset {
	return &Asset{Asset: registry.Asset{Name: "a", Size: size, Digests: registry.Digests{SHA1: strings.Repeat("a", 40)}}, Body: body}
}

func TestServeAsset(t *testing.T) {
	t.Parallel()
	etag := `"` + strings.Repeat("a", 40) + `"`
	path := filepath.Join(t.TempDir(), "a")
	if err := os.WriteFile(path, []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	bodies := map[string]func() io.ReadCloser{
		"stored": func() io.ReadCloser { return seekable{strings.NewReader("0123456789")} },
		"file": func() io.ReadCloser {
			f, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			return f
		},
		"growing": func() io.ReadCloser { return io.NopCloser(iotest.OneByteReader(strings.NewReader("0123456789"))) },
	}
	tests := map[string]struct {
		method string
		header []string
		status int
		body   string
		only   string
	}{
		"whole":                  {"GET", nil, 200, "0123456789", ""},
		"head":                   {"HEAD", nil, 200, "", ""},
		"head ignores ranges":    {"HEAD", []string{"Range", "bytes=1-2"}, 200, "", ""},
		"same":                   {"GET", []string{"If-None-Match", etag}, 304, "", ""},
		"same, judged first":     {"GET", []string{"If-None-Match", etag, "Range", "bytes=1-2"}, 304, "", ""},
		"range":                  {"GET", []string{"Range", "bytes=1-2"}, 206, "12", "stored"},
		"range of a file":        {"GET", []string{"Range", "bytes=-2"}, 206, "89", "file"},
		"beyond the end":         {"GET", []string{"Range", "bytes=20-"}, 416, "", "stored"},
		"growing has no ranges":  {"GET", []string{"Range", "bytes=1-2"}, 200, "0123456789", "growing"},
		"range of another bytes": {"GET", []string{"Range", "bytes=1-2", "If-Range", `"b"`}, 200, "0123456789", "stored"},
	}
	for name, tt := range tests {
		for kind, open := range bodies {
			if tt.only != "" && tt.only != kind {
				continue
			}
			t.Run(name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				r := httptest.NewRequestWithContext(t.Context(), tt.method, "/x", nil)
				for i := 0; i < len(tt.header); i += 2 {
					r.Header.Set(tt.header[i], tt.header[i+1])
				}
				w := httptest.NewRecorder()
				a := asset(10, open())
				defer a.Body.Close()
				if err := ServeAsset(w, r, a, "application/octet-stream"); err != nil {
					t.Fatal(err)
				}
				if w.Code != tt.status || tt.status != 416 && w.Body.String() != tt.body {
					t.Errorf("got %d %q, want %d %q", w.Code, w.Body, tt.status, tt.body)
				}
				if w.Code == 200 && w.Header().Get("Content-Length") != "10" {
					t.Errorf("Content-Length %q", w.Header().Get("Content-Length"))
				}
				if w.Code < 400 && w.Header().Get("Etag") != etag {
					t.Errorf("Etag %q", w.Header().Get("Etag"))
				}
			})
		}
	}
}

// An error before the first byte is an answer; after it the connection breaks.
func TestServeAssetErrors(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	get := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/x", nil)

	w := httptest.NewRecorder()
	if err := ServeAsset(w, get, asset(10, io.NopCloser(iotest.ErrReader(boom))), "x/y"); !errors.Is(err, boom) {
		t.Errorf("error before the first byte: got %v", err)
	}
	if len(w.Header()) != 0 {
		t.Errorf("headers of the asset are left: %v", w.Header())
	}

	broken := map[string]*Asset{
		"growing":       asset(10, io.NopCloser(io.MultiReader(strings.NewReader("012"), iotest.ErrReader(boom)))),
		"ends too soon": asset(10, io.NopCloser(strings.NewReader("012"))),
		"stored":        asset(10, brokenSeeker{strings.NewReader("0123456789")}),
	}
	broken["ends too soon"].Body = io.NopCloser(io.MultiReader(strings.NewReader("012")))
	for name, a := range broken {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			defer func() {
				if p := recover(); p != http.ErrAbortHandler { //nolint:errorlint // the very value is what net/http looks for
					t.Errorf("recovered %v, want ErrAbortHandler", p)
				}
			}()
			_ = ServeAsset(httptest.NewRecorder(), get, a, "x/y")
		})
	}
}

type brokenSeeker struct{ *strings.Reader }

func (brokenSeeker) Read([]byte) (int, error)         { return 0, errors.New("disk") }
func (brokenSeeker) WriteTo(io.Writer) (int64, error) { return 0, errors.New("disk") }
func (brokenSeeker) Close() error                     { return nil }

func TestRest(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/a/b", nil)
	if got := Rest(WithRest(r, "@s%2fn")); got != "@s%2fn" {
		t.Errorf("Rest = %q", got)
	}
}

func TestWeight(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]float64{"": 1, "q=0.5": 0.5, " Q=0": 0, "v=1;q=0.8": 0.8, "q=nan": 0, "q=2": 0, "q=x": 0} {
		if got := Weight(in); got != want {
			t.Errorf("Weight(%q) = %v, want %v", in, got, want)
		}
	}
}
