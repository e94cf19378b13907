package external

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/format"
	"packhouse.dev/packhouse/registry/metadata"
)

const (
	defaultDocument = 256 << 20
	forever         = 100 * 365 * 24 * time.Hour
	maxSkew         = time.Minute // between clocks of replicas
	maxKey          = 1 << 10     // bytes of a cache key; an index entry of PostgreSQL ends at 2,704
)

// source is one connection, read through the cache of one domain.
type source struct {
	client *Client
	domain Domain
	conn   *config.Connection
	opt    SourceOptions
}

// request is a document that is asked for.
type request struct {
	format.SourceRequest
	site *site
	url  *url.URL
	key  string
}

// errUnreadable says that a row is there and its bytes are not.
var errUnreadable = fmt.Errorf("%w: the cached copy cannot be read", registry.ErrUnavailable)

// Document implements format.Source.
func (s *source) Document(ctx context.Context, q format.SourceRequest) (*format.SourceDocument, error) {
	r, err := s.request(q)
	if err != nil {
		return nil, err
	}
	row, err := s.lookup(ctx, r)
	if err != nil {
		return nil, err
	}
	if s.fresh(row, r) {
		doc, err := s.answer(ctx, row, r)
		if !errors.Is(err, errUnreadable) {
			s.client.counters.hits.Add(1)
			return doc, err
		}
		return s.again(ctx, row, r)
	}
	got, err := s.refresh(ctx, row, r, true)
	switch {
	case err == nil:
		doc, err := s.answer(ctx, got, r)
		if errors.Is(err, errUnreadable) {
			return s.again(ctx, got, r)
		}
		return doc, err
	case row == nil || row.Absent || ctx.Err() != nil:
		return nil, err // an expired absence is no copy: an outage must not turn into "not found"
	}
	doc, stale := s.answer(ctx, row, r)
	if stale != nil {
		return nil, errors.Join(err, stale)
	}
	doc.Stale = true
	s.client.counters.stale.Add(1)
	return doc, nil
}

// again fetches a document whose cached bytes are gone: collected since the row was read, or damaged.
func (s *source) again(ctx context.Context, row *metadata.Upstream, r *request) (*format.SourceDocument, error) {
	got, err := s.refresh(ctx, row, r, false)
	if err != nil {
		return nil, err
	}
	return s.answer(ctx, got, r)
}

func (s *source) request(q format.SourceRequest) (*request, error) {
	if q.MaxBytes <= 0 {
		q.MaxBytes = defaultDocument
	}
	st, err := newSite(s.conn)
	if err != nil {
		return nil, err
	}
	u, err := st.resolve(q.Path)
	if err == nil {
		_, err = st.admit(u)
	}
	if err != nil {
		s.client.counters.refused.Add(1)
		return nil, fmt.Errorf("connection %s: %w", s.conn.Name, err)
	}
	key := documentKey(u, q.Accept)
	if q.Links {
		key = "links " + key // it is kept in another form
	}
	return &request{SourceRequest: q, site: st, url: u, key: key}, nil
}

// documentKey names a document in the cache of its connection: another Accept may be another document.
func documentKey(u *url.URL, accept string) string {
	key := u.String()
	if accept != "" {
		key += " " + accept
	}
	if len(key) > maxKey {
		sum := sha256.Sum256([]byte(key))
		key = "sha256:" + hex.EncodeToString(sum[:])
	}
	return key
}

func (s *source) lookup(ctx context.Context, r *request) (*metadata.Upstream, error) {
	return s.client.store.Upstream(ctx, s.domain.ID, s.conn.Identity(), r.key)
}

// lifetime is how long an answer of now is fresh.
func (s *source) lifetime(class format.Class, absent bool) time.Duration {
	switch {
	case absent:
		return s.conn.AbsentFresh.Or(time.Minute)
	case class == format.ClassImmutable:
		return forever
	case class == format.ClassConfig:
		return time.Hour
	default:
		return s.conn.IndexFresh.Or(5 * time.Minute)
	}
}

// freshUntil is when a row has to be asked for again: as was decided when it was fetched, or earlier if the configuration says so now.
func (s *source) freshUntil(row *metadata.Upstream, class format.Class) time.Time {
	until := row.FetchedAt.Add(s.lifetime(class, row.Absent))
	if row.FreshUntil.Before(until) {
		return row.FreshUntil
	}
	return until
}

// fresh says whether a row answers without asking.
func (s *source) fresh(row *metadata.Upstream, r *request) bool {
	if row == nil {
		return false
	}
	now := s.client.now()
	age := now.Sub(row.FetchedAt)
	switch {
	case row.FetchedAt.After(now.Add(maxSkew)) || !now.Before(s.freshUntil(row, r.Class)):
		return false
	case s.opt.MaxAge < 0 || r.Class == format.ClassImmutable && !row.Absent:
		return true
	default:
		return s.opt.MaxAge > 0 && age <= s.opt.MaxAge
	}
}

// answer makes a document of a row.
func (s *source) answer(ctx context.Context, row *metadata.Upstream, r *request) (*format.SourceDocument, error) {
	switch {
	case row.Absent:
		return nil, fmt.Errorf("connection %s has no %s: %w", s.conn.Name, redacted{r.url}, registry.ErrNotFound)
	case !hasType(row.ContentType, r.Types):
		return nil, fmt.Errorf("%w: connection %s has %.80q at %s", errMalformed, s.conn.Name, row.ContentType, redacted{r.url})
	case row.Size > r.MaxBytes && !r.Links: // else the Link headers count, too; the body was judged when it came
		return nil, fmt.Errorf("%w: %s has %d bytes, at most %d are read", errTooBig, redacted{r.url}, row.Size, r.MaxBytes)
	}
	doc := &format.SourceDocument{
		URL: row.URL, ContentType: row.ContentType, Key: r.key, Revision: row.Revision,
		FetchedAt: row.FetchedAt, FreshUntil: s.freshUntil(row, r.Class),
	}
	if r.Known != 0 && r.Known == row.Revision {
		return doc, nil
	}
	var err error
	if doc.Body, err = s.body(ctx, row); err == nil && r.Links {
		doc.Links, doc.Body, err = cutLinks(doc.Body)
	}
	return doc, err
}

// body reads a cached body. Those who ask at the same time share one copy, so that many readers of a large list are not many lists
// in memory.
func (s *source) body(ctx context.Context, row *metadata.Upstream) ([]byte, error) {
	key := fmt.Sprintf("%d %s %d", s.domain.ID, row.File.Object, row.Revision)
	body, err := shared(ctx, &s.client.reads, key, func() ([]byte, error) {
		ctx, end, err := s.client.begin(ctx, time.Minute)
		if err != nil {
			return nil, err
		}
		defer end()
		rc, err := s.client.opt.Keeper.Open(ctx, row.File)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errUnreadable, err)
		}
		defer rc.Close()
		body := make([]byte, row.Size)
		if _, err := io.ReadFull(rc, body); err != nil {
			return nil, fmt.Errorf("%w: %w", errUnreadable, err)
		}
		return body, nil
	})
	return body, err
}
