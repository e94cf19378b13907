package maven

import (
	"bytes"
	"cmp"
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

// hash returns the algorithm's function.
func (a algorithm) hash() hash.Hash {
	switch a {
	case "md5":
		return md5.New()
	case "sha1":
		return sha1.New()
	case "sha256":
		return sha256.New()
	default:
		return sha512.New()
	}
}

// sum is the digest of b in hexadecimal.
func (a algorithm) sum(b []byte) string {
	h := a.hash()
	h.Write(b) // never fails
	return hex.EncodeToString(h.Sum(nil))
}

// checksumHeader is where clients look for a checksum before they ask for its file.
func (a algorithm) header() string {
	return "X-Checksum-" + strings.ToUpper(string(a[:1])) + string(a[1:])
}

// file serves an asset or the checksum of one.
func file(w http.ResponseWriter, r *http.Request, repo format.Repository, a address) error {
	id, name := registry.VersionID{Package: a.id, Version: a.version}, a.file
	if a.literal {
		var err error
		if id.Version, name, err = newest(r.Context(), repo, a); err != nil {
			return hidden(err)
		}
		w.Header().Set("Cache-Control", "private, no-cache")
	}
	if a.checksum != "" {
		return checksum(w, r, repo, id, name, a.checksum)
	}
	asset, err := open(r, repo, id, name)
	if err != nil {
		return hidden(err)
	}
	if asset.Body != nil {
		defer asset.Body.Close()
	}
	h := w.Header()
	for _, alg := range algorithms() {
		if sum := alg.of(asset.Digests); sum != "" {
			h.Set(alg.header(), sum)
		}
	}
	h.Set("X-Content-Type-Options", "nosniff") // a browser must not run what somebody uploaded
	return format.ServeAsset(w, r, asset, contentType(name))
}

// open is for GET and HEAD. Whether an upstream has a file of which it says nothing, only a download tells: HEAD begins one.
func open(r *http.Request, repo format.Reader, id registry.VersionID, name string) (*format.Asset, error) {
	if r.Method != http.MethodHead {
		return repo.Asset(r.Context(), id, name, format.Open)
	}
	asset, err := repo.Asset(r.Context(), id, name, format.Stat)
	if err != nil || asset.Stored || asset.Digests.Strongest() != "" {
		return asset, err
	}
	asset, err = repo.Asset(r.Context(), id, name, format.Open)
	if err != nil {
		return nil, err
	}
	err = asset.Body.Close()
	asset.Body = nil
	return asset, err
}

// hidden makes what is archived or blocked look absent: build tools take any other answer than 404 for a broken repository and stop,
// instead of looking further (readings A7).
func hidden(err error) error {
	if errors.Is(err, registry.ErrBlocked) {
		return fmt.Errorf("%w: %v", registry.ErrNotFound, err) //nolint:errorlint // on purpose: not wrapped
	}
	return err
}

// newest finds the build that a file named for its snapshot stands for, as the metadata tells it.
func newest(ctx context.Context, repo format.Repository, a address) (version, file string, err error) {
	d, err := snapshotDocument(ctx, repo, a)
	if err != nil {
		return "", "", err
	}
	m, err := parseMetadata(bytes.NewReader(d.Body))
	if err != nil {
		return "", "", err
	}
	tail := strings.TrimPrefix(a.file, a.id.Name+"-"+a.version)
	classifier, extension := splitTail(tail)
	for _, v := range m.Versioning.SnapshotVersions {
		if v.Classifier == classifier && v.Extension == extension {
			return v.Value, a.id.Name + "-" + v.Value + tail, nil
		}
	}
	return "", "", fmt.Errorf("%w: no build of %s %s has such a file", registry.ErrNotFound, coordinates(a.id), a.version)
}

// heldBuild is a build that a version is.
type heldBuild struct {
	build
	of *registry.Version
}

// buildsOf are the builds of a snapshot that are served, the newest first.
func buildsOf(versions []*registry.Version, base string) []heldBuild {
	var out []heldBuild
	for _, v := range versions {
		if b, ok := parseBuild(v.ID.Version); ok && b.base == base && v.Status.Served() {
			out = append(out, heldBuild{b, v})
		}
	}
	slices.SortFunc(out, func(a, b heldBuild) int {
		switch {
		case a.newer(b.build):
			return -1
		case b.newer(a.build):
			return 1
		}
		return cmp.Compare(a.version(), b.version())
	})
	return out
}

// checksum serves the checksum of an asset. What only an upstream has is fetched first: its file of checksums is not asked for each
// time, and may say something else.
func checksum(w http.ResponseWriter, r *http.Request, repo format.Reader, id registry.VersionID, name string, alg algorithm) error {
	asset, err := repo.Asset(r.Context(), id, name, format.Stat)
	if err != nil {
		return hidden(err)
	}
	if sum := alg.of(asset.Digests); asset.Stored && sum != "" {
		return serveChecksum(w, r, sum)
	}
	asset, err = repo.Asset(r.Context(), id, name, format.Open)
	if err != nil {
		return hidden(err)
	}
	h := alg.hash()
	_, err = io.Copy(h, asset.Body)
	if err = errors.Join(err, asset.Body.Close()); err != nil {
		return fmt.Errorf("checksum of %s: %w", name, err)
	}
	return serveChecksum(w, r, hex.EncodeToString(h.Sum(nil)))
}

// serveChecksum answers with the bare checksum: no line end and no name, which not every client cuts off.
func serveChecksum(w http.ResponseWriter, r *http.Request, sum string) error {
	d, err := format.NewDocument(&format.Rendered{ContentType: "text/plain", Body: []byte(sum)})
	if err != nil {
		return err
	}
	return format.ServeDocument(w, r, d)
}

// serveMetadata serves a maven-metadata.xml, or the checksum of one: that of the very bytes which are served.
func serveMetadata(w http.ResponseWriter, r *http.Request, repo format.Repository, a address) error {
	d, err := metadataDocument(r.Context(), repo, a)
	if err != nil {
		return err
	}
	if a.checksum == "" {
		return format.ServeDocument(w, r, d)
	}
	return serveChecksum(w, r, a.checksum.sum(d.Body))
}

// kindSnapshot begins the kind of the metadata of snapshots; the version follows.
const kindSnapshot = "snapshot "

// HeldOnly implements format.HeldOnly: snapshots do not come from external connections.
func (Format) HeldOnly(kind string) bool { return strings.HasPrefix(kind, kindSnapshot) }

func snapshotDocument(ctx context.Context, repo format.Reader, a address) (*format.Document, error) {
	return repo.Document(ctx, a.id, kindSnapshot+a.version, func(v *format.PackageView) (*format.Rendered, error) { return renderSnapshot(v, a.version) })
}

func metadataDocument(ctx context.Context, repo format.Repository, a address) (*format.Document, error) {
	if a.op == opSnapshot {
		return snapshotDocument(ctx, repo, a)
	}
	var notThere error
	outside := true
	if a.id != (registry.PackageID{}) {
		d, err := repo.Document(ctx, a.id, "artifact", renderArtifact)
		if !errors.Is(err, registry.ErrNotFound) {
			return d, err
		}
		// The list of a group is at the address at which the list of the artifact would be.
		notThere, outside = err, !errors.Is(err, format.ErrKeptAway)
	}
	if a.group != "" {
		d, err := pluginsDocument(ctx, repo, a.group, outside)
		if !errors.Is(err, registry.ErrNotFound) {
			return d, err
		}
		notThere = cmp.Or(notThere, err)
	}
	return nil, notThere
}

// contentType of a file. Clients do not care; browsers get nothing that they would run.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".jar", ".war", ".ear", ".aar":
		return "application/java-archive"
	case ".pom", ".xml":
		return "application/xml"
	case ".module", ".json":
		return "application/json"
	case ".asc":
		return "text/plain"
	default:
		return "application/octet-stream"
	}
}
