package auth

import (
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
)

// MinSealingKey is the least number of bytes of a sealing key.
const MinSealingKey = 32

// Keys sign tokens and verify them. They are derived from the sealing key of the registry, so that every replica has the same ones
// and nobody else has any.
type Keys struct {
	signing []byte
}

// NewKeys derives the keys. A sealing key shorter than MinSealingKey is an error.
func NewKeys(sealing []byte) (*Keys, error) {
	signing, err := Derive(sealing, "packhouse token signature 1", sha256.Size)
	if err != nil {
		return nil, err
	}
	return &Keys{signing: signing}, nil
}

// Derive returns n bytes that belong to a purpose. Nobody who knows them learns the sealing key or what is derived for another
// purpose (RFC 5869).
func Derive(sealing []byte, purpose string, n int) ([]byte, error) {
	if len(sealing) < MinSealingKey {
		return nil, fmt.Errorf("the sealing key has %d bytes; it needs at least %d", len(sealing), MinSealingKey)
	}
	return hkdf.Key(sha256.New, sealing, nil, purpose, n)
}
