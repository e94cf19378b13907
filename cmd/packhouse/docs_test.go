package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestManifestsOfDocs: what a reader copies is taken as it is.
func TestManifestsOfDocs(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/identities.md")
	if err != nil {
		t.Fatal(err)
	}
	var manifests []string
	for _, block := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		for document := range strings.SplitSeq(block[1], "\n---\n") {
			if strings.Contains(document, "packhouse.dev/") {
				manifests = append(manifests, document)
			}
		}
	}
	file := filepath.Join(t.TempDir(), "docs.yaml")
	write(t, file, strings.Join(manifests, "\n---\n"))
	c, err := newCompiler([]string{file}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := c.read(t.Context(), nil)
	if err != nil || len(m.problems) > 0 {
		t.Fatal(err, m)
	}
	if doc := m.registry; len(doc.Providers) != 2 || len(doc.AccessKeys) != 1 || len(doc.Identities) < 2 {
		t.Errorf("%d manifests: %+v", len(manifests), doc)
	}
}
