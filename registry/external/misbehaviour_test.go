package external

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

func gzipped(b []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, _ = z.Write(b)
	_ = z.Close()
	return out.Bytes()
}

// torn sends a part of what it announces and resets the connection.
func torn(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", "1000000")
	_, _ = w.Write(make([]byte, 500_000))
	panic(http.ErrAbortHandler)
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", code) }
}

func redirectTo(to string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusFound)
	}
}

func send(contentType, encoding string, body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		if encoding != "" {
			w.Header().Set("Content-Encoding", encoding)
		}
		_, _ = w.Write(body)
	}
}

type misbehaviour struct {
	answer   http.HandlerFunc
	requests int // sent for one document
}

// misbehaviours are answers that are no documents. Each is an outage: unavailable without a copy, an old copy with one, never
// "not found" and never remembered.
func misbehaviours() map[string]misbehaviour {
	return map[string]misbehaviour{
		"500":                    {status(500), 1},
		"501":                    {status(501), 1},
		"502":                    {status(502), 3},
		"503":                    {status(503), 3},
		"504":                    {status(504), 3},
		"429":                    {status(429), 1},
		"401":                    {status(401), 1},
		"403":                    {status(403), 1},
		"407":                    {status(407), 1},
		"400":                    {status(400), 1},
		"451":                    {status(451), 1},
		"204":                    {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, 1},
		"206":                    {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(206) }, 1},
		"300":                    {status(300), 1},
		"304 without a question": {nil, 1},
		"reset in the middle":    {torn, 3},
		"reset at once":          {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 3},
		"login page":             {send("text/html; charset=utf-8", "", []byte("<html>log in</html>")), 1},
		"no type": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = nil
			_, _ = w.Write([]byte("{}"))
		}, 1},
		"type that only contains it":       {send("text/x-application/json", "", []byte("{}")), 1},
		"huge":                             {send("application/json", "", make([]byte, 2<<20)), 1},
		"huge, length unknown":             {endless, 1},
		"gzip bomb":                        {send("application/json", "gzip", gzipped(make([]byte, 64<<20))), 1},
		"gzip, truncated":                  {send("application/json", "gzip", gzipped([]byte(strings.Repeat("x", 1000)))[:20]), 3},
		"gzip, corrupt":                    {send("application/json", "gzip", append(gzipped([]byte("x"))[:12], 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)), 1},
		"gzip, trailing rubbish":           {send("application/json", "gzip", append(gzipped([]byte("{}")), "rubbish that is long enough"...)), 1},
		"gzip that is none":                {send("application/json", "gzip", []byte(`{"plain":"json, in truth"}`)), 1},
		"brotli":                           {send("application/json", "br", []byte("x")), 1},
		"redirect to a cloud's metadata":   {redirectTo("http://169.254.169.254/latest/meta-data/"), 1},
		"redirect to it, encrypted":        {redirectTo("https://169.254.169.254/latest/meta-data/"), 1},
		"redirect to loopback":             {redirectTo("https://127.0.0.1/"), 1},
		"redirect to loopback, by v6":      {redirectTo("https://[::ffff:127.0.0.1]/"), 1},
		"redirect to a private network":    {redirectTo("https://10.0.0.1/"), 1},
		"redirect to another port":         {redirectTo("https://r.example.com:2375/"), 1},
		"redirect to plain text":           {redirectTo("http://r.example.com/"), 1},
		"redirect to a file":               {redirectTo("file:///etc/passwd"), 1},
		"redirect with a password":         {redirectTo("https://ci:" + canary + "@r.example.com/"), 1},
		"redirect to an unnamed host":      {redirectTo("https://other.example.com/"), 1},
		"redirect to nowhere":              {redirectTo(""), 1},
		"redirect in a circle":             {redirectTo("/x"), maxRedirects + 1},
		"header of 1 MB":                   {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 1<<20)) }, 1},
		"bytes that are not HTTP (HTTP/1)": {raw("SSH-2.0-OpenSSH\r\n\r\n"), 1},
		"two lengths":                      {raw("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}x"), 1},
		"announces more than it sends":     {raw("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{}"), 3},
		"broken chunks":                    {raw("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n"), 1},
		"chunks without an end":            {raw("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"), 3},
	}
}

func endless(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	for range 64 {
		_, _ = w.Write(bytes.Repeat([]byte("x"), 64<<10))
	}
}

func raw(s string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = io.WriteString(c, s)
		_ = c.Close()
	}
}

func TestMisbehaviour(t *testing.T) {
	t.Parallel()
	for name, tt := range misbehaviours() {
		for _, copied := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/copy %t", name, copied), func(t *testing.T) {
				t.Parallel()
				if tt.answer == nil && copied {
					t.Skip("with a copy there is a question")
				}
				answer := tt.answer
				if answer == nil {
					answer = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) }
				}
				w := newWorld(t, nil)
				l := &list{body: `{"v":1}`}
				conn := connection(w.serve(t, "r.example.com", l.ServeHTTP))
				conn.Credentials = "for r.example.com"
				q := format.SourceRequest{Path: "x", MaxBytes: 1 << 20, Types: []string{"application/json"}}
				if copied {
					if _, err := w.source(conn).Document(t.Context(), q); err != nil {
						t.Fatal(err)
					}
					w.clock.add(24 * time.Hour)
				}
				before := l.count()
				l.set("", answer)
				w.endpoints.close() // the transport itself repeats what fails on a connection that was idle
				got, err := w.source(conn).Document(t.Context(), q)
				switch {
				case copied && (err != nil || !got.Stale || string(got.Body) != `{"v":1}`):
					t.Errorf("got %+v, %v; want the old copy", got, err)
				case !copied && (!errors.Is(err, registry.ErrUnavailable) || errors.Is(err, registry.ErrNotFound)):
					t.Errorf("got %+v, %v; want unavailable", got, err)
				}
				if n := l.count() - before; n != tt.requests {
					t.Errorf("%d requests, want %d", n, tt.requests)
				}
				if text := fmt.Sprint(err, w.log); strings.Contains(text, canary) {
					t.Errorf("a secret is in %s", text)
				}
				// Nothing of it is remembered.
				l.set(`{"v":2}`, nil)
				if name == "429" {
					return // the breaker counts it, once; nothing else holds it back
				}
				again, err := w.source(conn).Document(t.Context(), q)
				if err != nil || string(again.Body) != `{"v":2}` || again.Stale {
					t.Errorf("afterwards: %+v, %v", again, err)
				}
			})
		}
	}
}

// TestGzipOutOfProportion: a bomb is stopped long before the limit of the document.
func TestGzipOutOfProportion(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	conn := connection(w.serve(t, "r.example.com", send("application/json", "gzip", gzipped(make([]byte, 64<<20)))))
	if _, err := w.source(conn).Document(t.Context(), format.SourceRequest{Path: "x"}); !errors.Is(err, errTooBig) {
		t.Error(err)
	}
}
