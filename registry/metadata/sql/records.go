package sql

import (
	"context"
	"crypto/sha256"
	dbsql "database/sql"
	"encoding/hex"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/metadata"
)

func sha256Hex(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// Revoke implements metadata.Catalog. Of two revocations of one thing the wider one stays.
func (s *Store) Revoke(ctx context.Context, r metadata.Revocation) error {
	return s.write(ctx, r.Domain, func(t *tx) error {
		if _, err := t.exec(`INSERT INTO revocation (domain_id, kind, value, issued_before, expires_at) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (domain_id, kind, value) DO UPDATE SET
			issued_before = CASE WHEN excluded.issued_before > revocation.issued_before THEN excluded.issued_before ELSE revocation.issued_before END,
			expires_at = CASE WHEN excluded.expires_at > revocation.expires_at THEN excluded.expires_at ELSE revocation.expires_at END`,
			int64(r.Domain), r.Kind, r.Value, micros(r.IssuedBefore), micros(r.ExpiresAt)); err != nil {
			return err
		}
		return t.Record(metadata.Change{Kind: metadata.TokensRevoked, Key: r.Value})
	}, nil)
}

// Revocations implements metadata.Catalog.
func (s *Store) Revocations(ctx context.Context, d metadata.DomainID) ([]metadata.Revocation, error) {
	var out []metadata.Revocation
	err := query(ctx, s.read, s.d, `SELECT kind, value, issued_before, expires_at FROM revocation WHERE domain_id = ? ORDER BY kind, value`, func(r *dbsql.Rows) error {
		m := metadata.Revocation{Domain: d}
		var issued, expires int64
		if err := r.Scan(&m.Kind, &m.Value, &issued, &expires); err != nil {
			return err
		}
		m.IssuedBefore, m.ExpiresAt = moment(issued), moment(expires)
		out = append(out, m)
		return nil
	}, int64(d))
	return out, unavailable("revocations", err)
}

// Derived implements metadata.Reader.
func (s *Store) Derived(ctx context.Context, repository metadata.RepositoryID, f registry.Format, kind string) ([]metadata.Derived, error) {
	var out []metadata.Derived
	err := query(ctx, s.read, s.d, `SELECT key, inputs, value FROM derived WHERE repository_id = ? AND format = ? AND kind = ? ORDER BY key`, func(r *dbsql.Rows) error {
		var m metadata.Derived
		var key []byte
		if err := r.Scan(&key, &m.Inputs, &m.Value); err != nil {
			return err
		}
		m.Key = string(key)
		out = append(out, m)
		return nil
	}, int64(repository), string(f), kind)
	return out, unavailable("derived", err)
}

// PutDerived implements metadata.Reader.
func (s *Store) PutDerived(ctx context.Context, repository metadata.RepositoryID, f registry.Format, kind string, rows []metadata.Derived) error {
	return s.write(ctx, metadata.RegistryDomain, func(t *tx) error {
		// No foreign key guards these rows: of a repository that is on its way out they would stay for ever.
		if _, ok, err := t.one(`SELECT id FROM repository WHERE id = ? AND state <> '`+deleting+`' {share}`, int64(repository)); err != nil || !ok {
			return err
		}
		for _, m := range rows {
			if _, err := t.exec(`INSERT INTO derived (repository_id, format, kind, key, inputs, value) VALUES (?, ?, ?, ?, ?, ?)
				ON CONFLICT (repository_id, format, kind, key) DO UPDATE SET inputs = excluded.inputs, value = excluded.value`,
				int64(repository), string(f), kind, []byte(m.Key), m.Inputs, m.Value); err != nil {
				return err
			}
		}
		return nil
	}, nil)
}

// Barrier implements metadata.Feed.
func (s *Store) Barrier(ctx context.Context, d metadata.DomainID) error {
	return s.driver.barrier(ctx, d)
}

// Acquire implements metadata.Leases.
func (s *Store) Acquire(ctx context.Context, name string, ttl time.Duration) (metadata.Lease, error) {
	return s.driver.Acquire(ctx, name, ttl)
}

// Release implements metadata.Leases.
func (s *Store) Release(ctx context.Context, l metadata.Lease) error { return s.driver.Release(ctx, l) }
