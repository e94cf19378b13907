package clienttest_test

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"packhouse.dev/packhouse/registry/internal/clienttest"
)

const pkg1 = "com/mycompany/myapp/pkg-1/1.0-SNAPSHOT/"

// build is the metadata of a build as the guide has it ("Snapshot publishing with curl").
func build(timestamp, number string) string {
	version := "1.0-" + timestamp + "-" + number
	when := strings.Replace(timestamp, ".", "", 1)
	entry := func(extension string) string {
		return "<snapshotVersion><extension>" + extension + "</extension><value>" + version + "</value><updated>" + when + "</updated></snapshotVersion>"
	}
	return `<?xml version="1.0" encoding="UTF-8"?>
<metadata>
  <groupId>com.mycompany.myapp</groupId>
  <artifactId>pkg-1</artifactId>
  <version>1.0-SNAPSHOT</version>
  <versioning>
    <snapshot><timestamp>` + timestamp + `</timestamp><buildNumber>` + number + `</buildNumber></snapshot>
    <lastUpdated>` + when + `</lastUpdated>
    <snapshotVersions>` + entry("jar") + entry("pom") + `</snapshotVersions>
  </versioning>
</metadata>
`
}

// putBuild uploads the files of a build, and then its metadata.
func putBuild(t *testing.T, p *clienttest.Packhouse, repository, timestamp, number string, extensions ...string) {
	t.Helper()
	for _, e := range extensions {
		name := "pkg-1-1.0-" + timestamp + "-" + number + e
		expect(t, p, http.StatusCreated, "", http.MethodPut, address(p, repository)+pkg1+name, name)
	}
	expect(t, p, http.StatusCreated, "", http.MethodPut, address(p, repository)+pkg1+"maven-metadata.xml", build(timestamp, number))
}

// TestSnapshotGuide follows "Snapshot publishing in CodeArtifact", "Consuming snapshot versions" and "Snapshot publishing with curl".
func TestSnapshotGuide(t *testing.T) {
	t.Parallel()
	p := start(t, samples(), "")
	at := address(p, "my-repo") + pkg1
	put := func(status int, says, name, body string) {
		t.Helper()
		expect(t, p, status, says, http.MethodPut, at+name, body)
	}
	put(http.StatusBadRequest, "snapshots are published as builds", "pkg-1-1.0-SNAPSHOT.jar", "x")
	put(http.StatusCreated, "", "pkg-1-1.0-20210728.194552-1.jar", "jar one")
	put(http.StatusCreated, "", "pkg-1-1.0-20210728.194552-1.pom", "<project/>")
	if diff := cmp.Diff([]string{"pkg-1 1.0-20210728.194552-1 Unfinished"}, statuses(p, "my-repo")); diff != "" {
		t.Error(diff)
	}
	expect(t, p, http.StatusNotFound, "", http.MethodGet, at+"maven-metadata.xml", "")
	put(http.StatusBadRequest, "has to name a file of build", "maven-metadata.xml", build("20210729.171330", "2"))
	put(http.StatusBadRequest, "timestamp", "maven-metadata.xml", strings.Replace(build("20210728.194552", "1"), "<timestamp>20210728.194552</timestamp>", "", 1))
	put(http.StatusBadRequest, "has to name a file", "maven-metadata.xml", regexp.MustCompile(`(?s)<snapshotVersions>.*</snapshotVersions>`).ReplaceAllString(build("20210728.194552", "1"), ""))
	put(http.StatusCreated, "", "maven-metadata.xml", build("20210728.194552", "1"))
	if diff := cmp.Diff([]string{"pkg-1 1.0-20210728.194552-1 Unlisted", "pkg-1 1.0-SNAPSHOT Published"}, statuses(p, "my-repo")); diff != "" {
		t.Error(diff)
	}
	got := expect(t, p, http.StatusOK, "", http.MethodGet, at+"maven-metadata.xml", "")
	want := build("20210728.194552", "1")
	want = strings.Replace(want, "<metadata>", `<metadata modelVersion="1.1.0">`, 1)
	if diff := cmp.Diff(strings.Join(strings.Fields(want), ""), strings.Join(strings.Fields(got), "")); diff != "" {
		t.Error(diff)
	}
	// A build by its own folder, the snapshot by its own name, and an older build beside a newer one.
	put(http.StatusCreated, "", "pkg-1-1.0-20210729.171330-2.jar", "jar two")
	put(http.StatusCreated, "", "maven-metadata.xml", build("20210729.171330", "2"))
	expect(t, p, http.StatusOK, "jar two", http.MethodGet, at+"pkg-1-1.0-SNAPSHOT.jar", "")
	expect(t, p, http.StatusOK, "<project/>", http.MethodGet, at+"pkg-1-1.0-SNAPSHOT.pom", "")
	expect(t, p, http.StatusOK, "jar one", http.MethodGet, at+"pkg-1-1.0-20210728.194552-1.jar", "")
	expect(t, p, http.StatusOK, "jar one", http.MethodGet, strings.Replace(at, "1.0-SNAPSHOT", "1.0-20210728.194552-1", 1)+"pkg-1-1.0-20210728.194552-1.jar", "")
	got = expect(t, p, http.StatusOK, "<buildNumber>2</buildNumber>", http.MethodGet, at+"maven-metadata.xml", "")
	if strings.Count(got, "<value>1.0-20210729.171330-2</value>") != 1 || strings.Count(got, "<value>1.0-20210728.194552-1</value>") != 1 {
		t.Errorf("metadata:\n%s", got)
	}
	expect(t, p, http.StatusOK, "<latest>1.0-SNAPSHOT</latest>", http.MethodGet, strings.TrimSuffix(at, "1.0-SNAPSHOT/")+"maven-metadata.xml", "")
	expect(t, p, http.StatusNotFound, "", http.MethodGet, at+"pkg-1-1.0-SNAPSHOT.war", "")
	// An older build that comes late changes nothing.
	putBuild(t, p, "my-repo", "20210728.235959", "7", ".jar")
	expect(t, p, http.StatusOK, "jar two", http.MethodGet, at+"pkg-1-1.0-SNAPSHOT.jar", "")

	p.Stop()
	p.SetStatus("my-repo", "pkg-1", "1.0-SNAPSHOT", "Archived")
	p.Restart()
	expect(t, p, http.StatusNotFound, "", http.MethodGet, at+"maven-metadata.xml", "")
	expect(t, p, http.StatusNotFound, "", http.MethodGet, at+"pkg-1-1.0-SNAPSHOT.jar", "")
}

