package clienttest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"packhouse.dev/packhouse/registry/internal/clienttest"
)

// permissions lets the service account reader read, ci publish into one scope, and outsider nothing, whatever else says.
const permissions = `
---
apiVersion: packhouse.dev/v1alpha1
kind: IdentityPolicy
metadata: {name: read}
spec:
  subjects: [{serviceAccount: reader}, {serviceAccount: ci}, {user: outsider}]
  managedPolicies: [AWSCodeArtifactReadOnlyAccess]
---
apiVersion: packhouse.dev/v1alpha1
kind: IdentityPolicy
metadata: {name: publish}
spec:
  subjects: [{serviceAccount: ci}]
  statements:
    - effect: Allow
      actions: [PublishPackageVersion]
      resources: ["arn:aws:codeartifact:*:*:package/my-domain/my-repo/npm/acme/*"]
---
apiVersion: packhouse.dev/v1alpha1
kind: RepositoryPolicy
metadata: {name: my-repo}
spec:
  repositoryRef: {name: my-repo}
  statements:
    - {sid: NoOutsiders, effect: Deny, principals: [{user: {name: outsider}}], actions: ["*"], resources: ["*"]}
`

// as returns a client with a token of a principal.
func as(t *testing.T, p *clienttest.Packhouse, principal string) *clienttest.Client {
	t.Helper()
	out, err := p.Run("token", "--data-dir", p.DataDir, "--as", principal)
	if err != nil {
		t.Fatalf("token --as %s: %v\n%s", principal, err, out)
	}
	return clienttest.NewClient(t, clienttest.NPM).Use(p.Registry("my-repo"), strings.TrimSpace(out))
}

// TestDenied shows what npm prints when policies forbid something: which action on which resource, and what decided.
func TestDenied(t *testing.T) {
	t.Parallel()
	p, up := world(t, clienttest.Samples()+permissions)
	const arn = "arn:aws:codeartifact:local:111122223333:"
	reader, ci, outsider, nobody := as(t, p, "role:reader"), as(t, p, "serviceaccount:default/ci"), as(t, p, "user:outsider"), as(t, p, "role:nobody")

	reader.OK("install", "left-trim")
	reader.OK("ping")
	reader.Becomes(clienttest.Package{Name: "@acme/tool", Version: "1.0.0"})
	reader.Refused([]string{
		"E403", "User: arn:aws:sts::111122223333:assumed-role/reader/packhouse is not authorized to perform: codeartifact:PublishPackageVersion on resource: " + arn + "package/my-domain/my-repo/npm/acme/tool",
		"no identity policy and no resource policy allows it",
	}, "publish")

	ci.Becomes(clienttest.Package{Name: "@acme/tool", Version: "1.0.0"})
	ci.OK("publish")
	ci.Refused([]string{"E403", "codeartifact:PutPackageMetadata"}, "deprecate", "@acme/tool@1.0.0", "old")
	ci.Refused([]string{"E403", "codeartifact:PutPackageMetadata"}, "dist-tag", "add", "@acme/tool@1.0.0", "old")
	ci.Becomes(clienttest.Package{Name: "tool", Version: "1.0.0"})
	ci.Refused([]string{"E403", arn + "package/my-domain/my-repo/npm//tool"}, "publish")

	asked := len(up.Log())
	read := []string{"E403", "is not authorized to perform: codeartifact:ReadFromRepository on resource: " + arn + "repository/my-domain/my-repo"}
	denied := append(read, "explicitly denied by statement 1 (NoOutsiders) of RepositoryPolicy default/my-repo")
	outsider.Refused(denied, "view", "say-hello")
	outsider.Refused(denied, "install", p.Registry("my-repo")+"left-trim/-/left-trim-1.1.0.tgz")
	outsider.Refused(denied, "ping")
	outsider.Refused(denied, "search", "tool")
	nobody.Refused(append(read, "no identity policy and no resource policy allows it"), "view", "say-hello")
	if up.Heard(asked, "say-hello") {
		t.Error("the upstream was asked for who may not read")
	}

	// Policies hold within a second, in spite of documents and decisions that are remembered.
	reader.OK("view", "left-trim")
	barred := func() bool {
		status, _, err := clienttest.Do(http.MethodGet, p.Registry("my-repo")+"left-trim", reader.Token(), nil)
		return err == nil && status == http.StatusForbidden
	}
	p.Changes(t, clienttest.Samples()+strings.Replace(permissions, "user: {name: outsider}", "everyone: true", 1), barred)
	reader.Refused(denied, "view", "left-trim")

	out, err := p.Run("why", "--data-dir", p.DataDir, "role:reader", "ReadFromRepository", "my-domain/my-repo")
	for _, text := range []string{
		"No: explicitly denied by statement 1 (NoOutsiders) of RepositoryPolicy default/my-repo.", "assumed-role/reader/packhouse",
		"→  RepositoryPolicy default/my-repo", "IdentityPolicy default/read",
	} {
		if err != nil || !strings.Contains(out, text) {
			t.Errorf("why does not say %q: %v\n%s", text, err, out)
		}
	}
}

