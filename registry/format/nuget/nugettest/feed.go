package nugettest

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Feed is a source like nuget.org: resources on paths that only its service index tells, registrations compressed and in pages, and
// documents that name each other by absolute addresses.
type Feed struct {
	*httptest.Server
	PageSize int // versions on a page outside of the index; 0: all stand in it

	mu              sync.Mutex
	packages        []Package
	vulnerabilities string // a page; "": there is no such resource
	broken          func(path string, body []byte) []byte
	log             []string
	down            bool
}

// NewFeed serves packages, whose versions are normalised and ascending, on the loopback address until the test ends.
func NewFeed(t testing.TB, packages ...Package) *Feed {
	t.Helper()
	f := &Feed{packages: packages}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

// Index is the address of its service index.
func (f *Feed) Index() string { return f.URL + "/some/index.json" }

// Add publishes packages.
func (f *Feed) Add(packages ...Package) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.packages = append(f.packages, packages...)
}

// Behave sets what the feed does: whether every connection breaks, and what becomes of the bodies of its answers (nil: nothing).
func (f *Feed) Behave(down bool, broken func(path string, body []byte) []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down, f.broken = down, broken
}

// Vulnerable sets the page of vulnerabilities.
func (f *Feed) Vulnerable(page string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.vulnerabilities = page
}

// Heard lists the paths that were asked for and contain a text.
func (f *Feed) Heard(text string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(f.log), func(p string) bool { return !strings.Contains(strings.ToLower(p), strings.ToLower(text)) })
}

// ServeHTTP implements http.Handler.
func (f *Feed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log = append(f.log, r.URL.Path)
	if f.down {
		panic(http.ErrAbortHandler)
	}
	body, contentType := f.answer(r.URL.Path)
	if body == nil {
		http.NotFound(w, r)
		return
	}
	if f.broken != nil {
		body = f.broken(r.URL.Path, body)
	}
	w.Header().Set("Content-Type", contentType)
	if strings.HasPrefix(r.URL.Path, "/reg/") { // nuget.org compresses whether one wants it or not
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = z.Write(body)
		_ = z.Close()
		return
	}
	_, _ = w.Write(body)
}

func (f *Feed) answer(path string) (body []byte, contentType string) {
	s := strings.Split(strings.Trim(path, "/"), "/")
	switch {
	case path == "/some/index.json":
		return f.json(f.serviceIndex())
	case s[0] == "reg" && len(s) >= 3:
		return f.json(f.registration(s[1], s[2:]))
	case s[0] == "files" && len(s) == 4:
		for _, p := range f.packages {
			if id := strings.ToLower(p.ID); s[1] == id && s[2] == strings.ToLower(p.Version) && s[3] == id+"."+s[2]+".nupkg" {
				return p.File(), "application/octet-stream"
			}
		}
	case path == "/vulnerable/index.json" && f.vulnerabilities != "":
		return f.json([]map[string]string{{"@name": "base", "@id": f.URL + "/vulnerable/base.json", "@updated": "2024-01-01T00:00:00Z"}})
	case path == "/vulnerable/base.json" && f.vulnerabilities != "":
		return []byte(f.vulnerabilities), "application/json"
	}
	return nil, ""
}

func (f *Feed) json(value any) (body []byte, contentType string) {
	if value == nil {
		return nil, ""
	}
	b, err := json.Marshal(value)
	if err != nil {
		panic(err) // of texts
	}
	return b, "application/json"
}

func (f *Feed) serviceIndex() any {
	resources := []map[string]string{
		{"@id": f.URL + "/reg/", "@type": "RegistrationsBaseUrl/3.6.0"}, {"@id": f.URL + "/old/", "@type": "RegistrationsBaseUrl"},
		{"@id": f.URL + "/files/", "@type": "PackageBaseAddress/3.0.0", "comment": "flat"},
	}
	if f.vulnerabilities != "" {
		resources = append(resources, map[string]string{"@id": f.URL + "/vulnerable/index.json", "@type": "VulnerabilityInfo/6.7.0"})
	}
	return map[string]any{"version": "3.0.0", "resources": resources}
}

func (f *Feed) registration(id string, rest []string) any {
	var leaves []any
	var keys []string
	for _, p := range f.packages {
		if strings.ToLower(p.ID) != id {
			continue
		}
		key := strings.ToLower(p.Version)
		var groups []any
		for framework, list := range p.Dependencies {
			var deps []any
			for _, d := range list {
				deps = append(deps, map[string]string{
					"@id": f.URL + "/catalog/x#dep", "@type": "PackageDependency", "id": d[0], "range": d[1], "registration": f.URL + "/reg/" + d[0] + "/index.json",
				})
			}
			groups = append(groups, map[string]any{"@id": f.URL + "/catalog/x#group", "@type": "PackageDependencyGroup", "targetFramework": framework, "dependencies": deps})
		}
		published := "2024-05-06T07:08:09.123+00:00"
		if p.Unlisted {
			published = "1900-01-01T00:00:00+00:00"
		}
		content := fmt.Sprintf("%s/files/%s/%s/%s.%s.nupkg", f.URL, id, key, id, key)
		leaves = append(leaves, map[string]any{
			"@id": f.URL + "/reg/" + id + "/" + key + ".json", "@type": "Package", "packageContent": content, "registration": f.URL + "/reg/" + id + "/index.json",
			"catalogEntry": map[string]any{
				"@id": f.URL + "/catalog/" + id + ".json", "@type": "PackageDetails", "id": p.ID, "version": p.Version, "authors": "Somebody", "description": p.description(),
				"listed": !p.Unlisted, "published": published, "packageContent": content, "dependencyGroups": groups, "iconUrl": f.URL + "/files/" + id + "/" + key + "/icon",
				"tags": []string{"tag"}, "requireLicenseAcceptance": false, "deprecation": map[string]any{"@id": f.URL + "/catalog#deprecation", "reasons": []string{"Legacy"}},
			},
		})
		keys = append(keys, key)
	}
	if leaves == nil {
		return nil
	}
	if f.PageSize == 0 {
		return map[string]any{"@id": f.URL, "count": 1, "items": []any{map[string]any{"@id": f.URL + "#page", "count": len(leaves), "lower": keys[0], "upper": keys[len(keys)-1], "items": leaves}}}
	}
	var pages []any
	for i := 0; i < len(leaves); i += f.PageSize {
		to := min(i+f.PageSize, len(leaves))
		name := fmt.Sprintf("%s/%s.json", keys[i], keys[to-1])
		page := map[string]any{"@id": f.URL + "/reg/" + id + "/page/" + name, "count": to - i, "lower": keys[i], "upper": keys[to-1]}
		if rest[0] == "page" && strings.Join(rest[1:], "/") == name {
			page["items"] = leaves[i:to]
			return page
		}
		pages = append(pages, page)
	}
	if rest[0] != "index.json" {
		return nil
	}
	return map[string]any{"@id": f.URL, "count": len(pages), "items": pages}
}
