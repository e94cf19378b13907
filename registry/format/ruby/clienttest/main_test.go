// Package clienttest_test runs gem and bundler against "packhouse dev" over a source that "gem generate_index" made.
//
// What is not there skips its tests and says so; REQUIRE_CLIENTS=1 turns that into a failure.
package clienttest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"packhouse.dev/packhouse/registry/internal/clienttest"
)

func TestMain(m *testing.M) { os.Exit(clienttest.Main(m)) }

// connection is the one that the tests give a source of their own.
const connection = "public:ruby-gems-org"

func samples() string { return clienttest.StoreFor("gem-store", connection) }

// start runs packhouse dev; upstream is the address of a source, "" for one where nobody listens.
func start(t *testing.T, manifests, upstream string) *clienttest.Packhouse {
	t.Helper()
	return clienttest.StartOver(t, manifests, connection, upstream)
}

func address(p *clienttest.Packhouse, repository string) string { return p.Address("ruby", repository) }

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

// user is somebody with gem and bundler.
type user struct{ *clienttest.User }

func newUser(t *testing.T) *user {
	t.Helper()
	for _, client := range []string{"gem", "bundle"} {
		clienttest.Program(t, client)
	}
	u := clienttest.NewUser(t)
	return &user{u.With(
		"GEM_HOME="+filepath.Join(u.Home, "gems"), "BUNDLE_SILENCE_ROOT_WARNING=1", "BUNDLE_PATH="+filepath.Join(u.Home, "bundle"), "BUNDLE_RETRY=0",
		"BUNDLE_USER_HOME="+filepath.Join(u.Home, ".bundle"),
	)}
}

// configure writes what docs/ruby.md has.
func (u *user) configure(p *clienttest.Packhouse, repository string) *user {
	u.T.Helper()
	at := address(p, repository)
	u.Write(filepath.Join(u.Home, ".gemrc"), ":sources:\n- "+withToken(p, at, p.Token)+"\ngem: --no-document\n")
	u.Write(filepath.Join(u.Home, ".gem/credentials"), ":codeartifact_api_key: Bearer "+p.Token+"\n"+strings.TrimSuffix(at, "/")+": Bearer "+p.Token+"\n")
	u.OK("bundle", "config", "set", "--global", at, "aws:"+p.Token)
	u.Env = append(u.Env, "RUBYGEMS_HOST="+strings.TrimSuffix(at, "/"))
	return u
}

// build makes the file of a gem in the working folder.
func (u *user) build(g gem) {
	u.T.Helper()
	lib := g.lib
	if lib == "" {
		lib = "puts '" + g.name + " " + g.version + "'\n"
	}
	u.Write("lib/"+g.name+".rb", lib)
	u.Write(g.name+".gemspec", fmt.Sprintf("Gem::Specification.new do |s|\n  s.name, s.version = %q, %q\n  s.summary = 'about %s'\n  s.authors = ['A']\n"+
		"  s.files = ['lib/%s.rb']\n  s.license = 'MIT'\n  s.homepage = 'https://example.com'\n%s\nend\n", g.name, g.version, g.name, g.name, g.more))
	u.OK("gem", "build", "--force", g.name+".gemspec")
}

// push builds and publishes a gem.
func (u *user) push(g gem) {
	u.T.Helper()
	u.build(g)
	u.Says([]string{"Successfully registered gem: " + g.name + " (" + g.version + ")"}, "gem", "push", g.file())
}

// fresh forgets everything that was downloaded and installed.
func (u *user) fresh() {
	u.T.Helper()
	u.Forget("gems", "bundle", ".bundle/cache", ".local", ".cache", ".gem/specs")
}

// gemfile makes the working folder a project.
func (u *user) gemfile(source string, gems ...string) {
	u.T.Helper()
	text := "source \"" + source + "\"\n"
	for _, g := range gems {
		text += "gem " + g + "\n"
	}
	u.Write("Gemfile", text)
}

// locked says whether Gemfile.lock has a line.
func (u *user) locked(line string) bool {
	u.T.Helper()
	return slices.Contains(strings.Split(u.Read("Gemfile.lock"), "\n"), line)
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
	files, err := filepath.Glob(filepath.Join(u.Work, "*.gem"))
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
	u.OK("gem", "generate_index", "-d", s.dir)
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
