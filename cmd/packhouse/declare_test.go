package main

import (
	"os"
	"strings"
	"testing"

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
