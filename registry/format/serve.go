package format

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"syscall"
)

// The headers by which a document says that it may be behind: an upstream could not be asked.
const (
	StaleHeader   = "X-Packhouse-Stale"   // its part is an old copy
	PartialHeader = "X-Packhouse-Partial" // its part is missing
)

// assetCacheControl: the bytes of an asset of a version never change. A format whose assets do sets its own before ServeAsset.
const assetCacheControl = "private, max-age=31536000, immutable"

// The path values that carry Rest and Address. They are no names that a pattern of the server may use.
const (
	restKey    = "packhouse rest"
	addressKey = "packhouse address"
)

// WithRest notes the escaped path below the repository, without a leading slash, for Rest. The server calls it once, before Serve.
func WithRest(r *http.Request, rest string) *http.Request {
	r.SetPathValue(restKey, rest) // in place: no copy of the request, no value in the context
	return r
}

// Rest returns the escaped path below the repository, without a leading slash.
func Rest(r *http.Request) string { return r.PathValue(restKey) }

// WithAddress notes the absolute address of the repository for Address. The server calls it before an ErrorWriter writes.
func WithAddress(r *http.Request, address string) *http.Request {
	r.SetPathValue(addressKey, address)
	return r
}

// Address returns the absolute address of the request's repository for an ErrorWriter, without a slash at the end; "" if the request
// named none. It has the base that Repository.URL would have, never what a Host header made up.
func Address(r *http.Request) string { return r.PathValue(addressKey) }

// ServeDocument answers a GET or HEAD with a prepared document. Only If-None-Match makes it a 304: a document also changes when
// configuration does, and twice within the second that dates have, so that If-Modified-Since would hide changes.
func ServeDocument(w http.ResponseWriter, r *http.Request, d *Document) error {
	form, body, etag := identity, d.Body, d.ETag
	if d.Gzip != nil && acceptsGzip(r.Header) {
		form, body, etag = compressed, d.Gzip, d.GzipETag
	}
	h := w.Header()
	// The values are shared between requests. They are slices without spare room, so nobody can write into them by appending.
	for k, v := range d.headers[form] {
		h[k] = v
	}
	if d.Stale {
		h.Set(StaleHeader, "1")
	}
	if d.Partial {
		h.Set(PartialHeader, "1")
		h.Set("Cache-Control", "no-store")
	}
	if matches(r.Header["If-None-Match"], etag) {
		notModified(w)
		return nil
	}
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // the client is gone; there is nobody to tell
	}
	return nil
}

func notModified(w http.ResponseWriter) {
	for _, k := range []string{"Content-Type", "Content-Length", "Content-Encoding"} {
		delete(w.Header(), k)
	}
	w.WriteHeader(http.StatusNotModified)
}

// ServeAsset answers a GET or HEAD with an asset; the caller closes it. Stored bytes answer conditional and range requests; bytes
// that still come from an upstream are sent as they arrive, whole. An error before the first byte is returned; after it the
// connection is broken, so that a client never takes a part for the whole.
func ServeAsset(w http.ResponseWriter, r *http.Request, a *Asset, contentType string) error {
	h := w.Header()
	etag := assetETag(a)
	h.Set("Content-Type", contentType)
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", assetCacheControl)
	}
	if etag != "" {
		h.Set("Etag", etag)
	}
	if seeker, ok := a.Body.(io.ReadSeeker); ok && r.Method != http.MethodHead {
		serveStored(w, r, a, seeker)
		return nil
	}
	if !a.Modified.IsZero() {
		h.Set("Last-Modified", a.Modified.UTC().Format(http.TimeFormat))
	}
	if etag != "" && matches(r.Header["If-None-Match"], etag) {
		notModified(w)
		return nil
	}
	if a.Size >= 0 {
		h.Set("Content-Length", strconv.FormatInt(a.Size, 10))
	}
	if r.Method == http.MethodHead || a.Body == nil {
		h.Set("Accept-Ranges", "bytes")
		w.WriteHeader(http.StatusOK)
		return nil
	}
	return serveGrowing(w, a)
}

// assetETag is made from the strongest digest: strong, and short because some clients have fast paths for short ones only.
func assetETag(a *Asset) string {
	_, hex, ok := strings.Cut(a.Digests.Strongest(), ":")
	if !ok {
		return ""
	}
	return `"` + hex[:min(len(hex), 40)] + `"`
}

// serveStored leaves preconditions and ranges to net/http. A plain file goes through unwrapped, for sendfile; of anything else the
// read errors are noted, which net/http would swallow.
func serveStored(w http.ResponseWriter, r *http.Request, a *Asset, body io.ReadSeeker) {
	if _, plain := body.(syscall.Conn); plain {
		http.ServeContent(w, r, "", a.Modified, body)
		return
	}
	noted := &notingReader{ReadSeeker: body}
	http.ServeContent(w, r, "", a.Modified, noted)
	if noted.err != nil {
		panic(http.ErrAbortHandler)
	}
}

type notingReader struct {
	io.ReadSeeker
	err error
}

func (n *notingReader) Read(p []byte) (int, error) {
	c, err := n.ReadSeeker.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		n.err = err
	}
	return c, err
}

func serveGrowing(w http.ResponseWriter, a *Asset) error {
	first := make([]byte, 32<<10)
	n, err := io.ReadAtLeast(a.Body, first, 1)
	if err != nil && !errors.Is(err, io.EOF) {
		for _, k := range []string{"Content-Type", "Content-Length", "Cache-Control", "Etag", "Last-Modified"} {
			w.Header().Del(k) // they are not true of the error
		}
		return fmt.Errorf("asset %s: %w", a.Name, err)
	}
	w.WriteHeader(http.StatusOK)
	if _, err := w.Write(first[:n]); err != nil {
		panic(http.ErrAbortHandler)
	}
	rest, err := io.Copy(w, a.Body)
	if err != nil || a.Size >= 0 && int64(n)+rest != a.Size {
		panic(http.ErrAbortHandler)
	}
	return nil
}

// matches compares weakly, as If-None-Match wants: proxies on the way weaken tags.
func matches(values []string, etag string) bool {
	for _, v := range values {
		for v = range strings.SplitSeq(v, ",") {
			v = strings.TrimSpace(v)
			if v == "*" || strings.TrimPrefix(v, "W/") == strings.TrimPrefix(etag, "W/") {
				return true
			}
		}
	}
	return false
}

// acceptsGzip says whether the client lists gzip with a weight above zero. A client that says nothing gets the document as it is.
func acceptsGzip(h http.Header) bool {
	for _, v := range h["Accept-Encoding"] {
		for coding := range strings.SplitSeq(v, ",") {
			name, params, _ := strings.Cut(coding, ";")
			name = strings.TrimSpace(name)
			if strings.EqualFold(name, "gzip") || strings.EqualFold(name, "x-gzip") {
				return Weight(params) > 0
			}
		}
	}
	return false
}

// Weight reads the q parameter of an item of an Accept header from its parameters: 1 if there is none, 0 if it is malformed.
func Weight(params string) float64 {
	for p := range strings.SplitSeq(params, ";") {
		k, v, ok := strings.Cut(strings.TrimSpace(p), "=")
		if !ok || !strings.EqualFold(k, "q") {
			continue
		}
		q, err := strconv.ParseFloat(v, 64)
		if err != nil || !(q >= 0 && q <= 1) {
			return 0
		}
		return q
	}
	return 1
}
