package ruby

import (
	"net/http"
	"strconv"
	"strings"

	"packhouse.dev/packhouse/registry/format"
)

// serveCompact answers with a document of the compact index. Clients hold the ETag against the MD5 of what they have, so that it is the
// same whether the document is compressed or not; they ask for the end of a document by range, beside the ETag of what they have. 304
// comes before ranges, and what cannot be satisfied is answered with the whole document: to a 416, clients do the wrong thing.
func serveCompact(w http.ResponseWriter, r *http.Request, d *format.Document) error {
	asked := r.Header.Get("Range")
	none := r.Header.Get("If-None-Match")
	h := w.Header()
	if start, ok := tail(asked, int64(len(d.Body))); ok && none != d.ETag && none != "" && appended(none, d.Body[:start+1]) {
		body := d.Body[start:]
		for k, v := range d.Header {
			h[k] = v
		}
		h.Set("Etag", d.ETag)
		h.Set("Content-Type", d.ContentType)
		h.Set("Cache-Control", "private, no-cache")
		h.Set("Content-Range", "bytes "+strconv.FormatInt(start, 10)+"-"+strconv.Itoa(len(d.Body)-1)+"/"+strconv.Itoa(len(d.Body)))
		h.Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(http.StatusPartialContent)
		if r.Method != http.MethodHead {
			_, _ = w.Write(body) // the client is gone; there is nobody to tell
		}
		return nil
	}
	same := *d
	same.GzipETag = d.ETag
	if asked != "" {
		same.Gzip = nil
	}
	return format.ServeDocument(fixedETag{w, d.ETag}, r, &same)
}

// fixedETag is a response whose ETag is that of the document, however it is sent.
type fixedETag struct {
	http.ResponseWriter
	etag string
}

func (f fixedETag) WriteHeader(status int) {
	f.Header().Set("Etag", f.etag)
	f.ResponseWriter.WriteHeader(status)
}

// tail reads "bytes=N-".
func tail(s string, size int64) (start int64, ok bool) {
	s, ok = strings.CutPrefix(s, "bytes=")
	number, open := strings.CutSuffix(s, "-")
	start, err := strconv.ParseInt(number, 10, 64)
	return start, ok && open && err == nil && start >= 0 && start < size
}

// appended says whether a client that sends the ETag has these bytes: the ranges of clients begin with the last byte that they have. A
// document in which anything else changed cannot be continued.
func appended(etag string, prefix []byte) bool {
	return strings.Trim(strings.TrimPrefix(etag, "W/"), `"`) == md5Hex(prefix)
}
