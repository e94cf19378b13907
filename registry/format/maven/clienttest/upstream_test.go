package clienttest_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"packhouse.dev/packhouse/registry/internal/clienttest"
)

// eventually waits for what happens in the background.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for range 100 {
		if done() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Errorf("%s: not within 5 s", what)
}

// TestImport follows "Requesting Maven packages from upstreams and external connections".
func TestImport(t *testing.T) {
	t.Parallel()
	up := newTree(t)
	up.artifact("junit", "junit", "4.12", "4.13.2", "5.0-SNAPSHOT")
	up.put("junit/junit/4.13.2/junit-4.13.2-sources.jar", "sources")
	up.put("junit/junit/4.13.2/junit-4.13.2-windows.jar", "windows")
	up.put("junit/junit/5.0-SNAPSHOT/maven-metadata.xml", "<metadata/>")
	p := start(t, clienttest.Chain(connection), up.URL)
	at := address(p, "repo-a") + "junit/junit/"

	list := expect(t, p, http.StatusOK, "<release>4.13.2</release>", http.MethodGet, at+"maven-metadata.xml", "")
	if strings.Contains(list, "SNAPSHOT") || !strings.Contains(list, "<version>4.12</version>") || !strings.Contains(list, "20240506070809") {
		t.Errorf("metadata:\n%s", list)
	}
	if len(p.Rows()) != 0 {
		t.Errorf("a list retains %v", p.Rows())
	}
	// The checksum first, and HEAD.
	expect(t, p, http.StatusOK, "", http.MethodHead, at+"4.13.2/junit-4.13.2.jar", "")
	expect(t, p, http.StatusNotFound, "", http.MethodHead, at+"4.13.2/junit-4.13.2.war", "")
	sum := expect(t, p, http.StatusOK, "", http.MethodGet, at+"4.13.2/junit-4.13.2.pom.sha1", "")
	if sum != up.files["/junit/junit/4.13.2/junit-4.13.2.pom.sha1"] {
		t.Errorf("checksum %q", sum)
	}
	expect(t, p, http.StatusOK, "<project>", http.MethodGet, at+"4.13.2/junit-4.13.2.pom", "")
	// All standard files come with the first, and no others.
	eventually(t, "standard files are imported", func() bool {
		return len(up.heard("4.13.2-sources.jar")) > 1 && len(up.heard("4.13.2-javadoc.jar")) > 0 && slices.Contains(up.heard("4.13.2.jar"), "/junit/junit/4.13.2/junit-4.13.2.jar")
	})
	if got := up.heard("windows"); len(got) > 0 {
		t.Errorf("asked for %q", got)
	}
	expect(t, p, http.StatusOK, "windows", http.MethodGet, at+"4.13.2/junit-4.13.2-windows.jar", "")
	expect(t, p, http.StatusNotFound, "", http.MethodGet, at+"4.13.2/junit-4.13.2-javadoc.jar", "")
	expect(t, p, http.StatusNotFound, "", http.MethodGet, at+"4.13.3/junit-4.13.3.pom", "")
	// Snapshots are not imported.
	expect(t, p, http.StatusNotFound, "", http.MethodGet, at+"5.0-SNAPSHOT/maven-metadata.xml", "")
	expect(t, p, http.StatusNotFound, "", http.MethodGet, at+"5.0-SNAPSHOT/junit-5.0-SNAPSHOT.jar", "")
	if got := up.heard("/5.0-SNAPSHOT/"); len(got) > 0 {
		t.Errorf("asked for %q", got)
	}
	for repo, want := range map[string][]string{"repo-a": {"junit 4.13.2 Published"}, "repo-b": nil, "repo-c": {"junit 4.13.2 Published"}} {
		if diff := cmp.Diff(want, statuses(p, repo)); diff != "" {
			t.Errorf("%s: %s", repo, diff)
		}
	}

	// Offline: what is there stays, and what is not is no absence.
	eventually(t, "sources are there", func() bool {
		_, body := do(t, p, http.MethodGet, at+"4.13.2/junit-4.13.2-sources.jar", "")
		return body == "sources"
	})
	up.goDown(true)
	expect(t, p, http.StatusOK, "sources", http.MethodGet, at+"4.13.2/junit-4.13.2-sources.jar", "")
	expect(t, p, http.StatusOK, "windows", http.MethodGet, address(p, "repo-c")+"junit/junit/4.13.2/junit-4.13.2-windows.jar", "")
	expect(t, p, http.StatusServiceUnavailable, "", http.MethodGet, at+"4.12/junit-4.12.jar", "")
	expect(t, p, http.StatusServiceUnavailable, "", http.MethodGet, at+"4.13.2/junit-4.13.2-other.jar", "")
	expect(t, p, http.StatusServiceUnavailable, "", http.MethodGet, address(p, "repo-a")+"other/other/maven-metadata.xml", "")
	expect(t, p, http.StatusOK, "4.13.2", http.MethodGet, at+"maven-metadata.xml", "")
	up.goDown(false)

	// The version is archived between: gone here.
	p.Stop()
	p.SetStatus("repo-a", "junit", "4.13.2", "Archived")
	p.Restart()
	expect(t, p, http.StatusNotFound, "archived", http.MethodGet, at+"4.13.2/junit-4.13.2.jar", "")
	expect(t, p, http.StatusNotFound, "archived", http.MethodGet, at+"4.13.2/junit-4.13.2.pom.sha1", "")
	expect(t, p, http.StatusOK, "<release>4.12</release>", http.MethodGet, at+"maven-metadata.xml", "")
}

