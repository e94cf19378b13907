package policy

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The accounts and resources of the guide's examples.
const (
	owner   = "111122223333"
	other   = "123456789012"
	foreign = "999999999999"
)

func names() Names { return Names{Partition: "aws", Region: "region-id"} }

func domainARN() string          { return names().Domain(owner, "my_domain") }
func repoARN(name string) string { return names().Repository(owner, "my_domain", name) }
func groupARN(enc string) string { return names().PackageGroup(owner, "my_domain", enc) }
func user(account, n string) Principal {
	return Principal{ARN: names().User(account, n), Account: account}
}

func session(account, role string) Principal {
	return Principal{ARN: names().Session(account, role, "pod-1"), Account: account, UserID: "AROAEXAMPLE:pod-1"}
}

func root(account string) Principal {
	return Principal{ARN: names().Root(account), Account: account, Root: true}
}

func packageARN(repo, format, namespace, name string) string {
	return names().Package(owner, "my_domain", repo, format, namespace, name)
}

func mustRead(t testing.TB, kind Kind, text string) *Policy {
	t.Helper()
	p, err := Read("test policy", kind, []byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return p
}

type guideCase struct {
	heading string
	policy  string // one of the constants
	at      string // identity, domain, repository, endpoint
	request Request
	want    Effect
}

// ask is a request of a principal; edits make it special.
func ask(p Principal, action, resource string, edits ...func(*Request)) Request {
	r := Request{Principal: p, Action: action, Resource: resource, Owner: owner, Administrator: owner}
	for _, e := range edits {
		e(&r)
	}
	return r
}

// with attaches a further identity policy: principals of other accounts need one beside the resource policy.
func with(t testing.TB, texts ...string) func(*Request) {
	return func(r *Request) {
		for _, text := range texts {
			r.Policies.Identity = append(r.Policies.Identity, mustRead(t, Identity, text))
		}
	}
}

func ownedBy(account string) func(*Request) {
	return func(r *Request) { r.Owner, r.Administrator = account, account }
}

func requestTags(kv ...string) func(*Request) {
	return func(r *Request) { r.Context.RequestTags = pairs(kv) }
}

func resourceTags(kv ...string) func(*Request) {
	return func(r *Request) { r.Context.ResourceTags = pairs(kv) }
}

func seconds(n int64) func(*Request) { return func(r *Request) { r.Context.TokenDuration = n } }

func pairs(kv []string) map[string]string {
	out := map[string]string{}
	for i := 0; i < len(kv); i += 2 {
		out[kv[i]] = kv[i+1]
	}
	return out
}

// TestGuide has every policy of the user guide with the outcomes that the text around it states, by heading.
func TestGuide(t *testing.T) {
	const ca = "codeartifact:"
	everything := `{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}`
	full := with(t, everything)
	in := func(region, account, resource string) string {
		return "arn:aws:codeartifact:" + region + ":" + account + ":" + resource
	}
	for _, tt := range []guideCase{
		{"Protect repositories from being deleted", protectAll, "domain", ask(user(owner, "admin"), ca+"DeleteRepository", repoARN("my_repo"), full), ExplicitDeny},
		{"Protect repositories from being deleted: root", protectAll, "domain", ask(root(owner), ca+"DeleteRepository", repoARN("my_repo")), ExplicitDeny},
		{"Protect repositories from being deleted: others act", protectAll, "domain", ask(user(owner, "admin"), ca+"DescribeRepository", repoARN("my_repo"), full), Allow},
		{"Protect repositories from being deleted: in a repository policy", protectAll, "repository", ask(user(owner, "admin"), ca+"DeleteRepository", repoARN("my_repo"), full), ExplicitDeny},
		{"Protect repositories from being deleted: the chosen one", protectButOne, "domain", ask(user(owner, "admin"), ca+"DeleteRepository", repoARN("my_repo"), full), Allow},
		{"Protect repositories from being deleted: not the chosen one", protectButOne, "domain", ask(user(owner, "admin"), ca+"DeleteRepository", repoARN("my_repo2"), full), ExplicitDeny},

		{"Create a resource policy to grant read access", grantRead, "repository", ask(user(other, "bob"), ca+"ReadFromRepository", repoARN("my_repo"), full), Allow},
		{"Create a resource policy to grant read access: roles, too", grantRead, "repository", ask(session(other, "ci"), ca+"ReadFromRepository", repoARN("my_repo"), full), Allow},
		{"Create a resource policy to grant read access: no other action", grantRead, "repository", ask(user(other, "bob"), ca+"ListPackages", repoARN("my_repo"), full), ImplicitDeny},
		{"Create a resource policy to grant read access: no other account", grantRead, "repository", ask(user(foreign, "eve"), ca+"ReadFromRepository", repoARN("my_repo"), full), ImplicitDeny},
		{"Create a resource policy to grant read access: no other list", grantRead, "repository", ask(user(other, "bob"), ca+"ListPackageVersions", packageARN("my_repo", "npm", "", "react"), full), ImplicitDeny},
		{"Create a resource policy to grant read access: further permissions", grantReadAndList, "repository", ask(user(other, "bob"), ca+"ListPackageVersions", packageARN("my_repo", "npm", "", "react"), full), Allow},
		{"Read a policy", grantReadAndList, "repository", ask(user(other, "bob"), ca+"PublishPackageVersion", packageARN("my_repo", "npm", "", "react"), full), ImplicitDeny},

		{"Grant read access to principals", grantBob, "repository", ask(user(other, "bob"), ca+"ReadFromRepository", repoARN("my_repo"), full), Allow},
		{"Grant read access to principals: somebody else", grantBob, "repository", ask(user(other, "alice"), ca+"ReadFromRepository", repoARN("my_repo"), full), ImplicitDeny},
		{"Grant read access to principals: bob elsewhere", grantBob, "repository", ask(user(foreign, "bob"), ca+"ReadFromRepository", repoARN("my_repo"), full), ImplicitDeny},

		{"Grant write access to packages", grantParity, "repository", ask(user(other, "bob"), ca+"PublishPackageVersion", packageARN("my_repo", "npm", "parity", "ui"), full), Allow},
		{"Grant write access to packages: no other package", grantParity, "repository", ask(user(other, "bob"), ca+"PublishPackageVersion", packageARN("my_repo", "npm", "parity", "ui2"), full), ImplicitDeny},
		{"Grant write access to packages: only when attached to that repository", grantParity, "repository", ask(user(other, "bob"), ca+"PublishPackageVersion", packageARN("other_repo", "npm", "parity", "ui"), full), ImplicitDeny},
		{"Grant write access to packages: Maven needs PutPackageMetadata", grantWrite, "repository", ask(user(other, "bob"), ca+"PutPackageMetadata", packageARN("my_repo", "maven", "com.mycompany", "p"), full), ImplicitDeny},
		{"Grant write access to packages: NuGet needs ReadFromRepository", grantWrite, "repository", ask(user(other, "bob"), ca+"ReadFromRepository", repoARN("my_repo"), full), ImplicitDeny},

		{"Grant write access to a repository", grantWrite, "repository", ask(user(other, "bob"), ca+"PublishPackageVersion", packageARN("my_repo", "npm", "", "react"), full), Allow},
		{"Grant write access to a repository: no other repository", grantWrite, "repository", ask(user(other, "bob"), ca+"PublishPackageVersion", packageARN("my_repo2", "npm", "", "react"), full), ImplicitDeny},

		{"Required IAM permissions to copy packages: source", copySource, "repository", ask(user(other, "bob"), ca+"ReadFromRepository", repoARN("my_repo"), full), Allow},
		{"Required IAM permissions to copy packages: destination, package", copyDestination, "repository", ask(user(other, "bob"), ca+"CopyPackageVersions", packageARN("repo-2", "npm", "", "my-package"), full), Allow},
		{"Required IAM permissions to copy packages: destination, repository", copyDestination, "repository", ask(user(other, "bob"), ca+"CopyPackageVersions", repoARN("repo-2"), full), Allow},
		{"Required IAM permissions to copy packages: destination without it", copySource, "repository", ask(user(other, "bob"), ca+"CopyPackageVersions", repoARN("repo-2"), full), ImplicitDeny},

		{"Required IAM permissions to update a package version status", updateChalk, "identity", ask(user(owner, "bob"), ca+"UpdatePackageVersionsStatus", in("us-east-1", owner, "package/my_domain/my_repo/npm//chalk")), Allow},
		{"Required IAM permissions to update a package version status: per package", updateChalk, "identity", ask(user(owner, "bob"), ca+"UpdatePackageVersionsStatus", in("us-east-1", owner, "package/my_domain/my_repo/npm//react")), ImplicitDeny},

		{"Enable cross-account access to a domain", grantCreate, "domain", ask(user(other, "bob"), ca+"CreateRepository", domainARN(), full), Allow},
		{"Enable cross-account access to a domain: tags need TagResource", grantCreate, "domain", ask(user(other, "bob"), ca+"TagResource", domainARN(), full), ImplicitDeny},
		{"Enable cross-account access to a domain: DescribeRepository on every repository", grantDescribeRepository, "domain", ask(user(other, "bob"), ca+"DescribeRepository", repoARN("any"), full), Allow},
		{"Enable cross-account access to a domain: token", grantToken, "domain", ask(session(other, "ci"), ca+"GetAuthorizationToken", domainARN(), full), Allow},
		{"Enable cross-account access to a domain: a token is not all", grantToken, "domain", ask(session(other, "ci"), ca+"ReadFromRepository", repoARN("my_repo"), full), ImplicitDeny},
		{"Domain policies: by default only the account that owns the domain", "", "domain", ask(user(other, "bob"), ca+"CreateRepository", domainARN(), full), ImplicitDeny},

		{"Domain policy example", basicDomain, "domain", ask(user(other, "bob"), ca+"ListRepositoriesInDomain", domainARN(), full), Allow},
		{"Domain policy example: no more than the basic set", basicDomain, "domain", ask(user(other, "bob"), ca+"DeleteDomain", domainARN(), full), ImplicitDeny},
		{"Domain policy example: not needed in one account", "", "domain", ask(user(owner, "bob"), ca+"CreateRepository", domainARN(), full), Allow},

		{"Domain policy example with AWS Organizations", organization, "domain", ask(user(foreign, "bob"), ca+"DescribeDomain", domainARN(), full, func(r *Request) { r.Context.Organization = "o-xxxxxxxxxxx" }), Allow},
		{"Domain policy example with AWS Organizations: another one", organization, "domain", ask(user(foreign, "bob"), ca+"DescribeDomain", domainARN(), full, func(r *Request) { r.Context.Organization = "o-yyyyyyyyyyy" }), ImplicitDeny},
		{"Domain policy example with AWS Organizations: none", organization, "domain", ask(user(foreign, "bob"), ca+"DescribeDomain", domainARN(), full), ImplicitDeny},

		{"Set a domain policy: not to another account", grantAllOf("PutDomainPermissionsPolicy"), "domain", ask(user(other, "bob"), ca+"PutDomainPermissionsPolicy", domainARN(), full), ImplicitDeny},
		{"Set a domain policy: no lock-out", denyAllOf("*"), "domain", ask(user(owner, "bob"), ca+"PutDomainPermissionsPolicy", domainARN(), full), Allow},
		{"Set a domain policy: but everything else is denied", denyAllOf("*"), "domain", ask(root(owner), ca+"DeleteDomainPermissionsPolicy", domainARN()), ExplicitDeny},
		{"Set a policy: no lock-out", denyAllOf("*"), "repository", ask(user(owner, "bob"), ca+"PutRepositoryPermissionsPolicy", repoARN("my_repo"), full), Allow},
		{"Set a policy: not to another account", grantAllOf("PutRepositoryPermissionsPolicy"), "repository", ask(user(other, "bob"), ca+"PutRepositoryPermissionsPolicy", repoARN("my_repo"), full), ImplicitDeny},
		{"Read a domain policy", readDomain, "domain", ask(user(owner, "bob"), ca+"GetAuthorizationToken", domainARN()), Allow},

		{"Set up permissions with IAM roles", codeBuild, "identity", ask(session(owner, "build"), ca+"ReadFromRepository", repoARN("my_repo")), Allow},
		{"Set up permissions with IAM roles: token", codeBuild, "identity", ask(session(owner, "build"), bearerAction, "*"), Allow},
		{"Set up permissions with IAM roles: publishing needs more", codeBuild, "identity", ask(session(owner, "build"), ca+"PublishPackageVersion", packageARN("my_repo", "npm", "", "a")), ImplicitDeny},

		{"AWSCodeArtifactAdminAccess", adminAccess, "identity", ask(user(owner, "admin"), ca+"DeleteDomain", domainARN()), Allow},
		{"AWSCodeArtifactAdminAccess: token", adminAccess, "identity", ask(user(owner, "admin"), bearerAction, "*"), Allow},
		{"Setting up: the bearer token has no effect in resource policies", grantEvery("sts:GetServiceBearerToken"), "domain", ask(user(owner, "bob"), bearerAction, "*"), ImplicitDeny},
		{"AWSCodeArtifactReadOnlyAccess", readOnlyAccess, "identity", ask(user(owner, "bob"), ca+"GetPackageVersionAsset", packageARN("my_repo", "npm", "", "a")), Allow},
		{"AWSCodeArtifactReadOnlyAccess: read only", readOnlyAccess, "identity", ask(user(owner, "bob"), ca+"PublishPackageVersion", packageARN("my_repo", "npm", "", "a")), ImplicitDeny},

		{"Allow a user to view their own permissions", ownPermissions, "identity", ask(user(owner, "bob"), "iam:GetUser", "arn:aws:iam::111122223333:user/bob"), Allow},
		{"Allow a user to view their own permissions: not those of others", ownPermissions, "identity", ask(user(owner, "bob"), "iam:GetUser", "arn:aws:iam::111122223333:user/alice"), ImplicitDeny},
		{"Allow a user to view their own permissions: nothing here", ownPermissions, "identity", ask(user(owner, "bob"), ca+"ReadFromRepository", repoARN("my_repo")), ImplicitDeny},

		{"Allow a user to get information about repositories and domains", information, "identity", ask(user(owner, "bob"), ca+"ReadFromRepository", repoARN("my_repo")), Allow},
		{"Allow a user to get information about repositories and domains: domains", information, "identity", ask(user(owner, "bob"), ca+"DescribeDomain", domainARN()), Allow},
		{"Allow a user to get information about repositories and domains: no new ones", information, "identity", ask(user(owner, "bob"), ca+"CreateRepository", domainARN()), ImplicitDeny},
		{"Allow a user to get information about repositories and domains: no publishing", information, "identity", ask(user(owner, "bob"), ca+"PublishPackageVersion", packageARN("my_repo", "npm", "", "a")), ImplicitDeny},

		{"Allow a user to get information about specific domains", someDomains, "identity", ask(user(other, "bob"), ca+"ListDomains", in("us-east-2", other, "domain/my-domain"), ownedBy(other)), Allow},
		{"Allow a user to get information about specific domains: another name", someDomains, "identity", ask(user(other, "bob"), ca+"ListDomains", in("us-east-2", other, "domain/your-domain"), ownedBy(other)), ImplicitDeny},
		{"Allow a user to get information about specific domains: another region", someDomains, "identity", ask(user(other, "bob"), ca+"ListDomains", in("us-west-2", other, "domain/my-domain"), ownedBy(other)), ImplicitDeny},

		{"Allow a user to get information about specific repositories", someRepositories, "identity", ask(user(owner, "bob"), ca+"ReadFromRepository", repoARN("unit-test")), Allow},
		{"Allow a user to get information about specific repositories: another", someRepositories, "identity", ask(user(owner, "bob"), ca+"ReadFromRepository", repoARN("production")), ImplicitDeny},
		{"Allow a user to get information about specific repositories: packages", someRepositories, "identity", ask(user(owner, "bob"), ca+"ListPackageVersions", packageARN("unit-test", "npm", "", "react")), Allow},
		{"Allow a user to get information about specific repositories: no publishing", someRepositories, "identity", ask(user(owner, "bob"), ca+"PublishPackageVersion", packageARN("unit-test", "npm", "", "react")), ImplicitDeny},
		{"Allow a user to get information about specific repositories: token", someRepositories, "identity", ask(user(owner, "bob"), ca+"GetAuthorizationToken", domainARN()), Allow},

		{"Limit token lifetime to exactly 12 hours", twelveHours, "identity", ask(user(owner, "bob"), bearerAction, "*", seconds(43200)), Allow},
		{"Limit token lifetime to exactly 12 hours: less", twelveHours, "identity", ask(user(owner, "bob"), bearerAction, "*", seconds(3600)), ImplicitDeny},
		{"Limit token lifetime between 15 minutes and 1 hour", oneHour, "identity", ask(user(owner, "bob"), bearerAction, "*", seconds(900)), Allow},
		{"Limit token lifetime between 15 minutes and 1 hour: 1 hour", oneHour, "identity", ask(user(owner, "bob"), bearerAction, "*", seconds(3600)), Allow},
		{"Limit token lifetime between 15 minutes and 1 hour: session", oneHour, "identity", ask(session(owner, "ci"), bearerAction, "*", seconds(0)), Allow},
		{"Limit token lifetime between 15 minutes and 1 hour: more", oneHour, "identity", ask(user(owner, "bob"), bearerAction, "*", seconds(3601)), ImplicitDeny},

		{"Tags, example 1: none", tagsExample1, "identity", ask(user(owner, "bob"), ca+"CreateRepository", domainARN(), with(t, adminAccess)), ExplicitDeny},
		{"Tags, example 1: another tag", tagsExample1, "identity", ask(user(owner, "bob"), ca+"CreateRepository", domainARN(), with(t, adminAccess), requestTags("team", "1")), ExplicitDeny},
		{"Tags, example 1: another value", tagsExample1, "identity", ask(user(owner, "bob"), ca+"CreateRepository", domainARN(), with(t, adminAccess), requestTags("costcenter", "3")), ExplicitDeny},
		{"Tags, example 1: 1", tagsExample1, "identity", ask(user(owner, "bob"), ca+"CreateRepository", domainARN(), with(t, adminAccess), requestTags("costcenter", "1")), Allow},
		{"Tags, example 1: 2", tagsExample1, "identity", ask(user(owner, "bob"), ca+"CreateRepository", domainARN(), with(t, adminAccess), requestTags("costcenter", "2")), Allow},
		{"Tags, example 2: Value1", tagsExample2, "identity", ask(user(owner, "bob"), ca+"DescribeRepository", repoARN("my_repo"), with(t, adminAccess), resourceTags("Key1", "Value1")), ExplicitDeny},
		{"Tags, example 2: Value2", tagsExample2, "identity", ask(user(owner, "bob"), ca+"ReadFromRepository", repoARN("my_repo"), with(t, adminAccess), resourceTags("Key1", "Value2")), ExplicitDeny},
		{"Tags, example 2: Value3", tagsExample2, "identity", ask(user(owner, "bob"), ca+"ReadFromRepository", repoARN("my_repo"), with(t, adminAccess), resourceTags("Key1", "Value3")), Allow},
		{"Using tags, Important: the tags must be on the resource, not on the domain", tagsExample2, "identity", ask(user(owner, "bob"), ca+"DescribeRepository", repoARN("my_repo"), with(t, adminAccess)), Allow},
		{"Tags, example 3", tagsExample3, "identity", ask(user(owner, "bob"), ca+"UpdateRepository", repoARN("my_repo"), resourceTags("Key1", "Value1")), Allow},
		{"Tags, example 3: without the tag", tagsExample3, "identity", ask(user(owner, "bob"), ca+"UpdateRepository", repoARN("my_repo")), ImplicitDeny},
		{"Tags, example 4", tagsExample4, "identity", ask(user(owner, "bob"), ca+"CreateRepository", domainARN(), requestTags("Key1", "Value1")), Allow},
		{"Tags, example 4: without the tag", tagsExample4, "identity", ask(user(owner, "bob"), ca+"CreateRepository", domainARN(), requestTags("Key2", "Value1")), ImplicitDeny},

		{"AWS CodeArtifact resources and operations: a domain", oneDomain, "identity", ask(user(other, "bob"), ca+"DescribeDomain", in("us-east-2", other, "domain/myDomain"), ownedBy(other)), Allow},
		{"AWS CodeArtifact resources and operations: not its repositories", oneDomain, "identity", ask(user(other, "bob"), ca+"DescribeRepository", in("us-east-2", other, "repository/myDomain/r"), ownedBy(other)), ImplicitDeny},
		{"AWS CodeArtifact resources and operations: all of a domain", wholeDomain, "identity", ask(user(other, "bob"), ca+"DeletePackage", in("us-east-2", other, "package/myDomain/r/npm//x"), ownedBy(other)), Allow},
		{"AWS CodeArtifact resources and operations: exact characters", wholeDomain, "identity", ask(user(other, "bob"), ca+"DescribeRepository", in("us-east-2", other, "repository:myDomain/r"), ownedBy(other)), ImplicitDeny},
		{"Package group ARNs: the root group", rootGroup, "identity", ask(user(owner, "bob"), ca+"UpdatePackageGroup", in("us-east-1", owner, "package-group/my_domain/%2a")), Allow},
		{"Package group ARNs: encoded, so no other group", rootGroup, "identity", ask(user(owner, "bob"), ca+"UpdatePackageGroup", in("us-east-1", owner, "package-group/my_domain/npm/%2a")), ImplicitDeny},
		{"Package group ARNs: case-sensitive", rootGroup, "identity", ask(user(owner, "bob"), ca+"UpdatePackageGroup", in("us-east-1", owner, "package-group/my_domain/%2A")), ImplicitDeny},

		{"Create a VPC endpoint policy", endpointPolicy, "endpoint", ask(user(other, "bob"), ca+"ReadFromRepository", repoARN("my_repo"), full, ownedBy(other)), Allow},
		{"Create a VPC endpoint policy: token", endpointPolicy, "endpoint", ask(user(other, "bob"), bearerAction, "*", full), Allow},
		{"Create a VPC endpoint policy: nothing else", endpointPolicy, "endpoint", ask(user(other, "bob"), ca+"ListPackages", repoARN("my_repo"), full, ownedBy(other)), ImplicitDeny},
		{"Create a VPC endpoint policy: nobody else", endpointPolicy, "endpoint", ask(user(owner, "bob"), ca+"ReadFromRepository", repoARN("my_repo"), full), ImplicitDeny},

		{"Authentication and tokens: root users cannot call GetAuthorizationToken", adminAccess, "identity", ask(root(owner), ca+"GetAuthorizationToken", domainARN()), ImplicitDeny},
		{"Packages cannot be made publicly available", grantEvery("codeartifact:ReadFromRepository"), "repository", ask(Principal{}, ca+"ReadFromRepository", repoARN("my_repo")), ImplicitDeny},
		{"Everybody is everybody who is signed in", grantEvery("codeartifact:ReadFromRepository"), "repository", ask(user(foreign, "eve"), ca+"ReadFromRepository", repoARN("my_repo"), full), Allow},
	} {
		t.Run(tt.heading, func(t *testing.T) {
			r := tt.request
			if tt.policy != "" {
				switch tt.at {
				case "identity":
					r.Policies.Identity = append(r.Policies.Identity, mustRead(t, Identity, tt.policy))
				case "domain":
					r.Policies.Domain = mustRead(t, Resource, tt.policy)
				case "repository":
					r.Policies.Repository = mustRead(t, Resource, tt.policy)
				case "endpoint":
					r.Policies.Endpoint = mustRead(t, Resource, tt.policy)
				}
			}
			d, steps := Explain(r)
			if d.Effect != tt.want {
				t.Errorf("%s, want %s: %s\n%v", d.Effect, tt.want, d.Reason(), steps)
			}
		})
	}
}

func grantAllOf(action string) string {
	return `{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"AWS": "123456789012"}, "Action": "codeartifact:` + action + `", "Resource": "*"}}`
}

func grantEvery(action string) string {
	return `{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "` + action + `", "Resource": "*"}}`
}

func denyAllOf(action string) string {
	return `{"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Principal": "*", "Action": "codeartifact:` + action + `", "Resource": "*"}}`
}

// TestInteraction has the rules and the four bullets after them of "Interaction between repository and domain policies".
func TestInteraction(t *testing.T) {
	const ca = "codeartifact:"
	allow := func(action string) *Policy {
		return mustRead(t, Identity, `{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "`+action+`", "Resource": "*"}}`)
	}
	deny := func(action string) *Policy {
		return mustRead(t, Identity, `{"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "`+action+`", "Resource": "*"}}`)
	}
	grant := func(action string) *Policy { return mustRead(t, Resource, grantEvery(action)) }
	forbid := func(action string) *Policy { return mustRead(t, Resource, denyAllOf(action)) }
	read := ca + "ReadFromRepository"
	const admin = "444455556666" // administers my_repo in the domain of owner
	for name, tt := range map[string]struct {
		who      Principal
		action   string
		resource string
		policies Policies
		want     Effect
	}{
		"rule 1: account-level operations ask no resource policy":    {user(owner, "bob"), ca + "ListRepositories", "*", Policies{Domain: grant(ca + "*"), Repository: grant(ca + "*")}, ImplicitDeny},
		"rule 1: nor do they obey one":                               {user(owner, "bob"), ca + "ListDomains", "*", Policies{Identity: []*Policy{allow(ca + "*")}, Domain: forbid("*")}, Allow},
		"rule 2: domain-level operations ask no repository policy":   {user(owner, "bob"), ca + "DescribeDomain", domainARN(), Policies{Repository: grant(ca + "*")}, ImplicitDeny},
		"rule 2: nor do they obey one":                               {user(owner, "bob"), ca + "ListRepositoriesInDomain", domainARN(), Policies{Identity: []*Policy{allow(ca + "*")}, Repository: forbid("*")}, Allow},
		"rule 2: package groups are of the domain":                   {user(owner, "bob"), ca + "UpdatePackageGroup", groupARN("/npm/%2a"), Policies{Domain: grant(ca + "UpdatePackageGroup"), Repository: forbid("*")}, Allow},
		"rule 3: PutDomainPermissionsPolicy ignores the domain's":    {user(owner, "bob"), ca + "PutDomainPermissionsPolicy", domainARN(), Policies{Identity: []*Policy{allow(ca + "*")}, Domain: forbid("*")}, Allow},
		"rule 3: it grants nothing either":                           {user(owner, "bob"), ca + "PutDomainPermissionsPolicy", domainARN(), Policies{Domain: grant(ca + "*")}, ImplicitDeny},
		"rule 4: PutRepositoryPermissionsPolicy obeys the domain's":  {user(owner, "bob"), ca + "PutRepositoryPermissionsPolicy", repoARN("my_repo"), Policies{Identity: []*Policy{allow(ca + "*")}, Domain: forbid("*")}, ExplicitDeny},
		"rule 4: and is granted by it":                               {user(owner, "bob"), ca + "PutRepositoryPermissionsPolicy", repoARN("my_repo"), Policies{Domain: grant(ca + "*")}, Allow},
		"rule 4: but not by the repository's":                        {user(owner, "bob"), ca + "PutRepositoryPermissionsPolicy", repoARN("my_repo"), Policies{Repository: grant(ca + "*")}, ImplicitDeny},
		"rule 5: deny in the domain policy":                          {user(owner, "bob"), read, repoARN("my_repo"), Policies{Identity: []*Policy{allow("*")}, Domain: forbid("Read*"), Repository: grant(ca + "*")}, ExplicitDeny},
		"rule 5: deny in the repository policy":                      {user(owner, "bob"), read, repoARN("my_repo"), Policies{Identity: []*Policy{allow("*")}, Domain: grant(ca + "*"), Repository: forbid("*")}, ExplicitDeny},
		"rule 5: deny in an identity policy":                         {user(owner, "bob"), read, repoARN("my_repo"), Policies{Identity: []*Policy{allow("*"), deny(read)}, Domain: grant(ca + "*")}, ExplicitDeny},
		"rule 6: the domain policy is enough":                        {user(other, "bob"), read, repoARN("my_repo"), Policies{Identity: []*Policy{allow("*")}, Domain: grant(read), Repository: grant(ca + "ListPackages")}, Allow},
		"rule 6: the repository policy is enough":                    {user(other, "bob"), read, repoARN("my_repo"), Policies{Identity: []*Policy{allow("*")}, Domain: grant(ca + "ListPackages"), Repository: grant(read)}, Allow},
		"rule 7: nothing allows it":                                  {user(owner, "bob"), read, repoARN("my_repo"), Policies{}, ImplicitDeny},
		"rule 7: an identity policy of the owner's account":          {user(owner, "bob"), read, repoARN("my_repo"), Policies{Identity: []*Policy{allow(read)}}, Allow},
		"owner's account by a resource policy alone":                 {user(owner, "bob"), read, repoARN("my_repo"), Policies{Domain: grant(read)}, Allow},
		"administrator's account by an identity policy alone":        {user(admin, "bob"), read, repoARN("my_repo"), Policies{Identity: []*Policy{allow(read)}}, Allow},
		"administrator's account, on a package":                      {user(admin, "bob"), ca + "PublishPackageVersion", packageARN("my_repo", "npm", "", "x"), Policies{Identity: []*Policy{allow(ca + "*")}}, Allow},
		"administrator's account is another one to the domain":       {user(admin, "bob"), ca + "DescribeDomain", domainARN(), Policies{Identity: []*Policy{allow("*")}}, ImplicitDeny},
		"another account by both":                                    {user(other, "bob"), read, repoARN("my_repo"), Policies{Identity: []*Policy{allow(read)}, Repository: grant(read)}, Allow},
		"another account by a resource policy alone":                 {user(other, "bob"), read, repoARN("my_repo"), Policies{Repository: grant(read)}, ImplicitDeny},
		"another account by an identity policy alone":                {user(other, "bob"), read, repoARN("my_repo"), Policies{Identity: []*Policy{allow(read)}}, ImplicitDeny},
		"another account, denied at home":                            {user(other, "bob"), read, repoARN("my_repo"), Policies{Identity: []*Policy{allow("*"), deny("*")}, Repository: grant(read)}, ExplicitDeny},
		"root of the owner's account":                                {root(owner), read, repoARN("my_repo"), Policies{}, Allow},
		"root of the administrator's account":                        {root(admin), read, repoARN("my_repo"), Policies{}, Allow},
		"root of another account":                                    {root(other), read, repoARN("my_repo"), Policies{}, ImplicitDeny},
		"root of another account with a resource policy":             {root(other), read, repoARN("my_repo"), Policies{Repository: grant(read)}, Allow},
		"root obeys a deny":                                          {root(owner), read, repoARN("my_repo"), Policies{Repository: forbid("*")}, ExplicitDeny},
		"root of no account":                                         {Principal{ARN: "arn:aws:iam:::root", Root: true}, read, repoARN("my_repo"), Policies{}, ImplicitDeny},
		"nobody acts on another account":                             {user(other, "bob"), ca + "CreateDomain", "*", Policies{Identity: []*Policy{allow("*")}}, ImplicitDeny},
		"tags of a repository obey its policy":                       {user(owner, "bob"), ca + "TagResource", repoARN("my_repo"), Policies{Identity: []*Policy{allow("*")}, Repository: forbid("*")}, ExplicitDeny},
		"tags of a domain do not obey a repository's":                {user(owner, "bob"), ca + "TagResource", domainARN(), Policies{Identity: []*Policy{allow("*")}, Repository: forbid("*")}, Allow},
		"CreateRepository by the new repository's ARN (A20)":         {user(owner, "bob"), ca + "CreateRepository", domainARN(), Policies{Identity: []*Policy{allowOn(t, ca+"CreateRepository", repoARN("new-*"))}}, Allow},
		"CreateRepository by another's ARN (A20)":                    {user(owner, "bob"), ca + "CreateRepository", domainARN(), Policies{Identity: []*Policy{allowOn(t, ca+"CreateRepository", repoARN("old-*"))}}, ImplicitDeny},
		"the endpoint's policy must allow, too":                      {root(owner), read, repoARN("my_repo"), Policies{Endpoint: grant(ca + "ListPackages")}, ImplicitDeny},
		"the endpoint's policy allows nothing by itself":             {user(owner, "bob"), read, repoARN("my_repo"), Policies{Endpoint: grant("*")}, ImplicitDeny},
		"actions do not depend on case":                              {user(owner, "bob"), read, repoARN("my_repo"), Policies{Identity: []*Policy{allow("codeArtifact:readFROMrepository")}}, Allow},
		"GetServiceBearerToken is not denied by a resource policy":   {user(other, "bob"), bearerAction, "*", Policies{Identity: []*Policy{allow(bearerAction)}, Domain: mustRead(t, Resource, `{"Statement": {"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}}`)}, Allow},
		"GetAuthorizationToken of the administrator's account (A19)": {user(admin, "bob"), ca + "GetAuthorizationToken", domainARN(), Policies{Identity: []*Policy{allow("*")}, Domain: grant(ca + "GetAuthorizationToken")}, Allow},
	} {
		t.Run(name, func(t *testing.T) {
			r := Request{Principal: tt.who, Action: tt.action, Resource: tt.resource, Owner: owner, Administrator: admin, Policies: tt.policies}
			if tt.action == ca+"CreateRepository" {
				r.Creates = repoARN("new-one")
			}
			if d := Evaluate(r); d.Effect != tt.want {
				t.Errorf("%s, want %s: %s", d.Effect, tt.want, d.Reason())
			}
		})
	}
}

func allowOn(t testing.TB, action, resource string) *Policy {
	return mustRead(t, Identity, `{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "`+action+`", "Resource": "`+resource+`"}}`)
}

// TestManaged compares the predefined policies with the guide's text.
func TestManaged(t *testing.T) {
	for name, text := range map[string]string{"AWSCodeArtifactAdminAccess": adminAccess, "AWSCodeArtifactReadOnlyAccess": readOnlyAccess} {
		p, err := Managed(name)
		if err != nil {
			t.Fatal(err)
		}
		want := mustRead(t, Identity, text)
		opts := cmp.AllowUnexported(statement{}, pattern{}, token{}, condition{}, value{}, arnPattern{}, key{}, principalPattern{})
		prefixes := cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })
		times := cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) })
		if d := cmp.Diff(want.statements, p.statements, opts, prefixes, times); d != "" {
			t.Error(d)
		}
	}
	if _, err := Managed("AdministratorAccess"); err == nil {
		t.Error("an unknown managed policy is known")
	}
}
