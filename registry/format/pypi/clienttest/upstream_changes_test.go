package clienttest_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"packhouse.dev/packhouse/registry/format/pypi/pypitest"
	"packhouse.dev/packhouse/registry/internal/clienttest"
)

// freshFor is longer than lists of a connection that shortLived declares are taken for current.
const freshFor = 1100 * time.Millisecond

// shortLived declares my-repo over pypi-store, whose connection is asked again after a moment.
func shortLived(upstream string) string {
	return samples() + "---\napiVersion: packhouse.dev/v1alpha1\nkind: ExternalConnection\nmetadata: {name: pypi}\n" +
		"spec: {format: pypi, url: \"" + upstream + "\", overrides: \"public:pypi\", allowPrivateAddresses: true, cache: {index: 1s, absent: 1s}}\n"
}

func startShortLived(t *testing.T, upstream string) *clienttest.Packhouse {
	t.Helper()
	return start(t, shortLived(upstream), upstream)
}

// page reads the HTML page of a project.
func page(t *testing.T, p *clienttest.Packhouse, repository, project string) string {
	t.Helper()
	status, body, err := p.Do(http.MethodGet, address(p, repository)+"simple/"+project+"/", nil)
	if err != nil || status != http.StatusOK {
		t.Fatalf("page of %s: %d %s %v", project, status, body, err)
	}
	return string(body)
}

// TestYanked: "CodeArtifact ensures that the updated yanked metadata of the package version is fetched", for what is retained and what is
// not, in pip's own words.
func TestYanked(t *testing.T) {
	t.Parallel()
	eachPip(t, func(t *testing.T, u *user) {
		up := newIndex(t)
		one := up.wheel(pypitest.Dist{Name: "lib", Version: "1.0"})
		two := up.wheel(pypitest.Dist{Name: "lib", Version: "2.0"})
		p := startShortLived(t, up.simple())
		u.configure(p, "my-repo")
		u.install("lib")
		if got := u.version("lib"); got != "2.0" {
			t.Errorf("installed %q", got)
		}
		up.change(func() { two.yanked = "breaks everything" })
		time.Sleep(freshFor)
		u.fresh()
		u.install("lib")
		if got := u.version("lib"); got != "1.0" {
			t.Errorf("installed %q after 2.0 was yanked", got)
		}
		u.fresh()
		out := strings.Join(strings.Fields(u.install("lib==2.0")), " ")
		for _, want := range []string{"WARNING: The candidate selected for download or install is a yanked version", "Reason for being yanked: breaks everything"} {
			if !strings.Contains(out, want) {
				t.Errorf("does not say %q but %s", want, out)
			}
		}

		// The upstream is gone: what was last seen stays.
		up.down.Store(true)
		u.fresh()
		u.install("lib")
		if got := u.version("lib"); got != "1.0" {
			t.Errorf("installed %q without the upstream", got)
		}
		up.down.Store(false)
		up.change(func() { two.yanked, one.yanked = false, true })
		deadline := time.Now().Add(20 * time.Second) // the breaker wants to see some time pass
		for {
			if body := page(t, p, "my-repo", "lib"); strings.Contains(body, `lib-1.0`) && strings.Count(body, "data-yanked") == 1 && !strings.Contains(body, "breaks") {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal("never un-yanked")
			}
			time.Sleep(50 * time.Millisecond)
		}
		u.fresh()
		u.install("lib")
		if got := u.version("lib"); got != "2.0" {
			t.Errorf("installed %q after 2.0 was un-yanked", got)
		}
	})
}

// TestNewWheel: new files of a retained version appear, as the guide says.
func TestNewWheel(t *testing.T) {
	t.Parallel()
	up := newIndex(t)
	up.source(pypitest.Dist{Name: "lib", Version: "1.0"})
	p := startShortLived(t, up.simple())
	u := newUser(t).configure(p, "my-repo")
	u.OK(u.python, "-m", "pip", "download", "--no-deps", "--no-build-isolation", "-d", "got", "lib")
	up.wheel(pypitest.Dist{Name: "lib", Version: "1.0"})
	time.Sleep(freshFor)
	u.fresh()
	if out := u.install("lib"); !strings.Contains(out, "lib-1.0-py3-none-any.whl") {
		t.Errorf("pip took something else:\n%s", out)
	}
	up.down.Store(true)
	u.fresh()
	u.install("lib")
	if got := u.version("lib"); got != "1.0" {
		t.Errorf("installed %q without the upstream", got)
	}
}

// TestRepublished: bytes that do not have the announced digest never arrive, whoever changed them.
func TestRepublished(t *testing.T) {
	t.Parallel()
	up := newIndex(t)
	lib := pypitest.Dist{Name: "lib", Version: "1.0"}
	other := pypitest.Dist{Name: "lib", Version: "1.0", Code: "__version__ = 'evil'\n"}
	kept := up.wheel(lib)
	bad := up.wheel(pypitest.Dist{Name: "bad", Version: "1.0"})
	p := startShortLived(t, up.simple())
	u := newUser(t).configure(p, "my-repo")
	u.install("lib")

	// Another file under the name of one that is here: nobody sees it.
	up.change(func() { kept.content = other.Wheel() })
	time.Sleep(freshFor)
	u.fresh()
	u.install("lib")
	if got := u.version("lib"); got != "1.0" {
		t.Errorf("installed %q", got)
	}
	// One that is not what the page says.
	up.change(func() { bad.sends = bytes.Replace(bad.content, []byte("1.0"), []byte("6.6"), 1) })
	u.cannotInstall(nil, "bad")
	for _, row := range p.Rows() {
		if row.Package == "bad" {
			t.Errorf("kept: %+v", row)
		}
	}
	up.change(func() { bad.sends = nil })
	u.fresh()
	u.install("bad")
	if got := u.version("bad"); got != "1.0" {
		t.Errorf("installed %q after the upstream's recovery", got)
	}
}

