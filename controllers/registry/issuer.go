package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"

	"packhouse.dev/packhouse/registry/config"
)

// Where an apiserver tells who signs the tokens of its service accounts (Kubernetes, "ServiceAccount token issuer discovery").
const (
	discoveryPath = "/.well-known/openid-configuration"
	keysPath      = "/openid/v1/jwks"
)

// How often the apiserver is asked. Before it signs with a new key it publishes that for as long as clients are told to keep the set.
const (
	issuerFresh = 5 * time.Minute
	issuerAgain = 30 * time.Second // after a failure
)

// issuer knows the cluster's issuer. The registry cannot ask for it: it serves without a cluster.
type issuer struct {
	ask func(ctx context.Context) (*config.ClusterIssuer, error) // nil: tokens of service accounts are not taken
	now func() time.Time

	mu    sync.Mutex
	known *config.ClusterIssuer
	next  time.Time
}

// get returns the issuer as it is known: nil, if the apiserver could not be asked yet.
func (i *issuer) get(ctx context.Context) *config.ClusterIssuer {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.ask == nil || i.now().Before(i.next) {
		return i.known
	}
	got, err := i.ask(ctx)
	if err != nil {
		i.next = i.now().Add(issuerAgain)
		ctrl.LoggerFrom(ctx).Error(err, "the cluster's issuer of service account tokens is not known")
		return i.known
	}
	i.known, i.next = got, i.now().Add(issuerFresh)
	return got
}

// ClusterIssuer asks an apiserver who signs the tokens of its service accounts. The same keys give the same document.
func ClusterIssuer(c rest.Interface) func(ctx context.Context) (*config.ClusterIssuer, error) {
	read := func(ctx context.Context, path string, into any) error {
		b, err := c.Get().AbsPath(path).Timeout(planeTimeout).DoRaw(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if err := json.Unmarshal(b, into); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		return nil
	}
	return func(ctx context.Context) (*config.ClusterIssuer, error) {
		var about struct {
			Issuer string `json:"issuer"`
		}
		var keys struct {
			Keys []map[string]any `json:"keys"`
		}
		if err := errors.Join(read(ctx, discoveryPath, &about), read(ctx, keysPath, &keys)); err != nil {
			return nil, err
		}
		if about.Issuer == "" || len(keys.Keys) == 0 {
			return nil, fmt.Errorf("%s: there is no issuer, or it has no keys", discoveryPath)
		}
		b, err := json.Marshal(keys) // maps are written in the order of their keys
		return &config.ClusterIssuer{Issuer: about.Issuer, Keys: string(b)}, err
	}
}
