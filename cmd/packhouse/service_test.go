package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"slices"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	"github.com/google/go-cmp/cmp"

	"packhouse.dev/packhouse/registry/service/model"
)

// serviceClient is the SDK's client, with what it has called.
type serviceClient struct {
	*codeartifact.Client
	mu     sync.Mutex
	called map[string]bool
}

func newServiceClient(r *running) *serviceClient {
	c := &serviceClient{called: map[string]bool{}}
	note := middleware.InitializeMiddlewareFunc("note", func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
		c.mu.Lock()
		c.called[middleware.GetOperationName(ctx)] = true
		c.mu.Unlock()
		return next.HandleInitialize(ctx, in)
	})
	c.Client = codeartifact.New(codeartifact.Options{
		BaseEndpoint: aws.String(r.Endpoint), Region: "eu-central-1", RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(r.AccessKeyID, r.SecretAccessKey, ""),
		APIOptions:  []func(*middleware.Stack) error{func(s *middleware.Stack) error { return s.Initialize.Add(note, middleware.After) }},
	})
	return c
}

// must is the result of a call that is to succeed.
func must[T any](t *testing.T) func(T, error) T {
	return func(out T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
}

// refused wants an exception of a type.
func refused(t *testing.T, code string, err error) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != code {
		t.Errorf("got %v, want %s", err, code)
	}
}

const emptyYAML = `apiVersion: packhouse.dev/v1alpha1
kind: Domain
metadata: {name: declared}
spec: {}
---
apiVersion: packhouse.dev/v1alpha1
kind: Repository
metadata: {name: theirs}
spec: {domainRef: {name: declared}}
`

