// Package clienttest_test runs pip, twine, flit and poetry against "packhouse dev" over indexes of its own.
//
// Debian has all of them (python3-pip, twine, flit, python3-poetry); further Pythons with a newer pip are used where they are. A client
// that is not there skips its tests and says so; REQUIRE_CLIENTS=1 turns that into a failure.
package clienttest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
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

// repository declares one over upstreams, with the connection if connected.
func repository(name string, connected bool, upstreams ...string) string {
	var of []string
	for _, u := range upstreams {
		of = append(of, "{name: "+u+"}")
	}
	spec := "domainRef: {name: my-domain}"
	switch {
	case connected:
		spec += `, externalConnections: [{name: "public:pypi"}]`
	case len(of) > 0:
		spec += ", upstreams: [" + strings.Join(of, ", ") + "]"
	}
	return "---\napiVersion: packhouse.dev/v1alpha1\nkind: Repository\nmetadata: {name: " + name + "}\nspec: {" + spec + "}\n"
}

// origin declares the origin controls of a package in my-repo.
func origin(name, publish, upstream string) string {
	return fmt.Sprintf("---\napiVersion: packhouse.dev/v1alpha1\nkind: PackageOriginConfiguration\nmetadata: {name: %s}\n"+
		"spec:\n  repositoryRef: {name: my-repo}\n  package: {format: pypi, name: %s}\n  publish: %s\n  upstream: %s\n", name, name, publish, upstream)
}

// samples is my-repo over pypi-store, which has public:pypi.
func samples() string {
	return head + repository("pypi-store", true) + repository("my-repo", false, "pypi-store")
}

// chain is repo-a over repo-b over repo-c, which has public:pypi.
func chain() string {
	return head + repository("repo-c", true) + repository("repo-b", false, "repo-c") + repository("repo-a", false, "repo-b")
}

// start runs packhouse dev; upstream is the address of an index for public:pypi, "" for one where nobody listens.
func start(t *testing.T, manifests, upstream string) *clienttest.Packhouse {
	t.Helper()
	if upstream == "" {
		upstream = "http://127.0.0.1:1/simple/"
	}
	return clienttest.Start(t, clienttest.Options{Manifests: manifests, Args: []string{"--external-connection-url", "public:pypi=" + upstream}})
}

// address is where a repository is, with a slash at the end.
func address(p *clienttest.Packhouse, repository string) string {
	return fmt.Sprintf("%s/%s-%s/pypi/%s/", p.Endpoint, p.Domain, p.Owner, repository)
}

// withToken puts the token into an address, as pip is given it.
func withToken(p *clienttest.Packhouse, address string) string {
	return strings.Replace(address, "://", "://aws:"+p.Token+"@", 1)
}

// user is somebody with a home and a folder to work in. Nothing of the machine's configuration reaches the clients.
type user struct {
	t          *testing.T
	home, work string
	python     string // interpreter whose pip is used
	env        []string
}

// missing skips the test, loudly, or fails it where everything has to be there.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("REQUIRE_CLIENTS") != "" {
		t.Fatalf("%s is not installed", what)
	}
	t.Skipf("SKIPPED: %s is not installed", what)
}

// newUser returns a user of the oldest pip at hand.
func newUser(t *testing.T) *user {
	t.Helper()
	return userOf(t, pips(t)[0])
}

func userOf(t *testing.T, python string) *user {
	t.Helper()
	dir := t.TempDir()
	u := &user{t: t, home: filepath.Join(dir, "home"), work: filepath.Join(dir, "work"), python: python}
	for _, d := range []string{u.home, u.work} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return u
}

// pips are Python interpreters with pip: that of the system, and the newest beside it.
func pips(t *testing.T) []string {
	t.Helper()
	all := atHand()
	if len(all) == 0 {
		missing(t, "pip (python3-pip)")
	}
	return all
}