// group is the manifest of a package group whose controls are modes.
func group(name, pattern, publish, external, internal string) string {
	return fmt.Sprintf(`
---
apiVersion: packhouse.dev/v1alpha1
kind: PackageGroup
metadata: {name: %s}
spec:
  domainRef: {name: my-domain}
  pattern: %q
  originControls: {publish: {restriction: %s}, externalUpstream: {restriction: %s}, internalUpstream: {restriction: %s}}
`, name, pattern, publish, external, internal)
}

// TestBlockedByGroup shows what npm prints when package groups forbid something.
func TestBlockedByGroup(t *testing.T) {
	t.Parallel()
	p, up := world(t, clienttest.Samples()+
		group("corp", "/npm/corp/*", "Allow", "Block", "Allow")+
		group("frozen", "/npm//left-trim$", "Block", "Allow", "Allow"))
	up.Add(clienttest.Package{Name: "@corp/secret", Version: "99.0.0"}, clienttest.Package{Name: "@c0rp/secret", Version: "99.0.0"})
	c := client(t, p, clienttest.NPM)

	c.Refused([]string{"E404", "package group /npm/corp/* (PackageGroup default/corp) blocks EXTERNAL_UPSTREAM"}, "install", "@corp/secret")
	c.Refused([]string{"E404", "package npm/c0rp/secret is a variation of package group /npm/corp/* (PackageGroup default/corp) and blocked (weak match); a group of its own lifts that"}, "install", "@c0rp/secret")

	c.Becomes(clienttest.Package{Name: "left-trim", Version: "9.0.0"})
	c.Refused([]string{"E403", "package group /npm//left-trim$ (PackageGroup default/frozen) blocks PUBLISH"}, "publish")
	c.Becomes(clienttest.Package{Name: "@c0rp/secret", Version: "1.0.0"})
	c.Refused([]string{"E403", "is a variation of package group /npm/corp/* (PackageGroup default/corp) and blocked (weak match)"}, "publish")
	c.Becomes(clienttest.Package{Name: "@corp/secret", Version: "1.0.0"})
	c.OK("publish")
	user := client(t, p, clienttest.NPM)
	user.OK("install", "@corp/secret")
	user.Requires("@corp/secret@1.0.0")
	user.OK("install", "left-trim")

	for name, want := range map[string][]string{
		"@corp/secret@99.0.0": {"version 99.0.0 is in none of the places that are asked, and package group /npm/corp/* (PackageGroup default/corp) blocks EXTERNAL_UPSTREAM", "npm-store → public:npmjs  no"},
		"@corp/secret@1.0.0":  {"served from repository my-repo"},
		"@c0rp/secret":        {"as a variation"},
		"left-trim@1.1.0":     {"served from repository my-repo", "blocks PUBLISH"},
	} {
		out, err := p.Run("why", "package", name, "--data-dir", p.DataDir, "--format", "npm", "--repository", "my-repo")
		for _, text := range want {
			if err != nil || !strings.Contains(out, text) {
				t.Errorf("why package %s does not say %q: %v\n%s", name, text, err, out)
			}
		}
	}
	if up.Heard(0, "secret") {
		t.Errorf("the upstream heard of it: %q", up.Log())
	}
}

