package service

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
	"packhouse.dev/packhouse/registry/repository"
	"packhouse.dev/packhouse/registry/service/model"
)

// refs reads the versions of a list, with the revisions that they must have. revisions, if there are any, are of these very versions.
func (c *call) refs(id registry.PackageID, versions []string, revisions map[string]string) ([]repository.VersionRef, error) {
	if len(versions) == 0 {
		return nil, validation(reasonField, "versions must not be empty.")
	}
	if len(revisions) > 0 {
		given := slices.Compact(slices.Sorted(slices.Values(versions)))
		if !slices.Equal(given, slices.Sorted(maps.Keys(revisions))) {
			return nil, validation(reasonField, "versionRevisions must be about the same versions as versions.")
		}
	}
	var out []repository.VersionRef
	seen := map[string]bool{}
	for _, v := range versions {
		if seen[v] {
			continue
		}
		seen[v] = true
		key, err := c.names(id.Format).Version(v)
		if err != nil {
			return nil, err
		}
		out = append(out, repository.VersionRef{Given: v, Key: key, Revision: revisions[v]})
	}
	return out, nil
}

// results turns a report into the two maps of the model.
func results(r *repository.Report) (done map[string]model.SuccessfulPackageVersionInfo, failed map[string]model.PackageVersionError) {
	done, failed = map[string]model.SuccessfulPackageVersionInfo{}, map[string]model.PackageVersionError{}
	for v, d := range r.Done {
		done[v] = model.SuccessfulPackageVersionInfo{Revision: d.Revision, Status: string(d.Status)}
	}
	for v, f := range r.Failed {
		failed[v] = model.PackageVersionError{ErrorCode: string(f.Code), ErrorMessage: f.Text}
	}
	return done, failed
}

// statusChange is what three operations have in common.
type statusChange struct {
	owner, domain, repository, format, namespace, name string
	versions                                           []string
	revisions                                          map[string]string
	expected                                           string
	target                                             registry.Status
}

func (c *call) change(ctx context.Context, q statusChange) (*repository.Report, error) {
	id, err := c.packageID(q.format, q.namespace, q.name)
	if err != nil {
		return nil, err
	}
	refs, err := c.refs(id, q.versions, q.revisions)
	if err != nil {
		return nil, err
	}
	_, h, err := c.holding(ctx, q.owner, q.domain, q.repository)
	if err != nil {
		return nil, err
	}
	return h.Change(ctx, id, repository.VersionChange{Versions: refs, Expected: registry.Status(q.expected), Target: q.target})
}

func (c *call) deletePackageVersions(ctx context.Context, in *model.DeletePackageVersionsRequest) (*model.DeletePackageVersionsResult, error) {
	r, err := c.change(ctx, statusChange{
		in.DomainOwner, in.Domain, in.Repository, in.Format, in.Namespace, in.Package, in.Versions, nil, in.ExpectedStatus, repository.Deleted,
	})
	if err != nil {
		return nil, err
	}
	out := &model.DeletePackageVersionsResult{}
	out.SuccessfulVersions, out.FailedVersions = results(r)
	return out, nil
}

func (c *call) disposePackageVersions(ctx context.Context, in *model.DisposePackageVersionsRequest) (*model.DisposePackageVersionsResult, error) {
	r, err := c.change(ctx, statusChange{
		in.DomainOwner, in.Domain, in.Repository, in.Format, in.Namespace, in.Package, in.Versions, in.VersionRevisions, in.ExpectedStatus, registry.Disposed,
	})
	if err != nil {
		return nil, err
	}
	out := &model.DisposePackageVersionsResult{}
	out.SuccessfulVersions, out.FailedVersions = results(r)
	return out, nil
}

func (c *call) updatePackageVersionsStatus(ctx context.Context, in *model.UpdatePackageVersionsStatusRequest) (*model.UpdatePackageVersionsStatusResult, error) {
	target := registry.Status(in.TargetStatus)
	switch target {
	case registry.Published, registry.Unlisted, registry.Archived:
	default:
		return nil, validation(reasonField, "targetStatus must be Published, Unlisted or Archived; versions are disposed of with DisposePackageVersions.")
	}
	r, err := c.change(ctx, statusChange{
		in.DomainOwner, in.Domain, in.Repository, in.Format, in.Namespace, in.Package, in.Versions, in.VersionRevisions, in.ExpectedStatus, target,
	})
	if err != nil {
		return nil, err
	}
	out := &model.UpdatePackageVersionsStatusResult{}
	out.SuccessfulVersions, out.FailedVersions = results(r)
	return out, nil
}

