package service

import (
	"cmp"
	"context"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
	"packhouse.dev/packhouse/registry/repository"
	"packhouse.dev/packhouse/registry/service/model"
)

// versionID reads the version of a request as its format has it.
func (c *call) versionID(format, namespace, name, version string) (registry.VersionID, error) {
	id, err := c.packageID(format, namespace, name)
	if err != nil {
		return registry.VersionID{}, err
	}
	key, err := c.names(id.Format).Version(version)
	return registry.VersionID{Package: id, Version: key}, err
}

// names of a format that packageID has found.
func (c *call) names(f registry.Format) format.Names {
	known, _ := c.api.door.Format(f)
	return known.Names()
}

// shown is how a version is written.
func shown(v *registry.Version) string { return cmp.Or(v.Display, v.ID.Version) }

func originOf(o registry.Origin) *model.PackageVersionOrigin {
	out := &model.PackageVersionOrigin{OriginType: string(o.Type), DomainEntryPoint: &model.DomainEntryPoint{}}
	if o.Type == registry.External {
		out.DomainEntryPoint.ExternalConnectionName = o.Entry
	} else {
		out.DomainEntryPoint.RepositoryName = o.Entry
	}
	return out
}

// listPackageVersions lists the versions of all statuses, the highest or the latest first.
func (c *call) listPackageVersions(ctx context.Context, in *model.ListPackageVersionsRequest) (*model.ListPackageVersionsResult, error) {
	id, err := c.packageID(in.Format, in.Namespace, in.Package)
	if err != nil {
		return nil, err
	}
	_, h, err := c.holding(ctx, in.DomainOwner, in.Domain, in.Repository)
	if err != nil {
		return nil, err
	}
	p, all, err := h.Heads(ctx, id)
	if err != nil {
		return nil, err
	}
	order := byVersion(c.names(id.Format))
	if in.SortBy != "" {
		order = byArrival(order)
	}
	slices.SortStableFunc(all, order)
	list := slices.DeleteFunc(slices.Clone(all), func(v *registry.Version) bool {
		return in.Status != "" && string(v.Status) != in.Status || in.OriginType != "" && string(v.Origin.Type) != in.OriginType
	})
	bound := c.query(in.Domain, in.Repository, id.String(), in.Status, in.SortBy, in.OriginType)
	if in.NextToken != "" {
		var after place
		if err := c.api.pages.read(in.NextToken, bound, &after); err != nil {
			return nil, err
		}
		list = list[behind(list, after.version(), order):]
	}
	out := &model.ListPackageVersionsResult{
		DefaultDisplayVersion: defaultVersion(p, all), Format: in.Format, Namespace: id.Namespace, Package: id.Name, Versions: []model.PackageVersionSummary{},
	}
	if size := int(cmp.Or(in.MaxResults, defaultPage)); len(list) > size {
		list = list[:size]
		if out.NextToken, err = c.api.pages.next(bound, placeOf(list[size-1])); err != nil {
			return nil, err
		}
	}
	for _, v := range list {
		out.Versions = append(out.Versions, model.PackageVersionSummary{Version: shown(v), Revision: v.Revision, Status: string(v.Status), Origin: originOf(v.Origin)})
	}
	return out, nil
}

// place is what of a version decides where it stands in a list.
type place struct {
	Version string
	Arrived int64 // microseconds
}

func placeOf(v *registry.Version) place { return place{v.ID.Version, v.ArrivedAt.UnixMicro()} }

func (p place) version() *registry.Version {
	return &registry.Version{ID: registry.VersionID{Version: p.Version}, ArrivedAt: time.UnixMicro(p.Arrived)}
}

type less = func(a, b *registry.Version) int

func byVersion(names format.Names) less {
	return func(a, b *registry.Version) int {
		return cmp.Or(names.Compare(b.ID.Version, a.ID.Version), strings.Compare(b.ID.Version, a.ID.Version))
	}
}

func byArrival(otherwise less) less {
	return func(a, b *registry.Version) int { return cmp.Or(b.ArrivedAt.Compare(a.ArrivedAt), otherwise(a, b)) }
}

// behind is the index of the first version behind another one, which need not be there any more.
func behind(list []*registry.Version, after *registry.Version, order less) int {
	at, found := slices.BinarySearchFunc(list, after, order)
	if found {
		at++
	}
	return at
}

