package repository_test

import (
	"context"
	"fmt"
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"

	"packhouse.dev/packhouse/registry/group"
	"packhouse.dev/packhouse/registry/repository"
)

// TestCountPackages: each package counts once, whatever the number of repositories and versions that have it, for the most specific
// group; more than a page of them, too.
func TestCountPackages(t *testing.T) {
	w := newWorld(t)
	publish := func(repo, name, version string) {
		t.Helper()
		if err := w.publishCrate(repo, name, version); err != nil {
			t.Fatal(err)
		}
	}
	count := func() map[string]int64 {
		t.Helper()
		d, err := w.svc.Enter(t.Context(), domain)
		if err != nil {
			t.Fatal(err)
		}
		got, err := d.CountPackages(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := count(); len(got) != 0 {
		t.Errorf("of nothing: %v", got)
	}
	publish("mid", "pad", "0.1.0")
	publish("mid", "pad", "0.2.0")
	publish("other", "pad", "0.1.0")
	publish("mid", "pad-ding", "0.1.0")
	publish("mid", "rope", "0.1.0")
	want := map[string]int64{"/*": 3}
	if diff := cmp.Diff(want, count()); diff != "" {
		t.Error(diff)
	}
	w.apply(groupOf("/cargo/*", "ALLOW", "ALLOW", "ALLOW"), groupOf("/cargo//pad~", "ALLOW", "ALLOW", "ALLOW"), groupOf("/cargo//none$", "ALLOW", "ALLOW", "ALLOW"))
	want = map[string]int64{"/cargo/*": 1, "/cargo//pad~": 2}
	if diff := cmp.Diff(want, count()); diff != "" {
		t.Error(diff)
	}
	const many = 1003
	for i := range many {
		publish("mid", fmt.Sprintf("n%d", i), "1.0.0")
	}
	want["/cargo/*"] += many
	if diff := cmp.Diff(want, count()); diff != "" {
		t.Error(diff)
	}
	// What the service API lists is what is counted.
	d, err := w.svc.Enter(t.Context(), domain)
	if err != nil {
		t.Fatal(err)
	}
	listed := maps.Clone(want)
	clear(listed)
	for pattern := range want {
		p, err := group.Parse(pattern)
		if err != nil {
			t.Fatal(err)
		}
		q := repository.AssociatedQuery{Pattern: p, Limit: 100}
		for {
			list, next, err := d.Associated(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			listed[pattern] += int64(len(list))
			if next == nil {
				break
			}
			q.After = next
		}
	}
	if diff := cmp.Diff(want, listed); diff != "" {
		t.Error(diff)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := d.CountPackages(ended); err == nil {
		t.Errorf("half a count is told as a whole one: %v", got)
	}
}
