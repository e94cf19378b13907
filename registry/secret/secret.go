// Package secret keeps credentials that are declared, sealed: the database and its backups do not give them away.
package secret

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"fmt"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/auth"
)

// prefix of the names of rows, apart from what else is kept there.
const prefix = "declared/"

// AccessKey is the name of the secret of an access key. No connection's credentials are called so: theirs are names of objects.
func AccessKey(id string) string { return "access key " + id }

// Store is where sealed secrets are.
type Store interface {
	Secret(ctx context.Context, name string) (sealed []byte, err error)
	ReplaceSecrets(ctx context.Context, prefix string, sealed map[string][]byte) error
}

// Vault seals and opens secrets with a key derived from the registry's sealing key. It is safe for concurrent use.
type Vault struct {
	store Store
	aead  cipher.AEAD
}

// New returns a Vault. A sealing key that is too short is an error.
func New(sealing []byte, store Store) (*Vault, error) {
	key, err := auth.Derive(sealing, "packhouse declared secrets 1", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("secrets: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block) // the nonce is the first bytes of what is sealed
	if err != nil {
		return nil, fmt.Errorf("secrets: %w", err)
	}
	return &Vault{store: store, aead: aead}, nil
}

// Replace makes the secrets these, by name, and forgets all others.
func (v *Vault) Replace(ctx context.Context, secrets map[string][]byte) error {
	sealed := make(map[string][]byte, len(secrets))
	for name, plain := range secrets {
		// The name is sealed in: nobody who can write the database turns one secret into another.
		sealed[prefix+name] = v.aead.Seal(nil, nil, plain, []byte(prefix+name))
	}
	return v.store.ReplaceSecrets(ctx, prefix, sealed)
}

// Open returns a secret. registry.ErrNotFound if there is none of that name. No error repeats any of it.
func (v *Vault) Open(ctx context.Context, name string) ([]byte, error) {
	sealed, err := v.store.Secret(ctx, prefix+name)
	if err != nil {
		return nil, err
	}
	if sealed == nil {
		return nil, fmt.Errorf("secret %s: %w", name, registry.ErrNotFound)
	}
	plain, err := v.aead.Open(nil, nil, sealed, []byte(prefix+name))
	if err != nil {
		return nil, fmt.Errorf("secret %s cannot be opened with this sealing key", name)
	}
	return plain, nil
}
