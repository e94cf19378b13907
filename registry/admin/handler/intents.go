package handler

import (
	"context"
	"fmt"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/admin"
	"packhouse.dev/packhouse/registry/config"
)

// take gives what clients of the service API want changed.
func (h *handler) take(ctx context.Context, q *admin.TakeRequest) (*admin.Intents, error) {
	if h.Intents == nil {
		return nil, fmt.Errorf("%w: this registry makes changes itself", registry.ErrNotFound)
	}
	list, err := h.Intents.Take(ctx, q.Holding, time.Duration(q.Wait))
	if err != nil {
		return nil, err
	}
	out := &admin.Intents{}
	for _, w := range list {
		out.Intents = append(out.Intents, admin.Intent{ID: w.ID, Again: w.Again, Left: config.Duration(w.Left), Intent: w.Intent})
	}
	return out, nil
}

func (h *handler) answer(ctx context.Context, q *admin.Answer) (*struct{}, error) {
	if h.Intents == nil {
		return nil, fmt.Errorf("%w: this registry makes changes itself", registry.ErrNotFound)
	}
	if err := h.Intents.Answer(ctx, q.ID, q.Result); err != nil {
		return nil, err
	}
	h.Logger.InfoContext(ctx, "intent answered", "intent", q.ID, "code", string(q.Result.Code), "text", q.Result.Text)
	return &struct{}{}, nil
}
