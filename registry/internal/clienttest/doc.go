// Package clienttest drives the real thing from outside: the packhouse binary with manifests, a public npm registry that is not
// public, and the npm clients of hack/clients with a home of their own. Only tests import it.
//
// Clients that are not installed ("make clients") skip their tests and say so; REQUIRE_CLIENTS=1 turns that into a failure.
package clienttest
