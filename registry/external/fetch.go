package external

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/sync/singleflight"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/metadata"
)

const (
	documentLimit = 60 * time.Second // of asking, retries included
	followLimit   = 10 * time.Second // of waiting for another replica
	storeLimit    = 20 * time.Second // of keeping the answer
	leaseTTL      = documentLimit + storeLimit
	followPoll    = 100 * time.Millisecond
)

// fetched is the answer to a document request.
type fetched struct {
	at           time.Time // when the answer began
	absent, same bool      // 404; 304
	url          string
	contentType  string
	etag         string
	lastModified string
	body         *spooled
}

// refresh asks the upstream, or waits for somebody who does, and returns the row that is true afterwards. seen is the row that the
// caller found wanting. validate false asks for the whole document, whatever is cached.
func (s *source) refresh(ctx context.Context, seen *metadata.Upstream, r *request, validate bool) (*metadata.Upstream, error) {
	if err := s.blocked(r); err != nil {
		return nil, err
	}
	if s.opt.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, s.opt.Timeout, errTooLong)
		defer cancel()
	}
	key := fmt.Sprintf("%d %t %s %s", s.domain.ID, validate, s.conn.Identity(), r.key)
	row, err := shared(ctx, &s.client.flights, key, func() (*metadata.Upstream, error) {
		ctx, end, err := s.client.begin(ctx, followLimit+documentLimit+storeLimit)
		if err != nil {
			return nil, err
		}
		defer end()
		return s.fetch(ctx, seen, r, validate)
	})
	if err != nil {
		return nil, fmt.Errorf("connection %s: %w", s.conn.Name, err)
	}
	return row, nil
}

// blocked says that the breaker is open, before anybody waits for a lease.
func (s *source) blocked(r *request) error {
	e, err := s.client.endpoint(r.site, r.site.standing(r.url))
	if err != nil {
		return err
	}
	if e.breaker(r.url).open() {
		return fmt.Errorf("connection %s: %w: %w", s.conn.Name, registry.ErrUnavailable, errOpen)
	}
	return nil
}

// shared runs fn once for all that ask for key at the same time. Each waits no longer than its own context; fn must not depend on any.
func shared[T any](ctx context.Context, g *singleflight.Group, key string, fn func() (T, error)) (out T, err error) {
	ch := g.DoChan(key, func() (any, error) { return fn() })
	select {
	case res := <-ch:
		out, _ = res.Val.(T) // the zero value beside an error
		return out, res.Err
	case <-ctx.Done():
		return out, fmt.Errorf("%w: %w", registry.ErrUnavailable, context.Cause(ctx))
	}
}

// fetch asks the upstream and keeps the answer, unless another replica did meanwhile.
func (s *source) fetch(ctx context.Context, seen *metadata.Upstream, r *request, validate bool) (*metadata.Upstream, error) {
	lease, row, err := s.turn(ctx, seen, r)
	if err != nil || row != nil {
		return row, err
	}
	if lease != nil {
		defer s.release(ctx, *lease)
	}
	got, err := s.ask(ctx, seen, r, validate)
	if err != nil {
		if !errors.Is(err, errOpen) { // that was said when it opened, and would be said at every request
			s.client.log.WarnContext(ctx, "upstream cannot be asked",
				"connection", s.conn.Name, "address", redacted{r.url}.String(), "copy", seen != nil && !seen.Absent, "error", err)
		}
		return nil, err
	}
	if got.body != nil {
		defer got.body.Close()
	}
	kept := s.keep(ctx, lease, r, got)
	if kept != nil && !errors.Is(kept, metadata.ErrFenced) {
		return nil, fmt.Errorf("keep the answer: %w", kept)
	}
	// Whoever took the lease from us has answered, or will: what the row says is true either way.
	row, err = s.lookup(ctx, r)
	if err == nil && (row == nil || kept != nil && !newer(row, seen)) {
		err = fmt.Errorf("%w: the answer could not be kept", registry.ErrUnavailable)
	}
	return row, err
}

// turn waits until it is ours to ask. It returns a row instead, if somebody else has asked since seen was read; and neither, if
// whoever holds the lease takes so long that we ask as well.
func (s *source) turn(ctx context.Context, seen *metadata.Upstream, r *request) (*metadata.Lease, *metadata.Upstream, error) {
	name := fmt.Sprintf("fetch/%d/%s/%s", s.domain.ID, s.conn.Identity(), r.key)
	patience, cancel := context.WithTimeout(ctx, followLimit)
	defer cancel()
	for {
		lease, err := s.client.store.Acquire(ctx, name, leaseTTL)
		held := errors.Is(err, metadata.ErrHeld)
		if err != nil && !held {
			return nil, nil, err
		}
		// The row is read after the lease was taken: what its last holder wrote is seen.
		row, err := s.lookup(ctx, r)
		switch {
		case err == nil && !newer(row, seen) && !held:
			return &lease, nil, nil
		case err != nil || newer(row, seen):
			if !held {
				s.release(ctx, lease)
			}
			return nil, row, err
		}
		if sleep(patience, followPoll) != nil {
			return nil, nil, context.Cause(ctx)
		}
	}
}

