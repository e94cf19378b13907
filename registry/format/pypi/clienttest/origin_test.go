package clienttest_test

import (
	"net/http"
	"strings"
	"testing"

	"packhouse.dev/packhouse/registry/format/pypi/pypitest"
	"packhouse.dev/packhouse/registry/internal/clienttest"
)

// TestOrigin is what a user sees of origin controls, and what an upstream hears of private names.
func TestOrigin(t *testing.T) {
	t.Parallel()
	twine := clienttest.Program(t, "twine")
	up := newIndex(t, pypitest.Dist{Name: "theirs", Version: "1.0"}, pypitest.Dist{Name: "secret-sauce", Version: "99.0"}, pypitest.Dist{Name: "both", Version: "1.0"})
	p := start(t, samples()+origin("secret-sauce", "Allow", "Block")+origin("both", "Allow", "Allow"), up.simple())
	u := newUser(t).configure(p, "my-repo")
	u.pypirc(p, "my-repo")
	upload := func(d pypitest.Dist) []string {
		return []string{"upload", "--non-interactive", "--verbose", "--repository", "codeartifact", u.dist(d.WheelName(), d.Wheel())}
	}
	u.OK(twine, upload(pypitest.Dist{Name: "Secret_Sauce", Version: "1.0"})...)
	u.install("secret.sauce")
	if got := u.version("Secret_Sauce"); got != "1.0" {
		t.Errorf("installed %q", got)
	}
	u.cannotInstall([]string{"No matching distribution found"}, "secret-sauce==99.0")
	if up.heard("secret") {
		t.Error("the upstream was told of a name that was blocked beforehand")
	}
	u.install("theirs")
	u.Refused([]string{"403", "origin controls", "do not allow publishing"}, twine, upload(pypitest.Dist{Name: "theirs", Version: "1.1"})...)
	u.Refused([]string{"409", "is in public:pypi, an upstream of repository"}, twine, upload(pypitest.Dist{Name: "both", Version: "1.0.0"})...)
	u.OK(twine, upload(pypitest.Dist{Name: "both", Version: "1.0.1"})...)
	u.install("both")
	if got := u.version("both"); got != "1.0.1" {
		t.Errorf("installed %q", got)
	}
}

// TestConfusion is the drill: an index offers a newer version of what is internal, and names that look like it. None of them is listed,
// asked for or installed, whatever is tried, and nobody can publish a name that looks like it.
func TestConfusion(t *testing.T) {
	t.Parallel()
	const group = "---\napiVersion: packhouse.dev/v1alpha1\nkind: PackageGroup\nmetadata: {name: corp}\nspec:\n  domainRef: {name: my-domain}\n  pattern: /pypi//corp-tool$\n" +
		"  originControls:\n    publish: {restriction: Allow}\n    externalUpstream: {restriction: Block}\n    internalUpstream: {restriction: Allow}\n"
	near := []string{"c0rp-tool", "corp-t0ol", "corp-too1"} // Corp_Tool and corp.tool are the name itself
	up := newIndex(t, pypitest.Dist{Name: "theirs", Version: "1.0"}, pypitest.Dist{Name: "corp-tool", Version: "99.0"})
	for _, name := range near {
		up.wheel(pypitest.Dist{Name: name, Version: "99.0"})
	}
	p := start(t, samples()+group, up.simple())
	newUser(t).configure(p, "my-repo").cannotInstall([]string{"No matching distribution found"}, "corp-tool")
	mustPost(t, p, "my-repo", pypitest.Dist{Name: "Corp_Tool", Version: "1.0"}.WheelForm())
	eachPip(t, func(t *testing.T, u *user) {
		u.configure(p, "my-repo")
		for _, spelled := range []string{"corp-tool", "Corp_Tool", "CORP.tool"} {
			u.install("--upgrade", spelled)
			if got := u.version("Corp_Tool"); got != "1.0" {
				t.Errorf("%s: installed %q", spelled, got)
			}
			u.cannotInstall([]string{"No matching distribution found"}, spelled+"==99.0")
			u.cannotInstall([]string{"No matching distribution found"}, spelled+">1.0")
		}
		for _, name := range near {
			u.cannotInstall([]string{"No matching distribution found"}, name)
			u.cannotInstall([]string{"404"}, withToken(p, address(p, "my-repo"))+"simple/"+name+"/99.0/"+pypitest.Dist{Name: name, Version: "99.0"}.WheelName())
			if status, body := post(t, p, "my-repo", pypitest.Dist{Name: name, Version: "1.0"}.WheelForm()); status != http.StatusForbidden || !strings.Contains(body, "a variation of package group /pypi//corp-tool$") {
				t.Errorf("publishing %s: %d %s", name, status, body)
			}
		}
		u.install("theirs")
		for _, name := range append(near, "corp", "tool") {
			if up.heard(name) {
				t.Errorf("the upstream heard of %s", name)
			}
		}
	})
}

// TestDenied is what is said without a token, and with one of nobody.
func TestDenied(t *testing.T) {
	t.Parallel()
	twine := clienttest.Program(t, "twine")
	p := start(t, samples(), "")
	mustPost(t, p, "my-repo", pypitest.Dist{Name: "lib", Version: "1.0"}.WheelForm())
	u := newUser(t)
	index := address(p, "my-repo") + "simple/"
	u.cannotInstall([]string{"No matching distribution found for lib"}, "--index-url", index, "lib")
	u.cannotInstall([]string{"401 Client Error"}, strings.Replace(index, "://", "://aws:wrong@", 1)+"lib/1.0/lib-1.0-py3-none-any.whl")
	d := pypitest.Dist{Name: "lib", Version: "1.1"}
	u.Refused([]string{"401"}, twine, "upload", "--non-interactive", "--repository-url", address(p, "my-repo"), "-u", "aws", "-p", "wrong", u.dist(d.WheelName(), d.Wheel()))
	u.Refused([]string{"405"}, twine, "upload", "--non-interactive", "--verbose", "--repository-url", index, "-u", "aws", "-p", p.Token, u.dist(d.WheelName(), d.Wheel()))
	u.OK(twine, "upload", "--non-interactive", "--repository-url", strings.TrimSuffix(address(p, "my-repo"), "/"), "-u", "__token__", "-p", p.Token, u.dist(d.WheelName(), d.Wheel()))
	if status, body, err := p.Do(http.MethodGet, index, nil); err != nil || status != http.StatusOK || !strings.Contains(string(body), `<a href="lib/">lib</a>`) {
		t.Errorf("list of projects: %d %s %v", status, body, err)
	}
}
