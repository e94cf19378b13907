package clienttest_test

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"packhouse.dev/packhouse/registry/internal/clienttest"
)

// TestDeploy deploys a release and resolves it, as the guide has it ("Publish artifacts", "Fetch dependencies").
func TestDeploy(t *testing.T) {
	t.Parallel()
	p := start(t, samples(), "")
	u := newMaven(t, p, "my-repo")
	u.library(p, "my-repo", "my-app", "1.0", "one")
	u.mvn("deploy")
	at := address(p, "my-repo") + "com/mycompany/app/my-app/"
	list := expect(t, p, http.StatusOK, "<release>1.0</release>", http.MethodGet, at+"maven-metadata.xml", "")
	if !strings.Contains(list, "<version>1.0</version>") || !strings.Contains(list, "<latest>1.0</latest>") {
		t.Errorf("metadata:\n%s", list)
	}
	u.fresh("com.mycompany.app")
	u.uses(p, "my-repo", "com.mycompany.app:my-app:1.0")
	u.mvn("-C", "compile") // checksums are strict

	// The same version again, from other sources, is a conflict; a new one is not.
	u.library(p, "my-repo", "my-app", "1.0", "something else")
	u.mvnRefused([]string{"BUILD FAILURE", "my-app-1.0.jar, status: 409 Conflict"}, "deploy")
	u.library(p, "my-repo", "my-app", "1.1", "two")
	u.mvn("deploy")
	list = expect(t, p, http.StatusOK, "<release>1.1</release>", http.MethodGet, at+"maven-metadata.xml", "")
	if !strings.Contains(list, "<version>1.0</version>") {
		t.Errorf("metadata:\n%s", list)
	}
	u.fresh("com.mycompany.app")
	u.uses(p, "my-repo", "com.mycompany.app:my-app:[1.0,2.0)")
	u.mvn("-C", "compile")
	if got := u.mvn("dependency:list"); !strings.Contains(got, "com.mycompany.app:my-app:jar:1.1:compile") {
		t.Errorf("a range resolves to\n%s", got)
	}
	if diff := cmp.Diff([]string{"my-app 1.0 Published", "my-app 1.1 Published"}, statuses(p, "my-repo")); diff != "" {
		t.Error(diff)
	}
}

// TestThirdParty follows "Publish third-party artifacts": deploy:deploy-file of a jar that has no project.
func TestThirdParty(t *testing.T) {
	t.Parallel()
	p := start(t, samples(), "")
	u := newMaven(t, p, "my-repo")
	u.Write("commons-cli-1.4.jar", "PK no jar at all")
	u.mvn("deploy:deploy-file", "-DgroupId=commons-cli", "-DartifactId=commons-cli", "-Dversion=1.4", "-Dfile=./commons-cli-1.4.jar", "-Dpackaging=jar",
		"-DrepositoryId=codeartifact", "-Durl="+address(p, "my-repo"))
	at := address(p, "my-repo") + "commons-cli/commons-cli/"
	expect(t, p, http.StatusOK, "PK no jar", http.MethodGet, at+"1.4/commons-cli-1.4.jar", "")
	expect(t, p, http.StatusOK, "<artifactId>commons-cli</artifactId>", http.MethodGet, at+"1.4/commons-cli-1.4.pom", "")
	expect(t, p, http.StatusOK, "<release>1.4</release>", http.MethodGet, at+"maven-metadata.xml", "")
	if diff := cmp.Diff([]string{"commons-cli 1.4 Published"}, statuses(p, "my-repo")); diff != "" {
		t.Error(diff)
	}
}

// curl puts a file as the guide's examples do ("Publishing with curl").
func (u *user) curl(p *clienttest.Packhouse, path, file string) string {
	u.T.Helper()
	return strings.TrimSpace(u.OK(clienttest.Program(u.T, "curl"), "-sS", "-o", "answer", "-w", "%{http_code}", "--request", "PUT", address(p, "my-repo")+path,
		"--user", "aws:"+p.Token, "--header", "Content-Type: application/octet-stream", "--data-binary", "@"+file))
}

