package clienttest_test

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"packhouse.dev/packhouse/registry/format/swift/swifttest"
	"packhouse.dev/packhouse/registry/internal/clienttest"
)

const aboutList = `{"author":{"name":"Mona = Octocat","email":"m@x.test"},"description":"A =3D list","licenseURL":"https://l.test/MIT","repositoryURLs":["https://Git.test/mona/LinkedList.git","git@git.test:mona/LinkedList.git"],"originalPublicationTime":"2024-01-02T03:04:05Z","more":{"x":1}}`

// TestPublish: what was published is listed, described, resolved and downloaded, under every spelling of its name.
func TestPublish(t *testing.T) {
	t.Parallel()
	p := start(t, single())
	c := client(p)
	ok(t, c.Login("/"))
	ok(t, c.Login("/login"))
	first := swifttest.Package{
		Scope: "Mona", Name: "LinkedList", Version: "1.0.0", Tools: "5.7", Metadata: aboutList, Signature: "signed \x00\xff",
		Manifests: map[string]string{"Package@swift-5.9.swift": "5.9", "Package@swift-5.10.1.swift": "5.10", "Package@swift-5.7.swift": "5.7"},
		Files:     map[string]string{"README.md": "# list", "Examples/Package.swift": "rubbish"},
	}
	ok(t, c.Publish(first))
	ok(t, c.Publish(swifttest.Package{Scope: "mona", Name: "linkedlist", Version: "1.1.0-rc.1+build.7"}))
	ok(t, c.Publish(swifttest.Package{Scope: "mona", Name: "linkedlist", Version: "1.1.0"}))
	at := address(p, "my-repo")
	for _, id := range []string{"mona.LinkedList", "Mona.linkedlist", "MONA.LINKEDLIST"} {
		versions, gone, h, err := c.Releases(id)
		if diff := cmp.Diff([]string{"1.0.0", "1.1.0", "1.1.0-rc.1+build.7"}, versions); diff != "" || err != nil || len(gone) > 0 {
			t.Errorf("%s: %v %q %s", id, err, gone, diff)
		}
		if got, want := h.Values("Link")[0], "<"+at+`Mona/LinkedList/1.1.0>; rel="latest-version"`; got != want {
			t.Errorf("link %s, want %s", got, want)
		}
	}
	m, err := c.Metadata("mona.linkedlist", "1.0.0")
	if err != nil {
		t.Fatal(err)
	}
	if m.ID != "Mona.LinkedList" || m.Metadata.Description != "A =3D list" || m.Metadata.Author.Name != "Mona = Octocat" || m.Resources[0].Type != "application/zip" ||
		m.Resources[0].Signing == nil || m.Resources[0].Signing.Signature != base64.StdEncoding.EncodeToString([]byte(first.Signature)) || m.PublishedAt == "" {
		t.Errorf("%+v", m)
	}
	got, h, err := c.Download("mona.linkedlist", "1.0.0")
	if err != nil || !bytes.Equal(got, first.Archive()) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if h.Get("X-Swift-Package-Signature-Format") != "cms-1.0.0" || !strings.HasPrefix(h.Get("Digest"), "sha-256=") || h.Get("Content-Disposition") != `attachment; filename="LinkedList-1.0.0.zip"` || h.Get("Accept-Ranges") != "bytes" {
		t.Errorf("%v", h)
	}
	text, variants, err := c.Manifests("mona.linkedlist", "1.0.0")
	if diff := cmp.Diff(map[string]string{"Package@swift-5.9.swift": "5.9", "Package@swift-5.10.1.swift": "5.10.1"}, variants); diff != "" || err != nil || text != first.Manifest("5.7") {
		t.Errorf("%v %s\n%s", err, diff, text)
	}
	for swift, tools := range map[string]string{"5.9": "5.9", "5.10.1": "5.10", "5.8": "5.7", "4.0": "5.7", "x": "5.7"} {
		if got, err := c.Manifest("mona.linkedlist", "1.0.0", swift); err != nil || got != first.Manifest(tools) {
			t.Errorf("for Swift %s: %v\n%s", swift, err, got)
		}
	}
	if _, _, err := c.Download("mona.linkedlist", "1.1.0-rc.1+build.7"); err != nil {
		t.Error(err)
	}
	for _, spelled := range []string{"https://git.test/mona/LinkedList", "git@git.test:Mona/linkedlist.git", "ssh://git@git.test:22/mona/LinkedList.git/"} {
		ids, err := c.Identifiers(spelled)
		if diff := cmp.Diff([]string{"mona.linkedlist"}, ids); diff != "" || err != nil {
			t.Errorf("%s: %v %s", spelled, err, diff)
		}
	}
	for _, other := range []string{"https://git.test/mona/Other", "rubbish", "https://git.test"} {
		if ids, err := c.Identifiers(other); err != nil || ids != nil {
			t.Errorf("%s: %q %v", other, ids, err)
		}
	}
	resp, _, err := c.Do(http.MethodGet, "/identifiers", "json", nil, nil)
	if err != nil || resp.StatusCode != http.StatusBadRequest {
		t.Errorf("identifiers of nothing: %v %v", resp, err)
	}
	for _, path := range []string{"/mona/LinkedList.json", "/mona/LinkedList/1.0.0.json", "/availability"} {
		if resp, _, err := c.Do(http.MethodGet, path, "json", nil, nil); err != nil || resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Version") != "1" {
			t.Errorf("%s: %v %v", path, resp, err)
		}
	}
}

