package policy

// The policies of the guide, as they stand there under the heading. Repaired where the text file or the guide is no JSON: "Principal": *
// (readings A21), codeartifact>List… and blocks that were torn apart.
const (
	// "Protect repositories from being deleted"
	protectAll = `{"Version": "2012-10-17", "Statement": [{"Sid": "DenyRepositoryDeletion", "Action": ["codeartifact:DeleteRepository"],
		"Effect": "Deny", "Resource": "*", "Principal": "*"}]}`
	protectButOne = `{"Version": "2012-10-17", "Statement": [{"Sid": "DenyRepositoryDeletion", "Action": ["codeartifact:DeleteRepository"],
		"Effect": "Deny", "NotResource": "arn:aws:codeartifact:region-id:111122223333:repository/my_domain/my_repo", "Principal": "*"}]}`

	// "Create a resource policy to grant read access"
	grantRead = `{"Version": "2012-10-17", "Statement": [{"Action": ["codeartifact:ReadFromRepository"], "Effect": "Allow",
		"Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Resource": "*"}]}`
	grantReadAndList = `{"Version": "2012-10-17", "Statement": [{"Action": ["codeartifact:DescribePackageVersion", "codeartifact:DescribeRepository",
		"codeartifact:GetPackageVersionReadme", "codeartifact:GetRepositoryEndpoint", "codeartifact:ListPackages", "codeartifact:ListPackageVersions",
		"codeartifact:ListPackageVersionAssets", "codeartifact:ListPackageVersionDependencies", "codeartifact:ReadFromRepository"],
		"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Resource": "*"}]}`

	// "Grant read access to principals"
	grantBob = `{"Version": "2012-10-17", "Statement": [{"Action": ["codeartifact:ReadFromRepository"], "Effect": "Allow",
		"Principal": {"AWS": "arn:aws:iam::123456789012:user/bob"}, "Resource": "*"}]}`

	// "Grant write access to packages"
	grantParity = `{"Version": "2012-10-17", "Statement": [{"Action": ["codeartifact:PublishPackageVersion"], "Effect": "Allow",
		"Principal": {"AWS": "arn:aws:iam::123456789012:root"},
		"Resource": "arn:aws:codeartifact:region-id:111122223333:package/my_domain/my_repo/npm/parity/ui"}]}`

	// "Grant write access to a repository"
	grantWrite = `{"Version": "2012-10-17", "Statement": [{"Action": ["codeartifact:PublishPackageVersion"], "Effect": "Allow",
		"Principal": {"AWS": "arn:aws:iam::123456789012:root"},
		"Resource": "arn:aws:codeartifact:region-id:111122223333:package/my_domain/my_repo/*"}]}`

	// "Required IAM permissions to copy packages"
	copySource = `{"Version": "2012-10-17", "Statement": [{"Action": ["codeartifact:ReadFromRepository"], "Effect": "Allow",
		"Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Resource": "*"}]}`
	copyDestination = `{"Version": "2012-10-17", "Statement": [{"Action": ["codeartifact:CopyPackageVersions"], "Effect": "Allow",
		"Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Resource": "*"}]}`

	// "Required IAM permissions to update a package version status"; the guide shows the statement only
	updateChalk = `{"Version": "2012-10-17", "Statement": {"Action": ["codeartifact:UpdatePackageVersionsStatus"], "Effect": "Allow",
		"Resource": "arn:aws:codeartifact:us-east-1:111122223333:package/my_domain/my_repo/npm//chalk"}}`

	// "Enable cross-account access to a domain"
	grantCreate = `{"Version": "2012-10-17", "Statement": [{"Action": ["codeartifact:CreateRepository"], "Effect": "Allow",
		"Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Resource": "*"}]}`
	grantDescribeRepository = `{"Version": "2012-10-17", "Statement": [{"Action": ["codeartifact:CreateRepository", "codeartifact:DescribeRepository"],
		"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Resource": "*"}]}`
	grantToken = `{"Version": "2012-10-17", "Statement": [{"Action": ["codeartifact:GetAuthorizationToken"], "Effect": "Allow",
		"Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Resource": "*"}]}`

	// "Domain policy example"
	basicDomain = `{"Version": "2012-10-17", "Statement": [{"Sid": "BasicDomainPolicy", "Action": ["codeartifact:GetDomainPermissionsPolicy",
		"codeartifact:ListRepositoriesInDomain", "codeartifact:GetAuthorizationToken", "codeartifact:DescribeDomain", "codeartifact:CreateRepository"],
		"Effect": "Allow", "Resource": "*", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}}]}`

	// "Domain policy example with AWS Organizations"
	organization = `{"Version": "2012-10-17", "Statement": {"Sid": "DomainPolicyForOrganization", "Effect": "Allow", "Principal": "*",
		"Action": ["codeartifact:GetDomainPermissionsPolicy", "codeartifact:ListRepositoriesInDomain", "codeartifact:GetAuthorizationToken",
		"codeartifact:DescribeDomain", "codeartifact:CreateRepository"], "Resource": "*",
		"Condition": {"StringEquals": {"aws:PrincipalOrgID": ["o-xxxxxxxxxxx"]}}}}`

	// "Read a domain policy"
	readDomain = `{"Version": "2012-10-17", "Statement": [{"Sid": "BasicDomainPolicy", "Action": ["codeartifact:GetDomainPermissionsPolicy",
		"codeartifact:ListRepositoriesInDomain", "codeartifact:GetAuthorizationToken", "codeartifact:CreateRepository"],
		"Effect": "Allow", "Resource": "*", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}}]}`

	// "Set up permissions with IAM roles" (CodeBuild: npm, Python, Maven, NuGet)
	codeBuild = `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["codeartifact:GetAuthorizationToken",
		"codeartifact:GetRepositoryEndpoint", "codeartifact:ReadFromRepository"], "Resource": "*"},
		{"Effect": "Allow", "Action": "sts:GetServiceBearerToken", "Resource": "*",
		"Condition": {"StringEquals": {"sts:AWSServiceName": "codeartifact.amazonaws.com"}}}]}`

	// "AWS managed (predefined) policies for AWS CodeArtifact", and "Setting up with AWS CodeArtifact" option 2
	adminAccess = `{"Version": "2012-10-17", "Statement": [{"Action": ["codeartifact:*"], "Effect": "Allow", "Resource": "*"},
		{"Effect": "Allow", "Action": "sts:GetServiceBearerToken", "Resource": "*",
		"Condition": {"StringEquals": {"sts:AWSServiceName": "codeartifact.amazonaws.com"}}}]}`
	readOnlyAccess = `{"Version": "2012-10-17", "Statement": [{"Action": ["codeartifact:Describe*", "codeartifact:Get*", "codeartifact:List*",
		"codeartifact:ReadFromRepository"], "Effect": "Allow", "Resource": "*"},
		{"Effect": "Allow", "Action": "sts:GetServiceBearerToken", "Resource": "*",
		"Condition": {"StringEquals": {"sts:AWSServiceName": "codeartifact.amazonaws.com"}}}]}`

	// "Allow a user to view their own permissions"
	ownPermissions = `{"Version": "2012-10-17", "Statement": [{"Sid": "ViewOwnUserInfo", "Effect": "Allow", "Action": ["iam:GetUserPolicy",
		"iam:ListGroupsWithUser", "iam:ListAttachedUserPolicies", "iam:ListUserPolicies", "iam:GetUser"],
		"Resource": ["arn:aws:iam::*:user/${aws:username}"]},
		{"Sid": "NavigateInConsole", "Effect": "Allow", "Action": ["iam:GetGroupPolicy", "iam:GetPolicyVersion", "iam:GetPolicy",
		"iam:ListAttachedGroupPolicies", "iam:ListGroupPolicies", "iam:ListPolicyVersions", "iam:ListPolicies", "iam:ListUsers"], "Resource": "*"}]}`

	// "Allow a user to get information about repositories and domains"
	information = `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["codeartifact:List*", "codeartifact:Describe*",
		"codeartifact:Get*", "codeartifact:Read*"], "Resource": "*"},
		{"Effect": "Allow", "Action": "sts:GetServiceBearerToken", "Resource": "*",
		"Condition": {"StringEquals": {"sts:AWSServiceName": "codeartifact.amazonaws.com"}}}]}`

	// "Allow a user to get information about specific domains"
	someDomains = `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "codeartifact:ListDomains",
		"Resource": "arn:aws:codeartifact:us-east-2:123456789012:domain/my*"}]}`

	// "Allow a user to get information about specific repositories"
	someRepositories = `{"Version": "2012-10-17", "Statement": [
		{"Effect": "Allow", "Action": ["codeartifact:List*", "codeartifact:Describe*", "codeartifact:Get*", "codeartifact:Read*"],
		"Resource": "arn:aws:codeartifact:*:*:repository/*/*test"},
		{"Effect": "Allow", "Action": ["codeartifact:List*", "codeartifact:Describe*"], "Resource": "arn:aws:codeartifact:*:*:package/*/*test/*/*/*"},
		{"Effect": "Allow", "Action": "sts:GetServiceBearerToken", "Resource": "*",
		"Condition": {"StringEquals": {"sts:AWSServiceName": "codeartifact.amazonaws.com"}}},
		{"Effect": "Allow", "Action": "codeartifact:GetAuthorizationToken", "Resource": "*"}]}`

	// "Example policy: Limit token lifetime to exactly 12 hours (43200 seconds)"
	twelveHours = `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "codeartifact:*", "Resource": "*"},
		{"Sid": "sts", "Effect": "Allow", "Action": "sts:GetServiceBearerToken", "Resource": "*", "Condition": {
		"NumericEquals": {"sts:DurationSeconds": 43200}, "StringEquals": {"sts:AWSServiceName": "codeartifact.amazonaws.com"}}}]}`

	// "Example policy: Limit token lifetime between 15 minutes and 1 hour, or equal to the user's temporary credentials period"
	oneHour = `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "codeartifact:*", "Resource": "*"},
		{"Sid": "sts", "Effect": "Allow", "Action": "sts:GetServiceBearerToken", "Resource": "*", "Condition": {
		"NumericLessThanEquals": {"sts:DurationSeconds": 3600}, "StringEquals": {"sts:AWSServiceName": "codeartifact.amazonaws.com"}}}]}`

	// "Example 1: Limit actions based on tags in the request"
	tagsExample1 = `{"Version": "2012-10-17", "Statement": [
		{"Effect": "Deny", "Action": "codeartifact:CreateRepository", "Resource": "*", "Condition": {"Null": {"aws:RequestTag/costcenter": "true"}}},
		{"Effect": "Deny", "Action": "codeartifact:CreateRepository", "Resource": "*",
		"Condition": {"ForAnyValue:StringNotEquals": {"aws:RequestTag/costcenter": ["1", "2"]}}}]}`

	// "Example 2: Limit actions based on resource tags"
	tagsExample2 = `{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": ["codeartifact:TagResource", "codeartifact:UntagResource",
		"codeartifact:DescribeDomain", "codeartifact:DescribeRepository", "codeartifact:PutDomainPermissionsPolicy",
		"codeartifact:PutRepositoryPermissionsPolicy", "codeartifact:ListRepositoriesInDomain", "codeartifact:UpdateRepository",
		"codeartifact:ReadFromRepository", "codeartifact:ListPackages", "codeartifact:ListTagsForResource"],
		"Resource": "*", "Condition": {"StringEquals": {"aws:ResourceTag/Key1": ["Value1", "Value2"]}}}]}`

	// "Example 3: Allow actions based on resource tags"
	tagsExample3 = `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["codeartifact:UpdateRepository",
		"codeartifact:DeleteRepository", "codeartifact:ListPackages"], "Resource": "*",
		"Condition": {"StringEquals": {"aws:ResourceTag/Key1": "Value1"}}}]}`

	// "Example 4: Allow actions based on tags in the request"
	tagsExample4 = `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["codeartifact:CreateRepository",
		"codeartifact:TagResource"], "Resource": "*", "Condition": {"StringEquals": {"aws:RequestTag/Key1": "Value1"}}}]}`

	// "AWS CodeArtifact resources and operations"; the guide shows the elements only
	oneDomain = `{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "codeartifact:*",
		"Resource": "arn:aws:codeartifact:us-east-2:123456789012:domain/myDomain"}}`
	wholeDomain = `{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "codeartifact:*", "Resource": [
		"arn:aws:codeartifact:us-east-2:123456789012:domain/myDomain", "arn:aws:codeartifact:us-east-2:123456789012:repository/myDomain/*",
		"arn:aws:codeartifact:us-east-2:123456789012:package/myDomain/*"]}}`

	// "Package group ARNs"
	rootGroup = `{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "codeartifact:UpdatePackageGroup",
		"Resource": "arn:aws:codeartifact:us-east-1:111122223333:package-group/my_domain/%2a"}}`

	// "Create a VPC endpoint policy for CodeArtifact"
	endpointPolicy = `{"Statement": [{"Action": ["codeartifact:GetAuthorizationToken", "codeartifact:GetRepositoryEndpoint",
		"codeartifact:ReadFromRepository", "sts:GetServiceBearerToken"], "Effect": "Allow", "Resource": "*",
		"Principal": {"AWS": "arn:aws:iam::123456789012:root"}}]}`
)
