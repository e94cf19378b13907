// Package gc removes the rows of what was deleted, and gives back bytes that nothing refers to. Rows and their foreign keys decide every race against publishing; the grace only
// saves uploads of what will soon be published again (data model, "Collection").
package gc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"packhouse.dev/packhouse/registry/blob"
	"packhouse.dev/packhouse/registry/metadata"
)

const (
	lease      = "gc"
	leaseTime  = 10 * time.Minute // a collection that takes longer has others beside it, which is slow and harms nothing
	batch      = 500
	startDelay = 2 * time.Minute
	keepFeed   = 7 * 24 * time.Hour // of changes, for replicas that were away
)

// Store is what collection needs of package metadata.
type Store interface {
	metadata.Collector
	metadata.Leases
}

// Options of a Collector. Store and Blobs are needed.
type Options struct {
	Store  Store
	Blobs  blob.Store
	Logger *slog.Logger
	Now    func() time.Time // default time.Now

	Grace    time.Duration // how long bytes must have been unused, before and after they are condemned; default 24 h
	Interval time.Duration // of Run; default 1 h
	// OrphanAge is the age from which an object that no row names is left over. It must be longer than any upload takes from its
	// first byte to its row, because an upload under way looks the same; default 24 h.
	OrphanAge time.Duration
}

// Collector collects. It is safe for concurrent use; several of one store keep out of each other's way.
type Collector struct{ opt Options }

// Report tells what a collection did.
type Report struct {
	Cleared   int // package versions of removed repositories and domains
	Condemned int // blobs that nothing refers to
	Swept     int // rows removed
	Orphans   int // objects that no row named
	Deleted   int // objects deleted from the store
}

// New returns a Collector.
func New(opt Options) *Collector {
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	opt.Grace = cmp.Or(opt.Grace, 24*time.Hour)
	opt.Interval = cmp.Or(opt.Interval, time.Hour)
	opt.OrphanAge = cmp.Or(opt.OrphanAge, 24*time.Hour)
	return &Collector{opt: opt}
}

// Grace is the one of Run.
func (c *Collector) Grace() time.Duration { return c.opt.Grace }

// Run collects at every interval until ctx ends.
func (c *Collector) Run(ctx context.Context) {
	first := min(c.opt.Interval, startDelay) // a process that is restarted often must collect too
	t := time.NewTimer(first)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		t.Reset(c.opt.Interval)
		r, err := c.Once(ctx, c.opt.Grace)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, metadata.ErrHeld): // another replica does it
		case err != nil:
			c.opt.Logger.Warn("collection failed; the next one goes on", "error", err)
		case r != Report{}:
			c.opt.Logger.Info("collected", "cleared", r.Cleared, "condemned", r.Condemned, "swept", r.Swept, "orphans", r.Orphans, "deleted", r.Deleted)
		}
	}
}

// Once collects now, with a grace of its own; 0 is safe. metadata.ErrHeld if a collection is under way. What it did before an error
// stays done, and the next one goes on from there.
func (c *Collector) Once(ctx context.Context, grace time.Duration) (r Report, err error) {
	l, err := c.opt.Store.Acquire(ctx, lease, leaseTime)
	if err != nil {
		return r, err
	}
	defer func() {
		err = errors.Join(err, c.opt.Store.Release(context.WithoutCancel(ctx), l))
	}()
	// Times of rows are those of writers, which may be a little ahead; without a grace, now must be after all of them.
	before := c.opt.Now().Add(-grace)
	if grace == 0 {
		before = before.Add(time.Second)
	}
	var failed []error
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"clear", func() error { return c.clear(ctx, &r) }},
		{"sweep", func() (err error) { r.Swept, err = c.opt.Store.Sweep(ctx, before); return err }},
		{"condemn", func() (err error) { r.Condemned, err = c.opt.Store.Condemn(ctx, before); return err }},
		{"sweep", func() error { return c.sweepAtOnce(ctx, before, grace, &r) }},
		{"orphans", func() error { return c.orphans(ctx, &r) }},
		{"delete", func() error { return c.delete(ctx, &r) }},
		{"trim changes", func() error { return c.opt.Store.TrimChanges(ctx, c.opt.Now().Add(-keepFeed)) }},
	} {
		// No step needs the one before it to have done everything, and one object that cannot be deleted must not stop the rest.
		if err := step.do(); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", step.name, err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return r, errors.Join(failed...)
}

// sweepAtOnce also removes what was condemned just now, if there is no grace to wait for.
func (c *Collector) sweepAtOnce(ctx context.Context, before time.Time, grace time.Duration, r *Report) error {
	if grace > 0 {
		return nil
	}
	n, err := c.opt.Store.Sweep(ctx, before)
	r.Swept += n
	if err != nil {
		return err
	}
	return c.clear(ctx, r) // what held a removed domain is gone now
}

// clear removes rows of what was removed.
func (c *Collector) clear(ctx context.Context, r *Report) error {
	n, err := c.opt.Store.Clear(ctx)
	r.Cleared += n
	return err
}

// orphans finds objects of uploads that never got their row.
func (c *Collector) orphans(ctx context.Context, r *Report) error {
	before := c.opt.Now().Add(-c.opt.OrphanAge)
	var old []string
	discard := func() error {
		n, err := c.opt.Store.Discard(ctx, old)
		r.Orphans += n
		old = old[:0]
		return err
	}
	err := c.opt.Blobs.Walk(ctx, func(i blob.Info) error {
		if !i.Created.Before(before) {
			return nil
		}
		if old = append(old, i.Object); len(old) < batch {
			return nil
		}
		return discard()
	})
	if err != nil || len(old) == 0 {
		return err
	}
	return discard()
}

// delete empties the trash. An object that cannot be deleted stays in it, and holds up no other: the next collection tries again.
func (c *Collector) delete(ctx context.Context, r *Report) error {
	var failed []error
	for {
		objects, err := c.opt.Store.Trash(ctx, batch+len(failed))
		if err != nil {
			return err
		}
		failed = nil
		var gone []string
		for _, o := range objects {
			if err := c.opt.Blobs.Delete(ctx, o); err != nil {
				failed = append(failed, err)
				continue
			}
			gone = append(gone, o)
		}
		if len(gone) == 0 {
			return errors.Join(failed[:min(len(failed), 3)]...) // the rest says the same
		}
		if err := c.opt.Store.Forget(ctx, gone); err != nil {
			return err
		}
		r.Deleted += len(gone)
	}
}