// TestHashes installs what a lock file pins.
func TestHashes(t *testing.T) {
	t.Parallel()
	eachPip(t, func(t *testing.T, u *user) {
		up := newIndex(t, pypitest.Dist{Name: "theirs", Version: "1.0"})
		p := start(t, samples(), up.simple())
		u.configure(p, "my-repo")
		ours := pypitest.Dist{Name: "ours", Version: "1.0"}
		mustPost(t, p, "my-repo", ours.WheelForm())
		pin := func(theirs string) {
			u.Write("requirements.txt", "ours==1.0 --hash=sha256:"+pypitest.SHA256(ours.Wheel())+"\ntheirs==1.0 --hash=sha256:"+theirs+"\n")
		}
		pin(pypitest.SHA256(pypitest.Dist{Name: "theirs", Version: "1.0"}.Wheel()))
		u.install("--require-hashes", "-r", "requirements.txt")
		if got := u.version("ours") + " " + u.version("theirs"); got != "1.0 1.0" {
			t.Errorf("installed %q", got)
		}
		u.fresh()
		pin(strings.Repeat("0", 64))
		u.cannotInstall([]string{"THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE"}, "--require-hashes", "-r", "requirements.txt")
	})
}

// TestChain is "Package retention in intermediate repositories", with Python.
func TestChain(t *testing.T) {
	t.Parallel()
	up := newIndex(t, pypitest.Dist{Name: "lib", Version: "1.0"}, pypitest.Dist{Name: "lib", Version: "2.0"})
	p := start(t, clienttest.Chain(connection), up.simple())
	u := newUser(t).configure(p, "repo-a")
	u.OK(u.python, "-m", "pip", "download", "--no-deps", "-d", "got", "lib==1.0")
	rows := func() string {
		var out []string
		for _, row := range p.Rows() {
			out = append(out, row.Repository+" "+row.Version)
		}
		return strings.Join(out, ", ")
	}
	if got := rows(); got != "repo-a 1, repo-c 1" {
		t.Errorf("held: %s", got)
	}
	u.configure(p, "repo-b")
	u.install("lib==2.0")
	if got := rows(); got != "repo-a 1, repo-b 2, repo-c 1, repo-c 2" {
		t.Errorf("held: %s", got)
	}
	mustPost(t, p, "repo-b", pypitest.Dist{Name: "between", Version: "1.0"}.WheelForm())
	u.configure(p, "repo-a").fresh()
	u.install("between", "lib")
	if got := u.version("between") + " " + u.version("lib"); got != "1.0 2.0" {
		t.Errorf("installed %q", got)
	}

	// Archived where it was asked for: hidden there, whatever the others have.
	p.Stop()
	p.SetStatus("repo-a", "lib", "2", "Archived")
	p.Restart()
	u.fresh()
	u.cannotInstall([]string{"No matching distribution found for lib==2.0"}, "lib==2.0")
	file := address(p, "repo-a") + "simple/lib/2.0/lib-2.0-py3-none-any.whl"
	u.cannotInstall([]string{"403 Client Error"}, withToken(p, file))
	if _, said, err := p.Do(http.MethodGet, file, nil); err != nil || !strings.Contains(string(said), "is archived") {
		t.Errorf("says %s, %v", said, err)
	}
	p.Stop()
	p.SetStatus("repo-a", "lib", "2", "Unlisted")
	p.Restart()
	u.cannotInstall([]string{"No matching distribution found for lib==2.0"}, "lib==2.0")
	u.install(withToken(p, file))
	if got := u.version("lib"); got != "2.0" {
		t.Errorf("installed %q from the address of an unlisted file", got)
	}
}

// TestFolder proxies what "python -m http.server" shows of a folder: an index without digests, sizes and times.
func TestFolder(t *testing.T) {
	t.Parallel()
	eachPip(t, func(t *testing.T, u *user) {
		lib, app := pypitest.Dist{Name: "lib", Version: "1.0"}, pypitest.Dist{Name: "my-app", Version: "1.0+local.1", Requires: []string{"lib"}}
		url, stop := folderIndex(t, u.python, map[string][]byte{
			"lib/" + lib.WheelName(): lib.Wheel(), "lib/" + lib.SourceName(): lib.Source(), "my-app/" + app.WheelName(): app.Wheel(), "my-app/notes.txt": []byte("x"),
		})
		p := start(t, samples(), url)
		u.configure(p, "my-repo")
		u.install("my-app")
		if got := u.version("my_app") + " " + u.version("lib"); got != "1.0+local.1 1.0" {
			t.Errorf("installed %q", got)
		}
		stop()
		u.fresh()
		u.install("my-app")
		if got := u.version("my_app"); got != "1.0+local.1" {
			t.Errorf("installed %q without the upstream", got)
		}
		if body := page(t, p, "my-repo", "lib"); !strings.Contains(body, "#sha256="+pypitest.SHA256(lib.Wheel())) {
			t.Errorf("a file that is here has no digest in the page:\n%s", body)
		}
	})
}
