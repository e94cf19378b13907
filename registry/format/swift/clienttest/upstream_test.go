package clienttest_test

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"packhouse.dev/packhouse/registry/format/swift/swifttest"
	"packhouse.dev/packhouse/registry/internal/clienttest"
)

// TestProxied: packages of a registry of another make come through this one, by its own addresses only; what was downloaded is there when
// the other registry is not.
func TestProxied(t *testing.T) {
	t.Parallel()
	lib := swifttest.Package{
		Scope: "Mona", Name: "LinkedList", Version: "1.0.0", Tools: "5.7", Metadata: aboutList, Signature: "c2lnbmVk",
		Manifests: map[string]string{"Package@swift-5.9.swift": "5.9", "Package@swift-5.10.swift": "5.10"},
	}
	newer := lib
	newer.Version, newer.Metadata = "1.1.0", `{"author":"nobody"}` // which no client could decode
	feed := swifttest.NewFeed(t, lib, newer, swifttest.Package{Scope: "Mona", Name: "LinkedList", Version: "2.0.0"})
	feed.TakeBack("2.0.0")
	p := start(t, chain(feed.URL))
	c := client(p)
	versions, gone, h, err := c.Releases("mona.linkedlist")
	if diff := cmp.Diff([]string{"1.0.0", "1.1.0"}, versions); diff != "" || err != nil || gone != nil {
		t.Errorf("%v %s %q", err, diff, gone)
	}
	if link := strings.Join(h.Values("Link"), ""); strings.Contains(link, feed.URL) || !strings.Contains(link, address(p, "my-repo")+"mona/linkedlist/1.1.0") {
		t.Errorf("links %s", link)
	}
	m, err := c.Metadata("mona.linkedlist", "1.0.0")
	if err != nil || m.ID != "Mona.LinkedList" || m.PublishedAt != "2023-02-16T04:00:00Z" || m.Metadata.Author == nil || m.Resources[0].Signing == nil || m.Resources[0].Signing.Signature != "c2lnbmVk" {
		t.Errorf("%+v %v", m, err)
	}
	if m, err := c.Metadata("mona.linkedlist", "1.1.0"); err != nil || m.Metadata.Author != nil {
		t.Errorf("%+v %v", m, err)
	}
	text, variants, err := c.Manifests("mona.linkedlist", "1.0.0")
	if diff := cmp.Diff(map[string]string{"Package@swift-5.9.swift": "5.9", "Package@swift-5.10.swift": "5.10"}, variants); diff != "" || err != nil || text != lib.Manifest("5.7") {
		t.Errorf("%v %s\n%s", err, diff, text)
	}
	for swift, tools := range map[string]string{"5.9": "5.9", "5.10": "5.10", "5.8": "5.7"} {
		if got, err := c.Manifest("mona.linkedlist", "1.0.0", swift); err != nil || got != lib.Manifest(tools) {
			t.Errorf("for Swift %s: %v\n%s", swift, err, got)
		}
	}
	_, err = c.Metadata("mona.linkedlist", "2.0.0")
	refused(t, err, http.StatusNotFound)
	if rows := p.Rows(); len(rows) > 0 {
		t.Errorf("resolving retained %+v", rows)
	}
	got, h, err := c.Download("mona.linkedlist", "1.0.0")
	if err != nil || !bytes.Equal(got, lib.Archive()) || h.Get("X-Swift-Package-Signature") != "c2lnbmVk" {
		t.Errorf("%d bytes, %v, %v", len(got), err, h)
	}
	feed.Behave(true, nil)
	c = client(p)
	for _, swift := range []string{"5.9", "5.8"} {
		if _, err := c.Manifest("mona.linkedlist", "1.0.0", swift); err != nil {
			t.Errorf("without the upstream, for Swift %s: %v", swift, err)
		}
	}
	if got, _, err := c.Download("mona.linkedlist", "1.0.0"); err != nil || !bytes.Equal(got, lib.Archive()) {
		t.Errorf("without the upstream: %d bytes, %v", len(got), err)
	}
	_, _, err = c.Download("mona.linkedlist", "1.1.0")
	refused(t, err, http.StatusServiceUnavailable)
	_, _, _, err = c.Releases("mona.unknown")
	refused(t, err, http.StatusServiceUnavailable)
}

// TestPages: further pages of a list are read, and ours has none.
func TestPages(t *testing.T) {
	t.Parallel()
	feed := swifttest.NewFeed(t)
	feed.PageSize = 10
	for i := range 25 {
		feed.Add(swifttest.Package{Scope: "mona", Name: "Many", Version: fmt.Sprintf("1.0.%d", i)})
	}
	versions, _, h, err := client(start(t, chain(feed.URL))).Releases("mona.many")
	if err != nil || len(versions) != 25 || strings.Contains(strings.Join(h.Values("Link"), ""), "next") {
		t.Errorf("%q %v %v", versions, h, err)
	}
}

