// Package external is the HTTP client for external connections, and the only place of the data plane that dials out.
//
// It reads documents through a cache (Source), streams files (Open) and forwards pass-through requests (Forward). What an upstream
// says is hostile until shown otherwise: where it may send us is decided in target.go, where a connection may lead in address.go,
// and how long and how much it may talk in body.go. Nothing here knows a package format.
//
// Where a request may go:
//
//	origin    the scheme, host and port of the connection's address: with credentials, if that is the host they are for
//	named     a host in the connection's hosts, or https at the origin's host: without credentials
//	foreign   anything else: https on port 443 at a public address, without credentials, and only for files that a redirect leads
//	          there, or if the connection's hosts have "*"
//
// AllowPrivateAddresses speaks for origin and named hosts alone, and never for link-local addresses, where clouds keep theirs.
package external

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/format"
	"packhouse.dev/packhouse/registry/metadata"
)

// Store is where the rows of cached documents are.
type Store interface {
	metadata.Upstreams
	metadata.Leases
	Update(ctx context.Context, d metadata.DomainID, fn func(metadata.Tx) error) (change int64, err error)
}

// Keeper is where the bodies of cached documents are.
type Keeper interface {
	// Keep makes body a blob of the domain, durably, and runs fn in one transaction with its row. fn may run more than once; when it
	// fails, its error is returned and nothing is written.
	Keep(ctx context.Context, d Domain, body format.Staged, fn func(metadata.Tx, metadata.BlobRow) error) error
	// Open reads a body. The caller closes it.
	Open(ctx context.Context, f metadata.File) (io.ReadCloser, error)
}

// Domain is the domain whose cache is used. UID is its lasting name.
type Domain struct {
	ID  metadata.DomainID
	UID string
}

// Options of a Client. Store, Keeper and SpoolDir are needed.
type Options struct {
	Store    Store
	Keeper   Keeper
	SpoolDir string // for documents under way; files in it have no name
	// Secret returns the credentials that a connection names: JSON {"host", "username", "password"} or {"host", "token"}. They are
	// sent to that host and no other; it has a port unless it is the scheme's own. nil: there are none, and a connection that names
	// some cannot be asked.
	Secret    func(ctx context.Context, name string) ([]byte, error)
	Now       func() time.Time // of freshness; default time.Now
	Logger    *slog.Logger     // failed fetches; default none
	UserAgent string           // default "packhouse"
	// Dial replaces the network in tests. Names are not resolved before it, so only addresses that are written as numbers are
	// checked.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// Client asks external connections. It is safe for concurrent use.
type Client struct {
	opt   Options
	store Store
	log   *slog.Logger
	now   func() time.Time
	roots *x509.CertPool // nil: the system's
	names *net.Resolver  // nil: the system's

	backoff time.Duration // before the first repetition of a request

	flights   singleflight.Group // fetches of documents
	reads     singleflight.Group // bodies out of the cache
	endpoints endpoints
	counters  counters

	mu       sync.Mutex
	closed   bool
	running  sync.WaitGroup // flights
	stopping context.Context
	stop     context.CancelFunc
}

// New returns a Client. It dials nothing.
func New(opt Options) (*Client, error) {
	if opt.Store == nil || opt.Keeper == nil || opt.SpoolDir == "" {
		return nil, errors.New("external: Store, Keeper and SpoolDir are needed")
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	if opt.UserAgent == "" {
		opt.UserAgent = "packhouse"
	}
	c := &Client{opt: opt, store: opt.Store, log: opt.Logger, now: opt.Now, backoff: 100 * time.Millisecond}
	c.stopping, c.stop = context.WithCancel(context.Background())
	return c, nil
}

// Close ends fetches that are under way, waits for them, and closes idle connections. Open bodies are their readers' to close.
func (c *Client) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.stop()
	c.running.Wait()
	c.endpoints.close()
	return nil
}

// begin starts work that outlives its caller: it ends with the client, or after limit. end must be called.
func (c *Client) begin(ctx context.Context, limit time.Duration) (_ context.Context, end func(), err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, nil, fmt.Errorf("%w: the client of external connections is closed", registry.ErrUnavailable)
	}
	c.running.Add(1)
	// A fetch serves everybody who waits for it, so no single caller may end it.
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), limit, errTooLong)
	unlink := context.AfterFunc(c.stopping, cancel)
	return ctx, func() {
		unlink()
		cancel()
		c.running.Done()
	}, nil
}

// SourceOptions say how current documents must be.
type SourceOptions struct {
	// MaxAge of a copy that is taken without asking. Negative: as the connection and the class of the document say. 0: ask now,
	// unless the document can never change. A request that is already under way is shared.
	MaxAge time.Duration
	// Timeout is how long to wait for the upstream before an old copy is taken, or ErrUnavailable returned. 0: no limit of the
	// caller's own. The fetch goes on for those who come later.
	Timeout time.Duration
}

// Source reads documents of a connection through the cache of a domain. Its errors are registry.ErrNotFound, if the upstream says
// that there is no such document, and registry.ErrUnavailable, if it cannot be asked and there is no copy.
func (c *Client) Source(d Domain, conn *config.Connection, opt SourceOptions) format.Source {
	return &source{client: c, domain: d, conn: conn, opt: opt}
}
