package ruby

import (
	"testing"

	"packhouse.dev/packhouse/registry/format/formattest"
)

func TestSuite(t *testing.T) {
	formattest.Run(t, New(), formattest.Examples{
		Packages: [][2]string{{"", "rack"}, {"", "Rails_x-y.z"}},
		Versions: []string{"0.0.1", "1.0.a", "1.0.b1", "1.0.b2", "1.0", "1.0-java", "1.0-x86_64-linux", "1.2.0", "1.10.0", "2.0.0"},
		Assets:   []string{"rack-1.0.0.gem"},
		Reads: []string{"", "versions", "names", "info/rack", "api/v1/dependencies?gems=rack", "api/v1/dependencies", "specs.4.8.gz", "latest_specs.4.8.gz",
			"prerelease_specs.4.8.gz", "quick/Marshal.4.8/rack-1.0.0.gemspec.rz", "gems/rack-1.0.0.gem"},
		Writes: []string{"POST api/v1/gems", "DELETE api/v1/gems/yank", "PUT api/v1/gems/unyank"},
	})
}
