// Package clienttest_test runs gem and bundler against "packhouse dev" over a source that "gem generate_index" made.
//
// What is not there skips its tests and says so; REQUIRE_CLIENTS=1 turns that into a failure.
package clienttest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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

// repository declares one over an upstream; "public:ruby-gems-org" is the connection.
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

// group declares a package group for gems that are published here and come from nowhere else.
func group(pattern string) string {
	return fmt.Sprintf("---\napiVersion: packhouse.dev/v1alpha1\nkind: PackageGroup\nmetadata: {name: ours}\nspec:\n  domainRef: {name: my-domain}\n  pattern: %s\n"+
		"  originControls:\n    publish: {restriction: Allow}\n    externalUpstream: {restriction: Block}\n    internalUpstream: {restriction: Allow}\n", pattern)
}

// samples is my-repo over gem-store, which has public:ruby-gems-org.
func samples() string {
	return head + repository("gem-store", "public:ruby-gems-org") + repository("my-repo", "gem-store")
}

// start runs packhouse dev; upstream is the address of a source for public:ruby-gems-org, "" for one where nobody listens.
func start(t *testing.T, manifests, upstream string) *clienttest.Packhouse {
	t.Helper()
	if upstream == "" {
		upstream = "http://127.0.0.1:1/"
	}
	return clienttest.Start(t, clienttest.Options{Manifests: manifests, Args: []string{"--external-connection-url", "public:ruby-gems-org=" + upstream}})
}

// address is where a repository is, with a slash at the end.
func address(p *clienttest.Packhouse, repository string) string {
	return fmt.Sprintf("%s/%s-%s/ruby/%s/", p.Endpoint, p.Domain, p.Owner, repository)
}

// withToken is an address with user and token in it.
func withToken(p *clienttest.Packhouse, at, token string) string {
	return strings.Replace(at, "://", "://aws:"+token+"@", 1)
}

// gem is one that a test has built.
type gem struct {
	name, version string
	more          string // lines of the gemspec
	lib           string // what it says; by default name and version
}

func (g gem) file() string { return g.name + "-" + g.version + ".gem" }

// user is somebody with a home and a folder to work in. Nothing of the machine's configuration reaches the clients.
type user struct {
	t          *testing.T
	home, work string
	env        []string
}

func newUser(t *testing.T) *user {
	t.Helper()
	for _, client := range []string{"gem", "bundle"} {
		if _, err := exec.LookPath(client); err != nil {
			if os.Getenv("REQUIRE_CLIENTS") != "" {
				t.Fatalf("%s is not installed", client)
			}
			t.Skipf("SKIPPED: %s is not installed", client)
		}
	}
	dir := t.TempDir()
	u := &user{t: t, home: filepath.Join(dir, "home"), work: filepath.Join(dir, "work")}
	for _, d := range []string{u.home, u.work} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return u
}

