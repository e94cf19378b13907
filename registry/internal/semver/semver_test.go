package semver

import (
	"cmp"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for s, key := range map[string]string{
		"0.0.0": "0.0.0", "1.2.3": "1.2.3", "1.2.3-a.1": "1.2.3-a.1", "1.2.3+b": "1.2.3", "1.2.3-a-b.0+001.x": "1.2.3-a-b.0",
		"18446744073709551615.0.0": "18446744073709551615.0.0", "1.0.0-00a": "1.0.0-00a", "1.0.0--": "1.0.0--",
		"": "", "1": "", "1.2": "", "1.2.3.4": "", "v1.2.3": "", "01.2.3": "", "1.2.3-": "", "1.2.3+": "", "1.2.3-a..b": "", "1.2.3-01": "",
		"1.2.x": "", "18446744073709551616.0.0": "", " 1.2.3": "", "1.2.3+a+b": "", "1.2.3-ä": "", "1.-2.3": "",
		"1.0.0-" + strings.Repeat("a", MaxLength): "",
	} {
		v, ok := Parse(s)
		if ok != (key != "") || ok && (v.Key() != key || v.String() != s) {
			t.Errorf("Parse(%q): %v %v", s, v, ok)
		}
	}
}

func TestOrder(t *testing.T) {
	t.Parallel()
	ordered := []string{
		"no version", "1.0.0-0", "1.0.0-9", "1.0.0-10", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2",
		"1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.0+a", "1.0.0+b", "1.0.1", "1.10.0", "2.0.0", "10.0.0",
	}
	for i, a := range ordered {
		for j, b := range ordered {
			if got, want := CompareStrings(a, b), cmp.Compare(i, j); got != want {
				t.Errorf("%s %s: %d, want %d", a, b, got, want)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"1.2.3", "1.2.3-a.1+b", "1.2", "1.0.0-01"} {
		f.Add(s, "1.0.0-a")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		v, ok := Parse(a)
		if ok && v.String() != a {
			t.Errorf("%q is written %q", a, v)
		}
		if CompareStrings(a, b) != -CompareStrings(b, a) || CompareStrings(a, a) != 0 {
			t.Errorf("no order of %q and %q", a, b)
		}
	})
}
