package npm

import (
	"testing"

	"github.com/Masterminds/semver/v3"
)

func TestParseVersion(t *testing.T) {
	t.Parallel()
	tests := map[string]string{ // "" is invalid
		"1.2.3": "1.2.3", "0.0.0": "0.0.0", "1.2.3-alpha.1": "1.2.3-alpha.1", "1.2.3+build.7": "1.2.3", "1.2.3-a+b": "1.2.3-a",
		"1.2.3--": "1.2.3--", "1.2.3-0a": "1.2.3-0a", "1.2.3+001": "1.2.3", "9007199254740991.0.0": "9007199254740991.0.0",
		"9007199254740992.0.0": "", "1.2": "", "1": "", "": "", "1.2.3.4": "", "01.2.3": "", "1.2.3-01": "", "1.2.3-": "", "1.2.3+": "",
		"1.2.3-a..b": "", "v1.2.3": "", " 1.2.3": "", "1.2.x": "", "-1.2.3": "", "1.2.3-ä": "", "1.2.3beta": "",
	}
	for in, want := range tests {
		v, ok := parseVersion(in)
		if ok != (want != "") || ok && v.key() != want {
			t.Errorf("parseVersion(%q) = %q, %v; want %q", in, v.key(), ok, want)
		}
	}
}

func TestVersionKey(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{" v1.2.3 ": "1.2.3", "=1.2.3": "1.2.3", "1.0.0+a": "1.0.0", "v": "", "latest": ""} {
		got, err := names{}.Version(in)
		if got != want || (err != nil) != (want == "") {
			t.Errorf("Version(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
}

// The order of semver.org, and what sorts outside it.
func TestCompare(t *testing.T) {
	t.Parallel()
	ascending := []string{
		"", "latest", "0.0.1", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11",
		"1.0.0-beta.99999999999999999999", "1.0.0-rc.1", "1.0.0", "1.0.10", "2.0.0-0", "2.0.0",
	}
	for i, a := range ascending {
		for j, b := range ascending {
			got, want := names{}.Compare(a, b), boolInt(i > j)-boolInt(i < j)
			if boolInt(got > 0)-boolInt(got < 0) != want {
				t.Errorf("Compare(%q, %q) = %d, want %d", a, b, got, want)
			}
		}
	}
}

func TestIsRange(t *testing.T) {
	t.Parallel()
	tests := map[string]bool{
		"1": true, "v1": true, "1.2": true, "1.x": true, "x": true, "X": true, "*": true, "~1.2": true, "1.2.3": true, "1.2.3-beta.1": true, "v1.2.x": true,
		"latest": false, "next": false, "beta": false, "1beta": false, "release-1": false, "01": false, "1-beta": false, "1.2-beta": false,
		"v": false, "vnext": false, "1.2.3.4": false, "x-y": false, "1.2.3-": false, "latest-1.2.3": false,
	}
	for in, want := range tests {
		if got := isRange(in); got != want {
			t.Errorf("isRange(%q) = %v, want %v", in, got, want)
		}
	}
}

// FuzzVersion holds parsing and order against an independent implementation.
func FuzzVersion(f *testing.F) {
	for _, s := range []string{"1.2.3", "1.2.3-alpha.10+b", "1.0.0-0.a.-", "01.2.3", "1.2.3-00", "1.2"} {
		f.Add(s, "1.2.3-alpha.9")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		va, okA := parseVersion(a)
		oa, err := semver.StrictNewVersion(a)
		if okA && err != nil {
			t.Fatalf("%q is accepted here and refused by the oracle: %v", a, err)
		}
		if !okA && err == nil && len(a) <= maxVersionLength && oa.Major() <= maxVersionNumber && oa.Minor() <= maxVersionNumber && oa.Patch() <= maxVersionNumber {
			t.Fatalf("%q is refused here and accepted by the oracle", a)
		}
		vb, okB := parseVersion(b)
		if !okA || !okB {
			return
		}
		if again, ok := parseVersion(va.key()); !ok || again.key() != va.key() || compareVersions(va, again) != 0 {
			t.Fatalf("the key of %q is not stable", a)
		}
		if compareVersions(va, vb) != -compareVersions(vb, va) && boolInt(compareVersions(va, vb) > 0) != boolInt(compareVersions(vb, va) < 0) {
			t.Fatalf("order of %q and %q is not antisymmetric", a, b)
		}
		ob, err := semver.StrictNewVersion(b)
		if err != nil || longNumber(va.pre) || longNumber(vb.pre) {
			return
		}
		got, want := compareVersions(va, vb), oa.Compare(ob)
		if boolInt(got > 0)-boolInt(got < 0) != want {
			t.Fatalf("compare %q %q = %d, the oracle says %d", a, b, got, want)
		}
	})
}

// longNumber: the oracle compares numbers beyond 64 bits as words.
func longNumber(pre string) bool {
	run := 0
	for i := range len(pre) {
		if run++; pre[i] < '0' || pre[i] > '9' {
			run = 0
		}
		if run > 18 {
			return true
		}
	}
	return false
}
