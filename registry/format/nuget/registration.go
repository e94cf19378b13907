package nuget

import (
	"encoding/json"
	"fmt"
	"net/http"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

// Pages of a registration (registration-base-url-resource#heuristic-used-by-nugetorg): with fewer versions than maxInline they stand in
// the index, and else each is a document of pageSize.
const (
	maxInline = 128
	pageSize  = 64
)

// The documents of a registration (https://learn.microsoft.com/nuget/api/registration-base-url-resource).
type (
	registrationIndex struct {
		ID    string   `json:"@id"`
		Type  []string `json:"@type"`
		Count int      `json:"count"`
		Items []page   `json:"items"`
	}
	page struct {
		ID     string `json:"@id"`
		Type   string `json:"@type"`
		Count  int    `json:"count"`
		Lower  string `json:"lower"`
		Upper  string `json:"upper"`
		Parent string `json:"parent,omitempty"`
		Items  []item `json:"items,omitempty"`
	}
	item struct {
		ID             string          `json:"@id"`
		Type           string          `json:"@type"`
		CatalogEntry   json.RawMessage `json:"catalogEntry"`
		PackageContent string          `json:"packageContent"`
		Registration   string          `json:"registration"`
	}
	leaf struct {
		ID             string   `json:"@id"`
		Type           []string `json:"@type"`
		CatalogEntry   string   `json:"catalogEntry"`
		Listed         bool     `json:"listed"`
		PackageContent string   `json:"packageContent"`
		Published      string   `json:"published"`
		Registration   string   `json:"registration"`
	}
)

func serveRegistration(w http.ResponseWriter, r *http.Request, repo format.Reader, t target) error {
	h := hive{name: t.hive}
	switch t.op {
	case opPage:
		kind := t.hive + " page " + t.from + " " + t.to
		return serveDocument(w, r, repo, t.id, kind, func(v *format.PackageView) (*format.Rendered, error) { return h.renderPage(v, t.from, t.to) })
	case opLeaf:
		return serveDocument(w, r, repo, t.id, t.hive+" leaf "+t.version, func(v *format.PackageView) (*format.Rendered, error) { return h.renderLeaf(v, t.version) })
	default:
		return serveDocument(w, r, repo, t.id, t.hive, h.renderIndex)
	}
}

// hive renders one of the registrations.
type hive struct{ name string }

// versions are those that clients of the hive can read.
func (h hive) versions(v *format.PackageView) ([]*registry.Version, error) {
	out := v.Versions
	if h.name != hiveSemVer2 {
		out = nil
		for _, v := range v.Versions {
			e, err := entryOf(v)
			if err != nil {
				return nil, err
			}
			if !e.semVer2() {
				out = append(out, v)
			}
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%w: package %s has no versions for this registration", registry.ErrNotFound, v.ID.Name)
	}
	return out, nil
}

// pages cuts versions into the pages that they always have: a page that is full stays as it is when versions are added at the end.
func pages(versions []*registry.Version) [][]*registry.Version {
	if len(versions) < maxInline {
		return [][]*registry.Version{versions}
	}
	var out [][]*registry.Version
	for len(versions) > 0 {
		n := min(pageSize, len(versions))
		out, versions = append(out, versions[:n]), versions[n:]
	}
	return out
}

func (h hive) page(v *format.PackageView, versions []*registry.Version) page {
	from, to := versions[0].ID.Version, versions[len(versions)-1].ID.Version
	return page{
		ID: v.URL(registrationPath(h.name, v.ID, "page/"+from+"/"+to+".json")), Type: "catalog:CatalogPage", Count: len(versions), Lower: from, Upper: to,
		Parent: v.URL(registrationPath(h.name, v.ID, "index.json")),
	}
}

func (h hive) renderIndex(v *format.PackageView) (*format.Rendered, error) {
	versions, err := h.versions(v)
	if err != nil {
		return nil, err
	}
	out := registrationIndex{
		ID: v.URL(registrationPath(h.name, v.ID, "index.json")), Type: []string{"catalog:CatalogRoot", "PackageRegistration", "catalog:Permalink"},
	}
	list := pages(versions)
	for _, part := range list {
		p := h.page(v, part)
		if len(list) == 1 {
			if p.Items, err = h.items(v, part); err != nil {
				return nil, err
			}
		}
		out.Items = append(out.Items, p)
	}
	out.Count = len(out.Items)
	return rendered(v, out)
}

// renderPage gives a page by its bounds. One whose bounds moved on meanwhile is given too: who has the index of before wants it.
func (h hive) renderPage(v *format.PackageView, from, to string) (*format.Rendered, error) {
	versions, err := h.versions(v)
	if err != nil {
		return nil, err
	}
	var part []*registry.Version
	for _, v := range versions {
		if k := v.ID.Version; names.Compare(names{}, from, k) <= 0 && names.Compare(names{}, k, to) <= 0 {
			part = append(part, v)
		}
	}
	if len(part) == 0 || len(part) > maxInline {
		return nil, fmt.Errorf("%w: package %s has no page from %s to %s", registry.ErrNotFound, v.ID.Name, from, to)
	}
	p := h.page(v, part)
	p.ID, p.Lower, p.Upper = v.URL(registrationPath(h.name, v.ID, "page/"+from+"/"+to+".json")), from, to
	if p.Items, err = h.items(v, part); err != nil {
		return nil, err
	}
	return rendered(v, p)
}

func (h hive) items(v *format.PackageView, versions []*registry.Version) ([]item, error) {
	out := make([]item, 0, len(versions))
	for _, x := range versions {
		entry, err := shownEntry(v, x)
		if err != nil {
			return nil, err
		}
		out = append(out, item{
			ID: v.URL(leafPath(h.name, x.ID)), Type: "Package", CatalogEntry: entry, PackageContent: v.URL(packagePath(x.ID)),
			Registration: v.URL(registrationPath(h.name, v.ID, "index.json")),
		})
	}
	return out, nil
}

func (h hive) renderLeaf(v *format.PackageView, key string) (*format.Rendered, error) {
	x, err := find(v, key)
	if err != nil {
		return nil, err
	}
	return rendered(v, leaf{
		ID: v.URL(leafPath(h.name, x.ID)), Type: []string{"Package", "http://schema.nuget.org/catalog#Permalink"}, CatalogEntry: v.URL(entryPath(x.ID)), Listed: listed(x),
		PackageContent: v.URL(packagePath(x.ID)), Published: published(x), Registration: v.URL(registrationPath(h.name, v.ID, "index.json")),
	})
}

// renderEntry is the catalog entry of one version as a document of its own.
func renderEntry(v *format.PackageView, key string) (*format.Rendered, error) {
	x, err := find(v, key)
	if err != nil {
		return nil, err
	}
	body, err := shownEntry(v, x)
	if err != nil {
		return nil, err
	}
	return &format.Rendered{ContentType: "application/json", Body: body, Modified: v.Modified}, nil
}

func find(v *format.PackageView, key string) (*registry.Version, error) {
	for _, x := range v.Versions {
		if x.ID.Version == key {
			return x, nil
		}
	}
	return nil, fmt.Errorf("%w: package %s has no version %s", registry.ErrNotFound, v.ID.Name, key)
}

// shownEntry adds to a stored entry what depends on who asks: addresses, and what may change.
func shownEntry(v *format.PackageView, x *registry.Version) (json.RawMessage, error) {
	info, err := infoOf(x)
	if err != nil {
		return nil, err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(info, &members); err != nil {
		return nil, fmt.Errorf("%s: the stored catalog entry: %w", x.ID, err)
	}
	set := map[string]any{"@id": v.URL(entryPath(x.ID)), "@type": "PackageDetails", "packageContent": v.URL(packagePath(x.ID)), "listed": listed(x), "published": published(x)}
	for mark, to := range map[string][2]string{hasIcon: {"iconUrl", "icon"}, hasLicense: {"licenseUrl", "license"}} {
		if string(members[mark]) == "true" {
			set[to[0]] = v.URL(containerPath(v.ID, x.ID.Version+"/"+to[1]))
		}
		delete(members, mark)
	}
	for name, value := range set {
		raw, err := json.Marshal(value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", x.ID, err)
		}
		members[name] = raw
	}
	return json.Marshal(members)
}
