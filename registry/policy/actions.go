package policy

import "strings"

// ResourceTypes is a set of the types of resources that an action is asked on.
type ResourceTypes uint8

// The types of resources.
const (
	OnDomain ResourceTypes = 1 << iota
	OnRepository
	OnPackage
	OnPackageGroup
	OnNothing ResourceTypes = 0 // policies name "*"
)

// Has says whether t is in the set.
func (s ResourceTypes) Has(t ResourceTypes) bool { return s&t != 0 }

// Actions lists every action of the permissions reference, in order of type and name: the operations of the service model and those
// that are permissions only (Service Authorization Reference, "Actions, resources, and condition keys for AWS CodeArtifact").
func Actions() []string {
	return []string{
		"codeartifact:DeleteDomain", "codeartifact:DeleteDomainPermissionsPolicy", "codeartifact:DescribeDomain",
		"codeartifact:GetAuthorizationToken", "codeartifact:GetDomainPermissionsPolicy", "codeartifact:ListPackageGroups",
		"codeartifact:ListRepositoriesInDomain", "codeartifact:PutDomainPermissionsPolicy",
		"codeartifact:AssociateExternalConnection", "codeartifact:AssociateWithDownstreamRepository", "codeartifact:DeleteRepository",
		"codeartifact:DeleteRepositoryPermissionsPolicy", "codeartifact:DescribeRepository", "codeartifact:DisassociateExternalConnection",
		"codeartifact:GetRepositoryEndpoint", "codeartifact:GetRepositoryPermissionsPolicy", "codeartifact:ListPackages",
		"codeartifact:PutRepositoryPermissionsPolicy", "codeartifact:ReadFromRepository", "codeartifact:UpdateRepository",
		"codeartifact:DeletePackage", "codeartifact:DeletePackageVersions", "codeartifact:DescribePackage", "codeartifact:DescribePackageVersion",
		"codeartifact:DisposePackageVersions", "codeartifact:GetPackageVersionAsset", "codeartifact:GetPackageVersionReadme",
		"codeartifact:ListPackageVersionAssets", "codeartifact:ListPackageVersionDependencies", "codeartifact:ListPackageVersions",
		"codeartifact:PublishPackageVersion", "codeartifact:PutPackageMetadata", "codeartifact:PutPackageOriginConfiguration",
		"codeartifact:UpdatePackageVersionsStatus", "codeartifact:CopyPackageVersions",
		"codeartifact:DeletePackageGroup", "codeartifact:DescribePackageGroup", "codeartifact:GetAssociatedPackageGroup",
		"codeartifact:ListAllowedRepositoriesForGroup", "codeartifact:ListAssociatedPackages", "codeartifact:ListSubPackageGroups",
		"codeartifact:UpdatePackageGroup", "codeartifact:UpdatePackageGroupOriginConfiguration",
		"codeartifact:ListTagsForResource", "codeartifact:TagResource", "codeartifact:UntagResource",
		"codeartifact:CreateDomain", "codeartifact:CreatePackageGroup", "codeartifact:CreateRepository",
		"codeartifact:ListDomains", "codeartifact:ListRepositories",
		bearerAction,
	}
}

// On returns the types of resources that an action is asked on. An action on several (CopyPackageVersions: the package and the
// repository that it comes into) needs permission on each, an action on one of several (TagResource) on that one. known is false for
// what is no action.
func On(action string) (types ResourceTypes, known bool) {
	name, ok := strings.CutPrefix(action, "codeartifact:")
	if !ok {
		return OnNothing, action == bearerAction
	}
	switch name {
	case "DeleteDomain", "DeleteDomainPermissionsPolicy", "DescribeDomain", "GetAuthorizationToken", "GetDomainPermissionsPolicy",
		"ListPackageGroups", "ListRepositoriesInDomain", "PutDomainPermissionsPolicy":
		return OnDomain, true
	case "AssociateExternalConnection", "AssociateWithDownstreamRepository", "DeleteRepository", "DeleteRepositoryPermissionsPolicy",
		"DescribeRepository", "DisassociateExternalConnection", "GetRepositoryEndpoint", "GetRepositoryPermissionsPolicy", "ListPackages",
		"PutRepositoryPermissionsPolicy", "ReadFromRepository", "UpdateRepository":
		return OnRepository, true
	case "DeletePackage", "DeletePackageVersions", "DescribePackage", "DescribePackageVersion", "DisposePackageVersions",
		"GetPackageVersionAsset", "GetPackageVersionReadme", "ListPackageVersionAssets", "ListPackageVersionDependencies",
		"ListPackageVersions", "PublishPackageVersion", "PutPackageMetadata", "PutPackageOriginConfiguration", "UpdatePackageVersionsStatus":
		return OnPackage, true
	case "CopyPackageVersions":
		return OnPackage | OnRepository, true
	case "DeletePackageGroup", "DescribePackageGroup", "GetAssociatedPackageGroup", "ListAllowedRepositoriesForGroup",
		"ListAssociatedPackages", "ListSubPackageGroups", "UpdatePackageGroup", "UpdatePackageGroupOriginConfiguration":
		return OnPackageGroup, true
	case "ListTagsForResource", "TagResource", "UntagResource":
		return OnDomain | OnRepository | OnPackageGroup, true
	case "CreateDomain", "CreatePackageGroup", "CreateRepository", "ListDomains", "ListRepositories":
		return OnNothing, true
	}
	return OnNothing, false
}

// level is how far down the resources of a request reach: which resource policies bear on it.
type level int

const (
	accountLevel    level = iota // none
	domainLevel                  // the domain's
	repositoryLevel              // the domain's and the repository's
)

func levelOf(action, resource string) level {
	switch action {
	case "codeartifact:CreateDomain", "codeartifact:ListDomains", "codeartifact:ListRepositories":
		return accountLevel
	case "codeartifact:CreatePackageGroup", "codeartifact:CreateRepository": // asked on the domain (guide, "Enable cross-account access")
		return domainLevel
	}
	types, _ := On(action)
	if types == OnNothing || types&(types-1) != 0 { // of none or of several: the resource tells
		types = TypeOf(resource)
	}
	if types.Has(OnRepository | OnPackage) {
		return repositoryLevel
	}
	if types == OnNothing {
		return accountLevel
	}
	return domainLevel
}
