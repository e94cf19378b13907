package cargo

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"packhouse.dev/packhouse/registry"
)

func TestNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"serde": "serde", "serde_json": "serde_json", "Inflector": "inflector", "a": "a", "A-b_C9": "a-b_c9", strings.Repeat("a", 64): strings.Repeat("a", 64),
		"": "", "9a": "", "_a": "", "-a": "", "a.b": "", "a b": "", "ä": "", "a/b": "", "..": "", strings.Repeat("a", 65): "", "a\x00": "",
	} {
		id, err := names{}.Package("", name)
		if (want == "") != errors.Is(err, registry.ErrInvalid) || id.Name != want {
			t.Errorf("%q: %v %v, want %q", name, id, err, want)
		}
	}
	if _, err := (names{}).Package("ns", "a"); !errors.Is(err, registry.ErrInvalid) {
		t.Errorf("namespace: %v", err)
	}
	for raw, want := range map[string]string{"1.0.0": "1.0.0", "1.0.0+b": "1.0.0", "1.0.0-a.1+b": "1.0.0-a.1", "1.0": "", "v1.0.0": "", "": ""} {
		key, err := names{}.Version(raw)
		if (want == "") != errors.Is(err, registry.ErrInvalid) || key != want {
			t.Errorf("%q: %q %v", raw, key, err)
		}
	}
	for raw, ok := range map[string]bool{"a-1.0.0+b.crate": true, "": false, "..": false, "a/b": false, "a b": false, `a\b`: false, "ä": false} {
		if _, err := (names{}).Asset(raw); (err == nil) != ok {
			t.Errorf("asset %q: %v", raw, err)
		}
	}
	for name, ok := range map[string]bool{"con": false, "AUX": false, "com1": false, "lpt9": false, "com": true, "coma": true, "console": true, "lpt10": true} {
		if err := checkNew(name); (err == nil) != ok {
			t.Errorf("new crate %q: %v", name, err)
		}
	}
}

func TestIndexPath(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"a": "1/a", "ab": "2/ab", "abc": "3/a/abc", "abcd": "ab/cd/abcd", "serde_json": "se/rd/serde_json"} {
		if got := indexPath(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestSpellings(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][]string{
		"abc":   {"abc"},
		"x_y":   {"x-y", "x_y"},
		"a-b":   {"a-b", "a_b"},
		"a-b-c": {"a-b-c", "a_b_c", "a_b-c", "a-b_c"},
		"a-b-c-d": {
			"a-b-c-d", "a_b_c_d", "a_b-c-d", "a-b_c_d", "a_b_c-d", "a-b-c_d", "a-b_c-d", "a_b-c_d",
		},
	} {
		if diff := cmp.Diff(want, spellings(name)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for n, want := range map[int]int{4: 16, 5: 10, 8: 16, 30: 16} {
		got := spellings(strings.Repeat("a-", n) + "a")
		seen := map[string]bool{}
		for _, s := range got {
			seen[s] = true
		}
		if len(got) != want || len(seen) != want {
			t.Errorf("%d hyphens: %d spellings, %d of them different; want %d", n, len(got), len(seen), want)
		}
	}
}

func TestParsePath(t *testing.T) {
	t.Parallel()
	id := func(name string) registry.PackageID { return registry.PackageID{Format: Name, Name: name} }
	for rest, want := range map[string]address{
		"config.json":      {op: opConfig},
		"me":               {op: opMe},
		"2/me":             {op: opIndex, id: id("me"), name: "me"},
		"se/rd/serde_json": {op: opIndex, id: id("serde_json"), name: "serde_json"},
		"3/a/api":          {op: opIndex, id: id("api"), name: "api"},
		"api/v1/crates":    {op: opSearch}, "api/v1/crates/": {op: opSearch}, "api/v1/crates/new": {op: opPublish},
		"api/v1/crates/A_b/1.0.0+b1/download":   {op: opDownload, id: id("a_b"), name: "A_b", version: "1.0.0+b1"},
		"api/v1/crates/a/1.0.0%2Bb1/download":   {op: opDownload, id: id("a"), name: "a", version: "1.0.0+b1"},
		"api/v1/crates/a/1.0.0/yank":            {op: opYank, id: id("a"), name: "a", version: "1.0.0"},
		"api/v1/crates/a/1.0.0/unyank":          {op: opUnyank, id: id("a"), name: "a", version: "1.0.0"},
		"api/v1/crates/a/owners":                {op: opOwners, id: id("a"), name: "a"},
		"api/v1/crates/download/1.0.0/download": {op: opDownload, id: id("download"), name: "download", version: "1.0.0"},
	} {
		got, err := parsePath(rest)
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(address{})); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", rest, err, diff)
		}
	}
	for _, rest := range []string{
		"", "index.html", "se/rd", "rd/se/serde", "Se/rd/Serde", "se/rd/serde/", "se%2frd/serde", "se/rd/%2e%2e", "1/ab", "4/abcd", "api/v1", "api/v2/crates",
		"api/v1/crates/a", "api/v1/crates/a/1.0.0", "api/v1/crates/a/1.0/download", "api/v1/crates/..%2fa/owners", "api/v1/crates/a/1.0.0/readme",
		"api/v1/crates/a/1.0.0/download/x", "me/x", "%zz", strings.Repeat("a", 2000),
	} {
		if a, err := parsePath(rest); !errors.Is(err, registry.ErrNotFound) {
			t.Errorf("%q: %+v %v", rest, a, err)
		}
	}
}

func FuzzPath(f *testing.F) {
	for _, s := range []string{"config.json", "se/rd/serde", "api/v1/crates/a/1.0.0%2Bb1/download", "api/v1/crates?q=x", "%2e%2e/%00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, rest string) {
		a, err := parsePath(rest)
		if err != nil {
			if !errors.Is(err, registry.ErrNotFound) {
				t.Errorf("%q: %v", rest, err)
			}
			return
		}
		if a.name != "" {
			if id, err := (names{}).Package("", a.name); err != nil || id != a.id {
				t.Errorf("%q: %+v %v", rest, a, err)
			}
		}
		if a.version != "" {
			if _, err := a.versionID(); err != nil {
				t.Errorf("%q: %v", rest, err)
			}
		}
	})
}

func FuzzNames(f *testing.F) {
	for _, s := range []string{"serde_json", "A-b_c", "a", "x-y-z-1-2-3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		id, err := names{}.Package("", name)
		if err != nil {
			return
		}
		again, err := names{}.Package("", id.Name)
		if err != nil || again != id {
			t.Errorf("%q is %v, which is %v, %v", name, id, again, err)
		}
		if parts := strings.Split(indexPath(strings.ToLower(name)), "/"); parts[len(parts)-1] != strings.ToLower(name) {
			t.Errorf("%q is at %v", name, parts)
		}
		for _, s := range spellings(id.Name) {
			if other, err := (names{}).Package("", s); err != nil || strings.ReplaceAll(other.Name, "_", "-") != strings.ReplaceAll(id.Name, "_", "-") {
				t.Errorf("%q is spelled %q", id.Name, s)
			}
		}
	})
}
