package nuget

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

// Limits of what is read of an upstream.
const (
	maxServiceIndex = 1 << 20
	maxRegistration = 128 << 20
	maxPages        = 2000
	maxVersions     = 100_000
)

func jsonTypes() []string {
	return []string{"application/json", "application/octet-stream", "text/plain", "binary/octet-stream"}
}

// service is what an upstream's service index says: addresses with a slash at the end where something follows.
type service struct {
	home            *url.URL // of the index itself
	registrations   string
	container       string
	vulnerabilities string
}

// discover reads the service index of an upstream; the address of the connection is that of the index. Of the registrations the one
// that has all versions is taken.
func discover(ctx context.Context, src format.Source) (*service, error) {
	got, err := src.Document(ctx, format.SourceRequest{Class: format.ClassConfig, MaxBytes: maxServiceIndex, Types: jsonTypes()})
	if errors.Is(err, registry.ErrNotFound) {
		return nil, fmt.Errorf("%w: the upstream has no service index at the connection's address, so that it is no NuGet source", registry.ErrInvalid)
	}
	if err != nil {
		return nil, err
	}
	s, err := parseService(got.Body, got.URL)
	if err != nil {
		return nil, fmt.Errorf("service index: %w", err)
	}
	return s, nil
}

// types is "@type": a text or a list of them.
type types []string

// UnmarshalJSON implements json.Unmarshaler.
func (t *types) UnmarshalJSON(b []byte) error {
	*t = texts(b)
	return nil
}

func parseService(body []byte, at string) (*service, error) {
	home, err := url.Parse(at)
	if err != nil {
		return nil, fmt.Errorf("%w: its address", registry.ErrInvalid)
	}
	var index struct {
		Resources []struct {
			ID   string `json:"@id"`
			Type types  `json:"@type"`
		} `json:"resources"`
	}
	if err := json.Unmarshal(body, &index); err != nil {
		return nil, fmt.Errorf("%w: it is no service index of version 3", registry.ErrInvalid)
	}
	find := func(wanted ...string) string {
		for _, t := range wanted {
			for _, r := range index.Resources {
				if slices.Contains(r.Type, t) {
					if u, err := home.Parse(r.ID); err == nil {
						return u.String()
					}
				}
			}
		}
		return ""
	}
	s := &service{
		home: home,
		registrations: find("RegistrationsBaseUrl/3.6.0", "RegistrationsBaseUrl/Versioned", "RegistrationsBaseUrl/3.4.0", "RegistrationsBaseUrl/3.0.0-rc",
			"RegistrationsBaseUrl/3.0.0-beta", "RegistrationsBaseUrl"),
		container:       find("PackageBaseAddress/3.0.0", "PackageBaseAddress/Versioned"),
		vulnerabilities: find("VulnerabilityInfo/6.7.0"),
	}
	if s.registrations == "" || s.container == "" {
		return nil, fmt.Errorf("%w: it names no registrations or no flat container", registry.ErrInvalid)
	}
	s.registrations, s.container = slashed(s.registrations), slashed(s.container)
	return s, nil
}

func slashed(s string) string { return strings.TrimSuffix(s, "/") + "/" }

// theirs says whether an address is one of the upstream's own documents, which clients may not be able to reach.
func (s *service) theirs(at string) bool {
	u, err := url.Parse(at)
	if err != nil {
		return true
	}
	container, err := url.Parse(s.container)
	return strings.EqualFold(u.Host, s.home.Host) || err == nil && strings.EqualFold(u.Host, container.Host)
}

// The documents of a registration, as far as they are read. An upstream's lists and pages look alike.
type (
	remotePage struct {
		ID    string       `json:"@id"`
		Items []remoteItem `json:"items"`
	}
	remoteIndex struct {
		Items []remotePage `json:"items"`
	}
	remoteItem struct {
		CatalogEntry   json.RawMessage `json:"catalogEntry"`
		PackageContent string          `json:"packageContent"`
	}
)

// Package implements format.Remote: the registration of a package, with the pages that do not stand in it.
func (Format) Package(ctx context.Context, src format.Source, id registry.PackageID) (*format.RemotePackage, error) {
	s, err := discover(ctx, src)
	if err != nil {
		return nil, err
	}
	p := &format.RemotePackage{Display: id.Name}
	reader := &registrationReader{service: s, id: id, into: p, seen: map[string]bool{}}
	at := s.registrations + id.Name + "/index.json"
	var index remoteIndex
	base, err := fetch(ctx, src, at, &index)
	if err != nil {
		return nil, err
	}
	if len(index.Items) > maxPages {
		return nil, fmt.Errorf("%w: the registration of %s has %d pages", registry.ErrTooLarge, id.Name, len(index.Items))
	}
	for _, page := range index.Items {
		from := base
		if page.Items == nil {
			u, err := base.Parse(page.ID)
			if err != nil || page.ID == "" {
				return nil, fmt.Errorf("%w: the registration of %s has a page without address", registry.ErrInvalid, id.Name)
			}
			if from, err = fetch(ctx, src, u.String(), &page); err != nil {
				return nil, missingPage(err, id)
			}
		}
		for _, item := range page.Items {
			if err := reader.add(item, from); err != nil {
				return nil, err
			}
		}
	}
	switch {
	case len(p.Versions) == 0 && reader.bad > 0:
		return nil, fmt.Errorf("%w: the registration of %s has no version that could be one of it", registry.ErrInvalid, id.Name)
	case len(p.Versions) == 0:
		return nil, fmt.Errorf("%w: package %s has no versions there", registry.ErrNotFound, id.Name)
	}
	slices.SortFunc(p.Versions, func(a, b *registry.Version) int { return names{}.Compare(a.ID.Version, b.ID.Version) })
	return p, nil
}

