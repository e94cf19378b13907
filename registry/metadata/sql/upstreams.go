package sql

import (
	"context"
	dbsql "database/sql"
	"math/rand/v2"
	"time"

	"packhouse.dev/packhouse/registry/metadata"
)

const upstreamSelect = `SELECT u.absent, u.size, u.url, u.content_type, u.etag, u.last_modified, u.fetched_at, u.fresh_until, u.revision,
	b.id, b.object, b.sealed_key FROM upstream u LEFT JOIN blob b ON b.id = u.blob_id WHERE u.domain_id = ? AND u.connection = ? AND u.key = ?`

func upstreamOf(ctx context.Context, q querier, d *dialect, domain metadata.DomainID, connection, key string) (*metadata.Upstream, error) {
	var out *metadata.Upstream
	err := query(ctx, q, d, upstreamSelect, func(r *dbsql.Rows) error {
		u := &metadata.Upstream{Connection: connection, Key: key}
		var fetched, fresh int64
		var blob dbsql.NullInt64
		var object dbsql.NullString
		if err := r.Scan(&u.Absent, &u.Size, &u.URL, &u.ContentType, &u.ETag, &u.LastModified, &fetched, &fresh, &u.Revision, &blob, &object, &u.File.SealedKey); err != nil {
			return err
		}
		u.FetchedAt, u.FreshUntil = moment(fetched), moment(fresh)
		u.Blob, u.File.Blob, u.File.Object = metadata.BlobRow(blob.Int64), metadata.BlobRow(blob.Int64), object.String
		out = u
		return nil
	}, int64(domain), connection, key)
	return out, err
}

// Upstream implements metadata.Upstreams.
func (s *Store) Upstream(ctx context.Context, d metadata.DomainID, connection, key string) (*metadata.Upstream, error) {
	u, err := upstreamOf(ctx, s.read, s.d, d, connection, key)
	return u, unavailable("upstream", err)
}

// RenewUpstream implements metadata.Upstreams.
func (s *Store) RenewUpstream(ctx context.Context, d metadata.DomainID, connection, key string, fetchedAt, freshUntil time.Time) error {
	return s.write(ctx, d, func(t *tx) error {
		_, err := t.exec(`UPDATE upstream SET fetched_at = ?, fresh_until = ? WHERE domain_id = ? AND connection = ? AND key = ?`,
			micros(fetchedAt), micros(freshUntil), int64(d), connection, key)
		return err
	}, nil)
}

// PutUpstream implements metadata.UpstreamTx.
func (t *tx) PutUpstream(u metadata.Upstream) (int64, error) {
	if _, _, err := t.one(`SELECT revision FROM upstream WHERE domain_id = ? AND connection = ? AND key = ? {lock}`, int64(t.domain), u.Connection, u.Key); err != nil {
		return 0, err
	}
	old, err := upstreamOf(t.ctx, t.q, t.s.d, t.domain, u.Connection, u.Key)
	if err != nil {
		return 0, err
	}
	same := old != nil && old.Absent == u.Absent && old.Blob == u.Blob
	revision := rand.Int64N(1<<62) + 1 //nolint:gosec // a number that a row made again does not repeat
	if same {
		revision = old.Revision
	}
	if _, err := t.exec(`INSERT INTO upstream (domain_id, connection, key, absent, blob_id, size, url, content_type, etag, last_modified, fetched_at, fresh_until, revision)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (domain_id, connection, key) DO UPDATE SET
		absent = excluded.absent, blob_id = excluded.blob_id, size = excluded.size, url = excluded.url, content_type = excluded.content_type, etag = excluded.etag,
		last_modified = excluded.last_modified, fetched_at = excluded.fetched_at, fresh_until = excluded.fresh_until, revision = excluded.revision`,
		int64(t.domain), u.Connection, u.Key, flag(u.Absent), nullable(u.Blob), u.Size, u.URL, u.ContentType, u.ETag, u.LastModified,
		micros(u.FetchedAt), micros(u.FreshUntil), revision); err != nil {
		return 0, err
	}
	if same {
		return revision, nil
	}
	return revision, t.Record(metadata.Change{Kind: metadata.UpstreamChanged, Connection: u.Connection, Key: u.Key})
}
