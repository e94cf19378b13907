package external

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"packhouse.dev/packhouse/registry/format"
)

// TestLinks: the Link headers of a document are kept with it, and not in the way of whoever does not ask for them.
func TestLinks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	asked, confirmed := 0, 0
	links := []string{`<https://r.example.com/a?page=2>; rel="next"`, `<b>; rel="alternate"`}
	conn := connection(w.serve(t, "r.example.com", func(rw http.ResponseWriter, r *http.Request) {
		asked++
		rw.Header()["Link"] = links
		rw.Header().Set("Etag", `"1"`)
		if r.Header.Get("If-None-Match") != "" {
			confirmed++
			rw.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = rw.Write([]byte("the\nbody"))
	}))
	src := w.source(conn)
	for i := range 3 { // fetched, cached, confirmed
		if i == 2 {
			w.clock.add(time.Hour)
		}
		doc, err := src.Document(t.Context(), format.SourceRequest{Path: "a", Links: true, MaxBytes: 8})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(links, doc.Links); diff != "" || string(doc.Body) != "the\nbody" {
			t.Errorf("%d: body %q, links (-want +got):\n%s", i, doc.Body, diff)
		}
		known, err := src.Document(t.Context(), format.SourceRequest{Path: "a", Links: true, Known: doc.Revision})
		if err != nil || known.Body != nil || known.Links != nil || known.Revision != doc.Revision {
			t.Errorf("%d: known: %+v %v", i, known, err)
		}
	}
	if asked != 2 || confirmed != 1 {
		t.Errorf("%d requests, %d of them confirmed", asked, confirmed)
	}
	doc, err := src.Document(t.Context(), format.SourceRequest{Path: "a"})
	if err != nil || doc.Links != nil || string(doc.Body) != "the\nbody" {
		t.Errorf("without links: %+v %v", doc, err)
	}
	links = []string{strings.Repeat("x", maxLinks+1)}
	if doc, err := src.Document(t.Context(), format.SourceRequest{Path: "b", Links: true}); err == nil {
		t.Errorf("too many links: %+v", doc)
	}
}
