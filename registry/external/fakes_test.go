package external

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/format"
	"packhouse.dev/packhouse/registry/metadata"
)

// TestMain takes the network away: what a test may reach is what its world names.
func TestMain(m *testing.M) {
	refuse := func(_ context.Context, network, addr string) (net.Conn, error) {
		return nil, fmt.Errorf("a test must not dial %s %s", network, addr)
	}
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: refuse}
	http.DefaultTransport = &http.Transport{DialContext: refuse}
	os.Exit(m.Run())
}

// world is a client with a store in memory and upstreams by name. Every name leads to loopback or to memory.
type world struct {
	*Client
	store *memStore
	clock *clock
	log   *lockedBuffer

	mu    sync.Mutex
	hosts map[string]func() (net.Conn, error) // host:port
	roots *x509.CertPool
}

func newWorld(t testing.TB, store *memStore) *world {
	t.Helper()
	if store == nil {
		store = newMemStore()
	}
	w := &world{
		store: store, clock: &clock{now: time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)}, log: &lockedBuffer{},
		hosts: map[string]func() (net.Conn, error){}, roots: x509.NewCertPool(),
	}
	c, err := New(Options{
		Store: store, Keeper: store, SpoolDir: t.TempDir(), Now: w.clock.Now, Logger: slog.New(slog.NewTextHandler(w.log, nil)),
		Secret: func(_ context.Context, name string) ([]byte, error) {
			switch name {
			case "basic":
				return []byte(`{"host":"a.example.com","username":"ci","password":"` + canary + `"}`), nil
			case "token":
				return []byte(`{"host":"A.example.com:443","token":"` + canary + `"}`), nil
			case "broken":
				return []byte(`{"host":"a.example.com","token":"` + canary + `","username":"too"}`), nil
			case "homeless":
				return []byte(`{"token":"` + canary + `"}`), nil
			}
			if host, ok := strings.CutPrefix(name, "for "); ok {
				return json.Marshal(map[string]string{"host": host, "token": canary})
			}
			return nil, fmt.Errorf("no such secret: %w", registry.ErrNotFound)
		},
		Dial: w.dial,
	})
	if err != nil {
		t.Fatal(err)
	}
	c.roots, c.backoff = w.roots, time.Millisecond
	w.Client = c
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if left, err := os.ReadDir(c.opt.SpoolDir); err != nil || len(left) > 0 {
			t.Errorf("spool folder after the test: %v, %v", left, err)
		}
	})
	return w
}

// canary is in every secret; it must be in no error and no log.
const canary = "c4nary-s3cret"

func (w *world) dial(_ context.Context, _, addr string) (net.Conn, error) {
	w.mu.Lock()
	dial := w.hosts[addr]
	w.mu.Unlock()
	if dial == nil {
		return nil, fmt.Errorf("a test must not dial %s", addr)
	}
	return dial()
}

// serve starts an upstream with TLS at https://name, on loopback.
func (w *world) serve(t testing.TB, name string, h http.HandlerFunc) string {
	t.Helper()
	srv := httptest.NewTLSServer(h)
	t.Cleanup(srv.Close)
	w.roots.AddCert(srv.Certificate())
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hosts[name+":443"] = func() (net.Conn, error) { return net.Dial("tcp", srv.Listener.Addr().String()) }
	return "https://" + name + "/"
}

