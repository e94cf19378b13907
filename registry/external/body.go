package external

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"

	"packhouse.dev/packhouse/registry"
)

const (
	idleLimit = 30 * time.Second // without a byte
	slowGrace = 30 * time.Second // before the rate counts
	minRate   = 8 << 10          // bytes per second on average
	maxRatio  = 300              // of decoded to sent bytes; lists of a few MB with little news reach 100
	ratioFrom = 4 << 20          // decoded bytes before the ratio counts
)

// pacedBody is the body of an answer that may neither stop, nor drip, nor end early. Only time spent waiting for the upstream counts,
// not that of a slow reader. Every error but io.EOF wraps registry.ErrUnavailable.
type pacedBody struct {
	body   io.ReadCloser
	want   int64 // announced length; -1 unknown
	ctx    context.Context
	cancel context.CancelCauseFunc

	got    int64
	waited time.Duration
}

// Read implements io.Reader.
func (b *pacedBody) Read(p []byte) (int, error) {
	start := time.Now()
	idle := time.AfterFunc(idleLimit, func() { b.cancel(errIdle) })
	n, err := b.body.Read(p)
	idle.Stop()
	b.got += int64(n)
	b.waited += time.Since(start)
	switch {
	case err == nil && b.waited > slowGrace+time.Duration(b.got)*time.Second/minRate:
		b.cancel(errSlow)
		return n, errSlow
	case err == nil:
		return n, nil
	case errors.Is(err, io.EOF) && (b.want < 0 || b.want == b.got):
		return n, io.EOF
	case errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF
	}
	return n, fmt.Errorf("%w: after %d bytes: %w", registry.ErrUnavailable, b.got, because(b.ctx, err))
}

// Close implements io.Closer. It ends the request.
func (b *pacedBody) Close() error {
	err := b.body.Close()
	b.cancel(nil)
	return err
}

// decoded undoes the content encoding of a reply. What comes out is limited in size and in proportion to what was sent.
func decoded(r *reply, limit int64) (io.Reader, error) {
	switch strings.ToLower(r.header.Get("Content-Encoding")) {
	case "", "identity":
		if r.length > limit {
			return nil, fmt.Errorf("%w: %d bytes announced, at most %d are read", errTooBig, r.length, limit)
		}
		return &limited{r: r.body, left: limit}, nil
	case "gzip", "x-gzip":
		wire := &counted{r: r.body}
		z, err := gzip.NewReader(wire)
		if err != nil {
			return nil, fmt.Errorf("%w: gzip: %w", errMalformed, err)
		}
		return &limited{r: &inflated{z: z, wire: wire}, left: limit}, nil
	default:
		return nil, fmt.Errorf("%w: content encoding %.40q was not asked for", errMalformed, r.header.Get("Content-Encoding"))
	}
}

// limited fails beyond its limit, where io.LimitReader would end as if all were well.
type limited struct {
	r    io.Reader
	left int64
}

// Read implements io.Reader.
func (l *limited) Read(p []byte) (int, error) {
	if l.left < 0 {
		return 0, errTooBig
	}
	if int64(len(p)) > l.left+1 {
		p = p[:l.left+1]
	}
	n, err := l.r.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return n - 1, errTooBig
	}
	return n, err
}

type counted struct {
	r io.Reader
	n int64
}

// Read implements io.Reader.
func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// inflated refuses what was made to grow out of proportion.
type inflated struct {
	z    *gzip.Reader
	wire *counted
	n    int64
}

// Read implements io.Reader.
func (i *inflated) Read(p []byte) (int, error) {
	n, err := i.z.Read(p)
	i.n += int64(n)
	switch {
	case i.n > ratioFrom && i.n > maxRatio*i.wire.n:
		return n, fmt.Errorf("%w: %d bytes out of %d", errTooBig, i.n, i.wire.n)
	case err == nil || errors.Is(err, io.EOF) || errors.Is(err, registry.ErrUnavailable):
		return n, err
	default:
		return n, fmt.Errorf("%w: gzip: %w", errMalformed, err)
	}
}

// hasType says whether a Content-Type begins with one of the wanted media types. No wanted types: anything will do.
func hasType(contentType string, types []string) bool {
	if len(types) == 0 {
		return true
	}
	got := strings.ToLower(strings.TrimSpace(contentType))
	for _, t := range types {
		if strings.HasPrefix(got, strings.ToLower(t)) {
			return true
		}
	}
	return false
}

// headerValue returns a header for a row: "" if it is not printable or far too long.
func headerValue(h http.Header, name string) string {
	v := h.Get(name)
	for i := range len(v) {
		if v[i] < ' ' || v[i] > '~' {
			return ""
		}
	}
	if len(v) > 1<<10 {
		return ""
	}
	return v
}