// atHand looks for them once: each look starts an interpreter.
var atHand = sync.OnceValue(func() []string {
	candidates := []string{"/usr/bin/python3"}
	if home, err := os.UserHomeDir(); err == nil {
		more, _ := filepath.Glob(filepath.Join(home, ".pyenv/versions/3.1*/bin/python3")) // a bad pattern is a constant's fault
		candidates = append(candidates, more...)
	}
	if path, err := exec.LookPath("python3"); err == nil {
		candidates = append(candidates, path)
	}
	first, newest, best := "", "", 0
	for _, c := range candidates {
		cmd := exec.Command(c, "-m", "pip", "--version")
		cmd.Env = append(os.Environ(), "PIP_DISABLE_PIP_VERSION_CHECK=1")
		out, err := cmd.Output()
		var major, minor int
		if err != nil {
			continue
		}
		if _, err := fmt.Sscanf(string(out), "pip %d.%d", &major, &minor); err != nil {
			continue
		}
		if first == "" {
			first = c
		}
		if n := major*1000 + minor; n > best {
			newest, best = c, n
		}
	}
	switch first {
	case "":
		return nil
	case newest:
		return []string{first}
	}
	return []string{first, newest}
})

// eachPip runs a test with every pip.
func eachPip(t *testing.T, test func(t *testing.T, u *user)) {
	t.Helper()
	for _, python := range pips(t) {
		u := userOf(t, python)
		out := u.ok(python, "-m", "pip", "--version")
		t.Run(strings.Join(strings.Fields(out)[:2], " "), func(t *testing.T) {
			t.Parallel()
			test(t, userOf(t, python))
		})
	}
}

// configure writes pip's file for a repository.
func (u *user) configure(p *clienttest.Packhouse, repository string) *user {
	u.t.Helper()
	u.write(filepath.Join(u.home, ".config/pip/pip.conf"), "[global]\nindex-url = "+withToken(p, address(p, repository))+"simple/\n")
	return u
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

// run runs a program and returns all that it printed.
func (u *user) run(program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.WaitDelay = u.work, 5*time.Second
	cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + u.home, "LANG=C.UTF-8", "NO_COLOR=1", "CI=1", "TERM=dumb", "COLUMNS=400",
		"XDG_CONFIG_HOME=" + filepath.Join(u.home, ".config"), "XDG_CACHE_HOME=" + filepath.Join(u.home, ".cache"), "XDG_DATA_HOME=" + filepath.Join(u.home, ".local/share"),
		"PIP_NO_INPUT=1", "PIP_DISABLE_PIP_VERSION_CHECK=1", "PIP_RETRIES=1", "PIP_TIMEOUT=20", "PIP_ROOT_USER_ACTION=ignore",
		"PYTHON_KEYRING_BACKEND=keyring.backends.null.Keyring", "PYTHONDONTWRITEBYTECODE=1",
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

// install installs into a folder of its own and returns what pip says.
func (u *user) install(args ...string) string {
	u.t.Helper()
	return u.ok(u.python, u.pipArgs(args)...)
}

// cannotInstall is an installation that must fail.
func (u *user) cannotInstall(texts []string, args ...string) string {
	u.t.Helper()
	return u.refused(texts, u.python, u.pipArgs(args)...)
}

func (u *user) pipArgs(args []string) []string {
	return append([]string{"-m", "pip", "install", "--target", u.site(), "--upgrade"}, args...)
}

func (u *user) site() string { return filepath.Join(u.work, "site") }

// version imports a module that was installed and returns its __version__, "" if it is not there.
func (u *user) version(module string) string {
	u.t.Helper()
	out, err := u.run(u.python, "-c", "import sys; sys.path.insert(0, 'site'); import "+module+"; sys.stdout.write("+module+".__version__)")
	if err != nil {
		return ""
	}
	return out
}

// fresh forgets what was installed and cached.
func (u *user) fresh() {
	u.t.Helper()
	for _, d := range []string{u.site(), filepath.Join(u.home, ".cache")} {
		if err := os.RemoveAll(d); err != nil {
			u.t.Fatal(err)
		}
	}
}

// client is the path of a program of Debian's.
func client(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		missing(t, name)
	}
	return path
}
