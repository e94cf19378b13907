package pypi

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"packhouse.dev/packhouse/registry"
)

func TestPackageNames(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"requests": "requests", "Foo__.--Bar": "foo-bar", "pigeon_cli": "pigeon-cli", "pigeon.cli": "pigeon-cli", "A": "a", "zope.interface": "zope-interface", "1": "1",
	} {
		if id, err := (names{}).Package("", raw); err != nil || id != (registry.PackageID{Format: Name, Name: want}) {
			t.Errorf("Package(%q) = %v, %v; want %q", raw, id, err, want)
		}
	}
	for _, raw := range []string{"", "-a", "a-", ".", "..", "a b", "a/b", "a%2fb", "ä", "_", "a\x00", strings.Repeat("a", 215)} {
		if id, err := (names{}).Package("", raw); err == nil {
			t.Errorf("Package(%q) = %v", raw, id)
		}
	}
	if _, err := (names{}).Package("ns", "a"); err == nil {
		t.Error("a namespace was taken")
	}
}

func TestFileNames(t *testing.T) {
	t.Parallel()
	tests := []struct {
		project, file string
		want          fileName
		ok            bool
	}{
		{"foo-bar", "foo_bar-1.0-py3-none-any.whl", fileName{wheel, "foo_bar", "1.0"}, true},
		{"foo", "foo-1.0+g1-1build-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", fileName{wheel, "foo", "1.0+g1"}, true},
		{"foo", "foo-1.0-x-py3-none-any.whl", fileName{wheel, "foo", "1.0"}, false}, // a build number has a digit first
		{"foo", "foo-1.0-py3-none.whl", fileName{}, false},
		{"bar", "foo-1.0-py3-none-any.whl", fileName{}, false},
		{"foo-bar", "foo-bar-1.0.tar.gz", fileName{source, "foo-bar", "1.0"}, true},
		{"foo-bar", "Foo.Bar-1.0.zip", fileName{source, "Foo.Bar", "1.0"}, true},
		{"foo", "foo-bar-1.0.tar.gz", fileName{source, "foo", "bar-1.0"}, true}, // a version of old times, as far as its name goes
		{"foo", "foo-1.0.win32-py2.7.exe", fileName{other, "foo", "1.0"}, true},
		{"foo", "foo-1.0-py2.7.egg", fileName{other, "foo", "1.0"}, true},
		{"foo", "foo-1.0.linux-x86_64.tar.gz", fileName{source, "foo", "1.0"}, true},
		{"pytz", "pytz-2004d.tar.bz2", fileName{source, "pytz", "2004d"}, true},
		{"mypackage", "mypackage-1.0.tgz", fileName{source, "mypackage", "1.0"}, true},
		{"foo", "foo-.tar.gz", fileName{}, false},
		{"foo", "foo.tar.gz", fileName{}, false},
		{"foo", "foo-1.0.txt", fileName{}, false},
		{"foo", "../foo-1.0.tar.gz", fileName{}, false},
		{"foo", "foo-1.0\".tar.gz", fileName{}, false},
		{"foo", ".foo-1.0.tar.gz", fileName{}, false},
	}
	for _, tt := range tests {
		got, ok := parseFileName(tt.project, tt.file)
		if ok != tt.ok || ok && got != tt.want {
			t.Errorf("parseFileName(%q, %q) = %+v, %t; want %+v, %t", tt.project, tt.file, got, ok, tt.want, tt.ok)
		}
	}
}

