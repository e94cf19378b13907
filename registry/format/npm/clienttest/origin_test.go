package clienttest_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"packhouse.dev/packhouse/registry/internal/clienttest"
)

// TestPrivateNames looks into the upstream's access log: a name that is blocked beforehand is never mentioned there, one that nothing
// blocks never after its first publish, whatever clients do.
func TestPrivateNames(t *testing.T) {
	t.Parallel()
	p, up := world(t, clienttest.Samples()+clienttest.Origin("@acme/secret-sauce", "Allow", "Block"))
	c := client(t, p, clienttest.NPM)
	work := func(name string) {
		t.Helper()
		c.OK("install", name)
		c.OK("view", name)
		c.OK("audit")
		c.OK("search", name)
		c.OK("update")
		c.OK("dist-tag", "add", name+"@1.0.0", "stable")
		c.OK("deprecate", name+"@1.0.0", "soon")
		c.Refused([]string{"ETARGET"}, "install", name+"@9.9.9")
		c.Refused([]string{"E404"}, "install", p.Registry("my-repo")+name+"/-/"+name[strings.LastIndex(name, "/")+1:]+"-9.9.9.tgz")
		other := client(t, p, clienttest.NPM)
		other.Becomes(clienttest.Package{Name: name, Version: "1.0.1"})
		other.OK("publish")
	}

	c.Refused([]string{"E404"}, "view", "@acme/secret-sauce")
	publish := func(name string) {
		t.Helper()
		other := client(t, p, clienttest.NPM)
		other.Becomes(clienttest.Package{Name: name, Version: "1.0.0"})
		other.OK("publish")
	}
	publish("@acme/secret-sauce")
	work("@acme/secret-sauce")
	if up.Heard(0, "secret-sauce") {
		t.Errorf("the upstream was told of a name that was blocked beforehand: %q", up.Log())
	}

	publish("plain-secret")
	if !up.Heard(0, "plain-secret") {
		t.Error("the upstream was not asked whether it has a name that nothing blocks")
	}
	known := len(up.Log())
	work("plain-secret")
	if up.Heard(known, "plain-secret") {
		t.Errorf("the upstream was asked for a name after its first publish: %q", up.Log()[known:])
	}
}

// versions are those that clients see.
func versions(t *testing.T, p *clienttest.Packhouse, name string) string {
	t.Helper()
	doc, err := p.Packument("my-repo", name)
	if err != nil {
		return err.Error()
	}
	return strings.Join(slices.Sorted(maps.Keys(doc.Versions)), " ")
}

// direct is one repository with the external connection, as in the pictures of the guide.
var direct = clienttest.Head + `---
apiVersion: packhouse.dev/v1alpha1
kind: Repository
metadata: {name: my-repo}
spec: {domainRef: {name: my-domain}, externalConnections: [{name: "public:npmjs"}]}
`

// TestScenarios are the three of the guide's "Common package access control scenarios".
func TestScenarios(t *testing.T) {
	t.Parallel()
	t.Run("external version of an internal package", func(t *testing.T) {
		t.Parallel()
		p, up := world(t, direct)
		c := client(t, p, clienttest.NPM)
		for _, v := range []string{"1.1.0", "2.1.0"} {
			c.Becomes(clienttest.Package{Name: "package-a", Version: v})
			c.OK("publish")
		}
		up.Add(clienttest.Package{Name: "package-a", Version: "3.0.0"})
		user := client(t, p, clienttest.NPM)
		user.OK("install", "package-a")
		user.Requires("package-a@2.1.0")
		user.Refused([]string{"ETARGET"}, "install", "package-a@3.0.0")
	})
	t.Run("internal version of an external package", func(t *testing.T) {
		t.Parallel()
		p, up := world(t, direct)
		up.Add(clienttest.Package{Name: "package-b", Version: "3.0.0"})
		user := client(t, p, clienttest.NPM)
		user.OK("install", "package-b")
		user.Becomes(clienttest.Package{Name: "package-b", Version: "3.2.0"})
		user.Refused([]string{"E403", "origin controls", "do not allow publishing"}, "publish")
		if got := versions(t, p, "package-b"); got != "3.0.0" {
			t.Errorf("versions %s", got)
		}
	})
	t.Run("patched version of an external package", func(t *testing.T) {
		t.Parallel()
		p, up := world(t, direct)
		up.Add(clienttest.Package{Name: "package-b", Version: "3.0.0"}, clienttest.Package{Name: "package-b", Version: "2.0.0", Tag: "old"})
		c := client(t, p, clienttest.NPM)
		c.OK("install", "package-b")

		// Publish: Allow and Upstream: Block. What is not retained is gone.
		p.Changes(t, direct+clienttest.Origin("package-b", "Allow", "Block"), func() bool { return versions(t, p, "package-b") == "3.0.0" })
		c.Becomes(clienttest.Package{Name: "package-b", Version: "3.0.1"})
		c.OK("publish")
		if got := versions(t, p, "package-b"); got != "3.0.0 3.0.1" {
			t.Errorf("after the patch: versions %s", got)
		}

		// And back.
		p.Changes(t, direct+clienttest.Origin("package-b", "Block", "Allow"), func() bool { return versions(t, p, "package-b") == "2.0.0 3.0.0 3.0.1" })
		c.Becomes(clienttest.Package{Name: "package-b", Version: "3.0.2"})
		c.Refused([]string{"E403", "do not allow publishing"}, "publish")
		user := client(t, p, clienttest.NPM)
		user.OK("install", "package-b@3.0.1")
		user.Requires("package-b@3.0.1")
	})
}

