// Package format is the contract between the registry and a package format.
//
// A format is a translator: it parses requests, asks a Repository for everything else, and renders what it gets into the
// documents of its protocol. It has no HTTP client, no cache, no retry, no SQL, no policy and no storage. Everything that it may do
// goes through Repository, which authorises, applies origin controls and statuses, resolves upstreams, retains and publishes.
//
// Adding a format is one folder below this one and one generated line in format/all.
package format

import (
	"context"
	"fmt"
	"io"
	"iter"
	"net/http"
	"time"

	"packhouse.dev/packhouse/registry"
)

// Format is what every package format is. Values are immutable and used concurrently.
type Format interface {
	Traits() Traits
	Names() Names
	// Serve answers one request. r.URL.RawPath is not to be used: the escaped path below the repository, without a leading slash,
	// is Rest(r). An error that Serve returns before it wrote anything is mapped to a status by the server; after the first byte
	// Serve must return nil or panic(http.ErrAbortHandler).
	Serve(w http.ResponseWriter, r *http.Request, repo Repository) error
}

// ErrorWriter is optional: a format whose clients read errors in a shape of their own writes them here. Status and message come
// from the server's one table; the message never holds an internal.
type ErrorWriter interface {
	WriteError(w http.ResponseWriter, r *http.Request, status int, message string)
}

// Describer is optional: what the service API shows of a version, read from its stored document and from what is kept of its files. A
// version may lack what the format did not store with it.
type Describer interface {
	Describe(v *registry.Version) (Description, error)
}

// Extractor is optional: where the lists of upstreams say little of a version, its document is read from the first of its files that
// is ingested.
type Extractor interface {
	// Extract returns the document of a version from one of its files; nil if the file does not tell. The file came from an upstream
	// and is stored whatever Extract says; an error is logged.
	Extract(id registry.VersionID, name string, file Staged) ([]byte, error)
}

// Verifier is optional: upstreams of some formats announce files without a digest, and the format can tell whether a file is what it
// is listed as. Nothing is stored after an error.
type Verifier interface {
	Verify(id registry.VersionID, name string, file Staged) error
}

// Weigher is optional: how many requests one counts as against the quotas of requests. Without it each counts as one.
type Weigher interface {
	Weigh(r *http.Request) int
}

// Remote is optional: how the format's public registries are read. It is sequential code over cached documents.
type Remote interface {
	// Package lists what the upstream has of a package: ErrNotFound if nothing. Assets have Source, Size (-1 if unknown) and
	// the digests that the upstream announced.
	Package(ctx context.Context, src Source, id registry.PackageID) (*RemotePackage, error)
	// Asset finds one asset, also one that Package did not list.
	Asset(ctx context.Context, src Source, id registry.VersionID, name string) (*RemoteAsset, error)
}

// Lister is optional: indexes over all packages show also what upstreams have and no repository of the plan. Clients that believe an
// index, and do not ask for what it lacks, need that.
type Lister interface {
	// List reads the entries that an upstream's list of everything has for an index document, as IndexRenderer.Entry would give them;
	// nil for kinds of index that show what the repositories have, and nothing else. Of a package that repositories hold, the entry
	// counts only if IndexRenderer.Entry is nil. Errors are those of Remote.
	List(ctx context.Context, src Source, kind string) (map[registry.PackageID][]byte, error)
}

// Layout is optional: a Remote of which public registries are trees of files, whose lists are not complete, or not there at all.
type Layout interface {
	// Version looks for a version that Package did not list. ErrNotFound if the upstream does not have it.
	Version(ctx context.Context, src Source, id registry.VersionID) (*registry.Version, error)
	// Likely names files that a version may have. They are imported with its first file, if they are there.
	Likely(id registry.VersionID) []string
}

// HeldOnly is optional: documents about what never comes from an external connection, for which none is asked.
type HeldOnly interface {
	// HeldOnly says whether a document of this kind is of what the repositories of the plan hold, and nothing else.
	HeldOnly(kind string) bool
}

// Inspector is optional: what is kept beside a file is read from its bytes, where they come from an upstream.
type Inspector interface {
	// Inspect returns the Info of a file; nil if there is none. The file is stored whatever it says; an error is logged.
	Inspect(id registry.VersionID, name string, file Staged) ([]byte, error)
}

// Traits are constants of a format.
type Traits struct {
	Name           registry.Format
	Grows          Growth
	Follows        bool     // retained versions take further assets, and flags, from where they came from (Python)
	Unfinished     bool     // versions may be published in parts
	NoUpstream     bool     // never resolved through upstreams or connections
	MarksUnlisted  bool     // lists have Unlisted versions too, marked as such by the format: "yanked", "listed": false
	PublishesByAPI bool     // versions are published with the service API, too: nothing is read from their files
	PublishActions []string // actions of the permissions reference that a publish needs, all of them
	Presets        []Preset
	MaxAsset       int64 // bytes of one asset; 0: the registry's limit alone
	MaxRequest     int64 // bytes of one request; 0: as much as an asset and what is around it
}