// TestRefusals is what a user reads who publishes rubbish, or what is there already, or without permission.
func TestRefusals(t *testing.T) {
	t.Parallel()
	p := start(t, single()+clienttest.Group("/swift/corp/secret$"))
	c := client(p)
	lib := swifttest.Package{Scope: "mona", Name: "Lib", Version: "1.0.0"}
	ok(t, c.Publish(lib))
	refused(t, c.Publish(lib), http.StatusConflict, "the version exists")
	again := lib
	again.Name = "lib"
	refused(t, c.Publish(again), http.StatusConflict, "the version exists")
	manifest := lib.Manifest("5.9")
	for name, tt := range map[string]struct {
		pkg     swifttest.Package
		archive []byte
		text    string
	}{
		"no archive":       {swifttest.Package{}, []byte("rubbish"), "the source archive is no ZIP file"},
		"nothing":          {swifttest.Package{}, nil, `no part "source-archive"`},
		"no folder":        {swifttest.Package{}, swifttest.Zip([][2]string{{"Package.swift", manifest}}), "is not in a folder"},
		"two folders":      {swifttest.Package{}, swifttest.Zip([][2]string{{"a/Package.swift", manifest}, {"b/x", ""}}), "is beside the one folder"},
		"no manifest":      {swifttest.Package{}, swifttest.Zip([][2]string{{"a/b/Package.swift", manifest}}), "has no a/Package.swift"},
		"no tools version": {swifttest.Package{}, swifttest.Zip([][2]string{{"a/Package.swift", "import x"}}), `does not begin with a line "// swift-tools-version`},
		"leaves":           {swifttest.Package{}, swifttest.Zip([][2]string{{"a/Package.swift", manifest}, {"a/../../x", ""}}), "leaves the package"},
		"bad version":      {swifttest.Package{Version: "1.0"}, lib.Archive(), `"1.0" is not a semantic version`},
		"bad name":         {swifttest.Package{Name: "a.b"}, lib.Archive(), "is not a package name"},
		"no object":        {swifttest.Package{Metadata: "[]"}, lib.Archive(), "the metadata is not a JSON object"},
		"author":           {swifttest.Package{Metadata: `{"author":{"email":"x"}}`}, lib.Archive(), "in the metadata, author.name is missing"},
		"time":             {swifttest.Package{Metadata: `{"originalPublicationTime":"2024-01-02T03:04:05.5Z"}`}, lib.Archive(), "is not a time in whole seconds"},
	} {
		t.Run(name, func(t *testing.T) {
			pkg := tt.pkg
			pkg.Scope = "mona"
			if pkg.Name == "" {
				pkg.Name = "Other"
			}
			if pkg.Version == "" {
				pkg.Version = "2.0.0"
			}
			refused(t, c.PublishArchive(pkg, tt.archive), http.StatusBadRequest, tt.text)
		})
	}
	_, _, _, err := c.Releases("mona.other")
	refused(t, err, http.StatusNotFound)
	for name, token := range map[string]string{"no token": "", "a wrong one": "wrong"} {
		stranger := client(p)
		stranger.Token = token
		t.Run(name, func(t *testing.T) {
			_, _, _, err := stranger.Releases("mona.lib")
			refused(t, err, http.StatusUnauthorized, "packhouse login")
			refused(t, stranger.Login("/"), http.StatusUnauthorized, "packhouse login")
		})
	}
	resp, body, err := c.Do(http.MethodGet, "/mona/lib", "json", nil, nil)
	if err != nil || resp.StatusCode != 200 {
		t.Errorf("%v %s %v", resp, body, err)
	}
	// curl as in the guide: Basic, and a file with a name.
	for _, near := range []string{"c0rp", "Corp"} {
		pkg := swifttest.Package{Scope: near, Name: "secret", Version: "1.0.0"}
		if near == "Corp" { // the name itself
			ok(t, c.Publish(pkg))
			continue
		}
		refused(t, c.Publish(pkg), http.StatusForbidden, "a variation of package group /swift/corp/secret$")
	}
}