// TestCorrupt: what does not have the checksum of the upstream never reaches anyone, and rubbish is no list.
func TestCorrupt(t *testing.T) {
	t.Parallel()
	up := newTree(t)
	up.artifact("org.example", "lib", "1.0")
	up.only("org/example/lib/1.0/lib-1.0.jar", "something else")
	up.artifact("org.example", "rubbish", "1.0")
	up.put("org/example/rubbish/maven-metadata.xml", "<html><body>Please log in</body></html>")
	p := start(t, samples(), up.URL)
	at := address(p, "my-repo") + "org/example/"
	status, body, err := p.Do(http.MethodGet, at+"lib/1.0/lib-1.0.jar", nil)
	if err == nil && status == http.StatusOK {
		t.Errorf("got %q", body)
	}
	expect(t, p, http.StatusOK, "<project>", http.MethodGet, at+"lib/1.0/lib-1.0.pom", "")
	expect(t, p, http.StatusServiceUnavailable, "", http.MethodGet, at+"rubbish/maven-metadata.xml", "")
	up.only("org/example/lib/1.0/lib-1.0.jar", "jar of lib 1.0")
	eventually(t, "the right bytes come once they are there", func() bool {
		status, body, err := p.Do(http.MethodGet, at+"lib/1.0/lib-1.0.jar", nil)
		return err == nil && status == http.StatusOK && string(body) == "jar of lib 1.0"
	})
}

// TestMixed: files of one version never come from two places ("Checking asset origins").
func TestMixed(t *testing.T) {
	t.Parallel()
	up := newTree(t)
	up.artifact("org.example", "lib", "1.0")
	up.put("org/example/lib/1.0/lib-1.0-extra.jar", "theirs")
	p := start(t, samples()+origin("org.example", "lib", "Allow", "Allow")+origin("org.example", "ours", "Allow", "Allow"), up.URL)
	at := address(p, "my-repo") + "org/example/"
	expect(t, p, http.StatusConflict, "is in public:maven-central, an upstream of repository", http.MethodPut, at+"lib/1.0/lib-1.0.jar", "ours")
	expect(t, p, http.StatusOK, "jar of lib", http.MethodGet, at+"lib/1.0/lib-1.0.jar", "")
	expect(t, p, http.StatusConflict, "published files do not mix", http.MethodPut, at+"lib/1.0/lib-1.0-mine.jar", "ours")
	expect(t, p, http.StatusCreated, "", http.MethodPut, at+"ours/1.0/ours-1.0.jar", "ours")
	expect(t, p, http.StatusCreated, "", http.MethodPut, at+"ours/maven-metadata.xml", "<metadata><versioning><versions><version>1.0</version></versions></versioning></metadata>")
	up.artifact("org.example", "ours", "1.0")
	up.put("org/example/ours/1.0/ours-1.0-extra.jar", "theirs")
	expect(t, p, http.StatusOK, "ours", http.MethodGet, at+"ours/1.0/ours-1.0.jar", "")
	expect(t, p, http.StatusNotFound, "", http.MethodGet, at+"ours/1.0/ours-1.0-extra.jar", "")
}

