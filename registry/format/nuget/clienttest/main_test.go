// Package clienttest_test runs a client that asks as NuGet's does against "packhouse dev" over a feed like nuget.org. .NET itself is
// not installed where these tests run.
package clienttest_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"packhouse.dev/packhouse/registry/format/nuget/nugettest"
	"packhouse.dev/packhouse/registry/internal/clienttest"
)

func TestMain(m *testing.M) { os.Exit(clienttest.Main(m)) }

// connection is the one that the tests give a feed of their own.
const connection = "public:nuget-org"

func samples() string { return clienttest.StoreFor("nuget-store", connection) }

func origin(name, publish, upstream string) string {
	return clienttest.OriginControls("nuget", "", name, publish, upstream)
}

// start runs packhouse dev; upstream is the address of a feed, "" for one where nobody listens.
func start(t *testing.T, manifests, upstream string) *clienttest.Packhouse {
	t.Helper()
	return clienttest.StartOver(t, manifests, connection, upstream)
}

func address(p *clienttest.Packhouse, repository string) string {
	return p.Address("nuget", repository)
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
