package swift

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

// Limits of what is read of an upstream.
const (
	maxList     = 64 << 20
	maxPages    = 200
	maxReleases = 100_000
	maxRelease  = 1 << 20
)

// Package implements format.Remote: the list of releases, with its further pages. What a release has is asked when somebody asks for it.
func (Format) Package(ctx context.Context, src format.Source, id registry.PackageID) (*format.RemotePackage, error) {
	p := &format.RemotePackage{Display: identifier(id.Namespace, id.Name)}
	seen := map[string]bool{}
	at := id.Namespace + "/" + id.Name
	for range maxPages {
		got, err := src.Document(ctx, format.SourceRequest{Path: at, Accept: vendorType + ".v1+json", Class: format.ClassIndex, Links: true, MaxBytes: maxList, Types: []string{jsonType}})
		if err != nil {
			return nil, err
		}
		keys, err := parseReleases(got.Body)
		if err != nil {
			return nil, fmt.Errorf("releases of %s: %w", p.Display, err)
		}
		for _, key := range keys {
			if seen[key] {
				continue
			}
			if len(seen) == maxReleases {
				return nil, fmt.Errorf("%w: %s has more than %d releases", registry.ErrTooLarge, p.Display, maxReleases)
			}
			seen[key] = true
			v := &registry.Version{ID: registry.VersionID{Package: id, Version: key}, Display: key, Status: registry.Published}
			v.Assets = []registry.Asset{{Name: assetName(v.ID), Size: -1, Listed: true}}
			p.Versions, p.Size = append(p.Versions, v), p.Size+600
		}
		if at = next(got); at == "" {
			break
		}
	}
	if len(p.Versions) == 0 {
		return nil, fmt.Errorf("%w: %s has no releases there", registry.ErrNotFound, p.Display)
	}
	slices.SortFunc(p.Versions, func(a, b *registry.Version) int { return names{}.Compare(a.ID.Version, b.ID.Version) })
	return p, nil
}

// parseReleases reads a list (specification, 4.1): versions that can be had. Keys that are no versions are left out, as the client does.
func parseReleases(body []byte) ([]string, error) {
	var list struct {
		Releases map[string]struct {
			Problem json.RawMessage `json:"problem"`
		} `json:"releases"`
	}
	if err := json.Unmarshal(body, &list); err != nil || list.Releases == nil {
		return nil, fmt.Errorf("%w: it is no list of releases", registry.ErrInvalid)
	}
	var out []string
	for key, r := range list.Releases {
		if _, err := (names{}).Version(key); err == nil && (r.Problem == nil || string(r.Problem) == "null") {
			out = append(out, key)
		}
	}
	return out, nil
}

// link is one of the Link headers of an answer.
type link struct {
	url        string
	parameters map[string]string
}

var (
	oneLink       = regexp.MustCompile(`<([^<>]+)>((?:\s*;\s*[A-Za-z-]+\s*=\s*(?:"[^"]*"|[^",;\s]+))*)`)
	linkParameter = regexp.MustCompile(`([A-Za-z-]+)\s*=\s*(?:"([^"]*)"|([^",;\s]+))`)
)

// maxLinks bounds how many links of one answer are read.
const maxLinks = 1000

// parseLinks reads Link headers (RFC 8288).
func parseLinks(headers []string) []link {
	var out []link
	for _, h := range headers {
		for _, m := range oneLink.FindAllStringSubmatch(h, maxLinks) {
			l := link{url: m[1], parameters: map[string]string{}}
			for _, p := range linkParameter.FindAllStringSubmatch(m[2], maxLinks) {
				l.parameters[strings.ToLower(p[1])] = p[2] + p[3]
			}
			if out = append(out, l); len(out) == maxLinks {
				return out
			}
		}
	}
	return out
}

// next is the address of the next page of a list; "" if this is the last.
func next(d *format.SourceDocument) string {
	for _, l := range parseLinks(d.Links) {
		if l.parameters["rel"] != "next" {
			continue
		}
		base, err := url.Parse(d.URL)
		if err != nil {
			return ""
		}
		if u, err := base.Parse(l.url); err == nil {
			return u.String()
		}
	}
	return ""
}

// Asset implements format.Remote: the source archive, described by the release's document, and manifests.
func (Format) Asset(ctx context.Context, src format.Source, id registry.VersionID, name string) (*format.RemoteAsset, error) {
	if name == assetName(id) {
		return remoteArchive(ctx, src, id)
	}
	if v, ok := named(name); ok {
		return remoteManifest(ctx, src, id, v)
	}
	return nil, fmt.Errorf("%w: %s has no file %q", registry.ErrNotFound, id, registry.Clip(name))
}

