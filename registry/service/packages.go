package service

import (
	"context"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/repository"
	"packhouse.dev/packhouse/registry/service/model"
)

// packageID reads the package of a request as its format has it (readings 2.10).
func (c *call) packageID(format, namespace, name string) (registry.PackageID, error) {
	return c.api.door.PackageID(registry.Format(format), namespace, name)
}

// listPackages pages through what the repository itself holds. The namespace is a prefix, and needs a format (user guide, "Supported
// search option combinations").
func (c *call) listPackages(ctx context.Context, in *model.ListPackagesRequest) (*model.ListPackagesResult, error) {
	if in.Namespace != "" && in.Format == "" {
		return nil, validation(reasonField, "namespace can be given together with format only.")
	}
	d, h, err := c.holding(ctx, in.DomainOwner, in.Domain, in.Repository)
	if err != nil {
		return nil, err
	}
	q := repository.PackageQuery{
		Format: registry.Format(in.Format), NamespacePrefix: in.Namespace, NamePrefix: in.PackagePrefix,
		Publish: registry.Restriction(in.Publish), Upstream: registry.Restriction(in.Upstream), Limit: packagesPage,
	}
	if in.MaxResults > 0 {
		q.Limit = int(in.MaxResults)
	}
	bound := c.query(d.Ref().Name, in.Repository, in.Format, in.Namespace, in.PackagePrefix, in.Publish, in.Upstream)
	if in.NextToken != "" {
		q.After = &registry.PackageID{}
		if err := c.api.pages.read(in.NextToken, bound, q.After); err != nil {
			return nil, err
		}
	}
	list, more, err := h.Packages(ctx, q)
	if err != nil {
		return nil, err
	}
	out := &model.ListPackagesResult{Packages: []model.PackageSummary{}}
	for _, p := range list {
		out.Packages = append(out.Packages, summaryOf(&p))
	}
	if more {
		out.NextToken, err = c.api.pages.next(bound, list[len(list)-1].ID)
	}
	return out, err
}

func summaryOf(p *repository.HeldPackage) model.PackageSummary {
	return model.PackageSummary{
		Format: string(p.ID.Format), Namespace: p.ID.Namespace, Package: p.ID.Name, OriginConfiguration: originConfiguration(p.Controls),
	}
}

func originConfiguration(c registry.OriginControls) *model.PackageOriginConfiguration {
	return &model.PackageOriginConfiguration{Restrictions: &model.PackageOriginRestrictions{Publish: string(c.Publish), Upstream: string(c.Upstream)}}
}

func (c *call) describePackage(ctx context.Context, in *model.DescribePackageRequest) (*model.DescribePackageResult, error) {
	id, err := c.packageID(in.Format, in.Namespace, in.Package)
	if err != nil {
		return nil, err
	}
	_, h, err := c.holding(ctx, in.DomainOwner, in.Domain, in.Repository)
	if err != nil {
		return nil, err
	}
	p, err := h.Package(ctx, id)
	if err != nil {
		return nil, err
	}
	return &model.DescribePackageResult{Package: &model.PackageDescription{
		Format: in.Format, Namespace: id.Namespace, Name: id.Name, OriginConfiguration: originConfiguration(p.Controls),
	}}, nil
}

func (c *call) deletePackage(ctx context.Context, in *model.DeletePackageRequest) (*model.DeletePackageResult, error) {
	id, err := c.packageID(in.Format, in.Namespace, in.Package)
	if err != nil {
		return nil, err
	}
	_, h, err := c.holding(ctx, in.DomainOwner, in.Domain, in.Repository)
	if err != nil {
		return nil, err
	}
	p, err := h.DeletePackage(ctx, id)
	if err != nil {
		return nil, err
	}
	was := summaryOf(p)
	return &model.DeletePackageResult{DeletedPackage: &was}, nil
}

func (c *call) putPackageOriginConfiguration(ctx context.Context, in *model.PutPackageOriginConfigurationRequest) (*model.PutPackageOriginConfigurationResult, error) {
	id, err := c.packageID(in.Format, in.Namespace, in.Package)
	if err != nil {
		return nil, err
	}
	_, h, err := c.holding(ctx, in.DomainOwner, in.Domain, in.Repository)
	if err != nil {
		return nil, err
	}
	p, err := h.PutControls(ctx, id, registry.OriginControls{
		Publish: registry.Restriction(in.Restrictions.Publish), Upstream: registry.Restriction(in.Restrictions.Upstream),
	})
	if err != nil {
		return nil, err
	}
	return &model.PutPackageOriginConfigurationResult{OriginConfiguration: originConfiguration(p.Controls)}, nil
}
