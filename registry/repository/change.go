package repository

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"hash"
	"slices"
	"strings"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/metadata"
)

// event names what happened to versions of a package.
type event string

const (
	eventPublished event = "published"
	eventIngested  event = "ingested"
	eventRetained  event = "retained"
	eventCopied    event = "copied"
	eventEdited    event = "edited"
	eventDeleted   event = "deleted"
	eventTagged    event = "tagged"
)

// eventBody is the outbox form of an event.
type eventBody struct {
	Kind     event    `json:"kind"`
	Versions []string `json:"versions,omitempty"`
	Tags     []string `json:"tags,omitempty"`
}

// change makes the change row of a package.
func (s *Service) change(rc *repoConfig, id registry.PackageID, kind event, versions ...string) metadata.Change {
	body, err := json.Marshal(eventBody{Kind: kind, Versions: versions})
	if err != nil { // strings only: it cannot
		s.log.Error("event was not encoded", "error", err)
	}
	return metadata.Change{Kind: metadata.PackageChanged, Repository: rc.row.ID, Package: id, Event: body, At: s.now()}
}

// revision identifies a version's metadata and assets (user guide, "Package version revision"): everything that is equal in two
// repositories gives the same revision, and a change of status keeps it.
func revision(document, flags []byte, assets []metadata.NewAsset) string {
	h := sha256.New()
	field(h, document)
	field(h, flags)
	sorted := slices.Clone(assets)
	slices.SortFunc(sorted, func(a, b metadata.NewAsset) int { return strings.Compare(a.Name, b.Name) })
	for _, a := range sorted {
		field(h, []byte(a.Name))
		field(h, []byte(a.Digests.Strongest()))
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// field writes b so that no two lists of fields are written alike.
func field(h hash.Hash, b []byte) {
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(len(b)))
	h.Write(n[:])
	h.Write(b)
}

// revisionOf is the revision that a version has with other flags and further assets.
func revisionOf(v *registry.Version, flags []byte, more ...metadata.NewAsset) string {
	all := slices.Clone(more)
	for _, a := range v.Assets {
		all = append(all, metadata.NewAsset{Name: a.Name, Digests: a.Digests})
	}
	return revision(v.Document, flags, all)
}
