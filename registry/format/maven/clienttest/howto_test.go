package clienttest_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"packhouse.dev/packhouse/registry/internal/clienttest"
)

// TestHowTo runs the commands of docs/maven.md as they stand there, and then builds against what they published.
func TestHowTo(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../../../../docs/maven.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"mvn", "curl", "gradle"} {
		clienttest.Program(t, name)
	}
	up := httptest.NewServer(http.FileServer(http.Dir(debianTree)))
	t.Cleanup(up.Close)
	p := start(t, samples(), up.URL)
	u := newUser(t)
	for link, target := range map[string]string{"packhouse-data": p.DataDir, "bin/packhouse": clienttest.Binary(t)} {
		link = filepath.Join(u.Work, link)
		if err := os.MkdirAll(filepath.Dir(link), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, link); err != nil {
			t.Fatal(err)
		}
	}
	u.Env = append(u.Env, "PATH="+filepath.Join(u.Work, "bin")+":"+os.Getenv("PATH"))
	script := "set -eu\n"
	for _, part := range strings.Split(string(doc), "```sh\n")[1:] {
		block, _, _ := strings.Cut(part, "```")
		script += strings.ReplaceAll(block, "http://127.0.0.1:8080", p.Endpoint)
	}
	out := u.OK("/bin/bash", "-c", script)
	if !strings.Contains(out, "BUILD SUCCESS") || !strings.HasSuffix(strings.TrimSpace(out), "the jar") {
		t.Errorf("it says\n%s", out)
	}
	for _, want := range []string{"hello-lib 1.0.0 Published", "my-app 1.0 Published"} {
		if got := statuses(p, "my-repo"); !strings.Contains(strings.Join(got, "\n"), want) {
			t.Errorf("no %q in %q", want, got)
		}
	}
	u.Write("gradle/settings.gradle", "rootProject.name = 'user'\n")
	u.Write("gradle/build.gradle", "apply plugin: 'java'\napply plugin: 'maven-publish'\ndependencies { compile 'com.example.hello:hello-lib:1.0.0' }\n"+
		"task show { doLast { configurations.compile.each { println 'GOT ' + it.name }\n println 'TO ' + publishing.repositories.packhouse.url } }\n")
	if out := u.OK("gradle", "--no-daemon", "-p", "gradle", "show"); !strings.Contains(out, "GOT hello-lib-1.0.0.jar") || !strings.Contains(out, "TO "+address(p, "my-repo")) {
		t.Errorf("gradle says\n%s", out)
	}
	login := u.OK(clienttest.Binary(t), "login", "mvn", "--repository", "my-repo", "--dry-run")
	if strings.Contains(login, p.Token) || !strings.Contains(login, "a mirror of everything at "+address(p, "my-repo")) {
		t.Errorf("a dry run says %s", login)
	}
}
