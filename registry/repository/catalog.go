package repository

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/access"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/metadata"
	"packhouse.dev/packhouse/registry/policy"
)

// Catalog is everything that is declared and served, in the snapshot of one request. It asks nobody for permission: who lists things
// asks for each with Authorize.
type Catalog struct {
	s    *Service
	snap *snapshot

	decisions decisions
}

// Catalog begins a request that is about no single domain, as Enter does for one.
func (s *Service) Catalog(ctx context.Context) (*Catalog, error) {
	if err := s.Ready(ctx); err != nil {
		return nil, err
	}
	return &Catalog{s: s, snap: s.current.Load()}, nil
}

// Domains lists the domains in order of name and owner.
func (c *Catalog) Domains() []*Domain {
	var out []*Domain
	for _, d := range c.snap.domains {
		out = append(out, &Domain{s: c.s, snap: c.snap, cfg: d})
	}
	slices.SortFunc(out, func(a, b *Domain) int {
		return cmp.Or(strings.Compare(a.Ref().Name, b.Ref().Name), strings.Compare(a.Ref().Owner, b.Ref().Owner))
	})
	return out
}

// Names makes the ARNs of the registry.
func (c *Catalog) Names() policy.Names { return c.snap.access.Names() }

// Account begins a request on the account of the caller; see access.Registry.
func (c *Catalog) Account(by *access.Caller, action, resource string) policy.Request {
	return c.snap.access.Account(by, action, resource)
}

// Authorize asks for an action on an account. A denial is a DeniedError.
func (c *Catalog) Authorize(q policy.Request) error { return c.decisions.authorize(q) }

// Names makes the ARNs of the registry.
func (d *Domain) Names() policy.Names { return d.snap.access.Names() }

// Declared is the domain as it is declared. It is shared and must not be changed.
func (d *Domain) Declared() *config.Domain { return d.cfg.doc }

// CreatedAt is when the domain came to be.
func (d *Domain) CreatedAt() time.Time { return d.cfg.row.CreatedAt }

// Usage returns how many bytes the assets of the domain take.
func (d *Domain) Usage(ctx context.Context) (int64, error) { return d.s.store.Usage(ctx, d.cfg.row.ID) }

// Limits are those in force.
func (d *Domain) Limits() config.Limits { return d.snap.limits }

// DeclaredRepository is a repository that is declared and served.
type DeclaredRepository struct {
	*config.Repository
	ARN       string
	CreatedAt time.Time
}

// Repositories lists the repositories in order of their names.
func (d *Domain) Repositories() []DeclaredRepository {
	var out []DeclaredRepository
	for _, name := range slices.Sorted(maps.Keys(d.cfg.repos)) {
		out = append(out, d.cfg.repos[name].declared())
	}
	return out
}

// Repository returns a repository by name; registry.ErrNotFound if there is none.
func (d *Domain) Repository(name string) (DeclaredRepository, error) {
	rc := d.cfg.repos[name]
	if rc == nil {
		return DeclaredRepository{}, d.noRepository(name)
	}
	return rc.declared(), nil
}

func (rc *repoConfig) declared() DeclaredRepository {
	return DeclaredRepository{Repository: rc.doc, ARN: rc.arn, CreatedAt: rc.row.CreatedAt}
}

// Connection returns an external connection that repositories of the domain use, nil if there is none of that name.
func (d *Domain) Connection(name string) *config.Connection { return d.cfg.conns[name] }

// Missing is what kind of thing there is not, in the words of the service API.
type Missing string

// The kinds of things.
const (
	MissingDomain     Missing = "domain"
	MissingRepository Missing = "repository"
	MissingPackage    Missing = "package"
	MissingVersion    Missing = "package-version"
	MissingAsset      Missing = "asset"
	MissingGroup      Missing = "package-group"
)

// MissingError says what is not there. It unwraps to registry.ErrNotFound.
type MissingError struct {
	What Missing
	Name string // of the thing
	Text string
}

// Error implements error.
func (e *MissingError) Error() string { return e.Text }

// Unwrap makes errors.Is(err, registry.ErrNotFound) true.
func (e *MissingError) Unwrap() error { return registry.ErrNotFound }

func (d *Domain) noRepository(name string) error {
	return &MissingError{MissingRepository, name, fmt.Sprintf("Repository not found: there is no repository %s in domain %s", name, d.cfg.doc.Name)}
}

// coordinate writes a package as the service API has it (user guide, "API behavior with upstream repositories").
func coordinate(id registry.PackageID) string {
	text := "PackageCoordinate{packageType=" + string(id.Format)
	if id.Namespace != "" {
		text += ", packageNamespace=" + id.Namespace
	}
	return text + ", packageName=" + id.Name + "}"
}

func (rc *repoConfig) noPackage(id registry.PackageID) error {
	return &MissingError{MissingPackage, id.Name, fmt.Sprintf("Package not found in repository. RepoId: %s, Package = %s", rc.doc.Name, coordinate(id))}
}

func (rc *repoConfig) noVersion(id registry.VersionID) error {
	return &MissingError{MissingVersion, id.Version,
		fmt.Sprintf("Package version not found in repository. RepoId: %s, Package = %s, Version = %s", rc.doc.Name, coordinate(id.Package), id.Version)}
}

// PackageID reads the name of a package as its format has it. A format that the registry does not have, and a name that no package of
// the format can have, are registry.ErrInvalid.
func (s *Service) PackageID(f registry.Format, namespace, name string) (registry.PackageID, error) {
	known, ok := s.formats[f]
	if !ok {
		return registry.PackageID{}, fmt.Errorf("%w: this registry has no packages of the format %q", registry.ErrInvalid, f)
	}
	return known.Names().Package(namespace, name)
}

// held is the row of a package in a repository itself; nil if there is none.
func (s *Service) held(ctx context.Context, rc *repoConfig, id registry.PackageID) (*metadata.Package, error) {
	rows, err := s.store.Packages(ctx, []metadata.RepositoryID{rc.row.ID}, id)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return rows[0], nil
}

// Revision identifies what is declared of the domain: it changes with every change of that.
func (d *Domain) Revision() string { return d.cfg.digest }
