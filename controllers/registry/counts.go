package registry

import (
	"context"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "packhouse.dev/packhouse/api/v1alpha1"
	noun "packhouse.dev/packhouse/registry"
)

// counting asks registries how many packages their package groups have, for the groups' statuses. Only the leader does; what it was
// told is written with the next look at the Registry.
type counting struct {
	*Reconciler
	every time.Duration
	log   logr.Logger
}

// Counting is worth this much of a replica's time: a count that took a second is made again after shareOfTime seconds, or later.
const (
	countEvery  = time.Minute
	shareOfTime = 20
)

func newCounting(r *Reconciler) *counting {
	return &counting{Reconciler: r, every: countEvery, log: ctrl.Log.WithName("counting")}
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (n *counting) NeedLeaderElection() bool { return true }

// Start implements manager.Runnable.
func (n *counting) Start(ctx context.Context) error { return n.forEach(ctx, n.log, n.follow) }

// follow counts for one Registry until ctx ends.
func (n *counting) follow(ctx context.Context, key types.NamespacedName) {
	for {
		started := n.opt.Now()
		if err := n.count(ctx, key); err != nil && ctx.Err() == nil {
			n.log.V(1).Info("packages cannot be counted", "registry", key, "error", err.Error())
		}
		if !sleep(ctx, max(n.every, shareOfTime*n.opt.Now().Sub(started))) {
			return
		}
	}
}

// count counts once, on one replica: all have the same packages. Where nobody made a package group, nobody would read it.
func (n *counting) count(ctx context.Context, key types.NamespacedName) error {
	var groups api.PackageGroupList
	if err := n.opt.Client.List(ctx, &groups, client.Limit(1)); err != nil || len(groups.Items) == 0 {
		return err
	}
	reg := &api.Registry{}
	if err := n.opt.Client.Get(ctx, key, reg); err != nil {
		return err
	}
	planes, err := n.opt.Planes.Of(ctx, reg)
	if err == nil && len(planes) == 0 {
		err = errNotReady
	}
	if err != nil {
		return err
	}
	got, err := planes[0].Groups(ctx)
	if err != nil {
		return err
	}
	out := counts{}
	for _, d := range got.Domains {
		out[noun.DomainRef{Owner: d.Owner, Name: d.Name}] = d.Packages
	}
	n.state(key).counts.Store(&out)
	return nil
}

// counts are packages, by domain and pattern of their group.
type counts map[noun.DomainRef]map[string]int64

// of is the count of a group. It is not known before the domain was counted: what the status said is true for longer than that.
func (c *counts) of(d noun.DomainRef, pattern string) (n int64, known bool) {
	if c == nil {
		return 0, false
	}
	packages, known := (*c)[d]
	return packages[pattern], known
}