// TestConfusion is the drill: a registry offers a newer version of what is internal, and names that look like it. None of them is listed,
// asked for or downloaded, and nobody can publish a name that looks like it.
func TestConfusion(t *testing.T) {
	t.Parallel()
	near := []string{"c0rp.se-cret", "corp.se_cret", "corp.Se-cret-"}
	feed := swifttest.NewFeed(t, swifttest.Package{Scope: "Corp", Name: "Se-cret", Version: "99.0.0"}, swifttest.Package{Scope: "theirs", Name: "lib", Version: "1.0.0"})
	for _, id := range near {
		scope, name, _ := strings.Cut(id, ".")
		feed.Add(swifttest.Package{Scope: scope, Name: name, Version: "99.0.0"})
	}
	p := start(t, chain(feed.URL)+clienttest.Group("/swift/corp/se-cret$"))
	c := client(p)
	ok(t, c.Publish(swifttest.Package{Scope: "Corp", Name: "Se-cret", Version: "1.0.0"}))
	for _, id := range []string{"corp.se-cret", "CORP.SE-CRET"} {
		if got, _, _, err := c.Releases(id); err != nil || !slices.Equal(got, []string{"1.0.0"}) {
			t.Errorf("%s: %q %v", id, got, err)
		}
		_, _, err := c.Download(id, "99.0.0")
		refused(t, err, http.StatusNotFound)
	}
	for _, id := range near {
		_, _, _, err := c.Releases(id)
		refused(t, err, http.StatusNotFound)
		scope, name, _ := strings.Cut(id, ".")
		err = c.Publish(swifttest.Package{Scope: scope, Name: name, Version: "1.0.0"})
		if !strings.HasSuffix(name, "-") { // which is no name
			refused(t, err, http.StatusForbidden, "a variation of package group /swift/corp/se-cret$")
			continue
		}
		refused(t, err, http.StatusBadRequest, "is not a package name")
	}
	if _, _, err := c.Download("theirs.lib", "1.0.0"); err != nil {
		t.Error(err)
	}
	refused(t, c.Publish(swifttest.Package{Scope: "theirs", Name: "lib", Version: "2.0.0"}), http.StatusForbidden, "origin controls of package swift/theirs/lib")
	if heard := feed.Heard("cret"); len(heard) > 0 {
		t.Errorf("the upstream was asked for %q", heard)
	}
}

// TestCorrupt: a registry that breaks archives off, or sends others, leaves nothing behind; its damaged documents are none.
func TestCorrupt(t *testing.T) {
	t.Parallel()
	only := func(suffix string, broken func([]byte) []byte) func(string, []byte) []byte {
		return func(path string, b []byte) []byte {
			if strings.HasSuffix(path, suffix) {
				return broken(b)
			}
			return b
		}
	}
	for name, tt := range map[string]struct {
		broken func(path string, body []byte) []byte
		lists  bool
	}{
		"archive cut off": {only(".zip", func(b []byte) []byte { return b[:len(b)-40] }), true},
		"another archive": {only(".zip", func([]byte) []byte {
			return swifttest.Package{Scope: "mona", Name: "Lib", Version: "1.0.1"}.Archive()
		}), true},
		"another release": {only("/1.0.0", func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("1.0.0"), []byte("1.0.1")) }), true},
		"another package": {only("/1.0.0", func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("mona.Lib"), []byte("mona.Bib")) }), true},
		"no registry":     {func(string, []byte) []byte { return []byte("<html>") }, false},
		"no list":         {func(string, []byte) []byte { return []byte("{}") }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			feed := swifttest.NewFeed(t, swifttest.Package{Scope: "mona", Name: "Lib", Version: "1.0.0"})
			feed.Behave(false, tt.broken)
			p := start(t, chain(feed.URL))
			c := client(p)
			if _, _, _, err := c.Releases("mona.lib"); (err == nil) != tt.lists {
				t.Errorf("list: %v", err)
			}
			if _, _, err := c.Download("mona.lib", "1.0.0"); err == nil {
				t.Error("what is not the archive was taken for it")
			}
			for _, r := range p.Rows() {
				t.Errorf("%+v", r)
			}
		})
	}
}

// TestChanged: new releases of an upstream appear, what it took back is gone unless it was downloaded here, and what was downloaded stays
// what it was, whatever the upstream says of it now.
func TestChanged(t *testing.T) {
	t.Parallel()
	lib := func(version, description string) swifttest.Package {
		return swifttest.Package{Scope: "mona", Name: "Lib", Version: version, Metadata: `{"description":"` + description + `"}`, Files: map[string]string{"a": description}}
	}
	feed := swifttest.NewFeed(t, lib("1.0.0", "first"), lib("1.1.0", "first"))
	p := start(t, chain(feed.URL))
	c := client(p)
	if _, _, err := c.Download("mona.lib", "1.0.0"); err != nil {
		t.Fatal(err)
	}
	feed.TakeBack("1.1.0")
	feed.Add(lib("1.2.0", "second"))
	feed.Behave(false, func(_ string, b []byte) []byte { return bytes.ReplaceAll(b, []byte("first"), []byte("other")) })
	time.Sleep(freshFor)
	versions, _, _, err := c.Releases("mona.lib")
	if diff := cmp.Diff([]string{"1.0.0", "1.2.0"}, versions); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	m, err := c.Metadata("mona.lib", "1.0.0")
	if err != nil || m.Metadata.Description != "first" {
		t.Errorf("%+v %v", m, err)
	}
	if got, _, err := c.Download("mona.lib", "1.0.0"); err != nil || !bytes.Equal(got, lib("1.0.0", "first").Archive()) {
		t.Errorf("%d bytes %v", len(got), err)
	}
}