// Growth says whether a version may get assets after it was published.
type Growth int

// The kinds of growth.
const (
	GrowsNever Growth = iota
	GrowsAlways
	GrowsWhileUnfinished
)

// Preset is an external connection that every registry knows, for example public:npmjs.
type Preset struct {
	Name  string
	URL   string
	Hosts []string // further hosts that its documents name for files
}

// Names is the identity of packages, pure. Everything that is stored or authorised went through it. Errors wrap ErrInvalid.
type Names interface {
	Package(namespace, name string) (registry.PackageID, error)
	Version(raw string) (key string, err error)
	Asset(raw string) (string, error)
	Compare(a, b string) int // order of version keys, a strict weak order
}

// Description is what the service API shows of a version.
type Description struct {
	DisplayName, Summary, HomePage, SourceCodeRepository, Readme string
	Licenses                                                     []License
	Dependencies                                                 []Dependency
}

// License of a version: a name or SPDX expression, and where its text is.
type License struct{ Name, URL string }

// Dependency of a version in the vocabulary of the service API.
type Dependency struct{ Namespace, Package, Type, Requirement string }

// Repository is one repository seen by one principal, for one request. It is implemented by repository.View.
type Repository interface {
	Reader
	Index
	Publisher
	Editor
	// URL makes an absolute address below this repository, in the form in which the request came in. path is already escaped and
	// has no leading slash.
	URL(path string) string
	// Traits of the repository's requester: the name to show for whoami-like commands.
	Principal() string
}

// ErrKeptAway is the ErrNotFound of a package for which no external connection was asked, although the repository has some: origin
// controls forbid it, or the name is somebody's own.
var ErrKeptAway = fmt.Errorf("%w", registry.ErrNotFound)

// Reader gives documents and assets. Every method authorises ReadFromRepository first.
type Reader interface {
	// Document returns a rendered document from the cache, or renders it. kind names the representation ("full", "abbreviated").
	// render gets the merged view of the package and must be pure. ErrNotFound if no repository of the plan has a visible version.
	Document(ctx context.Context, id registry.PackageID, kind string, render func(*PackageView) (*Rendered, error)) (*Document, error)
	// Package returns the merged view that Document would render. It is not cached.
	Package(ctx context.Context, id registry.PackageID) (*PackageView, error)
	// Asset finds an asset, retains its version where the guide says, and opens it. The caller closes it.
	Asset(ctx context.Context, id registry.VersionID, name string, mode AssetMode) (*Asset, error)
	// Find returns the versions that a publication registered under (kind, key), nearest repository first.
	Find(ctx context.Context, kind, key string) ([]registry.VersionID, error)
	// Own returns the package as this very repository holds it, without upstreams and with versions of every status; nil if it
	// has none. Writes that edit what exists start from it.
	Own(ctx context.Context, id registry.PackageID) (*PackageView, error)
}

// AssetMode says what Asset is to do.
type AssetMode int

// The asset modes.
const (
	Open AssetMode = iota
	Stat           // HEAD: the body is not fetched and nothing is retained
)

// Index is whole-repository lists and search.
type Index interface {
	// Packages lists packages of the plan's repositories in order of namespace and name, each once. It never asks an upstream.
	Packages(ctx context.Context, q Query) iter.Seq2[*registry.Package, error]
	// IndexDocument is a document over all packages of the repository; see Lister.
	IndexDocument(ctx context.Context, kind string, r IndexRenderer) (*Document, error)
	// External names the packages among ids that may be told to an external connection: upstream allowed, owned by no repository
	// of the plan (pass-throughs such as audit).
	External(ctx context.Context, ids []registry.PackageID) ([]registry.PackageID, error)
	// Forward sends a pass-through request to the external connection of the repository, if the connection opted in; ErrNotFound
	// if there is none. The caller has removed every name that External did not return.
	Forward(ctx context.Context, q PassThrough) (*SourceDocument, error)
}

// PassThrough is a request that is answered by the upstream and not cached.
type PassThrough struct {
	Method, Path, ContentType string
	Body                      []byte
	Kind                      string // "audit", "search": what a connection opts in to
}

// Query selects packages.
type Query struct {
	Namespace, Prefix string // exact namespace if HasNamespace; prefix of the name
	HasNamespace      bool
	Text              string // words that must all occur in name or summary, case-insensitively
	Limit             int    // 0: no limit
}

// IndexRenderer renders a whole-repository index. Entry is called for packages that changed since the last time and its result
// is kept; Assemble streams the entries, in order, into the document.
type IndexRenderer interface {
	Entry(*PackageView) ([]byte, error)
	Assemble(w io.Writer, entries iter.Seq2[registry.PackageID, []byte]) (*Rendered, error) // Body nil: what was written to w
}

