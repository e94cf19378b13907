package clienttest_test

import (
	"archive/zip"
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"packhouse.dev/packhouse/registry/internal/clienttest"
)

// likeGradle publishes as Gradle's maven-publish does: jar, POM, module metadata, sources, each with four checksums, and the metadata
// last. Debian's gradle cannot: its Maven libraries have no HTTP.
func likeGradle(t *testing.T, p *clienttest.Packhouse, version, file, metadata string) {
	t.Helper()
	at := address(p, "my-repo") + "com/mycompany/app/my-app/"
	put := func(path, body string) {
		t.Helper()
		expect(t, p, http.StatusCreated, "", http.MethodPut, at+path, body)
		b := []byte(body)
		for extension, sum := range map[string]string{
			".sha1": fmt.Sprintf("%x", sha1.Sum(b)), ".md5": fmt.Sprintf("%x", md5.Sum(b)), ".sha256": fmt.Sprintf("%x", sha256.Sum256(b)), ".sha512": fmt.Sprintf("%x", sha512.Sum512(b)),
		} {
			expect(t, p, http.StatusCreated, "", http.MethodPut, at+path+extension, sum)
		}
	}
	var jar bytes.Buffer
	z := zip.NewWriter(&jar)
	if _, err := z.Create("META-INF/" + file); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	name := version + "/my-app-" + file
	put(name+".jar", jar.String())
	put(name+".pom", `<project><modelVersion>4.0.0</modelVersion><!-- do_not_remove: published-with-gradle-metadata -->
<groupId>com.mycompany.app</groupId><artifactId>my-app</artifactId><version>`+version+`</version></project>`)
	put(name+".module", `{"formatVersion":"1.1","component":{"group":"com.mycompany.app","module":"my-app","version":"`+version+`"},"variants":[]}`)
	put(name+"-sources.jar", jar.String())
	if strings.HasSuffix(version, "-SNAPSHOT") {
		put(version+"/maven-metadata.xml", metadata)
	}
	put("maven-metadata.xml", `<metadata><groupId>com.mycompany.app</groupId><artifactId>my-app</artifactId><versioning><latest>`+version+`</latest><release>`+version+
		`</release><versions><version>`+version+`</version></versions></versioning></metadata>`)
	expect(t, p, http.StatusOK, `"formatVersion"`, http.MethodGet, at+name+".module", "")
}

// TestGradle resolves releases, dynamic versions, snapshots and classifiers with Gradle ("Use CodeArtifact with Gradle").
func TestGradle(t *testing.T) {
	t.Parallel()
	gradle := clienttest.Program(t, "gradle")
	p := start(t, samples(), newTree(t).URL)
	likeGradle(t, p, "1.0", "1.0", "")
	likeGradle(t, p, "1.1", "1.1", "")
	const gradleBuild = "<metadata><groupId>com.mycompany.app</groupId><artifactId>my-app</artifactId><version>2.0-SNAPSHOT</version><versioning><snapshot><timestamp>20260101.0000%[1]s</timestamp>" +
		"<buildNumber>%[2]s</buildNumber></snapshot><snapshotVersions><snapshotVersion><extension>jar</extension><value>2.0-20260101.0000%[1]s-%[2]s</value></snapshotVersion></snapshotVersions></versioning></metadata>"
	likeGradle(t, p, "2.0-SNAPSHOT", "2.0-20260101.000001-1", fmt.Sprintf(gradleBuild, "01", "1"))
	likeGradle(t, p, "2.0-SNAPSHOT", "2.0-20260101.000002-2", fmt.Sprintf(gradleBuild, "02", "2"))

	u := newUser(t)
	u.Env = []string{"CODEARTIFACT_AUTH_TOKEN=" + p.Token}
	u.Write("settings.gradle", "rootProject.name = 'user'\n")
	resolve := func(dependency string) []string {
		u.Write("build.gradle", fmt.Sprintf(`
apply plugin: 'java'
repositories { maven { url '%s'
  credentials { username 'aws'
    password System.env.CODEARTIFACT_AUTH_TOKEN } } }
dependencies { compile '%s' }
task show { doLast { configurations.compile.each { println 'GOT ' + it.name + ' ' + new java.util.zip.ZipFile(it).entries().nextElement().name } } }
`, address(p, "my-repo"), dependency))
		return []string{"--no-daemon", "--refresh-dependencies", "show"}
	}
	for dependency, want := range map[string]string{
		"com.mycompany.app:my-app:1.0": "GOT my-app-1.0.jar META-INF/1.0\n", "com.mycompany.app:my-app:1.+": "GOT my-app-1.1.jar",
		"com.mycompany.app:my-app:2.0-SNAPSHOT": "META-INF/2.0-20260101.000002-2\n", "com.mycompany.app:my-app:1.0:sources": "GOT my-app-1.0-sources.jar", "com.mycompany.app:my-app:latest.release": "GOT my-app-1.1.jar",
	} {
		if out := u.OK(gradle, resolve(dependency)...); !strings.Contains(out, want) {
			t.Errorf("%s: no %q in\n%s", dependency, want, out)
		}
	}
	u.Refused([]string{"Could not find com.mycompany.app:none:1.0"}, gradle, resolve("com.mycompany.app:none:1.0")...)
}
