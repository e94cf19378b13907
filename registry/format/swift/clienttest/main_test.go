// Package clienttest_test runs a client that asks as SwiftPM does against "packhouse dev". Swift itself is not installed where these
// tests run.
package clienttest_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"packhouse.dev/packhouse/registry/format/swift/swifttest"
	"packhouse.dev/packhouse/registry/internal/clienttest"
)

func TestMain(m *testing.M) { os.Exit(clienttest.Main(m)) }

// freshFor is longer than documents of the connection are taken for current.
const freshFor = 1100 * time.Millisecond

// connection declares another registry; there is no public one. It is asked again after a moment.
func connection(at string) string {
	return "---\napiVersion: packhouse.dev/v1alpha1\nkind: ExternalConnection\nmetadata: {name: others}\nspec: {format: swift, url: \"" + at + "\", allowPrivateAddresses: true, cache: {index: 1s, absent: 1s}}\n"
}

// single is my-repo alone; chain is my-repo over swift-store, which has the connection.
func single() string { return clienttest.Head + clienttest.Repository("my-repo") }

func chain(at string) string {
	return clienttest.Head + connection(at) + clienttest.Repository("swift-store", "connection:others") + clienttest.Repository("my-repo", "swift-store")
}

func start(t *testing.T, manifests string, args ...string) *clienttest.Packhouse {
	t.Helper()
	return clienttest.Start(t, clienttest.Options{Manifests: manifests, Args: args})
}

func address(p *clienttest.Packhouse, repository string) string {
	return p.Address("swift", repository)
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