// copyPackageVersions takes either versions or versionRevisions.
func (c *call) copyPackageVersions(ctx context.Context, in *model.CopyPackageVersionsRequest) (*model.CopyPackageVersionsResult, error) {
	id, err := c.packageID(in.Format, in.Namespace, in.Package)
	if err != nil {
		return nil, err
	}
	versions := in.Versions
	if (len(versions) > 0) == (len(in.VersionRevisions) > 0) {
		return nil, validation(reasonField, "Give either versions or versionRevisions.")
	}
	if len(versions) == 0 {
		versions = slices.Sorted(maps.Keys(in.VersionRevisions))
	}
	refs, err := c.refs(id, versions, in.VersionRevisions)
	if err != nil {
		return nil, err
	}
	d, to, err := c.holding(ctx, in.DomainOwner, in.Domain, in.DestinationRepository)
	if err != nil {
		return nil, err
	}
	r, err := to.Copy(ctx, d.Holding(in.SourceRepository, &c.caller), repository.CopyRequest{
		Package: id, Versions: refs, Overwrite: in.AllowOverwrite, FromUpstream: in.IncludeFromUpstream,
	})
	if err != nil {
		return nil, err
	}
	out := &model.CopyPackageVersionsResult{}
	out.SuccessfulVersions, out.FailedVersions = results(r)
	return out, nil
}

// publishPackageVersion adds an asset to a version, and finishes it unless the request says that more will come.
func (c *call) publishPackageVersion(ctx context.Context, in *model.PublishPackageVersionRequest) (*model.PublishPackageVersionResult, error) {
	if f, ok := c.api.door.Format(registry.Format(in.Format)); ok && !f.Traits().PublishesByAPI {
		return nil, validation(reasonField, "Packages of the format "+in.Format+" are read from what their own clients upload; this operation does not publish them.")
	}
	id, err := c.versionID(in.Format, in.Namespace, in.Package, in.PackageVersion)
	if err != nil {
		return nil, err
	}
	asset, err := c.names(id.Package.Format).Asset(in.AssetName)
	if err != nil {
		return nil, err
	}
	d, _, err := c.holding(ctx, in.DomainOwner, in.Domain, in.Repository)
	if err != nil {
		return nil, err
	}
	view, err := d.Open(ctx, repository.Request{
		Repository: in.Repository, Format: id.Package.Format, Principal: c.caller.Principal, Groups: c.caller.Groups, Context: c.caller.Context,
	})
	if err != nil {
		return nil, err
	}
	staged, err := view.Stage(ctx, id.Package, in.AssetContent)
	if err != nil {
		return nil, err
	}
	defer staged.Close()
	if got := staged.Digests().SHA256; got != in.AssetSHA256 {
		return nil, validation(reasonField, fmt.Sprintf("The SHA-256 of the asset is %s, not %s as the request says.", got, in.AssetSHA256))
	}
	status := registry.Published
	if in.Unfinished {
		status = registry.Unfinished
	}
	if _, err := view.Publish(ctx, format.Publication{
		ID: id, Display: id.Package.Name, VersionDisplay: in.PackageVersion, Status: status,
		Assets: []format.NewAsset{{Name: asset, Staged: staged, Want: registry.Digests{SHA256: in.AssetSHA256}}},
	}); err != nil {
		return nil, err
	}
	return c.published(ctx, view, id, asset)
}

// published shows a version as it is now: others may add to it at the same time.
func (c *call) published(ctx context.Context, view *repository.View, id registry.VersionID, asset string) (*model.PublishPackageVersionResult, error) {
	own, err := view.Own(ctx, id.Package)
	if err != nil {
		return nil, err
	}
	if own != nil {
		for _, v := range own.Versions {
			if a := v.Asset(asset); v.ID == id && a != nil {
				s := assetSummary(*a)
				return &model.PublishPackageVersionResult{
					Format: string(id.Package.Format), Namespace: id.Package.Namespace, Package: id.Package.Name, Version: shown(v), VersionRevision: v.Revision,
					Status: string(v.Status), Asset: &s,
				}, nil
			}
		}
	}
	return nil, fmt.Errorf("version %s was deleted while it was published: %w", id, registry.ErrConflict)
}
