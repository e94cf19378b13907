package nuget

import (
	"testing"

	"packhouse.dev/packhouse/registry/format/formattest"
)

func TestSuite(t *testing.T) {
	formattest.Run(t, New(), formattest.Examples{
		Packages: [][2]string{{"", "newtonsoft.json"}, {"", "a_b-c"}},
		Versions: []string{"0.0.1", "1.0.0-1", "1.0.0-2", "1.0.0-11", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-beta", "1.0.0", "1.0.0.1", "1.2.0", "1.10.0", "2.0.0"},
		Assets:   []string{"newtonsoft.json.13.0.1.nupkg"},
		Reads: []string{"v3/index.json", "v3/flatcontainer/lib/index.json", "v3/flatcontainer/lib/1.0.0/lib.1.0.0.nupkg", "v3/flatcontainer/lib/1.0.0/lib.nuspec",
			"v3/registration-semver2/lib/index.json", "v3/registration/lib/page/1.0.0/2.0.0.json", "v3/registration-gz/lib/1.0.0.json", "v3/catalog/lib/1.0.0.json",
			"v3/search?q=a", "v3/autocomplete?id=lib", "v3/vulnerabilities/index.json", "v3/vulnerabilities/all.json"},
		Writes: []string{"PUT v3/package/", "PUT v3/symbolpackage", "DELETE v3/package/lib/1.0.0", "POST v3/package/lib/1.0.0"},
	})
}
