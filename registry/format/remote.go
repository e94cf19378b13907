package format

import (
	"context"
	"fmt"
	"time"

	"packhouse.dev/packhouse/registry"
)

// RemotePackage is what an upstream has of a package.
type RemotePackage struct {
	Display  string
	Versions []*registry.Version // Document, Flags, Assets, PublishedAt; Status Published or Unlisted
	Tags     map[string]string
	Modified time.Time
	Summary  string
	Size     int64 // rough bytes in memory, for the cache
}

// Asset returns a file as the package announces it, for upstreams that do. registry.ErrNotFound if it does not.
func (p *RemotePackage) Asset(id registry.VersionID, name string) (*RemoteAsset, error) {
	for _, v := range p.Versions {
		if v.ID != id {
			continue
		}
		if a := v.Asset(name); a != nil {
			return &RemoteAsset{URL: a.Source, Size: a.Size, Want: a.Digests, Info: a.Info, Hidden: !a.Listed}, nil
		}
	}
	return nil, fmt.Errorf("%w: %s has no file %q", registry.ErrNotFound, id, registry.Clip(name))
}

// RemoteAsset is one file at an upstream.
type RemoteAsset struct {
	URL    string
	Size   int64 // -1 unknown
	Want   registry.Digests
	Verify func(Staged) error // optional: further checks before anything is stored
	Info   []byte
	Hidden bool // served, but not in lists
}

// Source reads documents of one external connection through the registry's cache.
type Source interface {
	// Document errors: ErrNotFound (the upstream says so), ErrUnavailable (it cannot be asked and there is no copy).
	Document(ctx context.Context, q SourceRequest) (*SourceDocument, error)
}

// SourceRequest names a document at an upstream.
type SourceRequest struct {
	Path     string // relative to the connection's address, escaped, or an absolute address on one of its hosts
	Accept   string
	Class    Class
	Append   bool  // the document only grows: fetch the tail
	MaxBytes int64 // decoded; 0: 256 MiB
	// Known is a revision whose content the caller has: if the document still has it, Body is left nil.
	Known int64
	// Types the Content-Type must begin with one of, if not empty. An HTML login page with status 200 is an error, not a document.
	Types []string
	Links bool // the Link headers of the answer are a part of the document, too
}

// Class is how long a document is fresh.
type Class int

// The freshness classes.
const (
	ClassIndex     Class = iota // lists of versions: minutes
	ClassImmutable              // bound to a digest: for ever
	ClassConfig                 // service descriptions: hours
)

// SourceDocument is a cached document of an upstream.
type SourceDocument struct {
	URL         string // final address, to resolve relative ones against
	ContentType string
	Body        []byte
	Links       []string // values of the Link headers, if they were asked for, as they came; nil like Body
	Key         string   // names the document in the cache of its connection, for dependencies
	Revision    int64    // never 0; changes when the content changes
	Stale       bool     // the upstream could not be asked; this is an old copy
	FetchedAt   time.Time
	FreshUntil  time.Time
}
