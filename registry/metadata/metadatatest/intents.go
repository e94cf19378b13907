package metadatatest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/metadata"
)

// take returns the ids of what TakeIntents gives.
func (f *fixture) take(t *testing.T, limit int, holding ...string) []string {
	t.Helper()
	list, err := f.TakeIntents(t.Context(), holding, limit)
	must(t, err)
	ids := []string{}
	for _, i := range list {
		if i.State == metadata.IntentAnswered || i.Left <= 0 || i.Left > time.Minute || string(i.Request) != "about "+i.ID {
			t.Errorf("taken: %+v", i)
		}
		ids = append(ids, i.ID)
	}
	return ids
}

// add adds intents one after another; each has a time of its own, because those of one millisecond are in no order.
func (f *fixture) add(t *testing.T, ids ...string) {
	t.Helper()
	for _, id := range ids {
		must(t, f.AddIntent(t.Context(), id, []byte("about "+id), time.Minute))
		time.Sleep(2 * time.Millisecond)
	}
}

func testIntents(t *testing.T, f *fixture) {
	if got := f.take(t, 10); len(got) != 0 {
		t.Errorf("taken of nothing: %v", got)
	}
	f.add(t, "b", "a", "c")
	if err := f.AddIntent(t.Context(), "a", []byte("x"), time.Minute); !errors.Is(err, registry.ErrAlreadyExists) {
		t.Errorf("the same id again: %v", err)
	}
	for _, tt := range []struct {
		limit   int
		holding []string
		want    []string
	}{
		{2, nil, []string{"b", "a"}}, {10, []string{"b", "a"}, []string{"c"}}, {10, []string{"b", "a", "c", "unknown"}, []string{}},
		{10, nil, []string{"b", "a", "c"}}, // whoever had them is gone
	} {
		if diff := cmp.Diff(tt.want, f.take(t, tt.limit, tt.holding...)); diff != "" {
			t.Errorf("taken beside %v (-want +got):\n%s", tt.holding, diff)
		}
	}
	must(t, f.AnswerIntent(t.Context(), "a", []byte("yes")))
	must(t, f.AnswerIntent(t.Context(), "a", []byte("no"))) // the first one counts
	f.add(t, "d")
	got, err := f.TakeIntents(t.Context(), nil, 10)
	must(t, err)
	if len(got) != 3 || got[0].ID != "b" || got[0].State != metadata.IntentTaken || got[2].ID != "d" || got[2].State != metadata.IntentPending {
		t.Errorf("taken beside what is answered: %+v", got)
	}
	if err := f.AnswerIntent(t.Context(), "unknown", nil); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("an answer to nothing: %v", err)
	}
	for _, read := range []string{"Intent", "EndIntent"} {
		get := f.Intent
		if read == "EndIntent" {
			get = f.EndIntent
		}
		got, err := get(t.Context(), "a")
		if err != nil || got == nil || got.State != metadata.IntentAnswered || string(got.Result) != "yes" || string(got.Request) != "about a" {
			t.Errorf("%s = %+v, %v", read, got, err)
		}
	}
	for _, get := range []func() (*metadata.Intent, error){
		func() (*metadata.Intent, error) { return f.Intent(t.Context(), "a") }, func() (*metadata.Intent, error) { return f.EndIntent(t.Context(), "a") },
	} {
		if got, err := get(); got != nil || err != nil {
			t.Errorf("of one that has ended: %+v, %v", got, err)
		}
	}
}

// An intent whose time is over is nobody's any more.
func testIntentsEnd(t *testing.T, f *fixture) {
	must(t, f.AddIntent(t.Context(), "short", []byte("x"), 20*time.Millisecond))
	f.add(t, "long")
	time.Sleep(40 * time.Millisecond)
	if got := f.take(t, 10); !slices.Equal(got, []string{"long"}) {
		t.Errorf("taken: %v", got)
	}
	if got, err := f.Intent(t.Context(), "short"); err != nil || got == nil || got.State != metadata.IntentPending || got.Left > 0 {
		t.Errorf("an old one: %+v, %v", got, err)
	}
	must(t, f.TrimChanges(t.Context(), time.Now().Add(10*time.Second)))
	if got, err := f.Intent(t.Context(), "short"); err != nil || got != nil {
		t.Errorf("an old one, trimmed: %+v, %v", got, err)
	}
	if got, err := f.Intent(t.Context(), "long"); err != nil || got == nil {
		t.Errorf("one that waits: %+v, %v", got, err)
	}
}

// Of withdrawing and taking at the same time exactly one happens.
func testIntentsWithdrawn(t *testing.T, f *fixture) {
	const n = 20
	for i := range n {
		id := fmt.Sprint("i", i)
		f.add(t, id)
		var taken []metadata.Intent
		var ended *metadata.Intent
		var failed [2]error
		var g sync.WaitGroup
		g.Go(func() { taken, failed[0] = f.TakeIntents(t.Context(), nil, 10) })
		g.Go(func() { ended, failed[1] = f.EndIntent(t.Context(), id) })
		g.Wait()
		must(t, errors.Join(failed[:]...))
		if ended == nil || (ended.State == metadata.IntentPending) != (len(taken) == 0) {
			t.Fatalf("ended as %+v, taken %+v", ended, taken)
		}
	}
}
