// Package clienttest_test runs mvn, gradle and curl against "packhouse dev" over Maven repositories of its own.
//
// Debian has all of them, and the plugins of mvn as a tree of files: maven, maven-repo-helper's /usr/share/maven-repo and the packages
// libmaven-*-plugin-java, gradle, default-jdk-headless. A client that is not there skips its tests and says so; REQUIRE_CLIENTS=1 turns
// that into a failure.
package clienttest_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"packhouse.dev/packhouse/registry/internal/clienttest"
)

func TestMain(m *testing.M) { os.Exit(clienttest.Main(m)) }

// connection is the one that the tests give a Maven repository of their own.
const connection = "public:maven-central"

func samples() string { return clienttest.StoreFor("maven-store", connection) }

func origin(group, name, publish, upstream string) string {
	return clienttest.OriginControls("maven", group, name, publish, upstream)
}

// start runs packhouse dev; upstream is the address of a Maven repository, "" for one where nobody listens.
func start(t *testing.T, manifests, upstream string) *clienttest.Packhouse {
	t.Helper()
	return clienttest.StartOver(t, manifests, connection, upstream)
}

func address(p *clienttest.Packhouse, repository string) string {
	return p.Address("maven", repository)
}

// statuses are the versions that a repository holds: "name version Status".
func statuses(p *clienttest.Packhouse, repository string) []string {
	var out []string
	for _, row := range p.Rows() {
		if row.Repository == repository {
			_, name, _ := strings.Cut(row.Package, "/")
			out = append(out, name+" "+row.Version+" "+row.Status)
		}
	}
	return out
}

// do sends a request with a token and returns status and body.
func do(t *testing.T, p *clienttest.Packhouse, method, url, body string) (int, string) {
	t.Helper()
	var sent []byte
	if method == http.MethodPut {
		sent = []byte(body)
	}
	status, answer, err := p.Do(method, url, sent)
	if err != nil {
		t.Fatal(err)
	}
	return status, string(answer)
}

// expect sends a request and compares the status, and what the body contains.
func expect(t *testing.T, p *clienttest.Packhouse, status int, contains, method, url, body string) string {
	t.Helper()
	got, answer := do(t, p, method, url, body)
	if got != status || !strings.Contains(answer, contains) {
		t.Errorf("%s %s: %d %s\nwant %d %q", method, url, got, answer, status, contains)
	}
	return answer
}

// debianTree is a real Maven repository: that of Debian's packages, which has neither lists nor checksums.
const debianTree = "/usr/share/maven-repo"

// user is somebody with mvn, gradle and curl.
type user struct{ *clienttest.User }

func newUser(t *testing.T) *user {
	t.Helper()
	u := clienttest.NewUser(t)
	return &user{u.With(
		"NO_COLOR=1", "CI=1", "TERM=dumb", "MAVEN_OPTS=-Duser.home="+u.Home+" -XX:TieredStopAtLevel=1", "GRADLE_USER_HOME="+filepath.Join(u.Home, ".gradle"),
	)}
}

// newMaven is a user of mvn who is given a repository as the guide says ("Use CodeArtifact with mvn"); plugins come from Debian's tree.
func newMaven(t *testing.T, p *clienttest.Packhouse, repository string) *user {
	t.Helper()
	clienttest.Program(t, "mvn")
	if _, err := os.Stat(filepath.Join(debianTree, "org/apache/maven/plugins/maven-dependency-plugin")); err != nil {
		clienttest.Missing(t, "libmaven-dependency-plugin-java")
	}
	u := newUser(t)
	u.settings(fmt.Sprintf(`
  <profiles><profile>
    <id>default</id>
    <repositories>
      <repository><id>central</id><url>file://%[1]s</url></repository>
      <repository><id>codeartifact</id><url>%[2]s</url><snapshots><updatePolicy>always</updatePolicy></snapshots></repository>
    </repositories>
    <pluginRepositories><pluginRepository><id>central</id><url>file://%[1]s</url></pluginRepository></pluginRepositories>
  </profile></profiles>
  <activeProfiles><activeProfile>default</activeProfile></activeProfiles>`, debianTree, address(p, repository)))
	u.Env = []string{"CODEARTIFACT_AUTH_TOKEN=" + p.Token}
	return u
}

// settings writes settings.xml with the server of the guide.
func (u *user) settings(more string) {
	u.T.Helper()
	u.Write(filepath.Join(u.Home, ".m2/settings.xml"), `<settings>
  <servers><server><id>codeartifact</id><username>aws</username><password>${env.CODEARTIFACT_AUTH_TOKEN}</password></server></servers>`+more+"\n</settings>\n")
}

// mvn runs Maven, which must succeed.
func (u *user) mvn(args ...string) string {
	u.T.Helper()
	return u.OK("mvn", mvnArgs(args)...)
}

// mvnRefused runs Maven, which must fail.
func (u *user) mvnRefused(texts []string, args ...string) string {
	u.T.Helper()
	return u.Refused(texts, "mvn", mvnArgs(args)...)
}

func mvnArgs(args []string) []string { return append([]string{"-B", "-ntp"}, args...) }

// fresh forgets what of a group was downloaded and installed.
func (u *user) fresh(groups ...string) {
	u.T.Helper()
	for _, g := range groups {
		u.Forget(".m2/repository/" + strings.ReplaceAll(g, ".", "/"))
	}
}

// library writes a project that is deployed to a repository; its one class returns the text.
func (u *user) library(p *clienttest.Packhouse, repository, artifact, version, text string) {
	u.T.Helper()
	u.project(p, repository, artifact, version, "")
	u.Write("src/main/java/com/mycompany/Lib.java", fmt.Sprintf("package com.mycompany; public class Lib { public static String text() { return %q; } }", text))
}

// project writes the POM of com.mycompany.app:artifact.
func (u *user) project(p *clienttest.Packhouse, repository, artifact, version, more string) {
	u.T.Helper()
	at := address(p, repository)
	u.Write("pom.xml", fmt.Sprintf(`<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>com.mycompany.app</groupId><artifactId>%s</artifactId><version>%s</version>
  <name>A library</name><description>Says something.</description>
  <licenses><license><name>Apache-2.0</name></license></licenses>
  <properties><maven.compiler.source>11</maven.compiler.source><maven.compiler.target>11</maven.compiler.target>
    <project.build.sourceEncoding>UTF-8</project.build.sourceEncoding></properties>
  <distributionManagement>
    <repository><id>codeartifact</id><url>%[3]s</url></repository>
  </distributionManagement>%[4]s
</project>
`, artifact, version, at, more))
}

// uses writes a project that depends on versions of com.mycompany.app:artifact and compiles against them.
func (u *user) uses(p *clienttest.Packhouse, repository string, dependencies ...string) {
	u.T.Helper()
	var b strings.Builder
	for _, d := range dependencies {
		part := strings.Split(d, ":")
		fmt.Fprintf(&b, "<dependency><groupId>%s</groupId><artifactId>%s</artifactId><version>%s</version></dependency>", part[0], part[1], part[2])
	}
	u.project(p, repository, "user", "1.0", "<dependencies>"+b.String()+"</dependencies>")
	u.Write("src/main/java/com/mycompany/User.java", "package com.mycompany; public class User { String text = Lib.text(); }")
}
