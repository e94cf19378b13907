package maven

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

// updatedLayout is how metadata writes times, in UTC.
const updatedLayout = "20060102150405"

func updated(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(updatedLayout)
}

// renderArtifact lists the Published versions of an artifact.
func renderArtifact(v *format.PackageView) (*format.Rendered, error) {
	m := metadata{GroupID: v.ID.Namespace, ArtifactID: v.ID.Name, Versioning: &versioning{LastUpdated: updated(v.Modified)}}
	for _, x := range v.Versions {
		if _, isBuild := parseBuild(x.ID.Version); isBuild || !x.Status.Listed() {
			continue
		}
		m.Versioning.Versions = append(m.Versioning.Versions, x.ID.Version)
		m.Versioning.Latest = x.ID.Version
		if !strings.HasSuffix(x.ID.Version, snapshotSuffix) {
			m.Versioning.Release = x.ID.Version
		}
	}
	if m.Versioning.Latest == "" {
		return nil, fmt.Errorf("%w: %s has no version that is listed", registry.ErrNotFound, coordinates(v.ID))
	}
	return rendered(&m, v.Modified)
}

// renderSnapshot tells of the newest build of a snapshot, wherever in the chain it is (readings A3). A file that only an older build
// has is still that build's.
func renderSnapshot(v *format.PackageView, version string) (*format.Rendered, error) {
	builds := buildsOf(v.Versions, strings.TrimSuffix(version, snapshotSuffix))
	if _, is := v.Hidden[version]; is || len(builds) == 0 {
		return nil, fmt.Errorf("%w: %s has no build of %s", registry.ErrNotFound, coordinates(v.ID), version)
	}
	latest := builds[0]
	m := metadata{
		ModelVersion: "1.1.0", GroupID: v.ID.Namespace, ArtifactID: v.ID.Name, Version: version,
		Versioning: &versioning{Snapshot: &snapshot{latest.timestamp, latest.number}, LastUpdated: latest.updated()},
	}
	type kind struct{ classifier, extension string }
	told := map[kind]bool{}
	for _, b := range builds {
		var own []snapshotVersion
		for _, a := range b.of.Assets {
			tail, ok := strings.CutPrefix(a.Name, v.ID.Name+"-"+b.version())
			if !ok || !endsName(tail) {
				continue
			}
			classifier, extension := splitTail(tail)
			if k := (kind{classifier, extension}); !told[k] {
				told[k] = true
				own = append(own, snapshotVersion{classifier, extension, b.version(), b.updated()})
			}
		}
		// Gradle takes the first entry for the version of the build.
		slices.SortFunc(own, func(a, b snapshotVersion) int {
			return strings.Compare(a.Classifier+"."+a.Extension, b.Classifier+"."+b.Extension)
		})
		m.Versioning.SnapshotVersions = append(m.Versioning.SnapshotVersions, own...)
	}
	return rendered(&m, v.Modified)
}

// splitTail splits what follows the version in a file name: "-sources.jar", ".tar.gz", "-linux-x86_64.tar.gz", ".jar.asc". Classifiers
// may have dots ("-scala_2.12.jar"), so that the extension is the last one, and what belongs to it.
func splitTail(tail string) (classifier, extension string) {
	at := strings.LastIndexByte(tail, '.')
	if at < 0 {
		return strings.TrimPrefix(tail, "-"), ""
	}
	for {
		before := strings.LastIndexByte(tail[:at], '.')
		if before < 0 || !partOfExtension(tail[before+1:at], tail[at+1:]) {
			break
		}
		at = before
	}
	return strings.TrimPrefix(tail[:at], "-"), tail[at+1:]
}

func partOfExtension(before, extension string) bool {
	return before == "tar" || extension == "asc" || extension == "sigstore" || strings.HasPrefix(extension, "sigstore.") || before == "sigstore" && extension == "json"
}

// rendered writes metadata. Its checksums are in headers, so that a client need not ask for them, when it may have changed already.
func rendered(m *metadata, modified time.Time) (*format.Rendered, error) {
	body, err := m.encode()
	if err != nil {
		return nil, err
	}
	h := http.Header{}
	for _, alg := range algorithms() {
		h.Set(alg.header(), alg.sum(body))
	}
	return &format.Rendered{ContentType: "application/xml", Body: body, Modified: modified, Header: h}, nil
}
