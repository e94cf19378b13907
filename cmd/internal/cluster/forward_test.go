package cluster_test

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"packhouse.dev/packhouse/cmd/internal/cluster"
	"packhouse.dev/packhouse/cmd/internal/cluster/clustertest"
)

// forwarding is a running Forward.
type forwarding struct {
	address string
	stop    func() error // ends it, and returns what Serve did

	mu   sync.Mutex
	said []string
}

func forward(t *testing.T, f *cluster.Forward) *forwarding {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &forwarding{address: l.Addr().String()}
	f.Say = func(text string) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.said = append(r.said, text)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Serve(ctx, l) }()
	r.stop = sync.OnceValue(func() error { cancel(); return <-done })
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func (r *forwarding) heard(text string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, s := range r.said {
		if strings.Contains(s, text) {
			n++
		}
	}
	return n
}

// ask sends a text and returns everything that comes back.
func (r *forwarding) ask(text string) (string, error) {
	conn, err := net.Dial("tcp", r.address)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, text); err != nil {
		return "", err
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		return "", err
	}
	b, err := io.ReadAll(conn)
	return string(b), err
}

// TestForwardGoesOn: connections wait while there is no pod, and what is amiss is said once.
func TestForwardGoesOn(t *testing.T) {
	t.Parallel()
	c := clustertest.New(t, "default")
	address := echo(t)
	f := forward(t, &cluster.Forward{Dial: func(ctx context.Context) (net.Conn, error) { return c.Dial(ctx, registryNamed("default"), 8080) }})
	c.Listen("p-0", 8080, address)
	c.Listen("p-1", 8080, address)
	c.AddPod(t, "default", "p-0", true)
	hello := func() {
		t.Helper()
		if got, err := f.ask("hello"); got != "hello"+goodbye || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	}
	hello()
	hello()
	c.RemovePod(t, "p-0")
	var waiting sync.WaitGroup
	for range 3 {
		waiting.Go(hello)
	}
	for f.heard("has no pod") == 0 {
		time.Sleep(time.Millisecond)
	}
	c.AddPod(t, "default", "p-1", true)
	waiting.Wait()
	if f.heard("forwarding to pod") != 2 || f.heard("has no pod") != 1 {
		t.Errorf("said %q", f.said)
	}
}

// TestForwardFails: a connection ends when nothing can be done, and with the words of the node.
func TestForwardFails(t *testing.T) {
	t.Parallel()
	dial := (&apiserver{}).dialer(t)
	tests := map[string]struct {
		forward *cluster.Forward
		says    string
	}{
		"no patience left": {forward: &cluster.Forward{Patience: time.Millisecond, Dial: func(context.Context) (net.Conn, error) { return nil, errors.New("no pod") }}, says: "no pod"},
		"not allowed":      {forward: &cluster.Forward{Dial: func(context.Context) (net.Conn, error) { return nil, cluster.ErrNotAllowed }}, says: "does not allow"},
		"nobody listens in the pod": {
			forward: &cluster.Forward{Dial: func(ctx context.Context) (net.Conn, error) { return dial(ctx, "platform", "p-0", 8080) }}, says: "p-0:8080 does not answer: error forwarding port 8080",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := forward(t, tt.forward)
			if got, err := f.ask("hello"); got != "" {
				t.Errorf("got %q, %v", got, err)
			}
			if err := f.stop(); err != nil || f.heard(tt.says) != 1 {
				t.Errorf("said %q, ended with %v", f.said, err)
			}
		})
	}
}

// TestForwardEnds: an interruption ends connections that are open, and those that wait.
func TestForwardEnds(t *testing.T) {
	t.Parallel()
	address := echo(t)
	pods := make(chan string, 1)
	f := forward(t, &cluster.Forward{Dial: func(ctx context.Context) (net.Conn, error) {
		select {
		case a := <-pods:
			return net.Dial("tcp", a)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}})
	pods <- address
	open, err := net.Dial("tcp", f.address)
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	if _, err := io.WriteString(open, "hello"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(open, make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	waits, err := net.Dial("tcp", f.address)
	if err != nil {
		t.Fatal(err)
	}
	defer waits.Close()
	if err := f.stop(); err != nil {
		t.Error(err)
	}
	for _, conn := range []net.Conn{open, waits} {
		if b, err := io.ReadAll(conn); len(b) > 0 {
			t.Errorf("got %q, %v", b, err)
		}
	}
	if slices.ContainsFunc(f.said, func(s string) bool { return !strings.HasPrefix(s, "forwarding to pod") }) {
		t.Errorf("said %q", f.said)
	}
}
