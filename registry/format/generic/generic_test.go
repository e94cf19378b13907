package generic

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"packhouse.dev/packhouse/registry"
)

func TestAssetNames(t *testing.T) {
	for name, want := range map[string]bool{
		"asset.tar.gz": true, "a": true, "Ünïcödé-名前.bin": true, "with space.txt": true, "~!@^&()-`_+[]{};,.": true, strings.Repeat("é", 255): true, "Ⅷ.txt": true,
		"": false, ".": false, "..": false, " a": false, "a ": false, "a  b": false, "a/b": false, "a\\b": false, "a\tb": false, "a\x00": false,
		"a*": false, "a?": false, "a%": false, "a#": false, "a\u202eb": false, "a\xff": false, strings.Repeat("a", 256): false,
	} {
		if _, err := (names{}).Asset(name); (err == nil) != want || err != nil && !errors.Is(err, registry.ErrInvalid) {
			t.Errorf("%q: %v, want %v", name, err, want)
		}
	}
	a, _ := names{}.Asset("e\u0301")
	b, _ := names{}.Asset("\u00e9")
	if a != b {
		t.Errorf("%q and %q look the same and are two", a, b)
	}
}

func TestPackages(t *testing.T) {
	for _, tc := range []struct {
		namespace, name string
		ok              bool
	}{
		{"my-ns", "my-package", true}, {"corp", "Übung_1.0", true}, {"", "a", false}, {"a b", "c", false}, {"a", "b#", false}, {"a", "b/c", false}, {"a", "..", false}, {"a", "", false},
	} {
		if _, err := (names{}).Package(tc.namespace, tc.name); (err == nil) != tc.ok {
			t.Errorf("%q %q: %v", tc.namespace, tc.name, err)
		}
	}
}

func TestCompare(t *testing.T) {
	want := []string{"", "0.9", "1", "1.0", "1.00", "1.2", "1.10", "1.10a", "2", "10", "a", "a1", "a2", "a10", "b"}[1:]
	got := slices.Clone(want)
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(got), func(i, j int) { got[i], got[j] = got[j], got[i] }) // an order, repeatable
	slices.SortFunc(got, names{}.Compare)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAnnounced(t *testing.T) {
	sum := strings.Repeat("ab", 32)
	for _, tc := range []struct {
		name, value, want string
		bad               bool
	}{
		{"X-Checksum-Sha256", strings.ToUpper(sum), sum, false}, {"X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD", "", false}, {"X-Amz-Content-Sha256", "xyz", "", true},
		{"Content-Digest", "md5=:AAAA:, sha-256=:q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s=:", sum, false}, {"Content-Digest", "sha-256=:AA==:", "", true}, {"Accept", "*", "", false},
	} {
		got, err := announced(http.Header{tc.name: {tc.value}})
		if got != tc.want || (err != nil) != tc.bad {
			t.Errorf("%s: %s gave %q, %v", tc.name, tc.value, got, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "ns/p", "ns/p/1.0/", "ns/p/1.0/a%20b.txt", "ns/%2e%2e/1/a", "a%2fb/c/d/e", "ns/p/1/%ff", "a//b", "%zz/a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, rest string) {
		a, all, err := parse(rest)
		if err != nil || all {
			return
		}
		again, _, err := parse(escaped(a.id, a.version, a.asset))
		if a.asset != "" && a.version == "" || err != nil || again != a {
			t.Errorf("%q gives %+v, and its own address %+v, %v", rest, a, again, err)
		}
	})
}

func FuzzCompare(f *testing.F) {
	f.Add("1.0", "1.00", "a1")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		n := names{}
		sign := func(x int) int { return max(-1, min(1, x)) }
		if sign(n.Compare(a, b)) != -sign(n.Compare(b, a)) || (n.Compare(a, b) == 0) != (a == b) {
			t.Errorf("%q %q", a, b)
		}
		if n.Compare(a, b) < 0 && n.Compare(b, c) < 0 && n.Compare(a, c) >= 0 {
			t.Errorf("%q < %q < %q", a, b, c)
		}
	})
}
