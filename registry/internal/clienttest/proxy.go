package clienttest

import (
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
)

// WithToken stands before a registry and adds its token, as a connection with credentials would. It returns its own address, which is
// that of documents, too.
func (p *Packhouse) WithToken(t testing.TB) *url.URL {
	t.Helper()
	to, err := url.Parse(p.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Host = r.In.Host
		r.Out.Header.Set("Authorization", "Bearer "+p.Token)
	}})
	t.Cleanup(server.Close)
	at, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return at
}
