package npm

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

// Media types of the two packuments.
const (
	fullType        = "application/json"
	abbreviatedType = "application/vnd.npm.install-v1+json"
)

// Kinds of documents, for the cache.
const (
	kindFull        = "full"
	kindAbbreviated = "abbreviated"
	kindTags        = "dist-tags"
	kindVersion     = "version " // and the version or tag
)

const latest = "latest"

// packument is a view being rendered.
type packument struct {
	view      *format.PackageView
	name      string
	manifests []manifest // of view.Versions
	byKey     map[string]int
	tags      []tag
	latest    int // index of the version that "latest" names
}

type tag struct{ name, key string }

func newPackument(view *format.PackageView) (*packument, error) {
	p := &packument{view: view, name: fullName(view.ID), manifests: make([]manifest, len(view.Versions)), byKey: make(map[string]int, len(view.Versions))}
	for i, v := range view.Versions {
		m, err := manifestOf(v)
		if err != nil {
			return nil, err
		}
		p.manifests[i] = m
		p.byKey[v.ID.Version] = i
	}
	if len(view.Versions) == 0 {
		return nil, fmt.Errorf("%w: %s has no versions", registry.ErrNotFound, p.name)
	}
	p.tags = viewTags(view)
	for _, t := range p.tags {
		if t.name == latest {
			p.latest = p.byKey[t.key]
		}
	}
	return p, nil
}

// viewTags are the tags in order of their names. Tags of versions that are not in the view are left out, but there is always a
// "latest", without which clients install nothing: the highest stable version, else the highest.
func viewTags(view *format.PackageView) []tag {
	keys := make(map[string]bool, len(view.Versions))
	repaired := ""
	stable := false
	for _, v := range view.Versions { // ascending
		keys[v.ID.Version] = true
		parsed, ok := parseVersion(v.ID.Version)
		if isStable := ok && parsed.Pre == ""; isStable || !stable {
			repaired, stable = v.ID.Version, isStable
		}
	}
	all := map[string]string{latest: repaired}
	for name, key := range view.Tags {
		if keys[key] {
			all[name] = key
		}
	}
	out := make([]tag, 0, len(all))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		out = append(out, tag{name, all[name]})
	}
	return out
}

func renderFull(view *format.PackageView) (*format.Rendered, error) {
	p, err := newPackument(view)
	if err != nil {
		return nil, err
	}
	b := make([]byte, 0, p.estimate(true))
	b = appendQuoted(append(b, `{"_id":`...), p.name)
	b = append(append(strconv.AppendInt(append(b, `,"_rev":"`...), view.Revision, 10), "-0"...), `","name":`...)
	b = appendQuoted(b, p.name)
	b = p.appendTags(append(b, `,"dist-tags":`...))
	b = p.appendVersions(append(b, `,"versions":`...), true)
	b = p.appendTime(append(b, `,"time":`...))
	b = p.appendHoisted(b)
	return &format.Rendered{ContentType: fullType, Body: append(b, '}'), Modified: p.modified()}, nil
}

// renderAbbreviated has time, which the abbreviated document of the npm public registry lacks: clients refuse versions of unknown
// age. They also discard a map that does not name every version, so it is complete or absent.
func renderAbbreviated(view *format.PackageView) (*format.Rendered, error) {
	p, err := newPackument(view)
	if err != nil {
		return nil, err
	}
	b := make([]byte, 0, p.estimate(false))
	b = appendQuoted(append(b, `{"name":`...), p.name)
	b = appendTime(append(b, `,"modified":`...), p.modified())
	b = p.appendTags(append(b, `,"dist-tags":`...))
	b = p.appendVersions(append(b, `,"versions":`...), false)
	if !slices.ContainsFunc(view.Versions, func(v *registry.Version) bool { return v.PublishedAt.IsZero() }) {
		b = p.appendTime(append(b, `,"time":`...))
	}
	return &format.Rendered{ContentType: abbreviatedType, Body: append(b, '}'), Modified: p.modified()}, nil
}

func renderTags(view *format.PackageView) (*format.Rendered, error) {
	p, err := newPackument(view)
	if err != nil {
		return nil, err
	}
	return &format.Rendered{ContentType: fullType, Body: p.appendTags(nil), Modified: p.modified()}, nil
}