// TestConfusion: a name that is ours is never asked for outside, and a group of the package groups is not, either.
func TestConfusion(t *testing.T) {
	t.Parallel()
	up := newTree(t)
	up.artifact("com.mycompany.app", "my-app", "1.0", "99.0")
	up.artifact("com.mycompany.app", "theirs", "1.0")
	up.artifact("com.secret", "sauce", "99.0")
	group := "---\napiVersion: packhouse.dev/v1alpha1\nkind: PackageGroup\nmetadata: {name: secret}\nspec:\n  domainRef: {name: my-domain}\n  pattern: /maven/com.secret/*\n" +
		"  originControls: {externalUpstream: {restriction: Block}}\n"
	p := start(t, samples()+group+origin("com.mycompany.app", "my-app", "Allow", "Block"), up.URL)
	u := newMaven(t, p, "my-repo")
	u.library(p, "my-repo", "my-app", "1.0", "ours")
	u.mvn("deploy")
	u.fresh("com.mycompany.app")
	u.uses(p, "my-repo", "com.mycompany.app:my-app:[1.0,)")
	u.mvn("compile")
	if got := u.mvn("dependency:list"); !strings.Contains(got, "my-app:jar:1.0:compile") {
		t.Errorf("resolved\n%s", got)
	}
	if got := up.heard("my-app"); len(got) > 0 {
		t.Errorf("the upstream was asked for %q", got)
	}
	u.uses(p, "my-repo", "com.secret:sauce:99.0")
	u.mvnRefused([]string{"Could not find artifact com.secret:sauce:jar:99.0"}, "compile")
	expect(t, p, http.StatusNotFound, "package group", http.MethodGet, address(p, "my-repo")+"com/secret/sauce/maven-metadata.xml", "")
	expect(t, p, http.StatusNotFound, "", http.MethodGet, address(p, "my-repo")+"com/secret/maven-metadata.xml", "")
	if got := up.heard("sauce"); len(got) > 0 {
		t.Errorf("the upstream was asked for %q", got)
	}
	// What came from there is not published over.
	expect(t, p, http.StatusOK, "jar of theirs", http.MethodGet, address(p, "my-repo")+"com/mycompany/app/theirs/1.0/theirs-1.0.jar", "")
	u.library(p, "my-repo", "theirs", "1.1", "x")
	u.mvnRefused([]string{"403 Forbidden"}, "deploy")
}

// TestDebian: mvn builds, deploys and compiles against a repository of which everything, its plugins included, comes through the
// registry from a real tree of files without lists and checksums.
func TestDebian(t *testing.T) {
	t.Parallel()
	clienttest.Program(t, "mvn")
	if _, err := os.Stat(filepath.Join(debianTree, "org/apache/maven/plugins/maven-dependency-plugin")); err != nil {
		clienttest.Missing(t, "libmaven-dependency-plugin-java")
	}
	up := httptest.NewServer(http.FileServer(http.Dir(debianTree)))
	t.Cleanup(up.Close)
	p := start(t, samples(), up.URL)
	u := newUser(t)
	u.Env = []string{"CODEARTIFACT_AUTH_TOKEN=" + p.Token}
	u.settings("<mirrors><mirror><id>codeartifact</id><url>" + address(p, "my-repo") + "</url><mirrorOf>*</mirrorOf></mirror></mirrors>")
	u.library(p, "my-repo", "my-app", "1.0", "one")
	u.mvn("-C", "deploy")
	rows := statuses(p, "maven-store")
	if !slices.Contains(rows, "maven-deploy-plugin 3.0.0 Published") || len(rows) < 50 {
		t.Errorf("%d versions came from the tree: %q", len(rows), rows)
	}
	up.Close() // what was fetched once is here
	u.fresh("")
	u.uses(p, "my-repo", "com.mycompany.app:my-app:1.0")
	u.mvn("-C", "compile")
}

