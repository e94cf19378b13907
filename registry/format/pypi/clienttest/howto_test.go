package clienttest_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"packhouse.dev/packhouse/registry/format/pypi/pypitest"
	"packhouse.dev/packhouse/registry/internal/clienttest"
)

// TestHowTo runs the commands of docs/python.md as they stand there. Those for a client that is not there are left out, loudly.
func TestHowTo(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../../../../docs/python.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"flit", "twine"} {
		clienttest.Program(t, name)
	}
	up := newIndex(t, pypitest.Dist{Name: "requests", Version: "2.32.0"})
	p := start(t, samples(), up.simple())
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
	// Debian's Python before any other, whose launchers may want the home that the user does not have.
	u.Env = append(u.Env, "PATH="+filepath.Join(u.Work, "bin")+":/usr/bin:/bin:"+os.Getenv("PATH"))
	script := "set -eu\n"
	parts := strings.Split(string(doc), "```sh\n")
	for _, part := range parts[1:] {
		block, _, _ := strings.Cut(part, "```")
		if tool := strings.Fields(block)[2]; tool == "uv" || tool == "poetry" {
			if _, err := exec.LookPath(tool); err != nil {
				t.Logf("SKIPPED: %s is not installed", tool)
				continue
			}
		}
		script += strings.ReplaceAll(block, "http://127.0.0.1:8080", p.Endpoint)
	}
	out := u.OK("/bin/bash", "-c", script)
	for _, want := range []string{"Successfully installed requests-2.32.0", "Successfully installed hello-lib-1.0.0", "\nhello\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("does not say %q but\n%s", want, out)
		}
	}
	var held []string
	for _, row := range p.Rows() {
		held = append(held, row.Repository+" "+row.Package+" "+row.Version)
	}
	want := "my-repo hello-lib 1, my-repo requests 2.32, pypi-store requests 2.32"
	if _, err := exec.LookPath("poetry"); err == nil {
		want = "my-repo hello-app 1, " + want
	}
	if got := strings.Join(held, ", "); got != want {
		t.Errorf("held: %s\nwant: %s", got, want)
	}
}

// TestLogin logs in with the clients' own files, uv's by what is written.
func TestLogin(t *testing.T) {
	t.Parallel()
	p := start(t, samples(), "")
	u := newUser(t)
	login := func(tool string) {
		t.Helper()
		out := u.OK(clienttest.Binary(t), "login", tool, "--repository", "my-repo", "--data-dir", p.DataDir)
		if !strings.Contains(out, "Configured "+tool+" to use "+address(p, "my-repo")) {
			t.Errorf("login %s says\n%s", tool, out)
		}
	}
	login("uv")
	login("uv")
	got, err := os.ReadFile(filepath.Join(u.Home, ".config/uv/uv.toml"))
	if err != nil || strings.Count(string(got), "[[index]]") != 1 || !strings.Contains(string(got), "pypi/my-repo/simple/\"\npublish-url = \"http://aws:") {
		t.Errorf("uv.toml: %v\n%s", err, got)
	}
	u.Write(filepath.Join(u.Home, ".pypirc"), "[distutils]\nindex-servers =\n  other\n[other]\nrepository = http://127.0.0.1:1/\nusername = x\npassword = y\n")
	login("twine")
	twine := clienttest.Program(t, "twine")
	d := pypitest.Dist{Name: "lib", Version: "1.0"}
	u.OK(twine, "upload", "--non-interactive", "--repository", "codeartifact", u.dist(d.WheelName(), d.Wheel()))
}
