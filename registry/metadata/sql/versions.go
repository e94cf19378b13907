package sql

import (
	"context"
	dbsql "database/sql"
	"errors"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/metadata"
)

const versionSelect = `SELECT v.id, v.package_id, p.repository_id, p.format, p.namespace, p.name, v.version, v.display, v.status, d.body, v.flags, v.revision,
	v.origin, v.entry, v.entry_uid, v.published_at, v.arrived_at
	FROM version v JOIN package p ON p.id = v.package_id LEFT JOIN document d ON d.id = v.document_id WHERE `

const assetSelect = `SELECT a.version_id, a.name, a.listed, a.size, a.digest, a.source, a.info, b.id, b.object, b.sealed_key, b.md5, b.sha1, b.sha256, b.sha512
	FROM asset a LEFT JOIN blob b ON b.id = a.blob_id WHERE `

// versions reads versions and their assets; both conditions select the same versions, on v and on a.
func versions(ctx context.Context, q querier, d *dialect, where, whereAssets string, args ...any) ([]*metadata.Version, error) {
	var out []*metadata.Version
	byRow := map[metadata.VersionRow]*metadata.Version{}
	err := query(ctx, q, d, versionSelect+where, func(r *dbsql.Rows) error {
		v := &metadata.Version{}
		var published, arrived int64
		id := &v.ID
		if err := r.Scan(&v.Row, &v.Package, &v.Repository, &id.Package.Format, &id.Package.Namespace, &id.Package.Name, &id.Version, &v.Display, &v.Status,
			&v.Document, &v.Flags, &v.Revision, &v.Origin.Type, &v.Origin.Entry, &v.Origin.EntryUID, &published, &arrived); err != nil {
			return err
		}
		v.PublishedAt, v.ArrivedAt = moment(published), moment(arrived)
		out = append(out, v)
		byRow[v.Row] = v
		return nil
	}, args...)
	if err != nil || len(out) == 0 {
		return nil, err
	}
	err = query(ctx, q, d, assetSelect+whereAssets+` ORDER BY a.version_id, a.name`, func(r *dbsql.Rows) error {
		return addAsset(r, byRow)
	}, args...)
	return out, err
}

// Heads implements metadata.Reader.
func (s *Store) Heads(ctx context.Context, p metadata.PackageRow) ([]*metadata.Version, error) {
	var out []*metadata.Version
	err := query(ctx, s.read, s.d, `SELECT v.id, v.package_id, p.repository_id, p.format, p.namespace, p.name, v.version, v.display, v.status, v.revision,
		v.origin, v.entry, v.entry_uid, v.published_at, v.arrived_at FROM version v JOIN package p ON p.id = v.package_id WHERE v.package_id = ?`,
		func(r *dbsql.Rows) error {
			v := &metadata.Version{}
			var published, arrived int64
			id := &v.ID
			if err := r.Scan(&v.Row, &v.Package, &v.Repository, &id.Package.Format, &id.Package.Namespace, &id.Package.Name, &id.Version, &v.Display, &v.Status,
				&v.Revision, &v.Origin.Type, &v.Origin.Entry, &v.Origin.EntryUID, &published, &arrived); err != nil {
				return err
			}
			v.PublishedAt, v.ArrivedAt = moment(published), moment(arrived)
			out = append(out, v)
			return nil
		}, int64(p))
	return out, unavailable("heads", err)
}

// Usage implements metadata.Reader.
func (s *Store) Usage(ctx context.Context, d metadata.DomainID) (bytes int64, err error) {
	err = query(ctx, s.read, s.d, `SELECT CAST(COALESCE(SUM(b.size), 0) AS BIGINT) FROM blob b WHERE b.domain_id = ?
		AND EXISTS (SELECT 1 FROM asset a JOIN version v ON v.id = a.version_id JOIN package p ON p.id = v.package_id
			JOIN repository r ON r.id = p.repository_id WHERE a.blob_id = b.id AND r.state <> '`+deleting+`')`, func(r *dbsql.Rows) error { return r.Scan(&bytes) }, int64(d))
	return bytes, unavailable("usage", err)
}

