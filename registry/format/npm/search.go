package npm

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

// Limits of a search. Deeper pages than these nobody reads.
const (
	defaultResults = 20
	maxResults     = 250
	maxFrom        = 10_000
)

// search lists the packages of this repository and its upstreams that match. No upstream registry is asked: the text may name what
// is private.
func search(w http.ResponseWriter, r *http.Request, repo format.Repository) error {
	q := r.URL.Query()
	from := number0(q.Get("from"), 0, maxFrom)
	size := number0(q.Get("size"), defaultResults, maxResults)
	query := searchQuery(q.Get("text"))
	query.Limit = from + size + 1 // one more tells whether there are others
	var hits []*registry.Package
	for p, err := range repo.Packages(r.Context(), query) {
		if err != nil {
			return err
		}
		hits = append(hits, p)
	}
	total := len(hits)
	hits = hits[min(from, len(hits)):min(from+size, len(hits))]
	b := []byte(`{"objects":[`)
	for i, p := range hits {
		if i > 0 {
			b = append(b, ',')
		}
		hit, err := searchHit(r.Context(), repo, p)
		if err != nil {
			return err
		}
		b = append(b, hit...)
	}
	b = strconv.AppendInt(append(b, `],"total":`...), int64(total), 10)
	return writeJSON(w, r, http.StatusOK, append(b, '}'))
}

// searchQuery reads the text of a search. Of the qualifiers of the npm public registry only scope: is known; the others rank, and
// are left out.
func searchQuery(text string) format.Query {
	q := format.Query{}
	var words []string
	for word := range strings.FieldsSeq(text) {
		if scope, ok := strings.CutPrefix(word, "scope:"); ok {
			q.Namespace, q.HasNamespace = strings.TrimPrefix(scope, "@"), true
			continue
		}
		if scoped, ok := strings.CutPrefix(word, "@"); ok {
			scope, name, _ := strings.Cut(scoped, "/")
			q.Namespace, q.HasNamespace = scope, true
			if word = name; word == "" {
				continue
			}
		}
		if key, value, ok := strings.Cut(word, ":"); ok {
			if key != "keywords" {
				continue
			}
			word = strings.ReplaceAll(value, ",", " ")
		}
		words = append(words, word)
	}
	q.Text = strings.Join(words, " ")
	return q
}

// searchHit is one result. npm's own client fails on one without maintainers.
func searchHit(ctx context.Context, repo format.Reader, p *registry.Package) ([]byte, error) {
	version := p.Tags[latest]
	if version == "" { // tags of retained packages are the upstream's
		own, err := repo.Own(ctx, p.ID)
		if err != nil {
			return nil, err
		}
		if own != nil && len(own.Versions) > 0 {
			tags := viewTags(own)
			for _, t := range tags {
				if t.name == latest {
					version = t.key
				}
			}
		}
	}
	var pkg object
	pkg.text("name", fullName(p.ID))
	if p.ID.Namespace != "" {
		pkg.text("scope", p.ID.Namespace)
	} else {
		pkg.text("scope", "unscoped")
	}
	pkg.text("version", version)
	pkg.text("description", p.Summary)
	if !p.Modified.IsZero() {
		pkg.text("date", p.Modified.UTC().Format(time.RFC3339))
	}
	pkg.raw("keywords", []byte("[]"))
	pkg.raw("maintainers", []byte("[]"))
	pkg.raw("links", []byte("{}"))
	var o object
	o.raw("package", pkg.bytes())
	o.raw("score", []byte(`{"final":1,"detail":{"quality":1,"popularity":1,"maintenance":1}}`))
	o.raw("searchScore", []byte("1"))
	return o.bytes(), nil
}

func number0(s string, without, limit int) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return without
	}
	return min(n, limit)
}
