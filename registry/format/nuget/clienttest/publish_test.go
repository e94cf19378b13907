package clienttest_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"packhouse.dev/packhouse/registry/format/nuget/nugettest"
)

func net20(deps ...[2]string) map[string][][2]string {
	return map[string][][2]string{".NETStandard2.0": deps}
}

// TestPublish: push, restore, list, search, unlist and list again, with every spelling of a version.
func TestPublish(t *testing.T) {
	t.Parallel()
	p := start(t, samples(), "")
	c := client(p)
	first := nugettest.Package{ID: "Contoso.Tools", Version: "1.0", Dependencies: net20([2]string{"Other.Lib", "[1.0,2.0)"}, [2]string{"Any", ""})}
	second := nugettest.Package{ID: "Contoso.Tools", Version: "1.1.0.0-Beta.1+build.5", Description: "better <tools>", Files: map[string]string{"docs/Readme.md": "# hello", `images\icon.png`: "\x89PNG\r\n\x1a\n"},
		More: "<readme>docs\\readme.md</readme><icon>images/icon.png</icon>"}
	ok(t, c.Push(first.File(), first.Symbols()))
	ok(t, c.Push(second.File(), nil))
	for _, id := range []string{"contoso.tools", "CONTOSO.Tools"} {
		versions, err := c.Versions(id)
		if diff := cmp.Diff([]string{"1.0.0", "1.1.0-beta.1"}, versions); diff != "" || err != nil {
			t.Errorf("%s: %v %s", id, err, diff)
		}
	}
	if got, err := c.Download("Contoso.Tools", "1.0.0"); err != nil || !bytes.Equal(got, first.File()) {
		t.Errorf("download: %d bytes, %v", len(got), err)
	}
	entries, err := c.Metadata("Contoso.Tools")
	if err != nil || len(entries) != 2 {
		t.Fatalf("%+v %v", entries, err)
	}
	if e := entries[0]; e.ID != "Contoso.Tools" || e.Version != "1.0.0" || !e.Listed || len(e.DependencyGroups) != 1 || e.DependencyGroups[0].TargetFramework != ".NETStandard2.0" ||
		e.DependencyGroups[0].Dependencies[0].Range != "[1.0.0, 2.0.0)" || e.DependencyGroups[0].Dependencies[1].Range != "(, )" {
		t.Errorf("%+v", e)
	}
	if e := entries[1]; e.Version != "1.1.0-Beta.1+build.5" || !strings.HasPrefix(e.PackageContent, address(p, "my-repo")+"v3/flatcontainer/contoso.tools/1.1.0-beta.1/") {
		t.Errorf("%+v", e)
	}
	old, err := c.Metadata("Contoso.Tools", "RegistrationsBaseUrl/3.0.0-beta")
	if err != nil || len(old) != 1 || old[0].Version != "1.0.0" {
		t.Errorf("for old clients: %+v %v", old, err)
	}
	at := address(p, "my-repo") + "v3/flatcontainer/contoso.tools/"
	for path, want := range map[string]string{
		"1.1.0-beta.1/readme": "# hello", "1.1.0-Beta.1/icon": "\x89PNG\r\n\x1a\n", "1.1.0-beta.1/contoso.tools.nuspec": second.Spec(), "1.0.0/contoso.tools.1.0.0.snupkg": string(first.Symbols()),
		"1.00.0.0/Contoso.Tools.1.00.0.0.nupkg": string(first.File()),
	} {
		if got, _, err := c.Get(at + path); err != nil || string(got) != want {
			t.Errorf("%s: %d bytes, %v", path, len(got), err)
		}
	}
	found, err := c.Search("contoso", false)
	if err != nil || len(found) != 1 || found[0].Version != "1.0.0" || len(found[0].Versions) != 1 || found[0].PackageTypes[0].Name != "Dependency" {
		t.Errorf("%+v %v", found, err)
	}
	if found, err = c.Search("BETTER tools", true); err != nil || len(found) != 1 || found[0].Version != "1.1.0-Beta.1+build.5" || len(found[0].Versions) != 2 {
		t.Errorf("%+v %v", found, err)
	}
	if _, _, err := c.Get(found[0].Registration); err != nil {
		t.Errorf("registration of a result: %v", err)
	}
	for _, v := range found[0].Versions {
		if _, _, err := c.Get(v.ID); err != nil {
			t.Errorf("leaf of a result: %v", err)
		}
	}
	for query, want := range map[string][]string{"q=cont": {"Contoso.Tools"}, "q=x": {}, "id=contoso.tools": {"1.0.0"}, "id=contoso.tools&prerelease=true": {"1.0.0", "1.1.0-Beta.1+build.5"}} {
		got, err := c.Complete(query)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v %s", query, err, diff)
		}
	}

	ok(t, c.Delete("Contoso.Tools", "1.0.0.0", false))
	ok(t, c.Delete("contoso.tools", "1.0", false)) // again: it is done already
	if entries, err = c.Metadata("Contoso.Tools"); err != nil || entries[0].Listed || !strings.HasPrefix(entries[0].Published, "1900-01-01") {
		t.Errorf("%+v %v", entries, err)
	}
	if found, err = c.Search("contoso", false); err != nil || len(found) != 0 {
		t.Errorf("unlisted and found: %+v %v", found, err)
	}
	if got, err := c.Download("Contoso.Tools", "1.0.0"); err != nil || len(got) == 0 {
		t.Errorf("a lock file's version: %v", err)
	}
	ok(t, c.Delete("Contoso.Tools", "1.0.0", true))
	if entries, err = c.Metadata("Contoso.Tools"); err != nil || !entries[0].Listed {
		t.Errorf("%+v %v", entries, err)
	}
}

