package pypi

import (
	"slices"
	"strings"
	"testing"
)

// TestVersionKeys: all spellings of a version are one (PEP 440).
func TestVersionKeys(t *testing.T) {
	t.Parallel()
	tests := map[string][]string{
		"1":                 {"1", "1.0", "1.0.0", "v1.0", " 1.0 ", "01.00", "0!1.0"},
		"1.1rc1":            {"1.1RC1", "1.1.rc1", "1.1-c1", "1.1_pre_1", "1.1preview1", "1.1.0rc.1", "1.1rc01"},
		"1.1a0":             {"1.1a", "1.1alpha", "1.1.ALPHA0", "1.1-a.0"},
		"1.1b2":             {"1.1beta2", "1.1.b-2"},
		"1.post1":           {"1.0-1", "1.0.post1", "1.0-r1", "1.0rev1", "1.0post1", "1.0-post_1"},
		"1.post0":           {"1.post", "1.0.r"},
		"1.dev3":            {"1.0.dev3", "1.0dev3", "1-DEV3", "1.0_dev_3"},
		"1a1.post2.dev3":    {"1.0A1.post2.dev3", "1alpha1-2dev3"},
		"2!1.2":             {"2!1.2.0"},
		"1+ubuntu.1":        {"1.0+ubuntu-1", "1.0+Ubuntu_01"},
		"1.0.1+g0abc.2024":  {"1.0.1+g0abc.2024"},
		"20240101000000000": {"020240101000000000.0"},
	}
	for want, spellings := range tests {
		for _, s := range spellings {
			if got, err := (names{}).Version(s); err != nil || got != want {
				t.Errorf("Version(%q) = %q, %v; want %q", s, got, err, want)
			}
		}
	}
	for _, s := range []string{"", "1.0+", "1.0+a..b", "1.0+.a", "1.0a1b2", "abc", "1..0", "1.0-", "1.0.dev1.post1", "!1", "1!", "1.0 beta", "2004d", strings.Repeat("1", 300)} {
		if v, ok := parseVersion(s); ok {
			t.Errorf("parseVersion(%q) = %+v", s, v)
		}
	}
	if got, err := (names{}).Version("2004D"); err != nil || got != "2004d" {
		t.Errorf("an old version: %q, %v", got, err)
	}
}

// TestVersionOrder is the order of PEP 440, "Summary of permitted suffixes and relative ordering", and packaging's own test vector.
func TestVersionOrder(t *testing.T) {
	t.Parallel()
	ordered := []string{
		"1.0.dev456", "1.0a1", "1.0a2.dev456", "1.0a12.dev456", "1.0a12", "1.0b1.dev456", "1.0b2", "1.0b2.post345.dev456", "1.0b2.post345",
		"1.0rc1.dev456", "1.0rc1", "1.0rc2", "1.0c3", "1.0", "1.0+abc.5", "1.0+abc.7", "1.0+5", "1.0.post456.dev34", "1.0.post456",
		"1.0.15", "1.1.dev1", "1.2+123abc", "1.2+123abc456", "1.2+abc", "1.2+abc123", "1.2+abc123def", "1.2+1234.abc", "1.2+123456",
		"1.2.r32+123456", "1.2.rev33+123456", "1.10", "9223372036854775807", "9223372036854775808",
		"1!1.0.dev456", "1!1.0a1", "1!1.0", "1!1.2.rev33+123456",
	}
	shuffled := slices.Clone(ordered)
	slices.Reverse(shuffled)
	slices.SortFunc(shuffled, names{}.Compare)
	if !slices.Equal(shuffled, ordered) {
		t.Errorf("got %q", shuffled)
	}
	if (names{}).Compare("2004d", "0.dev0") >= 0 || (names{}).Compare("1.0", "1.0.0") != 0 {
		t.Error("old versions come first; zeros mean nothing")
	}
}

func FuzzVersion(f *testing.F) {
	for _, s := range []string{"1.0", "v1!2.0a1.post2.dev3+x.1", "2004d", "1.0-1", "1.0+", "\u0661.0"} {
		f.Add(s, "1.0")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		key, err := names{}.Version(a)
		if err != nil {
			return
		}
		if again, err := (names{}).Version(key); err != nil || again != key {
			t.Fatalf("key of %q is %q, whose key is %q, %v", a, key, again, err)
		}
		if v, ok := parseVersion(a); ok {
			if again, ok := parseVersion(v.String()); !ok || again.key() != key {
				t.Fatalf("%q is displayed as %q, another version", a, v)
			}
		}
		other, err := names{}.Version(b)
		if err != nil {
			return
		}
		if x, y := (names{}).Compare(key, other), (names{}).Compare(other, key); x != -y || (x == 0) != (key == other) {
			t.Fatalf("compare %q, %q: %d and %d", key, other, x, y)
		}
	})
}
