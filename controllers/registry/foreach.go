package registry

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "packhouse.dev/packhouse/api/v1alpha1"
)

// lookAround is how often Registries are looked for.
const lookAround = 2 * time.Second

// forEach runs a function for every Registry, for as long as there is that Registry, until ctx ends.
func (r *Reconciler) forEach(ctx context.Context, log logr.Logger, run func(ctx context.Context, key types.NamespacedName)) error {
	var all sync.WaitGroup
	defer all.Wait()
	following := map[types.NamespacedName]context.CancelFunc{}
	for {
		var list api.RegistryList
		if err := r.opt.Client.List(ctx, &list); err != nil && ctx.Err() == nil {
			log.Error(err, "registries cannot be listed")
		} else if err == nil {
			gone := maps.Clone(following)
			for i := range list.Items {
				key := client.ObjectKeyFromObject(&list.Items[i])
				delete(gone, key)
				if following[key] == nil {
					its, stop := context.WithCancel(ctx)
					following[key] = stop
					all.Go(func() { run(its, key) })
				}
			}
			for key, stop := range gone {
				stop()
				delete(following, key)
			}
		}
		if !sleep(ctx, lookAround) {
			for _, stop := range following {
				stop()
			}
			return nil
		}
	}
}

// sleep waits, and says whether to go on.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