// Publisher brings new versions in.
type Publisher interface {
	// Stage spools r to a temporary file in one pass with all digests. hint is the package of the request's address; a zero hint
	// only asks whether the principal may publish anything here. The caller closes what it gets.
	Stage(ctx context.Context, hint registry.PackageID, r io.Reader) (Staged, error)
	// Publish authorises the publication's identity, checks origin controls and upstreams, and writes it in one transaction. When
	// it returns, the version is durable and visible to the next request on any replica. The same assets again succeed.
	// Errors: ErrAlreadyExists (other bytes), ErrConflict (reachable upstream, or archived), ErrBlocked, ErrAccessDenied, ErrInvalid.
	Publish(ctx context.Context, p Publication) (*Published, error)
}

// Staged is an uploaded file before it belongs to anything. ReadAt is safe for concurrent use.
type Staged interface {
	io.ReaderAt
	Size() int64
	Digests() registry.Digests
	Close() error // removes the temporary file; idempotent
}

// Publication is a version, or new assets of one, that a client publishes. Everything in it was read from the staged bytes.
type Publication struct {
	ID             registry.VersionID
	Display        string // package name as written
	VersionDisplay string
	Summary        string // shown in search
	Assets         []NewAsset
	Document       []byte
	Flags          []byte
	Status         registry.Status // "": Published
	Tags           map[string]string
	Lookups        []Lookup
	AssetsOf       string // version whose assets this one replaces its own with (Maven snapshots)
	CreateOnly     bool   // existing is ErrAlreadyExists even with the same bytes
}

// NewAsset is one file of a publication.
type NewAsset struct {
	Name   string
	Staged Staged
	Want   registry.Digests // what the client announced; a mismatch is ErrInvalid
	Hidden bool
	Info   []byte
}

// Lookup registers the version under a key of the format's own, for Find.
type Lookup struct{ Kind, Key string }

// Published tells what a publish did.
type Published struct {
	Version *registry.Version
	Created bool // false: the same version was there already
	// ShadowedTags are tags that were set here, while an upstream has the same tag and wins (guide, "npm tags and upstreams").
	ShadowedTags []string
}

// Editor changes what a repository holds.
type Editor interface {
	// Edit changes versions of one package, all or none. ErrNotFound if a version is not in this very repository.
	Edit(ctx context.Context, id registry.PackageID, edits []Edit) error
	// SetTags sets and removes tags of this repository. A tag of a version that is not visible is ErrNotFound. It returns the tags
	// that an upstream overrides.
	SetTags(ctx context.Context, id registry.PackageID, set map[string]string, remove []string) (shadowed []string, err error)
	// Delete removes a version for good; the package and its origin controls stay.
	Delete(ctx context.Context, id registry.VersionID) error
}

// Edit is one change of a version. Zero fields change nothing.
type Edit struct {
	Version    string
	Status     registry.Status
	Mark       bool                             // the status is one that the format shows as metadata (cargo yank): PutPackageMetadata is needed for it
	Flags      func(old []byte) ([]byte, error) // may run more than once
	IfStatus   registry.Status
	IfRevision string
}

// PackageView is a package as a principal sees it through a repository: merged over the plan, filtered by status and origin
// controls. It is the only input of a renderer. Receivers must not change it.
type PackageView struct {
	ID       registry.PackageID
	Display  string
	Versions []*registry.Version        // visible in lists, ascending by Names.Compare; for Own: every version; see Traits.MarksUnlisted
	Hidden   map[string]registry.Status // versions that are there and not in Versions, by key; nil for Own
	Tags     map[string]string          // merged by the guide's rule; tags of versions not in Versions are left out
	Controls registry.OriginControls
	Revision int64     // of the package row in the requested repository; 0 if it has none
	Modified time.Time // newest change of anything in the view
	Stale    bool      // an upstream could not be asked; its part is an old copy
	Partial  bool      // an upstream could not be asked and there is no copy
	URL      func(path string) string
}

// Rendered is a document that a format made. Body belongs to the cache afterwards.
type Rendered struct {
	ContentType string
	Body        []byte
	ETag        string // "": strong, hash of the body
	Modified    time.Time
	Header      http.Header // further headers, same for every caller
}

// Document is a rendered document, ready to be written by ServeDocument. It is made by NewDocument, shared between requests and
// immutable.
type Document struct {
	Rendered
	Gzip     []byte // nil: not worth it
	GzipETag string
	Stale    bool
	Partial  bool
	Lengths  [2]string // Content-Length of Body and Gzip, ready

	headers [2]http.Header // of Body and Gzip, ready; shared, never written to
}

// Asset is an open file of a version. Body is nil after Stat. Body may implement io.Seeker (stored bytes) and io.WriterTo or be an
// *os.File below; else it grows while an upstream sends, and ends with an error if the bytes turn out to be wrong.
type Asset struct {
	registry.Asset
	Version  *registry.Version
	Modified time.Time
	Body     io.ReadCloser
}
