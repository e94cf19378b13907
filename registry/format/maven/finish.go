package maven

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

// putMetadataChecksum takes the checksum of a maven-metadata.xml. There is nothing to compare it with: what is served is our own.
func putMetadataChecksum(w http.ResponseWriter, r *http.Request, repo format.Repository, a address) error {
	_, staged, err := readStaged(r, repo, a.id, maxChecksum)
	if err != nil {
		return err
	}
	if err := staged.Close(); err != nil {
		return err
	}
	return created(w, true)
}

// putMetadata finishes the versions that a client's maven-metadata.xml names. It is never served.
func putMetadata(w http.ResponseWriter, r *http.Request, repo format.Repository, a address) error {
	body, staged, err := readStaged(r, repo, a.id, maxMetadata)
	if err != nil {
		return err
	}
	defer staged.Close()
	m, err := parseMetadata(bytes.NewReader(body))
	if err != nil {
		return err
	}
	switch {
	case a.op == opSnapshot:
		err = finishSnapshot(r.Context(), repo, a, m)
	case a.id != (registry.PackageID{}) && m.Versioning != nil:
		err = finishVersions(r.Context(), repo, a.id, m, staged)
	}
	if err != nil {
		return err
	}
	return created(w, true)
}

// finishVersions makes Published what a list names and is Unfinished. The list is kept as an asset of what it finished, as the guide
// shows it ("Checksum storage").
func finishVersions(ctx context.Context, repo format.Repository, id registry.PackageID, m *metadata, staged format.Staged) error {
	if err := m.isOf(id); err != nil {
		return err
	}
	p, err := repo.Own(ctx, id)
	if err != nil || p == nil {
		return err
	}
	for _, v := range p.Versions {
		if v.Status != registry.Unfinished || !m.names(v.ID.Version) {
			continue
		}
		if err := unmismatched(ctx, repo, v); err != nil {
			return err
		}
		_, err := repo.Publish(ctx, format.Publication{
			ID: v.ID, Display: id.Name, VersionDisplay: v.ID.Version, Status: registry.Published, Summary: summaryOf(v),
			Assets: []format.NewAsset{{Name: metadataFile, Staged: staged}},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// names says whether a list has a version. Builds of snapshots are in no list.
func (m *metadata) names(version string) bool {
	if _, ok := parseBuild(version); ok {
		return false
	}
	v := m.Versioning
	return version == v.Latest || version == v.Release || slices.Contains(v.Versions, version)
}

// isOf refuses metadata of another package.
func (m *metadata) isOf(id registry.PackageID) error {
	if m.GroupID != "" && m.GroupID != id.Namespace || m.ArtifactID != "" && m.ArtifactID != id.Name {
		return fmt.Errorf("%w: the address is that of %s, and the metadata is of %s", registry.ErrInvalid, coordinates(id), registry.Clip(m.GroupID+":"+m.ArtifactID))
	}
	return nil
}

// unmismatched refuses to finish a version one of whose checksums was wrong. It asks for the permission to put metadata, too.
func unmismatched(ctx context.Context, repo format.Editor, v *registry.Version) error {
	return repo.Edit(ctx, v.ID.Package, []format.Edit{{Version: v.ID.Version, Flags: func(old []byte) ([]byte, error) {
		f, err := parseFlags(old)
		if err == nil && len(f.Mismatched) > 0 {
			err = fmt.Errorf("%w: version %s of %s is not finished: %s did not match the file; upload it again, or delete the version and publish it again",
				registry.ErrInvalid, v.ID.Version, coordinates(v.ID.Package), strings.Join(f.Mismatched, ", "))
		}
		return old, err
	}}})
}

// summaryOf is what lists of packages show.
func summaryOf(v *registry.Version) string {
	if p, err := infoOf(v, ".pom"); err == nil && p != nil {
		return p.Summary
	}
	return ""
}

// finishSnapshot makes the build that the metadata names Unlisted, and lets the snapshot have the assets of the newest build (user guide,
// "Snapshot publishing in CodeArtifact" and "Snapshot publishing with curl").
func finishSnapshot(ctx context.Context, repo format.Repository, a address, m *metadata) error {
	b, err := m.build(a)
	if err != nil {
		return err
	}
	p, err := repo.Own(ctx, a.id)
	if err != nil {
		return err
	}
	var v *registry.Version
	if p != nil {
		v = versionOf(p, b.version())
	}
	if v == nil || !m.namesAssetOf(v) {
		return fmt.Errorf("%w: the metadata has to name a file of build %s in snapshotVersions, and that has to be uploaded before", registry.ErrInvalid, b.version())
	}
	if err := unmismatched(ctx, repo, v); err != nil {
		return err
	}
	if v.Status == registry.Unfinished {
		unlisted := format.Publication{ID: v.ID, Display: a.id.Name, VersionDisplay: v.ID.Version, Status: registry.Unlisted, Summary: summaryOf(v)}
		if _, err := repo.Publish(ctx, unlisted); err != nil {
			return err
		}
	}
	return follow(ctx, repo, a)
}

// build is the build that the metadata of a snapshot is of.
func (m *metadata) build(a address) (build, error) {
	if err := m.isOf(a.id); err != nil {
		return build{}, err
	}
	if m.Version != "" && m.Version != a.version {
		return build{}, fmt.Errorf("%w: the address is that of %s, and the metadata is of %s", registry.ErrInvalid, a.version, registry.Clip(m.Version))
	}
	if m.Versioning == nil || m.Versioning.Snapshot == nil || m.Versioning.Snapshot.Timestamp == "" {
		return build{}, fmt.Errorf("%w: the metadata of a snapshot has to have the timestamp of the build", registry.ErrInvalid)
	}
	s := m.Versioning.Snapshot
	b, ok := parseBuild(build{strings.TrimSuffix(a.version, snapshotSuffix), s.Timestamp, s.BuildNumber}.version())
	if !ok {
		return build{}, fmt.Errorf("%w: timestamp %q and build number %q are none of a build", registry.ErrInvalid, registry.Clip(s.Timestamp), registry.Clip(s.BuildNumber))
	}
	return b, nil
}

// namesAssetOf says whether the metadata of a snapshot has one of the files of a build.
func (m *metadata) namesAssetOf(v *registry.Version) bool {
	return slices.ContainsFunc(m.Versioning.SnapshotVersions, func(s snapshotVersion) bool {
		name := v.ID.Package.Name + "-" + s.Value
		if s.Classifier != "" {
			name += "-" + s.Classifier
		}
		if s.Extension != "" {
			name += "." + s.Extension
		}
		return s.Value == v.ID.Version && v.Asset(name) != nil
	})
}

// follow gives the snapshot the assets of the newest build. Of several clients that publish builds at once, the last to write looks
// again after its own build was there and after it wrote, so that the newest wins.
func follow(ctx context.Context, repo format.Repository, a address) error {
	base := strings.TrimSuffix(a.version, snapshotSuffix)
	written := ""
	for {
		p, err := repo.Own(ctx, a.id)
		if err != nil || p == nil {
			return err
		}
		builds := buildsOf(p.Versions, base)
		if len(builds) == 0 || builds[0].version() == written {
			return nil // gone meanwhile, or done
		}
		written = builds[0].version()
		_, err = repo.Publish(ctx, format.Publication{
			ID: registry.VersionID{Package: a.id, Version: a.version}, Display: a.id.Name, VersionDisplay: a.version, Status: registry.Published,
			AssetsOf: written, Summary: summaryOf(builds[0].of),
		})
		if err != nil {
			return err
		}
	}
}
