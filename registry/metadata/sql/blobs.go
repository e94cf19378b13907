package sql

import (
	"context"
	dbsql "database/sql"
	"fmt"

	"packhouse.dev/packhouse/registry/metadata"
)

// The states of a blob row.
const (
	present   = "Present"
	condemned = "Condemned" // nothing referred to it when collection last looked
	damaged   = "Damaged"   // its bytes are not what the row says
)

// Blob implements metadata.Reader.
func (s *Store) Blob(ctx context.Context, d metadata.DomainID, sha256 string) (*metadata.Blob, error) {
	var out *metadata.Blob
	err := query(ctx, s.read, s.d, `SELECT id, size, object, sealed_key, md5, sha1, sha256, sha512 FROM blob WHERE domain_id = ? AND sha256 = ? AND state = '`+present+`'`,
		func(r *dbsql.Rows) error {
			out = &metadata.Blob{}
			g := &out.Digests
			return r.Scan(&out.Row, &out.Size, &out.Object, &out.SealedKey, &g.MD5, &g.SHA1, &g.SHA256, &g.SHA512)
		}, int64(d), sha256)
	if err != nil {
		return nil, unavailable("blob", err)
	}
	return out, nil
}

// Blob implements metadata.BlobTx.
func (t *tx) Blob(b metadata.NewBlob) (metadata.BlobRow, error) {
	if b.Object == "" {
		return t.touchBlob(b)
	}
	row, ok, err := t.one(`INSERT INTO blob (domain_id, sha256, size, md5, sha1, sha512, object, sealed_key, state, touched_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, '`+present+`', ?) ON CONFLICT (domain_id, sha256) DO NOTHING RETURNING id`,
		int64(t.domain), b.Digests.SHA256, b.Size, b.Digests.MD5, b.Digests.SHA1, b.Digests.SHA512, b.Object, b.SealedKey, micros(t.now))
	if err != nil || ok {
		return metadata.BlobRow(row), err
	}
	// Another upload was first, or there are damaged bytes, which these replace.
	var old string
	if err := t.query(`SELECT id, object FROM blob WHERE domain_id = ? AND sha256 = ? AND state = '`+damaged+`' {lock}`,
		func(r *dbsql.Rows) error { return r.Scan(&row, &old) }, int64(t.domain), b.Digests.SHA256); err != nil {
		return 0, err
	}
	if old != "" {
		if _, err := t.exec(`UPDATE blob SET object = ?, sealed_key = ?, size = ?, state = '`+present+`', touched_at = ? WHERE id = ?`,
			b.Object, b.SealedKey, b.Size, micros(t.now), row); err != nil {
			return 0, err
		}
		return metadata.BlobRow(row), t.trash(old)
	}
	first, err := t.touchBlob(b)
	if err != nil {
		return 0, err
	}
	return first, t.trash(b.Object)
}

// touchBlob makes a row that was seen Present again.
func (t *tx) touchBlob(b metadata.NewBlob) (metadata.BlobRow, error) {
	row, ok, err := t.one(`UPDATE blob SET state = '`+present+`', touched_at = ? WHERE domain_id = ? AND sha256 = ? AND state <> '`+damaged+`' RETURNING id`,
		micros(t.now), int64(t.domain), b.Digests.SHA256)
	if err == nil && !ok {
		err = fmt.Errorf("sha256:%s: %w", b.Digests.SHA256, metadata.ErrBlobGone)
	}
	return metadata.BlobRow(row), err
}

func (t *tx) trash(object string) error {
	_, err := t.exec(`INSERT INTO trash (object) VALUES (?) ON CONFLICT DO NOTHING`, object)
	return err
}
