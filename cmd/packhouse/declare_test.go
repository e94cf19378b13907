package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact/types"
)

// TestDeclare: what the service API declares outlives the process, and never touches what a manifest declares.
func TestDeclare(t *testing.T) {
	t.Parallel()
	dir := dataFolder(t)
	r := startDev(t, dir, emptyYAML)
	c, ctx, domain := newServiceClient(r), t.Context(), aws.String("declared")
	must[*codeartifact.CreateRepositoryOutput](t)(c.CreateRepository(ctx, &codeartifact.CreateRepositoryInput{Domain: domain, Repository: aws.String("Kept_One"), Description: aws.String("first")}))

	_, err := c.UpdateRepository(ctx, &codeartifact.UpdateRepositoryInput{Domain: domain, Repository: aws.String("theirs"), Description: aws.String("x")})
	refused(t, "ConflictException", err)
	if err == nil || !strings.Contains(err.Error(), "m.yaml") {
		t.Errorf("the manifest is not named: %v", err)
	}
	for name, change := range map[string]func() error{
		"a connection that there is not": func() error {
			_, err := c.AssociateExternalConnection(ctx, &codeartifact.AssociateExternalConnectionInput{Domain: domain, Repository: aws.String("Kept_One"), ExternalConnection: aws.String("public:nothing")})
			return err
		},
		"a circle": func() error {
			_, err := c.UpdateRepository(ctx, &codeartifact.UpdateRepositoryInput{Domain: domain, Repository: aws.String("Kept_One"), Upstreams: []types.UpstreamRepository{{RepositoryName: aws.String("Kept_One")}}})
			return err
		},
	} {
		if err := change(); err == nil {
			t.Errorf("%s is taken", name)
		}
		refused(t, "ValidationException", change())
	}
	// Names are those of a domain: another one of the account may have them, too.
	second := aws.String("second")
	must[*codeartifact.CreateDomainOutput](t)(c.CreateDomain(ctx, &codeartifact.CreateDomainInput{Domain: second}))
	for _, name := range []string{"theirs", "Kept_One"} {
		must[*codeartifact.CreateRepositoryOutput](t)(c.CreateRepository(ctx, &codeartifact.CreateRepositoryInput{Domain: second, Repository: &name}))
		_, err := c.CreateRepository(ctx, &codeartifact.CreateRepositoryInput{Domain: second, Repository: &name})
		refused(t, "ConflictException", err)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range left {
		if strings.HasPrefix(e.Name(), ".declared-") {
			t.Errorf("%s was left behind", e.Name())
		}
	}

	// A manifest that declares the same thing later counts.
	r = startDev(t, dir, emptyYAML+`---
apiVersion: packhouse.dev/v1alpha1
kind: Repository
metadata: {name: kept}
spec: {domainRef: {name: declared}, name: Kept_One, description: second}
---
apiVersion: packhouse.dev/v1alpha1
kind: Repository
metadata: {name: another}
spec: {domainRef: {name: declared}}
`)
	c = newServiceClient(r)
	got := must[*codeartifact.DescribeRepositoryOutput](t)(c.DescribeRepository(ctx, &codeartifact.DescribeRepositoryInput{Domain: domain, Repository: aws.String("Kept_One")})).Repository
	if *got.Description != "second" {
		t.Errorf("the description is %q, want the manifest's", *got.Description)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	r = startDev(t, dir, emptyYAML)
	c = newServiceClient(r)
	got = must[*codeartifact.DescribeRepositoryOutput](t)(c.DescribeRepository(ctx, &codeartifact.DescribeRepositoryInput{Domain: domain, Repository: aws.String("Kept_One")})).Repository
	if *got.Description != "first" {
		t.Errorf("the description is %q, want what was kept", *got.Description)
	}
}

// TestGroupTimes: a package group of a manifest was created when the registry had it first, and stays that old.
func TestGroupTimes(t *testing.T) {
	t.Parallel()
	const groups = emptyYAML + `---
apiVersion: packhouse.dev/v1alpha1
kind: PackageGroup
metadata: {name: one}
spec: {domainRef: {name: declared}, pattern: /npm/one/*}
`
	const more = `---
apiVersion: packhouse.dev/v1alpha1
kind: PackageGroup
metadata: {name: another}
spec: {domainRef: {name: declared}, pattern: /npm/another/*}
`
	created := func(r *running, pattern string) time.Time {
		t.Helper()
		out := must[*codeartifact.DescribePackageGroupOutput](t)(newServiceClient(r).DescribePackageGroup(t.Context(), &codeartifact.DescribePackageGroupInput{
			Domain: aws.String("declared"), PackageGroup: &pattern,
		}))
		return *out.PackageGroup.CreatedTime
	}
	dir, begin := dataFolder(t), time.Now().Truncate(time.Second)
	r := startDev(t, dir, groups)
	first := created(r, "/npm/one/*")
	if first.Before(begin) || first.After(time.Now()) {
		t.Fatalf("the group was created at %v, want after %v", first, begin)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Until(first.Add(2 * time.Second))) // times are of whole seconds
	r = startDev(t, dir, groups+more)
	if got := created(r, "/npm/one/*"); !got.Equal(first) {
		t.Errorf("after a restart it was created at %v, want %v", got, first)
	}
	if got := created(r, "/npm/another/*"); !got.After(first) {
		t.Errorf("the second group was created at %v, want after %v", got, first)
	}
}
