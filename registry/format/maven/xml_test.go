package maven

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

func TestMetadata(t *testing.T) {
	t.Parallel()
	m, err := parseMetadata(strings.NewReader("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n<metadata xmlns=\"http://maven.apache.org/METADATA/1.1.0\"><groupId> g </groupId>" +
		"<versioning><versions>\n <version>1.0</version><other><x/></other><version> 2.0 </version></versions></versioning><plugins><plugin><prefix>p\xe4</prefix></plugin></plugins></metadata>"))
	if err != nil || m.GroupID != "g" || !cmp.Equal([]string(m.Versioning.Versions), []string{"1.0", "2.0"}) || len(m.Plugins) != 1 || m.Plugins[0].Prefix != "pä" {
		t.Errorf("%+v %v", m, err)
	}
	for name, text := range map[string]string{
		"empty": "", "no XML": "hello", "another element": "<html></html>", "cut off": "<metadata><versioning>", "a document type": `<!DOCTYPE x [<!ENTITY a "b">]><metadata/>`,
		"deep": strings.Repeat("<metadata>", 200), "another encoding": `<?xml version="1.0" encoding="ebcdic"?><metadata/>`, "an unknown entity": "<metadata><groupId>&x;</groupId></metadata>",
	} {
		if m, err := parseMetadata(strings.NewReader(text)); !errors.Is(err, registry.ErrInvalid) {
			t.Errorf("%s: %+v %v", name, m, err)
		}
	}
	// An empty list would be a list of one version without a name.
	if body, err := (&metadata{Versioning: &versioning{Latest: "1"}}).encode(); err != nil || strings.Contains(string(body), "ersions") || strings.Contains(string(body), "plugins") {
		t.Errorf("%s %v", body, err)
	}
}

const fullPOM = `<?xml version="1.0"?>
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <parent><groupId>org.example</groupId><artifactId>parent</artifactId><version>7</version></parent>
  <artifactId>lib</artifactId>
  <name>${project.artifactId} of ${project.groupId}</name>
  <description>Two
    lines &copy; ${unknown} ${open</description>
  <url>https://example.com/${who}</url>
  <scm><url>https://example.com/git</url></scm>
  <licenses><license><name>Apache-2.0</name><url>https://example.com/license</url></license></licenses>
  <properties><who>${who}</who><v>1.2</v></properties>
  <dependencies>
    <dependency><groupId>${project.groupId}</groupId><artifactId>a</artifactId><version>${v}</version></dependency>
    <dependency><groupId>g</groupId><artifactId>b</artifactId><version>[1,2)</version><scope>test</scope></dependency>
    <dependency><groupId>g</groupId><artifactId>c</artifactId><optional>true</optional></dependency>
  </dependencies>
</project>`

func TestDescribe(t *testing.T) {
	t.Parallel()
	i, err := parsePOM(strings.NewReader(fullPOM))
	if err != nil {
		t.Fatal(err)
	}
	kept, err := i.encode()
	if err != nil {
		t.Fatal(err)
	}
	id := registry.VersionID{Package: registry.PackageID{Format: Name, Namespace: "org.example", Name: "lib"}, Version: "7"}
	got, err := New().Describe(&registry.Version{ID: id, Assets: []registry.Asset{{Name: "lib-7.jar"}, {Name: "lib-7.pom", Info: kept}}})
	want := format.Description{
		DisplayName: "lib of org.example", Summary: "Two lines © ${unknown} ${open", HomePage: "https://example.com/${who}", SourceCodeRepository: "https://example.com/git",
		Licenses: []format.License{{Name: "Apache-2.0", URL: "https://example.com/license"}},
		Dependencies: []format.Dependency{
			{Namespace: "org.example", Package: "parent", Type: "parent", Requirement: "7"}, {Namespace: "org.example", Package: "a", Type: "compile", Requirement: "1.2"},
			{Namespace: "g", Package: "b", Type: "test", Requirement: "[1,2)"}, {Namespace: "g", Package: "c", Type: "optional"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
	if got, err := New().Describe(&registry.Version{ID: id}); err != nil || got.DisplayName != "lib" {
		t.Errorf("without a POM: %+v %v", got, err)
	}
}

func FuzzPOM(f *testing.F) {
	f.Add([]byte(fullPOM))
	f.Add([]byte("<project><properties><a>${a}</a></properties><name>${a}${b}</name></project>"))
	f.Add([]byte("<?xml version=\"1.0\" encoding=\"latin1\"?><project><name>\xff</name></project>"))
	f.Fuzz(func(t *testing.T, b []byte) {
		i, err := parsePOM(bytes.NewReader(b))
		if err != nil {
			if !errors.Is(err, registry.ErrInvalid) {
				t.Error(err)
			}
			return
		}
		if len(i.Name) > maxText || len(i.Summary) > maxText || len(i.Dependencies) > maxDependencies+1 || len(i.Licenses) > maxLicenses {
			t.Errorf("more is kept than the limits say: %d %d", len(i.Name), len(i.Dependencies))
		}
		kept, err := i.encode()
		if err != nil {
			t.Fatal(err)
		}
		id := registry.VersionID{Package: registry.PackageID{Format: Name, Namespace: "g", Name: "a"}, Version: "1"}
		if _, err := New().Describe(&registry.Version{ID: id, Assets: []registry.Asset{{Name: "a-1.pom", Info: kept}}}); err != nil {
			t.Error(err)
		}
	})
}

func FuzzMetadata(f *testing.F) {
	f.Add([]byte("<metadata><groupId>g</groupId><versioning><versions><version>1</version></versions><lastUpdated>20200101000000</lastUpdated></versioning></metadata>"))
	f.Add([]byte("<metadata><versioning><snapshot><timestamp>20200101.000000</timestamp></snapshot><snapshotVersions><snapshotVersion><extension>jar</extension></snapshotVersion></snapshotVersions></versioning></metadata>"))
	f.Add([]byte("<metadata><plugins><plugin><name>n</name><prefix>p</prefix><artifactId>a</artifactId></plugin></plugins></metadata>"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parseMetadata(bytes.NewReader(b))
		if err != nil {
			if !errors.Is(err, registry.ErrInvalid) {
				t.Error(err)
			}
			return
		}
		body, err := m.encode()
		if err != nil {
			return // characters that XML cannot have
		}
		if _, err := parseMetadata(bytes.NewReader(body)); err != nil {
			t.Errorf("%q is written as %q: %v", b, body, err)
		}
		id := registry.PackageID{Format: Name, Namespace: "g", Name: "a"}
		if p, err := remotePackage(id, m); err == nil {
			for _, v := range p.Versions {
				if key, err := (names{}).Version(v.ID.Version); err != nil || key != v.ID.Version || isSnapshot(key) {
					t.Errorf("version %q, %v", v.ID.Version, err)
				}
			}
		}
		if _, err := remotePlugins(groupID("g"), m); err != nil && !errors.Is(err, registry.ErrNotFound) {
			t.Error(err)
		}
	})
}
