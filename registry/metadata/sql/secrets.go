package sql

import (
	"context"
	dbsql "database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/metadata"
)

func secret(ctx context.Context, q querier, d *dialect, name string) ([]byte, error) {
	var out []byte
	err := query(ctx, q, d, `SELECT sealed FROM secret WHERE name = ?`, func(r *dbsql.Rows) error { return r.Scan(&out) }, name)
	return out, err
}

// Secret implements metadata.Secrets.
func (s *Store) Secret(ctx context.Context, name string) ([]byte, error) {
	out, err := secret(ctx, s.read, s.d, name)
	return out, unavailable("secret", err)
}

// KeepSecret implements metadata.Secrets.
func (s *Store) KeepSecret(ctx context.Context, name string, sealed []byte) (kept []byte, err error) {
	err = s.write(ctx, metadata.RegistryDomain, func(t *tx) (err error) {
		if _, err := t.exec(`INSERT INTO secret (name, sealed) VALUES (?, ?) ON CONFLICT (name) DO NOTHING`, name, sealed); err != nil {
			return err
		}
		kept, err = secret(t.ctx, t.q, t.s.d, name)
		return err
	}, nil)
	return kept, err
}

// ReplaceSecrets implements metadata.Secrets.
func (s *Store) ReplaceSecrets(ctx context.Context, prefix string, sealed map[string][]byte) error {
	names := slices.Sorted(maps.Keys(sealed))
	for _, name := range names {
		if !strings.HasPrefix(name, prefix) {
			return fmt.Errorf("%w: secret %q does not begin with %q", registry.ErrInvalid, name, prefix)
		}
	}
	return s.write(ctx, metadata.RegistryDomain, func(t *tx) error {
		// One replacement at a time: of two at once, a mixture could stay.
		if _, _, err := t.one(`SELECT id FROM domain WHERE id = 0 {lock}`); err != nil {
			return err
		}
		if _, err := t.exec(`DELETE FROM secret WHERE substr(name, 1, length(?)) = ?`, prefix, prefix); err != nil {
			return err
		}
		for _, name := range names {
			if _, err := t.exec(`INSERT INTO secret (name, sealed) VALUES (?, ?)`, name, sealed[name]); err != nil {
				return err
			}
		}
		return nil
	}, nil)
}
