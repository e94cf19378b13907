package pypi

import (
	"net/http"
	"strings"

	"packhouse.dev/packhouse/registry/format"
)

// representation is a form of a page; it names the cached document, too.
type representation string

const (
	repJSON   representation = "json"
	repHTML   representation = "html" // with the type that PEP 691 gives it
	repLegacy representation = "text" // as PEP 503 has it
	typeJSON                 = "application/vnd.pypi.simple.v1+json"
	typeHTML                 = "application/vnd.pypi.simple.v1+html"
	typeText                 = "text/html"
)

// contentType must be exactly one of those that clients know: pip ignores a page of any other.
func (r representation) contentType() string {
	switch r {
	case repJSON:
		return typeJSON
	case repHTML:
		return typeHTML
	default:
		return typeText + "; charset=utf-8"
	}
}

// negotiate chooses what a client asks for (PEP 691): by "?format=", or by Accept. Who says nothing, or takes anything, gets what
// browsers and old clients read. false: nothing that is asked for is there.
func negotiate(r *http.Request) (representation, bool) {
	if asked := r.URL.Query().Get("format"); asked != "" {
		rep := exactly(asked)
		return rep, rep != ""
	}
	values := r.Header["Accept"]
	if len(values) == 0 {
		return repLegacy, true
	}
	best, weight, specific := representation(""), 0.0, 0
	for _, v := range values {
		for item := range strings.SplitSeq(v, ",") {
			kind, params, _ := strings.Cut(item, ";")
			kind = strings.ToLower(strings.TrimSpace(kind))
			rep, rank := exactly(kind), 3
			switch kind {
			case "*/*", "text/*":
				rep, rank = repLegacy, 1
			case "application/*":
				rep, rank = repJSON, 1
			}
			q := format.Weight(params)
			if rep == "" || q <= 0 {
				continue
			}
			if q > weight || q == weight && rank > specific {
				best, weight, specific = rep, q, rank
			}
		}
	}
	return best, best != ""
}

func exactly(kind string) representation {
	switch kind {
	case typeJSON, "application/vnd.pypi.simple.latest+json":
		return repJSON
	case typeHTML, "application/vnd.pypi.simple.latest+html":
		return repHTML
	case typeText:
		return repLegacy
	}
	return ""
}

func notAcceptable(w http.ResponseWriter) error {
	http.Error(w, "this page is there as "+typeJSON+", "+typeHTML+" and "+typeText, http.StatusNotAcceptable)
	return nil
}

// contentType of a file, by its name.
func contentType(name string) string {
	switch {
	case strings.HasSuffix(name, metadataExtension):
		return "text/plain; charset=utf-8"
	case strings.HasSuffix(name, ".tar.gz"), strings.HasSuffix(name, ".tgz"):
		return "application/gzip"
	case strings.HasSuffix(name, ".zip"):
		return "application/zip"
	default:
		return "application/octet-stream"
	}
}