// TestSnapshotsUpstream: of builds in a repository and in its upstream, the newest is told, and may be published beside the other
// (readings 4.1, A3).
func TestSnapshotsUpstream(t *testing.T) {
	t.Parallel()
	p := start(t, clienttest.Head+clienttest.Repository("up")+clienttest.Repository("my-repo", "up")+origin("com.mycompany.myapp", "pkg-1", "Allow", "Allow"), "")
	at := address(p, "my-repo") + pkg1
	putBuild(t, p, "up", "20210728.194552", "1", ".jar")
	expect(t, p, http.StatusOK, "<timestamp>20210728.194552</timestamp>", http.MethodGet, at+"maven-metadata.xml", "")
	expect(t, p, http.StatusOK, "194552-1.jar", http.MethodGet, at+"pkg-1-1.0-20210728.194552-1.jar", "")
	if diff := cmp.Diff([]string{"pkg-1 1.0-20210728.194552-1 Unlisted"}, statuses(p, "my-repo")); diff != "" {
		t.Errorf("retained: %s", diff)
	}
	putBuild(t, p, "my-repo", "20210729.171330", "2", ".jar")
	expect(t, p, http.StatusOK, "<timestamp>20210729.171330</timestamp>", http.MethodGet, at+"maven-metadata.xml", "")
	putBuild(t, p, "up", "20210730.000000", "3", ".jar")
	expect(t, p, http.StatusOK, "<timestamp>20210730.000000</timestamp>", http.MethodGet, at+"maven-metadata.xml", "")
	expect(t, p, http.StatusConflict, "is in up, an upstream", http.MethodPut, at+"pkg-1-1.0-20210730.000000-3.jar", "mine")
}

// TestSnapshotDeploys: mvn deploys a snapshot again and again, two at once, and consumes the newest.
func TestSnapshotDeploys(t *testing.T) {
	t.Parallel()
	p := start(t, samples(), "")
	one, two := newMaven(t, p, "my-repo"), newMaven(t, p, "my-repo")
	one.library(p, "my-repo", "my-app", "1.0-SNAPSHOT", "one")
	two.library(p, "my-repo", "my-app", "1.0-SNAPSHOT", "two")
	one.mvn("deploy")
	var both sync.WaitGroup
	for _, u := range []*user{one, two} {
		both.Go(func() {
			out, err := u.Run("mvn", mvnArgs([]string{"deploy"})...)
			if err != nil && strings.Contains(out, "409 Conflict") { // both chose the same number in the same second; the next has another
				out, err = u.Run("mvn", mvnArgs([]string{"deploy"})...)
			}
			if err != nil {
				t.Errorf("mvn deploy: %v\n%s", err, out)
			}
		})
	}
	both.Wait()
	var builds []string
	for _, s := range statuses(p, "my-repo") {
		f := strings.Fields(s)
		if f[1] == "1.0-SNAPSHOT" {
			if f[2] != "Published" {
				t.Error(s)
			}
			continue
		}
		if f[2] != "Unlisted" {
			t.Error(s)
		}
		builds = append(builds, f[1])
	}
	slices.Sort(builds)
	if len(builds) != 3 {
		t.Fatalf("builds: %q", builds)
	}
	newest := builds[len(builds)-1]
	expect(t, p, http.StatusOK, "<value>"+newest+"</value>", http.MethodGet, address(p, "my-repo")+"com/mycompany/app/my-app/1.0-SNAPSHOT/maven-metadata.xml", "")

	one.fresh("com.mycompany.app")
	one.uses(p, "my-repo", "com.mycompany.app:my-app:1.0-SNAPSHOT")
	one.mvn("-C", "compile") // checksums are strict
	if got := one.Read(fmt.Sprintf("../home/.m2/repository/com/mycompany/app/my-app/1.0-SNAPSHOT/my-app-%s.pom", newest)); !strings.Contains(got, "my-app") {
		t.Errorf("POM: %s", got)
	}
}
