package cargo

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
	"packhouse.dev/packhouse/registry/internal/semver"
)

// Limits of a search (registry-web-api.html#search). Deeper pages than these nobody reads.
const (
	defaultResults = 10
	maxResults     = 100
	maxPage        = 1000
)

// hit is a crate in the list that searches look through, and in an answer.
type hit struct {
	Name        string `json:"name"`
	MaxVersion  string `json:"max_version"`
	Description string `json:"description"`
}

// search looks through what this repository and its upstream repositories hold. No upstream registry is asked: the words may name what
// is private.
func search(w http.ResponseWriter, r *http.Request, repo format.Index) error {
	q := r.URL.Query()
	size := bounded(q.Get("per_page"), defaultResults, maxResults)
	page := bounded(q.Get("page"), 1, maxPage)
	list, err := repo.IndexDocument(r.Context(), "search", searchList{})
	if err != nil {
		return err
	}
	hits, err := matching(list.Body, q.Get("q"))
	if err != nil {
		return fmt.Errorf("list of crates: %w", err)
	}
	from := min((page-1)*size, len(hits))
	type meta struct {
		Total int `json:"total"`
	}
	return writeJSON(w, r, http.StatusOK, struct {
		Crates []hit `json:"crates"`
		Meta   meta  `json:"meta"`
	}{append([]hit{}, hits[from:min(from+size, len(hits))]...), meta{len(hits)}})
}

// bounded reads a number from 1 to limit.
func bounded(s string, without, limit int) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		return without
	}
	return min(n, limit)
}

// searchList renders the list that searches look through: a line of JSON for every crate.
type searchList struct{}

// Entry implements format.IndexRenderer.
func (searchList) Entry(v *format.PackageView) ([]byte, error) {
	best := bestVersion(v.Versions)
	name, _, err := servedLine(best)
	if err != nil {
		return nil, err
	}
	d, err := decodeDescription(best.Document)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", best.ID, err)
	}
	b, err := json.Marshal(hit{Name: name, MaxVersion: best.Display, Description: d.summary()})
	return append(b, '\n'), err
}

// Assemble implements format.IndexRenderer.
func (searchList) Assemble(w io.Writer, entries iter.Seq2[registry.PackageID, []byte]) (*format.Rendered, error) {
	for _, e := range entries {
		if _, err := w.Write(e); err != nil {
			return nil, err
		}
	}
	return &format.Rendered{ContentType: "application/x-ndjson"}, nil
}

// bestVersion is the one that people mean when they ask for a crate: the highest that is not yanked, and stable if there is any such.
// versions are ascending and not empty.
func bestVersion(versions []*registry.Version) *registry.Version {
	best, rank := versions[0], -1
	for _, v := range versions {
		r := 0
		if v.Status != registry.Unlisted {
			r += 2
		}
		if parsed, ok := semver.Parse(v.ID.Version); ok && parsed.Pre == "" {
			r++
		}
		if r >= rank {
			best, rank = v, r
		}
	}
	return best
}

// matching returns the crates that have all words in name or description; those whose name is the text, or begins with it, first.
func matching(list []byte, text string) ([]hit, error) {
	folded := fold(text)
	words := strings.Fields(folded)
	var out []hit
	for line := range bytes.Lines(list) {
		var h hit
		if err := json.Unmarshal(line, &h); err != nil {
			return nil, err
		}
		in := fold(h.Name + "\n" + h.Description)
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(in, w) }) {
			out = append(out, h)
		}
	}
	rank := func(h hit) int {
		switch name := fold(h.Name); {
		case name == folded:
			return 0
		case strings.HasPrefix(name, folded):
			return 1
		default:
			return 2
		}
	}
	slices.SortStableFunc(out, func(a, b hit) int { return rank(a) - rank(b) })
	return out, nil
}

// fold makes letter case and "_" count for nothing.
func fold(s string) string { return strings.ReplaceAll(strings.ToLower(s), "_", "-") }