// TestArchived: a version that is archived is a tombstone in the list, and 404 everywhere else; an unlisted one is in no list, and builds
// that are pinned to it go on.
func TestArchived(t *testing.T) {
	t.Parallel()
	p := start(t, single())
	c := client(p)
	for _, v := range []string{"1.0.0", "1.1.0", "1.2.0"} {
		ok(t, c.Publish(swifttest.Package{Scope: "mona", Name: "Lib", Version: v}))
	}
	p.Stop()
	p.SetStatus("my-repo", "lib", "1.1.0", "Archived")
	p.SetStatus("my-repo", "lib", "1.2.0", "Unlisted")
	p.Restart()
	c = client(p)
	versions, gone, h, err := c.Releases("mona.lib")
	if diff := cmp.Diff([][]string{{"1.0.0"}, {"1.1.0"}}, [][]string{versions, gone}); diff != "" || err != nil || !strings.Contains(h.Get("Link"), "/1.0.0>") {
		t.Errorf("%v %v %s", err, h, diff)
	}
	_, err = c.Metadata("mona.lib", "1.1.0")
	refused(t, err, http.StatusNotFound, "archived")
	_, _, err = c.Manifests("mona.lib", "1.1.0")
	refused(t, err, http.StatusNotFound, "archived")
	refused(t, c.Publish(swifttest.Package{Scope: "mona", Name: "Lib", Version: "1.1.0"}), http.StatusConflict, "archived")
	if _, _, err := c.Download("mona.lib", "1.2.0"); err != nil {
		t.Errorf("pinned: %v", err)
	}
	if _, _, err := c.Manifests("mona.lib", "1.2.0"); err != nil {
		t.Errorf("pinned: %v", err)
	}
}

