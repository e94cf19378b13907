package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/streaming/pkg/httpstream"
)

// Limits of a connection to a pod.
const (
	dialTimeout = 30 * time.Second
	maxFailure  = 4 << 10 // bytes of what a node says about a failure
)

// NewPodDialer returns a dialer with the rights of a configuration. Every connection is an upgraded request of its own: streams that
// share one block each other, since the protocol has no flow control, and fall together.
func NewPodDialer(cfg *rest.Config, pods rest.Interface) PodDialer {
	return func(ctx context.Context, namespace, pod string, port int) (net.Conn, error) {
		address := pods.Post().Resource("pods").Namespace(namespace).Name(pod).SubResource("portforward").URL()
		tunnel, err := portforward.NewSPDYOverWebsocketDialerForStreaming(address, cfg)
		if err != nil {
			return nil, err
		}
		transport, upgrader, err := spdy.RoundTripperFor(cfg)
		if err != nil {
			return nil, err
		}
		old := spdy.NewDialerForStreaming(upgrader, &http.Client{Transport: transport}, http.MethodPost, address)
		return dialStreams(ctx, &fallback{tunnel, old}, pod, port)
	}
}

// fallback tries WebSockets, then SPDY, which older apiservers and some proxies want. It is as kubectl's, but keeps the first error,
// which has a status where the second has a text only.
type fallback struct{ first, second httpstream.Dialer }

// Dial implements httpstream.Dialer.
func (f *fallback) Dial(protocols ...string) (httpstream.Connection, string, error) {
	conn, protocol, err := f.first.Dial(protocols...)
	if !httpstream.IsUpgradeFailure(err) && !httpstream.IsHTTPSProxyError(err) {
		return conn, protocol, err
	}
	if up, ok := errors.AsType[*httpstream.UpgradeFailureError](err); ok {
		err = up.Cause // it does not unwrap
	}
	conn, protocol, err2 := f.second.Dial(protocols...)
	if err2 != nil {
		return nil, "", fmt.Errorf("%w; with SPDY: %w", err, err2)
	}
	return conn, protocol, nil
}

// dialStreams opens the two streams of a forwarded connection. The dialer knows no context: one that comes too late is closed.
func dialStreams(ctx context.Context, d httpstream.Dialer, pod string, port int) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	type result struct {
		conn net.Conn
		err  error
	}
	done := make(chan result)
	go func() {
		var got result
		got.conn, got.err = openStreams(d, pod, port)
		select {
		case done <- got:
		case <-ctx.Done():
			if got.conn != nil {
				_ = got.conn.Close() // nobody waits for it
			}
		}
	}()
	select {
	case got := <-done:
		return got.conn, got.err
	case <-ctx.Done():
		return nil, fmt.Errorf("connect to pod %s: %w", pod, ctx.Err())
	}
}

func openStreams(d httpstream.Dialer, pod string, port int) (net.Conn, error) {
	up, protocol, err := d.Dial(portforward.PortForwardProtocolV1Name)
	if err != nil {
		return nil, err
	}
	if protocol != portforward.PortForwardProtocolV1Name {
		return nil, errors.Join(fmt.Errorf("the apiserver forwards ports by protocol %q, which is not understood", protocol), up.Close())
	}
	headers := http.Header{}
	headers.Set(corev1.PortHeader, strconv.Itoa(port))
	headers.Set(corev1.PortForwardRequestIDHeader, "0") // ties the two streams together
	headers.Set(corev1.StreamType, corev1.StreamTypeError)
	failure, err := up.CreateStream(headers)
	if err == nil {
		err = failure.Close() // nothing is written to it
	}
	if err != nil {
		return nil, errors.Join(err, up.Close())
	}
	headers.Set(corev1.StreamType, corev1.StreamTypeData)
	data, err := up.CreateStream(headers)
	if err != nil {
		return nil, errors.Join(err, up.Close())
	}
	c := &conn{up: up, data: data, addr: podAddr(net.JoinHostPort(pod, strconv.Itoa(port))), told: make(chan struct{})}
	go c.listen(failure)
	return c, nil
}

// conn is a connection to a port of a pod. It knows no deadlines.
type conn struct {
	up    httpstream.Connection
	data  httpstream.Stream
	addr  podAddr
	close sync.Once
	told  chan struct{} // closed when the node has nothing more to say
	said  string        // what it said; to be read after told
}

// listen hears what the node says when it cannot forward.
func (c *conn) listen(failure io.Reader) {
	defer close(c.told)
	b, err := io.ReadAll(io.LimitReader(failure, maxFailure))
	if err != nil {
		return // the connection is gone, as the other stream shows
	}
	c.said = strings.TrimSpace(string(b))
}

// Read implements net.Conn. The end of a connection that the node could not make is an error with the node's words.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.data.Read(p)
	if !errors.Is(err, io.EOF) {
		return n, err
	}
	select {
	case <-c.told: // before the end of the data, or right behind it
		if c.said != "" {
			return n, fmt.Errorf("pod %s does not answer: %s", c.addr, c.said)
		}
	case <-time.After(time.Second):
	}
	return n, err
}

// Write implements net.Conn.
func (c *conn) Write(p []byte) (int, error) { return c.data.Write(p) }

// CloseWrite tells the pod that nothing more comes.
func (c *conn) CloseWrite() error { return c.data.Close() }

// Close implements net.Conn.
func (c *conn) Close() (err error) {
	c.close.Do(func() { err = c.up.Close() })
	return err
}

// LocalAddr implements net.Conn.
func (c *conn) LocalAddr() net.Addr { return podAddr("") }

// RemoteAddr implements net.Conn.
func (c *conn) RemoteAddr() net.Addr { return c.addr }

// SetDeadline implements net.Conn.
func (c *conn) SetDeadline(time.Time) error { return os.ErrNoDeadline }

// SetReadDeadline implements net.Conn.
func (c *conn) SetReadDeadline(time.Time) error { return os.ErrNoDeadline }

// SetWriteDeadline implements net.Conn.
func (c *conn) SetWriteDeadline(time.Time) error { return os.ErrNoDeadline }

// podAddr is a pod's name and a port.
type podAddr string

// Network implements net.Addr.
func (podAddr) Network() string { return "portforward" }

// String implements net.Addr.
func (a podAddr) String() string { return string(a) }