// missingPage: an index whose page is not there is damaged; the package itself is there.
func missingPage(err error, id registry.PackageID) error {
	if errors.Is(err, registry.ErrNotFound) {
		return fmt.Errorf("%w: the registration of %s names a page that is not there", registry.ErrInvalid, id.Name)
	}
	return err
}

// fetch reads a JSON document of an upstream, and returns the address that its relative addresses begin with.
func fetch(ctx context.Context, src format.Source, at string, into any) (*url.URL, error) {
	got, err := src.Document(ctx, format.SourceRequest{Path: at, Class: format.ClassIndex, MaxBytes: maxRegistration, Types: jsonTypes()})
	if err != nil {
		return nil, err
	}
	base, err := url.Parse(got.URL)
	if err != nil {
		return nil, fmt.Errorf("%w: the upstream's address", registry.ErrInvalid)
	}
	if err := json.Unmarshal(got.Body, into); err != nil {
		return nil, fmt.Errorf("%w: a registration is no JSON of the form that is expected", registry.ErrInvalid)
	}
	return base, nil
}

// registrationReader collects the versions of a registration. Of two of one normalised version the first counts.
type registrationReader struct {
	service *service
	id      registry.PackageID
	into    *format.RemotePackage
	seen    map[string]bool
	bad     int
}

// add takes an item, or leaves it out if it is none of the package: one bad item does not take a package away.
func (r *registrationReader) add(item remoteItem, base *url.URL) error {
	v, written, err := r.version(item, base)
	if err != nil {
		r.bad++
		return nil
	}
	if r.seen[v.ID.Version] {
		return nil
	}
	if len(r.into.Versions) >= maxVersions {
		return fmt.Errorf("%w: the registration of %s has more than %d versions", registry.ErrTooLarge, r.id.Name, maxVersions)
	}
	r.seen[v.ID.Version] = true
	r.into.Versions = append(r.into.Versions, v)
	r.into.Display = written
	r.into.Size += int64(len(v.Assets[0].Info) + 800)
	if v.PublishedAt.After(r.into.Modified) {
		r.into.Modified = v.PublishedAt
	}
	return nil
}

func (r *registrationReader) version(item remoteItem, base *url.URL) (v *registry.Version, written string, err error) {
	var e struct {
		ID             string    `json:"id"`
		Version        string    `json:"version"`
		Listed         *bool     `json:"listed"`
		Published      time.Time `json:"published"`
		PackageContent string    `json:"packageContent"`
	}
	if err := json.Unmarshal(item.CatalogEntry, &e); err != nil {
		return nil, "", err
	}
	id, err := names{}.Package("", e.ID)
	if err != nil || id != r.id {
		return nil, "", fmt.Errorf("%w: another package", registry.ErrInvalid)
	}
	parsed, err := parseVersion(e.Version)
	if err != nil {
		return nil, "", err
	}
	info, err := keepEntry(item.CatalogEntry, r.service.theirs)
	if err != nil {
		return nil, "", err
	}
	if err := json.Unmarshal(info, new(entry)); err != nil {
		return nil, "", err
	}
	key := registry.VersionID{Package: id, Version: parsed.key()}
	source := r.service.container + id.Name + "/" + key.Version + "/" + assetName(key, packageExtension)
	for _, at := range []string{e.PackageContent, item.PackageContent} {
		if u, err := base.Parse(at); err == nil && at != "" {
			source = u.String()
		}
	}
	v = &registry.Version{
		ID: key, Display: parsed.full(), Status: registry.Published,
		Assets: []registry.Asset{{Name: assetName(key, packageExtension), Size: -1, Listed: true, Source: source, Info: info}},
	}
	if e.Published.Year() > 1900 { // that year is "not listed"
		v.PublishedAt = e.Published
	}
	if e.Listed != nil && !*e.Listed || e.Published.Year() == 1900 {
		v.Status = registry.Unlisted
	}
	return v, e.ID, nil
}

// Asset implements format.Remote. Symbols are on a server of their own, which is not a part of a feed.
func (f Format) Asset(ctx context.Context, src format.Source, id registry.VersionID, name string) (*format.RemoteAsset, error) {
	p, err := f.Package(ctx, src, id.Package)
	if err != nil {
		return nil, err
	}
	return p.Asset(id, name)
}

// List implements format.Lister: what upstreams know of vulnerable versions. No name is sent for it.
func (Format) List(ctx context.Context, src format.Source, kind string) (map[registry.PackageID][]byte, error) {
	if kind != "vulnerabilities" {
		return nil, nil
	}
	s, err := discover(ctx, src)
	if err != nil {
		return nil, err
	}
	if s.vulnerabilities == "" {
		return nil, fmt.Errorf("%w: the upstream publishes no vulnerabilities", registry.ErrNotFound)
	}
	var index []vulnerabilityRef
	base, err := fetch(ctx, src, s.vulnerabilities, &index)
	if err != nil {
		return nil, err
	}
	all := map[registry.PackageID][]vulnerability{}
	for _, ref := range index[:min(len(index), maxVulnerabilityPages)] {
		u, err := base.Parse(ref.ID)
		if err != nil {
			return nil, fmt.Errorf("%w: a page of vulnerabilities without address", registry.ErrInvalid)
		}
		got, err := src.Document(ctx, format.SourceRequest{Path: u.String(), Class: format.ClassIndex, MaxBytes: maxVulnerabilityPage, Types: jsonTypes()})
		if err != nil {
			return nil, err
		}
		if err := parseVulnerabilities(got.Body, all); err != nil {
			return nil, err
		}
	}
	out := make(map[registry.PackageID][]byte, len(all))
	for id, list := range all {
		if out[id], err = json.Marshal(list); err != nil {
			return nil, err
		}
	}
	return out, nil
}
