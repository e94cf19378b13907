// Package clienttest_test runs cargo against "packhouse dev" over indexes of its own: every cargo that is installed (stable and, where
// there is one, a newer nightly). The crates of the public index are those of Debian's librust-*-dev packages, packed again.
//
// What is not there skips its tests and says so; REQUIRE_CLIENTS=1 turns that into a failure.
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

// repository declares one over an upstream; "public:crates-io" is the connection.
func repository(name, upstream string) string {
	spec := "domainRef: {name: my-domain}"
	switch {
	case strings.Contains(upstream, ":"):
		spec += fmt.Sprintf(", externalConnections: [{name: %q}]", upstream)
	case upstream != "":
		spec += ", upstreams: [{name: " + upstream + "}]"
	}
	return "---\napiVersion: packhouse.dev/v1alpha1\nkind: Repository\nmetadata: {name: " + name + "}\nspec: {" + spec + "}\n"
}

// origin declares the origin controls of a crate in my-repo.
func origin(name, publish, upstream string) string {
	return fmt.Sprintf("---\napiVersion: packhouse.dev/v1alpha1\nkind: PackageOriginConfiguration\nmetadata: {name: %s}\n"+
		"spec:\n  repositoryRef: {name: my-repo}\n  package: {format: cargo, name: %s}\n  publish: %s\n  upstream: %s\n", strings.ReplaceAll(name, "_", "-"), name, publish, upstream)
}

// group declares a package group for crates that are published here and come from nowhere else.
func group(pattern string) string {
	return fmt.Sprintf("---\napiVersion: packhouse.dev/v1alpha1\nkind: PackageGroup\nmetadata: {name: ours}\nspec:\n  domainRef: {name: my-domain}\n  pattern: %s\n"+
		"  originControls:\n    publish: {restriction: Allow}\n    externalUpstream: {restriction: Block}\n    internalUpstream: {restriction: Allow}\n", pattern)
}

// samples is my-repo over cargo-store, which has public:crates-io.
func samples() string {
	return head + repository("cargo-store", "public:crates-io") + repository("my-repo", "cargo-store")
}

// start runs packhouse dev; upstream is the address of an index for public:crates-io, "" for one where nobody listens.
func start(t *testing.T, manifests, upstream string) *clienttest.Packhouse {
	t.Helper()
	if upstream == "" {
		upstream = "http://127.0.0.1:1/"
	}
	return clienttest.Start(t, clienttest.Options{Manifests: manifests, Args: []string{"--external-connection-url", "public:crates-io=" + upstream}})
}

// address is where a repository is, with a slash at the end.
func address(p *clienttest.Packhouse, repository string) string {
	return fmt.Sprintf("%s/%s-%s/cargo/%s/", p.Endpoint, p.Domain, p.Owner, repository)
}

// missing skips the test, loudly, or fails it where everything has to be there.
func missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("REQUIRE_CLIENTS") != "" {
		t.Fatalf("%s is not installed", what)
	}
	t.Skipf("SKIPPED: %s is not installed", what)
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
		missing(t, "cargo")
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

// user is somebody with a home and a folder to work in. Nothing of the machine's configuration reaches cargo.
type user struct {
	t          *testing.T
	bin        string
	home, work string
	env        []string
}

// newUser returns a user of the first cargo at hand.
func newUser(t *testing.T) *user {
	t.Helper()
	if len(toolchains()) == 0 {
		missing(t, "cargo")
	}
	return newUserOf(t, toolchains()[0])
}

func newUserOf(t *testing.T, bin string) *user {
	t.Helper()
	dir := t.TempDir()
	u := &user{t: t, bin: bin, home: filepath.Join(dir, "home"), work: filepath.Join(dir, "work")}
	for _, d := range []string{u.home, u.work} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return u
}

// another is a second person with the same cargo.
func (u *user) another() *user { return newUserOf(u.t, u.bin) }

// configure writes the configuration that docs/cargo.md has, with the token in a file. Unlike the guide's, it has no registry.default:
// with that, cargo add writes the registry's name beside public crates, too.
func (u *user) configure(p *clienttest.Packhouse, repository string) *user {
	u.t.Helper()
	u.registry(address(p, repository), p.Token)
	u.write(filepath.Join(u.home, ".cargo/config.toml"), u.read(filepath.Join(u.home, ".cargo/config.toml"))+"\n[source.crates-io]\nreplace-with = \"mine\"\n")
	return u
}

