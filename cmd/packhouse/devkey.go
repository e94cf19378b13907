package main

import (
	"cmp"
	"context"
	"fmt"
	"sync"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/policy"
	"packhouse.dev/packhouse/registry/service/sigv4"
)

// devUser is whose the access key in dev.json is: a user of the account of the first domain, for root can have no token (user guide,
// "AWS CodeArtifact authentication and tokens").
const devUser = "packhouse-dev"

// account of who runs this: that of the first domain.
func (m *manifests) account() string { return cmp.Or(m.first.Owner, defaultAccount) }

// devIdentity lets devUser do everything.
func devIdentity(account string) config.IdentityPolicy {
	return config.IdentityPolicy{
		Source: config.Source{Kind: "packhouse dev"}, Account: account, Subjects: []config.Subject{{Kind: string(policy.UserSubject), Name: devUser}},
		Managed: []string{"AWSCodeArtifactAdminAccess"},
	}
}

// devKeys is the access key of dev.json. It is safe for concurrent use.
type devKeys struct {
	mu  sync.Mutex
	key *sigv4.Key // nil: nothing is served yet
}

func (k *devKeys) set(f *devFile, m *manifests) {
	account := m.account()
	names := policy.Names{Partition: m.registry.Partition, Region: m.registry.Region}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.key = &sigv4.Key{
		ID: f.AccessKeyID, Secret: f.SecretAccessKey, Principal: policy.Principal{ARN: names.User(account, devUser), Account: account}, Source: "packhouse dev",
	}
}

// AccessKey implements sigv4.Keys.
func (k *devKeys) AccessKey(_ context.Context, id string) (*sigv4.Key, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.key == nil || k.key.ID != id {
		return nil, fmt.Errorf("access key: %w", registry.ErrNotFound)
	}
	return k.key, nil
}