// newer says whether row was written after seen.
func newer(row, seen *metadata.Upstream) bool {
	return row != nil && (seen == nil || row.Revision != seen.Revision || !row.FetchedAt.Equal(seen.FetchedAt))
}

// release gives a lease back, also at the end of the client. A lease that cannot be given back runs out.
func (s *source) release(ctx context.Context, l metadata.Lease) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := s.client.store.Release(ctx, l); err != nil {
		s.client.log.WarnContext(ctx, "lease was not given back", "lease", l.Name, "error", err)
	}
}

// ask fetches a document, or has it confirmed.
func (s *source) ask(ctx context.Context, seen *metadata.Upstream, r *request, validate bool) (*fetched, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, documentLimit, errTooLong)
	defer cancel()
	q := call{method: http.MethodGet, url: r.url, header: http.Header{"Accept-Encoding": {"gzip"}, "Accept": {"*/*"}}}
	if r.Accept != "" {
		q.header.Set("Accept", r.Accept)
	}
	conditional := false
	if validate && seen != nil && !seen.Absent {
		for name, value := range map[string]string{"If-None-Match": seen.ETag, "If-Modified-Since": seen.LastModified} {
			if value != "" {
				q.header.Set(name, value)
				conditional = true
			}
		}
	}
	return retry(ctx, s.client, func() (*fetched, error) {
		reply, err := s.client.send(ctx, r.site, q)
		if err != nil {
			return nil, err
		}
		got, err := s.read(reply, r, conditional)
		reply.settle(err)
		return got, err
	})
}

// read judges an answer and spools its body, which it closes.
func (s *source) read(reply *reply, r *request, conditional bool) (*fetched, error) {
	defer reply.body.Close()
	got := &fetched{
		at: s.client.now(), url: reply.url.String(),
		contentType: headerValue(reply.header, "Content-Type"), etag: headerValue(reply.header, "ETag"), lastModified: headerValue(reply.header, "Last-Modified"),
	}
	switch {
	case reply.status == http.StatusNotFound || reply.status == http.StatusGone:
		got.absent = true
		reply.discard()
		return got, nil
	case reply.status == http.StatusNotModified && conditional:
		got.same = true
		s.client.counters.confirmed.Add(1)
		return got, nil
	case reply.status == http.StatusNotModified:
		return nil, fmt.Errorf("%w: 304 for %s, which was not asked with validators", errMalformed, redacted{reply.url})
	case reply.status != http.StatusOK:
		reply.discard()
		return nil, &statusError{connection: s.conn.Name, url: reply.url, status: reply.status}
	case !hasType(got.contentType, r.Types):
		return nil, fmt.Errorf("%w: %s has type %.80q", errMalformed, redacted{reply.url}, got.contentType)
	}
	body, err := decoded(reply, r.MaxBytes)
	if err == nil && r.Links {
		body, err = withLinks(reply.header.Values("Link"), body)
	}
	if err == nil {
		got.body, err = spool(s.client.opt.SpoolDir, body)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", redacted{reply.url}, err)
	}
	return got, nil
}

// keep writes an answer. It fails with metadata.ErrFenced if the lease went to another replica meanwhile.
func (s *source) keep(ctx context.Context, lease *metadata.Lease, r *request, got *fetched) error {
	until := got.at.Add(s.lifetime(r.Class, got.absent))
	if got.same {
		return s.client.store.RenewUpstream(ctx, s.domain.ID, s.conn.Identity(), r.key, got.at, until)
	}
	row := metadata.Upstream{
		Connection: s.conn.Identity(), Key: r.key, Absent: got.absent, URL: got.url, ContentType: got.contentType,
		ETag: got.etag, LastModified: got.lastModified, FetchedAt: got.at, FreshUntil: until,
	}
	put := func(tx metadata.Tx, blob metadata.BlobRow) error {
		if lease != nil {
			if err := tx.Fence(*lease); err != nil {
				return err
			}
		}
		row.Blob = blob
		_, err := tx.PutUpstream(row)
		return err
	}
	if got.absent {
		row.ContentType, row.ETag, row.LastModified = "", "", "" // of the page that says so
		_, err := s.client.store.Update(ctx, s.domain.ID, func(tx metadata.Tx) error { return put(tx, 0) })
		return err
	}
	row.Size = got.body.Size()
	return s.client.opt.Keeper.Keep(ctx, s.domain, got.body, put)
}
