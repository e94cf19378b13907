package npm

import (
	"cmp"
	"testing"
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
		if ok != (want != "") || ok && v.Key() != want {
			t.Errorf("parseVersion(%q) = %q, %v; want %q", in, v.Key(), ok, want)
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
			if got, want := (names{}).Compare(a, b), cmp.Compare(i, j); got != want {
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
