package nuget

import (
	"errors"
	"strings"
	"testing"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format/nuget/nugettest"
)

// TestVersion: the examples of the guide ("NuGet package name, version, and asset name normalization") are the first four.
func TestVersion(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string][2]string{ // full, key
		"1.00": {"1.0.0", "1.0.0"}, "1.01.1": {"1.1.1", "1.1.1"}, "1.00.0.1": {"1.0.0.1", "1.0.0.1"}, "1.0.0.0": {"1.0.0", "1.0.0"}, "1.0.01.0": {"1.0.1", "1.0.1"},
		"1.0.7+r3456": {"1.0.7+r3456", "1.0.7"}, "1": {"1.0.0", "1.0.0"}, "1.0.0-Beta.X-1+A.b": {"1.0.0-Beta.X-1+A.b", "1.0.0-beta.x-1"}, "2147483647.0.0": {"2147483647.0.0", "2147483647.0.0"},
		"1-rc": {"1.0.0-rc", "1.0.0-rc"}, "1.2.3.4-a": {"1.2.3.4-a", "1.2.3.4-a"},
	} {
		v, err := parseVersion(raw)
		if err != nil || v.full() != want[0] || v.key() != want[1] {
			t.Errorf("%s: %s %s %v", raw, v.full(), v.key(), err)
		}
	}
	for _, raw := range []string{"", "a", "1.", ".1", "1..2", "1.2.3.4.5", "-1", "+1", "1.+2", "1.0.0-", "1.0.0+", "1.0.0-a..b", "1.0.0-a_b", " 1.0", "2147483648", "1.0.0-ä", strings.Repeat("1", 200), "1.0.0-" + strings.Repeat("a", 70)} {
		if v, err := parseVersion(raw); !errors.Is(err, registry.ErrInvalid) {
			t.Errorf("%q is %s, %v", raw, v.full(), err)
		}
	}
}

func TestRange(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{ // as VersionRange.ToNormalizedString has them
		"": "(, )", "1.0": "[1.0.0, )", "[1.0]": "[1.0.0, 1.0.0]", "(1.0,)": "(1.0.0, )", "(,1.0]": "(, 1.0.0]", "[1.0, 2.0)": "[1.0.0, 2.0.0)", " [1.0-a,2.0-B] ": "[1.0.0-a, 2.0.0-B]", "(,)": "(, )", "[,1]": "(, 1.0.0]",
	} {
		r, err := parseRange(raw)
		if err != nil || r.String() != want {
			t.Errorf("%q: %s %v", raw, r, err)
		}
		again, err := parseRange(r.String())
		if err != nil || again.String() != r.String() {
			t.Errorf("%q: %s again is %s %v", raw, r, again, err)
		}
	}
	for _, raw := range []string{"1.*", "[1.0", "1.0]", "(1.0)", "[]", "[1,2,3]", "(a,b)", "[1.0;2.0]", "[" + strings.Repeat(" ", 500) + "]"} {
		if r, err := parseRange(raw); !errors.Is(err, registry.ErrInvalid) {
			t.Errorf("%q is %s, %v", raw, r, err)
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"a", "Newtonsoft.Json", "a-b_c.D1", "_x", strings.Repeat("a", 100)} {
		if got, err := (names{}).Package("", id); err != nil || got.Name != strings.ToLower(id) {
			t.Errorf("%s: %v %v", id, got, err)
		}
	}
	for _, id := range []string{"", ".", "a.", ".a", "a..b", "a.-b", "a b", "a/b", "ä", "a\n", strings.Repeat("a", 101)} {
		if _, err := (names{}).Package("", id); !errors.Is(err, registry.ErrInvalid) {
			t.Errorf("%q: %v", id, err)
		}
	}
	if _, err := (names{}).Package("ns", "a"); !errors.Is(err, registry.ErrInvalid) {
		t.Error(err)
	}
}

func TestPath(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]target{
		"v3/index.json":                                         {op: opServiceIndex},
		"v3/flatcontainer/Lib/index.json":                       {op: opVersions},
		"v3/flatcontainer/lib/1.0.0/lib.1.0.0.nupkg":            {op: opFile, version: "1.0.0"},
		"v3/flatcontainer/LIB/1.0/Lib.1.0.NUPKG":                {op: opFile, version: "1.0.0"},
		"v3/flatcontainer/lib/1.0.0%2bx/lib.1.0.0+x.snupkg":     {op: opFile, version: "1.0.0", file: fileSymbols},
		"v3/registration-semver2/lib/page/1.0.0/2.0.0-Rc1.json": {op: opPage, hive: hiveSemVer2, from: "1.0.0", to: "2.0.0-rc1"},
		"v3/registration/lib/1.0.json":                          {op: opLeaf, hive: hivePlain, version: "1.0.0"},
		"v3/package/":                                           {op: opPush},
		"v3/package/Lib/01.0":                                   {op: opVersion, version: "1.0.0"},
	} {
		got, err := parsePath(path)
		if got.id.Name == "lib" {
			want.id = registry.PackageID{Format: Name, Name: "lib"}
		}
		if err != nil || got != want {
			t.Errorf("%s: %+v %v", path, got, err)
		}
	}
	for _, path := range []string{"", "v3", "v3/", "v2/index.json", "index.json", "v3/index.json/x", "v3/flatcontainer/lib/1.0.0/other.1.0.0.nupkg", "v3/flatcontainer/lib/1.0.0/lib.2.0.0.nupkg",
		"v3/flatcontainer/l%2fb/index.json", "v3/flatcontainer/../index.json", "v3/flatcontainer/lib/1.0.0/", "v3/registration/lib/.json", "v3/registration/lib/page/1.0.0/x.json", "v3/package/lib", "v3/%zz"} {
		if got, err := parsePath(path); !errors.Is(err, registry.ErrNotFound) {
			t.Errorf("%s: %+v %v", path, got, err)
		}
	}
}

