package npm

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/internal/archive"
)

// writeJSON answers with a small document that nobody may keep.
func writeJSON(w http.ResponseWriter, r *http.Request, status int, body []byte) error {
	h := w.Header()
	h.Set("Content-Type", fullType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // the client is gone; there is nobody to tell
	}
	return nil
}

// requestBody is the body of a request, at most limit bytes of it on the wire and decoded. npm compresses audits.
func requestBody(w http.ResponseWriter, r *http.Request, limit int64) (io.Reader, error) {
	if r.ContentLength > limit {
		return nil, tooLarge(limit)
	}
	var body io.Reader = &cappedBody{r: http.MaxBytesReader(w, r.Body, limit), limit: limit}
	switch coding := strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Encoding"))); coding {
	case "", "identity":
		return body, nil
	case "gzip", "x-gzip":
		src := archive.NewSource(body, "request")
		zr, err := gzip.NewReader(src)
		if err != nil {
			return nil, src.Explain(err, "the request is not compressed with gzip")
		}
		return &cappedBody{r: &decoded{zr, src}, limit: limit, left: limit}, nil
	default:
		return nil, fmt.Errorf("%w: requests in the content encoding %q are not read", registry.ErrInvalid, registry.Clip(coding))
	}
}

// decoded says that the request is damaged, where it is.
type decoded struct {
	r   io.Reader
	src *archive.Source
}

func (d *decoded) Read(p []byte) (int, error) {
	n, err := d.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = d.src.Explain(err, "the compressed request is damaged")
	}
	return n, err
}

func tooLarge(limit int64) error {
	size := strconv.FormatInt(limit/1e6, 10) + " MB"
	if limit >= 1e9 {
		size = strconv.FormatInt(limit/1e9, 10) + " GB"
	}
	return fmt.Errorf("%w: a request may have at most %s", registry.ErrTooLarge, size)
}

// cappedBody turns the end of patience into ErrTooLarge.
type cappedBody struct {
	r     io.Reader
	limit int64
	left  int64 // counted here if not zero
}

func (c *cappedBody) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	var over *http.MaxBytesError
	if errors.As(err, &over) {
		return n, tooLarge(c.limit)
	}
	if c.left != 0 {
		if c.left -= int64(n); c.left <= 0 {
			return 0, tooLarge(c.limit)
		}
	}
	return n, err
}

// readSmall reads a whole small body.
func readSmall(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	body, err := requestBody(w, r, limit)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(body)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("%w: the request is cut off", registry.ErrInvalid)
	}
	if err != nil {
		return nil, err
	}
	return parseJSON(b)
}
