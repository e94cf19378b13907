package maven

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestOrder has the examples of https://maven.apache.org/pom.html#Version_Order_Specification and what builds of snapshots need.
func TestOrder(t *testing.T) {
	t.Parallel()
	for _, ascending := range []string{
		"1 1.1", "1-snapshot 1 1-sp", "1-foo2 1-foo10", "1-foo 1-1 1.1", "1.foo 1-1 1.1", "1-alpha 1-beta 1-milestone 1-rc 1-snapshot 1 1-sp 1-abc 1-1",
		"1-a1 1-b1 1-m1 1-rc1", "1.9 1.10", "2.0-rc1 2.0", "1.0-20210728.194552-1 1.0-20210728.194552-2 1.0-20210728.194552-10 1.0-20210729.000000-1 1.0",
		"1.0-alpha-1-SNAPSHOT 1.0-alpha-1", "9999999999999999998 9999999999999999999 10000000000000000000", "4.1.9.Final 4.1.10.Final", "1.0.0-M1 1.0.0-RC1 1.0.0 1.0.1",
	} {
		want := strings.Fields(ascending)
		for _, got := range [][]string{slices.Clone(want), slices.Sorted(slices.Values(want))} {
			slices.Reverse(got)
			slices.SortFunc(got, names{}.Compare)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: %s", ascending, diff)
			}
		}
	}
	// What Maven holds for equal: neighbours, whatever stands between others.
	for _, equal := range []string{"1 1.0 1.0.0 1-ga 1-final 1.0-release", "1-rc 1-cr", "1-a1 1-alpha-1", "1-ALPHA1 1-alpha1"} {
		list := strings.Fields(equal)
		for _, a := range list {
			for _, b := range list {
				x, y := tokens(a), tokens(b)
				if n := slices.CompareFunc(padded(x, y), padded(y, x), compareTokens); n != 0 {
					t.Errorf("%s against %s is %d", a, b, n)
				}
			}
		}
	}
}

func FuzzCompare(f *testing.F) {
	f.Add("1.0", "1.0-SNAPSHOT", "1-1")
	f.Add("1.0-20210728.194552-1", "1.0-20210728.194552-x", "1-sp")
	f.Add("1..0", "-1", "1a0b")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		n := names{}
		ab, bc, ac := n.Compare(a, b), n.Compare(b, c), n.Compare(a, c)
		if ab < 0 != (n.Compare(b, a) > 0) || (ab == 0) != (a == b) {
			t.Errorf("%q against %q is %d, and the other way %d", a, b, ab, n.Compare(b, a))
		}
		if ab < 0 && bc < 0 && ac >= 0 {
			t.Errorf("%q < %q < %q, but not the first and the last", a, b, c)
		}
	})
}

func TestBuilds(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]build{
		"1.0-20210728.194552-1": {"1.0", "20210728.194552", "1"}, "a-b-20210728.194552-123456789": {"a-b", "20210728.194552", "123456789"},
		"20210728.194552-1": {}, "-20210728.194552-1": {}, "1.0-20210728.194552-": {}, "1.0-20210728.194552-1234567890": {}, "1.0-2021072.8194552-1": {}, "1.0-20210728.19455x-1": {}, "1.0-SNAPSHOT": {}, "": {},
	} {
		got, ok := parseBuild(version)
		if !ok {
			got = build{}
		}
		if got != want || ok && got.version() != version {
			t.Errorf("%s is %+v", version, got)
		}
	}
}

func FuzzNames(f *testing.F) {
	for _, s := range []string{"com.mycompany", "my-app", "1.0+x", "a..b", "maven-metadata.xml", "ä", "a b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if id, err := (names{}).Package(s, "a"); err == nil {
			if got, err := parsePath(folder(id) + "1/x"); err != nil || got.id != id {
				t.Errorf("%q: its own address is %+v, %v", s, got, err)
			}
		}
		if key, err := (names{}).Version(s); err == nil && (key != s || len(s) > maxName || strings.ContainsAny(s, "/\\ %")) {
			t.Errorf("version %q", s)
		}
	})
}
