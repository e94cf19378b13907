package sql

import (
	"cmp"
	"context"
	dbsql "database/sql"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/metadata"
)

const packageColumns = `p.id, p.repository_id, p.format, p.namespace, p.name, p.display, p.publish, p.upstream, p.summary, p.revision, p.modified_at`

// packageFields are the targets of packageColumns.
func packageFields(p *metadata.Package, modified *int64) []any {
	return []any{
		&p.Row, &p.Repository, &p.ID.Format, &p.ID.Namespace, &p.ID.Name, &p.Display, &p.Controls.Publish, &p.Controls.Upstream, &p.Summary,
		&p.Revision, modified,
	}
}

// packages reads rows of packageColumns and the columns name and version of a left-joined tag; rows of one package are neighbours.
func packages(ctx context.Context, q querier, d *dialect, text string, args ...any) ([]*metadata.Package, error) {
	var out []*metadata.Package
	err := query(ctx, q, d, text, func(r *dbsql.Rows) error {
		var p metadata.Package
		var modified int64
		var tag, version dbsql.NullString
		if err := r.Scan(append(packageFields(&p, &modified), &tag, &version)...); err != nil {
			return err
		}
		if n := len(out); n == 0 || out[n-1].Row != p.Row {
			p.ModifiedAt = moment(modified)
			p.Tags = map[string]string{}
			out = append(out, &p)
		}
		if tag.Valid {
			out[len(out)-1].Tags[tag.String] = version.String
		}
		return nil
	}, args...)
	return out, err
}

// Packages implements metadata.Reader.
func (s *Store) Packages(ctx context.Context, repositories []metadata.RepositoryID, id registry.PackageID) ([]*metadata.Package, error) {
	out, err := packages(ctx, s.read, s.d, `SELECT `+packageColumns+`, t.name, t.version FROM package p LEFT JOIN tag t ON t.package_id = p.id
		WHERE p.repository_id {in} AND p.format = ? AND p.namespace = ? AND p.name = ? ORDER BY p.id`,
		idsOf(s.d, repositories), string(id.Format), id.Namespace, id.Name)
	return out, unavailable("packages", err)
}

// maxPage is the most that List returns.
const maxPage = 1000

// List implements metadata.Reader. Each repository is asked by its own index for as much as the page may hold, in one statement.
func (s *Store) List(ctx context.Context, repositories []metadata.RepositoryID, q metadata.ListQuery) ([]*metadata.Package, *metadata.ListCursor, error) {
	if len(repositories) == 0 {
		return nil, nil, nil
	}
	limit := q.Limit
	if limit <= 0 || limit > maxPage {
		limit = maxPage
	}
	where := []string{"p.repository_id = ?", "p.format = ?"}
	args := []any{int64(0), string(q.Format)}
	if q.HasNamespace {
		where, args = append(where, "p.namespace = ?"), append(args, q.Namespace)
	}
	where, args = withPrefix(where, args, "p.namespace", q.NamespacePrefix)
	where, args = withPrefix(where, args, "p.name", q.NamePrefix)
	if a := q.After; a != nil {
		where = append(where, "(p.namespace, p.name) >= (?, ?)", "(p.namespace > ? OR p.name > ? AND p.namespace = ? OR p.repository_id > ?)")
		args = append(args, a.Namespace, a.Name, a.Namespace, a.Name, a.Namespace, int64(a.Repository))
	}
	one := `SELECT * FROM (SELECT ` + packageColumns + ` FROM package p WHERE ` + strings.Join(where, " AND ") + ` ORDER BY p.namespace, p.name LIMIT ?) AS part`
	args = append(args, limit+1)
	var parts []string
	var all []any
	for _, r := range repositories {
		args[0] = int64(r)
		parts, all = append(parts, one), append(all, args...)
	}
	var out []*metadata.Package
	err := query(ctx, s.read, s.d, strings.Join(parts, " UNION ALL "), func(r *dbsql.Rows) error {
		var p metadata.Package
		var modified int64
		if err := r.Scan(packageFields(&p, &modified)...); err != nil {
			return err
		}
		p.ModifiedAt, p.Tags = moment(modified), map[string]string{}
		out = append(out, &p)
		return nil
	}, all...)
	if err != nil {
		return nil, nil, unavailable("list", err)
	}
	slices.SortFunc(out, func(a, b *metadata.Package) int {
		return cmp.Or(strings.Compare(a.ID.Namespace, b.ID.Namespace), strings.Compare(a.ID.Name, b.ID.Name), cmp.Compare(a.Repository, b.Repository))
	})
	var next *metadata.ListCursor
	if len(out) > limit {
		out = out[:limit]
		last := out[limit-1]
		next = &metadata.ListCursor{Namespace: last.ID.Namespace, Name: last.ID.Name, Repository: last.Repository}
	}
	return out, next, unavailable("tags", s.addTags(ctx, out))
}

