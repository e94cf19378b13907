package swifttest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Feed is a registry of another make, which does what the specification's examples do: releases in pages, identifiers as they were
// written, times with fractions of seconds, and a redirect for versions of Swift without a manifest of their own.
type Feed struct {
	*httptest.Server
	PageSize int // releases on a page; 0: all are on one

	mu       sync.Mutex
	packages []Package
	gone     []string // versions that were taken back
	broken   func(path string, body []byte) []byte
	log      []string
	down     bool
}

// NewFeed serves packages on the loopback address until the test ends.
func NewFeed(t testing.TB, packages ...Package) *Feed {
	t.Helper()
	f := &Feed{packages: packages}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

// Add publishes packages.
func (f *Feed) Add(packages ...Package) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.packages = append(f.packages, packages...)
}

// TakeBack makes a version of every package a tombstone.
func (f *Feed) TakeBack(version string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gone = append(f.gone, version)
}

// Behave sets what the feed does: whether every connection breaks, and what becomes of the bodies of its answers (nil: nothing).
func (f *Feed) Behave(down bool, broken func(path string, body []byte) []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down, f.broken = down, broken
}

// Heard lists the paths that were asked for and contain a text.
func (f *Feed) Heard(text string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(f.log), func(p string) bool { return !strings.Contains(strings.ToLower(p), strings.ToLower(text)) })
}

// errNone is an answer 404.
var errNone = errors.New("there is none")

// ServeHTTP implements http.Handler.
func (f *Feed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log = append(f.log, r.URL.Path)
	if f.down {
		panic(http.ErrAbortHandler)
	}
	h := w.Header()
	h.Set("Content-Version", "1")
	body, status, err := f.answer(h, r)
	if err != nil {
		h.Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusNotFound)
		_, _ = fmt.Fprintf(w, `{"detail":%q}`, err)
		return
	}
	if f.broken != nil {
		body = f.broken(r.URL.Path, body)
	}
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

func (f *Feed) answer(h http.Header, r *http.Request) ([]byte, int, error) {
	s := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if len(s) < 2 {
		return nil, 0, errNone
	}
	var list []Package
	for _, p := range f.packages {
		if strings.EqualFold(p.Scope, s[0]) && strings.EqualFold(p.Name, s[1]) {
			list = append(list, p)
		}
	}
	switch {
	case len(list) == 0:
		return nil, 0, errNone
	case len(s) == 2:
		h.Set("Content-Type", "application/json; charset=utf-8")
		return f.releases(h, list, r.URL.Query().Get("page")), http.StatusOK, nil
	}
	version, isArchive := strings.CutSuffix(s[2], ".zip")
	at := slices.IndexFunc(list, func(p Package) bool { return p.Version == version })
	switch {
	case at < 0 || slices.Contains(f.gone, version):
		return nil, 0, errNone
	case len(s) == 4 && s[3] == "Package.swift":
		return f.manifest(h, list[at], r.URL.Query().Get("swift-version"))
	case len(s) > 3:
		return nil, 0, errNone
	case isArchive:
		h.Set("Content-Type", "application/zip")
		return list[at].Archive(), http.StatusOK, nil
	}
	h.Set("Content-Type", "application/json")
	return document(list[at]), http.StatusOK, nil
}

func (f *Feed) releases(h http.Header, list []Package, page string) []byte {
	size := f.PageSize
	if size == 0 {
		size = len(list)
	}
	n := 0
	_, _ = fmt.Sscan(page, &n)
	releases := map[string]any{"main": map[string]any{"url": f.URL}} // no version: clients leave it out
	for _, p := range list[min(n*size, len(list)):min((n+1)*size, len(list))] {
		releases[p.Version] = map[string]any{"url": f.URL + "/" + p.Scope + "/" + p.Name + "/" + p.Version}
		if slices.Contains(f.gone, p.Version) {
			releases[p.Version] = map[string]any{"problem": map[string]any{"status": http.StatusGone, "title": "Gone", "detail": "it was a mistake"}}
		}
	}
	h.Add("Link", `<https://git.test/a>; rel="canonical"`)
	if (n+1)*size < len(list) {
		h.Add("Link", fmt.Sprintf(`</%s/%s?page=%d>; rel="next", <%s/x>; rel="last"`, list[0].Scope, list[0].Name, n+1, f.URL))
	}
	return marshal(map[string]any{"releases": releases})
}

func document(p Package) []byte {
	r := map[string]any{"name": "source-archive", "type": "application/zip", "checksum": Checksum(p.Archive())}
	if p.Signature != "" {
		r["signing"] = map[string]any{"signatureBase64Encoded": p.Signature, "signatureFormat": "cms-1.0.0"}
	}
	d := map[string]any{"id": p.ID(), "version": p.Version, "resources": []any{r}, "publishedAt": "2023-02-16T04:00:00.123Z"}
	if p.Metadata != "" {
		d["metadata"] = json.RawMessage(p.Metadata)
	}
	return marshal(d)
}

func (f *Feed) manifest(h http.Header, p Package, swift string) ([]byte, int, error) {
	h.Set("Content-Type", "text/x-swift")
	at := "/" + p.Scope + "/" + p.Name + "/" + p.Version + "/Package.swift"
	for name, tools := range p.Manifests {
		v := strings.TrimSuffix(strings.TrimPrefix(name, "Package@swift-"), ".swift")
		if swift == v {
			return []byte(p.Manifest(tools)), http.StatusOK, nil
		}
		h.Add("Link", fmt.Sprintf(`<%s%s?swift-version=%s>; rel="alternate"; filename=%q; swift-tools-version=%q`, f.URL, at, v, name, tools))
	}
	if swift != "" {
		h.Del("Link")
		h.Set("Location", at)
		return nil, http.StatusSeeOther, nil
	}
	return []byte(p.Manifest(p.Tools)), http.StatusOK, nil
}

func marshal(value any) []byte {
	b, err := json.Marshal(value)
	if err != nil {
		panic(err) // of what a test says
	}
	return b
}
