package external

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"packhouse.dev/packhouse/registry"
)

const (
	maxEndpoints = 128 // connections in use at a time; the longest unused goes
	maxBreakers  = 64  // origins of one connection
)

// endpointKey is all that shapes a transport. Connections never share one, so that neither a pooled TCP connection nor a breaker
// carries anything from one to another; a changed certificate or permission is another endpoint.
type endpointKey struct {
	identity, ca string
	private      bool
}

// endpoint is the pool of connections of an external connection, with a breaker for each origin.
type endpoint struct {
	transport *http.Transport
	used      int64 // guarded by endpoints.mu

	mu       sync.Mutex
	breakers map[string]*breaker
}

// endpoints are those in use. The zero value is ready.
type endpoints struct {
	mu    sync.Mutex
	clock int64
	all   map[endpointKey]*endpoint
}

// endpoint returns the endpoint for an address of a site. What the administrator says about the connection (its certificate
// authority, that it is inside) does not hold for foreign hosts.
func (c *Client) endpoint(s *site, st standing) (*endpoint, error) {
	key := endpointKey{identity: s.conn.Identity()}
	if st != foreign {
		key.ca, key.private = s.conn.CA, s.conn.AllowPrivateAddresses
	}
	e := &c.endpoints
	e.mu.Lock()
	defer e.mu.Unlock()
	e.clock++
	if got := e.all[key]; got != nil {
		got.used = e.clock
		return got, nil
	}
	roots, err := c.rootsWith(key.ca)
	if err != nil {
		return nil, fmt.Errorf("connection %s: %w", s.conn.Name, err)
	}
	if len(e.all) >= maxEndpoints {
		e.dropOldest()
	}
	if e.all == nil {
		e.all = map[endpointKey]*endpoint{}
	}
	got := &endpoint{transport: c.newTransport(roots, key.private), used: e.clock, breakers: map[string]*breaker{}}
	e.all[key] = got
	return got, nil
}

func (e *endpoints) dropOldest() {
	var oldest endpointKey
	for k, v := range e.all {
		if o := e.all[oldest]; o == nil || v.used < o.used {
			oldest = k
		}
	}
	e.all[oldest].transport.CloseIdleConnections()
	delete(e.all, oldest)
}

func (e *endpoints) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, v := range e.all {
		v.transport.CloseIdleConnections()
	}
}

// open counts origins that are left alone at the moment.
func (e *endpoints) open() (endpoints, breakers int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, v := range e.all {
		v.mu.Lock()
		for _, b := range v.breakers {
			if b.open() {
				breakers++
			}
		}
		v.mu.Unlock()
	}
	return len(e.all), breakers
}

// breaker returns the breaker of an address.
func (e *endpoint) breaker(u *url.URL) *breaker {
	host, port := hostPort(u)
	key := u.Scheme + " " + host + " " + port
	e.mu.Lock()
	defer e.mu.Unlock()
	if b := e.breakers[key]; b != nil {
		return b
	}
	if len(e.breakers) >= maxBreakers {
		for k := range e.breakers { // any: an upstream that names so many hosts has no claim to patience
			delete(e.breakers, k)
			break
		}
	}
	b := newBreaker()
	e.breakers[key] = b
	return b
}

// rootsWith adds a connection's own authorities to the system's. nil stands for the system's alone.
func (c *Client) rootsWith(ca string) (*x509.CertPool, error) {
	if ca == "" {
		return c.roots, nil
	}
	roots := c.roots.Clone()
	if c.roots == nil {
		var err error
		if roots, err = x509.SystemCertPool(); err != nil {
			roots = x509.NewCertPool() // a container without authorities has the connection's
		}
	}
	if !roots.AppendCertsFromPEM([]byte(ca)) {
		return nil, fmt.Errorf("%w: its CA holds no PEM certificate", registry.ErrUnavailable)
	}
	return roots, nil
}

// newTransport returns a transport without proxy, cookies and transparent decompression.
func (c *Client) newTransport(roots *x509.CertPool, private bool) *http.Transport {
	return &http.Transport{
		DialContext:            c.dialer(private),
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		TLSHandshakeTimeout:    5 * time.Second,
		ResponseHeaderTimeout:  15 * time.Second,
		IdleConnTimeout:        90 * time.Second,
		MaxIdleConns:           64,
		MaxIdleConnsPerHost:    16,
		MaxConnsPerHost:        256,
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true,
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 15 * time.Second},
	}
}
