// Package clienttest_test runs mvn, gradle and curl against "packhouse dev" over Maven repositories of its own.
//
// Debian has all of them, and the plugins of mvn as a tree of files: maven, maven-repo-helper's /usr/share/maven-repo and the packages
// libmaven-*-plugin-java, gradle, default-jdk-headless. A client that is not there skips its tests and says so; REQUIRE_CLIENTS=1 turns
// that into a failure.
package clienttest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"packhouse.dev/packhouse/registry/internal/clienttest"
)

func TestMain(m *testing.M) { os.Exit(clienttest.Main(m)) }

// head declares the domain; repositories follow.
const head = `
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

// connection is the external connection that the tests give an upstream of their own.
const connection = "public:maven-central"

// repository declares one over upstreams, with the connection if connected.
func repository(name string, connected bool, upstreams ...string) string {
	of := make([]string, 0, len(upstreams))
	for _, u := range upstreams {
		of = append(of, "{name: "+u+"}")
	}
	spec := "domainRef: {name: my-domain}"
	switch {
	case connected:
		spec += `, externalConnections: [{name: "` + connection + `"}]`
	case len(of) > 0:
		spec += ", upstreams: [" + strings.Join(of, ", ") + "]"
	}
	return "---\napiVersion: packhouse.dev/v1alpha1\nkind: Repository\nmetadata: {name: " + name + "}\nspec: {" + spec + "}\n"
}

// samples is my-repo over maven-store, which has the connection.
func samples() string {
	return head + repository("maven-store", true) + repository("my-repo", false, "maven-store")
}

// chain is repo-a over repo-b over repo-c, which has the connection.
func chain() string {
	return head + repository("repo-c", true) + repository("repo-b", false, "repo-c") + repository("repo-a", false, "repo-b")
}

// origin declares the origin controls of a package in my-repo.
func origin(group, name, publish, upstream string) string {
	return fmt.Sprintf("---\napiVersion: packhouse.dev/v1alpha1\nkind: PackageOriginConfiguration\nmetadata: {name: %s}\n"+
		"spec:\n  repositoryRef: {name: my-repo}\n  package: {format: maven, namespace: %s, name: %s}\n  publish: %s\n  upstream: %s\n", name, group, name, publish, upstream)
}

// start runs packhouse dev; upstream is the address of a Maven repository for the connection, "" for one where nobody listens.
func start(t *testing.T, manifests, upstream string) *clienttest.Packhouse {
	t.Helper()
	if upstream == "" {
		upstream = "http://127.0.0.1:1/"
	}
	return clienttest.Start(t, clienttest.Options{Manifests: manifests, Args: []string{"--external-connection-url", connection + "=" + upstream}})
}

// address is where a repository is, with a slash at the end.
func address(p *clienttest.Packhouse, repository string) string {
	return fmt.Sprintf("%s/%s-%s/maven/%s/", p.Endpoint, p.Domain, p.Owner, repository)
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

// missing skips the test, loudly, or fails it where everything has to be there.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("REQUIRE_CLIENTS") != "" {
		t.Fatalf("%s is not installed", what)
	}
	t.Skipf("SKIPPED: %s is not installed", what)
}

// client is the path of a program.
func client(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		missing(t, name)
	}
	return path
}

// debianTree is a real Maven repository: that of Debian's packages, which has neither lists nor checksums.
const debianTree = "/usr/share/maven-repo"

// user is somebody with a home and a folder to work in. Nothing of the machine's configuration reaches the clients.
type user struct {
	t          *testing.T
	home, work string
	env        []string
}

func newUser(t *testing.T) *user {
	t.Helper()
	dir := t.TempDir()
	u := &user{t: t, home: filepath.Join(dir, "home"), work: filepath.Join(dir, "work")}
	for _, d := range []string{u.home, u.work} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return u
}

// newMaven is a user of mvn who is given a repository as the guide says ("Use CodeArtifact with mvn"); plugins come from Debian's tree.
func newMaven(t *testing.T, p *clienttest.Packhouse, repository string) *user {
	t.Helper()
	client(t, "mvn")
	if _, err := os.Stat(filepath.Join(debianTree, "org/apache/maven/plugins/maven-dependency-plugin")); err != nil {
		missing(t, "libmaven-dependency-plugin-java")
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
	u.env = []string{"CODEARTIFACT_AUTH_TOKEN=" + p.Token}
	return u
}

// settings writes settings.xml with the server of the guide.
func (u *user) settings(more string) {
	u.t.Helper()
	u.write(filepath.Join(u.home, ".m2/settings.xml"), `<settings>
  <servers><server><id>codeartifact</id><username>aws</username><password>${env.CODEARTIFACT_AUTH_TOKEN}</password></server></servers>`+more+"\n</settings>\n")
}

func (u *user) write(path, text string) {
	u.t.Helper()
	if !filepath.IsAbs(path) {
		path = filepath.Join(u.work, path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		u.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		u.t.Fatal(err)
	}
}

func (u *user) read(path string) string {
	u.t.Helper()
	data, err := os.ReadFile(filepath.Join(u.work, path))
	if err != nil {
		u.t.Fatal(err)
	}
	return string(data)
}

// run runs a program and returns all that it printed.
func (u *user) run(program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.WaitDelay = u.work, 5*time.Second
	cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + u.home, "LANG=C.UTF-8", "NO_COLOR=1", "CI=1", "TERM=dumb",
		"MAVEN_OPTS=-Duser.home=" + u.home + " -XX:TieredStopAtLevel=1", "GRADLE_USER_HOME=" + filepath.Join(u.home, ".gradle"),
	}, u.env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (u *user) ok(program string, args ...string) string {
	u.t.Helper()
	out, err := u.run(program, args...)
	if err != nil {
		u.t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, out)
	}
	return out
}

// refused runs a program that must fail and print each of texts.
func (u *user) refused(texts []string, program string, args ...string) string {
	u.t.Helper()
	out, err := u.run(program, args...)
	if _, exited := errors.AsType[*exec.ExitError](err); !exited {
		u.t.Errorf("%s %s: got %v, want it to fail\n%s", program, strings.Join(args, " "), err, out)
		return out
	}
	for _, text := range texts {
		if !strings.Contains(strings.Join(strings.Fields(out), " "), text) {
			u.t.Errorf("%s %s: does not say %q but\n%s", program, strings.Join(args, " "), text, out)
		}
	}
	return out
}

// mvn runs Maven, which must succeed.
func (u *user) mvn(args ...string) string {
	u.t.Helper()
	return u.ok("mvn", mvnArgs(args)...)
}

// mvnRefused runs Maven, which must fail.
func (u *user) mvnRefused(texts []string, args ...string) string {
	u.t.Helper()
	return u.refused(texts, "mvn", mvnArgs(args)...)
}

func mvnArgs(args []string) []string { return append([]string{"-B", "-ntp"}, args...) }

// fresh forgets what of a group was downloaded and installed.
func (u *user) fresh(groups ...string) {
	u.t.Helper()
	for _, g := range groups {
		if err := os.RemoveAll(filepath.Join(u.home, ".m2/repository", strings.ReplaceAll(g, ".", "/"))); err != nil {
			u.t.Fatal(err)
		}
	}
}

// library writes a project that is deployed to a repository; its one class returns the text.
func (u *user) library(p *clienttest.Packhouse, repository, artifact, version, text string) {
	u.t.Helper()
	u.project(p, repository, artifact, version, "")
	u.write("src/main/java/com/mycompany/Lib.java", fmt.Sprintf("package com.mycompany; public class Lib { public static String text() { return %q; } }", text))
}

// project writes the POM of com.mycompany.app:artifact.
func (u *user) project(p *clienttest.Packhouse, repository, artifact, version, more string) {
	u.t.Helper()
	at := address(p, repository)
	u.write("pom.xml", fmt.Sprintf(`<project xmlns="http://maven.apache.org/POM/4.0.0">
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
	u.t.Helper()
	var b strings.Builder
	for _, d := range dependencies {
		part := strings.Split(d, ":")
		fmt.Fprintf(&b, "<dependency><groupId>%s</groupId><artifactId>%s</artifactId><version>%s</version></dependency>", part[0], part[1], part[2])
	}
	u.project(p, repository, "user", "1.0", "<dependencies>"+b.String()+"</dependencies>")
	u.write("src/main/java/com/mycompany/User.java", "package com.mycompany; public class User { String text = Lib.text(); }")
}
