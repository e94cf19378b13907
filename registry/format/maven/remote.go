package maven

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

// maxVersions bounds what is taken from one list of an upstream; the longest known have some ten thousand.
const maxVersions = 100_000

// Package implements format.Remote: the list of versions, or of the plugins of a group. Snapshots are not imported (user guide,
// "Snapshots and external connections"). What files a version has, no list says.
func (Format) Package(ctx context.Context, src format.Source, id registry.PackageID) (*format.RemotePackage, error) {
	path := folder(id) + metadataFile
	if id.Name == metadataFile {
		path = strings.TrimSuffix(folder(id), metadataFile+"/") + metadataFile
	}
	doc, err := src.Document(ctx, format.SourceRequest{Path: path, Class: format.ClassIndex, MaxBytes: maxMetadata})
	if err != nil {
		return nil, err
	}
	m, err := parseMetadata(bytes.NewReader(doc.Body))
	if err != nil {
		return nil, err
	}
	if id.Name == metadataFile {
		return remotePlugins(id, m)
	}
	return remotePackage(id, m)
}

func remotePackage(id registry.PackageID, m *metadata) (*format.RemotePackage, error) {
	out := &format.RemotePackage{Display: id.Name}
	if m.Versioning != nil {
		seen := map[string]bool{}
		for _, key := range m.Versioning.Versions[:min(len(m.Versioning.Versions), maxVersions)] {
			if isSnapshot(key) || checkFile("version", key) != nil || seen[key] {
				continue
			}
			seen[key] = true
			out.Versions = append(out.Versions, remoteVersion(registry.VersionID{Package: id, Version: key}))
			out.Size += 256
		}
		if at, err := time.Parse(updatedLayout, m.Versioning.LastUpdated); err == nil && at.Year() > 1990 {
			out.Modified = at
		}
	}
	if len(out.Versions) == 0 {
		return nil, fmt.Errorf("%w: the upstream lists no release of %s", registry.ErrNotFound, coordinates(id))
	}
	return out, nil
}

func remoteVersion(id registry.VersionID) *registry.Version {
	return &registry.Version{ID: id, Display: id.Version, Status: registry.Published}
}

func isSnapshot(version string) bool {
	_, ok := parseBuild(version)
	return ok || strings.HasSuffix(version, snapshotSuffix)
}

func noSnapshots(id registry.VersionID) error {
	return fmt.Errorf("%w: snapshots such as %s are not imported from external connections", registry.ErrNotFound, id.Version)
}

// Version implements format.Layout: a version is there if its POM is. Trees without any list exist, and lists leave versions out.
func (Format) Version(ctx context.Context, src format.Source, id registry.VersionID) (*registry.Version, error) {
	if isSnapshot(id.Version) || id.Package.Name == metadataFile {
		return nil, noSnapshots(id)
	}
	doc, err := src.Document(ctx, format.SourceRequest{Path: filePath(id, mainFile(id, ".pom")), Class: format.ClassIndex, MaxBytes: maxPOM})
	if err != nil {
		return nil, err
	}
	if _, err := parsePOM(bytes.NewReader(doc.Body)); err != nil {
		return nil, err
	}
	return remoteVersion(id), nil
}

// Likely implements format.Layout (user guide, "Importing standard asset names").
func (Format) Likely(id registry.VersionID) []string {
	return []string{mainFile(id, ".pom"), mainFile(id, ".jar"), mainFile(id, "-javadoc.jar"), mainFile(id, "-sources.jar")}
}

// Asset implements format.Remote. Where the upstream has a checksum of the file, the file must match it; where it has none, only a
// download tells whether the file is there.
func (Format) Asset(ctx context.Context, src format.Source, id registry.VersionID, name string) (*format.RemoteAsset, error) {
	if isSnapshot(id.Version) {
		return nil, noSnapshots(id)
	}
	path := filePath(id, name)
	out := &format.RemoteAsset{URL: path, Size: -1}
	doc, err := src.Document(ctx, format.SourceRequest{Path: path + ".sha1", Class: format.ClassIndex, MaxBytes: maxChecksum})
	switch {
	case errors.Is(err, registry.ErrNotFound):
		return out, nil
	case err != nil:
		return nil, err
	}
	out.Want = sha1Of(doc.Body)
	return out, nil
}

// sha1Of finds the checksum in a file of one, which may have the file's name before or behind it; none if it is something else.
func sha1Of(body []byte) registry.Digests {
	fields := strings.Fields(string(body))
	at := slices.IndexFunc(fields, func(f string) bool { return registry.ParseDigest("sha1:"+strings.ToLower(f)).SHA1 != "" })
	if at < 0 {
		return registry.Digests{}
	}
	return registry.ParseDigest("sha1:" + strings.ToLower(fields[at]))
}

// Inspect implements format.Inspector.
func (Format) Inspect(id registry.VersionID, name string, file format.Staged) ([]byte, error) {
	return inspected(id, name, file).encode()
}