// withPrefix adds the condition that a column begins with a prefix.
func withPrefix(where []string, args []any, column, prefix string) ([]string, []any) {
	if prefix == "" {
		return where, args
	}
	where, args = append(where, column+" >= ?"), append(args, prefix)
	if end := prefixEnd(prefix); end != "" {
		return append(where, column+" < ?"), append(args, end)
	}
	return append(where, "substr("+column+", 1, ?) = ?"), append(args, utf8.RuneCountInString(prefix), prefix)
}

// prefixEnd is the first text after all that begin with prefix. "" for prefixes that do not end in ASCII: half a character is no text.
func prefixEnd(prefix string) string {
	last := len(prefix) - 1
	if c := prefix[last]; c < 0x7f {
		return prefix[:last] + string(rune(c+1))
	}
	return ""
}

func (s *Store) addTags(ctx context.Context, list []*metadata.Package) error {
	if len(list) == 0 {
		return nil
	}
	byRow := make(map[metadata.PackageRow]*metadata.Package, len(list))
	for _, p := range list {
		byRow[p.Row] = p
	}
	return query(ctx, s.read, s.d, `SELECT package_id, name, version FROM tag WHERE package_id {in}`, func(r *dbsql.Rows) error {
		var row metadata.PackageRow
		var name, version string
		if err := r.Scan(&row, &name, &version); err != nil {
			return err
		}
		byRow[row].Tags[name] = version
		return nil
	}, idsOf(s.d, slices.Collect(maps.Keys(byRow))))
}

// Package implements metadata.PackageTx.
func (t *tx) Package(repository metadata.RepositoryID, id registry.PackageID) (*metadata.Package, error) {
	// Rows of an outer join cannot be locked, so the lock is taken first.
	row, ok, err := t.one(`SELECT id FROM package WHERE repository_id = ? AND format = ? AND namespace = ? AND name = ? {lock}`,
		int64(repository), string(id.Format), id.Namespace, id.Name)
	if err != nil || !ok {
		return nil, err
	}
	return t.packageByRow(metadata.PackageRow(row))
}

func (t *tx) packageByRow(row metadata.PackageRow) (*metadata.Package, error) {
	got, err := packages(t.ctx, t.q, t.s.d, `SELECT `+packageColumns+`, t.name, t.version FROM package p LEFT JOIN tag t ON t.package_id = p.id WHERE p.id = ?`, int64(row))
	if err != nil || len(got) == 0 {
		return nil, err
	}
	return got[0], nil
}

// EnsurePackage implements metadata.PackageTx.
func (t *tx) EnsurePackage(repository metadata.RepositoryID, id registry.PackageID, display string, controls registry.OriginControls, by metadata.ControlsBy) (*metadata.Package, bool, error) {
	n, err := t.exec(`INSERT INTO package (repository_id, format, namespace, name, display, publish, upstream, controls_by, created_at, modified_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (repository_id, format, namespace, name) DO NOTHING`,
		int64(repository), string(id.Format), id.Namespace, id.Name, display, string(controls.Publish), string(controls.Upstream), string(by),
		micros(t.now), micros(t.now))
	if err != nil {
		return nil, false, err
	}
	p, err := t.Package(repository, id)
	if err == nil && p == nil {
		err = errLost // deleted between the two statements
	}
	return p, n > 0, err
}

// SetPackage implements metadata.PackageTx.
func (t *tx) SetPackage(p metadata.PackageRow, u metadata.PackageUpdate) error {
	if u.Display != nil {
		if _, err := t.exec(`UPDATE package SET display = ? WHERE id = ?`, *u.Display, int64(p)); err != nil {
			return err
		}
	}
	if u.Summary != nil {
		if _, err := t.exec(`UPDATE package SET summary = ? WHERE id = ?`, *u.Summary, int64(p)); err != nil {
			return err
		}
	}
	if u.Controls == nil {
		return nil
	}
	_, err := t.exec(`UPDATE package SET publish = ?, upstream = ?, controls_by = ? WHERE id = ?`,
		string(u.Controls.Publish), string(u.Controls.Upstream), string(u.By), int64(p))
	return err
}

// DeletePackage implements metadata.PackageTx.
func (t *tx) DeletePackage(p metadata.PackageRow) error {
	_, err := t.exec(`DELETE FROM package WHERE id = ?`, int64(p))
	return err
}

// SetTags implements metadata.PackageTx.
func (t *tx) SetTags(p metadata.PackageRow, set map[string]string, remove []string) error {
	for _, name := range slices.Sorted(maps.Keys(set)) {
		if _, err := t.exec(`INSERT INTO tag (package_id, name, version) VALUES (?, ?, ?)
			ON CONFLICT (package_id, name) DO UPDATE SET version = excluded.version`, int64(p), name, set[name]); err != nil {
			return err
		}
	}
	for _, name := range remove {
		if _, err := t.exec(`DELETE FROM tag WHERE package_id = ? AND name = ?`, int64(p), name); err != nil {
			return err
		}
	}
	return nil
}