// TestDependencyConfusion is the drill: an upstream offers a newer version of an internal package, and names that look like it. None of
// them is listed, asked for or installed, whatever clients do, and packages that are nobody's secret still come.
func TestDependencyConfusion(t *testing.T) {
	t.Parallel()
	p, up := world(t, clienttest.Samples()+
		group("corp", "/npm/corp/*", "Allow", "Block", "Allow")+
		group("corp-secret", "/npm//corp-secret$", "Allow", "Block", "Allow"))
	internal := []string{"@corp/secret", "corp-secret"}
	near := []string{"@c0rp/secret", "@CORP/secret", "corp_secret", "Corp-Secret", "c0rp.secret"}
	for _, name := range append(internal, near...) {
		up.Add(clienttest.Package{Name: name, Version: "99.0.0"})
	}
	author, user := client(t, p, clienttest.NPM), client(t, p, clienttest.NPM)
	for _, name := range internal {
		author.Becomes(clienttest.Package{Name: name, Version: "1.0.0"})
		author.OK("publish")
		user.OK("install", name, "say-hello") // "latest"
		user.Requires(name + "@1.0.0")
		user.Refused(nil, "install", name+"@99.0.0")
		user.Refused(nil, "install", name+"@>1.0.0")
	}
	user.OK("update")
	user.OK("outdated")
	user.OK("audit")
	for _, name := range near {
		user.Refused([]string{"404"}, "install", name)
		user.Refused([]string{"404"}, "install", "decoy@npm:"+name+"@99.0.0")
		user.Refused(nil, "install", p.Registry("my-repo")+name+"/-/"+name[strings.LastIndex(name, "/")+1:]+"-99.0.0.tgz")
		user.Refused([]string{"404"}, "view", name)
		if got := versions(t, p, name); !strings.Contains(got, "404") {
			t.Errorf("%s is listed: %s", name, got)
		}
		author.Becomes(clienttest.Package{Name: name, Version: "1.0.0"})
		author.Refused(nil, "publish")
	}
	out := user.OK("search", "--json", "secret")
	var hits []struct{ Name, Version string }
	if err := json.Unmarshal([]byte(out[strings.Index(out, "["):]), &hits); err != nil || len(hits) != len(internal) {
		t.Errorf("search: %v\n%s", err, out)
	}
	names, err := json.Marshal(map[string][]string{"@corp/secret": {"1.0.0"}, "@c0rp/secret": {"99.0.0"}, "corp_secret": {"99.0.0"}, "say-hello": {"1.0.0"}})
	if err != nil {
		t.Fatal(err)
	}
	if status, answer, err := p.Do(http.MethodPost, p.Registry("my-repo")+"-/npm/v1/security/advisories/bulk", names); err != nil || status != http.StatusOK {
		t.Errorf("audit: %d %s %v", status, answer, err)
	}
	time.Sleep(100 * time.Millisecond) // what runs in the background has its chance
	for _, name := range append(internal, near...) {
		if up.Heard(0, name) || up.Heard(0, strings.ToLower(name)) {
			t.Errorf("the upstream heard of %s", name)
		}
	}
	if up.Heard(0, "secret") || !up.Heard(0, "say-hello") {
		t.Errorf("the upstream's log: %q", up.Log())
	}
	for _, row := range p.Rows() {
		if strings.Contains(row.Package, "secret") && (row.Origin != "INTERNAL" || row.Version != "1.0.0") {
			t.Errorf("%+v", row)
		}
	}
}
