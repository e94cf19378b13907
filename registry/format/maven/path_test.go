package maven

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"packhouse.dev/packhouse/registry"
)

var addresses = cmp.AllowUnexported(address{})

func TestParsePath(t *testing.T) {
	t.Parallel()
	app := registry.PackageID{Format: Name, Namespace: "com.mycompany.app", Name: "my-app"}
	junit := registry.PackageID{Format: Name, Namespace: "junit", Name: "junit"}
	const dir = "com/mycompany/app/my-app/"
	for path, want := range map[string]address{
		dir + "1.0/my-app-1.0.jar":                                         {op: opFile, id: app, version: "1.0", file: "my-app-1.0.jar"},
		dir + "1.0/my-app-1.0.jar.sha512":                                  {op: opFile, id: app, version: "1.0", file: "my-app-1.0.jar", checksum: "sha512"},
		dir + "1.0/my-app-1.0-linux-x86_64.tar.gz.asc.md5":                 {op: opFile, id: app, version: "1.0", file: "my-app-1.0-linux-x86_64.tar.gz.asc", checksum: "md5"},
		dir + "1.0/odd":                                                    {op: opFile, id: app, version: "1.0", file: "odd"},
		dir + "1.0+b%2B1~x/my-app.jar":                                     {op: opFile, id: app, version: "1.0+b+1~x", file: "my-app.jar"},
		"junit/junit/4.13.2/junit-4.13.2.pom":                              {op: opFile, id: junit, version: "4.13.2", file: "junit-4.13.2.pom"},
		dir + "1.0-SNAPSHOT/my-app-1.0-20210728.194552-1.jar":              {op: opFile, id: app, version: "1.0-20210728.194552-1", file: "my-app-1.0-20210728.194552-1.jar"},
		dir + "1.0-SNAPSHOT/my-app-1.0-20210728.194552-12-sources.jar.md5": {op: opFile, id: app, version: "1.0-20210728.194552-12", file: "my-app-1.0-20210728.194552-12-sources.jar", checksum: "md5"},
		dir + "1.0-20210728.194552-1/my-app-1.0-20210728.194552-1.jar":     {op: opFile, id: app, version: "1.0-20210728.194552-1", file: "my-app-1.0-20210728.194552-1.jar"},
		dir + "1.0-SNAPSHOT/my-app-1.0-SNAPSHOT-sources.jar":               {op: opFile, id: app, version: "1.0-SNAPSHOT", file: "my-app-1.0-SNAPSHOT-sources.jar", literal: true},
		dir + "maven-metadata.xml":                                         {op: opMetadata, id: app, group: "com.mycompany.app.my-app"},
		dir + "maven-metadata.xml.sha1":                                    {op: opMetadata, id: app, group: "com.mycompany.app.my-app", checksum: "sha1"},
		dir + "1.0-SNAPSHOT/maven-metadata.xml":                            {op: opSnapshot, id: app, version: "1.0-SNAPSHOT"},
		"junit/maven-metadata.xml":                                         {op: opMetadata, group: "junit"},
	} {
		got, err := parsePath(path)
		if diff := cmp.Diff(want, got, addresses); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", path, err, diff)
		}
	}
	for _, path := range []string{
		"", "a", "a/b", "a/b/c", "maven-metadata.xml", ".meta/prefixes.txt", ".meta/a/b/c", ".index/x.gz", "archetype-catalog.xml", "a/b/1.0/", "a//1.0/x", "a/../1.0/x", "a/b/%2e%2e/x",
		"a/b/1.0/x%2fy", "a/b/1.0/x%00", "a/b/1.0/x%5cy", "a.b/c/1.0/x", "a/b/1.0-SNAPSHOT/other-1.0-SNAPSHOT.jar", "a/b/1.0-SNAPSHOT/b-1.0.jar", "a/b/1.0-SNAPSHOT/b-1.0-20210728.194552-1x.jar",
		"a/b/1.0-SNAPSHOT/b-1.0-20210728-1.jar", "a/b/1.0/%zz",
	} {
		if got, err := parsePath(path); !errors.Is(err, registry.ErrNotFound) {
			t.Errorf("%s: %+v, %v", path, got, err)
		}
	}
}

func FuzzParsePath(f *testing.F) {
	for _, s := range []string{
		"com/mycompany/app/my-app/1.0/my-app-1.0.jar", "a/b/1.0-SNAPSHOT/b-1.0-20210728.194552-1.jar.sha1", "a/b/1.0-SNAPSHOT/b-1.0-SNAPSHOT.pom", "a/b/maven-metadata.xml.md5",
		"a/b/1-SNAPSHOT/maven-metadata.xml", "%2e%2e/a/b/c", "a/b/c/d%2fe", ".meta/prefixes.txt", "a/b/%2B/x",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		a, err := parsePath(path)
		if err != nil {
			if !errors.Is(err, registry.ErrNotFound) {
				t.Errorf("%q: %v", path, err)
			}
			return
		}
		if a.op != opFile {
			return
		}
		if id, err := (names{}).Package(a.id.Namespace, a.id.Name); err != nil || id != a.id {
			t.Errorf("%q: package %+v, %v", path, a.id, err)
		}
		back := filePath(registry.VersionID{Package: a.id, Version: a.version}, a.file)
		if a.checksum != "" {
			back += "." + string(a.checksum)
		}
		if _, direct := parseBuild(a.version); direct {
			return // a build has two addresses
		}
		if again, err := parsePath(back); err != nil || again != a {
			t.Errorf("%q is %+v, whose address %q is %+v, %v", path, a, back, again, err)
		}
	})
}
