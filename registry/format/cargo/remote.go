package cargo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

// Limits of what is read from an upstream.
const (
	maxIndexFile = 64 << 20
	maxVersions  = 100_000
	maxConfig    = 64 << 10
)

// Package implements format.Remote: the lines of the crate's index file, as they are.
func (Format) Package(ctx context.Context, src format.Source, id registry.PackageID) (*format.RemotePackage, error) {
	got, err := src.Document(ctx, format.SourceRequest{Path: indexPath(id.Name), Class: format.ClassIndex, MaxBytes: maxIndexFile, Types: plainTypes()})
	if err != nil {
		return nil, err
	}
	dl, err := downloads(ctx, src)
	if err != nil {
		return nil, err
	}
	p, err := parseIndex(id, got.Body, dl)
	if err != nil {
		return nil, fmt.Errorf("index file of %s: %w", id.Name, err)
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

// plainTypes are what servers call files of an index, which have no extension: anything but a page for people.
func plainTypes() []string {
	return []string{"text/plain", "application/json", "application/octet-stream", "binary/octet-stream"}
}

// downloads reads where an upstream has its crates: "dl" of config.json. An upstream without that file is no registry, and not one
// that lacks the crate.
func downloads(ctx context.Context, src format.Source) (template string, err error) {
	got, err := src.Document(ctx, format.SourceRequest{Path: "config.json", Class: format.ClassConfig, MaxBytes: maxConfig, Types: plainTypes()})
	if errors.Is(err, registry.ErrNotFound) {
		return "", fmt.Errorf("%w: the upstream has no config.json, so that it is no Cargo registry", registry.ErrInvalid)
	}
	if err != nil {
		return "", err
	}
	var c struct {
		DL string `json:"dl"`
	}
	if err := json.Unmarshal(got.Body, &c); err != nil || c.DL == "" {
		return "", fmt.Errorf("%w: config.json of the upstream does not say where crates are", registry.ErrInvalid)
	}
	return c.DL, nil
}

// crateURL fills in the template of config.json (registry-index.html#index-configuration).
func crateURL(template string, e entry) (string, error) {
	const path = "/{crate}/{version}/download"
	if !strings.Contains(template, "{crate}") && !strings.Contains(template, "{version}") && !strings.Contains(template, "{prefix}") &&
		!strings.Contains(template, "{lowerprefix}") && !strings.Contains(template, "{sha256-checksum}") {
		template = strings.TrimSuffix(template, "/") + path
	}
	address := strings.NewReplacer(
		"{crate}", e.name, "{version}", e.version, "{prefix}", indexFolder(e.name), "{lowerprefix}", indexFolder(strings.ToLower(e.name)),
		"{sha256-checksum}", e.checksum,
	).Replace(template)
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return "", fmt.Errorf("%w: config.json of the upstream has no address of crates", registry.ErrInvalid)
	}
	return address, nil
}

// parseIndex reads an index file. Lines that cargo would not take are left out, so that one bad line
// does not take a crate away; a file without any good one is ErrInvalid. Of two lines of one version the last counts, as there are
// such at crates.io; of two that differ in build metadata the first.
func parseIndex(id registry.PackageID, body []byte, dl string) (*format.RemotePackage, error) {
	p := &format.RemotePackage{Display: id.Name}
	at := map[string]int{}
	bad := 0
	for line := range bytes.Lines(body) {
		line = bytes.TrimRight(line, "\r\n")
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		e, err := parseLine(line)
		if err != nil || strings.ToLower(e.name) != id.Name {
			bad++
			continue
		}
		v, err := remoteVersion(id, e, line, dl)
		if err != nil {
			return nil, err
		}
		switch i, again := at[e.key]; {
		case !again && len(p.Versions) < maxVersions:
			at[e.key] = len(p.Versions)
			p.Versions = append(p.Versions, v)
		case again && p.Versions[i].Display == v.Display:
			p.Versions[i] = v
		}
		p.Display = e.name
		if e.published.After(p.Modified) {
			p.Modified = e.published
		}
	}
	switch {
	case len(p.Versions) == 0 && bad > 0:
		return nil, fmt.Errorf("%w: it has no line that could be one of %s", registry.ErrInvalid, id.Name)
	case len(p.Versions) == 0:
		return nil, fmt.Errorf("%w: crate %s has no versions there", registry.ErrNotFound, id.Name)
	}
	for _, v := range p.Versions {
		p.Size += int64(len(v.Assets[0].Info) + 800)
	}
	return p, nil
}

func remoteVersion(id registry.PackageID, e entry, line []byte, dl string) (*registry.Version, error) {
	source, err := crateURL(dl, e)
	if err != nil {
		return nil, err
	}
	status := registry.Published
	if e.yanked {
		status = registry.Unlisted
	}
	return &registry.Version{
		ID: registry.VersionID{Package: id, Version: e.key}, Display: e.version, Status: status, PublishedAt: e.published,
		Assets: []registry.Asset{{
			Name: assetName(e.name, e.version), Size: -1, Digests: registry.Digests{SHA256: e.checksum}, Listed: true, Source: source,
			Info: bytes.Clone(line),
		}},
	}, nil
}
