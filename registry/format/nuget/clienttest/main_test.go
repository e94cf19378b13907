// Package clienttest_test runs a client that asks as NuGet's does against "packhouse dev" over a feed like nuget.org. .NET itself is
// not installed where these tests run.
package clienttest_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"packhouse.dev/packhouse/registry/format/nuget/nugettest"
	"packhouse.dev/packhouse/registry/internal/clienttest"
)

func TestMain(m *testing.M) { os.Exit(clienttest.Main(m)) }

// head declares the domain; repositories follow.
const head = `
apiVersion: packhouse.dev/v1alpha1
kind: Registry
metadata: {name: default}
spec: {}
---
apiVersion: packhouse.dev/v1alpha1
kind: Domain
metadata: {name: my-domain}
spec: {}
`

// repository declares one over an upstream; "public:nuget-org" is the connection.
func repository(name, upstream string) string {
	spec := "domainRef: {name: my-domain}"
	switch {
	case strings.Contains(upstream, ":"):
		spec += fmt.Sprintf(", externalConnections: [{name: %q}]", upstream)
	case upstream != "":
		spec += ", upstreams: [{name: " + upstream + "}]"
	}
	return "---\napiVersion: packhouse.dev/v1alpha1\nkind: Repository\nmetadata: {name: " + name + "}\nspec: {" + spec + "}\n"
}

// group declares a package group for packages that are published here and come from nowhere else.
func group(pattern string) string {
	return fmt.Sprintf("---\napiVersion: packhouse.dev/v1alpha1\nkind: PackageGroup\nmetadata: {name: ours}\nspec:\n  domainRef: {name: my-domain}\n  pattern: %s\n"+
		"  originControls:\n    publish: {restriction: Allow}\n    externalUpstream: {restriction: Block}\n    internalUpstream: {restriction: Allow}\n", pattern)
}

// origin declares the origin controls of a package in my-repo.
func origin(name, publish, upstream string) string {
	return fmt.Sprintf("---\napiVersion: packhouse.dev/v1alpha1\nkind: PackageOriginConfiguration\nmetadata: {name: %s}\n"+
		"spec:\n  repositoryRef: {name: my-repo}\n  package: {format: nuget, name: %s}\n  publish: %s\n  upstream: %s\n", strings.ReplaceAll(name, ".", "-"), name, publish, upstream)
}

// samples is my-repo over nuget-store, which has public:nuget-org.
func samples() string {
	return head + repository("nuget-store", "public:nuget-org") + repository("my-repo", "nuget-store")
}

// start runs packhouse dev; index is the address of a feed for public:nuget-org, "" for one where nobody listens.
func start(t *testing.T, manifests, index string) *clienttest.Packhouse {
	t.Helper()
	if index == "" {
		index = "http://127.0.0.1:1/index.json"
	}
	return clienttest.Start(t, clienttest.Options{Manifests: manifests, Args: []string{"--external-connection-url", "public:nuget-org=" + index}})
}

// address is where a repository is, with a slash at the end.
func address(p *clienttest.Packhouse, repository string) string {
	return fmt.Sprintf("%s/%s-%s/nuget/%s/", p.Endpoint, p.Domain, p.Owner, repository)
}

func client(p *clienttest.Packhouse) *nugettest.Client {
	return &nugettest.Client{Source: address(p, "my-repo") + "v3/index.json", Token: p.Token}
}

// refused holds an error against the status and the texts that a user is to see.
func refused(t *testing.T, err error, status int, texts ...string) {
	t.Helper()
	var s *nugettest.StatusError
	if !errors.As(err, &s) || s.Status != status {
		t.Errorf("%v, want status %d", err, status)
		return
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%v, want it to say %q", err, text)
		}
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}
