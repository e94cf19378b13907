package clienttest_test

import (
	"strings"
	"testing"
	"time"

	"packhouse.dev/packhouse/registry/internal/clienttest"
)

// TestReload changes manifests under a running registry.
func TestReload(t *testing.T) {
	t.Parallel()
	p, _ := world(t, "")
	c := clienttest.NewClient(t, clienttest.NPM).Use(p.Registry("team-repo"), p.Token)
	c.Refused([]string{"E404", "team-repo"}, "view", "left-trim")
	const team = `
---
apiVersion: packhouse.dev/v1alpha1
kind: Repository
metadata: {name: team-repo}
spec: {domainRef: {name: my-domain}, upstreams: [{name: my-repo}]}
`
	served := func(name string) func() bool {
		return func() bool { _, err := p.Packument(name, "left-trim"); return err == nil }
	}
	t.Logf("a new repository is served after %v", p.Changes(t, clienttest.Samples()+team, served("team-repo")))
	c.OK("install", "left-trim")

	// A slip: it is named with file, line and field, and everything goes on being served.
	said := len(p.Log.String())
	p.Declare(strings.Replace(clienttest.Samples()+team, "upstreams: [{name: my-repo}]", "upstream: [{name: my-repo}]", 1))
	want := []string{"manifests.yaml:", "upstream", "Nothing was changed"}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		log := p.Log.String()[said:]
		missing := ""
		for _, w := range want {
			if !strings.Contains(log, w) {
				missing = w
			}
		}
		if missing == "" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("a wrong field is not explained, no %q in:\n%s", missing, log)
		}
	}
	c.Clean()
	c.OK("ci")

	// Removed: not served, and not lost.
	p.Changes(t, clienttest.Samples(), func() bool { return !served("team-repo")() })
	c.Refused([]string{"E404"}, "view", "left-trim")
	p.Changes(t, clienttest.Samples()+team, served("team-repo"))
	kept := 0
	for _, row := range p.Rows() {
		if row.Repository == "team-repo" {
			kept++
		}
	}
	if kept != 1 {
		t.Errorf("team-repo has %d versions after it was declared again", kept)
	}
}
