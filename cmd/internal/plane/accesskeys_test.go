package plane

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/identity"
	"packhouse.dev/packhouse/registry/policy"
	"packhouse.dev/packhouse/registry/secret"
	"packhouse.dev/packhouse/registry/service/sigv4"

	"github.com/google/go-cmp/cmp"
)

// sealed is a secret.Store.
type sealed map[string][]byte

func (m sealed) Secret(_ context.Context, name string) ([]byte, error) { return m[name], nil }

func (m sealed) ReplaceSecrets(_ context.Context, _ string, all map[string][]byte) error {
	clear(m)
	for name, b := range all {
		m[name] = b
	}
	return nil
}

type owners struct {
	keys map[string]*identity.AccessKey
	fail error
}

func (o owners) AccessKey(_ context.Context, id string) (*identity.AccessKey, error) {
	return o.keys[id], o.fail
}

// A key is known if it is declared and its secret is there; either alone is worth nothing.
func TestDeclaredKeys(t *testing.T) {
	t.Parallel()
	vault, err := secret.New(bytes.Repeat([]byte("k"), 32), sealed{})
	if err != nil {
		t.Fatal(err)
	}
	const id, forgotten, undeclared = "AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPL2", "AKIAIOSFODNN7EXAMPL3"
	if err := vault.Replace(t.Context(), map[string][]byte{secret.AccessKey(id): []byte("s3cret"), secret.AccessKey(undeclared): []byte("s3cret")}); err != nil {
		t.Fatal(err)
	}
	who := &identity.AccessKey{Principal: policy.Principal{ARN: "arn:aws:iam::111122223333:user/ci", Account: "111122223333"}, Source: "AccessKey k-1"}
	keys := declaredKeys{owners{keys: map[string]*identity.AccessKey{id: who, forgotten: who}}, vault}
	got, err := keys.AccessKey(t.Context(), id)
	want := &sigv4.Key{ID: id, Secret: "s3cret", Principal: who.Principal, Source: who.Source}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for _, other := range []string{forgotten, undeclared, "", "../x", id + "\n"} {
		if got, err := keys.AccessKey(t.Context(), other); !errors.Is(err, registry.ErrNotFound) {
			t.Errorf("%q: %+v, %v", other, got, err)
		}
	}
	keys.service = owners{fail: registry.ErrUnavailable}
	if _, err := keys.AccessKey(t.Context(), id); !errors.Is(err, registry.ErrUnavailable) {
		t.Errorf("without the configuration: %v", err)
	}
}