func TestPaths(t *testing.T) {
	t.Parallel()
	lib := registry.PackageID{Format: Name, Name: "my-lib"}
	tests := map[string]struct {
		want address
		err  string
	}{
		"":                               {want: address{op: opUpload}},
		"legacy":                         {want: address{op: opUpload}},
		"legacy/":                        {want: address{op: opUpload}},
		"simple":                         {want: address{op: opMoved, path: "simple/"}},
		"simple/":                        {want: address{op: opProjects}},
		"simple/my-lib/":                 {want: address{op: opProject, id: lib}},
		"simple/my-lib":                  {want: address{op: opMoved, id: registry.PackageID{}, path: "simple/my-lib/"}},
		"simple/My.Lib/":                 {want: address{op: opMoved, path: "simple/my-lib/"}},
		"simple/My__Lib":                 {want: address{op: opMoved, path: "simple/my-lib/"}},
		"simple/my-lib/1.0%2Bg1/a.whl":   {want: address{op: opFile, id: lib, version: "1+g1", file: "a.whl"}},
		"simple/My_Lib/1.0.0/a.whl":      {want: address{op: opFile, id: lib, version: "1", file: "a.whl"}},
		"simple/my-lib/1/a.whl.metadata": {want: address{op: opFile, id: lib, version: "1", file: "a.whl.metadata"}},
		"simple/my-lib/1/":               {err: "invalid"},
		"simple/my-lib/1/a.whl/":         {err: "not found"},
		"simple/my-lib/1/%2e%2e":         {err: "invalid"},
		"simple/my-lib/1/a%2Fb":          {err: "invalid"},
		"simple/%2e%2e/":                 {err: "not found"},
		"simple/%zz/":                    {err: "invalid"},
		"simple//":                       {err: "not found"},
		"simple/a%2fb/":                  {err: "invalid"},
		"my-lib/json":                    {err: "not found"},
		"_/oidc/audience":                {err: "not found"},
		"simple/my-lib/1/2/3":            {err: "not found"},
	}
	for path, tt := range tests {
		got, err := parsePath(path)
		if word(err) != tt.err || err == nil && got != tt.want {
			t.Errorf("parsePath(%q) = %+v, %v; want %+v, %q", path, got, err, tt.want, tt.err)
		}
	}
	id := registry.VersionID{Package: lib, Version: "1!1+g1"}
	if got, want := filePath(id, "my_lib-1!1+g1.whl"), "simple/my-lib/1%211%2Bg1/my_lib-1%211%2Bg1.whl"; got != want {
		t.Errorf("filePath = %q, want %q", got, want)
	}
	a, err := parsePath(filePath(id, "my_lib-1!1+g1.whl"))
	if diff := cmp.Diff(address{op: opFile, id: lib, version: "1!1+g1", file: "my_lib-1!1+g1.whl"}, a, cmp.AllowUnexported(address{})); err != nil || diff != "" {
		t.Errorf("there and back: %v\n%s", err, diff)
	}
}

func FuzzPath(f *testing.F) {
	for _, s := range []string{"simple/a/1.0/a-1.0.whl", "simple/%2e%2e/x", "legacy/", "simple/A"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, rest string) {
		a, err := parsePath(rest)
		switch {
		case err != nil:
			if word(err) == "" {
				t.Fatalf("%q: %v has no meaning", rest, err)
			}
		case a.op == opFile:
			again, err := parsePath(filePath(registry.VersionID{Package: a.id, Version: a.version}, a.file))
			if err != nil || again != a {
				t.Fatalf("%q is %+v, whose address is %+v, %v", rest, a, again, err)
			}
		case a.op == opMoved:
			if b, err := parsePath(a.path); err != nil || b.op == opMoved {
				t.Fatalf("%q moves to %q, which is %+v, %v", rest, a.path, b, err)
			}
		}
	})
}

func FuzzFileName(f *testing.F) {
	f.Add("foo", "foo-1.0-py3-none-any.whl")
	f.Add("foo-bar", "foo-bar-1.0.linux-x86_64.tar.gz")
	f.Add("pytz", "pytz-2004d.win32-py2.7.exe")
	f.Fuzz(func(t *testing.T, project, file string) {
		got, ok := parseFileName(project, file)
		if !ok {
			return
		}
		if normalised(got.name) != project || !strings.HasPrefix(file, got.name+"-"+got.version) {
			t.Fatalf("%q of %q: %+v", file, project, got)
		}
		if _, err := (names{}).Asset(file); err != nil {
			t.Fatal(err)
		}
	})
}
