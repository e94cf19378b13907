package external

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/format"
)

// list is an upstream document that can change.
type list struct {
	mu       sync.Mutex
	body     string
	requests []http.Header
	answer   http.HandlerFunc // instead of the body
}

func (l *list) set(body string, answer http.HandlerFunc) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.body, l.answer = body, answer
}

func (l *list) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.requests)
}

func (l *list) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	l.requests = append(l.requests, r.Header.Clone())
	body, answer := l.body, l.answer
	l.mu.Unlock()
	switch {
	case answer != nil:
		answer(w, r)
	case body == "":
		http.NotFound(w, r)
	default:
		etag := fmt.Sprintf("%q", body)
		w.Header().Set("ETag", etag)
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		if r.Header.Get("If-None-Match") == etag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = io.WriteString(w, body)
	}
}

func TestDocumentLifetime(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	l := &list{body: `{"v":1}`}
	conn := connection(w.serve(t, "r.example.com", l.ServeHTTP) + "npm")
	src := w.source(conn)
	q := format.SourceRequest{Path: "@s%2fname", Accept: "application/json", Types: []string{"application/json"}}

	first, err := src.Document(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	want := &format.SourceDocument{
		URL: "https://r.example.com/npm/@s%2fname", ContentType: "application/json; charset=utf-8", Body: []byte(`{"v":1}`),
		Key: "https://r.example.com/npm/@s%2fname application/json", Revision: first.Revision,
		FetchedAt: w.clock.Now(), FreshUntil: w.clock.Now().Add(5 * time.Minute),
	}
	if diff := cmp.Diff(want, first); diff != "" || first.Revision == 0 {
		t.Fatalf("first (-want +got):\n%s", diff)
	}

	w.clock.add(5*time.Minute - 1)
	if _, err := src.Document(t.Context(), q); err != nil || l.count() != 1 {
		t.Fatalf("fresh: %v, %d requests", err, l.count())
	}
	w.clock.add(1)
	known := q
	known.Known = first.Revision
	confirmed, err := src.Document(t.Context(), known)
	if err != nil || confirmed.Body != nil || confirmed.Revision != first.Revision || !confirmed.FetchedAt.Equal(w.clock.Now()) {
		t.Fatalf("304: %+v, %v", confirmed, err)
	}
	if _, err := src.Document(t.Context(), q); err != nil || l.count() != 2 {
		t.Fatalf("fresh again: %v, %d requests", err, l.count())
	}

	l.set(`{"v":2}`, nil)
	w.clock.add(time.Hour)
	second, err := src.Document(t.Context(), known)
	if err != nil || string(second.Body) != `{"v":2}` || second.Revision == first.Revision {
		t.Fatalf("changed: %+v, %v", second, err)
	}

	l.set("", nil)
	w.clock.add(time.Hour)
	if _, err := src.Document(t.Context(), q); !errors.Is(err, registry.ErrNotFound) {
		t.Fatalf("gone: %v", err)
	}
	if got := l.requests[0].Get("If-None-Match") + l.requests[0].Get("Cookie"); got != "" || l.requests[0].Get("Accept-Encoding") != "gzip" {
		t.Errorf("first request had %v", l.requests[0])
	}
	if got := w.Stats(); got.Hits != 2 || got.Confirmed != 1 || got.Requests != 4 {
		t.Errorf("stats: %+v", got)
	}
}

func TestDocumentFreshness(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		class  format.Class
		conn   func(*config.Connection)
		absent bool
		maxAge time.Duration
		after  time.Duration
		asks   bool
	}{
		"index":                       {maxAge: -1, after: 4 * time.Minute},
		"old index":                   {maxAge: -1, after: 5 * time.Minute, asks: true},
		"index, shorter":              {maxAge: -1, after: 20 * time.Second, conn: func(c *config.Connection) { c.IndexFresh = config.Duration(10 * time.Second) }, asks: true},
		"service description":         {class: format.ClassConfig, maxAge: -1, after: 59 * time.Minute},
		"old service description":     {class: format.ClassConfig, maxAge: -1, after: time.Hour, asks: true},
		"immutable":                   {class: format.ClassImmutable, maxAge: -1, after: 20 * 365 * 24 * time.Hour},
		"immutable, asked to ask":     {class: format.ClassImmutable, after: time.Hour},
		"asked to ask":                {after: 0, asks: true},
		"not older than":              {maxAge: 10 * time.Second, after: 10 * time.Second},
		"older than":                  {maxAge: 10 * time.Second, after: 11 * time.Second, asks: true},
		"absent":                      {absent: true, maxAge: -1, after: 59 * time.Second},
		"absent, a while ago":         {absent: true, maxAge: -1, after: time.Minute, asks: true},
		"absent, immutable":           {absent: true, class: format.ClassImmutable, maxAge: -1, after: time.Minute, asks: true},
		"absent, asked to ask":        {absent: true, after: time.Second, asks: true},
		"absent, longer":              {absent: true, maxAge: -1, after: time.Hour, conn: func(c *config.Connection) { c.AbsentFresh = config.Duration(2 * time.Hour) }},
		"clock was set back by hours": {maxAge: -1, after: -3 * time.Hour, asks: true},
		"clocks differ a little":      {maxAge: -1, after: -30 * time.Second},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			l := &list{body: "{}"}
			if tt.absent {
				l.body = ""
			}
			conn := connection(w.serve(t, "r.example.com", l.ServeHTTP))
			if tt.conn != nil {
				tt.conn(conn)
			}
			q := format.SourceRequest{Path: "x", Class: tt.class}
			_, first := w.source(conn).Document(t.Context(), q)
			w.clock.add(tt.after)
			_, err := w.Source(Domain{ID: 1}, conn, SourceOptions{MaxAge: tt.maxAge}).Document(t.Context(), q)
			for _, err := range []error{first, err} {
				if tt.absent != errors.Is(err, registry.ErrNotFound) || !tt.absent && err != nil {
					t.Fatal(err)
				}
			}
			if got := l.count() == 2; got != tt.asks {
				t.Errorf("%d requests, want asked = %t", l.count(), tt.asks)
			}
		})
	}
}

