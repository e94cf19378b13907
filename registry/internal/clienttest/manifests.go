package clienttest

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// Head declares a domain; repositories follow.
const Head = `
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

// Repository declares a repository over others, in this order, or over an external connection, which has a colon: "public:npmjs", or
// "connection:NAME" for one that is declared, too.
func Repository(name string, over ...string) string {
	spec := "{domainRef: {name: my-domain}"
	switch {
	case len(over) == 1 && strings.Contains(over[0], ":"):
		spec += fmt.Sprintf(", externalConnections: [{name: %q}]", strings.TrimPrefix(over[0], "connection:"))
	case len(over) > 0:
		spec += ", upstreams: [{name: " + strings.Join(over, "}, {name: ") + "}]"
	}
	return manifest("Repository", name, spec+"}")
}

// Samples is the topology of the user guide's getting started page: my-repo over npm-store, which has public:npmjs.
func Samples() string { return StoreFor("npm-store", "public:npmjs") }

// StoreFor is the same for another connection.
func StoreFor(store, connection string) string {
	return Head + Repository(store, connection) + Repository("my-repo", store)
}

// Chain is three repositories: repo-a over repo-b over repo-c, which has the connection (guide, "Package retention in intermediate
// repositories").
func Chain(connection string) string {
	return Head + Repository("repo-c", connection) + Repository("repo-b", "repo-c") + Repository("repo-a", "repo-b")
}

// Origin declares the origin controls of an npm package in my-repo. publish and upstream are Allow, Block or "".
func Origin(pkg, publish, upstream string) string {
	namespace, name, scoped := strings.Cut(strings.TrimPrefix(pkg, "@"), "/")
	if !scoped {
		namespace, name = "", pkg
	}
	return OriginControls("npm", namespace, name, publish, upstream)
}

// OriginControls declares those of a package of any format.
func OriginControls(format, namespace, name, publish, upstream string) string {
	id := fmt.Sprintf("format: %s, name: %q", format, name)
	if namespace != "" {
		id += fmt.Sprintf(", namespace: %q", namespace)
	}
	spec := "{repositoryRef: {name: my-repo}, package: {" + id + "}"
	for _, s := range []struct{ key, value string }{{"publish", publish}, {"upstream", upstream}} {
		if s.value != "" {
			spec += ", " + s.key + ": " + s.value
		}
	}
	object := strings.ToLower(strings.Trim(namespace+"-"+name, "-"))
	return manifest("PackageOriginConfiguration", strings.NewReplacer("_", "-", ".", "-").Replace(object), spec+"}")
}

// Group declares a package group for packages that are published here and come from nowhere else.
func Group(pattern string) string {
	return manifest("PackageGroup", "ours", fmt.Sprintf("{domainRef: {name: my-domain}, pattern: %q, originControls: "+
		"{publish: {restriction: Allow}, externalUpstream: {restriction: Block}, internalUpstream: {restriction: Allow}}}", pattern))
}

func manifest(kind, name, spec string) string {
	return fmt.Sprintf("---\napiVersion: packhouse.dev/v1alpha1\nkind: %s\nmetadata: {name: %s}\nspec: %s\n", kind, name, spec)
}

// servedWithin is how long a change of manifests may take until it is served (issue of the first release: "within 1 s"), on a machine
// that does nothing else.
const servedWithin = time.Second

// slack is for a machine that runs other tests.
const slack = 4 * time.Second

// Changes declares manifests and waits until served says that they are in force. It returns how long that took.
func (p *Packhouse) Changes(t testing.TB, manifests string, served func() bool) time.Duration {
	t.Helper()
	begin := time.Now()
	p.Declare(manifests)
	for !served() {
		if time.Since(begin) > servedWithin+slack {
			t.Fatalf("a change of the manifests was not served within %v", servedWithin+slack)
		}
		time.Sleep(5 * time.Millisecond)
	}
	took := time.Since(begin)
	if took > servedWithin {
		t.Logf("a change of the manifests was served after %v", took)
	}
	return took
}