// TestServiceOperations drives all 48 operations with the SDK, from nothing to nothing.
func TestServiceOperations(t *testing.T) {
	t.Parallel()
	r := startDev(t, dataFolder(t), emptyYAML)
	c := newServiceClient(r)
	ctx, domain := t.Context(), aws.String("my-domain")
	repo, other := aws.String("my_repo"), aws.String("other")

	d := must[*codeartifact.CreateDomainOutput](t)(c.CreateDomain(ctx, &codeartifact.CreateDomainInput{Domain: domain, Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("web")}}}))
	if *d.Domain.Arn != "arn:aws:codeartifact:local:111122223333:domain/my-domain" || d.Domain.Status != types.DomainStatusActive {
		t.Errorf("domain: %+v", d.Domain)
	}
	_, err := c.CreateDomain(ctx, &codeartifact.CreateDomainInput{Domain: domain})
	refused(t, "ConflictException", err)
	_, err = c.CreateDomain(ctx, &codeartifact.CreateDomainInput{Domain: aws.String("my_domain")})
	refused(t, "ValidationException", err)
	for _, name := range []*string{repo, other} {
		must[*codeartifact.CreateRepositoryOutput](t)(c.CreateRepository(ctx, &codeartifact.CreateRepositoryInput{Domain: domain, Repository: name}))
	}
	must[*codeartifact.UpdateRepositoryOutput](t)(c.UpdateRepository(ctx, &codeartifact.UpdateRepositoryInput{
		Domain: domain, Repository: repo, Description: aws.String("ours"), Upstreams: []types.UpstreamRepository{{RepositoryName: other}},
	}))
	got := must[*codeartifact.DescribeRepositoryOutput](t)(c.DescribeRepository(ctx, &codeartifact.DescribeRepositoryInput{Domain: domain, Repository: repo})).Repository
	if *got.Description != "ours" || len(got.Upstreams) != 1 {
		t.Errorf("repository: %+v", got)
	}
	must[*codeartifact.AssociateExternalConnectionOutput](t)(c.AssociateExternalConnection(ctx, &codeartifact.AssociateExternalConnectionInput{Domain: domain, Repository: other, ExternalConnection: aws.String("public:npmjs")}))
	_, err = c.AssociateExternalConnection(ctx, &codeartifact.AssociateExternalConnectionInput{Domain: domain, Repository: other, ExternalConnection: aws.String("public:pypi")})
	refused(t, "ServiceQuotaExceededException", err)
	_, err = c.AssociateExternalConnection(ctx, &codeartifact.AssociateExternalConnectionInput{Domain: domain, Repository: repo, ExternalConnection: aws.String("public:pypi")})
	refused(t, "ConflictException", err)
	must[*codeartifact.DisassociateExternalConnectionOutput](t)(c.DisassociateExternalConnection(ctx, &codeartifact.DisassociateExternalConnectionInput{Domain: domain, Repository: other, ExternalConnection: aws.String("public:npmjs")}))
	if n := len(must[*codeartifact.ListRepositoriesOutput](t)(c.ListRepositories(ctx, &codeartifact.ListRepositoriesInput{})).Repositories); n != 3 {
		t.Errorf("%d repositories of the account, want 3", n)
	}
	if n := len(must[*codeartifact.ListRepositoriesInDomainOutput](t)(c.ListRepositoriesInDomain(ctx, &codeartifact.ListRepositoriesInDomainInput{Domain: domain})).Repositories); n != 2 {
		t.Errorf("%d repositories of the domain, want 2", n)
	}
	if n := len(must[*codeartifact.ListDomainsOutput](t)(c.ListDomains(ctx, &codeartifact.ListDomainsInput{})).Domains); n != 2 {
		t.Errorf("%d domains, want 2", n)
	}
	must[*codeartifact.GetRepositoryEndpointOutput](t)(c.GetRepositoryEndpoint(ctx, &codeartifact.GetRepositoryEndpointInput{Domain: domain, Repository: repo, Format: types.PackageFormatNpm}))
	must[*codeartifact.GetAuthorizationTokenOutput](t)(c.GetAuthorizationToken(ctx, &codeartifact.GetAuthorizationTokenInput{Domain: domain, DurationSeconds: aws.Int64(900)}))
	_, err = c.GetAuthorizationToken(ctx, &codeartifact.GetAuthorizationTokenInput{Domain: domain, DurationSeconds: aws.Int64(0)})
	refused(t, "ValidationException", err) // a long-term key has no session

	servicePolicies(t, c, domain, repo)
	serviceTags(t, c, *d.Domain.Arn)
	serviceGroups(t, c, domain, repo)
	servicePackages(t, c, domain, repo, other)

	_, err = c.DeleteDomain(ctx, &codeartifact.DeleteDomainInput{Domain: domain})
	refused(t, "ConflictException", err)
	for _, name := range []*string{repo, other} {
		must[*codeartifact.DeleteRepositoryOutput](t)(c.DeleteRepository(ctx, &codeartifact.DeleteRepositoryInput{Domain: domain, Repository: name}))
	}
	must[*codeartifact.DescribeDomainOutput](t)(c.DescribeDomain(ctx, &codeartifact.DescribeDomainInput{Domain: domain}))
	gone := must[*codeartifact.DeleteDomainOutput](t)(c.DeleteDomain(ctx, &codeartifact.DeleteDomainInput{Domain: domain}))
	if gone.Domain.Status != types.DomainStatusDeleted {
		t.Errorf("the domain is %s", gone.Domain.Status)
	}
	_, err = c.DescribeDomain(ctx, &codeartifact.DescribeDomainInput{Domain: domain})
	refused(t, "ResourceNotFoundException", err)

	var left []string
	for _, op := range model.Operations {
		if !c.called[op.Name] {
			left = append(left, op.Name)
		}
	}
	if len(left) > 0 || len(model.Operations) != 48 {
		t.Errorf("of %d operations these were not called: %q", len(model.Operations), left)
	}
}