func TestManifest(t *testing.T) {
	t.Parallel()
	const most = "\ufeff" + `<?xml version="1.0"?>
<package xmlns="http://schemas.microsoft.com/packaging/2011/08/nuspec.xsd"><metadata minClientVersion="2.12"><id>A.B</id><version>01.2-x</version>
<authors> me </authors><tags>one two,three</tags><license type="expression">MIT OR Apache-2.0</license><licenseUrl>https://licenses.test</licenseUrl>
<projectUrl>javascript:alert(1)</projectUrl><requireLicenseAcceptance>true</requireLicenseAcceptance><repository type="git" url="https://git.test/x" />
<dependencies><dependency id="C" version="1"/></dependencies><packageTypes><packageType name="DotnetTool"/></packageTypes></metadata></package>`
	m, err := parseManifest([]byte(most))
	if err != nil {
		t.Fatal(err)
	}
	e := m.entry
	if m.id != "A.B" || e.Version != "1.2.0-x" || e.Authors != "me" || len(e.Tags) != 3 || e.LicenseExpression != "MIT OR Apache-2.0" || e.ProjectURL != "" || !e.RequireLicenseAcceptance ||
		m.repository != "https://git.test/x" || e.MinClientVersion != "2.12" || e.DependencyGroups[0].Dependencies[0].Range != "[1.0.0, )" || e.PackageTypes[0].Name != "DotnetTool" {
		t.Errorf("%+v", m)
	}
	var utf16 strings.Builder
	utf16.WriteString("\xff\xfe")
	for _, c := range strings.Replace(nugettest.Package{ID: "Wide", Version: "1.0"}.Spec(), "utf-8", "utf-16", 1) {
		utf16.WriteString(string([]byte{byte(c), 0}))
	}
	if m, err := parseManifest([]byte(utf16.String())); err != nil || m.id != "Wide" {
		t.Errorf("in UTF-16: %+v %v", m, err)
	}
}