// TestAnotherPackhouse has a registry whose upstream is another one: to resolve is no download, and what was downloaded is there when
// the other one is not.
func TestAnotherPackhouse(t *testing.T) {
	t.Parallel()
	first := start(t, single())
	owner := client(first)
	lib := swifttest.Package{
		Scope: "Mona", Name: "LinkedList", Version: "1.0.0", Tools: "5.7", Metadata: aboutList, Signature: "s",
		Manifests: map[string]string{"Package@swift-5.9.swift": "5.9"},
	}
	ok(t, owner.Publish(lib))
	lib2 := lib
	lib2.Version = "1.1.0+b.2"
	ok(t, owner.Publish(lib2))
	up := first.WithToken(t)
	up.Path = strings.TrimPrefix(address(first, "my-repo"), first.Endpoint)
	second := start(t, chain(up.String())+clienttest.Group("/swift/corp/*"))
	c := client(second)
	versions, _, _, err := c.Releases("mona.linkedlist")
	if diff := cmp.Diff([]string{"1.0.0", "1.1.0+b.2"}, versions); diff != "" || err != nil {
		t.Fatalf("%v %s", err, diff)
	}
	for _, v := range versions {
		theirs, err := owner.Metadata("mona.linkedlist", v)
		if err != nil {
			t.Fatal(err)
		}
		ours, err := c.Metadata("mona.linkedlist", v)
		if diff := cmp.Diff(theirs, ours); diff != "" || err != nil {
			t.Errorf("%v %s", err, diff)
		}
		text, variants, err := c.Manifests("mona.linkedlist", v)
		if diff := cmp.Diff(map[string]string{"Package@swift-5.9.swift": "5.9"}, variants); diff != "" || err != nil || text != lib.Manifest("5.7") {
			t.Errorf("%v %s\n%s", err, diff, text)
		}
		for swift, tools := range map[string]string{"5.9": "5.9", "5.8": "5.7"} {
			if got, err := c.Manifest("mona.linkedlist", v, swift); err != nil || got != lib.Manifest(tools) {
				t.Errorf("for Swift %s: %v\n%s", swift, err, got)
			}
		}
	}
	if rows := second.Rows(); len(rows) > 0 {
		t.Errorf("resolving retained %+v", rows)
	}
	for _, v := range []swifttest.Package{lib, lib2} {
		if got, _, err := c.Download("mona.linkedlist", v.Version); err != nil || !bytes.Equal(got, v.Archive()) {
			t.Errorf("%s: %d bytes, %v", v.Version, len(got), err)
		}
	}
	refused(t, c.Publish(swifttest.Package{Scope: "mona", Name: "LinkedList", Version: "3.0.0"}), http.StatusForbidden, "origin controls")
	ok(t, owner.Publish(swifttest.Package{Scope: "corp", Name: "Secret", Version: "99.0.0"}))
	_, _, _, err = c.Releases("corp.secret")
	refused(t, err, http.StatusNotFound)
	ok(t, c.Publish(swifttest.Package{Scope: "corp", Name: "Secret", Version: "1.0.0"}))
	if versions, _, _, err := c.Releases("corp.secret"); err != nil || len(versions) != 1 {
		t.Errorf("%q %v", versions, err)
	}
	first.Stop()
	c = client(second)
	if got, _, err := c.Download("mona.linkedlist", "1.0.0"); err != nil || !bytes.Equal(got, lib.Archive()) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if _, variants, err := c.Manifests("mona.linkedlist", "1.0.0"); err != nil || len(variants) != 1 {
		t.Errorf("%v %v", variants, err)
	}
	_, _, _, err = c.Releases("mona.unknown")
	refused(t, err, http.StatusServiceUnavailable)
	row := func(repository, namespace, pkg, version, origin string) clienttest.Row {
		return clienttest.Row{Repository: repository, Package: "@" + namespace + "/" + pkg, Version: version, Status: "Published", Origin: origin}
	}
	want := []clienttest.Row{
		row("my-repo", "corp", "secret", "1.0.0", "INTERNAL"), row("my-repo", "mona", "linkedlist", "1.0.0", "EXTERNAL"), row("my-repo", "mona", "linkedlist", "1.1.0+b.2", "EXTERNAL"),
		row("swift-store", "mona", "linkedlist", "1.0.0", "EXTERNAL"), row("swift-store", "mona", "linkedlist", "1.1.0+b.2", "EXTERNAL"),
	}
	if diff := cmp.Diff(want, second.Rows()); diff != "" {
		t.Error(diff)
	}
}
