package external

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/format"
)

// bubble runs a test in fake time, with an upstream in memory at http://r.example.
func bubble(t *testing.T, h http.HandlerFunc, test func(t *testing.T, w *world, conn *config.Connection)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.opt.Now, w.now = time.Now, time.Now
		test(t, w, connection(w.serveMemory(t, "r.example", h)))
	})
}

// until waits for a request to be given up.
func until(r *http.Request) { <-r.Context().Done() }

func took(t *testing.T, want time.Duration, fn func()) {
	t.Helper()
	start := time.Now()
	fn()
	if got := time.Since(start); got < want || got > want+2*time.Second {
		t.Errorf("took %v, want %v", got, want)
	}
}

func TestHangingUpstream(t *testing.T) {
	bubble(t, func(_ http.ResponseWriter, r *http.Request) { until(r) }, func(t *testing.T, w *world, conn *config.Connection) {
		took(t, 15*time.Second, func() {
			_, err := w.source(conn).Document(t.Context(), format.SourceRequest{Path: "x"})
			if !errors.Is(err, registry.ErrUnavailable) {
				t.Error(err)
			}
		})
	})
}

func TestBodyThatStops(t *testing.T) {
	bubble(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "begin")
		_ = http.NewResponseController(w).Flush()
		until(r)
	}, func(t *testing.T, w *world, conn *config.Connection) {
		took(t, idleLimit, func() {
			_, err := w.source(conn).Document(t.Context(), format.SourceRequest{Path: "x"})
			if !errors.Is(err, errIdle) {
				t.Error(err)
			}
		})
		took(t, idleLimit, func() {
			b, err := w.Client.Open(t.Context(), conn, "file", 0)
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			if _, err := io.ReadAll(b); !errors.Is(err, errIdle) || !errors.Is(err, registry.ErrUnavailable) {
				t.Error(err)
			}
		})
	})
}

// drip sends ten bytes a second for ever.
func drip(w http.ResponseWriter, r *http.Request) {
	for r.Context().Err() == nil {
		_, _ = io.WriteString(w, "0123456789")
		_ = http.NewResponseController(w).Flush()
		time.Sleep(time.Second)
	}
}

func TestBodyThatDrips(t *testing.T) {
	bubble(t, drip, func(t *testing.T, w *world, conn *config.Connection) {
		took(t, slowGrace, func() {
			b, err := w.Client.Open(t.Context(), conn, "file", 0)
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			if _, err := io.ReadAll(b); !errors.Is(err, errSlow) {
				t.Error(err)
			}
		})
	})
}

// TestDocumentTakesTooLong: a rate that is enough for a file is too slow for a document in the end.
func TestDocumentTakesTooLong(t *testing.T) {
	bubble(t, func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			_, _ = w.Write(make([]byte, 2*minRate))
			_ = http.NewResponseController(w).Flush()
			time.Sleep(time.Second)
		}
	}, func(t *testing.T, w *world, conn *config.Connection) {
		took(t, documentLimit, func() {
			if _, err := w.source(conn).Document(t.Context(), format.SourceRequest{Path: "x"}); !errors.Is(err, errTooLong) {
				t.Error(err)
			}
		})
	})
}

// TestSlowReader: a client that reads slowly is not the upstream's fault.
func TestSlowReader(t *testing.T) {
	bubble(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(make([]byte, 1<<20))
	}, func(t *testing.T, w *world, conn *config.Connection) {
		b, err := w.Client.Open(t.Context(), conn, "file", 0)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		n, buf := 0, make([]byte, 64<<10)
		for err == nil {
			var got int
			got, err = b.Read(buf)
			n += got
			time.Sleep(time.Minute)
		}
		if !errors.Is(err, io.EOF) || n != 1<<20 {
			t.Errorf("%d bytes, %v", n, err)
		}
	})
}

