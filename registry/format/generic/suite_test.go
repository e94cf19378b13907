package generic

import (
	"testing"

	"packhouse.dev/packhouse/registry/format/formattest"
)

func TestSuite(t *testing.T) {
	formattest.Run(t, New(), formattest.Examples{
		Packages: [][2]string{{"my-ns", "my-package"}, {"ns", "Übung"}},
		Versions: []string{"0.9", "1", "1.0", "1.2", "1.10", "2024-01-01", "a"},
		Assets:   []string{"asset.tar.gz", "with space.txt", "名前.bin"},
		Reads:    []string{"", "my-ns/my-package", "my-ns/my-package/1.0", "my-ns/my-package/1.0/", "my-ns/my-package/1.0/asset.tar.gz"},
		Writes:   []string{"PUT my-ns/my-package/1.0/asset.tar.gz", "POST my-ns/my-package/1.0?publish", "DELETE my-ns/my-package/1.0"},
	})
}
