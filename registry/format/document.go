package format

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzip"
)

// Documents smaller than this are not compressed: the header costs more than it saves.
const minGzip = 1 << 10

// The headers of a document, unless Rendered.Header has others. Clients keep disk caches, so that any max-age would make "publish,
// then install" fail on the same machine. Vary names everything that may choose another representation, on 200 and 304 alike.
const (
	documentCacheControl = "private, no-cache"
	documentVary         = "Accept, Accept-Encoding, Authorization"
)

// The representations of a document: as rendered, and compressed.
const (
	identity = iota
	compressed
)

// NewDocument prepares what a format rendered for ServeDocument: ETag, compressed form and header values. It takes r over. Stale
// and Partial may be set until the document is shared.
func NewDocument(r *Rendered) (*Document, error) {
	d := &Document{Rendered: *r}
	if d.ETag == "" {
		sum := sha256.Sum256(d.Body)
		d.ETag = `"` + base64.RawURLEncoding.EncodeToString(sum[:15]) + `"` // some clients have fast paths for short ones only
	}
	d.Lengths[identity] = strconv.Itoa(len(d.Body))
	if len(d.Body) > minGzip {
		body, err := deflate(d.Body)
		if err != nil {
			return nil, fmt.Errorf("compress document: %w", err)
		}
		if len(body) < len(d.Body) {
			d.Gzip = body
			d.GzipETag = strings.TrimSuffix(d.ETag, `"`) + `-gz"`
			d.Lengths[compressed] = strconv.Itoa(len(body))
		}
	}
	d.headers[identity] = d.header(d.ETag, d.Lengths[identity])
	if d.Gzip != nil {
		d.headers[compressed] = d.header(d.GzipETag, d.Lengths[compressed])
		d.headers[compressed].Set("Content-Encoding", "gzip")
	}
	return d, nil
}

func deflate(body []byte) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(len(body) / 4)
	w, err := gzip.NewWriterLevel(&b, gzip.DefaultCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(body); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func (d *Document) header(etag, length string) http.Header {
	h := d.Rendered.Header.Clone()
	if h == nil {
		h = http.Header{}
	}
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", documentCacheControl)
	}
	if h.Get("Vary") == "" {
		h.Set("Vary", documentVary)
	}
	h.Set("Content-Type", d.ContentType)
	h.Set("Content-Length", length)
	h.Set("Etag", etag)
	if !d.Modified.IsZero() {
		h.Set("Last-Modified", d.Modified.UTC().Format(http.TimeFormat))
	}
	return h
}
