package ruby

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

// Limits of what is read from an upstream.
const (
	maxInfo     = 64 << 20
	maxVersions = 50_000
)

// Package implements format.Remote: what /info of the compact index says of a gem; of an upstream without compact index, what the
// specs indexes and quick gemspecs say.
func (Format) Package(ctx context.Context, src format.Source, id registry.PackageID) (*format.RemotePackage, error) {
	got, err := src.Document(ctx, format.SourceRequest{Path: "info/" + id.Name, Class: format.ClassIndex, MaxBytes: maxInfo})
	switch {
	case errors.Is(err, registry.ErrNotFound):
		return treePackage(ctx, src, id)
	case err != nil:
		return nil, err
	}
	p, err := parseInfo(id, got.Body)
	if err != nil {
		return nil, fmt.Errorf("/info of %s: %w", id.Name, err)
	}
	return p, nil
}

// Asset implements format.Remote.
func (f Format) Asset(ctx context.Context, src format.Source, id registry.VersionID, name string) (*format.RemoteAsset, error) {
	p, err := f.Package(ctx, src, id.Package)
	if err != nil {
		return nil, err
	}
	return p.Asset(id, name)
}

// parseInfo reads /info. Lines that clients would not take are left out, so that one bad line does not take a gem away; a document
// without any good one is ErrInvalid. Of two lines of one version the last counts.
func parseInfo(id registry.PackageID, body []byte) (*format.RemotePackage, error) {
	p := &format.RemotePackage{Display: id.Name}
	at := map[string]int{}
	bad, begun := 0, false
	for b := range bytes.Lines(body) {
		line := strings.TrimRight(string(b), "\r\n")
		switch {
		case line == "---":
			begun = true
			continue
		case line == "" || strings.HasPrefix(line, "created_at:"):
			continue
		}
		l, err := parseLine(line)
		if err != nil {
			bad++
			continue
		}
		v := remoteVersion(id, l, line)
		if i, again := at[l.key]; again {
			p.Versions[i] = v
		} else if len(p.Versions) < maxVersions {
			at[l.key] = len(p.Versions)
			p.Versions = append(p.Versions, v)
		}
		if l.created.After(p.Modified) {
			p.Modified = l.created
		}
		p.Size += int64(len(line) + 800)
	}
	switch {
	case len(p.Versions) == 0 && (bad > 0 || !begun):
		return nil, fmt.Errorf("%w: it is no list of versions", registry.ErrInvalid)
	case len(p.Versions) == 0:
		return nil, fmt.Errorf("%w: gem %s has no versions there", registry.ErrNotFound, id.Name)
	}
	return p, nil
}

func remoteVersion(id registry.PackageID, l infoLine, line string) *registry.Version {
	v := registry.VersionID{Package: id, Version: l.key}
	return &registry.Version{
		ID: v, Display: l.key, Status: registry.Published, PublishedAt: l.created,
		Assets: []registry.Asset{{
			Name: fileName(v), Size: -1, Digests: registry.Digests{SHA256: l.checksum}, Listed: true, Source: "gems/" + fileName(v), Info: []byte(line),
		}},
	}
}
