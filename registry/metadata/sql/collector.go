package sql

import (
	"context"
	dbsql "database/sql"
	"time"

	"packhouse.dev/packhouse/registry/metadata"
)

// sweepBatch is how many rows one transaction of the collector removes, so that nobody waits long behind it.
const sweepBatch = 500

const (
	blobUnused = `NOT EXISTS (SELECT 1 FROM asset WHERE asset.blob_id = blob.id) AND NOT EXISTS (SELECT 1 FROM upstream WHERE upstream.blob_id = blob.id)`
	blobUsed   = `(EXISTS (SELECT 1 FROM asset WHERE asset.blob_id = blob.id) OR EXISTS (SELECT 1 FROM upstream WHERE upstream.blob_id = blob.id))`
)

// Condemn implements metadata.Collector.
func (s *Store) Condemn(ctx context.Context, touchedBefore time.Time) (int, error) {
	var n int64
	err := s.write(ctx, metadata.RegistryDomain, func(t *tx) (err error) {
		if _, err := t.exec(`UPDATE blob SET state = '` + present + `' WHERE state = '` + condemned + `' AND ` + blobUsed); err != nil {
			return err
		}
		n, err = t.exec(`UPDATE blob SET state = '`+condemned+`', condemned_at = ? WHERE state = '`+present+`' AND touched_at < ? AND `+blobUnused,
			micros(t.now), micros(touchedBefore))
		return err
	}, nil)
	return int(n), err
}

// Sweep implements metadata.Collector.
func (s *Store) Sweep(ctx context.Context, condemnedBefore time.Time) (int, error) {
	total := 0
	for {
		n := 0
		err := s.write(ctx, metadata.RegistryDomain, func(t *tx) error {
			var objects []string
			err := t.query(`DELETE FROM blob WHERE id IN (SELECT id FROM blob WHERE state = '`+condemned+`' AND condemned_at < ? AND `+blobUnused+` LIMIT ?)
				AND state = '`+condemned+`' AND `+blobUnused+` RETURNING object`,
				func(r *dbsql.Rows) error {
					var o string
					if err := r.Scan(&o); err != nil {
						return err
					}
					objects = append(objects, o)
					return nil
				}, micros(condemnedBefore), sweepBatch)
			n = len(objects)
			for _, o := range objects {
				if err == nil {
					err = t.trash(o)
				}
			}
			return err
		}, nil)
		total += n
		if err != nil || n < sweepBatch {
			if err == nil {
				err = s.sweepDocuments(ctx, condemnedBefore)
			}
			return total, err
		}
	}
}

// sweepDocuments removes documents that no version has. Nothing refers to them but rows, so they need no second look.
func (s *Store) sweepDocuments(ctx context.Context, touchedBefore time.Time) error {
	for {
		var n int64
		err := s.write(ctx, metadata.RegistryDomain, func(t *tx) (err error) {
			n, err = t.exec(`DELETE FROM document WHERE id IN (SELECT id FROM document WHERE touched_at < ?
				AND NOT EXISTS (SELECT 1 FROM version WHERE version.document_id = document.id) LIMIT ?)`, micros(touchedBefore), sweepBatch)
			return err
		}, nil)
		if err != nil || n < sweepBatch {
			return err
		}
	}
}

// Trash implements metadata.Collector.
func (s *Store) Trash(ctx context.Context, limit int) ([]string, error) {
	var out []string
	err := query(ctx, s.read, s.d, `SELECT object FROM trash ORDER BY object LIMIT ?`, func(r *dbsql.Rows) error {
		var o string
		if err := r.Scan(&o); err != nil {
			return err
		}
		out = append(out, o)
		return nil
	}, limit)
	return out, unavailable("trash", err)
}

// Forget implements metadata.Collector.
func (s *Store) Forget(ctx context.Context, objects []string) error {
	return s.write(ctx, metadata.RegistryDomain, func(t *tx) error {
		_, err := t.exec(`DELETE FROM trash WHERE object {inText}`, s.d.list(objects))
		return err
	}, nil)
}

// Discard implements metadata.Collector.
func (s *Store) Discard(ctx context.Context, objects []string) (int, error) {
	n := 0
	err := s.write(ctx, metadata.RegistryDomain, func(t *tx) error {
		n = 0
		for _, o := range objects {
			_, used, err := t.one(`SELECT id FROM blob WHERE object = ?`, o)
			if err != nil {
				return err
			}
			if used {
				continue
			}
			if err := t.trash(o); err != nil {
				return err
			}
			n++
		}
		return nil
	}, nil)
	return n, err
}

// TrimChanges implements metadata.Collector.
func (s *Store) TrimChanges(ctx context.Context, before time.Time) error {
	return s.write(ctx, metadata.RegistryDomain, func(t *tx) error {
		for _, text := range []string{
			`DELETE FROM change WHERE at < ?`, `DELETE FROM revocation WHERE expires_at < ?`, `DELETE FROM lease WHERE expires_at < ?`,
			`DELETE FROM intent WHERE deadline < ?`,
		} {
			if _, err := t.exec(text, micros(before)); err != nil {
				return err
			}
		}
		return nil
	}, nil)
}
