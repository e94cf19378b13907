package maven

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

// viewOf is a package with versions "key Status asset…", in order.
func viewOf(versions ...string) *format.PackageView {
	id := registry.PackageID{Format: Name, Namespace: "g.h", Name: "a"}
	view := &format.PackageView{ID: id, Modified: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)}
	for _, v := range versions {
		f := strings.Fields(v)
		x := &registry.Version{ID: registry.VersionID{Package: id, Version: f[0]}, Status: registry.Status(f[1])}
		for _, name := range f[2:] {
			x.Assets = append(x.Assets, registry.Asset{Name: name})
		}
		view.Versions = append(view.Versions, x)
	}
	return view
}

func TestRenderArtifact(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		versions []string
		want     string // without spaces; "": not found
	}{
		"releases": {
			[]string{"1.0 Published", "1.1 Unlisted", "2.0-SNAPSHOT Published", "2.0-20200101.000000-1 Unlisted"},
			"<groupId>g.h</groupId><artifactId>a</artifactId><versioning><latest>2.0-SNAPSHOT</latest><release>1.0</release><versions><version>1.0</version><version>2.0-SNAPSHOT</version></versions><lastUpdated>20260102030405</lastUpdated></versioning>",
		},
		"only a snapshot": {
			[]string{"1-SNAPSHOT Published"},
			"<groupId>g.h</groupId><artifactId>a</artifactId><versioning><latest>1-SNAPSHOT</latest><versions><version>1-SNAPSHOT</version></versions><lastUpdated>20260102030405</lastUpdated></versioning>",
		},
		"nothing listed": {[]string{"1.0 Unlisted", "2.0-20200101.000000-1 Published"}, ""},
	} {
		r, err := renderArtifact(viewOf(tc.versions...))
		if tc.want == "" {
			if !errors.Is(err, registry.ErrNotFound) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Join(strings.Fields(string(r.Body)), "")
		if diff := cmp.Diff(`<?xmlversion="1.0"encoding="UTF-8"?><metadata>`+tc.want+"</metadata>", got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if got := r.Header.Get("X-Checksum-Sha1"); got != algorithm("sha1").sum(r.Body) {
			t.Errorf("%s: checksum %s", name, got)
		}
	}
}

func TestRenderSnapshot(t *testing.T) {
	t.Parallel()
	view := viewOf("1-20200101.000000-1 Unlisted a-1-20200101.000000-1.jar a-1-20200101.000000-1-old.tar.gz", "1-20200102.000000-1 Unlisted a-1-20200102.000000-1.pom a-1-20200102.000000-1.jar",
		"2-20200103.000000-1 Unlisted a-2-20200103.000000-1.jar")
	r, err := renderSnapshot(view, "1-SNAPSHOT")
	if err != nil {
		t.Fatal(err)
	}
	m, err := parseMetadata(strings.NewReader(string(r.Body)))
	if err != nil {
		t.Fatal(err)
	}
	want := list[snapshotVersion]{
		{"", "jar", "1-20200102.000000-1", "20200102000000"}, {"", "pom", "1-20200102.000000-1", "20200102000000"}, {"old", "tar.gz", "1-20200101.000000-1", "20200101000000"},
	}
	if diff := cmp.Diff(want, m.Versioning.SnapshotVersions); diff != "" || *m.Versioning.Snapshot != (snapshot{"20200102.000000", "1"}) {
		t.Errorf("%s\n%s", diff, r.Body)
	}
	view.Hidden = map[string]registry.Status{"1-SNAPSHOT": registry.Archived}
	for _, version := range []string{"1-SNAPSHOT", "3-SNAPSHOT"} {
		if _, err := renderSnapshot(view, version); !errors.Is(err, registry.ErrNotFound) {
			t.Errorf("%s: %v", version, err)
		}
	}
}

func TestSplitTail(t *testing.T) {
	t.Parallel()
	for tail, want := range map[string][2]string{
		".jar": {"", "jar"}, "": {"", ""}, "-sources.jar": {"sources", "jar"}, ".tar.gz": {"", "tar.gz"}, "-linux-x86_64.tar.gz": {"linux-x86_64", "tar.gz"}, ".jar.asc": {"", "jar.asc"},
		"-scala_2.12.jar": {"scala_2.12", "jar"}, "-bin.tar.gz.asc": {"bin", "tar.gz.asc"}, ".pom.sigstore.json": {"", "pom.sigstore.json"}, "-x": {"x", ""},
	} {
		classifier, extension := splitTail(tail)
		if got := [2]string{classifier, extension}; got != want {
			t.Errorf("%q is %q, want %q", tail, got, want)
		}
	}
}

func TestSHA1Of(t *testing.T) {
	t.Parallel()
	sum := strings.Repeat("aB", 20)
	for text, want := range map[string]string{
		sum: strings.ToLower(sum), sum + "  a.jar\n": strings.ToLower(sum), "SHA1(a.jar)= " + sum: strings.ToLower(sum), "": "", "<html>": "", sum + "00": "",
	} {
		if got := sha1Of([]byte(text)).SHA1; got != want {
			t.Errorf("%q is %q", text, got)
		}
	}
}
