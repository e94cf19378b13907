package service

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/intent"
	"packhouse.dev/packhouse/registry/repository"
)

// nobody is the Configurator of a registry that has none.
type nobody struct{}

// Declare implements Configurator.
func (nobody) Declare(context.Context, intent.Intent) error {
	return fmt.Errorf("%w: nobody is there to change what is declared", registry.ErrUnavailable)
}

// errAgain says that a change was made from an old state: the operation is to begin again.
var errAgain = errors.New("the domain was changed meanwhile")

// again is how often an operation follows changes of others.
const again = 5

// declareTime bounds what an operation spends on a change, those that it follows included.
const declareTime = 25 * time.Second

// declare makes a change in the name of the caller.
func (c *call) declare(ctx context.Context, in intent.Intent) error {
	if c.until.IsZero() {
		c.until = time.Now().Add(declareTime)
	}
	ctx, cancel := context.WithDeadline(ctx, c.until)
	defer cancel()
	in.Principal, in.Account = c.caller.Principal.ARN, c.caller.Principal.Account
	err := c.api.configurator.Declare(ctx, in)
	if errors.Is(err, registry.ErrStale) {
		c.changed = in.Domain
		return fmt.Errorf("%w: %w", errAgain, err)
	}
	return err
}

// handle runs the operation, and again when others have changed the domain meanwhile.
func (c *call) handle(ctx context.Context, request any) (any, error) {
	out, err := c.op.handle(ctx, c, request)
	for range again {
		if !errors.Is(err, errAgain) {
			break
		}
		done, waiting := c.api.turns.take(ctx, c.changed)
		if waiting != nil {
			return nil, waiting
		}
		out, err = c.op.handle(ctx, c, request)
		done()
	}
	return out, err
}

// turns let operations that have to begin again do so one at a time in a domain: of many at once, some would lose every time.
type turns struct {
	mu      sync.Mutex
	domains map[registry.DomainRef]*turn
}

type turn struct {
	busy chan struct{} // holds one
	n    int           // who have it or wait for it
}

// take waits for the caller's turn; done ends it.
func (t *turns) take(ctx context.Context, d registry.DomainRef) (done func(), err error) {
	t.mu.Lock()
	if t.domains == nil {
		t.domains = map[registry.DomainRef]*turn{}
	}
	mine := t.domains[d]
	if mine == nil {
		mine = &turn{busy: make(chan struct{}, 1)}
		t.domains[d] = mine
	}
	mine.n++
	t.mu.Unlock()
	leave := func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if mine.n--; mine.n == 0 {
			delete(t.domains, d)
		}
	}
	select {
	case mine.busy <- struct{}{}:
		return func() { <-mine.busy; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
}

// baseOf is the state that a change of a domain is made from.
func baseOf(d *repository.Domain) string { return d.Revision() }
