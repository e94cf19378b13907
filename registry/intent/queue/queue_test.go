package queue_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/intent"
	"packhouse.dev/packhouse/registry/intent/queue"
	"packhouse.dev/packhouse/registry/metadata"
	"packhouse.dev/packhouse/registry/metadata/sql"
)

func store(t *testing.T) metadata.Store {
	t.Helper()
	s, err := sql.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "db"), sql.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// served counts how often a replica was asked to have everything in force.
type served struct{ n atomic.Int32 }

func (s *served) now(context.Context) error {
	s.n.Add(1)
	return nil
}

func wish(name string) intent.Intent {
	return intent.Intent{
		Principal: "arn:aws:iam::111122223333:user/ann", Account: "111122223333", Domain: registry.DomainRef{Owner: "111122223333", Name: "d"},
		Create: true, Spec: intent.Spec{Repository: &intent.Repository{Name: name}},
	}
}

// declare wants a change and gives what became of it.
func declare(ctx context.Context, q *queue.Queue, in intent.Intent) <-chan error {
	out := make(chan error, 1)
	go func() { out <- q.Declare(ctx, in) }()
	return out
}

func one(t *testing.T, q *queue.Queue, holding ...string) queue.Waiting {
	t.Helper()
	got, err := q.Take(t.Context(), holding, 5*time.Second)
	if err != nil || len(got) != 1 {
		t.Fatalf("taken %+v, %v", got, err)
	}
	return got[0]
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	var s served
	q := queue.New(queue.Options{Store: store(t), Served: s.now})
	for _, tt := range []struct {
		made   error
		served int32
	}{{nil, 1}, {fmt.Errorf("%w: field manager argocd-controller keeps it", registry.ErrConflict), 1}} {
		got := declare(t.Context(), q, wish("r"))
		w := one(t, q)
		if w.Again || w.Left <= 0 || w.Left > 25*time.Second || w.Intent.Spec.Repository.Name != "r" || !w.Intent.Create || w.Intent.Principal == "" {
			t.Errorf("taken %+v", w)
		}
		if err := q.Answer(t.Context(), w.ID, intent.ResultOf(tt.made)); err != nil {
			t.Error(err)
		}
		err := <-got
		if fmt.Sprint(err) != fmt.Sprint(tt.made) || tt.made != nil && !errors.Is(err, registry.ErrConflict) {
			t.Errorf("declared: %v, want %v", err, tt.made)
		}
		if n := s.n.Load(); n != tt.served {
			t.Errorf("waited %d times for the configuration, want %d", n, tt.served)
		}
		if err := q.Answer(t.Context(), w.ID, intent.Result{}); !errors.Is(err, registry.ErrNotFound) {
			t.Errorf("an answer to what is over: %v", err)
		}
	}
}

// The operator may ask one replica and answer another, and one that was started anew gets what its predecessor had.
func TestReplicas(t *testing.T) {
	t.Parallel()
	var s served
	opt := queue.Options{Store: store(t), Served: s.now, Look: 10 * time.Millisecond}
	a, b := queue.New(opt), queue.New(opt)
	got := declare(t.Context(), a, wish("r"))
	w := one(t, b)
	if none, err := b.Take(t.Context(), []string{w.ID}, 30*time.Millisecond); len(none) > 0 || err != nil {
		t.Errorf("what is held is given again: %+v, %v", none, err)
	}
	if again := one(t, b); again.ID != w.ID || !again.Again {
		t.Errorf("given to another: %+v", again)
	}
	if err := b.Answer(t.Context(), w.ID, intent.Result{}); err != nil {
		t.Error(err)
	}
	if err := <-got; err != nil {
		t.Error(err)
	}
}

// What nobody took is not made later; of what was taken that is not said.
func TestNobodyAnswers(t *testing.T) {
	t.Parallel()
	rows := store(t)
	for name, tt := range map[string]struct {
		opt  queue.Options
		take bool
		want string
	}{
		"nobody is there":    {queue.Options{Patience: 50 * time.Millisecond}, false, "it was not made"},
		"nobody takes it":    {queue.Options{Wait: 100 * time.Millisecond, Patience: time.Hour}, false, "it was not made"},
		"nobody answers":     {queue.Options{Wait: 300 * time.Millisecond, Patience: 10 * time.Millisecond}, true, "may come into force"},
		"the store is tardy": {queue.Options{Wait: 100 * time.Millisecond, Look: time.Hour}, false, "it was not made"},
	} {
		t.Run(name, func(t *testing.T) {
			tt.opt.Store, tt.opt.Served = rows, func(context.Context) error { return nil }
			q := queue.New(tt.opt)
			start := time.Now()
			got := declare(t.Context(), q, wish("r"))
			if tt.take {
				one(t, q)
			}
			err := <-got
			var u *intent.UnavailableError
			if !errors.Is(err, registry.ErrUnavailable) || !errors.As(err, &u) || !strings.Contains(u.Text, tt.want) {
				t.Errorf("declared: %v", err)
			}
			if time.Since(start) > 10*time.Second {
				t.Errorf("it took %v", time.Since(start))
			}
			if left, err := rows.TakeIntents(t.Context(), nil, 10); err != nil || len(left) > 0 {
				t.Errorf("left behind: %+v, %v", left, err)
			}
		})
	}
}

// A client that goes away takes its wish along.
func TestClientGoes(t *testing.T) {
	t.Parallel()
	rows := store(t)
	q := queue.New(queue.Options{Store: rows, Served: func(context.Context) error { return nil }})
	ctx, cancel := context.WithCancel(t.Context())
	got := declare(ctx, q, wish("r"))
	for {
		body, err := json.Marshal(wish("r"))
		if err != nil {
			t.Fatal(err)
		}
		if list, err := rows.TakeIntents(t.Context(), nil, 1); err != nil || len(list) == 1 && string(list[0].Request) != string(body) {
			t.Fatalf("%+v, %v", list, err)
		} else if len(list) == 1 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-got; !errors.Is(err, registry.ErrUnavailable) {
		t.Errorf("declared: %v", err)
	}
	if left, err := rows.TakeIntents(t.Context(), nil, 10); err != nil || len(left) > 0 {
		t.Errorf("left behind: %+v, %v", left, err)
	}
}

// What another build wrote and this one does not understand is left to its end.
func TestNotUnderstood(t *testing.T) {
	t.Parallel()
	rows := store(t)
	if err := rows.AddIntent(t.Context(), "x", []byte("not JSON"), time.Minute); err != nil {
		t.Fatal(err)
	}
	q := queue.New(queue.Options{Store: rows, Served: func(context.Context) error { return nil }, Look: 5 * time.Millisecond})
	if got, err := q.Take(t.Context(), nil, 20*time.Millisecond); len(got) > 0 || err != nil {
		t.Errorf("taken %+v, %v", got, err)
	}
}
