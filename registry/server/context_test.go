package server

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"packhouse.dev/packhouse/registry/config"
)

func TestOrigin(t *testing.T) {
	t.Parallel()
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	tests := map[string]struct {
		peer    string
		tls     bool
		trusted []netip.Prefix
		via     []string
		proto   []string
		source  string
		secure  bool
	}{
		"a connection":                           {peer: "192.0.2.1:5", source: "192.0.2.1"},
		"an encrypted one":                       {peer: "[2001:db8::1]:5", tls: true, source: "2001:db8::1", secure: true},
		"IPv4 in IPv6":                           {peer: "[::ffff:192.0.2.1]:5", source: "192.0.2.1"},
		"with a zone":                            {peer: "[fe80::1%eth0]:5", source: "fe80::1"},
		"nobody is trusted":                      {peer: "10.1.1.1:5", via: []string{"192.0.2.7"}, proto: []string{"https"}, source: "10.1.1.1"},
		"not a proxy that is trusted":            {peer: "192.0.2.1:5", trusted: trusted, via: []string{"192.0.2.7"}, proto: []string{"https"}, source: "192.0.2.1"},
		"a trusted proxy":                        {peer: "10.1.1.1:5", trusted: trusted, via: []string{"192.0.2.7"}, proto: []string{"https"}, source: "192.0.2.7", secure: true},
		"what the client wrote itself":           {peer: "10.1.1.1:5", trusted: trusted, via: []string{"198.51.100.1, 192.0.2.7"}, proto: []string{"https, http"}, source: "192.0.2.7"},
		"in a header of its own":                 {peer: "10.1.1.1:5", trusted: trusted, via: []string{"198.51.100.1", "192.0.2.7"}, source: "192.0.2.7"},
		"two proxies":                            {peer: "10.1.1.1:5", trusted: trusted, via: []string{"198.51.100.1, 192.0.2.7, fd00::2"}, source: "192.0.2.7"},
		"the client is a proxy":                  {peer: "10.1.1.1:5", trusted: trusted, via: []string{"10.9.9.9"}, source: "10.9.9.9"},
		"with a port":                            {peer: "10.1.1.1:5", trusted: trusted, via: []string{"192.0.2.7:1234"}, source: "192.0.2.7"},
		"nonsense stops where it stands":         {peer: "10.1.1.1:5", trusted: trusted, via: []string{"192.0.2.7, nonsense, 10.2.2.2"}, source: "10.2.2.2"},
		"a proxy that says nothing":              {peer: "10.1.1.1:5", trusted: trusted, tls: true, source: "10.1.1.1", secure: true},
		"encrypted up to the proxy, not from it": {peer: "10.1.1.1:5", trusted: trusted, proto: []string{"HTTPS"}, source: "10.1.1.1", secure: true},
		"no address":                             {peer: "@", source: "invalid IP"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &http.Request{RemoteAddr: tt.peer, Header: http.Header{"X-Forwarded-For": tt.via, "X-Forwarded-Proto": tt.proto}}
			if tt.tls {
				r.TLS = &tls.ConnectionState{}
			}
			if source, secure := origin(r, tt.trusted); source.String() != tt.source || secure != tt.secure {
				t.Errorf("got %v %v", source, secure)
			}
		})
	}
}

// What conditions can ask about reaches the door.
func TestContextReachesTheDoor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.service.keep = true
	w.service.endpoints = []config.Endpoint{{Name: "public", URL: "https://packages.example.com"}, {Name: "hosts", Host: "p.example.com"}}
	for host, endpoint := range map[string]string{"packages.example.com": "public", "my-domain-111122223333.d.p.example.com": "hosts", "10.0.0.1": "", "localhost": ""} {
		path := base + "document"
		if endpoint == "hosts" {
			path = "/toy/my-repo/document"
		}
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Host, r.RemoteAddr = host, "192.0.2.9:1234"
		r.Header.Set("Authorization", w.bearer(t))
		before := time.Now()
		rec := httptest.NewRecorder()
		w.ServeHTTP(rec, r)
		q := w.service.asked.Load()
		if rec.Code != http.StatusOK || q == nil {
			t.Fatalf("%s: %d %s", host, rec.Code, rec.Body)
		}
		c := q.Context
		if c.SourceIP.String() != "192.0.2.9" || c.SecureTransport || c.Endpoint != endpoint || c.Time.Before(before) || time.Since(c.TokenIssued) > time.Minute {
			t.Errorf("%s: %+v", host, c)
		}
	}
}
