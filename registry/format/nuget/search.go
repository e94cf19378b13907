package nuget

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

// Limits of a search, as nuget.org has them.
const (
	defaultTake = 20
	maxTake     = 1000
	maxSkip     = 3000
)

// found is a package in the list that searches look through. Its versions are ascending and listed.
type found struct {
	ID       string         `json:"id"`
	Versions []foundVersion `json:"versions"`
	About    []about        `json:"about"` // of versions that an answer may show
}

type foundVersion struct {
	Key     string `json:"k"`
	Full    string `json:"v"`
	Pre     bool   `json:"p,omitempty"`
	SemVer2 bool   `json:"s,omitempty"`
	About   int    `json:"a"` // index in found.About; -1: none
}

type about struct {
	Title       string        `json:"title,omitempty"`
	Description string        `json:"description"`
	Summary     string        `json:"summary"`
	Authors     string        `json:"authors,omitempty"`
	Tags        []string      `json:"tags,omitempty"`
	ProjectURL  string        `json:"projectUrl,omitempty"`
	IconURL     string        `json:"iconUrl,omitempty"`
	LicenseURL  string        `json:"licenseUrl,omitempty"`
	Types       []packageType `json:"packageTypes"`
}

// choice is what a client wants to see.
type choice struct{ pre, semVer2 bool }

func (c choice) takes(v foundVersion) bool { return (c.pre || !v.Pre) && (c.semVer2 || !v.SemVer2) }

// choices are all that there are.
func choices() [4]choice {
	return [...]choice{{}, {pre: true}, {semVer2: true}, {pre: true, semVer2: true}}
}

// searchList renders the list that searches look through: a line of JSON for every package.
type searchList struct{}

// Entry implements format.IndexRenderer.
func (searchList) Entry(v *format.PackageView) ([]byte, error) {
	var out found
	entries := map[string]*entry{}
	types := map[string][]packageType{}
	for _, x := range v.Versions {
		if !listed(x) {
			continue
		}
		e, err := entryOf(x)
		if err != nil {
			return nil, err
		}
		parsed, err := parseVersion(x.ID.Version)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", x.ID, err)
		}
		d, err := documentOf(x)
		if err != nil {
			return nil, err
		}
		if len(e.PackageTypes) == 0 {
			e.PackageTypes = d.Types // registrations of upstreams have none
		}
		entries[x.ID.Version], types[x.ID.Version] = e, e.types()
		out.ID = e.ID
		out.Versions = append(out.Versions, foundVersion{Key: x.ID.Version, Full: e.Version, Pre: parsed.prerelease(), SemVer2: e.semVer2(), About: -1})
	}
	if len(out.Versions) == 0 {
		return nil, nil
	}
	for _, c := range choices() {
		if i := out.latest(c); i >= 0 && out.Versions[i].About < 0 {
			x := &out.Versions[i]
			x.About = len(out.About)
			out.About = append(out.About, entries[x.Key].aboutIt(types[x.Key]))
		}
	}
	b, err := json.Marshal(out)
	return append(b, '\n'), err
}

func (e *entry) aboutIt(types []packageType) about {
	return about{
		Title: e.Title, Description: e.Description, Summary: e.Summary, Authors: e.Authors, Tags: e.Tags, ProjectURL: e.ProjectURL, IconURL: e.IconURL,
		LicenseURL: e.LicenseURL, Types: types,
	}
}

// latest is the index of the highest version that a client takes; -1 if there is none.
func (f *found) latest(c choice) int {
	for i := len(f.Versions) - 1; i >= 0; i-- {
		if c.takes(f.Versions[i]) {
			return i
		}
	}
	return -1
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

// query is a search as it is asked for (https://learn.microsoft.com/nuget/api/search-query-service-resource).
type query struct {
	choice
	words      []string // folded
	text       string   // folded
	kind       string   // package type, folded; "": any
	skip, take int
}

func parseQuery(q url.Values) query {
	out := query{
		choice: choice{pre: strings.EqualFold(q.Get("prerelease"), "true"), semVer2: strings.HasPrefix(q.Get("semVerLevel"), "2")},
		skip:   bounded(q.Get("skip"), 0, maxSkip), take: bounded(q.Get("take"), defaultTake, maxTake), text: strings.ToLower(strings.TrimSpace(q.Get("q"))),
	}
	if out.kind = q.Get("packageType"); out.kind == "" {
		out.kind = q.Get("packageTypeFilter")
	}
	out.words, out.kind = strings.Fields(out.text), strings.ToLower(out.kind)
	return out
}

// bounded reads a number from 0 to limit.
func bounded(s string, without, limit int) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return without
	}
	return min(n, limit)
}

// hit is a package that a search found, and the version that stands for it.
type hit struct {
	found
	best int
	rank int
}

func (h *hit) about() about { return h.About[h.Versions[h.best].About] }

