package sql

import (
	"context"
	dbsql "database/sql"
	"fmt"
	"time"

	"packhouse.dev/packhouse/registry/metadata"
)

// tx implements metadata.Tx.
type tx struct {
	s       *Store
	ctx     context.Context //nolint:containedctx // lives as long as one transaction, whose methods take no context
	q       querier
	domain  metadata.DomainID
	now     time.Time
	changes []metadata.Change
	number  int64 // of changes, once finished
}

var _ metadata.Tx = (*tx)(nil)

// Update implements metadata.Store.
func (s *Store) Update(ctx context.Context, d metadata.DomainID, fn func(metadata.Tx) error) (int64, error) {
	var number int64
	err := s.write(ctx, d, func(t *tx) error { return fn(t) }, &number)
	return number, err
}

// write runs fn in a transaction whose changes are those of domain d.
func (s *Store) write(ctx context.Context, d metadata.DomainID, fn func(*tx) error, number *int64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := s.driver.update(ctx, func(t *tx) error {
		t.domain, t.changes, t.number = d, nil, 0
		if err := fn(t); err != nil {
			return err
		}
		err := t.finish()
		if number != nil {
			*number = t.number
		}
		return err
	})
	return unavailable("write", err)
}

func (t *tx) exec(text string, args ...any) (int64, error) {
	res, err := t.q.ExecContext(t.ctx, t.s.d.text(text), args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (t *tx) query(text string, scan func(*dbsql.Rows) error, args ...any) error {
	return query(t.ctx, t.q, t.s.d, text, scan, args...)
}

// number reads one number. ok is false if there is no row.
func (t *tx) one(text string, args ...any) (n int64, ok bool, err error) {
	err = t.query(text, func(r *dbsql.Rows) error { ok = true; return r.Scan(&n) }, args...)
	return n, ok, err
}

// Record implements metadata.Tx.
func (t *tx) Record(c metadata.Change) error {
	if c.At.IsZero() {
		c.At = t.now
	}
	t.changes = append(t.changes, c)
	return nil
}

// Fence implements metadata.Tx.
func (t *tx) Fence(l metadata.Lease) error { return t.s.driver.fence(t, l) }

// finish numbers the changes. It is the last thing in a transaction, so that the row of the domain is locked briefly and numbers are
// in the order of commits.
func (t *tx) finish() error {
	if len(t.changes) == 0 {
		return nil
	}
	n, ok, err := t.one(`UPDATE domain SET change = change + 1 WHERE id = ? RETURNING change`, int64(t.domain))
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("there is no domain with number %d", t.domain)
	}
	t.number = n
	for i := range t.changes {
		c := &t.changes[i]
		c.Number = n
		if _, err := t.exec(`INSERT INTO change (domain_id, change, ordinal, kind, repository_id, format, namespace, name, connection, key, event, at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			int64(t.domain), n, i, string(c.Kind), int64(c.Repository), string(c.Package.Format), c.Package.Namespace, c.Package.Name,
			c.Connection, c.Key, c.Event, micros(c.At)); err != nil {
			return err
		}
		if c.Kind != metadata.PackageChanged {
			continue
		}
		if _, err := t.exec(`UPDATE package SET revision = ?, modified_at = ? WHERE repository_id = ? AND format = ? AND namespace = ? AND name = ?`,
			n, micros(t.now), int64(c.Repository), string(c.Package.Format), c.Package.Namespace, c.Package.Name); err != nil {
			return err
		}
	}
	return nil
}
