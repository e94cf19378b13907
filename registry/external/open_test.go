package external

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/format"
)

func TestOpen(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	want := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	conn := connection(w.serve(t, "r.example.com", func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/whole":
			if got := r.Header.Get("Accept-Encoding"); got != "identity" {
				t.Errorf("Accept-Encoding %q", got)
			}
			w.Header().Set("Content-Type", "application/octet-stream")
			w.Header().Set("Content-Length", fmt.Sprint(len(want)))
			_, _ = w.Write(want)
		case "/chunked":
			_, _ = w.Write(want[:1000])
			_ = http.NewResponseController(w).Flush()
			_, _ = w.Write(want[1000:])
		case "/torn":
			w.Header().Set("Content-Length", fmt.Sprint(len(want)))
			_, _ = w.Write(want[:len(want)/2])
			panic(http.ErrAbortHandler)
		case "/torn-chunks":
			_, _ = w.Write(want[:len(want)/2])
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		case "/gzip":
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(gzipped(want))
		case "/gone":
			w.WriteHeader(http.StatusGone)
		case "/forbidden":
			w.WriteHeader(http.StatusForbidden)
		case "/partial":
			w.WriteHeader(http.StatusPartialContent)
		case "/inside":
			redirectTo("https://169.254.169.254/x")(w, r)
		case "/circle":
			redirectTo("/circle")(w, r)
		default:
			http.NotFound(w, r)
		}
	}))
	size := int64(len(want))
	tests := map[string]struct {
		max     int64
		size    int64
		openErr error
		readErr error
	}{
		"whole":                       {0, size, nil, nil},
		"chunked":                     {0, -1, nil, nil},
		"torn":                        {0, size, nil, io.ErrUnexpectedEOF},
		"torn-chunks":                 {0, -1, nil, io.ErrUnexpectedEOF},
		"gzip":                        {0, 0, errMalformed, nil},
		"gone":                        {0, 0, registry.ErrNotFound, nil},
		"missing":                     {0, 0, registry.ErrNotFound, nil},
		"forbidden":                   {0, 0, registry.ErrUnavailable, nil},
		"partial":                     {0, 0, registry.ErrUnavailable, nil},
		"inside":                      {0, 0, ErrRefused, nil},
		"circle":                      {0, 0, ErrRefused, nil},
		"../x":                        {0, 0, ErrRefused, nil},
		"https://other.example.com/x": {0, 0, ErrRefused, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, err := w.Client.Open(t.Context(), conn, name, tt.max)
			if !errors.Is(err, tt.openErr) {
				t.Fatalf("got %v, want %v", err, tt.openErr)
			}
			if tt.openErr != nil {
				return
			}
			defer b.Close()
			got, err := io.ReadAll(b)
			if !errors.Is(err, tt.readErr) || b.Size != tt.size {
				t.Errorf("size %d, %v", b.Size, err)
			}
			if tt.readErr != nil && !errors.Is(err, registry.ErrUnavailable) || tt.readErr == nil && !bytes.Equal(got, want) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
	}
	t.Run("announced too large", func(t *testing.T) {
		t.Parallel()
		if _, err := w.Client.Open(t.Context(), conn, "whole", size-1); !errors.Is(err, errTooBig) {
			t.Error(err)
		}
	})
	t.Run("too large in the end", func(t *testing.T) {
		t.Parallel()
		b, err := w.Client.Open(t.Context(), conn, "chunked", size-1)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		if got, err := io.ReadAll(b); !errors.Is(err, errTooBig) || int64(len(got)) != size-1 {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	})
	t.Run("exactly as large", func(t *testing.T) {
		t.Parallel()
		b, err := w.Client.Open(t.Context(), conn, "chunked", size)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		if _, err := io.ReadAll(b); err != nil {
			t.Error(err)
		}
	})
}

// TestHTTP2 does what matters most over the other version of the protocol.
func TestHTTP2(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 {
			t.Errorf("asked with %s", r.Proto)
		}
		if r.URL.Path == "/torn" {
			torn(w, r)
		}
		_, _ = io.WriteString(w, "body")
	}))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	t.Cleanup(srv.Close)
	w.roots.AddCert(srv.Certificate())
	w.hosts["r.example.com:443"] = func() (net.Conn, error) { return net.Dial("tcp", srv.Listener.Addr().String()) }
	conn := connection("https://r.example.com/")
	doc, err := w.source(conn).Document(t.Context(), format.SourceRequest{Path: "x"})
	if err != nil || string(doc.Body) != "body" {
		t.Errorf("%+v, %v", doc, err)
	}
	if _, err := w.source(conn).Document(t.Context(), format.SourceRequest{Path: "torn"}); !errors.Is(err, registry.ErrUnavailable) {
		t.Error(err)
	}
	b, err := w.Client.Open(t.Context(), conn, "torn", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if n, err := io.Copy(io.Discard, b); !errors.Is(err, registry.ErrUnavailable) || n >= 1_000_000 {
		t.Errorf("%d bytes, %v", n, err)
	}
}

func TestConnectionsThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for _, conn := range []*config.Connection{
		{URL: ""}, {URL: "ftp://r.example.com/"}, {URL: "https://ci:" + canary + "@r.example.com/"}, {URL: "https://"}, {URL: "https://r.example.com/", CA: "nonsense"},
	} {
		_, openErr := w.Client.Open(t.Context(), conn, "x", 0)
		_, documentErr := w.source(conn).Document(t.Context(), format.SourceRequest{Path: "x"})
		_, forwardErr := w.Forward(t.Context(), conn, format.PassThrough{Method: http.MethodPost, Path: "x"})
		for _, err := range []error{openErr, documentErr, forwardErr} {
			if !errors.Is(err, registry.ErrUnavailable) || strings.Contains(err.Error(), canary) {
				t.Errorf("%.10s: %v", conn.URL, err)
			}
		}
	}
}

func TestForward(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	requests := 0
	conn := connection(w.serve(t, "r.example.com", func(w http.ResponseWriter, r *http.Request) {
		requests++
		switch r.URL.Path {
		case "/npm/audit":
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			w.Header().Set("Content-Encoding", "gzip")
			w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
			_, _ = w.Write(gzipped([]byte(r.Method + " " + string(body))))
		case "/npm/huge":
			_, _ = w.Write(make([]byte, forwardBytes+1))
		case "/npm/moved":
			redirectTo("/npm/audit")(w, r)
		case "/npm/broken":
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			http.NotFound(w, r)
		}
	}) + "npm/")
	for range 2 {
		got, err := w.Forward(t.Context(), conn, format.PassThrough{Method: "POST", Path: "audit", ContentType: "application/json", Body: []byte(`{"a":[]}`)})
		if err != nil || string(got.Body) != `POST {"a":[]}` || got.ContentType != "application/json" || got.Revision == 0 {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	if requests != 2 {
		t.Errorf("%d requests, want 2: nothing is cached", requests)
	}
	for path, want := range map[string]error{
		"huge": errTooBig, "moved": ErrRefused, "broken": registry.ErrUnavailable, "missing": registry.ErrNotFound, "https://evil.example.com/": ErrRefused,
	} {
		requests = 0
		if _, err := w.Forward(t.Context(), conn, format.PassThrough{Method: "POST", Path: path}); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", path, err, want)
		}
		if requests > 1 {
			t.Errorf("%s: a POST was repeated", path)
		}
	}
}

func TestEndpointsAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for i := range 2 * maxEndpoints {
		s := testSite(t, fmt.Sprintf("https://r%d.example/", i))
		e, err := w.endpoint(s, origin)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := w.endpoint(s, origin); err != nil || again != e {
			t.Fatalf("%d: not the same endpoint, %v", i, err)
		}
		for n := range 2 * maxBreakers {
			e.breaker(testSite(t, fmt.Sprintf("https://h%d.example/", n)).base)
		}
		if len(e.breakers) > maxBreakers {
			t.Fatalf("%d breakers", len(e.breakers))
		}
	}
	if got := w.Stats().Endpoints; got != maxEndpoints {
		t.Errorf("%d endpoints, want %d", got, maxEndpoints)
	}
}
