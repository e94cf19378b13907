package repository

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/access"
	"packhouse.dev/packhouse/registry/format"
	"packhouse.dev/packhouse/registry/metadata"
)

// Holding is a repository as the service API sees it: what it holds itself, of all formats and statuses, without upstreams (user guide,
// "API behavior with upstream repositories"). Every method asks for its own action first, whether what it is about exists or not.
type Holding struct {
	d      *Domain
	rc     *repoConfig // nil: there is no such repository
	name   string
	caller access.Caller
}

// Holding returns a repository by name, which need not exist.
func (d *Domain) Holding(name string, by *access.Caller) *Holding {
	return &Holding{d: d, rc: d.cfg.repos[name], name: name, caller: *by}
}

// onPackage asks for an action on a package, and that the repository exists.
func (h *Holding) onPackage(action string, id registry.PackageID) error {
	if err := h.d.Authorize(h.d.cfg.access.Package(&h.caller, action, h.name, id)); err != nil {
		return err
	}
	return h.exists()
}

func (h *Holding) onRepository(action string) error {
	if err := h.d.Authorize(h.d.cfg.access.Repository(&h.caller, action, h.name)); err != nil {
		return err
	}
	return h.exists()
}

func (h *Holding) exists() error {
	if h.rc == nil {
		return h.d.noRepository(h.name)
	}
	return nil
}

// HeldPackage is a package that a repository holds. Controls are the package's own that are in force.
type HeldPackage struct {
	ID       registry.PackageID
	Controls registry.OriginControls
	Tags     map[string]string
}

func (rc *repoConfig) heldPackage(row *metadata.Package) HeldPackage {
	return HeldPackage{ID: row.ID, Controls: rc.override(row.ID).effective(row), Tags: row.Tags}
}

// PackageQuery selects packages of a holding. Zero fields select all.
type PackageQuery struct {
	Format            registry.Format
	NamespacePrefix   string
	NamePrefix        string
	Publish, Upstream registry.Restriction
	After             *registry.PackageID // begin behind this one
	Limit             int
}

// Packages lists packages in order of format, namespace and name. more says that there are further ones behind the last.
func (h *Holding) Packages(ctx context.Context, q PackageQuery) (list []HeldPackage, more bool, err error) {
	if err := h.onRepository("codeartifact:ListPackages"); err != nil {
		return nil, false, err
	}
	for _, f := range slices.Sorted(maps.Keys(h.d.s.formats)) {
		if q.Format != "" && f != q.Format || q.After != nil && f < q.After.Format {
			continue
		}
		lq := metadata.ListQuery{Format: f, NamespacePrefix: q.NamespacePrefix, NamePrefix: q.NamePrefix, Limit: page}
		if q.After != nil && f == q.After.Format {
			lq.After = &metadata.ListCursor{Namespace: q.After.Namespace, Name: q.After.Name, Repository: h.rc.row.ID}
		}
		for {
			rows, next, err := h.d.s.store.List(ctx, []metadata.RepositoryID{h.rc.row.ID}, lq)
			if err != nil {
				return nil, false, err
			}
			for _, row := range rows {
				p := h.rc.heldPackage(row)
				if q.Publish != "" && p.Controls.Publish != q.Publish || q.Upstream != "" && p.Controls.Upstream != q.Upstream {
					continue
				}
				if len(list) == q.Limit {
					return list, true, nil
				}
				list = append(list, p)
			}
			if next == nil {
				break
			}
			lq.After = next
		}
	}
	return list, false, nil
}

// Package returns one package.
func (h *Holding) Package(ctx context.Context, id registry.PackageID) (*HeldPackage, error) {
	if err := h.onPackage("codeartifact:DescribePackage", id); err != nil {
		return nil, err
	}
	row, err := h.row(ctx, id)
	if err != nil {
		return nil, err
	}
	p := h.rc.heldPackage(row)
	return &p, nil
}

func (h *Holding) row(ctx context.Context, id registry.PackageID) (*metadata.Package, error) {
	row, err := h.d.s.held(ctx, h.rc, id)
	if err == nil && row == nil {
		err = h.rc.noPackage(id)
	}
	return row, err
}

// Heads lists all versions of a package without documents and assets, the highest first, and the package.
func (h *Holding) Heads(ctx context.Context, id registry.PackageID) (*HeldPackage, []*registry.Version, error) {
	if err := h.onPackage("codeartifact:ListPackageVersions", id); err != nil {
		return nil, nil, err
	}
	row, err := h.row(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	heads, err := h.d.s.store.Heads(ctx, row.Row)
	if err != nil {
		return nil, nil, err
	}
	out := make([]*registry.Version, len(heads))
	for i, v := range heads {
		out[i] = &v.Version
	}
	names := h.d.s.formats[id.Format].Names()
	slices.SortFunc(out, func(a, b *registry.Version) int {
		return cmp.Or(names.Compare(b.ID.Version, a.ID.Version), strings.Compare(b.ID.Version, a.ID.Version))
	})
	p := h.rc.heldPackage(row)
	return &p, out, nil
}

// Version returns one version with its document and assets, for one of the actions that read it.
func (h *Holding) Version(ctx context.Context, action string, id registry.VersionID) (*registry.Version, error) {
	if err := h.onPackage(action, id.Package); err != nil {
		return nil, err
	}
	v, err := h.version(ctx, id)
	if err != nil {
		return nil, err
	}
	return &v.Version, nil
}

func (h *Holding) version(ctx context.Context, id registry.VersionID) (*metadata.Version, error) {
	row, err := h.row(ctx, id.Package)
	if err != nil {
		return nil, err
	}
	rows, err := h.d.s.store.Versions(ctx, []metadata.PackageRow{row.Row}, []string{id.Version})
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, h.rc.noVersion(id)
	}
	return rows[0], nil
}

// Asset opens a file of a version. A version that is not served is registry.ErrConflict, and so is one of another revision than the
// caller asks for, if it asks for one. The caller closes what it gets.
func (h *Holding) Asset(ctx context.Context, id registry.VersionID, name, revision string) (*format.Asset, error) {
	if err := h.onPackage("codeartifact:GetPackageVersionAsset", id.Package); err != nil {
		return nil, err
	}
	v, err := h.version(ctx, id)
	if err != nil {
		return nil, err
	}
	switch a := v.Asset(name); {
	case revision != "" && revision != v.Revision:
		return nil, &MissingError{MissingVersion, id.Version, fmt.Sprintf("Package version not found: version %s has the revision %s, not %s", id.Version, v.Revision, revision)}
	case !v.Status.Served():
		return nil, fmt.Errorf("%w: version %s is %s; its assets cannot be downloaded", registry.ErrConflict, id.Version, v.Status)
	case a == nil || !a.Listed:
		return nil, &MissingError{MissingAsset, name, fmt.Sprintf("Asset not found: version %s of %s has no asset %s", id.Version, coordinate(id.Package), name)}
	}
	return h.view(id.Package.Format).asset(ctx, id, name, format.Open)
}

// view is the repository as package managers see it, for what has been authorised already.
func (h *Holding) view(f registry.Format) *View {
	known := h.d.s.formats[f]
	return &View{s: h.d.s, snap: h.d.snap, rc: h.rc, format: known, traits: known.Traits(), caller: h.caller}
}
