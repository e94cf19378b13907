package cargo

import (
	"testing"

	"packhouse.dev/packhouse/registry/format/formattest"
)

func TestSuite(t *testing.T) {
	formattest.Run(t, New(), formattest.Examples{
		Packages: [][2]string{{"", "serde"}, {"", "serde-json"}},
		Versions: []string{"0.0.1", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-rc.2", "1.0.0", "1.2.0", "1.10.0", "2.0.0"},
		Assets:   []string{"serde-1.0.0.crate"},
		Reads:    []string{"config.json", "se/rd/serde", "3/s/syn", "api/v1/crates?q=a", "api/v1/crates/serde/1.0.0/download"},
		Writes:   []string{"PUT api/v1/crates/new", "DELETE api/v1/crates/serde/1.0.0/yank", "PUT api/v1/crates/serde/1.0.0/unyank"},
	})
}