// serveMemory starts an upstream without TLS at http://name in memory, which works in a bubble of synctest.
func (w *world) serveMemory(t testing.TB, name string, h http.HandlerFunc) string {
	t.Helper()
	l := &memListener{conns: make(chan net.Conn), done: make(chan struct{})}
	var running sync.WaitGroup // a bubble ends only when all in it has ended
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		running.Add(1)
		defer running.Done()
		h(w, r)
	})}
	running.Go(func() {
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
		running.Wait()
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hosts[name+":80"] = l.dial
	return "http://" + name + "/"
}

// source reads as a format would, with the freshness of the connection.
func (w *world) source(conn *config.Connection) format.Source {
	return w.Source(Domain{ID: 1, UID: "one"}, conn, SourceOptions{MaxAge: -1})
}

// revalidate reads and always asks.
func (w *world) revalidate(conn *config.Connection) format.Source {
	return w.Source(Domain{ID: 1, UID: "one"}, conn, SourceOptions{})
}

func connection(url string) *config.Connection {
	return &config.Connection{Name: "public:test", URL: url}
}

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

type lockedBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// memListener accepts connections that dial makes, without a network.
type memListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (l *memListener) dial() (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case l.conns <- there:
		return here, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *memListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *memListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *memListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// memStore is Store and Keeper in memory.
type memStore struct {
	mu       sync.Mutex
	rows     map[string]metadata.Upstream
	bodies   map[string][]byte // by object
	leases   map[string]metadata.Lease
	revision int64
	failing  error // of every write
}

func newMemStore() *memStore {
	return &memStore{rows: map[string]metadata.Upstream{}, bodies: map[string][]byte{}, leases: map[string]metadata.Lease{}}
}

func rowKey(d metadata.DomainID, connection, key string) string {
	return fmt.Sprint(d, "\x00", connection, "\x00", key)
}

func (m *memStore) Upstream(_ context.Context, d metadata.DomainID, connection, key string) (*metadata.Upstream, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	row, ok := m.rows[rowKey(d, connection, key)]
	if !ok {
		return nil, nil
	}
	return &row, nil
}

func (m *memStore) RenewUpstream(_ context.Context, d metadata.DomainID, connection, key string, fetchedAt, freshUntil time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	row, ok := m.rows[rowKey(d, connection, key)]
	if ok {
		row.FetchedAt, row.FreshUntil = fetchedAt, freshUntil
		m.rows[rowKey(d, connection, key)] = row
	}
	return m.failing
}

func (m *memStore) Update(_ context.Context, d metadata.DomainID, fn func(metadata.Tx) error) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failing != nil {
		return 0, m.failing
	}
	tx := &memTx{store: m, domain: d}
	if err := fn(tx); err != nil {
		return 0, err
	}
	for k, v := range tx.put {
		m.rows[k] = v
	}
	return 1, nil
}

func (m *memStore) Keep(ctx context.Context, d Domain, body format.Staged, fn func(metadata.Tx, metadata.BlobRow) error) error {
	b, err := io.ReadAll(io.NewSectionReader(body, 0, body.Size()))
	if err != nil {
		return err
	}
	m.mu.Lock()
	m.bodies[body.Digests().SHA256] = b
	m.mu.Unlock()
	_, err = m.Update(ctx, d.ID, func(tx metadata.Tx) error {
		tx.(*memTx).object = body.Digests().SHA256
		return fn(tx, 1)
	})
	return err
}

func (m *memStore) Open(_ context.Context, f metadata.File) (io.ReadCloser, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.bodies[f.Object]
	if !ok {
		return nil, errors.New("no such object")
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}

func (m *memStore) Acquire(_ context.Context, name string, ttl time.Duration) (metadata.Lease, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	old, ok := m.leases[name]
	if ok && time.Now().Before(old.ExpiresAt) {
		return metadata.Lease{}, metadata.ErrHeld
	}
	l := metadata.Lease{Name: name, Token: old.Token + 1, ExpiresAt: time.Now().Add(ttl)}
	m.leases[name] = l
	return l, nil
}

func (m *memStore) Release(_ context.Context, l metadata.Lease) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.leases[l.Name].Token == l.Token {
		l.ExpiresAt = time.Time{}
		m.leases[l.Name] = l
	}
	return nil
}

// memTx is the part of a transaction that the client uses.
type memTx struct {
	metadata.Tx
	store  *memStore
	domain metadata.DomainID
	object string
	put    map[string]metadata.Upstream
}

func (tx *memTx) Fence(l metadata.Lease) error {
	if tx.store.leases[l.Name].Token != l.Token {
		return metadata.ErrFenced
	}
	return nil
}

func (tx *memTx) PutUpstream(u metadata.Upstream) (int64, error) {
	key := rowKey(tx.domain, u.Connection, u.Key)
	u.File = metadata.File{Blob: u.Blob, Object: tx.object}
	if old, ok := tx.store.rows[key]; ok && old.Absent == u.Absent && old.File.Object == u.File.Object {
		u.Revision = old.Revision
	} else {
		tx.store.revision++
		u.Revision = tx.store.revision
	}
	tx.put = map[string]metadata.Upstream{key: u}
	return u.Revision, nil
}

// upstreamRow is a row that another replica wrote.
func upstreamRow(conn *config.Connection, url string, at time.Time) metadata.Upstream {
	return metadata.Upstream{Connection: conn.Identity(), Key: url, URL: url, FetchedAt: at, FreshUntil: at.Add(time.Minute)}
}