// TestSemVer2 decides which registrations have a version.
func TestSemVer2(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		e    entry
		want bool
	}{
		"release":      {entry{Version: "1.0.0"}, false},
		"label":        {entry{Version: "1.0.0-beta1"}, false},
		"labels":       {entry{Version: "1.0.0-beta.1"}, true},
		"metadata":     {entry{Version: "1.0.0+a"}, true},
		"dependency":   {entry{Version: "1.0.0", DependencyGroups: []dependencyGroup{{Dependencies: []dependency{{"A", "[1.0.0-a.b, )"}}}}}, true},
		"dependencies": {entry{Version: "1.0.0", DependencyGroups: []dependencyGroup{{Dependencies: []dependency{{"A", "[1.0.0-a, 2.0.0]"}}}}}, false},
	} {
		if got := tt.e.semVer2(); got != tt.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// TestKeepEntry: nothing of an entry leads to the upstream, and what we do not know stays.
func TestKeepEntry(t *testing.T) {
	t.Parallel()
	theirs := func(at string) bool { return strings.HasPrefix(at, "https://up.test/") }
	got, err := keepEntry([]byte(`{"@id":"https://up.test/1","id":"A","version":"1.0.0","listed":true,"packageContent":"https://up.test/2","iconUrl":"https://up.test/3","projectUrl":"https://a.test",
"dependencyGroups":[{"@id":"https://up.test/4","dependencies":[{"@id":"https://up.test/5","id":"B","range":"[1.0, )","registration":"https://up.test/6"}]}],
"vulnerabilities":[{"advisoryUrl":"https://b.test","severity":"2","@id":"https://up.test/7"}],"number":12345678901234567890,"packhouseLicense":true}`), theirs)
	const want = `{"dependencyGroups":[{"dependencies":[{"id":"B","range":"[1.0, )"}]}],"id":"A","number":12345678901234567890,"packhouseIcon":true,"projectUrl":"https://a.test","version":"1.0.0",` +
		`"vulnerabilities":[{"advisoryUrl":"https://b.test","severity":"2"}]}`
	if err != nil || string(got) != want {
		t.Errorf("%v\n%s\nwant\n%s", err, got, want)
	}
	for _, raw := range []string{"", "null", "[]", `{"a":1}{}`, `"x"`, "{"} {
		if got, err := keepEntry([]byte(raw), theirs); !errors.Is(err, registry.ErrInvalid) {
			t.Errorf("%s: %s %v", raw, got, err)
		}
	}
}

func TestService(t *testing.T) {
	t.Parallel()
	s, err := parseService([]byte(`{"version":"3.0.0","resources":[{"@id":"reg","@type":"RegistrationsBaseUrl"},{"@id":"/reg6","@type":["x","RegistrationsBaseUrl/3.6.0"]},
{"@id":"https://files.test/flat","@type":"PackageBaseAddress/3.0.0"},{"@id":1,"@type":2}]}`), "https://up.test/v3/index.json")
	if err == nil {
		t.Errorf("an address that is a number: %+v", s)
	}
	s, err = parseService([]byte(`{"resources":[{"@id":"reg","@type":"RegistrationsBaseUrl"},{"@id":"/reg6","@type":["x","RegistrationsBaseUrl/3.6.0"]},{"@id":"https://files.test/flat","@type":"PackageBaseAddress/3.0.0"}]}`),
		"https://up.test/v3/index.json")
	if err != nil || s.registrations != "https://up.test/reg6/" || s.container != "https://files.test/flat/" || !s.theirs("https://up.test/x") || !s.theirs("https://FILES.test/y") || s.theirs("https://a.test") {
		t.Errorf("%+v %v", s, err)
	}
	for _, body := range []string{"", "[]", "{}", `{"resources":[{"@id":"a","@type":"PackageBaseAddress/3.0.0"}]}`} {
		if s, err := parseService([]byte(body), "https://up.test/"); !errors.Is(err, registry.ErrInvalid) {
			t.Errorf("%s: %+v %v", body, s, err)
		}
	}
}