// TestRefusals is what a user sees who pushes rubbish, or what is there already, or without permission.
func TestRefusals(t *testing.T) {
	t.Parallel()
	p := start(t, samples(), "")
	c := client(p)
	lib := nugettest.Package{ID: "Lib", Version: "1.0.0"}
	refused(t, c.Push(nil, lib.Symbols()), http.StatusNotFound, "push the .nupkg before its .snupkg")
	ok(t, c.Push(lib.File(), nil))
	ok(t, c.Push(lib.File(), nil))
	if len(c.Warnings) != 2 || !strings.Contains(c.Warnings[1], "is there already, with the same bytes") {
		t.Errorf("the same bytes again: %q", c.Warnings)
	}
	changed := lib
	changed.Description = "other"
	refused(t, c.Push(changed.File(), nil), http.StatusConflict, "the version has other bytes of lib.1.0.0.nupkg; publish a new version instead")
	same := lib
	same.Version = "1.0.0.0+other"
	refused(t, c.Push(same.File(), nil), http.StatusConflict, "publish a new version instead")
	spec := lib.Spec()
	for name, tt := range map[string]struct {
		file  []byte
		texts string
	}{
		"no archive":       {[]byte("rubbish"), "is no ZIP archive, or it is cut off"},
		"cut off":          {lib.File()[:200], "cut off"},
		"no nuspec":        {nugettest.Zip([][2]string{{"x", "y"}}), "has no .nuspec file at its top"},
		"nuspec below":     {nugettest.Zip([][2]string{{"a/lib.nuspec", spec}}), "has no .nuspec file at its top"},
		"two of them":      {nugettest.Zip([][2]string{{"a.nuspec", spec}, {"B.NUSPEC", spec}}), "has two .nuspec files"},
		"twice":            {nugettest.Zip([][2]string{{"a.nuspec", spec}, {"x", ""}, {"X", ""}}), `has the entry "X" twice`},
		"leaves":           {nugettest.Zip([][2]string{{"a.nuspec", spec}, {"../x", ""}}), "would leave the folder"},
		"leaves backwards": {nugettest.Zip([][2]string{{"a.nuspec", spec}, {`a\..\..\x`, ""}}), "would leave the folder"},
		"no XML":           {nugettest.Zip([][2]string{{"a.nuspec", "{}"}}), ".nuspec: it is empty or cut off"},
		"entities":         {nugettest.Zip([][2]string{{"a.nuspec", "<!DOCTYPE x [<!ENTITY a 'b'>]><package/>"}}), "document types are not read"},
		"no id":            {nugettest.Package{Version: "1.0"}.File(), "is not a package id"},
		"bad version":      {nugettest.Package{ID: "a", Version: "1.x"}.File(), `"1.x" is not a NuGet version`},
		"bad range":        {nugettest.Package{ID: "a", Version: "1", Dependencies: net20([2]string{"b", "1.*"})}.File(), `dependency b: "1.*" is not a range of versions`},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, client(p).Push(tt.file, nil), http.StatusBadRequest, tt.texts)
		})
	}
	refused(t, c.Delete("lib", "7.0.0", false), http.StatusNotFound, "is not in this repository itself")
	for name, token := range map[string]string{"no token": "", "a wrong one": "wrong"} {
		stranger := client(p)
		stranger.Token = token
		t.Run(name, func(t *testing.T) {
			_, err := stranger.Versions("lib")
			refused(t, err, http.StatusUnauthorized, "packhouse login")
		})
	}
	keyed := client(p)
	if _, err := keyed.Resource("PackagePublish/2.0.0"); err != nil {
		t.Fatal(err)
	}
	keyed.Token, keyed.APIKey = "", p.Token
	ok(t, keyed.Push(nugettest.Package{ID: "Lib", Version: "1.1.0"}.File(), nil))
	if status, body, err := p.Do(http.MethodPut, address(p, "my-repo")+"v3/package", nugettest.Package{ID: "Lib", Version: "1.2.0"}.File()); status != http.StatusCreated || err != nil {
		t.Errorf("as curl sends it: %d %s %v", status, body, err)
	}
}

// TestArchived: a version that is archived is gone from every list and as a file; a restore says that it is not there.
func TestArchived(t *testing.T) {
	t.Parallel()
	p := start(t, samples(), "")
	c := client(p)
	for _, v := range []string{"1.0.0", "1.1.0"} {
		ok(t, c.Push(nugettest.Package{ID: "Lib", Version: v}.File(), nil))
	}
	p.Stop()
	p.SetStatus("my-repo", "lib", "1.1.0", "Archived")
	p.Restart()
	c = client(p)
	if got, err := c.Versions("lib"); err != nil || len(got) != 1 {
		t.Errorf("%q %v", got, err)
	}
	if got, err := c.Metadata("lib"); err != nil || len(got) != 1 {
		t.Errorf("%+v %v", got, err)
	}
	_, _, err := c.Get(address(p, "my-repo") + "v3/flatcontainer/lib/1.1.0/lib.1.1.0.nupkg")
	refused(t, err, http.StatusNotFound, "archived")
	refused(t, c.Push(nugettest.Package{ID: "Lib", Version: "1.1.0"}.File(), nil), http.StatusConflict, "archived")
	refused(t, c.Delete("lib", "1.1.0", false), http.StatusConflict, "Archived")
}
