package swift

import (
	"testing"

	"packhouse.dev/packhouse/registry/format/formattest"
)

func TestSuite(t *testing.T) {
	formattest.Run(t, New(), formattest.Examples{
		Packages: [][2]string{{"mona", "linkedlist"}, {"apple", "swift-log"}},
		Versions: []string{"0.0.1", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-rc.2", "1.0.0", "1.2.0", "1.10.0", "2.0.0"},
		Assets:   []string{"linkedlist-1.0.0.zip"},
		Reads: []string{"mona/LinkedList", "mona/LinkedList.json", "mona/LinkedList/1.0.0", "mona/LinkedList/1.0.0.zip", "mona/LinkedList/1.0.0/Package.swift",
			"mona/LinkedList/1.0.0/Package.swift?swift-version=5.9", "identifiers?url=https://git.test/a/b", "availability"},
		Writes: []string{"PUT mona/LinkedList/1.0.0"},
	})
}
