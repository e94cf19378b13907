package registry

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"

	api "packhouse.dev/packhouse/api/v1alpha1"
	noun "packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/admin"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/intent"
)

// intents makes the changes that clients of the service API want: it asks every replica of every Registry for them, all the time, and
// answers what became of each. Only the leader does; one that comes after it is given what it had taken and not answered.
type intents struct {
	*Reconciler
	wait, pause time.Duration // how long replicas are asked to wait for a change; how long to wait when they do not answer
	log         logr.Logger
}

const (
	takeWait    = 10 * time.Second
	takePause   = time.Second
	tryAgain    = 200 * time.Millisecond // to make a change that was not made
	answerSlack = time.Second            // what is left of a client's time for the answer to come to it
)

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (n *intents) NeedLeaderElection() bool { return true }

// Start implements manager.Runnable.
func (n *intents) Start(ctx context.Context) error { return n.forEach(ctx, n.log, n.follow) }

// taken is a change with the replica that it came from.
type taken struct {
	admin.Intent
	from Plane
}

// follow makes the changes of one Registry until ctx ends. Those under way are left then, for whoever comes next.
func (n *intents) follow(ctx context.Context, key types.NamespacedName) {
	var all sync.WaitGroup
	defer all.Wait()
	var mu sync.Mutex
	holding := map[string]bool{}
	for ctx.Err() == nil {
		mu.Lock()
		have := slices.Sorted(maps.Keys(holding))
		mu.Unlock()
		list, err := n.take(ctx, key, have)
		if err != nil && ctx.Err() == nil {
			n.log.V(1).Info("changes through the service API cannot be asked for", "registry", key, "error", err.Error())
		}
		mu.Lock()
		for _, t := range list {
			if holding[t.ID] {
				continue // of another replica at the same time
			}
			holding[t.ID] = true
			all.Go(func() {
				n.serve(ctx, key, t)
				mu.Lock()
				defer mu.Unlock()
				delete(holding, t.ID)
			})
		}
		mu.Unlock()
		if len(list) == 0 && err != nil {
			sleep(ctx, n.pause)
		}
	}
}

// take asks all replicas of a Registry at the same time, until one has something.
func (n *intents) take(ctx context.Context, key types.NamespacedName, holding []string) ([]taken, error) {
	reg := &api.Registry{}
	if err := n.opt.Client.Get(ctx, key, reg); err != nil {
		return nil, err
	}
	planes, err := n.opt.Planes.Of(ctx, reg)
	if err == nil && len(planes) == 0 {
		err = errNotReady
	}
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var (
		all  sync.WaitGroup
		mu   sync.Mutex
		out  []taken
		errs []error
	)
	for _, p := range planes {
		all.Go(func() {
			got, err := p.Take(ctx, admin.TakeRequest{Holding: holding, Wait: config.Duration(n.wait)})
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs = append(errs, err)
				return
			}
			for _, i := range got.Intents {
				out = append(out, taken{i, p})
			}
			if len(out) > 0 {
				cancel() // what an answer that is lost so has is given again
			}
		})
	}
	all.Wait()
	return out, errors.Join(errs...)
}

// serve makes a change and answers.
func (n *intents) serve(ctx context.Context, key types.NamespacedName, t taken) {
	log := n.log.WithValues("registry", key, "intent", t.ID, "domain", t.Intent.Intent.Domain.String(), "principal", t.Intent.Intent.Principal)
	within, cancel := context.WithTimeout(ctx, time.Duration(t.Left))
	defer cancel()
	making, done := context.WithTimeout(within, time.Duration(t.Left)-answerSlack)
	err := n.declare(making, key, t.Intent, log)
	done()
	if ctx.Err() != nil {
		return // whoever comes next is given it
	}
	if err != nil {
		log.Info("a change through the service API was not made", "error", err.Error())
	} else {
		log.Info("a change through the service API is served")
	}
	answer := admin.Answer{ID: t.ID, Result: intent.ResultOf(err)}
	for {
		err := t.from.Answer(within, answer)
		if err == nil || errors.Is(err, noun.ErrNotFound) {
			return // or nobody waits any more
		}
		if !sleep(within, tryAgain) {
			log.Error(err, "what became of a change through the service API was not told")
			return
		}
	}
}

// declare makes one change, and returns when every replica serves it. It tries until ctx ends; what it returns is for the client.
func (r *Reconciler) declare(ctx context.Context, key types.NamespacedName, w admin.Intent, log logr.Logger) error {
	for {
		made, err := r.attempt(ctx, key, w, log)
		switch {
		case err == nil:
			return nil
		case final(err):
			return err
		case !sleep(ctx, tryAgain):
			text := "The cluster does not take changes now; try again."
			if made {
				text = "The change may have been made, and is not served by every replica of the registry yet; see what is there before you try again."
			}
			return &intent.UnavailableError{Text: text, Err: err}
		}
		log.V(1).Info("a change through the service API is tried again", "error", err.Error())
		w.Again = w.Again || made
	}
}

// final says whether an error would be the same another time.
func final(err error) bool {
	return !errors.Is(err, noun.ErrUnavailable) && intent.ResultOf(err).Code != intent.Unavailable
}

// attempt makes a change with the state of its Registry locked. made says whether the cluster may have it, whatever the error.
func (r *Reconciler) attempt(ctx context.Context, key types.NamespacedName, w admin.Intent, log logr.Logger) (made bool, err error) {
	s := r.state(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil { // others took all the time
		return false, err
	}
	reg := &api.Registry{}
	if err := r.opt.Client.Get(ctx, key, reg); err != nil {
		return false, fmt.Errorf("registry %s: %w", key, err)
	}
	c := &change{Reconciler: r, id: w.ID, again: w.Again, in: w.Intent, log: log, reg: reg, s: s}
	err = c.make(ctx)
	return c.made, err
}

// newIntents wires it.
func newIntents(r *Reconciler) *intents {
	return &intents{Reconciler: r, wait: takeWait, pause: takePause, log: ctrl.Log.WithName("intents")}
}
