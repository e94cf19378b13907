package registry

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"
)

// Format is the name of a package format, for example "npm". It is also the path segment under which the format is served.
type Format string

// DomainRef names a domain: the account that owns it and its own name. Names are unique within an account.
type DomainRef struct {
	Owner string // 12-digit account id
	Name  string
}

// String returns "name-owner", the form in which a domain stands in addresses.
func (d DomainRef) String() string { return d.Name + "-" + d.Owner }

// ParseDomainRef reads the form "name-owner" of an address. Account ids have exactly twelve digits, so the last hyphen decides.
func ParseDomainRef(s string) (DomainRef, error) {
	i := strings.LastIndexByte(s, '-')
	if i < 1 || !IsAccount(s[i+1:]) {
		return DomainRef{}, fmt.Errorf("%w: %q is not <domain>-<account>", ErrInvalid, s)
	}
	return DomainRef{Owner: s[i+1:], Name: s[:i]}, nil
}

// IsAccount says whether s is a 12-digit account id.
func IsAccount(s string) bool {
	if len(s) != 12 {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// DeriveAccount makes the account id of a namespace that is given none.
func DeriveAccount(namespace string) string {
	sum := sha256.Sum256([]byte("packhouse.dev account " + namespace))
	return fmt.Sprintf("%012d", binary.BigEndian.Uint64(sum[:8])%1_000_000_000_000)
}

// RepositoryRef names a repository by its domain and its own name. It is comparable and passed by value.
type RepositoryRef struct {
	Domain DomainRef
	Name   string
}

// String returns "name-owner/repository".
func (r RepositoryRef) String() string { return r.Domain.String() + "/" + r.Name }
