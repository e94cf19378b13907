package secret

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"strings"
	"testing"

	"packhouse.dev/packhouse/registry"
)

// memory is a Store.
type memory map[string][]byte

func (m memory) Secret(_ context.Context, name string) ([]byte, error) { return m[name], nil }

func (m memory) ReplaceSecrets(_ context.Context, prefix string, sealed map[string][]byte) error {
	maps.DeleteFunc(m, func(name string, _ []byte) bool { return strings.HasPrefix(name, prefix) })
	maps.Copy(m, sealed)
	return nil
}

const canary = "c4nary-s3cret"

func vault(t *testing.T, key string, m memory) *Vault {
	t.Helper()
	v, err := New(bytes.Repeat([]byte(key), 32), m)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestVault(t *testing.T) {
	t.Parallel()
	m := memory{"sealing-key/check": []byte("x")}
	v := vault(t, "k", m)
	if err := v.Replace(t.Context(), map[string][]byte{"a": []byte(canary), "b": []byte(canary), "c": {}}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"a": canary, "b": canary, "c": ""} {
		if got, err := v.Open(t.Context(), name); string(got) != want || err != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for name, sealed := range m {
		if bytes.Contains(sealed, []byte("c4nary")) {
			t.Errorf("%s is readable", name)
		}
	}
	if bytes.Equal(m["declared/a"], m["declared/b"]) {
		t.Error("equal secrets look equal")
	}
	if err := v.Replace(t.Context(), map[string][]byte{"b": []byte("other")}); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Open(t.Context(), "a"); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("a forgotten secret: %v", err)
	}
	if got, err := v.Open(t.Context(), "b"); string(got) != "other" || err != nil || len(m) != 2 {
		t.Errorf("%q, %v; %d rows", got, err, len(m))
	}
}

// What was damaged, exchanged or sealed under another key is not opened.
func TestForgery(t *testing.T) {
	t.Parallel()
	for name, forge := range map[string]func(m memory){
		"another row":   func(m memory) { m["declared/a"] = m["declared/b"] },
		"a changed bit": func(m memory) { m["declared/a"][len(m["declared/a"])-1] ^= 1 },
		"cut off":       func(m memory) { m["declared/a"] = m["declared/a"][:5] },
		"empty":         func(m memory) { m["declared/a"] = []byte{} },
		"another key": func(m memory) {
			if err := vault(t, "o", m).Replace(t.Context(), map[string][]byte{"a": []byte(canary)}); err != nil {
				t.Error(err)
			}
		},
	} {
		m := memory{}
		v := vault(t, "k", m)
		if err := v.Replace(t.Context(), map[string][]byte{"a": []byte(canary), "b": []byte(canary)}); err != nil {
			t.Fatal(err)
		}
		forge(m)
		if got, err := v.Open(t.Context(), "a"); err == nil || got != nil || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if _, err := New([]byte("short"), memory{}); err == nil {
		t.Error("a short sealing key was taken")
	}
}
