package server

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/format"
)

// readResponse reads an answer off a raw connection.
func readResponse(t *testing.T, c net.Conn) *http.Response {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

func dial(t *testing.T, w *world) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// TestEarlyAnswers: who announces a gigabyte and may not send it hears so at once, whether it waits for permission to send or not.
func TestEarlyAnswers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.service.limits = config.Limits{AssetBytes: 1}
	w.toy.serve = func(_ http.ResponseWriter, r *http.Request, _ format.Repository) error {
		_, err := io.ReadAll(io.LimitReader(r.Body, 100))
		return errors.Join(err, fmt.Errorf("%w: a manifest may have 100 bytes", registry.ErrTooLarge))
	}
	w.start(t)
	tests := map[string]struct {
		authorization, rest, header, send string
		status                            string
	}{
		"no token":              {"", "upload", "Content-Length: 1000000000", "{", "401"},
		"no token, waiting":     {"", "upload", "Expect: 100-continue\r\nContent-Length: 1000000000", "", "401"},
		"too large":             {w.bearer(t), "upload", "Content-Length: 1000000000", "{", "413"},
		"too large, waiting":    {w.bearer(t), "upload", "Expect: 100-continue\r\nContent-Length: 1000000000", "", "413"},
		"refused by the format": {w.bearer(t), "x", "Content-Length: 60000000", strings.Repeat("{", 1<<20), "413"},
		"without a length":      {w.bearer(t), "upload", "Transfer-Encoding: chunked", fmt.Sprintf("%x\r\n%s\r\n", 70<<20, strings.Repeat("{", 70<<20)), "413"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := dial(t, w)
			fmt.Fprintf(c, "PUT %s%s HTTP/1.1\r\nHost: localhost\r\nAuthorization: %s\r\n%s\r\n\r\n", base, tt.rest, tt.authorization, tt.header)
			sent := make(chan error, 1)
			go func() { _, err := io.WriteString(c, tt.send); sent <- err }()
			begin := time.Now()
			resp := readResponse(t, c)
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if !strings.HasPrefix(resp.Status, tt.status) || err != nil || !json.Valid(body) || !resp.Close {
				t.Errorf("got %s %s, %v, close %v; want %s", resp.Status, body, err, resp.Close, tt.status)
			}
			if took := time.Since(begin); took > 10*time.Second {
				t.Errorf("the answer took %v", took)
			}
			c.Close()
			<-sent
		})
	}
}

// TestAnswerIsHeard: a client that sends everything before it listens gets the answer and not a reset.
func TestAnswerIsHeard(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start(t)
	c := dial(t, w)
	const size = 8 << 20
	fmt.Fprintf(c, "PUT %supload HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n", base, size)
	if _, err := c.Write(make([]byte, size)); err != nil {
		t.Fatalf("sending was cut short: %v", err)
	}
	resp := readResponse(t, c)
	defer resp.Body.Close()
	if resp.StatusCode != 401 {
		t.Errorf("got %s", resp.Status)
	}
}

func TestUploadDeadline(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	tests := map[string]struct {
		after time.Duration
		read  int64
		want  time.Duration
	}{
		"at the start":                 {0, 0, uploadIdle},
		"nothing came for a while":     {50 * time.Second, 10, uploadIdle},
		"fast: it may pause":           {time.Minute, 100 << 20, 2 * time.Minute},
		"a drip: its time is used up":  {10 * time.Minute, 60 << 10, 2 * time.Minute},
		"slow, but it moves":           {10 * time.Minute, 600 << 10, 11 * time.Minute},
		"two hours at the slowest":     {2 * time.Hour, 7200 << 10, 2*time.Hour + time.Minute},
		"two hours below the slowest":  {2 * time.Hour, 7000 << 10, 7000*time.Second + time.Minute},
		"ten hours, five gigabyte: ok": {10 * time.Hour, 5 << 30, 10*time.Hour + time.Minute},
	}
	for name, tt := range tests {
		if got := uploadDeadline(start, start.Add(tt.after), tt.read).Sub(start); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

// TestStalledUpload: a body that stops becomes a 408. The deadline of the connection is moved into the past instead of waiting.
func TestStalledUpload(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.toy.serve = func(rw http.ResponseWriter, r *http.Request, _ format.Repository) error {
		if _, err := io.ReadFull(r.Body, make([]byte, 3)); err != nil {
			return err
		}
		if err := http.NewResponseController(rw).SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
			return err
		}
		_, err := io.Copy(io.Discard, r.Body)
		return err
	}
	w.start(t)
	c := dial(t, w)
	fmt.Fprintf(c, "PUT %sx HTTP/1.1\r\nHost: localhost\r\nAuthorization: %s\r\nContent-Length: 100\r\n\r\nabc", base, w.bearer(t))
	resp := readResponse(t, c)
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusRequestTimeout || !resp.Close {
		t.Errorf("got %s, close %v", resp.Status, resp.Close)
	}
}

// TestLongHandlerAfterUpload: when a body was read to its end, the time for it does not end the request.
func TestLongHandlerAfterUpload(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.toy.serve = func(rw http.ResponseWriter, r *http.Request, _ format.Repository) error {
		if err := http.NewResponseController(rw).SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return err
		}
		select {
		case <-r.Context().Done():
			return r.Context().Err()
		case <-time.After(300 * time.Millisecond):
		}
		rw.WriteHeader(http.StatusCreated)
		return nil
	}
	w.start(t)
	r, err := http.NewRequest(http.MethodPut, w.url+base+"x", strings.NewReader("abc"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", w.bearer(t))
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		t.Errorf("got %s", resp.Status)
	}
}

// TestGracefulStop: a request under way is finished, a new connection is refused, and Run returns.
func TestGracefulStop(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	inside, release := make(chan struct{}), make(chan struct{})
	w.toy.serve = func(rw http.ResponseWriter, _ *http.Request, _ format.Repository) error {
		close(inside)
		<-release
		_, err := io.WriteString(rw, "done")
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan error, 1)
	go func() { stopped <- Run(ctx, HTTP(w.Server, w.Server.log), 10*time.Second, l) }()
	token := w.bearer(t)
	got := make(chan string, 1)
	go func() {
		r, err := http.NewRequest(http.MethodGet, "http://"+l.Addr().String()+base+"x", nil)
		if err != nil {
			got <- err.Error()
			return
		}
		r.Header.Set("Authorization", token)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			got <- err.Error()
			return
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		got <- string(b) + fmt.Sprint(err)
	}()
	<-inside
	cancel()
	for range 200 { // until the listener is closed
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			break
		}
		c.Close()
		time.Sleep(5 * time.Millisecond)
	}
	close(release)
	if s := <-got; s != "done<nil>" {
		t.Errorf("the request under way got %q", s)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// TestLimitsAreSet: who does not finish the header is cut off by net/http; the limit is set.
func TestLimitsAreSet(t *testing.T) {
	t.Parallel()
	s := HTTP(http.NotFoundHandler(), slog.New(slog.DiscardHandler))
	if s.ReadHeaderTimeout == 0 || s.IdleTimeout == 0 || s.WriteTimeout == 0 || s.MaxHeaderBytes == 0 || s.MaxHeaderBytes > 1<<20 {
		t.Errorf("%+v", s)
	}
}
