package external

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
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
