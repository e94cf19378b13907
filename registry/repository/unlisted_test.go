package repository_test

import (
	"testing"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
	"packhouse.dev/packhouse/registry/format/formattest"
)

// marker is the toy format with lists that mark what is unlisted.
type marker struct{ formattest.Toy }

func (marker) Traits() format.Traits {
	t := formattest.Toy{}.Traits()
	t.MarksUnlisted = true
	return t
}

// TestMarksUnlisted: formats that can say "unlisted" in their lists get those versions; others are hidden all the same, and tags name
// listed versions only.
func TestMarksUnlisted(t *testing.T) {
	for _, tt := range []struct {
		status registry.Status
		list   string
	}{
		{registry.Published, "dep 1.0.0 a\nlatest=1.0.0\n"},
		{registry.Unlisted, "dep 1.0.0 a\n"},
		{registry.Archived, "error: not found"},
		{registry.Disposed, "error: not found"},
	} {
		w := newWorldOf(t, marker{})
		w.mustPublish("mid", "dep", "1.0.0", "x")
		if err := w.view("mid").Edit(t.Context(), formattest.ID("dep", "").Package, []format.Edit{{Version: "1.0.0", Status: tt.status}}); err != nil {
			t.Fatal(err)
		}
		want(t, string(tt.status), w.list("app", "dep"), tt.list)
	}
}
