package pypi

import (
	"testing"

	"packhouse.dev/packhouse/registry/format/formattest"
)

func TestSuite(t *testing.T) {
	formattest.Run(t, New(), formattest.Examples{
		Packages: [][2]string{{"", "requests"}, {"", "zope-interface"}},
		Versions: []string{"0.9", "1.dev1", "1a1", "1b2", "1rc1", "1", "1.post1", "1.2", "1.10", "1!0.1"},
		Assets:   []string{"requests-1.0.tar.gz", "requests-1.0-py3-none-any.whl"},
		Reads:    []string{"simple/requests/", "simple/"},
		Writes:   []string{"POST "},
	})
}
