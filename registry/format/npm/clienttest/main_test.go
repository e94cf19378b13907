// Package clienttest_test runs npm, pnpm, Yarn 1, Yarn 4 and bun against "packhouse dev" over an upstream of its own. "make test-live"
// runs the tests named Live, which install real packages.
package clienttest_test

import (
	"os"
	"testing"

	"packhouse.dev/packhouse/registry/internal/clienttest"
)

func TestMain(m *testing.M) { os.Exit(clienttest.Main(m)) }

// each runs a test for every client.
func each(t *testing.T, test func(t *testing.T, kind clienttest.Kind)) {
	t.Helper()
	for _, kind := range clienttest.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			test(t, kind)
		})
	}
}

// world is a registry over an upstream with the catalogue.
func world(t *testing.T, manifests string) (*clienttest.Packhouse, *clienttest.Upstream) {
	t.Helper()
	up := clienttest.NewUpstream(t, clienttest.Catalogue()...)
	return clienttest.Start(t, clienttest.Options{Manifests: manifests, Upstream: up}), up
}

// client is configured for my-repo.
func client(t *testing.T, p *clienttest.Packhouse, kind clienttest.Kind) *clienttest.Client {
	t.Helper()
	return clienttest.NewClient(t, kind).Use(p.Registry("my-repo"), p.Token)
}
