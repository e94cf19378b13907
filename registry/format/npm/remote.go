package npm

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

// maxVersions bounds what is taken from one packument; the largest known have some twenty thousand.
const maxVersions = 100_000

// Package implements format.Remote. The full packument is read: the abbreviated one has neither times nor scripts.
func (Format) Package(ctx context.Context, src format.Source, id registry.PackageID) (*format.RemotePackage, error) {
	got, err := src.Document(ctx, format.SourceRequest{
		Path: escapedName(id), Accept: fullType, Class: format.ClassIndex, Types: []string{fullType, "application/vnd.npm"},
	})
	if err != nil {
		return nil, err
	}
	p, err := parsePackument(id, got.Body, got.URL)
	if err != nil {
		return nil, fmt.Errorf("packument of %s: %w", fullName(id), err)
	}
	return p, nil
}

// Asset implements format.Remote. The tarball lies where the packument says, whatever it is called there.
func (f Format) Asset(ctx context.Context, src format.Source, id registry.VersionID, name string) (*format.RemoteAsset, error) {
	p, err := f.Package(ctx, src, id.Package)
	if err != nil {
		return nil, err
	}
	return p.Asset(id, name)
}

// parsePackument reads an upstream's packument of id, which came from address. A packument of another package is ErrInvalid. Entries
// that are no proper versions are left out, so that one bad entry does not take a package away.
func parsePackument(id registry.PackageID, body []byte, address string) (*format.RemotePackage, error) {
	body, err := parseJSON(body)
	if err != nil {
		return nil, err
	}
	doc := lastMembers(body)
	if name := text(doc.get("name")); name != fullName(id) {
		return nil, fmt.Errorf("%w: it is one of %q", registry.ErrInvalid, registry.Clip(name))
	}
	base, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("%w: address of the packument: %w", registry.ErrInvalid, err)
	}
	pkg := remotePackument{id: id, base: base, times: map[string]time.Time{}, seen: map[string]int{}}
	for key, raw := range members(doc.get("time")) {
		if at, err := time.Parse(time.RFC3339, text(raw)); err == nil {
			pkg.times[key] = at.UTC()
		}
	}
	pkg.tags = doc.get("dist-tags")
	pkg.latest = text(member(pkg.tags, latest))
	pkg.readme = pageOf(doc)
	for key, raw := range members(doc.get("versions")) {
		if len(pkg.versions) < maxVersions {
			pkg.add(key, raw)
		}
	}
	if len(pkg.versions) == 0 {
		return nil, fmt.Errorf("%w: %s has no versions there", registry.ErrNotFound, fullName(id))
	}
	out := &format.RemotePackage{Display: fullName(id), Versions: pkg.versions, Tags: pkg.tagMap(), Summary: summaryOf(doc.get("description"))}
	out.Modified = pkg.modified(doc)
	for _, v := range pkg.versions {
		out.Size += int64(len(v.Document) + len(v.Flags) + 600)
	}
	return out, nil
}

// remotePackument is a packument being read.
type remotePackument struct {
	id       registry.PackageID
	base     *url.URL
	times    map[string]time.Time
	tags     []byte
	latest   string
	readme   []byte
	versions []*registry.Version
	seen     map[string]int // index in versions by key
}

// add takes one entry of "versions".
func (p *remotePackument) add(key string, raw []byte) {
	v, valid := parseVersion(key)
	if !valid {
		return
	}
	doc := lastMembers(raw)
	dist := doc.get("dist")
	tarball := text(member(dist, "tarball"))
	if tarball == "" || text(doc.get("version")) != key || text(doc.get("name")) != fullName(p.id) {
		return
	}
	source, err := p.base.Parse(tarball)
	if err != nil || source.Scheme != "https" && source.Scheme != "http" || source.Host == "" {
		return
	}
	out := &registry.Version{
		ID:      registry.VersionID{Package: p.id, Version: v.Key()},
		Display: key, Status: registry.Published, PublishedAt: p.times[key],
		Flags: flagsOf(deprecationOf(doc.get("deprecated"))),
		Assets: []registry.Asset{{
			Name: tarballName(p.id, key), Size: -1, Digests: distDigests(dist), Listed: true, Source: source.String(),
		}},
	}
	m := remoteManifest(doc, dist)
	if key == p.latest {
		m.page = p.readme
	}
	out.Document = m.encode()
	at, again := p.seen[v.Key()]
	switch {
	case !again:
		p.seen[v.Key()] = len(p.versions)
		p.versions = append(p.versions, out)
	case p.versions[at].Display == key: // a repeated key: the last one counts, as for every client
		p.versions[at] = out
	}
}

// remoteManifest cuts a version of a packument into what is stored.
func remoteManifest(doc fields, dist []byte) manifest {
	var core, more, d object
	var scripts []byte
	computed, gyp := false, false
	for _, f := range doc {
		key, value := f.key, f.raw
		switch {
		case key == "dist", key == "deprecated", key == "readme", key == "readmeFilename", key == "_attachments", key == "__proto__":
			continue
		case key == "scripts":
			scripts = value
		case key == "gypfile":
			gyp = truthy(value)
		case key == "hasInstallScript":
			computed = true
		}
		if isCore(key) {
			core.raw(key, value)
		} else {
			more.raw(key, value)
		}
	}
	if !computed && hasInstallScript(scripts, gyp) {
		core.raw("hasInstallScript", []byte("true"))
	}
	for _, f := range lastMembers(dist) {
		switch f.key {
		case "tarball", "__proto__":
		case "attestations": // their address is resolved against the root of this host, where nothing is
		default:
			d.raw(f.key, f.raw)
		}
	}
	return manifest{core: core.bytes(), more: more.bytes(), dist: d.bytes(), page: []byte("{}")}
}

// pageOf takes the readme that a packument has for its latest version.
func pageOf(doc fields) []byte {
	readme := text(doc.get("readme"))
	if len(readme) > maxReadme {
		readme = strings.ToValidUTF8(readme[:maxReadme], "")
	}
	if strings.HasPrefix(readme, "ERROR: No README") {
		readme = ""
	}
	return page(readme, text(doc.get("readmeFilename")))
}

// tagMap are the tags of versions that were taken.
func (p *remotePackument) tagMap() map[string]string {
	out := map[string]string{}
	for tag, raw := range members(p.tags) {
		v, ok := parseVersion(text(raw))
		if !ok || checkTag(tag) != nil {
			continue
		}
		if _, has := p.seen[v.Key()]; has {
			out[tag] = v.Key()
		}
	}
	return out
}

func (p *remotePackument) modified(doc fields) time.Time {
	if at := p.times["modified"]; !at.IsZero() {
		return at
	}
	if at, err := time.Parse(time.RFC3339, text(doc.get("modified"))); err == nil {
		return at.UTC()
	}
	var at time.Time
	for _, v := range p.versions {
		if v.PublishedAt.After(at) {
			at = v.PublishedAt
		}
	}
	return at
}
