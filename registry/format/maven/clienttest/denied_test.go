package clienttest_test

import (
	"net/http"
	"strings"
	"testing"

	"packhouse.dev/packhouse/registry/internal/clienttest"
)

// permissions let ci publish as the guide says ("Maven: PublishPackageVersion and PutPackageMetadata"), half without the second.
const permissions = `
---
apiVersion: packhouse.dev/v1alpha1
kind: IdentityPolicy
metadata: {name: read}
spec:
  subjects: [{serviceAccount: reader}, {serviceAccount: ci}, {serviceAccount: half}]
  managedPolicies: [AWSCodeArtifactReadOnlyAccess]
---
apiVersion: packhouse.dev/v1alpha1
kind: IdentityPolicy
metadata: {name: publish}
spec:
  subjects: [{serviceAccount: ci}]
  statements:
    - effect: Allow
      actions: [PublishPackageVersion, PutPackageMetadata]
      resources: ["arn:aws:codeartifact:*:*:package/my-domain/my-repo/maven/com.mycompany.app/*"]
---
apiVersion: packhouse.dev/v1alpha1
kind: IdentityPolicy
metadata: {name: half}
spec:
  subjects: [{serviceAccount: half}]
  statements:
    - {effect: Allow, actions: [PublishPackageVersion], resources: ["*"]}
`

func tokenAs(t *testing.T, p *clienttest.Packhouse, principal string) string {
	t.Helper()
	out, err := p.Run("token", "--data-dir", p.DataDir, "--as", principal)
	if err != nil {
		t.Fatalf("token --as %s: %v\n%s", principal, err, out)
	}
	return strings.TrimSpace(out)
}

// TestDenied is what a user sees of missing permissions and tokens.
func TestDenied(t *testing.T) {
	t.Parallel()
	p := start(t, clienttest.Head+clienttest.Repository("my-repo")+permissions, "")
	u := newMaven(t, p, "my-repo")
	u.library(p, "my-repo", "my-app", "1.0", "one")
	token := func(s string) { u.Env = []string{"CODEARTIFACT_AUTH_TOKEN=" + s} }
	token("wrong")
	u.mvnRefused([]string{"BUILD FAILURE", "401 Unauthorized"}, "deploy")
	token(tokenAs(t, p, "role:reader"))
	u.mvnRefused([]string{"BUILD FAILURE", "403 Forbidden"}, "deploy")
	token(tokenAs(t, p, "role:half"))
	u.mvnRefused([]string{"Failed to deploy metadata", "403 Forbidden"}, "deploy")
	if got := statuses(p, "my-repo"); len(got) != 1 || got[0] != "my-app 1.0 Unfinished" {
		t.Errorf("held: %q", got)
	}
	token(tokenAs(t, p, "role:ci"))
	u.mvn("deploy") // the same bytes again: a second try is no conflict
	u.fresh("com.mycompany.app")
	u.uses(p, "my-repo", "com.mycompany.app:my-app:1.0")
	token(tokenAs(t, p, "role:reader"))
	u.mvn("compile")
	u.fresh("com.mycompany.app")
	token("wrong")
	u.mvnRefused([]string{"401 Unauthorized"}, "compile")
	at := address(p, "my-repo") + "com/mycompany/app/my-app/"
	for token, want := range map[string]int{"": http.StatusUnauthorized, tokenAs(t, p, "role:nobody"): http.StatusForbidden} {
		for _, path := range []string{"maven-metadata.xml", "1.0/my-app-1.0.jar", "1.0/my-app-1.0.jar.sha1", "1.0-SNAPSHOT/maven-metadata.xml"} {
			if status, body, err := clienttest.Do(http.MethodGet, at+path, token, nil); err != nil || status != want {
				t.Errorf("GET %s: %d %s %v", path, status, body, err)
			}
		}
	}

	// Archived and deleted.
	p.Stop()
	p.SetStatus("my-repo", "my-app", "1.0", "Archived")
	p.Restart()
	token(p.Token)
	u.fresh("com.mycompany.app")
	u.mvnRefused([]string{"Could not find artifact com.mycompany.app:my-app:jar:1.0"}, "compile")
	u.library(p, "my-repo", "my-app", "1.0", "one")
	u.mvnRefused([]string{"409 Conflict"}, "deploy")
}