// renderVersion renders the version that spec, a version or a tag, names.
func renderVersion(view *format.PackageView, spec string) (*format.Rendered, error) {
	p, err := newPackument(view)
	if err != nil {
		return nil, err
	}
	key := spec
	if v, ok := cleanVersion(spec); ok {
		key = v.Key()
	} else if i := slices.IndexFunc(p.tags, func(t tag) bool { return t.name == spec }); i >= 0 {
		key = p.tags[i].key
	}
	i, ok := p.byKey[key]
	if !ok {
		return nil, fmt.Errorf("%w: version not found: %s", registry.ErrNotFound, registry.Clip(spec))
	}
	return &format.Rendered{ContentType: fullType, Body: p.appendVersion(nil, i, true), Modified: p.modified()}, nil
}

// estimate is a little more than the size of the document: its buffer is allocated once and little of it is kept for nothing.
func (p *packument) estimate(full bool) int {
	n := 512 + 2*len(p.name)
	for _, t := range p.tags {
		n += len(t.name) + len(t.key) + 8
	}
	perVersion := len(p.view.URL("")) + 2*len(p.name) + 96
	for i, m := range p.manifests {
		v := p.view.Versions[i]
		n += perVersion + len(m.core) + len(m.dist) + len(v.Flags) + 3*len(v.Display)
		if full {
			n += len(m.more)
		}
	}
	if full {
		n += len(p.manifests[p.latest].more) + len(p.manifests[p.latest].page)
	}
	return n
}

func (p *packument) appendTags(b []byte) []byte {
	b = append(b, '{')
	for i, t := range p.tags {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendQuoted(b, t.name), ':')
		b = appendQuoted(b, p.view.Versions[p.byKey[t.key]].Display)
	}
	return append(b, '}')
}

func (p *packument) appendVersions(b []byte, full bool) []byte {
	b = append(b, '{')
	for i, v := range p.view.Versions {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendQuoted(b, v.Display), ':')
		b = p.appendVersion(b, i, full)
	}
	return append(b, '}')
}

func (p *packument) appendVersion(b []byte, i int, full bool) []byte {
	v, m := p.view.Versions[i], p.manifests[i]
	b = append(b, '{')
	b = appendMembers(b, m.core)
	if full {
		b = appendMembers(b, m.more)
	}
	b = append(b, `"dist":{`...)
	b = appendMembers(b, m.dist)
	b = appendQuoted(append(b, `"tarball":`...), p.view.URL(tarballPath(p.view.ID, v.Display)))
	b = append(b, '}')
	if len(v.Flags) > 2 {
		b = append(append(b, ','), v.Flags[1:len(v.Flags)-1]...)
	}
	return append(b, '}')
}

// appendMembers appends the members of an object, each followed by a comma.
func appendMembers(b, obj []byte) []byte {
	if len(obj) <= 2 {
		return b
	}
	return append(append(b, obj[1:len(obj)-1]...), ',')
}

func (p *packument) appendTime(b []byte) []byte {
	created := time.Time{}
	for _, v := range p.view.Versions {
		if at := v.PublishedAt; !at.IsZero() && (created.IsZero() || at.Before(created)) {
			created = at
		}
	}
	b = append(b, '{')
	if !created.IsZero() {
		b = append(appendTime(append(b, `"created":`...), created), ',')
	}
	b = appendTime(append(b, `"modified":`...), p.modified())
	for _, v := range p.view.Versions {
		if !v.PublishedAt.IsZero() {
			b = append(appendQuoted(append(b, ','), v.Display), ':')
			b = appendTime(b, v.PublishedAt)
		}
	}
	return append(b, '}')
}

// appendHoisted appends the texts of the package, which are those of its latest version.
func (p *packument) appendHoisted(b []byte) []byte {
	m := p.manifests[p.latest]
	for _, part := range [][]byte{m.more, m.page} {
		for key, raw := range members(part) {
			switch key {
			case "description", "author", "license", "repository", "homepage", "keywords", "bugs", "maintainers", "contributors",
				"readme", "readmeFilename":
				b = append(appendQuoted(append(b, ','), key), ':')
				b = append(b, raw...)
			}
		}
	}
	return b
}

// modified is the time of the last change of anything that the document shows.
func (p *packument) modified() time.Time {
	at := p.view.Modified
	for _, v := range p.view.Versions {
		if v.PublishedAt.After(at) {
			at = v.PublishedAt
		}
	}
	return at
}

// appendTime writes ISO 8601 in UTC with milliseconds, which is what JavaScript writes and what all clients read.
func appendTime(b []byte, t time.Time) []byte {
	return append(t.UTC().AppendFormat(append(b, '"'), "2006-01-02T15:04:05.000Z"), '"')
}
