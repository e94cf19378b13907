package external

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"time"

	"packhouse.dev/packhouse/registry"
)

const (
	maxRedirects = 5
	maxAttempts  = 3
	answerLimit  = 60 * time.Second // until the header is there, waiting for a free connection included
)

// call is what is asked of a connection.
type call struct {
	method string
	url    *url.URL
	header http.Header
	body   []byte
	file   bool // redirects may lead to foreign hosts
}

// reply is an answer that is no redirect.
type reply struct {
	status int
	header http.Header
	url    *url.URL // final
	length int64    // -1 unknown
	body   io.ReadCloser
	// settle tells the breaker of the origin how the exchange went in the end; called once.
	settle func(error)
}

// discard ends a reply whose body is of no interest. A short rest is read, so that the connection can be used again.
func (r *reply) discard() {
	_, _ = io.CopyN(io.Discard, r.body, 4<<10) // whether it was worth it does not matter
	r.body.Close()
}

// send asks once, following redirects by hand. Statuses that say the upstream does not work are errors; all others are the caller's
// to judge. The reply's body must be closed and the reply settled.
func (c *Client) send(ctx context.Context, s *site, q call) (*reply, error) {
	u := q.url
	st, err := s.admit(u)
	if err != nil {
		c.counters.refused.Add(1)
		return nil, err
	}
	trusted := true // the chain has never left the origin
	for hop := 0; ; hop++ {
		trusted = trusted && st == origin
		r, err := c.exchange(ctx, s, q, u, st, trusted)
		if err != nil {
			return nil, err
		}
		location := r.header.Get("Location")
		if !redirects(r.status) {
			return r, nil
		}
		r.discard()
		r.settle(nil)
		switch {
		case q.method != http.MethodGet:
			return nil, fmt.Errorf("%w: %s redirects a %s", ErrRefused, redacted{u}, q.method)
		case hop == maxRedirects:
			return nil, fmt.Errorf("%w: more than %d redirects from %s", ErrRefused, maxRedirects, redacted{q.url})
		}
		if u, st, err = s.redirect(u, location, q.file); err != nil {
			c.counters.refused.Add(1)
			return nil, err
		}
	}
}

func redirects(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// exchange is one request and its answer's header.
func (c *Client) exchange(ctx context.Context, s *site, q call, u *url.URL, st standing, trusted bool) (_ *reply, err error) {
	e, err := c.endpoint(s, st)
	if err != nil {
		return nil, err
	}
	b := e.breaker(u)
	caller := ctx
	ctx, cancel := context.WithCancelCause(ctx)
	defer func() {
		if err != nil {
			cancel(nil)
		}
	}()
	req, err := http.NewRequestWithContext(ctx, q.method, u.String(), bytes.NewReader(q.body))
	if err != nil {
		return nil, fmt.Errorf("%w: %s", ErrRefused, redacted{u})
	}
	req.Header = q.header.Clone()
	req.Header.Set("User-Agent", c.opt.UserAgent)
	if trusted {
		if err := c.authorize(ctx, s, req); err != nil {
			return nil, err
		}
	}
	settle, err := b.allow()
	if err != nil {
		return nil, fmt.Errorf("connection %s: %w", s.conn.Name, err)
	}
	c.counters.requests.Add(1)
	timer := time.AfterFunc(answerLimit, func() { cancel(errTooLong) })
	resp, err := e.transport.RoundTrip(req)
	timer.Stop()
	if err != nil {
		err = because(ctx, err)
		settle(verdict(caller, err))
		if errors.Is(err, ErrRefused) {
			c.counters.refused.Add(1)
		} else {
			c.counters.failures.Add(1)
		}
		return nil, fmt.Errorf("connection %s: %s: %w: %w", s.conn.Name, redacted{u}, registry.ErrUnavailable, err)
	}
	r := &reply{
		status: resp.StatusCode, header: resp.Header, url: u, length: resp.ContentLength,
		body:   &pacedBody{body: resp.Body, want: resp.ContentLength, ctx: ctx, cancel: cancel},
		settle: func(err error) { settle(verdict(caller, err)) },
	}
	if failing(r.status) {
		failure := &statusError{s.conn.Name, u, r.status, retryAfter(r.header, time.Now())}
		r.discard()
		b.pause(failure.pause)
		settle(verdict(caller, failure))
		c.counters.failures.Add(1)
		return nil, failure
	}
	return r, nil
}

// because prefers the reason why we gave up to what the transport made of it.
func because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// authorize adds the connection's credentials. If they cannot be had, or are for another host, nothing is sent: an anonymous answer
// could be a different one. The host is the word of whoever owns the secret, and the connection's address is that of whoever declares
// the connection.
func (c *Client) authorize(ctx context.Context, s *site, req *http.Request) error {
	if s.conn.Credentials == "" {
		return nil
	}
	if c.opt.Secret == nil {
		return fmt.Errorf("connection %s: %w: there are no secrets here", s.conn.Name, registry.ErrUnavailable)
	}
	secret, err := c.opt.Secret(ctx, s.conn.Credentials)
	if err != nil {
		// Not %w: a secret that is not found must not look like a package that the upstream does not have.
		return fmt.Errorf("connection %s: credentials: %w: %s", s.conn.Name, registry.ErrUnavailable, err.Error())
	}
	var cred struct{ Host, Username, Password, Token string }
	// The error of decoding quotes what it read, so it is not passed on.
	if json.Unmarshal(secret, &cred) != nil || (cred.Token == "") == (cred.Username == "") {
		return fmt.Errorf("connection %s: %w: its credentials are neither a token nor user name and password", s.conn.Name, registry.ErrUnavailable)
	}
	if host, port := hostPort(req.URL); !matchesHost(cred.Host, host, port, defaultPort(req.URL.Scheme)) {
		return fmt.Errorf("connection %s: %w: its credentials are for another host than %s", s.conn.Name, registry.ErrUnavailable, net.JoinHostPort(host, port))
	}
	if cred.Token != "" {
		req.Header.Set("Authorization", "Bearer "+cred.Token)
	} else {
		req.SetBasicAuth(cred.Username, cred.Password)
	}
	return nil
}

// retry repeats an idempotent request that failed in a way that may pass: after one to three times the client's backoff, then after
// three to nine times.
func retry[T any](ctx context.Context, c *Client, ask func() (T, error)) (out T, err error) {
	wait := c.backoff
	for n := range maxAttempts {
		if out, err = ask(); err == nil || !transient(err) || ctx.Err() != nil || n == maxAttempts-1 {
			break
		}
		jitter := rand.N(2 * wait) //nolint:gosec // G404: spreads retries, guards nothing
		if sleep(ctx, wait+jitter) != nil {
			break
		}
		wait *= 3
		c.counters.retries.Add(1)
	}
	return out, err
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
