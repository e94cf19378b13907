package server

import (
	"context"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/access"
	"packhouse.dev/packhouse/registry/format"
	"packhouse.dev/packhouse/registry/repository"
)

// Door makes a Service of the one door to package data.
func Door(s *repository.Service) Service { return door{s} }

type door struct{ *repository.Service }

// Enter implements Service.
func (d door) Enter(ctx context.Context, ref registry.DomainRef) (Domain, error) {
	entered, err := d.Service.Enter(ctx, ref)
	if err != nil {
		return nil, err
	}
	return domain{entered}, nil
}

type domain struct{ *repository.Domain }

// Open implements Domain.
func (d domain) Open(ctx context.Context, q repository.Request) (format.Repository, error) {
	view, err := d.Domain.Open(ctx, q)
	if err != nil {
		return nil, err // not a nil *View in an interface
	}
	return view, nil
}

// AuthorizeToken implements Service.
func (d door) AuthorizeToken(ctx context.Context, ref registry.DomainRef, c *access.Caller, duration time.Duration) (Domain, error) {
	entered, err := d.Service.AuthorizeToken(ctx, ref, c, duration)
	if err != nil {
		return nil, err
	}
	return domain{entered}, nil
}
