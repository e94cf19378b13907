// Package metadata is what the data plane remembers: domains and repositories as containers of content, packages, versions, assets,
// tags, cached upstream documents, changes and leases. It knows no upstream order, no policy and no declared tag: those are in the
// configuration snapshot that a request carries to its end.
//
// Driver metadata/sql serves SQLite and PostgreSQL with one schema; metadatatest is the suite that every driver passes.
package metadata

import (
	"context"
	"errors"
	"math"
	"time"

	"packhouse.dev/packhouse/registry"
)

// DomainID names a domain's row. Like the other identities of rows it is never shown to clients.
type DomainID int64

// RepositoryID names a repository's row.
type RepositoryID int64

// LastRepository stands behind all repositories in a ListCursor.
const LastRepository RepositoryID = math.MaxInt64

// PackageRow names a package's row.
type PackageRow int64

// VersionRow names a version's row.
type VersionRow int64

// BlobRow names a blob's row.
type BlobRow int64

// RegistryDomain is row 0: the registry itself, which has a configuration document, changes and revocations like a domain.
const RegistryDomain DomainID = 0

// Errors beside the registry's sentinels.
var (
	ErrHeld     = errors.New("lease is held by another")
	ErrBlobGone = errors.New("blob was collected meanwhile") // from Tx.Blob: put the bytes again from the staged file, and retry
	ErrFenced   = errors.New("lease was lost")
)

// Store is everything. Callers accept the narrowest role. All methods are safe for concurrent use. A store that cannot answer
// returns an error that wraps registry.ErrUnavailable, never old data.
type Store interface {
	Reader
	Upstreams
	Catalog
	Collector
	Feed
	Leases
	Intents
	// Update runs fn in one transaction over the content of one domain and commits it durably. fn may run more than once, on
	// fresh state; it must not call the store, touch the network, or keep what it got from Tx. When fn returns an error nothing
	// of it is written and that error is returned. The change number is raised once, if fn recorded a change. When Update
	// returns, followers in this process have seen the changes.
	Update(ctx context.Context, d DomainID, fn func(Tx) error) (change int64, err error)
	Close() error
}

// Reader reads packages of the repositories of a plan, whatever their number, in one query each. Missing rows are absent from the
// result, not an error. Results may be shared; receivers do not change them.
type Reader interface {
	// Packages returns the rows of one package in the given repositories, with tags, in no order.
	Packages(ctx context.Context, repositories []RepositoryID, id registry.PackageID) ([]*Package, error)
	// Versions returns versions of the given package rows with documents and assets (two queries). keys nil: all versions.
	Versions(ctx context.Context, packages []PackageRow, keys []string) ([]*Version, error)
	// Heads returns all versions of a package row without documents, flags and assets, in no order (one query).
	Heads(ctx context.Context, p PackageRow) ([]*Version, error)
	// Find returns versions registered under a lookup key.
	Find(ctx context.Context, repositories []RepositoryID, f registry.Format, kind, key string) ([]*Version, error)
	// List pages through packages ordered by (namespace, name, repository) with byte order. next is nil at the end.
	List(ctx context.Context, repositories []RepositoryID, q ListQuery) (page []*Package, next *ListCursor, err error)
	// Derived returns kept index entries of a repository; PutDerived replaces some. A cache: losing rows costs time only.
	Derived(ctx context.Context, repository RepositoryID, f registry.Format, kind string) ([]Derived, error)
	PutDerived(ctx context.Context, repository RepositoryID, f registry.Format, kind string, rows []Derived) error
	// Usage returns how many bytes the assets of a domain take, each counted once. Those of a removed repository take none, although
	// their rows go later.
	Usage(ctx context.Context, d DomainID) (bytes int64, err error)
	// Blob finds the bytes of a digest in a domain: nil if there are none, or if they are condemned or damaged.
	Blob(ctx context.Context, d DomainID, sha256 string) (*Blob, error)
}

