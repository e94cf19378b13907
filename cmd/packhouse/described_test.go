package main

import (
	"bytes"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact"
	"github.com/aws/aws-sdk-go-v2/service/codeartifact/types"
	"github.com/google/go-cmp/cmp"

	"packhouse.dev/packhouse/registry/format/cargo/cargotest"
	"packhouse.dev/packhouse/registry/format/nuget/nugettest"
	"packhouse.dev/packhouse/registry/format/pypi/pypitest"
	"packhouse.dev/packhouse/registry/format/ruby/rubytest"
	"packhouse.dev/packhouse/registry/format/swift/swifttest"
)

// told is what the service API tells of a version.
type told struct {
	DisplayName, Summary, HomePage, Source, Readme, Licence string
	Dependencies                                            []string
}

// TestServiceDescribes: what packages say of themselves is shown, whichever way it was published.
func TestServiceDescribes(t *testing.T) {
	t.Parallel()
	r := startDev(t, dataFolder(t), emptyYAML)
	c := newServiceClient(r)
	kind, form := pypitest.Form(pypitest.Dist{
		Name: "My.Lib", Version: "1.0", Requires: []string{"requests>=2,<3", "pytest ; extra == \"test\""}, Description: "# My lib",
		Fields: []string{"Summary: about my lib", "License: MIT", "Home-page: https://example.com/lib", "Project-URL: Source, https://git.example.com/lib"},
	}.WheelForm()...)
	pom := `<project><modelVersion>4.0.0</modelVersion><groupId>com.corp</groupId><artifactId>lib</artifactId><version>1.0</version><name>The Lib</name>
<description>about the lib</description><url>https://example.com/lib</url><licenses><license><name>MIT</name></license></licenses><scm><url>https://git.example.com/lib</url></scm>
<dependencies><dependency><groupId>org.slf4j</groupId><artifactId>slf4j-api</artifactId><version>1.7</version></dependency></dependencies></project>`
	crate := cargotest.Crate{
		Name: "my_lib", Version: "1.0.0", Description: "about my lib", Deps: []cargotest.Dep{{Name: "serde", Req: "^1", Registry: cargotest.CratesIO}},
		Package: "license = \"MIT\"\nhomepage = \"https://example.com/lib\"\nrepository = \"https://git.example.com/lib\"\nreadme = \"README.md\"", Files: map[string]string{"README.md": "# My lib"},
	}
	gem := rubytest.Gem(rubytest.Gemspec("my-lib", "1.0.0", "homepage: https://example.com/lib\nlicenses: [MIT]\nmetadata:\n  source_code_uri: https://git.example.com/lib\n"+
		"dependencies:\n- name: rack\n  type: :runtime\n  requirement:\n    requirements:\n    - - \">=\"\n      - version: '2'\n"))
	nupkg := nugettest.Package{
		ID: "My.Lib", Version: "1.0.0", Description: "about my lib", Dependencies: map[string][][2]string{"net8.0": {{"Other", "1.0"}}}, Files: map[string]string{"r.md": "# My lib"},
		More: `<projectUrl>https://example.com/lib</projectUrl><repository url="https://git.example.com/lib"/><license type="expression">MIT</license><readme>r.md</readme>`,
	}
	lib := swifttest.Package{
		Scope: "Corp", Name: "MyLib", Version: "1.0.0", Files: map[string]string{"README.md": "# My lib"},
		Metadata: `{"description":"about my lib","repositoryURLs":["https://git.example.com/lib"],"licenseURL":"https://example.com/licence"}`,
	}
	swiftForm, swiftKind := lib.Form(lib.Archive())
	for _, tt := range []struct {
		format, namespace, name, version string
		method, path, kind               string
		body                             []byte
		want                             told
	}{
		{
			"pypi", "", "my-lib", "1.0", "POST", "", kind, form,
			told{"My.Lib", "about my lib", "https://example.com/lib", "https://git.example.com/lib", "# My lib", "MIT", []string{"/requests >=2,<3 Requires-Dist", "/pytest ; extra == \"test\" Requires-Dist"}},
		},
		{
			"maven", "com.corp", "lib", "1.0", "PUT", "com/corp/lib/1.0/lib-1.0.pom", "", []byte(pom),
			told{"The Lib", "about the lib", "https://example.com/lib", "https://git.example.com/lib", "", "MIT", []string{"org.slf4j/slf4j-api 1.7 compile"}},
		},
		{
			"cargo", "", "my_lib", "1.0.0", "PUT", "api/v1/crates/new", "", crate.Request(),
			told{"my_lib", "about my lib", "https://example.com/lib", "https://git.example.com/lib", "# My lib", "MIT", []string{"/serde ^1 normal"}},
		},
		{
			"ruby", "", "my-lib", "1.0.0", "POST", "api/v1/gems", "", gem,
			told{"my-lib", "about my-lib", "https://example.com/lib", "https://git.example.com/lib", "", "MIT", []string{"/rack >= 2 runtime"}},
		},
		{
			"nuget", "", "My.Lib", "1.00", "PUT", "v3/package", "application/octet-stream", nupkg.File(),
			told{"My.Lib", "about my lib", "https://example.com/lib", "https://git.example.com/lib", "# My lib", "MIT", []string{"/Other [1.0.0, ) "}},
		},
		{
			"swift", "Corp", "MyLib", "1.0.0", "PUT", "Corp/MyLib/1.0.0", swiftKind, swiftForm,
			told{"MyLib", "about my lib", "", "https://git.example.com/lib", "# My lib", "", []string{"apple/swift-log from: \"1.5.0\" ", "/Kit .upToNextMinor(from: \"2.0.0\") "}},
		},
	} {
		t.Run(tt.format, func(t *testing.T) {
			t.Parallel()
			req, err := http.NewRequestWithContext(t.Context(), tt.method, r.Endpoint+"/declared-111122223333/"+tt.format+"/theirs/"+tt.path, bytes.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+r.Token)
			req.Header.Set("Content-Type", tt.kind)
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			if res.StatusCode/100 != 2 {
				t.Fatal(res.Status)
			}
			if diff := cmp.Diff(tt.want, c.told(t, tt.format, tt.namespace, tt.name, tt.version)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// told asks for everything about a version of repository "theirs".
func (c *serviceClient) told(t *testing.T, format, namespace, name, version string) told {
	t.Helper()
	domain, repository := aws.String("declared"), aws.String("theirs")
	var ns *string
	if namespace != "" {
		ns = &namespace
	}
	f := types.PackageFormat(format)
	v := must[*codeartifact.DescribePackageVersionOutput](t)(c.DescribePackageVersion(t.Context(), &codeartifact.DescribePackageVersionInput{
		Domain: domain, Repository: repository, Format: f, Namespace: ns, Package: &name, PackageVersion: &version,
	})).PackageVersion
	deps := must[*codeartifact.ListPackageVersionDependenciesOutput](t)(c.ListPackageVersionDependencies(t.Context(), &codeartifact.ListPackageVersionDependenciesInput{
		Domain: domain, Repository: repository, Format: f, Namespace: ns, Package: &name, PackageVersion: &version,
	}))
	out := told{DisplayName: aws.ToString(v.DisplayName), Summary: aws.ToString(v.Summary), HomePage: aws.ToString(v.HomePage), Source: aws.ToString(v.SourceCodeRepository)}
	for _, l := range v.Licenses {
		out.Licence += aws.ToString(l.Name)
	}
	for _, d := range deps.Dependencies {
		out.Dependencies = append(out.Dependencies, aws.ToString(d.Namespace)+"/"+aws.ToString(d.Package)+" "+aws.ToString(d.VersionRequirement)+" "+aws.ToString(d.DependencyType))
	}
	readme, err := c.GetPackageVersionReadme(t.Context(), &codeartifact.GetPackageVersionReadmeInput{
		Domain: domain, Repository: repository, Format: f, Namespace: ns, Package: &name, PackageVersion: &version,
	})
	if err != nil {
		refused(t, "ResourceNotFoundException", err)
		return out
	}
	out.Readme = aws.ToString(readme.Readme)
	return out
}
