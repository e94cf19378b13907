package sql

import (
	"context"
	dbsql "database/sql"
	"fmt"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/metadata"
)

const (
	intentColumns = `id, request, state, result, deadline - {now}`
	intentOpen    = `state <> '` + string(metadata.IntentAnswered) + `' AND deadline > {now} AND NOT (id {inText})`
)

func scanIntent(into *[]metadata.Intent) func(*dbsql.Rows) error {
	return func(r *dbsql.Rows) error {
		var m metadata.Intent
		var left int64
		if err := r.Scan(&m.ID, &m.Request, &m.State, &m.Result, &left); err != nil {
			return err
		}
		m.Left = time.Duration(left) * time.Microsecond
		*into = append(*into, m)
		return nil
	}
}

// first is the only row of a question by id.
func first(rows []metadata.Intent) *metadata.Intent {
	if len(rows) == 0 {
		return nil
	}
	return &rows[0]
}

// AddIntent implements metadata.Intents.
func (s *Store) AddIntent(ctx context.Context, id string, request []byte, ttl time.Duration) error {
	return s.write(ctx, metadata.RegistryDomain, func(t *tx) error {
		n, err := t.exec(`INSERT INTO intent (id, request, state, created_at, deadline) VALUES (?, ?, '`+string(metadata.IntentPending)+`', {now}, {now} + ?)
			ON CONFLICT (id) DO NOTHING`, id, request, ttl.Microseconds())
		if err == nil && n == 0 {
			err = fmt.Errorf("intent %s: %w", id, registry.ErrAlreadyExists)
		}
		return err
	}, nil)
}

// TakeIntents implements metadata.Intents. It is asked all the time, so it only writes where there is something.
func (s *Store) TakeIntents(ctx context.Context, holding []string, limit int) ([]metadata.Intent, error) {
	known := s.d.list(append([]string{}, holding...)) // never nil, which a database takes for unknown
	open := false
	err := query(ctx, s.read, s.d, `SELECT id FROM intent WHERE `+intentOpen+` LIMIT 1`, func(r *dbsql.Rows) error {
		open = true
		var id string
		return r.Scan(&id)
	}, known)
	if err != nil || !open {
		return nil, unavailable("intents", err)
	}
	var out []metadata.Intent
	err = s.write(ctx, metadata.RegistryDomain, func(t *tx) error {
		out = nil
		if err := t.query(`SELECT `+intentColumns+` FROM intent WHERE `+intentOpen+` ORDER BY created_at, id LIMIT ? {lock}`, scanIntent(&out), known, limit); err != nil {
			return err
		}
		ids := make([]string, len(out))
		for i := range out {
			ids[i] = out[i].ID
		}
		_, err := t.exec(`UPDATE intent SET state = '`+string(metadata.IntentTaken)+`' WHERE id {inText}`, s.d.list(ids))
		return err
	}, nil)
	return out, err
}

// AnswerIntent implements metadata.Intents.
func (s *Store) AnswerIntent(ctx context.Context, id string, result []byte) error {
	return s.write(ctx, metadata.RegistryDomain, func(t *tx) error {
		_, there, err := t.one(`SELECT deadline FROM intent WHERE id = ? {lock}`, id)
		if err == nil && !there {
			err = fmt.Errorf("intent %s has ended: %w", id, registry.ErrNotFound)
		}
		if err != nil {
			return err
		}
		_, err = t.exec(`UPDATE intent SET state = '`+string(metadata.IntentAnswered)+`', result = ? WHERE id = ? AND state <> '`+string(metadata.IntentAnswered)+`'`, result, id)
		return err
	}, nil)
}

// Intent implements metadata.Intents.
func (s *Store) Intent(ctx context.Context, id string) (*metadata.Intent, error) {
	var out []metadata.Intent
	err := query(ctx, s.read, s.d, `SELECT `+intentColumns+` FROM intent WHERE id = ?`, scanIntent(&out), id)
	return first(out), unavailable("intent", err)
}

// EndIntent implements metadata.Intents.
func (s *Store) EndIntent(ctx context.Context, id string) (*metadata.Intent, error) {
	var out []metadata.Intent
	err := s.write(ctx, metadata.RegistryDomain, func(t *tx) error {
		out = nil
		return t.query(`DELETE FROM intent WHERE id = ? RETURNING `+intentColumns, scanIntent(&out), id)
	}, nil)
	return first(out), err
}
