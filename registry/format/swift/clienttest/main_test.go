// Package clienttest_test runs a client that asks as SwiftPM does against "packhouse dev". Swift itself is not installed where these
// tests run.
package clienttest_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"packhouse.dev/packhouse/registry/format/swift/swifttest"
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

// repository declares one over an upstream, or over a connection, which has a ":" in its name.
func repository(name, upstream string) string {
	spec := "domainRef: {name: my-domain}"
	switch {
	case strings.Contains(upstream, ":"):
		spec += ", externalConnections: [{name: " + strings.TrimPrefix(upstream, "connection:") + "}]"
	case upstream != "":
		spec += ", upstreams: [{name: " + upstream + "}]"
	}
	return "---\napiVersion: packhouse.dev/v1alpha1\nkind: Repository\nmetadata: {name: " + name + "}\nspec: {" + spec + "}\n"
}

// freshFor is longer than documents of the connection are taken for current.
const freshFor = 1100 * time.Millisecond

// connection declares another registry; there is no public one. It is asked again after a moment.
func connection(at string) string {
	return "---\napiVersion: packhouse.dev/v1alpha1\nkind: ExternalConnection\nmetadata: {name: others}\nspec: {format: swift, url: \"" + at + "\", allowPrivateAddresses: true, cache: {index: 1s, absent: 1s}}\n"
}

// group declares a package group for packages that are published here and come from nowhere else.
func group(pattern string) string {
	return fmt.Sprintf("---\napiVersion: packhouse.dev/v1alpha1\nkind: PackageGroup\nmetadata: {name: ours}\nspec:\n  domainRef: {name: my-domain}\n  pattern: %s\n"+
		"  originControls:\n    publish: {restriction: Allow}\n    externalUpstream: {restriction: Block}\n    internalUpstream: {restriction: Allow}\n", pattern)
}

// single is my-repo alone; chain is my-repo over swift-store, which has the connection.
func single() string { return head + repository("my-repo", "") }

func chain(at string) string {
	return head + connection(at) + repository("swift-store", "connection:others") + repository("my-repo", "swift-store")
}

func start(t *testing.T, manifests string, args ...string) *clienttest.Packhouse {
	t.Helper()
	return clienttest.Start(t, clienttest.Options{Manifests: manifests, Args: args})
}

// address is where a repository is, with a slash at the end.
func address(p *clienttest.Packhouse, repository string) string {
	return fmt.Sprintf("%s/%s-%s/swift/%s/", p.Endpoint, p.Domain, p.Owner, repository)
}

func client(p *clienttest.Packhouse) *swifttest.Client {
	return &swifttest.Client{Registry: address(p, "my-repo"), Token: p.Token}
}

// refused holds an error against the status and the texts that a user is to see.
func refused(t *testing.T, err error, status int, texts ...string) {
	t.Helper()
	var p *swifttest.Problem
	if !errors.As(err, &p) || p.Status != status || p.Detail == "" {
		t.Errorf("%v, want a problem with status %d", err, status)
		return
	}
	for _, text := range texts {
		if !strings.Contains(p.Detail, text) {
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
