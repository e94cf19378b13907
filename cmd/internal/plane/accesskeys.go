package plane

import (
	"context"
	"errors"
	"fmt"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/identity"
	"packhouse.dev/packhouse/registry/secret"
	"packhouse.dev/packhouse/registry/service/sigv4"
	"packhouse.dev/packhouse/registry/service/sts"
)

// accessKeys are those that requests may be signed with: the declared ones, and those that the command knows.
type accessKeys struct {
	declared sigv4.Keys
	also     sigv4.Keys // may be nil
	sessions *sts.Sessions
	service  interface {
		Ready(ctx context.Context) error
		Vouches(source string) bool
	}
}

var _ sigv4.SessionKeys = accessKeys{}

// SessionKey implements sigv4.SessionKeys. A session ends with what it is of.
func (k accessKeys) SessionKey(ctx context.Context, id, token string) (*sigv4.Key, error) {
	key, err := k.sessions.Key(id, token)
	if err != nil {
		return nil, err
	}
	if err := k.service.Ready(ctx); err != nil {
		return nil, err
	}
	if !k.service.Vouches(key.Source) {
		return nil, fmt.Errorf("access key: %w", registry.ErrNotFound)
	}
	return key, nil
}

// AccessKey implements sigv4.Keys.
func (k accessKeys) AccessKey(ctx context.Context, id string) (*sigv4.Key, error) {
	key, err := k.declared.AccessKey(ctx, id)
	if k.also != nil && errors.Is(err, registry.ErrNotFound) {
		return k.also.AccessKey(ctx, id)
	}
	return key, err
}

// KeepAccessKeys makes the secrets that are kept those of these access keys, by id. It is for a command that is its own operator.
func (p *Plane) KeepAccessKeys(ctx context.Context, secrets map[string]string) error {
	all := make(map[string][]byte, len(secrets))
	for id, plain := range secrets {
		all[secret.AccessKey(id)] = []byte(plain)
	}
	return p.secrets.Replace(ctx, all)
}

// declaredKeys are the access keys of the kind AccessKey: whose they are stands in the configuration, and their secrets are sealed.
type declaredKeys struct {
	service interface {
		AccessKey(ctx context.Context, id string) (*identity.AccessKey, error)
	}
	secrets *secret.Vault
}

var _ sigv4.Keys = declaredKeys{}

// AccessKey implements sigv4.Keys.
func (k declaredKeys) AccessKey(ctx context.Context, id string) (*sigv4.Key, error) {
	if identity.CheckKeyID(id) != nil { // a client's text
		return nil, fmt.Errorf("access key: %w", registry.ErrNotFound)
	}
	of, err := k.service.AccessKey(ctx, id)
	if err != nil {
		return nil, err
	}
	if of == nil {
		return nil, fmt.Errorf("access key: %w", registry.ErrNotFound)
	}
	plain, err := k.secrets.Open(ctx, secret.AccessKey(id))
	if err != nil {
		return nil, err
	}
	return &sigv4.Key{ID: id, Secret: string(plain), Principal: of.Principal, Source: of.Source}, nil
}
