package identity

import (
	"errors"
	"fmt"

	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/policy"
)

// AccessKey is whom requests speak for that are signed with a key.
type AccessKey struct {
	Principal policy.Principal
	Source    string // what vouches, see Providers.Vouches
}

// How long ids of keys are, in bytes.
const (
	minKeyID = 16
	maxKeyID = 128
)

// CheckKeyID says what is wrong with the id of an access key, nil if nothing is (IAM API reference, AccessKey: AccessKeyId).
func CheckKeyID(id string) error {
	if len(id) < minKeyID || len(id) > maxKeyID {
		return fmt.Errorf("the id of an access key has %d to %d characters", minKeyID, maxKeyID)
	}
	for i := range len(id) {
		c := id[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_') {
			return errors.New("the id of an access key has letters, digits and _ only")
		}
	}
	return nil
}

// How long secrets of keys are, in bytes. Those of AWS have 40; what is shorter than the least can be guessed from one signed request.
const (
	minKeySecret = 32
	maxKeySecret = 256
)

// CheckKeySecret says what is wrong with the secret of an access key, nil if nothing is. It repeats nothing of it.
func CheckKeySecret(secret string) error {
	if len(secret) < minKeySecret || len(secret) > maxKeySecret {
		return fmt.Errorf("the secret of an access key has %d to %d characters", minKeySecret, maxKeySecret)
	}
	for i := range len(secret) {
		if c := secret[i]; c <= ' ' || c >= 0x7f {
			return errors.New("the secret of an access key has spaces, control characters or letters beyond ASCII; a line end behind it is the usual reason")
		}
	}
	return nil
}

// compileKeys finds the principals of keys. An id that two have is nobody's.
func (p *Providers) compileKeys(doc *config.Registry) {
	p.keys = map[string]*AccessKey{}
	for i := range doc.AccessKeys {
		k := &doc.AccessKeys[i]
		of := &AccessKey{Source: k.Source.Voucher(), Principal: policy.Principal{Account: k.Account, UserID: k.Source.UID}}
		if k.Role != "" {
			of.Principal.ARN = p.names.Session(k.Account, k.Role, k.Source.Name)
			of.Principal.UserID += ":" + k.Source.Name
		} else {
			of.Principal.ARN = p.names.User(k.Account, k.Source.Name)
		}
		for _, id := range k.IDs {
			if _, taken := p.keys[id]; taken {
				p.keys[id] = nil
				continue
			}
			p.keys[id] = of
		}
	}
}

// AccessKey returns whom a key is of, nil if nobody has one of that id.
func (p *Providers) AccessKey(id string) *AccessKey { return p.keys[id] }