func servicePolicies(t *testing.T, c *serviceClient, domain, repo *string) {
	ctx := t.Context()
	const document = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":["codeartifact:DescribeDomain","codeartifact:ReadFromRepository"],"Resource":"*"}]}`
	_, err := c.GetDomainPermissionsPolicy(ctx, &codeartifact.GetDomainPermissionsPolicyInput{Domain: domain})
	refused(t, "ResourceNotFoundException", err)
	_, err = c.PutDomainPermissionsPolicy(ctx, &codeartifact.PutDomainPermissionsPolicyInput{Domain: domain, PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Perhaps"}]}`)})
	refused(t, "ValidationException", err)
	p := must[*codeartifact.PutDomainPermissionsPolicyOutput](t)(c.PutDomainPermissionsPolicy(ctx, &codeartifact.PutDomainPermissionsPolicyInput{Domain: domain, PolicyDocument: aws.String(document)})).Policy
	if *p.Document != document || *p.Revision == "" {
		t.Errorf("policy: %+v", p)
	}
	_, err = c.PutDomainPermissionsPolicy(ctx, &codeartifact.PutDomainPermissionsPolicyInput{Domain: domain, PolicyDocument: aws.String(document), PolicyRevision: aws.String("another")})
	refused(t, "ConflictException", err)
	if q := must[*codeartifact.GetDomainPermissionsPolicyOutput](t)(c.GetDomainPermissionsPolicy(ctx, &codeartifact.GetDomainPermissionsPolicyInput{Domain: domain})).Policy; *q.Revision != *p.Revision {
		t.Errorf("revision %s, want %s", *q.Revision, *p.Revision)
	}
	must[*codeartifact.DeleteDomainPermissionsPolicyOutput](t)(c.DeleteDomainPermissionsPolicy(ctx, &codeartifact.DeleteDomainPermissionsPolicyInput{Domain: domain, PolicyRevision: p.Revision}))
	must[*codeartifact.PutRepositoryPermissionsPolicyOutput](t)(c.PutRepositoryPermissionsPolicy(ctx, &codeartifact.PutRepositoryPermissionsPolicyInput{Domain: domain, Repository: repo, PolicyDocument: aws.String(document)}))
	must[*codeartifact.GetRepositoryPermissionsPolicyOutput](t)(c.GetRepositoryPermissionsPolicy(ctx, &codeartifact.GetRepositoryPermissionsPolicyInput{Domain: domain, Repository: repo}))
	must[*codeartifact.DeleteRepositoryPermissionsPolicyOutput](t)(c.DeleteRepositoryPermissionsPolicy(ctx, &codeartifact.DeleteRepositoryPermissionsPolicyInput{Domain: domain, Repository: repo}))
	_, err = c.GetRepositoryPermissionsPolicy(ctx, &codeartifact.GetRepositoryPermissionsPolicyInput{Domain: domain, Repository: repo})
	refused(t, "ResourceNotFoundException", err)
}

func serviceTags(t *testing.T, c *serviceClient, arn string) {
	ctx := t.Context()
	must[*codeartifact.TagResourceOutput](t)(c.TagResource(ctx, &codeartifact.TagResourceInput{ResourceArn: &arn, Tags: []types.Tag{{Key: aws.String("empty"), Value: aws.String("")}}}))
	must[*codeartifact.UntagResourceOutput](t)(c.UntagResource(ctx, &codeartifact.UntagResourceInput{ResourceArn: &arn, TagKeys: []string{"team"}}))
	tags := must[*codeartifact.ListTagsForResourceOutput](t)(c.ListTagsForResource(ctx, &codeartifact.ListTagsForResourceInput{ResourceArn: &arn})).Tags
	if len(tags) != 1 || *tags[0].Key != "empty" || *tags[0].Value != "" {
		t.Errorf("tags: %+v", tags)
	}
}

func serviceGroups(t *testing.T, c *serviceClient, domain, repo *string) {
	ctx, pattern := t.Context(), aws.String("/generic/tools/*")
	must[*codeartifact.CreatePackageGroupOutput](t)(c.CreatePackageGroup(ctx, &codeartifact.CreatePackageGroupInput{Domain: domain, PackageGroup: pattern, Description: aws.String("d")}))
	_, err := c.CreatePackageGroup(ctx, &codeartifact.CreatePackageGroupInput{Domain: domain, PackageGroup: pattern})
	refused(t, "ConflictException", err)
	must[*codeartifact.UpdatePackageGroupOutput](t)(c.UpdatePackageGroup(ctx, &codeartifact.UpdatePackageGroupInput{Domain: domain, PackageGroup: pattern, ContactInfo: aws.String("us")}))
	update := &codeartifact.UpdatePackageGroupOriginConfigurationInput{
		Domain: domain, PackageGroup: pattern, Restrictions: map[string]types.PackageGroupOriginRestrictionMode{"PUBLISH": types.PackageGroupOriginRestrictionModeAllowSpecificRepositories},
		AddAllowedRepositories: []types.PackageGroupAllowedRepository{{OriginRestrictionType: types.PackageGroupOriginRestrictionTypePublish, RepositoryName: repo}},
	}
	updated := must[*codeartifact.UpdatePackageGroupOriginConfigurationOutput](t)(c.UpdatePackageGroupOriginConfiguration(ctx, update))
	if d := cmp.Diff(map[string]map[string][]string{"PUBLISH": {"ADDED": {*repo}}}, updated.AllowedRepositoryUpdates); d != "" {
		t.Error(d)
	}
	update.RemoveAllowedRepositories = update.AddAllowedRepositories
	_, err = c.UpdatePackageGroupOriginConfiguration(ctx, update)
	refused(t, "ValidationException", err)
	root := &codeartifact.UpdatePackageGroupOriginConfigurationInput{
		Domain: domain, PackageGroup: aws.String("/*"), Restrictions: map[string]types.PackageGroupOriginRestrictionMode{"EXTERNAL_UPSTREAM": types.PackageGroupOriginRestrictionModeBlock},
	}
	must[*codeartifact.UpdatePackageGroupOriginConfigurationOutput](t)(c.UpdatePackageGroupOriginConfiguration(ctx, root))
	g := must[*codeartifact.DescribePackageGroupOutput](t)(c.DescribePackageGroup(ctx, &codeartifact.DescribePackageGroupInput{Domain: domain, PackageGroup: pattern})).PackageGroup
	external := g.OriginConfiguration.Restrictions["EXTERNAL_UPSTREAM"]
	if external.EffectiveMode != types.PackageGroupOriginRestrictionModeBlock || *external.InheritedFrom.Pattern != "/*" || *g.ContactInfo != "us" || *g.Description != "d" {
		t.Errorf("group: %+v", g)
	}
	if n := len(must[*codeartifact.ListPackageGroupsOutput](t)(c.ListPackageGroups(ctx, &codeartifact.ListPackageGroupsInput{Domain: domain})).PackageGroups); n != 2 {
		t.Errorf("%d groups, want 2", n)
	}
	if n := len(must[*codeartifact.ListSubPackageGroupsOutput](t)(c.ListSubPackageGroups(ctx, &codeartifact.ListSubPackageGroupsInput{Domain: domain, PackageGroup: aws.String("/*")})).PackageGroups); n != 1 {
		t.Errorf("%d groups below the root, want 1", n)
	}
	allowed := must[*codeartifact.ListAllowedRepositoriesForGroupOutput](t)(c.ListAllowedRepositoriesForGroup(ctx, &codeartifact.ListAllowedRepositoriesForGroupInput{
		Domain: domain, PackageGroup: pattern, OriginRestrictionType: types.PackageGroupOriginRestrictionTypePublish,
	})).AllowedRepositories
	if !slices.Equal(allowed, []string{*repo}) {
		t.Errorf("allowed: %q", allowed)
	}
}

func servicePackages(t *testing.T, c *serviceClient, domain, repo, other *string) {
	ctx, space, name := t.Context(), aws.String("tools"), aws.String("hammer")
	publish := func(to *string, version, asset, text string, unfinished bool) (*codeartifact.PublishPackageVersionOutput, error) {
		sum := sha256.Sum256([]byte(text))
		return c.PublishPackageVersion(ctx, &codeartifact.PublishPackageVersionInput{
			Domain: domain, Repository: to, Format: types.PackageFormatGeneric, Namespace: space, Package: name, PackageVersion: &version, AssetName: &asset,
			AssetContent: bytes.NewReader([]byte(text)), AssetSHA256: aws.String(hex.EncodeToString(sum[:])), Unfinished: &unfinished,
		})
	}
	first := must[*codeartifact.PublishPackageVersionOutput](t)(publish(repo, "1.0.0", "a.bin", "first", true))
	if first.Status != types.PackageVersionStatusUnfinished {
		t.Errorf("status %s, want Unfinished", first.Status)
	}
	if second := must[*codeartifact.PublishPackageVersionOutput](t)(publish(repo, "1.0.0", "b.bin", "second", false)); second.Status != types.PackageVersionStatusPublished {
		t.Errorf("status %s, want Published", second.Status)
	}
	_, err := publish(repo, "1.0.0", "c.bin", "late", false)
	refused(t, "ConflictException", err)
	_, err = publish(other, "1.0.0", "a.bin", "x", false)
	refused(t, "AccessDeniedException", err) // the package group lets my_repo publish alone
	must[*codeartifact.PublishPackageVersionOutput](t)(publish(repo, "1.1.0", "a.bin", "newer", false))

	must[*codeartifact.DescribePackageOutput](t)(c.DescribePackage(ctx, &codeartifact.DescribePackageInput{Domain: domain, Repository: repo, Format: types.PackageFormatGeneric, Namespace: space, Package: name}))
	v := must[*codeartifact.DescribePackageVersionOutput](t)(c.DescribePackageVersion(ctx, &codeartifact.DescribePackageVersionInput{
		Domain: domain, Repository: repo, Format: types.PackageFormatGeneric, Namespace: space, Package: name, PackageVersion: aws.String("1.0.0"),
	})).PackageVersion
	if v.Origin.OriginType != types.PackageVersionOriginTypeInternal || *v.Origin.DomainEntryPoint.RepositoryName != *repo {
		t.Errorf("origin: %+v", v.Origin)
	}
	if n := len(must[*codeartifact.ListPackagesOutput](t)(c.ListPackages(ctx, &codeartifact.ListPackagesInput{Domain: domain, Repository: repo})).Packages); n != 1 {
		t.Errorf("%d packages, want 1", n)
	}
	in := &codeartifact.ListPackageVersionsInput{Domain: domain, Repository: repo, Format: types.PackageFormatGeneric, Namespace: space, Package: name, MaxResults: aws.Int32(1)}
	var versions []string
	for pages := codeartifact.NewListPackageVersionsPaginator(c, in); pages.HasMorePages(); {
		for _, v := range must[*codeartifact.ListPackageVersionsOutput](t)(pages.NextPage(ctx)).Versions {
			versions = append(versions, *v.Version)
		}
	}
	if !slices.Equal(versions, []string{"1.1.0", "1.0.0"}) {
		t.Errorf("versions: %q", versions)
	}
	assets := must[*codeartifact.ListPackageVersionAssetsOutput](t)(c.ListPackageVersionAssets(ctx, &codeartifact.ListPackageVersionAssetsInput{
		Domain: domain, Repository: repo, Format: types.PackageFormatGeneric, Namespace: space, Package: name, PackageVersion: aws.String("1.0.0"),
	})).Assets
	if len(assets) != 2 || *assets[0].Size != 5 || assets[0].Hashes["SHA-256"] == "" {
		t.Errorf("assets: %+v", assets)
	}
	file := must[*codeartifact.GetPackageVersionAssetOutput](t)(c.GetPackageVersionAsset(ctx, &codeartifact.GetPackageVersionAssetInput{
		Domain: domain, Repository: repo, Format: types.PackageFormatGeneric, Namespace: space, Package: name, PackageVersion: aws.String("1.0.0"), Asset: aws.String("b.bin"),
	}))
	if b, err := io.ReadAll(file.Asset); err != nil || string(b) != "second" || *file.AssetName != "b.bin" {
		t.Errorf("asset: %q, %v", b, err)
	}
	_, err = c.GetPackageVersionReadme(ctx, &codeartifact.GetPackageVersionReadmeInput{Domain: domain, Repository: repo, Format: types.PackageFormatGeneric, Namespace: space, Package: name, PackageVersion: aws.String("1.0.0")})
	refused(t, "ResourceNotFoundException", err)
	must[*codeartifact.ListPackageVersionDependenciesOutput](t)(c.ListPackageVersionDependencies(ctx, &codeartifact.ListPackageVersionDependenciesInput{
		Domain: domain, Repository: repo, Format: types.PackageFormatGeneric, Namespace: space, Package: name, PackageVersion: aws.String("1.0.0"),
	}))
	must[*codeartifact.GetAssociatedPackageGroupOutput](t)(c.GetAssociatedPackageGroup(ctx, &codeartifact.GetAssociatedPackageGroupInput{Domain: domain, Format: types.PackageFormatGeneric, Namespace: space, Package: name}))
	for pattern, preview := range map[string]bool{"/generic/tools/*": false, "/generic/tools/ham~": true} {
		list := must[*codeartifact.ListAssociatedPackagesOutput](t)(c.ListAssociatedPackages(ctx, &codeartifact.ListAssociatedPackagesInput{Domain: domain, PackageGroup: &pattern, Preview: &preview})).Packages
		if want := 1; pattern == "/generic/tools/*" && len(list) != want {
			t.Errorf("%d packages in %s, want %d", len(list), pattern, want)
		}
	}
	copied := must[*codeartifact.CopyPackageVersionsOutput](t)(c.CopyPackageVersions(ctx, &codeartifact.CopyPackageVersionsInput{
		Domain: domain, SourceRepository: repo, DestinationRepository: other, Format: types.PackageFormatGeneric, Namespace: space, Package: name, Versions: []string{"1.0.0"},
	}))
	if copied.SuccessfulVersions["1.0.0"].Status != types.PackageVersionStatusPublished {
		t.Errorf("copied: %+v, %+v", copied.SuccessfulVersions, copied.FailedVersions)
	}
	must[*codeartifact.PutPackageOriginConfigurationOutput](t)(c.PutPackageOriginConfiguration(ctx, &codeartifact.PutPackageOriginConfigurationInput{
		Domain: domain, Repository: repo, Format: types.PackageFormatGeneric, Namespace: space, Package: name,
		Restrictions: &types.PackageOriginRestrictions{Publish: types.AllowPublishBlock, Upstream: types.AllowUpstreamBlock},
	}))
	_, err = publish(repo, "2.0.0", "a.bin", "blocked", false)
	refused(t, "AccessDeniedException", err)
	status := must[*codeartifact.UpdatePackageVersionsStatusOutput](t)(c.UpdatePackageVersionsStatus(ctx, &codeartifact.UpdatePackageVersionsStatusInput{
		Domain: domain, Repository: repo, Format: types.PackageFormatGeneric, Namespace: space, Package: name, Versions: []string{"1.0.0", "9.9.9"}, TargetStatus: types.PackageVersionStatusArchived,
	}))
	if status.FailedVersions["9.9.9"].ErrorCode != types.PackageVersionErrorCodeNotFound || status.FailedVersions["1.0.0"].ErrorCode != types.PackageVersionErrorCodeSkipped {
		t.Errorf("all or nothing: %+v, %+v", status.SuccessfulVersions, status.FailedVersions)
	}
	must[*codeartifact.DisposePackageVersionsOutput](t)(c.DisposePackageVersions(ctx, &codeartifact.DisposePackageVersionsInput{
		Domain: domain, Repository: repo, Format: types.PackageFormatGeneric, Namespace: space, Package: name, Versions: []string{"1.0.0"},
	}))
	must[*codeartifact.DeletePackageVersionsOutput](t)(c.DeletePackageVersions(ctx, &codeartifact.DeletePackageVersionsInput{
		Domain: domain, Repository: repo, Format: types.PackageFormatGeneric, Namespace: space, Package: name, Versions: []string{"1.0.0"},
	}))
	must[*codeartifact.DeletePackageOutput](t)(c.DeletePackage(ctx, &codeartifact.DeletePackageInput{Domain: domain, Repository: repo, Format: types.PackageFormatGeneric, Namespace: space, Package: name}))
	must[*codeartifact.DeletePackageGroupOutput](t)(c.DeletePackageGroup(ctx, &codeartifact.DeletePackageGroupInput{Domain: domain, PackageGroup: aws.String("/generic/tools/*")}))
}

func dataFolder(t *testing.T) string { return t.TempDir() + "/data" }