// configure writes what docs/ruby.md has.
func (u *user) configure(p *clienttest.Packhouse, repository string) *user {
	u.t.Helper()
	at := address(p, repository)
	u.write(filepath.Join(u.home, ".gemrc"), ":sources:\n- "+withToken(p, at, p.Token)+"\ngem: --no-document\n")
	u.write(filepath.Join(u.home, ".gem/credentials"), ":codeartifact_api_key: Bearer "+p.Token+"\n"+strings.TrimSuffix(at, "/")+": Bearer "+p.Token+"\n")
	u.ok("bundle", "config", "set", "--global", at, "aws:"+p.Token)
	u.env = append(u.env, "RUBYGEMS_HOST="+strings.TrimSuffix(at, "/"))
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

// run runs a program and returns all that it printed.
func (u *user) run(program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.WaitDelay = u.work, 5*time.Second
	cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + u.home, "LANG=C.UTF-8", "GEM_HOME=" + filepath.Join(u.home, "gems"), "BUNDLE_SILENCE_ROOT_WARNING=1",
		"BUNDLE_PATH=" + filepath.Join(u.home, "bundle"), "BUNDLE_RETRY=0", "BUNDLE_USER_HOME=" + filepath.Join(u.home, ".bundle"),
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

// says runs a program, which must succeed and print each of texts.
func (u *user) says(texts []string, program string, args ...string) {
	u.t.Helper()
	out := u.ok(program, args...)
	for _, text := range texts {
		if !strings.Contains(out, text) {
			u.t.Errorf("%s %s: does not say %q but\n%s", program, strings.Join(args, " "), text, out)
		}
	}
}

// refused runs a program, which must fail and print each of texts.
func (u *user) refused(texts []string, program string, args ...string) {
	u.t.Helper()
	out, err := u.run(program, args...)
	if _, exited := errors.AsType[*exec.ExitError](err); !exited {
		u.t.Errorf("%s %s: got %v, want it to fail\n%s", program, strings.Join(args, " "), err, out)
		return
	}
	for _, text := range texts {
		if !strings.Contains(strings.Join(strings.Fields(out), " "), text) {
			u.t.Errorf("%s %s: does not say %q but\n%s", program, strings.Join(args, " "), text, out)
		}
	}
}

// build makes the file of a gem in the working folder.
func (u *user) build(g gem) {
	u.t.Helper()
	lib := g.lib
	if lib == "" {
		lib = "puts '" + g.name + " " + g.version + "'\n"
	}
	u.write("lib/"+g.name+".rb", lib)
	u.write(g.name+".gemspec", fmt.Sprintf("Gem::Specification.new do |s|\n  s.name, s.version = %q, %q\n  s.summary = 'about %s'\n  s.authors = ['A']\n"+
		"  s.files = ['lib/%s.rb']\n  s.license = 'MIT'\n  s.homepage = 'https://example.com'\n%s\nend\n", g.name, g.version, g.name, g.name, g.more))
	u.ok("gem", "build", "--force", g.name+".gemspec")
}

// push builds and publishes a gem.
func (u *user) push(g gem) {
	u.t.Helper()
	u.build(g)
	u.says([]string{"Successfully registered gem: " + g.name + " (" + g.version + ")"}, "gem", "push", g.file())
}

// fresh forgets everything that was downloaded and installed.
func (u *user) fresh() {
	u.t.Helper()
	for _, d := range []string{"gems", "bundle", ".bundle/cache", ".local", ".cache", ".gem/specs"} {
		if err := os.RemoveAll(filepath.Join(u.home, d)); err != nil {
			u.t.Fatal(err)
		}
	}
}

// gemfile makes the working folder a project.
func (u *user) gemfile(source string, gems ...string) {
	u.t.Helper()
	text := "source \"" + source + "\"\n"
	for _, g := range gems {
		text += "gem " + g + "\n"
	}
	u.write("Gemfile", text)
}

// locked says whether Gemfile.lock has a line.
func (u *user) locked(line string) bool {
	u.t.Helper()
	return slices.Contains(strings.Split(u.read("Gemfile.lock"), "\n"), line)
}

// mode is how a source behaves.
type mode int

const (
	well mode = iota
	down
	broken
	html
	corrupt // gems have other bytes than they had
)

// source is a static tree of "gem generate_index".
type source struct {
	*httptest.Server
	dir  string
	mu   sync.Mutex
	mode mode
	log  []string
}

// newSource makes a tree with gems.
func newSource(t *testing.T, gems ...gem) *source {
	t.Helper()
	s := &source{dir: t.TempDir()}
	s.add(t, gems...)
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

// add builds gems and makes the indexes anew.
func (s *source) add(t *testing.T, gems ...gem) {
	t.Helper()
	u := newUser(t)
	if err := os.MkdirAll(filepath.Join(s.dir, "gems"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, g := range gems {
		u.build(g)
	}
	files, err := filepath.Glob(filepath.Join(u.work, "*.gem"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err == nil {
			err = os.WriteFile(filepath.Join(s.dir, "gems", filepath.Base(f)), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	u.ok("gem", "generate_index", "-d", s.dir)
}

func (s *source) behave(m mode) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mode = m
}

// heard returns the requests whose path has text.
func (s *source) heard(text string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.log), func(p string) bool { return !strings.Contains(p, text) })
}

func (s *source) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.log = append(s.log, r.URL.Path)
	m := s.mode
	s.mu.Unlock()
	switch {
	case m == down:
		panic(http.ErrAbortHandler)
	case m == broken:
		http.Error(w, "broken", http.StatusInternalServerError)
	case m == html:
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<html>please log in</html>")
	case m == corrupt && strings.HasSuffix(r.URL.Path, ".gem"):
		fmt.Fprint(w, "these are no bytes of a gem")
	default:
		http.FileServer(http.Dir(s.dir)).ServeHTTP(w, r)
	}
}
