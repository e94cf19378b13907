package clienttest_test

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"packhouse.dev/packhouse/registry/format/nuget/nugettest"
	"packhouse.dev/packhouse/registry/internal/clienttest"
)

// TestProxied: packages of a feed like nuget.org come through the registry, by its own addresses only; what was fetched once is there
// when the feed is not.
func TestProxied(t *testing.T) {
	t.Parallel()
	lib := nugettest.Package{ID: "Theirs.Lib", Version: "1.0.0", Dependencies: net20([2]string{"Deep", "[2.0.0, )"})}
	feed := nugettest.NewFeed(t, lib, nugettest.Package{ID: "Theirs.Lib", Version: "1.1.0-Rc.1"}, nugettest.Package{ID: "Theirs.Lib", Version: "1.2.0", Unlisted: true},
		nugettest.Package{ID: "Deep", Version: "2.0.0"})
	p := start(t, samples(), feed.Index())
	c := client(p)
	versions, err := c.Versions("Theirs.Lib")
	if diff := cmp.Diff([]string{"1.0.0", "1.1.0-rc.1", "1.2.0"}, versions); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	if rows := p.Rows(); len(rows) > 0 {
		t.Errorf("a list retained %+v", rows)
	}
	at := address(p, "my-repo") + "v3/"
	for _, path := range []string{"registration-semver2/theirs.lib/index.json", "registration/theirs.lib/1.0.0.json", "catalog/theirs.lib/1.0.0.json"} {
		body, _, err := c.Get(at + path)
		if err != nil || bytes.Contains(body, []byte(feed.URL)) {
			t.Errorf("%s leads to the upstream: %v\n%s", path, err, body)
		}
	}
	entries, err := c.Metadata("theirs.lib")
	if err != nil || len(entries) != 3 || entries[2].Listed || !entries[0].Listed || entries[0].Published != "2024-05-06T07:08:09.123Z" ||
		entries[0].Deprecation == nil || entries[0].DependencyGroups[0].Dependencies[0].Range != "[2.0.0, )" {
		t.Errorf("%+v %v", entries, err)
	}
	if got, err := c.Download("Theirs.Lib", "1.0.0"); err != nil || !bytes.Equal(got, lib.File()) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if _, err := c.Download("Deep", "2.0.0"); err != nil {
		t.Error(err)
	}
	if got, _, err := c.Get(at + "flatcontainer/theirs.lib/1.1.0-rc.1/theirs.lib.nuspec"); err != nil || !strings.Contains(string(got), "<version>1.1.0-Rc.1</version>") {
		t.Errorf("the .nuspec of what was not fetched before: %s %v", got, err)
	}
	feed.Behave(true, nil)
	c = client(p)
	if got, err := c.Download("Theirs.Lib", "1.0.0"); err != nil || !bytes.Equal(got, lib.File()) {
		t.Errorf("without the upstream: %d bytes, %v", len(got), err)
	}
	_, _, err = c.Get(at + "flatcontainer/theirs.lib/1.2.0/theirs.lib.1.2.0.nupkg")
	refused(t, err, http.StatusServiceUnavailable)
	_, err = c.Versions("Unknown")
	refused(t, err, http.StatusServiceUnavailable)
	if found, err := c.Search("theirs", false); err != nil || len(found) != 1 || found[0].Version != "1.0.0" {
		t.Errorf("%+v %v", found, err)
	}
}

// TestPages: registrations with many versions are read and written in pages.
func TestPages(t *testing.T) {
	t.Parallel()
	feed := nugettest.NewFeed(t)
	feed.PageSize = 64
	var want []string
	for i := range 150 {
		v := fmt.Sprintf("1.0.%d", i)
		feed.Add(nugettest.Package{ID: "Many", Version: v})
		want = append(want, v)
	}
	c := client(start(t, samples(), feed.Index()))
	entries, err := c.Metadata("many")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Version)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if pages := feed.Heard("/page/"); len(pages) != 3 {
		t.Errorf("pages %q", pages)
	}
}

// TestConfusion is the drill: a feed offers a newer version of what is internal, and names that look like it. None of them is listed,
// asked for or restored, and nobody can publish a name that looks like it.
func TestConfusion(t *testing.T) {
	t.Parallel()
	near := []string{"C0rp.Secret", "Corp-Secret", "Corp_Secret"}
	feed := nugettest.NewFeed(t, nugettest.Package{ID: "Corp.Secret", Version: "99.0.0"}, nugettest.Package{ID: "Theirs", Version: "1.0.0"})
	for _, id := range near {
		feed.Add(nugettest.Package{ID: id, Version: "99.0.0"})
	}
	feed.Vulnerable(`{"corp.secret":[{"url":"https://a.test/1","severity":3,"versions":"(, 100.0.0]"}],"theirs":[{"url":"https://a.test/2","severity":1,"versions":"[1.0.0]"}]}`)
	p := start(t, samples()+clienttest.Group("/nuget//corp.secret$")+origin("theirs", "Block", "Allow"), feed.Index())
	c := client(p)
	ok(t, c.Push(nugettest.Package{ID: "Corp.Secret", Version: "1.0.0"}.File(), nil))
	for _, id := range []string{"Corp.Secret", "corp.secret", "CORP.SECRET"} {
		if got, err := c.Versions(id); err != nil || !slices.Equal(got, []string{"1.0.0"}) {
			t.Errorf("%s: %q %v", id, got, err)
		}
	}
	for _, id := range near {
		if got, err := c.Versions(id); err != nil || got != nil {
			t.Errorf("%s: %q %v", id, got, err)
		}
		name := strings.ToLower(id)
		_, _, err := c.Get(address(p, "my-repo") + "v3/flatcontainer/" + name + "/99.0.0/" + name + ".99.0.0.nupkg")
		refused(t, err, http.StatusNotFound)
		refused(t, c.Push(nugettest.Package{ID: id, Version: "1.0.0"}.File(), nil), http.StatusForbidden, "a variation of package group /nuget//corp.secret$")
	}
	if found, err := c.Search("secret", true); err != nil || len(found) != 1 || found[0].Version != "1.0.0" {
		t.Errorf("%+v %v", found, err)
	}
	refused(t, c.Push(nugettest.Package{ID: "Theirs", Version: "2.0.0"}.File(), nil), http.StatusForbidden, "origin controls of package nuget/theirs")
	if _, err := c.Download("Theirs", "1.0.0"); err != nil {
		t.Error(err)
	}
	got, err := c.Vulnerabilities()
	want := map[string][]nugettest.Vulnerability{"theirs": {{URL: "https://a.test/2", Severity: 1, Versions: "[1.0.0]"}}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("of our own package nothing is said outside: %v %s", err, diff)
	}
	if heard := feed.Heard("secret"); len(heard) > 0 {
		t.Errorf("the upstream was asked for %q", heard)
	}
}