const listOfOne = `<metadata modelVersion="1.1.0">
  <groupId>com.mycompany.app</groupId>
  <artifactId>my-app</artifactId>
  <versioning>
    <latest>1.0</latest>
    <release>1.0</release>
    <versions>
      <version>1.0</version>
    </versions>
    <lastUpdated>20200731090423</lastUpdated>
  </versioning>
</metadata>
`

const pomOfOne = `<project><modelVersion>4.0.0</modelVersion><groupId>com.mycompany.app</groupId><artifactId>my-app</artifactId><version>1.0</version></project>`

// TestCurl follows "Publish a Maven artifact with curl" and "Use Maven checksums".
func TestCurl(t *testing.T) {
	t.Parallel()
	p := start(t, samples(), "")
	u := newUser(t)
	jar := "the jar"
	u.Write("my-app-1.0.jar", jar)
	u.Write("my-app-1.0.pom", pomOfOne)
	u.Write("maven-metadata.xml", listOfOne)
	dir := "com/mycompany/app/my-app/"
	put := func(path, file, want, says string) {
		t.Helper()
		if got := u.curl(p, path, file); got != want {
			t.Errorf("PUT %s: %s, want %s: %s", path, got, want, u.Read("answer"))
		}
		if says != "" && !strings.Contains(u.Read("answer"), says) {
			t.Errorf("PUT %s says %q, want %q", path, u.Read("answer"), says)
		}
	}
	md5Of, sha1Of, sha256Of := fmt.Sprintf("%x", md5.Sum([]byte(jar))), fmt.Sprintf("%x", sha1.Sum([]byte(jar))), fmt.Sprintf("%x", sha256.Sum256([]byte(jar)))
	u.Write("sha256", sha256Of)
	u.Write("upper", strings.ToUpper(md5Of))
	u.Write("md5", md5Of+"  my-app-1.0.jar\n")

	put(dir+"1.0/my-app-1.0.jar.sha256", "sha256", "404", "upload the file first")
	put(dir+"1.0/my-app-1.0.jar", "my-app-1.0.jar", "201", "")
	put(dir+"1.0/my-app-1.0.jar", "my-app-1.0.jar", "200", "")
	put(dir+"1.0/my-app-1.0.jar.sha256", "sha256", "201", "")
	put(dir+"1.0/my-app-1.0.jar.md5", "upper", "400", "the md5 of my-app-1.0.jar is "+md5Of)
	put(dir+"1.0/my-app-1.0.pom", "my-app-1.0.pom", "201", "")
	at := address(p, "my-repo") + dir
	// Unfinished: not listed, not served. A mismatch is remembered until the right checksum comes.
	expect(t, p, http.StatusNotFound, "", http.MethodGet, at+"maven-metadata.xml", "")
	expect(t, p, http.StatusNotFound, "", http.MethodGet, at+"1.0/my-app-1.0.jar", "")
	expect(t, p, http.StatusNotFound, "", http.MethodGet, at+"1.0/my-app-1.0.jar.sha1", "")
	put(dir+"maven-metadata.xml", "maven-metadata.xml", "400", "my-app-1.0.jar.md5 did not match the file")
	put(dir+"1.0/my-app-1.0.jar.md5", "md5", "201", "")
	put(dir+"maven-metadata.xml", "maven-metadata.xml", "201", "")
	put(dir+"maven-metadata.xml.sha256", "sha256", "201", "")
	expect(t, p, http.StatusOK, jar, http.MethodGet, at+"1.0/my-app-1.0.jar", "")
	if got := expect(t, p, http.StatusOK, "", http.MethodGet, at+"1.0/my-app-1.0.jar.sha1", ""); got != sha1Of {
		t.Errorf("sha1 is %q", got)
	}
	// After that, files may be added, checksums are ours, and a mismatch is a 400 that changes nothing.
	put(dir+"1.0/my-app-1.0-sources.jar", "sha256", "201", "")
	put(dir+"1.0/my-app-1.0-sources.jar.sha256", "upper", "400", "")
	put(dir+"1.0/my-app-1.0.tar.gz.asc", "sha256", "201", "")
	expect(t, p, http.StatusOK, sha256Of, http.MethodGet, at+"1.0/my-app-1.0-sources.jar", "")
	expect(t, p, http.StatusOK, sha256Of, http.MethodGet, at+"1.0/my-app-1.0.tar.gz.asc", "")
	put(dir+"1.0/my-app-1.0.jar", "my-app-1.0.pom", "409", "other bytes of my-app-1.0.jar")
	// What is no address, and what has none.
	for _, path := range []string{".meta/prefixes.txt", ".index/nexus-maven-repository-index.gz", "archetype-catalog.xml", "", "com/", "com/mycompany/app/my-app/1.0/"} {
		expect(t, p, http.StatusNotFound, "", http.MethodGet, address(p, "my-repo")+path, "")
	}
	headers := u.OK("curl", "-sS", "-I", "--user", "aws:"+p.Token, at+"1.0/my-app-1.0.jar")
	for _, want := range []string{"X-Checksum-Sha1: " + sha1Of, "X-Checksum-Md5: " + md5Of, "Content-Length: 7", "Etag: ", "Last-Modified: ", "Accept-Ranges: bytes"} {
		if !strings.Contains(headers, want) {
			t.Errorf("HEAD has no %q:\n%s", want, headers)
		}
	}
	if got := u.OK("curl", "-sS", "--user", "aws:"+p.Token, "-H", "Accept: application/problem+json, */*", at+"9/my-app-9.jar"); !strings.Contains(got, `"status":404`) {
		t.Errorf("problem: %s", got)
	}
}

