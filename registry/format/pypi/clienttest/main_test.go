// Package clienttest_test runs pip, twine, flit and poetry against "packhouse dev" over indexes of its own.
//
// Debian has all of them (python3-pip, twine, flit, python3-poetry); further Pythons with a newer pip are used where they are. A client
// that is not there skips its tests and says so; REQUIRE_CLIENTS=1 turns that into a failure.
package clienttest_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"packhouse.dev/packhouse/registry/internal/clienttest"
)

func TestMain(m *testing.M) { os.Exit(clienttest.Main(m)) }

// connection is the one that the tests give an index of their own.
const connection = "public:pypi"

func samples() string { return clienttest.StoreFor("pypi-store", connection) }

func origin(name, publish, upstream string) string {
	return clienttest.OriginControls("pypi", "", name, publish, upstream)
}

// start runs packhouse dev; upstream is the address of an index, "" for one where nobody listens.
func start(t *testing.T, manifests, upstream string) *clienttest.Packhouse {
	t.Helper()
	return clienttest.StartOver(t, manifests, connection, upstream)
}

func address(p *clienttest.Packhouse, repository string) string { return p.Address("pypi", repository) }

// withToken puts the token into an address, as pip is given it.
func withToken(p *clienttest.Packhouse, address string) string {
	return strings.Replace(address, "://", "://aws:"+p.Token+"@", 1)
}

// user is somebody with a Python.
type user struct {
	*clienttest.User
	python string // interpreter whose pip is used
}

// newUser returns a user of the oldest pip at hand.
func newUser(t *testing.T) *user {
	t.Helper()
	return userOf(t, pips(t)[0])
}

func userOf(t *testing.T, python string) *user {
	t.Helper()
	u := clienttest.NewUser(t)
	return &user{python: python, User: u.With(
		"NO_COLOR=1", "CI=1", "TERM=dumb", "COLUMNS=400",
		"XDG_CONFIG_HOME="+filepath.Join(u.Home, ".config"), "XDG_CACHE_HOME="+filepath.Join(u.Home, ".cache"), "XDG_DATA_HOME="+filepath.Join(u.Home, ".local/share"),
		"PIP_NO_INPUT=1", "PIP_DISABLE_PIP_VERSION_CHECK=1", "PIP_RETRIES=1", "PIP_TIMEOUT=20", "PIP_ROOT_USER_ACTION=ignore",
		"PYTHON_KEYRING_BACKEND=keyring.backends.null.Keyring", "PYTHONDONTWRITEBYTECODE=1",
	)}
}

// pips are Python interpreters with pip: that of the system, and the newest beside it.
func pips(t *testing.T) []string {
	t.Helper()
	all := atHand()
	if len(all) == 0 {
		clienttest.Missing(t, "pip (python3-pip)")
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
		out := u.OK(python, "-m", "pip", "--version")
		t.Run(strings.Join(strings.Fields(out)[:2], " "), func(t *testing.T) {
			t.Parallel()
			test(t, userOf(t, python))
		})
	}
}

// configure writes pip's file for a repository.
func (u *user) configure(p *clienttest.Packhouse, repository string) *user {
	u.T.Helper()
	u.Write(filepath.Join(u.Home, ".config/pip/pip.conf"), "[global]\nindex-url = "+withToken(p, address(p, repository))+"simple/\n")
	return u
}

// install installs into a folder of its own and returns what pip says.
func (u *user) install(args ...string) string {
	u.T.Helper()
	return u.OK(u.python, u.pipArgs(args)...)
}

// cannotInstall is an installation that must fail.
func (u *user) cannotInstall(texts []string, args ...string) string {
	u.T.Helper()
	return u.Refused(texts, u.python, u.pipArgs(args)...)
}

func (u *user) pipArgs(args []string) []string {
	return append([]string{"-m", "pip", "install", "--target", u.site(), "--upgrade"}, args...)
}

func (u *user) site() string { return filepath.Join(u.Work, "site") }

// version imports a module that was installed and returns its __version__, "" if it is not there.
func (u *user) version(module string) string {
	u.T.Helper()
	out, err := u.Run(u.python, "-c", "import sys; sys.path.insert(0, 'site'); import "+module+"; sys.stdout.write("+module+".__version__)")
	if err != nil {
		return ""
	}
	return out
}

// fresh forgets what was installed and cached.
func (u *user) fresh() {
	u.T.Helper()
	for _, d := range []string{u.site(), filepath.Join(u.Home, ".cache")} {
		if err := os.RemoveAll(d); err != nil {
			u.T.Fatal(err)
		}
	}
}
