package registry

import (
	"context"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "packhouse.dev/packhouse/api/v1alpha1"
)

// TestCounts: what a replica counts is in the statuses of package groups; an operator that does not know yet leaves them alone.
func TestCounts(t *testing.T) {
	f := newFixture(t)
	f.given(`
kind: Registry
metadata: {name: default}
---
kind: Domain
metadata: {name: my-domain}
---
kind: PackageGroup
metadata: {name: corp}
spec: {domainRef: {name: my-domain}, pattern: /npm/corp/*}
---
kind: PackageGroup
metadata: {name: none}
spec: {domainRef: {name: my-domain}, pattern: /npm/none/*}
`)
	f.reconcile()
	shows := func(when string, corp, none int64) {
		t.Helper()
		for name, want := range map[string]int64{"corp": corp, "none": none} {
			g := &api.PackageGroup{}
			f.get(g, name)
			if g.Status.Packages != want {
				t.Errorf("%s: %s has %d packages, want %d", when, name, g.Status.Packages, want)
			}
		}
	}
	count := func(packages map[string]int64) {
		t.Helper()
		f.plane.mu.Lock()
		f.plane.packages = packages
		f.plane.mu.Unlock()
		n := newCounting(f.r)
		n.log = logr.Discard()
		f.must(n.count(t.Context(), client.ObjectKey{Namespace: f.namespace, Name: "default"}))
		f.reconcile()
	}
	shows("before the first count", 0, 0)
	count(map[string]int64{"/npm/corp/*": 7, "/*": 3})
	shows("counted", 7, 0)
	f.r = f.operator(f.c)
	f.reconcile()
	shows("another operator", 7, 0)
	count(map[string]int64{"/npm/none/*": 1})
	shows("moved", 0, 1)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := newCounting(f.r)
	n.every, n.log = 10*time.Millisecond, logr.Discard()
	done := make(chan error, 1)
	go func() { done <- n.Start(ctx) }()
	f.plane.mu.Lock()
	f.plane.packages = map[string]int64{"/npm/corp/*": 12}
	f.plane.mu.Unlock()
	deadline := time.Now().Add(20 * time.Second)
	for {
		g := &api.PackageGroup{}
		f.reconcile()
		if f.get(g, "corp"); g.Status.Packages == 12 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("it does not count again")
		}
		time.Sleep(20 * time.Millisecond)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