// ListQuery selects packages. Prefixes are byte ranges.
type ListQuery struct {
	Format          registry.Format
	HasNamespace    bool
	Namespace       string
	NamespacePrefix string
	NamePrefix      string
	After           *ListCursor
	Limit           int // 1 to 1000; 0: 1000
}

// ListCursor is a place in a list.
type ListCursor struct {
	Namespace, Name string
	Repository      RepositoryID
}

// Package is a package row.
type Package struct {
	Row        PackageRow
	Repository RepositoryID
	registry.Package
	ModifiedAt time.Time // of its last change: set with Revision whenever a transaction records PackageChanged for it
}

// Version is a version row. Files has an element for each of Version.Assets, at the same index.
type Version struct {
	Row        VersionRow
	Package    PackageRow
	Repository RepositoryID
	registry.Version
	Files []File
}

// File says where the bytes of an asset are. The zero File: nowhere.
type File struct {
	Blob      BlobRow
	Object    string
	SealedKey []byte
}

// Blob is a blob row.
type Blob struct {
	Row       BlobRow
	Size      int64
	Digests   registry.Digests
	Object    string
	SealedKey []byte
}

// Derived is a kept index entry. Inputs identifies what it was made from.
type Derived struct {
	Key           string
	Inputs, Value []byte
}

// Tx is a transaction over one domain. Methods that return rows lock them against other writers until the end.
type Tx interface {
	PackageTx
	VersionTx
	BlobTx
	UpstreamTx
	// Record adds a change row; it drops caches that depend on what it names and is the outbox of Event, if Event is not nil.
	Record(c Change) error
	// Fence fails with ErrFenced unless the lease is still the caller's.
	Fence(l Lease) error
}

// PackageTx writes packages.
type PackageTx interface {
	// Package returns the locked row with its tags, nil if there is none.
	Package(repository RepositoryID, id registry.PackageID) (*Package, error)
	// EnsurePackage inserts the row unless it exists, locks it, and returns what it says now, which is not what was asked for when
	// somebody else was first.
	EnsurePackage(repository RepositoryID, id registry.PackageID, display string, controls registry.OriginControls, by ControlsBy) (p *Package, created bool, err error)
	// SetPackage changes display, summary or controls where the pointer is not nil.
	SetPackage(p PackageRow, u PackageUpdate) error
	// DeletePackage removes the package with all versions, tags and controls.
	DeletePackage(p PackageRow) error
	// SetTags sets and removes tags.
	SetTags(p PackageRow, set map[string]string, remove []string) error
}

// ControlsBy says who set the recorded origin controls.
type ControlsBy string

// The values of ControlsBy.
const (
	ByArrival ControlsBy = "Arrival"
	ByAPI     ControlsBy = "API"
)

// PackageUpdate changes a package row.
type PackageUpdate struct {
	Display, Summary *string
	Controls         *registry.OriginControls
	By               ControlsBy // with Controls
}

// VersionTx writes versions.
type VersionTx interface {
	// Version returns the locked row with its assets, nil if there is none.
	Version(p PackageRow, key string) (*Version, error)
	// InsertVersion inserts a version with its assets and lookups; ErrAlreadyExists if the key is taken.
	InsertVersion(p PackageRow, v NewVersion) (VersionRow, error)
	// InsertAsset adds an asset to a version. An asset of that name with the same SHA-256 is no error, another is ErrAlreadyExists.
	InsertAsset(v VersionRow, a NewAsset) error
	// FillAsset gives a pending asset its bytes; one that has them already is left alone.
	FillAsset(v VersionRow, name string, blob BlobRow, d registry.Digests, size int64) error
	// UpdateVersion changes status, document, flags or revision where the pointer is not nil. Status Disposed also lets go of the
	// bytes of all assets, keeping names, sizes and digests.
	UpdateVersion(v VersionRow, u VersionUpdate) error
	// DeleteVersion removes the version, its assets, lookups, and tags that point at it.
	DeleteVersion(v VersionRow) error
	// ReplaceAssets replaces the assets of v by copies of those of from (Maven snapshots).
	ReplaceAssets(v, from VersionRow) error
	// Retain copies a version whose status is Published or Unlisted, with assets and lookups, by reference into another package row
	// of the domain. retained is false if that package has the version already, or the source is gone or not served any more.
	Retain(from VersionRow, to PackageRow) (v VersionRow, retained bool, err error)
}

