package sql

import (
	"context"
	dbsql "database/sql"
	"fmt"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/metadata"
)

// deleting is the state of rows that only Clear still looks at.
const deleting = string(metadata.Deleting)

// freeName gives a row a name that no declaration can have (checkName), so that its own can be taken at once.
const freeName = `state = '` + deleting + `', name = name || '/' || uid`

// Remove implements metadata.Catalog. It is no change: what is Detached is served by nobody.
func (s *Store) Remove(ctx context.Context, r metadata.Removal) error {
	return s.write(ctx, metadata.RegistryDomain, func(t *tx) error {
		// As in declare: nobody may declare meanwhile what is looked at here.
		if _, _, err := t.one(`SELECT id FROM domain WHERE id = 0 {lock}`); err != nil {
			return err
		}
		got, err := domains(t.ctx, t.q, t.s.d, `WHERE account = ? AND name = ? AND id <> 0 AND state <> '`+deleting+`'`, r.Domain.Owner, r.Domain.Name)
		if err != nil || len(got) == 0 {
			return err
		}
		if r.Repository != "" {
			return t.removeRepository(&got[0], r)
		}
		d := &got[0]
		if err := removable("domain "+r.Domain.String(), d.State, d.Holder == r.Holder); err != nil {
			return err
		}
		if _, err := t.exec(`UPDATE domain SET `+freeName+` WHERE id = ?`, int64(d.ID)); err != nil {
			return err
		}
		_, err = t.exec(`UPDATE repository SET `+freeName+` WHERE domain_id = ? AND state <> '`+deleting+`'`, int64(d.ID))
		return err
	}, nil)
}

func (t *tx) removeRepository(d *metadata.Domain, r metadata.Removal) error {
	all, err := repositories(t.ctx, t.q, t.s.d, d.ID)
	if err != nil {
		return err
	}
	for _, row := range all {
		if row.Name != r.Repository {
			continue
		}
		if err := removable("repository "+r.Repository+" of domain "+r.Domain.String(), row.State, row.Administrator == r.Holder); err != nil {
			return err
		}
		_, err := t.exec(`UPDATE repository SET `+freeName+` WHERE id = ?`, int64(row.ID))
		return err
	}
	return nil
}

func removable(what string, state metadata.State, own bool) error {
	switch {
	case !own:
		return fmt.Errorf("%w: %s has content of another namespace", registry.ErrConflict, what)
	case state != metadata.Detached:
		return fmt.Errorf("%w: %s is declared", registry.ErrConflict, what)
	}
	return nil
}

const (
	doomedRepositories = `IN (SELECT id FROM repository WHERE state = '` + deleting + `')`
	doomedDomains      = `IN (SELECT id FROM domain WHERE state = '` + deleting + `')`
)

// clearing are statements that remove at most as many rows as their argument says, in the order that foreign keys ask for. Blobs and
// documents of a domain are not among them: what holds them is gone, so Sweep finds them, and their objects.
//
//nolint:gochecknoglobals // a constant table
var clearing = []string{
	`DELETE FROM derived WHERE (repository_id, format, kind, key) IN
		(SELECT repository_id, format, kind, key FROM derived WHERE repository_id ` + doomedRepositories + ` LIMIT ?)`,
	`DELETE FROM repository WHERE id IN (SELECT id FROM repository WHERE state = '` + deleting + `'
		AND NOT EXISTS (SELECT 1 FROM package WHERE package.repository_id = repository.id) LIMIT ?)`,
	`DELETE FROM upstream WHERE (domain_id, connection, key) IN
		(SELECT domain_id, connection, key FROM upstream WHERE domain_id ` + doomedDomains + ` LIMIT ?)`,
	`DELETE FROM config WHERE (domain_id, epoch, generation) IN
		(SELECT domain_id, epoch, generation FROM config WHERE domain_id ` + doomedDomains + ` LIMIT ?)`,
	`DELETE FROM revocation WHERE (domain_id, kind, value) IN
		(SELECT domain_id, kind, value FROM revocation WHERE domain_id ` + doomedDomains + ` LIMIT ?)`,
	`DELETE FROM change WHERE (domain_id, change, ordinal) IN
		(SELECT domain_id, change, ordinal FROM change WHERE domain_id ` + doomedDomains + ` LIMIT ?)`,
	`DELETE FROM domain WHERE id IN (SELECT id FROM domain WHERE state = '` + deleting + `'
		AND NOT EXISTS (SELECT 1 FROM repository WHERE domain_id = domain.id) AND NOT EXISTS (SELECT 1 FROM blob WHERE domain_id = domain.id)
		AND NOT EXISTS (SELECT 1 FROM document WHERE domain_id = domain.id) AND NOT EXISTS (SELECT 1 FROM upstream WHERE domain_id = domain.id)
		AND NOT EXISTS (SELECT 1 FROM change WHERE domain_id = domain.id) LIMIT ?)`,
}

// Clear implements metadata.Collector.
func (s *Store) Clear(ctx context.Context) (versions int, err error) {
	for more := true; more; {
		n := 0
		err := s.write(ctx, metadata.RegistryDomain, func(t *tx) (err error) {
			n, more, err = t.clearPackages()
			return err
		}, nil)
		if err != nil {
			return versions, err
		}
		versions += n
	}
	for _, text := range clearing {
		for n := int64(sweepBatch); n == sweepBatch; {
			err := s.write(ctx, metadata.RegistryDomain, func(t *tx) (err error) {
				n, err = t.exec(text, sweepBatch)
				return err
			}, nil)
			if err != nil {
				return versions, err
			}
		}
	}
	return versions, nil
}

// clearPackages removes versions of a few packages, and the packages that have none left. A version goes with all its assets at once:
// a request that began before the removal may be retaining it in another repository, and must find all of it or nothing.
func (t *tx) clearPackages() (versions int, more bool, err error) {
	var ids []metadata.PackageRow
	err = t.query(`SELECT id FROM package WHERE repository_id `+doomedRepositories+` LIMIT ?`, func(r *dbsql.Rows) error {
		var id metadata.PackageRow
		if err := r.Scan(&id); err != nil {
			return err
		}
		ids = append(ids, id)
		return nil
	}, sweepBatch)
	if err != nil || len(ids) == 0 {
		return 0, false, err
	}
	list := idsOf(t.s.d, ids)
	n, err := t.exec(`DELETE FROM version WHERE id IN (SELECT id FROM version WHERE package_id {in} LIMIT ?)`, list, sweepBatch)
	if err != nil || n == sweepBatch {
		return int(n), true, err
	}
	_, err = t.exec(`DELETE FROM package WHERE id {in} AND NOT EXISTS (SELECT 1 FROM version WHERE version.package_id = package.id)`, list)
	return int(n), true, err
}
