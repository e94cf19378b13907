package clienttest

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// Chain is three repositories: repo-a over repo-b over repo-c, which has public:npmjs (guide, "Package retention in intermediate
// repositories").
const Chain = head + `
---
apiVersion: packhouse.dev/v1alpha1
kind: Repository
metadata: {name: repo-c}
spec: {domainRef: {name: my-domain}, externalConnections: [{name: "public:npmjs"}]}
---
apiVersion: packhouse.dev/v1alpha1
kind: Repository
metadata: {name: repo-b}
spec: {domainRef: {name: my-domain}, upstreams: [{name: repo-c}]}
---
apiVersion: packhouse.dev/v1alpha1
kind: Repository
metadata: {name: repo-a}
spec: {domainRef: {name: my-domain}, upstreams: [{name: repo-b}]}
`

// Origin is the manifest of a PackageOriginConfiguration for my-repo. publish and upstream are Allow, Block or "".
func Origin(pkg, publish, upstream string) string {
	namespace, name, scoped := strings.Cut(strings.TrimPrefix(pkg, "@"), "/")
	id := "name: " + pkg
	if scoped {
		id = "namespace: " + namespace + ", name: " + name
	}
	var settings string
	if publish != "" {
		settings += "\n  publish: " + publish
	}
	if upstream != "" {
		settings += "\n  upstream: " + upstream
	}
	return fmt.Sprintf(`
---
apiVersion: packhouse.dev/v1alpha1
kind: PackageOriginConfiguration
metadata: {name: %s}
spec:
  repositoryRef: {name: my-repo}
  package: {format: npm, %s}%s
`, strings.NewReplacer("@", "", "/", "-").Replace(pkg), id, settings)
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