// TestReachable is the list of the guide's "Publishing and upstream repositories".
func TestReachable(t *testing.T) {
	t.Parallel()
	p, up := world(t, clienttest.Samples()+clienttest.Origin("both", "Allow", "Allow")+clienttest.Origin("ours", "Allow", "Block")+clienttest.Origin("theirs", "Block", "Allow"))
	tests := []struct {
		name, version string
		status        int
		says          string
	}{
		{"both", "1.0.0", http.StatusConflict, "is in public:npmjs"},
		{"both", "1.1.0", http.StatusCreated, ""},
		{"ours", "1.0.0", http.StatusCreated, ""},
		{"theirs", "1.0.0", http.StatusForbidden, "do not allow publishing"},
		{"theirs", "1.1.0", http.StatusForbidden, "do not allow publishing"},
		{"unknown", "1.0.0", http.StatusCreated, ""},
	}
	for _, name := range []string{"both", "ours", "theirs"} {
		up.Add(clienttest.Package{Name: name, Version: "1.0.0", Fields: map[string]any{"description": "theirs"}})
	}
	for _, tt := range tests {
		status, answer := p.Publish(t, "my-repo", clienttest.Package{Name: tt.name, Version: tt.version})
		if status != tt.status || !strings.Contains(answer, tt.says) {
			t.Errorf("publish %s@%s: got %d %s; want %d %q", tt.name, tt.version, status, answer, tt.status, tt.says)
		}
	}
	// A tag that an upstream has as well is told to the client, because it will not see it.
	c := client(t, p, clienttest.NPM)
	c.Becomes(clienttest.Package{Name: "both", Version: "1.2.0"})
	if out := c.OK("publish"); !strings.Contains(out, "An upstream of this repository has the same tag") {
		t.Errorf("no word about the tag latest:\n%s", out)
	}
	user := client(t, p, clienttest.NPM)
	user.OK("install", "both")
	user.Requires("both@1.0.0")
}

// TestChain is the guide's "Package retention in intermediate repositories": a version is kept where it was asked for and where it
// entered, not between.
func TestChain(t *testing.T) {
	t.Parallel()
	p, up := world(t, clienttest.Chain("public:npmjs"))
	c := clienttest.NewClient(t, clienttest.NPM).Use(p.Registry("repo-a"), p.Token)
	c.OK("view", "left-trim") // a list retains nothing
	if rows := p.Rows(); len(rows) != 0 {
		t.Errorf("after a look at the list: %+v", rows)
	}
	c.OK("install", "@open-source/util")
	row := func(repository, pkg, version string) clienttest.Row {
		return clienttest.Row{Repository: repository, Package: pkg, Version: version, Status: "Published", Origin: "EXTERNAL"}
	}
	want := []clienttest.Row{
		row("repo-a", "@open-source/util", "3.2.1"), row("repo-a", "left-trim", "1.1.0"),
		row("repo-c", "@open-source/util", "3.2.1"), row("repo-c", "left-trim", "1.1.0"),
	}
	if rows := p.Rows(); !slices.Equal(rows, want) {
		t.Errorf("got %+v\nwant %+v", rows, want)
	}
	// By way of repo-b, another version.
	between := clienttest.NewClient(t, clienttest.NPM).Use(p.Registry("repo-b"), p.Token)
	between.OK("install", "left-trim@1.0.0")
	want = []clienttest.Row{want[0], want[1], row("repo-b", "left-trim", "1.0.0"), want[2], row("repo-c", "left-trim", "1.0.0"), want[3]}
	if rows := p.Rows(); !slices.Equal(rows, want) {
		t.Errorf("got %+v\nwant %+v", rows, want)
	}

	// What entry and upstream do later does not touch what is kept; a version is fetched from outside once.
	asked := len(up.Log())
	p.Stop()
	p.SetStatus("repo-c", "left-trim", "1.1.0", "Archived")
	p.Restart()
	c.Clean()
	c.OK("ci")
	c.Requires("@open-source/util@3.2.1")
	if up.Heard(asked, ".tgz") {
		t.Errorf("fetched again: %q", up.Log()[asked:])
	}
	// Archived where it entered: hidden from everybody who has not kept it.
	between.Refused(nil, "install", "left-trim@1.1.0")
}