// registry writes the configuration without source replacement.
func (u *user) registry(address, token string) *user {
	u.t.Helper()
	u.write(filepath.Join(u.home, ".cargo/config.toml"), "[registries.mine]\nindex = \"sparse+"+address+"\"\ncredential-provider = \"cargo:token\"\n")
	if token != "" {
		u.write(filepath.Join(u.home, ".cargo/credentials.toml"), "[registries.mine]\ntoken = \"Bearer "+token+"\"\n")
	}
	return u
}

func (u *user) write(path, text string) {
	u.t.Helper()
	path = u.path(path)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		u.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		u.t.Fatal(err)
	}
}

func (u *user) read(path string) string {
	u.t.Helper()
	b, err := os.ReadFile(u.path(path))
	if err != nil {
		u.t.Fatal(err)
	}
	return string(b)
}

func (u *user) path(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(u.work, path)
}

// project makes the folder a new project: a library that is published with these lines in its Cargo.toml.
func (u *user) project(name, version, more string) *user {
	u.t.Helper()
	u.write("Cargo.toml", fmt.Sprintf("[package]\nname = %q\nversion = %q\nedition = \"2021\"\ndescription = \"about %s\"\nlicense = \"MIT\"\n%s", name, version, name, more))
	u.write("src/lib.rs", "pub fn id() -> &'static str { \""+name+" "+version+"\" }\n")
	return u
}

// run runs cargo and returns all that it printed.
func (u *user) run(args ...string) (string, error) {
	return u.exec(filepath.Join(u.bin, "cargo"), args...)
}

// exec runs a program as the user.
func (u *user) exec(program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	return u.start(exec.CommandContext(ctx, program, args...))
}

// start runs a command as the user.
func (u *user) start(cmd *exec.Cmd) (string, error) {
	cmd.Dir, cmd.WaitDelay = u.work, 5*time.Second
	cmd.Env = append([]string{
		"PATH=" + u.bin + string(os.PathListSeparator) + os.Getenv("PATH"), "HOME=" + u.home, "CARGO_HOME=" + filepath.Join(u.home, ".cargo"), "LANG=C.UTF-8",
		"CARGO_TERM_COLOR=never", "CARGO_NET_RETRY=1", "CARGO_HTTP_TIMEOUT=20", "CARGO_INCREMENTAL=0", "CARGO_PROFILE_DEV_DEBUG=0", "CARGO_BUILD_JOBS=2",
		"RUSTC=" + filepath.Join(toolchains()[0], "rustc"), // crates of Debian's age do not compile with a nightly
	}, u.env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (u *user) ok(args ...string) string {
	u.t.Helper()
	out, err := u.run(args...)
	if err != nil {
		u.t.Fatalf("cargo %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// refused runs cargo, which must fail and print each of texts.
func (u *user) refused(texts []string, args ...string) string {
	u.t.Helper()
	out, err := u.run(args...)
	if _, exited := errors.AsType[*exec.ExitError](err); !exited {
		u.t.Errorf("cargo %s: got %v, want it to fail\n%s", strings.Join(args, " "), err, out)
		return out
	}
	for _, text := range texts {
		if !strings.Contains(strings.Join(strings.Fields(out), " "), text) {
			u.t.Errorf("cargo %s: does not say %q but\n%s", strings.Join(args, " "), text, out)
		}
	}
	return out
}

// fresh forgets everything that was downloaded and built; configuration and lock file stay.
func (u *user) fresh() {
	u.t.Helper()
	for _, d := range []string{filepath.Join(u.home, ".cargo/registry"), filepath.Join(u.work, "target")} {
		if err := os.RemoveAll(d); err != nil {
			u.t.Fatal(err)
		}
	}
}

// locked returns the version of a crate in Cargo.lock, and where it comes from and its checksum; "" if it is not there.
func (u *user) locked(name string) (version, source, checksum string) {
	u.t.Helper()
	for block := range strings.SplitSeq(u.read("Cargo.lock"), "[[package]]") {
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
