package sql

import (
	"crypto/sha256"
	dbsql "database/sql"
	"encoding/hex"
	"fmt"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/metadata"
)

// Version implements metadata.VersionTx.
func (t *tx) Version(p metadata.PackageRow, key string) (*metadata.Version, error) {
	row, ok, err := t.one(`SELECT id FROM version WHERE package_id = ? AND version = ? {lock}`, int64(p), key)
	if err != nil || !ok {
		return nil, err
	}
	got, err := versions(t.ctx, t.q, t.s.d, `v.id = ?`, `a.version_id = ?`, row)
	if err != nil || len(got) == 0 {
		return nil, err
	}
	return got[0], nil
}

// InsertVersion implements metadata.VersionTx.
func (t *tx) InsertVersion(p metadata.PackageRow, v metadata.NewVersion) (metadata.VersionRow, error) {
	document, err := t.document(v.Document)
	if err != nil {
		return 0, err
	}
	row, ok, err := t.one(`INSERT INTO version (package_id, version, display, status, document_id, flags, revision, origin, entry, entry_uid, published_at, arrived_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (package_id, version) DO NOTHING RETURNING id`,
		int64(p), v.Key, v.Display, string(v.Status), nullable(document), v.Flags, v.Revision, string(v.Origin.Type), v.Origin.Entry, v.Origin.EntryUID,
		micros(v.PublishedAt), micros(v.ArrivedAt))
	if err != nil {
		return 0, err
	}
	if !ok {
		return 0, fmt.Errorf("%w: version %s", registry.ErrAlreadyExists, v.Key)
	}
	at := metadata.VersionRow(row)
	for _, a := range v.Assets {
		if err := t.InsertAsset(at, a); err != nil {
			return 0, err
		}
	}
	for _, l := range v.Lookups {
		if _, err := t.exec(`INSERT INTO lookup (repository_id, format, kind, key, version_id)
			SELECT repository_id, format, ?, ?, ? FROM package WHERE id = ? ON CONFLICT DO NOTHING`, l.Kind, l.Key, row, int64(p)); err != nil {
			return 0, err
		}
	}
	return at, nil
}

// document makes sure of the row of a version's document; 0 for none.
func (t *tx) document(body []byte) (int64, error) {
	if len(body) == 0 {
		return 0, nil
	}
	sum := sha256.Sum256(body)
	row, _, err := t.one(`INSERT INTO document (domain_id, sha256, body, touched_at) VALUES (?, ?, ?, ?)
		ON CONFLICT (domain_id, sha256) DO UPDATE SET touched_at = excluded.touched_at RETURNING id`,
		int64(t.domain), hex.EncodeToString(sum[:]), body, micros(t.now))
	return row, err
}

// InsertAsset implements metadata.VersionTx.
func (t *tx) InsertAsset(v metadata.VersionRow, a metadata.NewAsset) error {
	n, err := t.exec(`INSERT INTO asset (version_id, name, listed, blob_id, size, digest, source, info) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (version_id, name) DO NOTHING`,
		int64(v), a.Name, flag(a.Listed), nullable(a.Blob), a.Size, a.Digests.Strongest(), a.Source, a.Info)
	if err != nil || n > 0 {
		return err
	}
	var sum dbsql.NullString
	if err := t.query(`SELECT b.sha256 FROM asset a LEFT JOIN blob b ON b.id = a.blob_id WHERE a.version_id = ? AND a.name = ?`,
		func(r *dbsql.Rows) error { return r.Scan(&sum) }, int64(v), a.Name); err != nil {
		return err
	}
	if sum.String == "" || sum.String != a.Digests.SHA256 {
		return fmt.Errorf("%w: asset %s with other bytes", registry.ErrAlreadyExists, a.Name)
	}
	return nil
}

// FillAsset implements metadata.VersionTx.
func (t *tx) FillAsset(v metadata.VersionRow, name string, blob metadata.BlobRow, d registry.Digests, size int64) error {
	_, err := t.exec(`UPDATE asset SET blob_id = ?, size = ?, digest = ? WHERE version_id = ? AND name = ? AND blob_id IS NULL`,
		int64(blob), size, d.Strongest(), int64(v), name)
	return err
}

// UpdateVersion implements metadata.VersionTx.
func (t *tx) UpdateVersion(v metadata.VersionRow, u metadata.VersionUpdate) error {
	set := func(column string, value any) error {
		_, err := t.exec(`UPDATE version SET `+column+` = ? WHERE id = ?`, value, int64(v))
		return err
	}
	if u.Status != nil {
		if err := set("status", string(*u.Status)); err != nil {
			return err
		}
		if *u.Status == registry.Disposed {
			if _, err := t.exec(`UPDATE asset SET blob_id = NULL WHERE version_id = ?`, int64(v)); err != nil {
				return err
			}
		}
	}
	if u.Document != nil {
		row, err := t.document(u.Document)
		if err != nil {
			return err
		}
		if err := set("document_id", nullable(row)); err != nil {
			return err
		}
	}
	if u.Flags != nil {
		if err := set("flags", *u.Flags); err != nil {
			return err
		}
	}
	if u.Revision != nil {
		return set("revision", *u.Revision)
	}
	return nil
}

// DeleteVersion implements metadata.VersionTx.
func (t *tx) DeleteVersion(v metadata.VersionRow) error {
	if _, err := t.exec(`DELETE FROM tag WHERE (package_id, version) IN (SELECT package_id, version FROM version WHERE id = ?)`, int64(v)); err != nil {
		return err
	}
	_, err := t.exec(`DELETE FROM version WHERE id = ?`, int64(v))
	return err
}

const assetCopy = `INSERT INTO asset (version_id, name, listed, blob_id, size, digest, source, info)
	SELECT CAST(? AS BIGINT), name, listed, blob_id, size, digest, source, info FROM asset WHERE version_id = ?`

// ReplaceAssets implements metadata.VersionTx.
func (t *tx) ReplaceAssets(v, from metadata.VersionRow) error {
	if _, err := t.exec(`DELETE FROM asset WHERE version_id = ?`, int64(v)); err != nil {
		return err
	}
	_, err := t.exec(assetCopy, int64(v), int64(from))
	return err
}

// Retain implements metadata.VersionTx.
func (t *tx) Retain(from metadata.VersionRow, to metadata.PackageRow) (metadata.VersionRow, bool, error) {
	// The source is kept as it is until its assets are copied too.
	if _, ok, err := t.one(`SELECT id FROM version WHERE id = ? AND status IN ('Published', 'Unlisted') {share}`, int64(from)); err != nil || !ok {
		return 0, false, err
	}
	row, ok, err := t.one(`INSERT INTO version (package_id, version, display, status, document_id, flags, revision, origin, entry, entry_uid, published_at, arrived_at)
		SELECT CAST(? AS BIGINT), version, display, status, document_id, flags, revision, origin, entry, entry_uid, published_at, CAST(? AS BIGINT) FROM version WHERE id = ?
		ON CONFLICT (package_id, version) DO NOTHING RETURNING id`, int64(to), micros(t.now), int64(from))
	if err != nil || !ok {
		return 0, false, err
	}
	if _, err := t.exec(assetCopy, row, int64(from)); err != nil {
		return 0, false, err
	}
	_, err = t.exec(`INSERT INTO lookup (repository_id, format, kind, key, version_id)
		SELECT p.repository_id, l.format, l.kind, l.key, CAST(? AS BIGINT) FROM lookup l, package p WHERE l.version_id = ? AND p.id = ?`, row, int64(from), int64(to))
	return metadata.VersionRow(row), true, err
}
