package registry

import (
	"encoding/hex"
	"time"
)

// PackageID is the identity of a package: typed, parsed and normalised by its format. It is made only by a format's Names,
// is comparable, and is never written as one concatenated key, because no separator is safe in all formats.
type PackageID struct {
	Format    Format
	Namespace string // npm scope without "@", Maven group id, Swift scope; "" where the format has none
	Name      string
}

// String is for messages only; it is not unique across formats.
func (p PackageID) String() string {
	if p.Namespace == "" {
		return string(p.Format) + "/" + p.Name
	}
	return string(p.Format) + "/" + p.Namespace + "/" + p.Name
}

// VersionID is the identity of one version: Version is the format's normalised key, not the display form.
type VersionID struct {
	Package PackageID
	Version string
}

// String is for messages only.
func (v VersionID) String() string { return v.Package.String() + "@" + v.Version }

// Status of a package version (user guide, "Package version status").
type Status string

// The statuses. A version that was deleted has no row and no status.
const (
	Published  Status = "Published"
	Unfinished Status = "Unfinished" // assets may still arrive; not listed, not served
	Unlisted   Status = "Unlisted"   // not listed, served
	Archived   Status = "Archived"   // not listed, not served, bytes kept
	Disposed   Status = "Disposed"   // not listed, not served, bytes given back
)

// Listed says whether versions of this status stand in lists.
func (s Status) Listed() bool { return s == Published }

// Served says whether assets of versions of this status are given out, and whether such versions may be retained.
func (s Status) Served() bool { return s == Published || s == Unlisted }

// CanBecome says whether a version may change from s to t (shared/guide/readings.md 1.8).
func (s Status) CanBecome(t Status) bool {
	switch {
	case s == t:
		return true
	case t == Disposed:
		return true
	case s == Disposed || t == Unfinished:
		return false
	default:
		return true
	}
}

// OriginType says how a version entered the domain.
type OriginType string

// The origin types.
const (
	Internal OriginType = "INTERNAL" // published or copied in
	External OriginType = "EXTERNAL" // ingested from an external connection
)

// Origin is where a version entered the domain. It is kept by retention and by copies.
type Origin struct {
	Type     OriginType
	Entry    string // repository or external connection by which it entered
	EntryUID string // identity of that entry, so that versions of two origins of the same name never mix
}

// Package is a package in one repository.
type Package struct {
	ID       PackageID
	Display  string         // name as first published
	Controls OriginControls // recorded at first arrival or put by the API; explicit configuration overrides it
	Summary  string
	Revision int64 // change number of its last change; never repeats
	Modified time.Time
	Tags     map[string]string
}

// Version is a package version as a repository holds it, or as an upstream announced it.
type Version struct {
	ID          VersionID
	Display     string
	Status      Status
	Document    []byte // belongs to the format, immutable; the core never reads it
	Flags       []byte // the format's mutable part, for example npm's deprecation text
	Revision    string // digest over document, flags and assets; not over status
	Origin      Origin
	PublishedAt time.Time // at its origin: what protocol documents and age gates show
	ArrivedAt   time.Time // in this repository: publishedTime of the service API
	Assets      []Asset
}

// Asset finds an asset by name, nil if there is none.
func (v *Version) Asset(name string) *Asset {
	for i := range v.Assets {
		if v.Assets[i].Name == name {
			return &v.Assets[i]
		}
	}
	return nil
}

// Asset is one file of a version.
type Asset struct {
	Name    string
	Size    int64 // bytes; -1 while unknown
	Digests Digests
	Listed  bool   // false: served, but not in lists or quotas (manifests, metadata)
	Stored  bool   // false: announced by an upstream and not fetched, or disposed
	Source  string // address at the upstream; never shown to a client
	Info    []byte // belongs to the format
}

// Digests of one file; an empty string means unknown. Lower-case hexadecimal.
type Digests struct {
	MD5, SHA1, SHA256, SHA512 string
}

// Conflict names the first algorithm on which both sides have a digest and disagree; "" if there is none.
func (d Digests) Conflict(want Digests) string {
	for _, p := range []struct{ name, have, want string }{
		{"sha512", d.SHA512, want.SHA512}, {"sha256", d.SHA256, want.SHA256}, {"sha1", d.SHA1, want.SHA1}, {"md5", d.MD5, want.MD5},
	} {
		if p.have != "" && p.want != "" && p.have != p.want {
			return p.name
		}
	}
	return ""
}

// Strongest returns "algorithm:hex" of the strongest known digest, "" if none is known.
func (d Digests) Strongest() string {
	switch {
	case d.SHA512 != "":
		return "sha512:" + d.SHA512
	case d.SHA256 != "":
		return "sha256:" + d.SHA256
	case d.SHA1 != "":
		return "sha1:" + d.SHA1
	case d.MD5 != "":
		return "md5:" + d.MD5
	}
	return ""
}

// ParseDigest reads what Strongest wrote. Unknown algorithms and bad hexadecimal give an empty value.
func ParseDigest(s string) Digests {
	for _, a := range []struct {
		prefix string
		size   int
		set    func(*Digests, string)
	}{
		{"sha512:", 64, func(d *Digests, h string) { d.SHA512 = h }},
		{"sha256:", 32, func(d *Digests, h string) { d.SHA256 = h }},
		{"sha1:", 20, func(d *Digests, h string) { d.SHA1 = h }},
		{"md5:", 16, func(d *Digests, h string) { d.MD5 = h }},
	} {
		if len(s) == len(a.prefix)+2*a.size && s[:len(a.prefix)] == a.prefix {
			if _, err := hex.DecodeString(s[len(a.prefix):]); err != nil {
				return Digests{}
			}
			var d Digests
			a.set(&d, s[len(a.prefix):])
			return d
		}
	}
	return Digests{}
}
