package external

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// TestGuardOfTheRealDialer uses the network as it is in production; all it may reach is loopback, and that only with permission.
func TestGuardOfTheRealDialer(t *testing.T) {
	t.Parallel()
	hit := false
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hit = true }))
	t.Cleanup(srv.Close)
	_, port, err := net.SplitHostPort(srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, nil)
	w.opt.Dial = nil
	w.names = rebinding(t, map[string][4]byte{"cloud.example.": {169, 254, 169, 254}, "inside.example.": {127, 0, 0, 1}})
	for _, host := range []string{"127.0.0.1", "[::ffff:127.0.0.1]", "[::1]", "localhost", "inside.example", "cloud.example", "0.0.0.0", "169.254.169.254", "10.255.255.1"} {
		_, err := w.Client.Open(t.Context(), connection("http://"+host+":"+port), "x", 0)
		if !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v", host, err)
		}
	}
	if hit {
		t.Fatal("the server was reached")
	}
	for _, host := range []string{"169.254.169.254", "cloud.example", "0.0.0.0"} {
		conn := connection("http://" + host + ":" + port)
		conn.AllowPrivateAddresses = true
		if _, err := w.Client.Open(t.Context(), conn, "x", 0); !errors.Is(err, ErrRefused) {
			t.Errorf("%s with permission: %v", host, err)
		}
	}
	conn := connection("http://inside.example:" + port)
	conn.AllowPrivateAddresses = true
	b, err := w.Client.Open(t.Context(), conn, "x", 0)
	if err != nil || !hit {
		t.Fatalf("loopback with permission: %v", err)
	}
	b.Close()
}

// TestPermissionIsNotForForeignHosts: a connection that is inside opens nothing else that is inside.
func TestPermissionIsNotForForeignHosts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	conn := connection(w.serve(t, "r.example.com", redirectTo("https://10.0.0.1/x")))
	conn.AllowPrivateAddresses = true
	if _, err := w.Client.Open(t.Context(), conn, "x", 0); !errors.Is(err, ErrRefused) {
		t.Error(err)
	}
	conn.Hosts = []string{"*"}
	if _, err := w.Client.Open(t.Context(), conn, "https://127.0.0.1/x", 0); !errors.Is(err, ErrRefused) {
		t.Error(err)
	}
}

// rebinding is a name server that knows the given names.
func rebinding(t *testing.T, names map[string][4]byte) *net.Resolver {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pc.Close() })
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			q := m.Questions[0]
			m = dnsmessage.Message{Header: dnsmessage.Header{ID: m.ID, Response: true, Authoritative: true}, Questions: m.Questions}
			if a, ok := names[q.Name.String()]; ok && q.Type == dnsmessage.TypeA {
				m.Answers = []dnsmessage.Resource{{
					Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}, Body: &dnsmessage.AResource{A: a},
				}}
			}
			if out, err := m.Pack(); err == nil {
				_, _ = pc.WriteTo(out, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", pc.LocalAddr().String())
	}}
}