func TestTimeoutOfTheCaller(t *testing.T) {
	var mu sync.Mutex
	slow, requests := false, 0
	handler := func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		wait := slow
		requests++
		mu.Unlock()
		if wait {
			time.Sleep(10 * time.Second)
		}
		_, _ = fmt.Fprintf(w, "answer %t", wait)
	}
	bubble(t, handler, func(t *testing.T, w *world, conn *config.Connection) {
		q := format.SourceRequest{Path: "x"}
		if _, err := w.source(conn).Document(t.Context(), q); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		slow = true
		mu.Unlock()
		hurried := w.Source(Domain{ID: 1}, conn, SourceOptions{Timeout: 2 * time.Second})
		took(t, 2*time.Second, func() {
			doc, err := hurried.Document(t.Context(), q)
			if err != nil || !doc.Stale || string(doc.Body) != "answer false" {
				t.Errorf("%+v, %v", doc, err)
			}
		})
		took(t, 2*time.Second, func() {
			if _, err := hurried.Document(t.Context(), format.SourceRequest{Path: "unknown"}); !errors.Is(err, registry.ErrUnavailable) {
				t.Error(err)
			}
		})
		// The fetch went on for those who come later.
		time.Sleep(10 * time.Second)
		doc, err := w.source(conn).Document(t.Context(), q)
		if err != nil || doc.Stale || string(doc.Body) != "answer true" || requests != 3 {
			t.Errorf("afterwards: %+v, %v, %d requests", doc, err, requests)
		}
	})
}

func TestBreakerOpensAndCloses(t *testing.T) {
	var mu sync.Mutex
	requests, code := 0, 500
	handler := func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		requests++
		w.WriteHeader(code)
	}
	bubble(t, handler, func(t *testing.T, w *world, conn *config.Connection) {
		ask := func(c *config.Connection, n int) error {
			t.Helper()
			_, err := w.revalidate(c).Document(t.Context(), format.SourceRequest{Path: fmt.Sprint(n)})
			return err
		}
		for n := range 20 {
			if err := ask(conn, n); !errors.Is(err, registry.ErrUnavailable) {
				t.Fatal(err)
			}
		}
		if requests != breakerFailures || w.Stats().OpenBreakers != 1 {
			t.Errorf("%d requests, %+v; want the breaker open after %d", requests, w.Stats(), breakerFailures)
		}
		if _, err := w.Client.Open(t.Context(), conn, "file", 0); !errors.Is(err, errOpen) || !errors.Is(err, registry.ErrUnavailable) {
			t.Errorf("a file through an open breaker: %v", err)
		}
		other := *conn
		other.Name = "team:other"
		if err := ask(&other, 0); errors.Is(err, errOpen) {
			t.Errorf("another connection suffers: %v", err)
		}
		requests, code = 0, 404
		time.Sleep(breakerOpen + time.Second)
		for n := range 5 { // half-open, then closed: 404 is an answer
			if err := ask(conn, n); !errors.Is(err, registry.ErrNotFound) {
				t.Error(err)
			}
		}
		if requests != 5 {
			t.Errorf("%d requests, want 5", requests)
		}
	})
}

func TestOldCopiesAreServedWhileTheBreakerIsOpen(t *testing.T) {
	var mu sync.Mutex
	broken, requests := false, 0
	handler := func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		requests++
		if broken {
			w.WriteHeader(500)
		}
		_, _ = io.WriteString(w, "body")
	}
	bubble(t, handler, func(t *testing.T, w *world, conn *config.Connection) {
		for i := range 50 {
			doc, err := w.revalidate(conn).Document(t.Context(), format.SourceRequest{Path: "x"})
			if err != nil || doc.Stale != (i > 0) {
				t.Fatalf("%d: %+v, %v", i, doc, err)
			}
			broken = true
		}
		if requests != 1+breakerFailures {
			t.Errorf("%d requests", requests)
		}
	})
}

func TestRetryAfter(t *testing.T) {
	tests := map[string]struct {
		status int
		header string
		pause  time.Duration
	}{
		"429 for seconds":        {429, "20", 20 * time.Second},
		"503 for seconds":        {503, "20", 20 * time.Second},
		"429 for ever":           {429, "999999999", maxPause},
		"429 until a date":       {429, time.Date(2000, 1, 1, 0, 0, 30, 0, time.UTC).Format(http.TimeFormat), 30 * time.Second},
		"429 until long ago":     {429, time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC).Format(http.TimeFormat), 0},
		"429 without a word":     {429, "", 0},
		"429 with nonsense":      {429, "soon", 0},
		"429 with less than now": {429, "-5", 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			requests := 0
			handler := func(w http.ResponseWriter, _ *http.Request) {
				requests++
				if requests == 1 {
					w.Header().Set("Retry-After", tt.header)
					w.WriteHeader(tt.status)
				}
			}
			bubble(t, handler, func(t *testing.T, w *world, conn *config.Connection) {
				ask := func() error {
					_, err := w.source(conn).Document(t.Context(), format.SourceRequest{Path: "x"})
					return err
				}
				if err := ask(); !errors.Is(err, registry.ErrUnavailable) || requests != 1 {
					t.Fatalf("%v, %d requests", err, requests)
				}
				if tt.pause > 0 {
					time.Sleep(tt.pause - time.Second)
					if err := ask(); !errors.Is(err, errOpen) || requests != 1 {
						t.Errorf("during the pause: %v, %d requests", err, requests)
					}
					time.Sleep(time.Second)
				}
				if err := ask(); err != nil || requests != 2 {
					t.Errorf("after the pause: %v, %d requests", err, requests)
				}
			})
		})
	}
}

