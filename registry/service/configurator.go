package service

import (
	"context"
	"errors"
	"fmt"

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

// declare makes a change in the name of the caller.
func (c *call) declare(ctx context.Context, in intent.Intent) error {
	in.Principal, in.Account = c.caller.Principal.ARN, c.caller.Principal.Account
	err := c.api.configurator.Declare(ctx, in)
	if errors.Is(err, registry.ErrStale) {
		return fmt.Errorf("%w: %w", errAgain, err)
	}
	return err
}

// baseOf is the state that a change of a domain is made from.
func baseOf(d *repository.Domain) string { return d.Revision() }
