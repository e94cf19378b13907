package repository

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/external"
	"packhouse.dev/packhouse/registry/format"
	"packhouse.dev/packhouse/registry/metadata"
)

// refreshInterval bounds how often a request for something unknown makes an upstream be asked again.
const refreshInterval = 10 * time.Second

// sourceUse is a document of a connection that something was made from. Revision 0: the upstream said that there is none.
type sourceUse struct {
	key      upstreamKey
	request  format.SourceRequest
	revision int64
}

// currency is until when something is fresh, and whether it is an old copy already.
type currency struct {
	freshUntil time.Time // zero: for ever
	stale      bool
}

func (c *currency) until(t time.Time) {
	if c.freshUntil.IsZero() || t.Before(c.freshUntil) {
		c.freshUntil = t
	}
}

func (c *currency) join(o currency) {
	if !o.freshUntil.IsZero() {
		c.until(o.freshUntil)
	}
	c.stale = c.stale || o.stale
}

// remote is what a connection has of a package, as parsed by the format.
type remote struct {
	pkg     *format.RemotePackage // nil: the upstream says that there is none
	uses    []sourceUse
	askedAt time.Time
	currency
}

// asking says how current an answer must be.
type asking int

const (
	askCached  asking = iota // what the freshness class allows
	askAgain                 // something unknown is wanted: again, but not more often than refreshInterval
	askPublish               // before a publish: again, within Options.AskTimeout
)

// recorder notes which documents a format reads, and until when they are fresh.
type recorder struct {
	format.Source
	connection string
	absent     time.Time // until when an absent document is believed to be absent
	uses       []sourceUse
	currency
}

// recorder returns a source of a connection that notes what is read from it.
func (s *Service) recorder(dc *domainConfig, conn *config.Connection, opt external.SourceOptions) *recorder {
	return &recorder{
		Source:     s.external.Source(external.Domain{ID: dc.row.ID, UID: dc.row.UID}, conn, opt),
		connection: conn.Identity(), absent: s.now().Add(conn.AbsentFresh.Or(time.Minute)),
	}
}

// Document implements format.Source.
func (r *recorder) Document(ctx context.Context, q format.SourceRequest) (*format.SourceDocument, error) {
	doc, err := r.Source.Document(ctx, q)
	q.Known = 0
	switch {
	case errors.Is(err, registry.ErrNotFound):
		r.uses = append(r.uses, sourceUse{upstreamKey{connection: r.connection}, q, 0})
		r.until(r.absent)
		return nil, err
	case err != nil:
		return nil, err
	}
	r.uses = append(r.uses, sourceUse{upstreamKey{r.connection, doc.Key}, q, doc.Revision})
	r.stale = r.stale || doc.Stale
	r.until(doc.FreshUntil)
	return doc, nil
}

// confirm asks for documents again and says whether all of them are what they were.
func (r *recorder) confirm(ctx context.Context, uses []sourceUse) bool {
	for _, u := range uses {
		q := u.request
		q.Known = u.revision
		doc, err := r.Document(ctx, q)
		switch {
		case errors.Is(err, registry.ErrNotFound):
			if u.revision != 0 {
				return false
			}
		case err != nil || doc.Revision != u.revision:
			return false
		}
	}
	return len(uses) > 0
}

// remote asks a connection for a package. registry.ErrUnavailable if it cannot be asked and there is no copy; a package that it
// does not have is a remote without pkg.
func (s *Service) remote(ctx context.Context, dc *domainConfig, conn *config.Connection, id registry.PackageID, how asking) (*remote, error) {
	f, ok := s.formats[id.Format].(format.Remote)
	if !ok || conn.Format != id.Format {
		return &remote{}, nil
	}
	key := remoteKey{dc.row.ID, conn.Identity(), id}
	now := s.now()
	kept := s.remotes.get(key)
	if kept != nil && !kept.stale {
		fresh := now.Before(kept.freshUntil)
		recent := now.Sub(kept.askedAt) < refreshInterval
		if how == askCached && fresh || how == askAgain && recent {
			return kept, nil
		}
	}
	opt := external.SourceOptions{MaxAge: -1}
	switch how {
	case askAgain:
		opt.MaxAge = 0
	case askPublish:
		opt.MaxAge, opt.Timeout = 0, s.opt.AskTimeout
	case askCached:
	}
	if kept != nil && kept.pkg != nil {
		if rec := s.recorder(dc, conn, opt); rec.confirm(ctx, kept.uses) {
			again := &remote{pkg: kept.pkg, uses: kept.uses, askedAt: now, currency: rec.currency}
			s.remotes.put(key, again)
			return again, nil
		}
	}
	rec := s.recorder(dc, conn, opt)
	pkg, err := guardRemote(func() (*format.RemotePackage, error) { return f.Package(ctx, rec, id) })
	switch {
	case errors.Is(err, registry.ErrNotFound):
		pkg = nil
	case errors.Is(err, registry.ErrInvalid):
		// An upstream that talks nonsense is one that cannot be asked; its nonsense is not an absent package.
		return nil, fmt.Errorf("%s sent an unusable document for %s: %w: %w", conn.Name, id, registry.ErrUnavailable, err)
	case err != nil:
		return nil, err
	}
	got := &remote{pkg: pkg, uses: rec.uses, askedAt: now, currency: rec.currency}
	s.remotes.put(key, got)
	return got, nil
}

// guardRemote turns a panic over an upstream's bytes into an error: they are hostile, and the process serves others.
func guardRemote[T any](fn func() (T, error)) (out T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: panic over an upstream document: %v", registry.ErrInvalid, p)
		}
	}()
	return fn()
}

// remoteKey names a parsed package of a connection.
type remoteKey struct {
	domain     metadata.DomainID
	connection string
	id         registry.PackageID
}

// remoteCache keeps parsed packages of connections, so that the download of each of 300 files does not parse 300 lists again.
type remoteCache struct {
	mu      sync.Mutex
	max     int64
	size    int64
	entries map[remoteKey]*list.Element
	order   *list.List // of *remoteEntry
}

type remoteEntry struct {
	key   remoteKey
	value *remote
	size  int64
}

func newRemoteCache(max int64) *remoteCache {
	c := &remoteCache{max: max}
	c.clear()
	return c
}

func (c *remoteCache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries, c.order, c.size = map[remoteKey]*list.Element{}, list.New(), 0
}

func (c *remoteCache) get(k remoteKey) *remote {
	c.mu.Lock()
	defer c.mu.Unlock()
	el, ok := c.entries[k]
	if !ok {
		return nil
	}
	c.order.MoveToFront(el)
	return el.Value.(*remoteEntry).value
}

func (c *remoteCache) put(k remoteKey, r *remote) {
	size := int64(512)
	if r.pkg != nil {
		size += r.pkg.Size
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if el, ok := c.entries[k]; ok {
		c.remove(el)
	}
	if size > c.max/2 {
		return
	}
	c.entries[k] = c.order.PushFront(&remoteEntry{k, r, size})
	c.size += size
	for c.size > c.max {
		c.remove(c.order.Back())
	}
}

func (c *remoteCache) remove(el *list.Element) {
	e := el.Value.(*remoteEntry)
	c.order.Remove(el)
	delete(c.entries, e.key)
	c.size -= e.size
}
