package semver

import (
	"cmp"
	"strings"
	"testing"

	"github.com/Masterminds/semver/v3"
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

// FuzzParse holds parsing and order against an independent implementation.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"1.2.3", "1.2.3-alpha.10+b", "1.0.0-0.a.-", "01.2.3", "1.2.3-00", "1.2"} {
		f.Add(s, "1.2.3-alpha.9")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		va, okA := Parse(a)
		oa, err := semver.StrictNewVersion(a)
		if okA != (err == nil && len(a) <= MaxLength) {
			t.Fatalf("%q: %v here, the oracle says %v", a, okA, err)
		}
		if okA && va.String() != a {
			t.Errorf("%q is written %q", a, va)
		}
		if again, ok := Parse(va.Key()); okA && (!ok || again.Key() != va.Key() || Compare(va, again) != 0) {
			t.Errorf("the key of %q is not stable", a)
		}
		if CompareStrings(a, b) != -CompareStrings(b, a) || CompareStrings(a, a) != 0 {
			t.Errorf("no order of %q and %q", a, b)
		}
		vb, okB := Parse(b)
		ob, err := semver.StrictNewVersion(b)
		if !okA || !okB || err != nil || longNumber(va.Pre) || longNumber(vb.Pre) {
			return
		}
		if got, want := Compare(va, vb), oa.Compare(ob); got != want {
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