func gzipped(b []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, _ = z.Write(b)
	_ = z.Close()
	return out.Bytes()
}

func TestDocumentGzip(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	want := bytes.Repeat([]byte(`{"name":"express","n":12345}`), 100_000)
	conn := connection(w.serve(t, "r.example.com", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(gzipped(want))
	}))
	got, err := w.source(conn).Document(t.Context(), format.SourceRequest{Path: "x"})
	if err != nil || !bytes.Equal(got.Body, want) {
		t.Fatalf("%v", err)
	}
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

// misbehaviours are answers that are no documents. Each is an outage: unavailable without a copy, an old copy with one, never
// "not found" and never remembered.
var misbehaviours = map[string]struct {
	answer   http.HandlerFunc
	requests int // sent for one document
}{
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
	for name, tt := range misbehaviours {
		for _, copied := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/copy %t", name, copied), func(t *testing.T) {
				t.Parallel()
				if tt.answer == nil && copied {
					t.Skip("with a copy there is a question")
				}
				if tt.answer == nil {
					tt.answer = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) }
				}
				w := newWorld(t, nil)
				l := &list{body: `{"v":1}`}
				conn := connection(w.serve(t, "r.example.com", l.ServeHTTP))
				conn.Credentials = "token"
				q := format.SourceRequest{Path: "x", MaxBytes: 1 << 20, Types: []string{"application/json"}}
				if copied {
					if _, err := w.source(conn).Document(t.Context(), q); err != nil {
						t.Fatal(err)
					}
					w.clock.add(24 * time.Hour)
				}
				before := l.count()
				l.set("", tt.answer)
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

func TestAbsenceIsNoCopy(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	l := &list{}
	conn := connection(w.serve(t, "r.example.com", l.ServeHTTP))
	q := format.SourceRequest{Path: "x"}
	for range 3 {
		if _, err := w.source(conn).Document(t.Context(), q); !errors.Is(err, registry.ErrNotFound) {
			t.Fatal(err)
		}
	}
	if l.count() != 1 {
		t.Errorf("%d requests for an absent document, want 1", l.count())
	}
	l.set("", status(500))
	w.clock.add(time.Hour)
	if _, err := w.source(conn).Document(t.Context(), q); !errors.Is(err, registry.ErrUnavailable) || errors.Is(err, registry.ErrNotFound) {
		t.Errorf("an outage over an old absence: %v", err)
	}
}