// NewVersion is a version to insert.
type NewVersion struct {
	Key, Display string
	Status       registry.Status
	Document     []byte
	Flags        []byte
	Revision     string
	Origin       registry.Origin
	PublishedAt  time.Time
	ArrivedAt    time.Time
	Assets       []NewAsset
	Lookups      []Lookup
}

// Lookup is a key of the format's own.
type Lookup struct{ Kind, Key string }

// NewAsset is an asset to insert; Blob 0: pending.
type NewAsset struct {
	Name    string
	Listed  bool
	Blob    BlobRow
	Size    int64 // -1 unknown
	Digests registry.Digests
	Source  string
	Info    []byte
}

// VersionUpdate changes a version row.
type VersionUpdate struct {
	Status   *registry.Status
	Document []byte // nil: unchanged
	Flags    *[]byte
	Revision *string
}

// BlobTx writes blob rows.
type BlobTx interface {
	// Blob makes sure of a row for the bytes. With b.Object empty the row must exist (ErrBlobGone if it does not) and is made
	// Present again. Else the row is inserted; when another upload of the same digest was first, its row is returned and b.Object
	// goes to the trash in the same transaction.
	Blob(b NewBlob) (BlobRow, error)
}

// NewBlob is bytes that lie in the store under Object, or, with Object empty, that a row was seen for.
type NewBlob struct {
	Digests   registry.Digests // all four
	Size      int64
	Object    string
	SealedKey []byte
}

// Upstreams reads the cache of upstream documents and renews it without a change.
type Upstreams interface {
	// Upstream returns a cached document's row, nil if there is none.
	Upstream(ctx context.Context, d DomainID, connection, key string) (*Upstream, error)
	// RenewUpstream moves the times of a row whose content was confirmed (304). It is no change and drops nothing.
	RenewUpstream(ctx context.Context, d DomainID, connection, key string, fetchedAt, freshUntil time.Time) error
}

// UpstreamTx writes the cache of upstream documents.
type UpstreamTx interface {
	// PutUpstream replaces the row and records the change, unless the content (absence or blob) is what the row had. It returns
	// the row's revision, which is new when the content is.
	PutUpstream(u Upstream) (revision int64, err error)
}

// Upstream is a cached document of an external connection. Connection identifies the connection with its address, so another
// address is another cache.
type Upstream struct {
	Connection, Key  string
	Absent           bool // the upstream said that there is none
	Blob             BlobRow
	File             File // on reading
	Size             int64
	URL, ContentType string // final address, for relative ones
	ETag             string
	LastModified     string
	FetchedAt        time.Time
	FreshUntil       time.Time
	Revision         int64
}