// defaultVersion is the version of the tag latest, or the one published last (user guide, "Default display version").
func defaultVersion(p *repository.HeldPackage, list []*registry.Version) string {
	if latest, ok := p.Tags["latest"]; ok {
		for _, v := range list {
			if v.ID.Version == latest {
				return shown(v)
			}
		}
	}
	var last *registry.Version
	for _, v := range list {
		if v.Status == registry.Published && (last == nil || v.ArrivedAt.After(last.ArrivedAt)) {
			last = v
		}
	}
	if last == nil {
		return ""
	}
	return shown(last)
}

// described is a version with what its format says of it.
type described struct {
	d       *repository.Domain
	version *registry.Version
	format.Description
}

// version reads one version for the operation's own action.
func (c *call) version(ctx context.Context, owner, domain, repo, formatName, namespace, name, version string) (*described, error) {
	id, err := c.versionID(formatName, namespace, name, version)
	if err != nil {
		return nil, err
	}
	d, h, err := c.holding(ctx, owner, domain, repo)
	if err != nil {
		return nil, err
	}
	v, err := h.Version(ctx, c.action(), id)
	if err != nil {
		return nil, err
	}
	out := &described{d: d, version: v}
	known, _ := c.api.door.Format(id.Package.Format)
	if describer, ok := known.(format.Describer); ok {
		if out.Description, err = describer.Describe(v); err != nil {
			// What a package says of itself is its author's; a version that cannot be described is one all the same.
			c.api.log.WarnContext(ctx, "version cannot be described", "version", v.ID.String(), "error", err)
			out.Description = format.Description{}
		}
	}
	return out, nil
}

// maxDetail is the size up to which one detail of a version is told, in bytes (user guide, "View package version details": 400 KB).
const maxDetail = 400 << 10

func detail(text string) string {
	if len(text) > maxDetail {
		return ""
	}
	return text
}

func (c *call) describePackageVersion(ctx context.Context, in *model.DescribePackageVersionRequest) (*model.DescribePackageVersionResult, error) {
	v, err := c.version(ctx, in.DomainOwner, in.Domain, in.Repository, in.Format, in.Namespace, in.Package, in.PackageVersion)
	if err != nil {
		return nil, err
	}
	id := v.version.ID.Package
	out := &model.PackageVersionDescription{
		Format: in.Format, Namespace: id.Namespace, PackageName: id.Name, DisplayName: cmp.Or(v.DisplayName, id.Name), Version: shown(v.version),
		Summary: detail(v.Summary), HomePage: detail(v.HomePage), SourceCodeRepository: detail(v.SourceCodeRepository),
		PublishedTime: model.Time{Time: v.version.ArrivedAt}, Licenses: []model.LicenseInfo{},
		Revision: v.version.Revision, Status: string(v.version.Status), Origin: originOf(v.version.Origin),
	}
	for _, l := range v.Licenses {
		if l = (format.License{Name: detail(l.Name), URL: detail(l.URL)}); l != (format.License{}) {
			out.Licenses = append(out.Licenses, model.LicenseInfo{Name: l.Name, Url: l.URL})
		}
	}
	return &model.DescribePackageVersionResult{PackageVersion: out}, nil
}

func (c *call) getPackageVersionReadme(ctx context.Context, in *model.GetPackageVersionReadmeRequest) (*model.GetPackageVersionReadmeResult, error) {
	v, err := c.version(ctx, in.DomainOwner, in.Domain, in.Repository, in.Format, in.Namespace, in.Package, in.PackageVersion)
	if err != nil {
		return nil, err
	}
	id := v.version.ID.Package
	if v.Readme == "" {
		return nil, &repository.MissingError{
			What: repository.MissingAsset, Name: in.PackageVersion, Text: "Readme not found: version " + in.PackageVersion + " of " + id.String() + " has no readme",
		}
	}
	return &model.GetPackageVersionReadmeResult{
		Format: in.Format, Namespace: id.Namespace, Package: id.Name, Version: shown(v.version), VersionRevision: v.version.Revision, Readme: v.Readme,
	}, nil
}

// dependenciesPage is larger than what most versions have; the model has no size for it.
const dependenciesPage = 1000

