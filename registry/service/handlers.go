package service

import (
	"context"
	"fmt"
)

// handler answers one operation. in is a pointer to its request.
type handler func(ctx context.Context, c *call, in any) (any, error)

// on makes a handler of a method with the operation's own types.
func on[In, Out any](f func(*call, context.Context, *In) (*Out, error)) handler {
	return func(ctx context.Context, c *call, in any) (any, error) {
		request, ok := in.(*In)
		if !ok {
			return nil, fmt.Errorf("service: operation %s is bound to a handler of %T", c.op.Name, request)
		}
		out, err := f(c, ctx, request)
		if err != nil {
			return nil, err // not a nil *Out in an interface
		}
		return out, nil
	}
}

// handlers are all operations by name.
func handlers() map[string]handler {
	return map[string]handler{
		"AssociateExternalConnection":           on((*call).associateExternalConnection),
		"CopyPackageVersions":                   on((*call).copyPackageVersions),
		"CreateDomain":                          on((*call).createDomain),
		"CreatePackageGroup":                    on((*call).createPackageGroup),
		"CreateRepository":                      on((*call).createRepository),
		"DeleteDomain":                          on((*call).deleteDomain),
		"DeleteDomainPermissionsPolicy":         on((*call).deleteDomainPolicy),
		"DeletePackage":                         on((*call).deletePackage),
		"DeletePackageGroup":                    on((*call).deletePackageGroup),
		"DeletePackageVersions":                 on((*call).deletePackageVersions),
		"DeleteRepository":                      on((*call).deleteRepository),
		"DeleteRepositoryPermissionsPolicy":     on((*call).deleteRepositoryPolicy),
		"DescribeDomain":                        on((*call).describeDomain),
		"DescribePackage":                       on((*call).describePackage),
		"DescribePackageGroup":                  on((*call).describePackageGroup),
		"DescribePackageVersion":                on((*call).describePackageVersion),
		"DescribeRepository":                    on((*call).describeRepository),
		"DisassociateExternalConnection":        on((*call).disassociateExternalConnection),
		"DisposePackageVersions":                on((*call).disposePackageVersions),
		"GetAssociatedPackageGroup":             on((*call).getAssociatedPackageGroup),
		"GetAuthorizationToken":                 on((*call).getAuthorizationToken),
		"GetDomainPermissionsPolicy":            on((*call).getDomainPolicy),
		"GetPackageVersionAsset":                on((*call).getPackageVersionAsset),
		"GetPackageVersionReadme":               on((*call).getPackageVersionReadme),
		"GetRepositoryEndpoint":                 on((*call).getRepositoryEndpoint),
		"GetRepositoryPermissionsPolicy":        on((*call).getRepositoryPolicy),
		"ListAllowedRepositoriesForGroup":       on((*call).listAllowedRepositories),
		"ListAssociatedPackages":                on((*call).listAssociatedPackages),
		"ListDomains":                           on((*call).listDomains),
		"ListPackageGroups":                     on((*call).listPackageGroups),
		"ListPackageVersionAssets":              on((*call).listPackageVersionAssets),
		"ListPackageVersionDependencies":        on((*call).listPackageVersionDependencies),
		"ListPackageVersions":                   on((*call).listPackageVersions),
		"ListPackages":                          on((*call).listPackages),
		"ListRepositories":                      on((*call).listRepositories),
		"ListRepositoriesInDomain":              on((*call).listRepositoriesInDomain),
		"ListSubPackageGroups":                  on((*call).listSubPackageGroups),
		"ListTagsForResource":                   on((*call).listTags),
		"PublishPackageVersion":                 on((*call).publishPackageVersion),
		"PutDomainPermissionsPolicy":            on((*call).putDomainPolicy),
		"PutPackageOriginConfiguration":         on((*call).putPackageOriginConfiguration),
		"PutRepositoryPermissionsPolicy":        on((*call).putRepositoryPolicy),
		"TagResource":                           on((*call).tagResource),
		"UntagResource":                         on((*call).untagResource),
		"UpdatePackageGroup":                    on((*call).updatePackageGroup),
		"UpdatePackageGroupOriginConfiguration": on((*call).updatePackageGroupOrigins),
		"UpdatePackageVersionsStatus":           on((*call).updatePackageVersionsStatus),
		"UpdateRepository":                      on((*call).updateRepository),
	}
}
