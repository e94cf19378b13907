// Package queue is where changes that come through the service API of a registry in a cluster wait for the operator. They are rows, so
// the operator may ask any replica and answer another one, and may be started again meanwhile. No connection goes from the registry to
// the operator, and none to the apiserver.
package queue

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"packhouse.dev/packhouse/registry/intent"
	"packhouse.dev/packhouse/registry/metadata"
)

// Options of a Queue. Store and Served are needed.
type Options struct {
	Store metadata.Intents
	// Served returns when everything that was put in force before the call is in force in this process.
	Served func(ctx context.Context) error
	Logger *slog.Logger // default none

	// Wait is how long a change waits for its answer, Patience how long it waits for somebody to take it where nobody was seen of late,
	// and Look how often rows are looked at that other replicas may have changed. Defaults: 25 s, 5 s and half a second.
	Wait, Patience, Look time.Duration
}

// Queue implements intent.Configurator for those who want changes, and Take and Answer for whoever makes them. It is safe for
// concurrent use.
type Queue struct {
	opt Options

	mu      sync.Mutex
	added   chan struct{}            // closed when there is another one
	waiting map[string]chan struct{} // closed when it is answered
	taking  int                      // how many wait in Take
	taken   time.Time                // when the last one left it
}

// New returns a Queue.
func New(opt Options) *Queue {
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	if opt.Wait == 0 {
		opt.Wait = 25 * time.Second
	}
	if opt.Patience == 0 {
		opt.Patience = 5 * time.Second
	}
	if opt.Look == 0 {
		opt.Look = 500 * time.Millisecond
	}
	return &Queue{opt: opt, added: make(chan struct{}), waiting: map[string]chan struct{}{}}
}

// recent is for how long whoever was here is taken to be alive.
const recent = 30 * time.Second

// seen says whether somebody takes changes.
func (q *Queue) seen() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.taking > 0 || time.Since(q.taken) < recent
}

// endTime bounds how long the end of a change may take, which is written also when its client has gone.
const endTime = 5 * time.Second

// Declare implements intent.Configurator.
func (q *Queue) Declare(ctx context.Context, in intent.Intent) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, q.opt.Wait)
	defer cancel()
	deadline, _ := ctx.Deadline()
	id := rand.Text()
	answered := q.expect(id)
	defer q.forget(id)
	if err := q.opt.Store.AddIntent(ctx, id, body, time.Until(deadline)); err != nil {
		return err
	}
	q.tell()
	q.await(ctx, id, answered)

	// Whatever came first, this decides: what was pending is not made any more, and what has an answer is over.
	ending, done := context.WithTimeout(context.WithoutCancel(ctx), endTime)
	defer done()
	row, err := q.opt.Store.EndIntent(ending, id)
	log := q.opt.Logger.With("intent", id, "domain", in.Domain.String(), "principal", in.Principal)
	switch {
	case err != nil:
		return fmt.Errorf("end an intent: %w", err)
	case row != nil && row.State == metadata.IntentPending:
		log.WarnContext(ctx, "a change through the service API was not taken by an operator")
		return &intent.UnavailableError{Text: "No operator is there to make the change, and it was not made; try again."}
	case row == nil || row.State != metadata.IntentAnswered:
		log.WarnContext(ctx, "a change through the service API was not confirmed in time")
		return &intent.UnavailableError{Text: "The change was not confirmed in time, and may come into force yet; see what is there before you try again."}
	}
	var result intent.Result
	if err := json.Unmarshal(row.Result, &result); err != nil {
		return fmt.Errorf("the result of an intent is not understood: %w", err)
	}
	if err := result.Err(); err != nil {
		return err
	}
	return q.opt.Served(ending)
}

// await returns when an intent is answered, or when waiting for it has no use any more.
func (q *Queue) await(ctx context.Context, id string, answered <-chan struct{}) {
	look := time.NewTicker(q.opt.Look)
	defer look.Stop()
	patience := time.After(q.opt.Patience)
	alone := false // nobody takes changes
	for {
		select {
		case <-ctx.Done():
			return
		case <-answered:
			return
		case <-patience:
			alone = !q.seen()
		case <-look.C:
		}
		switch row, err := q.opt.Store.Intent(ctx, id); {
		case err != nil: // it may come back, and if not, the end will fail
		case row == nil || row.State == metadata.IntentAnswered:
			return
		case row.State == metadata.IntentPending && alone:
			return
		}
	}
}

func (q *Queue) expect(id string) <-chan struct{} {
	q.mu.Lock()
	defer q.mu.Unlock()
	c := make(chan struct{})
	q.waiting[id] = c
	return c
}

func (q *Queue) forget(id string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.waiting, id)
}

// tell wakes those who wait in Take.
func (q *Queue) tell() {
	q.mu.Lock()
	defer q.mu.Unlock()
	close(q.added)
	q.added = make(chan struct{})
}

// news is closed with the next intent that is added here.
func (q *Queue) news() <-chan struct{} {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.added
}

// Waiting is an intent that somebody waits for.
type Waiting struct {
	ID     string
	Again  bool          // it was taken before, and may have been made
	Left   time.Duration // for which somebody waits
	Intent intent.Intent
}

// Bounds of Take.
const (
	MaxWait = 10 * time.Second // for something to come
	MaxTake = 64               // intents at a time
)

// Take returns changes to make, oldest first, without those of holding, which the caller has already. While there are none it waits for
// up to wait.
func (q *Queue) Take(ctx context.Context, holding []string, wait time.Duration) ([]Waiting, error) {
	q.here(1)
	defer q.here(-1)
	over := time.After(min(wait, MaxWait))
	look := time.NewTicker(2 * q.opt.Look) // for those of other replicas
	defer look.Stop()
	for {
		news := q.news() // before looking: what comes meanwhile is no news else
		rows, err := q.opt.Store.TakeIntents(ctx, holding, MaxTake)
		if err != nil {
			return nil, err
		}
		if out := q.read(ctx, rows); len(out) > 0 {
			return out, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-over:
			return nil, nil
		case <-news:
		case <-look.C:
		}
	}
}

func (q *Queue) here(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.taking += n
	q.taken = time.Now()
}

// read leaves out what another build has written and this one does not understand: its time will be over soon.
func (q *Queue) read(ctx context.Context, rows []metadata.Intent) []Waiting {
	var out []Waiting
	for _, row := range rows {
		w := Waiting{ID: row.ID, Again: row.State == metadata.IntentTaken, Left: row.Left}
		if err := json.Unmarshal(row.Request, &w.Intent); err != nil {
			q.opt.Logger.WarnContext(ctx, "an intent is not understood", "intent", row.ID, "error", err)
			continue
		}
		out = append(out, w)
	}
	return out
}

// Answer says what became of an intent. One that has an answer keeps it; registry.ErrNotFound if nobody waits for it any more.
func (q *Queue) Answer(ctx context.Context, id string, r intent.Result) error {
	body, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := q.opt.Store.AnswerIntent(ctx, id, body); err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if c := q.waiting[id]; c != nil {
		close(c)
		delete(q.waiting, id)
	}
	return nil
}

var _ intent.Configurator = (*Queue)(nil)