func TestCacheIsOfDomainAddressAndAccept(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	var n atomic.Int64
	handler := func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, n.Add(1)) }
	one, two := connection(w.serve(t, "r.example.com", handler)), connection(w.serve(t, "s.example.com", handler))
	ask := func(d Domain, c *config.Connection, accept string) string {
		t.Helper()
		doc, err := w.Source(d, c, SourceOptions{MaxAge: -1}).Document(t.Context(), format.SourceRequest{Path: "x", Accept: accept})
		if err != nil {
			t.Fatal(err)
		}
		return string(doc.Body)
	}
	for range 2 {
		got := []string{ask(Domain{ID: 1}, one, ""), ask(Domain{ID: 2}, one, ""), ask(Domain{ID: 1}, two, ""), ask(Domain{ID: 1}, one, "text/html")}
		if diff := cmp.Diff([]string{"1", "2", "3", "4"}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func TestManyMissesAreOneFetch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	release := make(chan struct{})
	l := &list{answer: func(w http.ResponseWriter, _ *http.Request) {
		<-release
		_, _ = io.WriteString(w, "body")
	}}
	conn := connection(w.serve(t, "r.example.com", l.ServeHTTP))
	var waiting, done sync.WaitGroup
	errs := make(chan error, 200)
	for range 200 {
		waiting.Add(1)
		done.Go(func() {
			waiting.Done()
			doc, err := w.source(conn).Document(t.Context(), format.SourceRequest{Path: "x"})
			if err == nil && string(doc.Body) != "body" {
				err = fmt.Errorf("body %q", doc.Body)
			}
			errs <- err
		})
	}
	waiting.Wait()
	close(release)
	done.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
	if l.count() != 1 {
		t.Errorf("%d requests, want 1", l.count())
	}
}

func TestCancelledCallerHarmsNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	asked, release := make(chan struct{}), make(chan struct{})
	l := &list{answer: func(w http.ResponseWriter, _ *http.Request) {
		close(asked)
		<-release
		_, _ = io.WriteString(w, "body")
	}}
	conn := connection(w.serve(t, "r.example.com", l.ServeHTTP))
	ctx, cancel := context.WithCancel(t.Context())
	first, second := make(chan error), make(chan error)
	go func() {
		_, err := w.source(conn).Document(ctx, format.SourceRequest{Path: "x"})
		first <- err
	}()
	<-asked
	go func() {
		_, err := w.source(conn).Document(t.Context(), format.SourceRequest{Path: "x"})
		second <- err
	}()
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("the caller that went away got %v", err)
	}
	close(release)
	if err := <-second; err != nil {
		t.Errorf("the other got %v", err)
	}
	if l.count() != 1 {
		t.Errorf("%d requests, want 1", l.count())
	}
}

func TestLostBytesAreFetchedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	l := &list{body: "body"}
	conn := connection(w.serve(t, "r.example.com", l.ServeHTTP))
	q := format.SourceRequest{Path: "x"}
	for _, after := range []time.Duration{0, time.Minute, time.Hour} { // fresh, and to be confirmed by 304
		w.clock.add(after)
		if _, err := w.source(conn).Document(t.Context(), q); err != nil {
			t.Fatal(err)
		}
		clear(w.store.bodies)
	}
	w.clock.add(time.Second)
	doc, err := w.source(conn).Document(t.Context(), q)
	if err != nil || string(doc.Body) != "body" {
		t.Errorf("%+v, %v", doc, err)
	}
}

func TestStoreThatFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	l := &list{body: "one"}
	conn := connection(w.serve(t, "r.example.com", l.ServeHTTP))
	q := format.SourceRequest{Path: "x"}
	w.store.failing = fmt.Errorf("%w: disk full", registry.ErrUnavailable)
	if _, err := w.source(conn).Document(t.Context(), q); !errors.Is(err, registry.ErrUnavailable) {
		t.Error(err)
	}
	w.store.failing = nil
	if _, err := w.source(conn).Document(t.Context(), q); err != nil {
		t.Error(err)
	}
}