func addAsset(r *dbsql.Rows, byRow map[metadata.VersionRow]*metadata.Version) error {
	var row metadata.VersionRow
	var a registry.Asset
	var f metadata.File
	var blob dbsql.NullInt64
	var digest string
	var object, md5, sha1, sha256, sha512 dbsql.NullString
	if err := r.Scan(&row, &a.Name, &a.Listed, &a.Size, &digest, &a.Source, &a.Info, &blob, &object, &f.SealedKey, &md5, &sha1, &sha256, &sha512); err != nil {
		return err
	}
	v := byRow[row]
	if v == nil {
		return nil // inserted between the two statements
	}
	a.Digests = registry.ParseDigest(digest)
	if blob.Valid {
		f.Blob, f.Object = metadata.BlobRow(blob.Int64), object.String
		a.Stored = true
		a.Digests = registry.Digests{MD5: md5.String, SHA1: sha1.String, SHA256: sha256.String, SHA512: sha512.String}
	}
	v.Assets, v.Files = append(v.Assets, a), append(v.Files, f)
	return nil
}

// Versions implements metadata.Reader.
func (s *Store) Versions(ctx context.Context, packages []metadata.PackageRow, keys []string) ([]*metadata.Version, error) {
	if len(packages) == 0 || keys != nil && len(keys) == 0 {
		return nil, nil
	}
	where, assets := `v.package_id {in}`, `a.version_id IN (SELECT id FROM version WHERE package_id {in})`
	args := []any{idsOf(s.d, packages)}
	if keys != nil {
		where, assets = where+` AND v.version {inText}`, `a.version_id IN (SELECT id FROM version WHERE package_id {in} AND version {inText})`
		args = append(args, s.d.list(keys))
	}
	out, err := s.snapshot(ctx, func(q querier) ([]*metadata.Version, error) { return versions(ctx, q, s.d, where, assets, args...) })
	return out, unavailable("versions", err)
}

// Find implements metadata.Reader.
func (s *Store) Find(ctx context.Context, repositories []metadata.RepositoryID, f registry.Format, kind, key string) ([]*metadata.Version, error) {
	const found = `(SELECT version_id FROM lookup WHERE repository_id {in} AND format = ? AND kind = ? AND key = ?)`
	out, err := s.snapshot(ctx, func(q querier) ([]*metadata.Version, error) {
		return versions(ctx, q, s.d, `v.id IN `+found, `a.version_id IN `+found, idsOf(s.d, repositories), string(f), kind, key)
	})
	return out, unavailable("find", err)
}

// snapshot runs several reads over one state of the database: a version whose assets are read a moment later could have lost them.
func (s *Store) snapshot(ctx context.Context, fn func(querier) ([]*metadata.Version, error)) (_ []*metadata.Version, err error) {
	t, err := s.db.BeginTx(ctx, s.d.reading)
	if err != nil {
		return nil, err
	}
	p, prepares := s.read.(*preparing)
	if !prepares {
		defer end(t, &err)
		return fn(t)
	}
	q := &preparedIn{p: p, t: t}
	defer q.prepare(ctx) // after end
	defer end(t, &err)
	return fn(q)
}

// end ends a transaction that only read.
func end(t *dbsql.Tx, err *error) {
	if e := t.Rollback(); e != nil && !errors.Is(e, dbsql.ErrTxDone) && *err == nil {
		*err = e
	}
}

// preparedIn runs kept statements in a transaction. A statement that is not kept yet runs as it is and is prepared when the
// transaction has ended: preparing needs a connection, and transactions that wait for one while holding another wait for ever.
type preparedIn struct {
	p       *preparing
	t       *dbsql.Tx
	missing []string
}

func (q *preparedIn) ExecContext(ctx context.Context, query string, args ...any) (dbsql.Result, error) {
	return q.t.ExecContext(ctx, query, args...)
}

func (q *preparedIn) QueryContext(ctx context.Context, query string, args ...any) (*dbsql.Rows, error) {
	st := q.p.kept(query)
	if st == nil {
		q.missing = append(q.missing, query)
		return q.t.QueryContext(ctx, query, args...)
	}
	return q.t.StmtContext(ctx, st).QueryContext(ctx, args...)
}

// prepare keeps what was missing. An error will be told by whoever runs the statement next.
func (q *preparedIn) prepare(ctx context.Context) {
	for _, text := range q.missing {
		if _, err := q.p.stmt(ctx, text); err != nil {
			return
		}
	}
}
