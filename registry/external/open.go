package external

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/format"
)

const (
	defaultFile  = 5 << 30
	forwardBytes = 10 << 20
	forwardLimit = 30 * time.Second
)

// Body is a file that an upstream sends. Reading it to io.EOF means that all of it came; any other end is an error that wraps
// registry.ErrUnavailable.
type Body struct {
	io.ReadCloser
	Size        int64 // as announced; -1 unknown
	ContentType string
}

// Open fetches a file: url is absolute or relative to the connection's address. At most maxBytes are read, 0 takes 5 GiB. The body
// ends with ctx. Errors are registry.ErrNotFound, if the upstream says that there is no such file, and registry.ErrUnavailable.
func (c *Client) Open(ctx context.Context, conn *config.Connection, url string, maxBytes int64) (*Body, error) {
	if maxBytes <= 0 {
		maxBytes = defaultFile
	}
	s, err := newSite(conn)
	if err != nil {
		return nil, err
	}
	u, err := s.resolve(url)
	if err != nil {
		return nil, fmt.Errorf("connection %s: %w", conn.Name, err)
	}
	// Files are compressed already, and their digests are those of the bytes on the wire.
	q := call{method: http.MethodGet, url: u, file: true, header: http.Header{"Accept": {"*/*"}, "Accept-Encoding": {"identity"}}}
	reply, err := retry(ctx, c, func() (*reply, error) { return c.send(ctx, s, q) })
	if err != nil {
		return nil, err
	}
	reply.settle(nil)
	switch coding := reply.header.Get("Content-Encoding"); {
	case reply.status != http.StatusOK:
		err = &statusError{connection: conn.Name, url: reply.url, status: reply.status}
	case coding != "" && coding != "identity":
		err = fmt.Errorf("%w: %s has content encoding %.40q, identity was asked for", errMalformed, redacted{reply.url}, coding)
	case reply.length > maxBytes:
		err = fmt.Errorf("%w: %s has %d bytes, at most %d are read", errTooBig, redacted{reply.url}, reply.length, maxBytes)
	}
	if err != nil {
		return nil, errors.Join(err, reply.body.Close())
	}
	return &Body{
		ReadCloser: struct {
			io.Reader
			io.Closer
		}{&limited{r: reply.body, left: maxBytes}, reply.body},
		Size: reply.length, ContentType: headerValue(reply.header, "Content-Type"),
	}, nil
}

// Forward sends a pass-through request and returns its answer, of at most 10 MiB. Nothing is cached, nothing is repeated, and a
// redirect of anything but a GET is refused. Errors are those of Open.
func (c *Client) Forward(ctx context.Context, conn *config.Connection, q format.PassThrough) (*format.SourceDocument, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, forwardLimit, errTooLong)
	defer cancel()
	s, err := newSite(conn)
	if err != nil {
		return nil, err
	}
	u, err := s.resolve(q.Path)
	if err != nil {
		return nil, fmt.Errorf("connection %s: %w", conn.Name, err)
	}
	header := http.Header{"Accept": {"application/json, */*;q=0.1"}, "Accept-Encoding": {"gzip"}}
	if q.ContentType != "" {
		header.Set("Content-Type", q.ContentType)
	}
	reply, err := c.send(ctx, s, call{method: q.Method, url: u, header: header, body: q.Body})
	if err != nil {
		return nil, err
	}
	defer reply.body.Close()
	body, err := forwarded(conn, reply)
	reply.settle(err)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	return &format.SourceDocument{
		URL: reply.url.String(), ContentType: headerValue(reply.header, "Content-Type"), Body: body, FetchedAt: c.now(),
		Revision: int64(binary.BigEndian.Uint64(sum[:])>>1 | 1),
	}, nil
}

func forwarded(conn *config.Connection, reply *reply) ([]byte, error) {
	if reply.status != http.StatusOK {
		return nil, &statusError{connection: conn.Name, url: reply.url, status: reply.status}
	}
	r, err := decoded(reply, forwardBytes)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}