// matches returns the packages that have all words in id, title, description or tags; those whose id is the text, or begins with it,
// first. ids: only the id is looked at.
func (q query) matches(list []byte, ids bool) ([]hit, error) {
	var out []hit
	for line := range bytes.Lines(list) {
		var h hit
		if err := json.Unmarshal(line, &h.found); err != nil {
			return nil, err
		}
		if h.best = h.latest(q.choice); h.best < 0 {
			continue
		}
		a := h.about()
		if q.kind != "" && !slices.ContainsFunc(a.Types, func(t packageType) bool { return strings.EqualFold(t.Name, q.kind) }) {
			continue
		}
		in := h.ID
		if !ids {
			in += "\n" + a.Title + "\n" + a.Description + "\n" + a.Summary + "\n" + a.Authors + "\n" + strings.Join(a.Tags, "\n")
		}
		in = strings.ToLower(in)
		if slices.ContainsFunc(q.words, func(w string) bool { return !strings.Contains(in, w) }) {
			continue
		}
		switch id := strings.ToLower(h.ID); {
		case id == q.text:
		case strings.HasPrefix(id, q.text):
			h.rank = 1
		default:
			h.rank = 2
		}
		out = append(out, h)
	}
	slices.SortStableFunc(out, func(a, b hit) int { return a.rank - b.rank })
	return out, nil
}

// cut is the part of a list that is asked for.
func (q query) cut(n int) (from, to int) {
	from = min(q.skip, n)
	return from, min(from+q.take, n)
}

func (q query) run(r *http.Request, repo format.Index, ids bool) ([]hit, error) {
	list, err := repo.IndexDocument(r.Context(), "search", searchList{})
	if err != nil {
		return nil, err
	}
	hits, err := q.matches(list.Body, ids)
	if err != nil {
		return nil, fmt.Errorf("list of packages: %w", err)
	}
	return hits, nil
}

// The answer to a search.
type (
	searchAnswer struct {
		TotalHits int         `json:"totalHits"`
		Data      []searchHit `json:"data"`
	}
	searchHit struct {
		ID             string          `json:"id"`
		Version        string          `json:"version"`
		Registration   string          `json:"registration"`
		Description    string          `json:"description"`
		Summary        string          `json:"summary"`
		Title          string          `json:"title"`
		IconURL        string          `json:"iconUrl,omitempty"`
		LicenseURL     string          `json:"licenseUrl,omitempty"`
		ProjectURL     string          `json:"projectUrl,omitempty"`
		Tags           []string        `json:"tags"`
		Authors        []string        `json:"authors"`
		TotalDownloads int             `json:"totalDownloads"`
		Verified       bool            `json:"verified"`
		PackageTypes   []packageType   `json:"packageTypes"`
		Versions       []searchVersion `json:"versions"`
	}
	searchVersion struct {
		ID        string `json:"@id"`
		Version   string `json:"version"`
		Downloads int    `json:"downloads"`
	}
)

// search looks through what this repository and its upstream repositories hold. No upstream feed is asked: the words may name what is
// private.
func search(w http.ResponseWriter, r *http.Request, repo format.Repository) error {
	q := parseQuery(r.URL.Query())
	hits, err := q.run(r, repo, false)
	if err != nil {
		return err
	}
	out := searchAnswer{TotalHits: len(hits), Data: []searchHit{}}
	h := hivePlain
	if q.semVer2 {
		h = hiveSemVer2
	}
	from, to := q.cut(len(hits))
	for i := range hits[from:to] {
		out.Data = append(out.Data, hits[from+i].shown(q.choice, h, repo.URL))
	}
	return writeJSON(w, r, http.StatusOK, out)
}

func (h *hit) shown(c choice, hive string, url func(string) string) searchHit {
	a, best := h.about(), h.Versions[h.best]
	id := registry.PackageID{Format: Name, Name: strings.ToLower(h.ID)}
	title := a.Title
	if title == "" {
		title = h.ID
	}
	out := searchHit{
		ID: h.ID, Version: best.Full, Registration: url(registrationPath(hive, id, "index.json")), Description: a.Description, Summary: a.Summary, Title: title,
		IconURL: a.IconURL, LicenseURL: a.LicenseURL, ProjectURL: a.ProjectURL, Tags: append([]string{}, a.Tags...), Authors: []string{}, PackageTypes: a.Types,
	}
	if a.Authors != "" {
		out.Authors = append(out.Authors, a.Authors)
	}
	for _, v := range h.Versions {
		if c.takes(v) {
			out.Versions = append(out.Versions, searchVersion{ID: url(leafPath(hive, registry.VersionID{Package: id, Version: v.Key})), Version: v.Full})
		}
	}
	return out
}

// autocomplete serves ids that begin with a text, or the versions of one (https://learn.microsoft.com/nuget/api/search-autocomplete-service-resource).
func autocomplete(w http.ResponseWriter, r *http.Request, repo format.Repository) error {
	type answer struct {
		TotalHits int      `json:"totalHits"`
		Data      []string `json:"data"`
	}
	q, out := parseQuery(r.URL.Query()), answer{Data: []string{}}
	if id := r.URL.Query().Get("id"); id != "" {
		q.text, q.words = strings.ToLower(id), nil
		hits, err := q.run(r, repo, true)
		if err != nil {
			return err
		}
		for _, h := range hits {
			if !strings.EqualFold(h.ID, id) {
				continue
			}
			for _, v := range h.Versions {
				if q.takes(v) {
					out.Data = append(out.Data, v.Full)
				}
			}
		}
		out.TotalHits = len(out.Data)
		return writeJSON(w, r, http.StatusOK, out)
	}
	hits, err := q.run(r, repo, true)
	if err != nil {
		return err
	}
	from, to := q.cut(len(hits))
	for _, h := range hits[from:to] {
		out.Data = append(out.Data, h.ID)
	}
	out.TotalHits = len(hits)
	return writeJSON(w, r, http.StatusOK, out)
}
