package server

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/format"
)

// TestFilesGoOutWhole: pieces of a large file add up, with a range and over a connection that is used again.
func TestFilesGoOutWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.toy.file = filepath.Join(t.TempDir(), "file")
	want := bytes.Repeat([]byte("0123456789abcdef"), 5*sendChunk/32) // two and a half pieces
	if err := os.WriteFile(w.toy.file, want, 0o600); err != nil {
		t.Fatal(err)
	}
	w.start(t)
	for _, rang := range []string{"", "bytes=100-", "bytes=1048570-2097160", "bytes=-1"} {
		r, err := http.NewRequest(http.MethodGet, w.url+base+"file", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", w.bearer(t))
		expected := want
		if rang != "" {
			r.Header.Set("Range", rang)
		}
		switch rang {
		case "bytes=100-":
			expected = want[100:]
		case "bytes=1048570-2097160":
			expected = want[1048570:2097161]
		case "bytes=-1":
			expected = want[len(want)-1:]
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || !bytes.Equal(got, expected) {
			t.Errorf("%q: %d bytes, %v; want %d", rang, len(got), err, len(expected))
		}
	}
}

// TestFilesReachSendfile: between the format and net/http nothing copies. The reader that arrives is a file below one LimitedReader.
func TestFilesReachSendfile(t *testing.T) {
	t.Parallel()
	f, err := os.Open(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	to := &fileTaker{ResponseRecorder: httptest.NewRecorder()}
	w := &response{ResponseWriter: to, extended: time.Now()}
	if n, err := io.CopyN(w, f, 3*sendChunk/2); n != 3*sendChunk/2 || err != nil {
		t.Fatal(n, err)
	}
	if to.files != 2 || to.others != 0 || w.bytes != 3*sendChunk/2 {
		t.Errorf("%d pieces of a file, %d others, %d bytes", to.files, to.others, w.bytes)
	}
}

type fileTaker struct {
	*httptest.ResponseRecorder
	files, others int
}

func (f *fileTaker) ReadFrom(src io.Reader) (int64, error) {
	if l, ok := src.(*io.LimitedReader); ok {
		if _, ok := l.R.(*os.File); ok {
			f.files++
		} else {
			f.others++
		}
	} else {
		f.others++
	}
	return io.Copy(io.Discard, src)
}

// writer takes an answer for nothing.
type writer struct{ h http.Header }

func (w *writer) Header() http.Header { return w.h }

func (w *writer) Write(p []byte) (int, error) { return len(p), nil }

func (w *writer) WriteHeader(int) {}

// TestWarmReadIsCheap is the cap on garbage of everything between net/http and the format, with a 10 KB document.
func TestWarmReadIsCheap(t *testing.T) {
	w := newWorld(t)
	w.service.endpoints = []config.Endpoint{{URL: "https://packages.example.com"}}
	token := w.bearer(t)
	rec := &writer{h: http.Header{}}
	allocs := testing.AllocsPerRun(200, func() {
		r := warmRequest(token)
		clear(rec.h)
		w.ServeHTTP(rec, r)
	})
	own := testing.AllocsPerRun(200, func() { warmRequest(token) })
	if allocs-own > 8 {
		t.Errorf("%v allocations for a warm read, want at most 8", allocs-own)
	}
	if got := w.log.String(); got != "" {
		t.Errorf("a warm read logs: %s", got)
	}
}

func warmRequest(token string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, base+"document", nil)
	r.Host = "packages.example.com"
	r.Header["Authorization"] = []string{token}
	r.Header["Accept-Encoding"] = []string{"gzip"}
	return r
}

// BenchmarkWarmRead compares the way through the server with the format's answer alone.
func BenchmarkWarmRead(b *testing.B) {
	w := newWorld(b)
	w.service.endpoints = []config.Endpoint{{URL: "https://packages.example.com"}}
	r := warmRequest(w.bearer(b))
	rec := &writer{h: http.Header{}}
	b.Run("server", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			clear(rec.h)
			w.ServeHTTP(rec, r)
		}
	})
	b.Run("format", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			clear(rec.h)
			if err := format.ServeDocument(rec, r, w.toy.document); err != nil {
				b.Fatal(err)
			}
		}
	})
}