func remotePath(id registry.VersionID) string {
	return id.Package.Namespace + "/" + id.Package.Name + "/" + url.PathEscape(id.Version)
}

func remoteArchive(ctx context.Context, src format.Source, id registry.VersionID) (*format.RemoteAsset, error) {
	got, err := src.Document(ctx, format.SourceRequest{Path: remotePath(id), Accept: vendorType + ".v1+json", Class: format.ClassIndex, MaxBytes: maxRelease, Types: []string{jsonType}})
	if err != nil {
		return nil, err
	}
	r, checksum, err := parseRelease(id, got.Body)
	if err != nil {
		return nil, fmt.Errorf("release %s: %w", id, err)
	}
	info, err := r.encode()
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(got.URL)
	if err != nil {
		return nil, fmt.Errorf("%w: address of the release", registry.ErrInvalid)
	}
	return &format.RemoteAsset{
		URL: u.JoinPath("..", url.PathEscape(id.Version)+".zip").String(), Size: -1, Want: registry.Digests{SHA256: checksum}, Info: info,
	}, nil
}

// parseRelease reads a release document (specification, 4.2.1). What its publisher says is taken if the client could decode it.
func parseRelease(id registry.VersionID, body []byte) (r release, checksum string, err error) {
	var d struct {
		ID        string `json:"id"`
		Version   string `json:"version"`
		Resources []struct {
			Name     string   `json:"name"`
			Checksum string   `json:"checksum"`
			Signing  *signing `json:"signing"`
		} `json:"resources"`
		Metadata    json.RawMessage `json:"metadata"`
		PublishedAt string          `json:"publishedAt"`
	}
	if err := json.Unmarshal(body, &d); err != nil {
		return r, "", fmt.Errorf("%w: it is no release document", registry.ErrInvalid)
	}
	scope, name, _ := strings.Cut(d.ID, ".")
	if pkg, err := (names{}).Package(scope, name); err != nil || pkg != id.Package || d.Version != id.Version {
		return r, "", fmt.Errorf("%w: it is the document of another release", registry.ErrInvalid)
	}
	r.ID = d.ID
	if _, err := checkMetadata(d.Metadata); err == nil {
		r.Metadata = d.Metadata
	}
	if at, err := time.Parse(time.RFC3339, d.PublishedAt); err == nil {
		r.PublishedAt = at.UTC().Format(timeFormat)
	}
	for _, x := range d.Resources {
		if x.Name != sourceArchive {
			continue
		}
		sum, err := hex.DecodeString(x.Checksum)
		if err != nil || len(sum) != 32 {
			return r, "", fmt.Errorf("%w: its checksum is no SHA-256", registry.ErrInvalid)
		}
		if s := x.Signing; s != nil && s.Signature != "" && s.Format != "" {
			if !isHeader(s.Signature) || !isHeader(s.Format) {
				return r, "", fmt.Errorf("%w: its signature is not one", registry.ErrInvalid)
			}
			r.Signing = s
		}
		return r, hex.EncodeToString(sum), nil
	}
	return r, "", fmt.Errorf("%w: it has no source archive", registry.ErrInvalid)
}

// isHeader says whether a text can stand in a header.
func isHeader(s string) bool {
	return len(s) <= 2*maxSignature && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

// remoteManifest asks for a manifest as the client does.
func remoteManifest(ctx context.Context, src format.Source, id registry.VersionID, v variant) (*format.RemoteAsset, error) {
	at := remotePath(id) + "/" + manifestFile
	if v.suffix != "" {
		at += "?swift-version=" + v.suffix
	}
	got, err := src.Document(ctx, format.SourceRequest{Path: at, Accept: vendorType + ".v1+swift", Class: format.ClassIndex, Links: true, MaxBytes: maxManifest, Types: []string{manifestType, "text/plain"}})
	if err != nil {
		return nil, err
	}
	if v.suffix != "" && !strings.Contains(got.URL, "swift-version=") { // it was sent on to Package.swift
		return nil, fmt.Errorf("%w: %s has no %s", registry.ErrNotFound, id, v.name)
	}
	f := foreign{Text: strings.ToValidUTF8(string(got.Body), "\uFFFD")}
	for _, l := range parseLinks(got.Links) {
		name := l.parameters["filename"]
		if other, ok := named(name); ok && other.suffix != "" && l.parameters["rel"] == "alternate" && len(f.Variants) < maxVariants {
			f.Variants = append(f.Variants, foreignVariant{Name: name, Tools: l.parameters["swift-tools-version"]})
		}
	}
	info, err := json.Marshal(f)
	if err != nil {
		return nil, err
	}
	return &format.RemoteAsset{URL: got.URL, Size: int64(len(got.Body)), Info: info, Hidden: true}, nil
}