// TestVulnerabilities: without upstreams, or with one that knows nothing, the page is empty, and a restore has no warning.
func TestVulnerabilities(t *testing.T) {
	t.Parallel()
	for name, manifests := range map[string]string{"nothing upstream": samples(), "no upstream": clienttest.Head + clienttest.Repository("my-repo")} {
		c := client(start(t, manifests, nugettest.NewFeed(t).Index()))
		if got, err := c.Vulnerabilities(); err != nil || len(got) != 0 {
			t.Errorf("%s: %v %v", name, got, err)
		}
	}
}

// TestCorrupt: a feed that breaks files off, or sends others, leaves nothing behind, and its lists are no lists if they are damaged.
func TestCorrupt(t *testing.T) {
	t.Parallel()
	other := nugettest.Package{ID: "Other", Version: "1.0.0"}.File()
	for name, tt := range map[string]struct {
		broken func(path string, body []byte) []byte
		status int
	}{
		"cut off": {func(path string, b []byte) []byte { return b[:len(b)-40] }, http.StatusServiceUnavailable},
		"another": {func(path string, b []byte) []byte {
			if strings.HasSuffix(path, ".nupkg") {
				return other
			}
			return b
		}, 0},
		"no feed": {func(string, []byte) []byte { return []byte("<html>") }, http.StatusServiceUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			feed := nugettest.NewFeed(t, nugettest.Package{ID: "Lib", Version: "1.0.0"})
			feed.Behave(false, tt.broken)
			p := start(t, samples(), feed.Index())
			c := client(p)
			if tt.status != 0 {
				_, err := c.Versions("lib")
				refused(t, err, tt.status)
			} else if _, err := c.Download("lib", "1.0.0"); err == nil {
				t.Error("another package was taken for it")
			}
			for _, r := range p.Rows() {
				t.Errorf("%+v", r)
			}
		})
	}
}

// TestAnotherPackhouse has the nuget.org of one registry be another one; versions may be there and here.
func TestAnotherPackhouse(t *testing.T) {
	t.Parallel()
	first := start(t, clienttest.Head+clienttest.Repository("my-repo"), "")
	owner := client(first)
	lib := nugettest.Package{ID: "Deep.Lib", Version: "1.0.0", Dependencies: net20([2]string{"Other", "1.0"}), Files: map[string]string{"icon.png": "i"}, More: "<icon>icon.png</icon>"}
	ok(t, owner.Push(lib.File(), lib.Symbols()))
	ok(t, owner.Push(nugettest.Package{ID: "Deep.Lib", Version: "1.1.0"}.File(), nil))
	ok(t, owner.Delete("Deep.Lib", "1.1.0", false))
	up := first.WithToken(t)
	up.Path = strings.TrimPrefix(address(first, "my-repo"), first.Endpoint) + "v3/index.json"
	second := start(t, samples()+origin("deep.lib", "Allow", "Allow"), up.String())
	c := client(second)
	refused(t, c.Push(nugettest.Package{ID: "Deep.Lib", Version: "1.0.0", Description: "mine"}.File(), nil), http.StatusConflict, "is in public:nuget-org, an upstream of repository")
	ok(t, c.Push(nugettest.Package{ID: "Deep.Lib", Version: "2.0.0"}.File(), nil))
	entries, err := c.Metadata("deep.lib")
	if err != nil || len(entries) != 3 || entries[1].Listed || !entries[2].Listed {
		t.Errorf("%+v %v", entries, err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.PackageContent, second.Endpoint) {
			t.Errorf("%+v", e)
		}
	}
	if got, err := c.Download("deep.lib", "1.0.0"); err != nil || !bytes.Equal(got, lib.File()) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if got, _, err := c.Get(address(second, "my-repo") + "v3/flatcontainer/deep.lib/1.0.0/icon"); err != nil || string(got) != "i" {
		t.Errorf("icon: %s %v", got, err)
	}
	refused(t, c.Delete("deep.lib", "1.1.0", true), http.StatusNotFound, "what comes from an upstream is unlisted there")
	first.Stop()
	if _, err := client(second).Download("deep.lib", "1.0.0"); err != nil {
		t.Error(err)
	}
	row := func(repository, version, origin string) clienttest.Row {
		return clienttest.Row{Repository: repository, Package: "deep.lib", Version: version, Status: "Published", Origin: origin}
	}
	want := []clienttest.Row{row("my-repo", "1.0.0", "EXTERNAL"), row("my-repo", "2.0.0", "INTERNAL"), row("nuget-store", "1.0.0", "EXTERNAL")}
	if diff := cmp.Diff(want, second.Rows()); diff != "" {
		t.Error(diff)
	}
}