// TestParallel puts 50 files of one version at once.
func TestParallel(t *testing.T) {
	t.Parallel()
	p := start(t, samples(), "")
	at := address(p, "my-repo") + "com/mycompany/app/my-app/"
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			url := fmt.Sprintf("%s1.0/my-app-1.0-c%d.jar", at, i)
			body := fmt.Sprintf("file %d", i)
			if status, answer, err := p.Do(http.MethodPut, url, []byte(body)); err != nil || status != http.StatusCreated {
				t.Errorf("PUT %s: %d %s %v", url, status, answer, err)
			}
			if status, answer, err := p.Do(http.MethodPut, url+".sha1", fmt.Appendf(nil, "%x", sha1.Sum([]byte(body)))); err != nil || status != http.StatusCreated {
				t.Errorf("PUT %s.sha1: %d %s %v", url, status, answer, err)
			}
		})
	}
	all.Wait()
	expect(t, p, http.StatusCreated, "", http.MethodPut, at+"maven-metadata.xml", listOfOne)
	for i := range 50 {
		expect(t, p, http.StatusOK, fmt.Sprintf("file %d", i), http.MethodGet, fmt.Sprintf("%s1.0/my-app-1.0-c%d.jar", at, i), "")
	}
	// Several versions that wait for the same list.
	for _, v := range []string{"2.0", "3.0"} {
		expect(t, p, http.StatusCreated, "", http.MethodPut, at+v+"/my-app-"+v+".jar", v)
	}
	expect(t, p, http.StatusCreated, "", http.MethodPut, at+"maven-metadata.xml", strings.Replace(listOfOne, "<versions>", "<versions><version>2.0</version><version>3.0</version>", 1))
	if diff := cmp.Diff([]string{"my-app 1.0 Published", "my-app 2.0 Published", "my-app 3.0 Published"}, statuses(p, "my-repo")); diff != "" {
		t.Error(diff)
	}
}