// TestPlugins: prefixes of plugins that were published here and of those that an upstream lists, in one group and across a chain.
func TestPlugins(t *testing.T) {
	t.Parallel()
	up := newTree(t)
	list := func(entries ...string) string {
		var b strings.Builder
		for _, e := range entries {
			b.WriteString("<plugin><name>" + e + "</name><prefix>" + e + "</prefix><artifactId>" + e + "-maven-plugin</artifactId></plugin>")
		}
		return "<metadata><plugins>" + b.String() + "</plugins></metadata>"
	}
	up.put("org/codehaus/mojo/maven-metadata.xml", list("exec", "versions"))
	up.put("com/mycompany/maven-metadata.xml", list("evil"))
	up.artifact("org.codehaus.mojo", "exec-maven-plugin", "3.0")
	p := start(t, samples(), up.URL)
	at := address(p, "my-repo")
	got := expect(t, p, http.StatusOK, "<prefix>exec</prefix>", http.MethodGet, at+"org/codehaus/mojo/maven-metadata.xml", "")
	if sum := expect(t, p, http.StatusOK, "", http.MethodGet, at+"org/codehaus/mojo/maven-metadata.xml.sha1", ""); sum != sha1Of(got) {
		t.Errorf("the checksum is %s, and that of the list %s", sum, sha1Of(got))
	}
	publish := func(repository, group, artifact, prefix string) {
		dir := address(p, repository) + strings.ReplaceAll(group, ".", "/") + "/" + artifact
		expect(t, p, http.StatusCreated, "", http.MethodPut, dir+"/1.0/"+artifact+"-1.0.jar", pluginJar(t, prefix))
		expect(t, p, http.StatusCreated, "", http.MethodPut, dir+"/maven-metadata.xml", "<metadata><versioning><versions><version>1.0</version></versions></versioning></metadata>")
		expect(t, p, http.StatusCreated, "", http.MethodPut, address(p, repository)+strings.ReplaceAll(group, ".", "/")+"/maven-metadata.xml", list(prefix))
	}
	publish("maven-store", "org.codehaus.mojo", "ours-maven-plugin", "ours")
	publish("my-repo", "com.mycompany", "greeting", "hello")
	got = expect(t, p, http.StatusOK, "<artifactId>ours-maven-plugin</artifactId>", http.MethodGet, at+"org/codehaus/mojo/maven-metadata.xml", "")
	if strings.Contains(got, "<prefix>versions</prefix>") {
		t.Errorf("all that is known of the group is our own, and the upstream is believed\n%s", got)
	}
	expect(t, p, http.StatusOK, "<project>", http.MethodGet, at+"org/codehaus/mojo/exec-maven-plugin/3.0/exec-maven-plugin-3.0.pom", "")
	got = expect(t, p, http.StatusOK, "<artifactId>ours-maven-plugin</artifactId>", http.MethodGet, at+"org/codehaus/mojo/maven-metadata.xml", "")
	if !strings.Contains(got, "<prefix>versions</prefix>") {
		t.Errorf("plugins:\n%s", got)
	}
	expect(t, p, http.StatusOK, "<prefix>hello</prefix>", http.MethodGet, at+"com/mycompany/maven-metadata.xml", "")
	expect(t, p, http.StatusNotFound, "", http.MethodGet, at+"com/nobody/maven-metadata.xml", "")
	// A stranger's list for a group that is all ours is not believed.
	if got := expect(t, p, http.StatusOK, "<prefix>hello</prefix>", http.MethodGet, at+"com/mycompany/maven-metadata.xml", ""); strings.Contains(got, "evil") {
		t.Errorf("plugins:\n%s", got)
	}
}