// TestCancellationIsNoFailure: callers that go away say nothing about the upstream.
func TestCancellationIsNoFailure(t *testing.T) {
	bubble(t, func(_ http.ResponseWriter, r *http.Request) { until(r) }, func(t *testing.T, w *world, conn *config.Connection) {
		for range 3 * breakerFailures {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			_, err := w.Client.Open(ctx, conn, "file", 0)
			cancel()
			if err == nil || errors.Is(err, errOpen) {
				t.Fatal(err)
			}
		}
	})
}

func TestReplicasShareAFetch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newMemStore()
		requests := 0
		handler := func(w http.ResponseWriter, _ *http.Request) {
			requests++
			time.Sleep(3 * time.Second)
			_, _ = io.WriteString(w, "body")
		}
		var wg sync.WaitGroup
		for range 5 {
			w := newWorld(t, store)
			w.now = time.Now
			conn := connection(w.serveMemory(t, "r.example", handler))
			wg.Go(func() {
				doc, err := w.source(conn).Document(t.Context(), format.SourceRequest{Path: "x"})
				if err != nil || string(doc.Body) != "body" {
					t.Errorf("%+v, %v", doc, err)
				}
			})
		}
		wg.Wait()
		if requests != 1 {
			t.Errorf("%d requests, want 1", requests)
		}
	})
}

func TestReplicaThatDiedHoldsUpForTenSeconds(t *testing.T) {
	bubble(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "body") }, func(t *testing.T, w *world, conn *config.Connection) {
		name := fmt.Sprintf("fetch/1/%s/%sx", conn.Identity(), conn.URL)
		if _, err := w.store.Acquire(t.Context(), name, time.Hour); err != nil {
			t.Fatal(err)
		}
		took(t, followLimit, func() {
			if _, err := w.source(conn).Document(t.Context(), format.SourceRequest{Path: "x"}); err != nil {
				t.Error(err)
			}
		})
	})
}

// TestPausedWinnerWritesNothing: whoever lost the lease while it slept does not overwrite what came after.
func TestPausedWinnerWritesNothing(t *testing.T) {
	var w *world
	var conn *config.Connection
	handler := func(rw http.ResponseWriter, r *http.Request) {
		// While we answer, the lease goes to another replica, which writes.
		w.store.mu.Lock()
		for name, l := range w.store.leases {
			l.Token++
			w.store.leases[name] = l
		}
		w.store.mu.Unlock()
		tx := &memTx{store: w.store, domain: 1, object: "later"}
		w.store.bodies["later"] = []byte("later!")
		row := upstreamRow(conn, "http://r.example/x", time.Now())
		row.Size = 6
		if _, err := tx.PutUpstream(row); err != nil {
			t.Error(err)
		}
		w.store.rows = tx.put
		_, _ = io.WriteString(rw, "early")
	}
	bubble(t, handler, func(t *testing.T, got *world, c *config.Connection) {
		w, conn = got, c
		doc, err := w.source(conn).Document(t.Context(), format.SourceRequest{Path: "x"})
		if err != nil || string(doc.Body) != "later!" {
			t.Errorf("%+v, %v", doc, err)
		}
	})
}

func TestCloseEndsFetches(t *testing.T) {
	bubble(t, func(_ http.ResponseWriter, r *http.Request) { until(r) }, func(t *testing.T, w *world, conn *config.Connection) {
		done := make(chan error)
		go func() {
			_, err := w.source(conn).Document(t.Context(), format.SourceRequest{Path: "x"})
			done <- err
		}()
		synctest.Wait()
		took(t, 0, func() {
			if err := w.Close(); err != nil {
				t.Error(err)
			}
			if err := <-done; !errors.Is(err, registry.ErrUnavailable) {
				t.Error(err)
			}
		})
		if _, err := w.source(conn).Document(t.Context(), format.SourceRequest{Path: "x"}); !errors.Is(err, registry.ErrUnavailable) {
			t.Error(err)
		}
	})
}