func (c *call) listPackageVersionDependencies(ctx context.Context, in *model.ListPackageVersionDependenciesRequest) (*model.ListPackageVersionDependenciesResult, error) {
	v, err := c.version(ctx, in.DomainOwner, in.Domain, in.Repository, in.Format, in.Namespace, in.Package, in.PackageVersion)
	if err != nil {
		return nil, err
	}
	id := v.version.ID
	// The document of a version never changes, so a number is a place.
	type numbered struct {
		at int
		format.Dependency
	}
	list := make([]numbered, len(v.Dependencies))
	for i, dep := range v.Dependencies {
		list[i] = numbered{i, dep}
	}
	key := func(n numbered) []string { return []string{padded(n.at)} }
	bound := c.query(in.Domain, in.Repository, id.String(), v.version.Revision)
	p, err := paged(c, list, key, in.NextToken, dependenciesPage, bound)
	if err != nil {
		return nil, err
	}
	out := &model.ListPackageVersionDependenciesResult{
		Format: in.Format, Namespace: id.Package.Namespace, Package: id.Package.Name, Version: shown(v.version), VersionRevision: v.version.Revision,
		Dependencies: []model.PackageDependency{}, NextToken: p.next,
	}
	for _, dep := range p.items {
		out.Dependencies = append(out.Dependencies, model.PackageDependency{
			Namespace: dep.Namespace, Package: dep.Package, DependencyType: dep.Type, VersionRequirement: dep.Requirement,
		})
	}
	return out, nil
}

// padded orders numbers as texts.
func padded(n int) string {
	s := strconv.Itoa(n)
	return strings.Repeat("0", max(0, 9-len(s))) + s
}

func (c *call) listPackageVersionAssets(ctx context.Context, in *model.ListPackageVersionAssetsRequest) (*model.ListPackageVersionAssetsResult, error) {
	v, err := c.version(ctx, in.DomainOwner, in.Domain, in.Repository, in.Format, in.Namespace, in.Package, in.PackageVersion)
	if err != nil {
		return nil, err
	}
	id := v.version.ID
	list := slices.DeleteFunc(slices.Clone(v.version.Assets), func(a registry.Asset) bool { return !a.Listed })
	key := func(a registry.Asset) []string { return []string{a.Name} }
	slices.SortFunc(list, func(a, b registry.Asset) int { return strings.Compare(a.Name, b.Name) })
	p, err := paged(c, list, key, in.NextToken, in.MaxResults, c.query(in.Domain, in.Repository, id.String()))
	if err != nil {
		return nil, err
	}
	out := &model.ListPackageVersionAssetsResult{
		Format: in.Format, Namespace: id.Package.Namespace, Package: id.Package.Name, Version: shown(v.version), VersionRevision: v.version.Revision,
		Assets: []model.AssetSummary{}, NextToken: p.next,
	}
	for _, a := range p.items {
		out.Assets = append(out.Assets, assetSummary(a))
	}
	return out, nil
}

// assetSummary leaves out what is not known of a file that has not been fetched.
func assetSummary(a registry.Asset) model.AssetSummary {
	out := model.AssetSummary{Name: a.Name, Hashes: map[string]string{}}
	if a.Size >= 0 {
		out.Size = &a.Size
	}
	for _, h := range []struct{ name, value string }{
		{"MD5", a.Digests.MD5}, {"SHA-1", a.Digests.SHA1}, {"SHA-256", a.Digests.SHA256}, {"SHA-512", a.Digests.SHA512},
	} {
		if h.value != "" {
			out.Hashes[h.name] = h.value
		}
	}
	return out
}

func (c *call) getPackageVersionAsset(ctx context.Context, in *model.GetPackageVersionAssetRequest) (*model.GetPackageVersionAssetResult, error) {
	id, err := c.versionID(in.Format, in.Namespace, in.Package, in.PackageVersion)
	if err != nil {
		return nil, err
	}
	_, h, err := c.holding(ctx, in.DomainOwner, in.Domain, in.Repository)
	if err != nil {
		return nil, err
	}
	a, err := h.Asset(ctx, id, in.Asset, in.PackageVersionRevision)
	if err != nil {
		return nil, err
	}
	return &model.GetPackageVersionAssetResult{
		Asset: sized{a.Body, a.Size}, AssetName: a.Name, PackageVersion: shown(a.Version), PackageVersionRevision: a.Version.Revision,
	}, nil
}

// sized is a body whose length is known, or -1.
type sized struct {
	io.ReadCloser
	length int64
}

// Length is for Content-Length.
func (s sized) Length() int64 { return s.length }
