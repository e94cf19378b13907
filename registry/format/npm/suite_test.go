package npm

import (
	"testing"

	"packhouse.dev/packhouse/registry/format/formattest"
)

func TestSuite(t *testing.T) {
	formattest.Run(t, New(), formattest.Examples{
		Packages: [][2]string{{"", "express"}, {"corp", "thing"}, {"", "JSONStream"}},
		Versions: []string{"0.0.1", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-rc.2", "1.0.0", "1.2.0", "1.10.0", "2.0.0"},
		Assets:   []string{"express-1.0.0.tgz", "thing-1.0.0-rc.1.tgz"},
		Reads: []string{
			"express", "@corp/thing", "@corp%2fthing", "express/1.0.0", "express/latest", "express/-/express-1.0.0.tgz", "@corp/thing/-/thing-1.0.0.tgz",
			"-/package/express/dist-tags", "-/ping", "-/whoami", "-/v1/search?text=a",
		},
		Writes: []string{"PUT express", "PUT @corp%2fthing", "PUT -/package/express/dist-tags/latest", "DELETE -/package/express/dist-tags/latest", "POST -/npm/v1/security/advisories/bulk"},
	})
}
