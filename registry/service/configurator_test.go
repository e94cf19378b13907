package service

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/intent"
)

// crowd is a Configurator of one domain that refuses changes of an old state.
type crowd struct {
	mu      sync.Mutex
	state   int
	changes int
}

func (c *crowd) now() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

func (c *crowd) Declare(_ context.Context, in intent.Intent) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if in.Base != string(rune(c.state)) {
		return registry.ErrStale
	}
	c.state++
	c.changes++
	return nil
}

// Of many changes at once all are made, however often they come in each other's way.
func TestManyChangesAtOnce(t *testing.T) {
	t.Parallel()
	const n = 40
	config := &crowd{state: 'a'}
	a := &API{configurator: config}
	op := &operation{handle: func(ctx context.Context, c *call, _ any) (any, error) {
		base := string(rune(config.now()))
		time.Sleep(time.Millisecond) // everybody reads before anybody writes
		return nil, c.declare(ctx, intent.Intent{Domain: registry.DomainRef{Name: "d"}, Base: base})
	}}
	errs := make([]error, n)
	var g sync.WaitGroup
	for i := range n {
		g.Go(func() { _, errs[i] = (&call{api: a, op: op}).handle(t.Context(), nil) })
	}
	g.Wait()
	if err := errors.Join(errs...); err != nil || config.changes != n {
		t.Errorf("%d changes, %v", config.changes, err)
	}
	if len(a.turns.domains) != 0 {
		t.Errorf("turns left behind: %v", a.turns.domains)
	}
}

// Why a change was not made is said, and what lies behind it is not.
func TestUnavailableIsTold(t *testing.T) {
	t.Parallel()
	e := ExceptionOf(&intent.UnavailableError{Text: "No operator is there.", Err: errors.New("10.0.0.1")}, "id")
	if e.Status != http.StatusServiceUnavailable || e.Message != "No operator is there." || e.RetryAfter == 0 || e.Type != "ServiceUnavailableException" {
		t.Errorf("%+v", e)
	}
	if e := ExceptionOf(&intent.UnavailableError{Err: errors.New("10.0.0.1")}, "id"); e.Status != http.StatusServiceUnavailable || e.Message == "" {
		t.Errorf("%+v", e)
	}
}
