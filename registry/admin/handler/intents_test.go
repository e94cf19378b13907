package handler

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/admin"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/intent"
	"packhouse.dev/packhouse/registry/intent/queue"
)

// wishes is a queue of one.
type wishes struct {
	holding []string
	wait    time.Duration
	answers map[string]intent.Result
}

var wish = intent.Intent{
	Principal: "arn:aws:iam::111122223333:user/ann", Account: "111122223333", Domain: registry.DomainRef{Owner: "111122223333", Name: "web"}, Base: "b",
	Spec: intent.Spec{Group: &intent.Group{Pattern: "/npm/*", Controls: map[string]intent.Control{"PUBLISH": {Mode: "BLOCK"}}}},
}

func (w *wishes) Take(_ context.Context, holding []string, wait time.Duration) ([]queue.Waiting, error) {
	w.holding, w.wait = holding, wait
	return []queue.Waiting{{ID: "one", Again: true, Left: 20 * time.Second, Intent: wish}}, nil
}

func (w *wishes) Answer(_ context.Context, id string, r intent.Result) error {
	if id != "one" {
		return fmt.Errorf("intent %s: %w", id, registry.ErrNotFound)
	}
	w.answers[id] = r
	return nil
}

func TestIntents(t *testing.T) {
	t.Parallel()
	w := &wishes{answers: map[string]intent.Result{}}
	s := httptest.NewServer(New(Options{Intents: w}))
	t.Cleanup(s.Close)
	c := admin.NewClient(s.URL, s.Client())
	got, err := c.Take(t.Context(), admin.TakeRequest{Holding: []string{"zero"}, Wait: config.Duration(time.Second)})
	if err != nil {
		t.Fatal(err)
	}
	want := &admin.Intents{Intents: []admin.Intent{{ID: "one", Again: true, Left: config.Duration(20 * time.Second), Intent: wish}}}
	if diff := cmp.Diff(want, got); diff != "" || w.wait != time.Second || len(w.holding) != 1 {
		t.Errorf("asked with %v %v (-want +got):\n%s", w.holding, w.wait, diff)
	}
	for _, r := range []intent.Result{{}, {Code: intent.Conflict, Text: "it is Argo CD's"}} {
		if err := c.Answer(t.Context(), admin.Answer{ID: "one", Result: r}); err != nil || w.answers["one"] != r {
			t.Errorf("answered %+v: %+v, %v", r, w.answers, err)
		}
	}
	if err := c.Answer(t.Context(), admin.Answer{ID: "two"}); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("an answer to nothing: %v", err)
	}
	_, none, _ := serve(t, t.TempDir())
	if _, err := none.Take(t.Context(), admin.TakeRequest{}); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("of a registry that has none: %v", err)
	}
	if err := none.Answer(t.Context(), admin.Answer{ID: "one"}); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("to a registry that has none: %v", err)
	}
}
