package ruby

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"packhouse.dev/packhouse/registry"
)

var sum = strings.Repeat("ab", 32)

func TestParseLine(t *testing.T) {
	t.Parallel()
	got, err := parseLine("1.0-java a:>= 1&< 2,b:>= 0|checksum:" + sum + ",ruby:>= 2.7,rubygems:> 1.3.1,created_at:2024-01-02T03:04:05Z,future:x")
	if err != nil {
		t.Fatal(err)
	}
	want := infoLine{
		key: "1.0-java", checksum: sum, ruby: []string{">= 2.7"}, rubygems: []string{"> 1.3.1"}, created: time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC),
		dependencies: []dependency{{Name: "a", Requirements: []string{">= 1", "< 2"}}, {Name: "b"}},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(infoLine{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, bad := range []string{"", "x |", "1.0 a:b|", "1.0 a:>= 1&|", "1.0 |checksum:", "1.0 |checksum:" + strings.ToUpper(sum), "1.0 |ruby:x", "1.0 :>= 1|", "1.0 " + strings.Repeat("x", maxLine)} {
		if l, err := parseLine(bad); !errors.Is(err, registry.ErrInvalid) {
			t.Errorf("%q: %+v %v", registry.Clip(bad), l, err)
		}
	}
	for _, good := range []string{"1.0", "1.0 |", "1.0 a:|"} {
		if _, err := parseLine(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
}

func TestServedLine(t *testing.T) {
	t.Parallel()
	id := registry.VersionID{Package: registry.PackageID{Format: Name, Name: "a"}, Version: "1.0"}
	at := time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, tt := range []struct {
		stored, digest string
		origin         registry.OriginType
		want           string
	}{
		{"1.0 |checksum:" + sum, "", registry.External, "1.0 |checksum:" + sum},
		{"1.0 |checksum:" + sum, "", registry.Internal, "1.0 |checksum:" + sum + ",created_at:2024-01-02T03:04:05Z"},
		{"1.0 a:>= 1|ruby:>= 2", sum, registry.External, "1.0 a:>= 1|checksum:" + sum + ",ruby:>= 2"},
		{"1.0 a:>= 1|", sum, registry.External, "1.0 a:>= 1|checksum:" + sum},
		{"", "", registry.External, "1.0 |"},
	} {
		v := &registry.Version{ID: id, PublishedAt: at, Origin: registry.Origin{Type: tt.origin},
			Assets: []registry.Asset{{Name: "a-1.0.gem", Info: []byte(tt.stored), Digests: registry.Digests{SHA256: tt.digest}}}}
		if got, err := servedLine(v); err != nil || got != tt.want {
			t.Errorf("%+v: got %q, %v", tt, got, err)
		}
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	ascending := []string{"", "0.a", "0", "0.0.1", "1.0.a", "1.0.a.2", "1.0.a10", "1.0.b1", "1.0.b2", "1.0.pre.rc1", "1.0", "1.0.1", "1.2", "1.10", "1.010.1", "2", "18446744073709551616"}
	for i, a := range ascending {
		for j, b := range ascending {
			got := compareNumbers(a, b)
			if want := map[bool]int{i < j: -1, i > j: 1}[true]; got != want && (i != j || got != 0) {
				t.Errorf("%q and %q: %d", a, b, got)
			}
		}
	}
	for _, same := range [][2]string{{"1", "1.0"}, {"1.0", "1.0.0"}, {"1.a", "1.0.a"}, {"1.01", "1.1"}} {
		if compareNumbers(same[0], same[1]) != 0 {
			t.Errorf("%q", same)
		}
	}
}

func TestReadings(t *testing.T) {
	t.Parallel()
	for full, want := range map[string][]string{
		"rack-1.0":                 {"rack@1.0"},
		"a-1-2":                    {"a-1@2", "a@1-2"},
		"foo-1.0-x86_64-darwin-19": {"foo@1.0-x86_64-darwin-19", "foo-1.0-x86_64-darwin@19"},
		"rack":                     nil,
		"-1":                       nil,
		"a-1.":                     nil,
	} {
		var got []string
		for _, id := range readings(full) {
			got = append(got, id.Package.Name+"@"+id.Version)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", full, got, want)
		}
	}
}

func TestParseVersions(t *testing.T) {
	t.Parallel()
	got, err := parseVersions([]byte("created_at: 2024-01-01T00:00:00Z\n---\na 1,2-java " + sum[:32] + "\nbad 1\n../x 1 " + sum[:32] + "\na -1,3 " + sum[2:33] + "c\nb -1 " + sum[:32] + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]*listedGem{"a": {keys: []string{"2-java", "3"}, sum: sum[2:33] + "c"}, "b": {sum: sum[:32]}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(listedGem{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := parseVersions([]byte("<html>")); !errors.Is(err, registry.ErrInvalid) {
		t.Error(err)
	}
}

func FuzzLine(f *testing.F) {
	f.Add("1.0-java a:>= 1&< 2,b:>= 0|checksum:" + sum + ",ruby:>= 2.7,created_at:2024-01-02T03:04:05Z")
	f.Fuzz(func(t *testing.T, line string) {
		l, err := parseLine(line)
		if err != nil {
			if !errors.Is(err, registry.ErrInvalid) {
				t.Error(err)
			}
			return
		}
		if key, err := (names{}).Version(l.key); err != nil || key != l.key {
			t.Errorf("key %q: %v", l.key, err)
		}
	})
}

func FuzzVersions(f *testing.F) {
	f.Add([]byte("created_at: x\n---\na 1,-2 " + sum[:32] + "\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := parseVersions(b); err != nil && !errors.Is(err, registry.ErrInvalid) {
			t.Error(err)
		}
		if _, err := parseInfo(registry.PackageID{Format: Name, Name: "a"}, b); err != nil && !errors.Is(err, registry.ErrInvalid) && !errors.Is(err, registry.ErrNotFound) {
			t.Error(err)
		}
	})
}

func FuzzPath(f *testing.F) {
	for _, s := range []string{"", "info/a", "gems/a-1.gem", "quick/Marshal.4.8/a-1.gemspec.rz", "api/v1/gems/a/owners.yaml", "%zz"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := parsePath(s)
		if err != nil && !errors.Is(err, registry.ErrNotFound) {
			t.Error(err)
		}
		for _, id := range readings(a.full) {
			if fullName(id.Package.Name, id.Version) != a.full {
				t.Errorf("%q reads as %v", a.full, id)
			}
		}
	})
}