// Catalog is domains, repositories and what is declared about them. What is Deleting is in none of its answers.
type Catalog interface {
	Secrets
	Domains(ctx context.Context) ([]Domain, error) // by account and name, without row 0
	Repositories(ctx context.Context, d DomainID) ([]Repository, error)
	// Document returns the newest configuration document of a domain; nil if there is none.
	Document(ctx context.Context, d DomainID) (*Document, error)
	// Declare puts a configuration document and makes the rows agree with it, in one transaction: a domain or repository that is
	// declared exists and is Active, one that is not any more is Detached: kept and not served. Content goes only to the holder
	// and administrator that it belonged to; for anyone else the domain is ErrConflict, and the repository is left out of
	// Declared.Repositories and named in Declared.Conflicts. A document older than the newest (by epoch, then generation) is
	// ErrStale; the same digest again takes the new numbers and changes nothing else. Generation 0 stands for the numbers in force
	// if the document is the same, and the next generation if not. A name with a slash, which no address can have, is ErrInvalid.
	Declare(ctx context.Context, d Declaration) (*Declared, error)
	// Undeclare detaches a domain with its repositories. Numbers are compared as by Declare; generation 0 is the next one.
	Undeclare(ctx context.Context, ref registry.DomainRef, epoch, generation int64) error
	// Remove makes what is Detached Deleting, in one transaction: a repository, or a domain with all its repositories. Its name is
	// free at once, and Collector.Clear takes its rows away. What is not there is no error; what is Active is ErrConflict, and so
	// is content of another holder or administrator.
	Remove(ctx context.Context, r Removal) error

	Revoke(ctx context.Context, r Revocation) error // a change of r.Domain
	Revocations(ctx context.Context, d DomainID) ([]Revocation, error)
}

// Secrets are kept as they are given: sealed.
type Secrets interface {
	Secret(ctx context.Context, name string) (sealed []byte, err error) // nil if there is none
	// KeepSecret stores a secret unless there is one of that name, and returns the one that is there then.
	KeepSecret(ctx context.Context, name string, sealed []byte) (kept []byte, err error)
	// ReplaceSecrets makes the secrets whose names begin with prefix these and no others, in one transaction. Names in sealed have
	// the prefix.
	ReplaceSecrets(ctx context.Context, prefix string, sealed map[string][]byte) error
}

// Removal names what is to be deleted for good.
type Removal struct {
	Domain     registry.DomainRef
	Repository string // "": the domain with all its repositories
	Holder     string // of the domain, or the repository's administrator
}

// State of a domain or repository row.
type State string

// The states.
const (
	Active   State = "Active"
	Detached State = "Detached" // content is kept and not served
	Deleting State = "Deleting" // rows are on their way out, and the name is another's to take
)

// Domain is a domain row.
type Domain struct {
	ID         DomainID
	UID        string
	Ref        registry.DomainRef
	Holder     string
	State      State
	Change     int64
	Epoch      int64 // with Generation: of the configuration in force
	Generation int64
	CreatedAt  time.Time
}

// Repository is a repository row.
type Repository struct {
	ID            RepositoryID
	Domain        DomainID
	UID           string
	Name          string
	Administrator string
	State         State
	CreatedAt     time.Time
}

// Document is a stored configuration document.
type Document struct {
	Epoch, Generation int64
	Schema            int
	Digest            string // hex SHA-256 of Body
	Body              []byte
	PutAt             time.Time
}

// Declaration is a configuration document with the rows that it needs. A zero Ref is the registry document.
type Declaration struct {
	Ref               registry.DomainRef
	Holder            string // UID of the namespace that declares the domain
	Epoch, Generation int64
	Schema            int
	Body              []byte
	Repositories      []DeclaredRepository
}

// DeclaredRepository names a repository and the namespace UID that administers it.
type DeclaredRepository struct{ Name, Administrator string }

// Declared is the result of a declaration.
type Declared struct {
	Domain       Domain
	Repositories []Repository
	Conflicts    []string
	Changed      bool
}

// Revocation ends tokens: all of a kind and value that were issued before a time.
type Revocation struct {
	Domain       DomainID
	Kind         string // "token", "principal", "source", "domain"
	Value        string
	IssuedBefore time.Time
	ExpiresAt    time.Time // when no such token can be alive any more
}

