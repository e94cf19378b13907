// Package clienttest_test runs cargo against "packhouse dev" over indexes of its own: every cargo that is installed (stable and, where
// there is one, a newer nightly). The crates of the public index are those of Debian's librust-*-dev packages, packed again.
//
// What is not there skips its tests and says so; REQUIRE_CLIENTS=1 turns that into a failure.
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
const connection = "public:crates-io"

func samples() string { return clienttest.StoreFor("cargo-store", connection) }

func origin(name, publish, upstream string) string {
	return clienttest.OriginControls("cargo", "", name, publish, upstream)
}

// start runs packhouse dev; upstream is the address of an index, "" for one where nobody listens.
func start(t *testing.T, manifests, upstream string) *clienttest.Packhouse {
	t.Helper()
	return clienttest.StartOver(t, manifests, connection, upstream)
}

func address(p *clienttest.Packhouse, repository string) string {
	return p.Address("cargo", repository)
}

// toolchains are the folders of cargo programs: the one in PATH first, then others that rustup has.
//
// found once
var toolchains = sync.OnceValue(func() []string {
	var out []string
	if path, err := exec.LookPath("cargo"); err == nil {
		out = append(out, filepath.Dir(path))
	}
	// rustup's cargo is a proxy that looks into the home, which tests change: use what is behind it.
	if sysroot, err := exec.Command("rustc", "--print", "sysroot").Output(); err == nil && len(out) > 0 {
		if bin := filepath.Join(strings.TrimSpace(string(sysroot)), "bin"); isFile(filepath.Join(bin, "cargo")) {
			out[0] = bin
		}
		more, _ := filepath.Glob(filepath.Join(strings.TrimSpace(string(sysroot)), "../nightly*/bin")) // a bad pattern is a constant's fault
		for _, bin := range more {
			if bin != out[0] && isFile(filepath.Join(bin, "cargo")) && isFile(filepath.Join(bin, "rustc")) {
				out = append(out, bin)
			}
		}
	}
	return out
})

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir()
}

// each runs a test with every cargo.
func each(t *testing.T, test func(t *testing.T, u *user)) {
	t.Helper()
	if len(toolchains()) == 0 {
		clienttest.Missing(t, "cargo")
	}
	for _, bin := range toolchains() {
		out, err := exec.Command(filepath.Join(bin, "cargo"), "--version").Output()
		if err != nil {
			t.Fatalf("%s: %v", bin, err)
		}
		t.Run(strings.Fields(string(out))[1], func(t *testing.T) {
			t.Parallel()
			test(t, newUserOf(t, bin))
		})
	}
}

// user is somebody with a cargo.
type user struct {
	*clienttest.User
	test *testing.T
	bin  string // folder of cargo
}

// newUser returns a user of the first cargo at hand.
func newUser(t *testing.T) *user {
	t.Helper()
	if len(toolchains()) == 0 {
		clienttest.Missing(t, "cargo")
	}
	return newUserOf(t, toolchains()[0])
}

func newUserOf(t *testing.T, bin string) *user {
	t.Helper()
	u := clienttest.NewUser(t)
	return &user{test: t, bin: bin, User: u.With(
		"PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"), "CARGO_HOME="+filepath.Join(u.Home, ".cargo"),
		"CARGO_TERM_COLOR=never", "CARGO_NET_RETRY=1", "CARGO_HTTP_TIMEOUT=20", "CARGO_INCREMENTAL=0", "CARGO_PROFILE_DEV_DEBUG=0", "CARGO_BUILD_JOBS=2",
		"RUSTC="+filepath.Join(toolchains()[0], "rustc"), // crates of Debian's age do not compile with a nightly
	)}
}

// another is a second person with the same cargo.
func (u *user) another() *user { return newUserOf(u.test, u.bin) }

// configure writes the configuration that docs/cargo.md has, with the token in a file. Unlike the guide's, it has no registry.default:
// with that, cargo add writes the registry's name beside public crates, too.
func (u *user) configure(p *clienttest.Packhouse, repository string) *user {
	u.T.Helper()
	u.registry(address(p, repository), p.Token)
	u.Write(filepath.Join(u.Home, ".cargo/config.toml"), u.Read(filepath.Join(u.Home, ".cargo/config.toml"))+"\n[source.crates-io]\nreplace-with = \"mine\"\n")
	return u
}

// registry writes the configuration without source replacement.
func (u *user) registry(address, token string) *user {
	u.T.Helper()
	u.Write(filepath.Join(u.Home, ".cargo/config.toml"), "[registries.mine]\nindex = \"sparse+"+address+"\"\ncredential-provider = \"cargo:token\"\n")
	if token != "" {
		u.Write(filepath.Join(u.Home, ".cargo/credentials.toml"), "[registries.mine]\ntoken = \"Bearer "+token+"\"\n")
	}
	return u
}

// project makes the folder a new project: a library that is published with these lines in its Cargo.toml.
func (u *user) project(name, version, more string) *user {
	u.T.Helper()
	u.Write("Cargo.toml", fmt.Sprintf("[package]\nname = %q\nversion = %q\nedition = \"2021\"\ndescription = \"about %s\"\nlicense = \"MIT\"\n%s", name, version, name, more))
	u.Write("src/lib.rs", "pub fn id() -> &'static str { \""+name+" "+version+"\" }\n")
	return u
}

func (u *user) cargo() string { return filepath.Join(u.bin, "cargo") }

// run runs cargo and returns all that it printed.
func (u *user) run(args ...string) (string, error) { return u.Run(u.cargo(), args...) }

func (u *user) ok(args ...string) string {
	u.T.Helper()
	return u.OK(u.cargo(), args...)
}

// refused runs cargo, which must fail and print each of texts.
func (u *user) refused(texts []string, args ...string) string {
	u.T.Helper()
	return u.Refused(texts, u.cargo(), args...)
}

// fresh forgets everything that was downloaded and built; configuration and lock file stay.
func (u *user) fresh() {
	u.T.Helper()
	for _, d := range []string{filepath.Join(u.Home, ".cargo/registry"), filepath.Join(u.Work, "target")} {
		if err := os.RemoveAll(d); err != nil {
			u.T.Fatal(err)
		}
	}
}

// locked returns the version of a crate in Cargo.lock, and where it comes from and its checksum; "" if it is not there.
func (u *user) locked(name string) (version, source, checksum string) {
	u.T.Helper()
	for block := range strings.SplitSeq(u.Read("Cargo.lock"), "[[package]]") {
		field := func(key string) string {
			_, rest, ok := strings.Cut(block, "\n"+key+" = \"")
			if !ok {
				return ""
			}
			value, _, _ := strings.Cut(rest, "\"")
			return value
		}
		if field("name") == name {
			return field("version"), field("source"), field("checksum")
		}
	}
	return "", "", ""
}

// publishable are the arguments of a publish that compiles nothing.
func publishable(more ...string) []string {
	return append([]string{"publish", "--registry", "mine", "--no-verify", "--allow-dirty"}, more...)
}
