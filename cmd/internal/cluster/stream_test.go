package cluster_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	utilproxy "k8s.io/apimachinery/pkg/util/proxy"
	"k8s.io/apiserver/pkg/util/proxy"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/streaming/pkg/httpstream"
	"k8s.io/streaming/pkg/httpstream/spdy"

	"packhouse.dev/packhouse/cmd/internal/cluster"
)

// apiserver forwards ports as an apiserver and a node do together, with their own code for the protocols.
type apiserver struct {
	old     bool   // knows no WebSockets
	refuse  bool   // for want of a role
	silent  bool   // never answers
	address string // of what listens in the pod; "" nothing does
	seen    func(path, upgrade string)
}

// dialer is a real one for the server, which ends with the test.
func (a *apiserver) dialer(t *testing.T) cluster.PodDialer {
	t.Helper()
	end := make(chan struct{})
	node := httptest.NewServer(http.HandlerFunc(a.upgrade))
	t.Cleanup(node.Close)
	at, err := url.Parse(node.URL)
	if err != nil {
		t.Fatal(err)
	}
	upgrade := utilproxy.NewUpgradeAwareHandler(at, http.DefaultTransport, false, true, responder{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.seen != nil {
			a.seen(r.URL.Path, r.Header.Get("Upgrade"))
		}
		websocket := r.Header.Get("Upgrade") == "websocket"
		switch {
		case a.silent:
			<-end
		case a.refuse:
			status := apierrors.NewForbidden(corev1.Resource("pods"), "p-0", errors.New("no role")).Status()
			status.Kind, status.APIVersion = "Status", "v1"
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusForbidden)
			_ = json.NewEncoder(w).Encode(status)
		case websocket && a.old:
			http.Error(w, "you must use SPDY", http.StatusBadRequest)
		case websocket:
			proxy.NewTunnelingHandler(upgrade).ServeHTTP(w, r)
		default:
			upgrade.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(func() { close(end); s.CloseClientConnections(); s.Close() })
	cfg := &rest.Config{Host: s.URL}
	core, err := corev1client.NewForConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return cluster.NewPodDialer(cfg, core.RESTClient())
}

type responder struct{}

// Error implements proxy.ErrorResponder.
func (responder) Error(w http.ResponseWriter, _ *http.Request, err error) {
	http.Error(w, err.Error(), http.StatusBadGateway)
}

// upgrade is the node.
func (a *apiserver) upgrade(w http.ResponseWriter, r *http.Request) {
	if _, err := httpstream.Handshake(r, w, []string{portforward.PortForwardProtocolV1Name}); err != nil {
		return
	}
	streams := make(chan httpstream.Stream, 2)
	conn := spdy.NewResponseUpgrader().UpgradeResponse(w, r, func(s httpstream.Stream, _ <-chan struct{}) error {
		streams <- s
		return nil
	})
	if conn == nil {
		return
	}
	defer conn.Close()
	var failure, data httpstream.Stream
	for failure == nil || data == nil {
		select {
		case s := <-streams:
			if s.Headers().Get(corev1.StreamType) == corev1.StreamTypeError {
				failure = s
			} else {
				data = s
			}
		case <-conn.CloseChan():
			return
		}
	}
	if err := a.carry(data); err != nil {
		fmt.Fprintf(failure, "error forwarding port %s to pod: %v", data.Headers().Get(corev1.PortHeader), err)
	}
	_, _ = failure.Close(), data.Close()
	<-conn.CloseChan()
}

func (a *apiserver) carry(data httpstream.Stream) error {
	if a.address == "" {
		return errors.New("connection refused")
	}
	pod, err := net.Dial("tcp", a.address)
	if err != nil {
		return err
	}
	defer pod.Close()
	go func() {
		_, _ = io.Copy(pod, data)
		_ = pod.(*net.TCPConn).CloseWrite()
	}()
	_, err = io.Copy(data, pod)
	return err
}

// echo sends back what it gets, and says goodbye when nothing more comes.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	t.Cleanup(func() { l.Close(); all.Wait() })
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer conn.Close()
				_, _ = io.Copy(conn, conn)
				_, _ = io.WriteString(conn, goodbye)
			})
		}
	})
	return l.Addr().String()
}

const goodbye = "goodbye"

// TestStreams: bytes go both ways, in order, both ends can be told from each other, by either protocol.
func TestStreams(t *testing.T) {
	t.Parallel()
	for name, old := range map[string]bool{"WebSockets": false, "SPDY": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			var seen []string
			a := &apiserver{old: old, address: echo(t), seen: func(path, upgrade string) {
				mu.Lock()
				defer mu.Unlock()
				seen = append(seen, path+" "+upgrade)
			}}
			conn, err := a.dialer(t)(t.Context(), "platform", "p-0", 8443)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if got := conn.RemoteAddr().String(); got != "p-0:8443" {
				t.Errorf("connected to %s", got)
			}
			sent := make([]byte, 3<<20)
			_, _ = rand.Read(sent)
			go func() {
				_, _ = conn.Write(sent)
				_ = conn.(interface{ CloseWrite() error }).CloseWrite()
			}()
			got, err := io.ReadAll(conn)
			if want := append(sent, goodbye...); err != nil || !bytes.Equal(got, want) {
				t.Errorf("got %d bytes, %v; want %d", len(got), err, len(want))
			}
			if last := seen[len(seen)-1]; last != "/api/v1/namespaces/platform/pods/p-0/portforward "+map[bool]string{false: "websocket", true: "SPDY/3.1"}[old] {
				t.Errorf("asked for %q", seen)
			}
		})
	}
}

// TestStreamFails: what the node says is told, not just that the connection ended.
func TestStreamFails(t *testing.T) {
	t.Parallel()
	conn, err := (&apiserver{}).dialer(t)(t.Context(), "platform", "p-0", 8443)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.ReadAll(conn); err == nil || !strings.Contains(err.Error(), "p-0:8443") || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("got %v", err)
	}
}

// TestDialEnds: the dialers of client-go know no context, and must not hold up the end of a command.
func TestDialEnds(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := (&apiserver{silent: true}).dialer(t)(ctx, "platform", "p-0", 8443); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}