// Collector removes rows that are Deleting, and finds bytes that nothing refers to. Foreign keys decide every race against
// publishing; times only save uploads.
type Collector interface {
	// Clear removes rows of what is Deleting, in transactions of a bounded number of rows, and the repositories and domains
	// themselves once nothing refers to them, which for a domain's blobs and documents is after Sweep. It returns how many package
	// versions it removed, and goes on where one that failed has stopped.
	Clear(ctx context.Context) (versions int, err error)
	// Condemn marks blobs that nothing refers to and that were last touched before the time, and takes the mark from those that
	// are referred to again.
	Condemn(ctx context.Context, touchedBefore time.Time) (int, error)
	// Sweep moves rows condemned before the time, and still unreferred, to the trash, and removes unreferred documents.
	Sweep(ctx context.Context, condemnedBefore time.Time) (int, error)
	// Trash lists objects to delete from the store; Forget removes them from the list once deleted.
	Trash(ctx context.Context, limit int) ([]string, error)
	Forget(ctx context.Context, objects []string) error
	// Discard puts objects that no row names into the trash: those among objects that have no blob row.
	Discard(ctx context.Context, objects []string) (int, error)
	// TrimChanges removes change rows, revocations, leases and intents that ended before the time.
	TrimChanges(ctx context.Context, before time.Time) error
}

// Feed tells what changed.
type Feed interface {
	// Barrier returns when every change that was committed before the call, in domain d and in the registry's row 0, has been
	// given to this process's followers. It allocates nothing when nothing changed. ErrUnavailable if the store cannot say.
	Barrier(ctx context.Context, d DomainID) error
	// Follow registers fn. It is called with changes in commit order, one call at a time, before Barrier or Update return; it must
	// be quick and must not call the store. A nil slice means: changes were lost, drop every cache of the domain.
	Follow(fn func(d DomainID, changes []Change))
}

// ChangeKind says what changed.
type ChangeKind string

// The kinds of change.
const (
	PackageChanged  ChangeKind = "package"  // Repository, Package
	UpstreamChanged ChangeKind = "upstream" // Connection, Key
	ConfigChanged   ChangeKind = "config"
	TokensRevoked   ChangeKind = "revocation"
)

// Change is a row of the change table.
type Change struct {
	Number          int64
	Kind            ChangeKind
	Repository      RepositoryID
	Package         registry.PackageID
	Connection, Key string
	Event           []byte
	At              time.Time
}

// Leases are fenced locks in the store's time.
type Leases interface {
	// Acquire takes the lease or returns ErrHeld.
	Acquire(ctx context.Context, name string, ttl time.Duration) (Lease, error)
	Release(ctx context.Context, l Lease) error
}

// Lease is a held lock. Token grows with each holder and fences late commits.
type Lease struct {
	Name      string
	Token     int64
	ExpiresAt time.Time
}

// Intents are changes of what is declared that wait for whoever makes them. Their time is the store's, and they do not outlive it. An
// intent is pending, then taken, then answered; EndIntent and TakeIntents decide between them whether it is ever made.
type Intents interface {
	// AddIntent adds a pending one that ends after ttl. ErrAlreadyExists if there is one of that id.
	AddIntent(ctx context.Context, id string, request []byte, ttl time.Duration) error
	// TakeIntents returns the oldest of those that have no answer yet and that holding does not name, at most limit, as they were, and
	// makes them taken. What was taken before is among them: whoever took it may be gone.
	TakeIntents(ctx context.Context, holding []string, limit int) ([]Intent, error)
	// AnswerIntent gives one its result, unless it has one. ErrNotFound if it has ended.
	AnswerIntent(ctx context.Context, id string, result []byte) error
	// Intent reads one; nil if there is none.
	Intent(ctx context.Context, id string) (*Intent, error)
	// EndIntent removes one and returns what it was, nil if there was none. One that was pending is never taken any more.
	EndIntent(ctx context.Context, id string) (*Intent, error)
}

// IntentState is how far an intent is.
type IntentState string

// The states of intents.
const (
	IntentPending  IntentState = "Pending"
	IntentTaken    IntentState = "Taken" // it may have been made
	IntentAnswered IntentState = "Answered"
)

// Intent is an intent row.
type Intent struct {
	ID      string
	Request []byte
	State   IntentState
	Result  []byte        // of one that is answered
	Left    time.Duration // until it ends
}
