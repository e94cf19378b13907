package sql

import (
	"context"
	dbsql "database/sql"
	"fmt"
	"slices"
	"strings"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/metadata"
)

const domainSelect = `SELECT id, uid, account, name, holder, state, change, epoch, generation, created_at FROM domain `

func domains(ctx context.Context, q querier, d *dialect, where string, args ...any) ([]metadata.Domain, error) {
	var out []metadata.Domain
	err := query(ctx, q, d, domainSelect+where, func(r *dbsql.Rows) error {
		var m metadata.Domain
		var created int64
		if err := r.Scan(&m.ID, &m.UID, &m.Ref.Owner, &m.Ref.Name, &m.Holder, &m.State, &m.Change, &m.Epoch, &m.Generation, &created); err != nil {
			return err
		}
		m.CreatedAt = moment(created)
		out = append(out, m)
		return nil
	}, args...)
	return out, err
}

// Domains implements metadata.Catalog.
func (s *Store) Domains(ctx context.Context) ([]metadata.Domain, error) {
	out, err := domains(ctx, s.read, s.d, `WHERE id <> 0 AND state <> '`+deleting+`' ORDER BY account, name`)
	return out, unavailable("domains", err)
}

func repositories(ctx context.Context, q querier, d *dialect, domain metadata.DomainID) ([]metadata.Repository, error) {
	var out []metadata.Repository
	err := query(ctx, q, d, `SELECT id, domain_id, uid, name, administrator, state, created_at FROM repository
		WHERE domain_id = ? AND state <> '`+deleting+`' ORDER BY name`, func(r *dbsql.Rows) error {
		var m metadata.Repository
		var created int64
		if err := r.Scan(&m.ID, &m.Domain, &m.UID, &m.Name, &m.Administrator, &m.State, &created); err != nil {
			return err
		}
		m.CreatedAt = moment(created)
		out = append(out, m)
		return nil
	}, int64(domain))
	return out, err
}

// Repositories implements metadata.Catalog.
func (s *Store) Repositories(ctx context.Context, d metadata.DomainID) ([]metadata.Repository, error) {
	out, err := repositories(ctx, s.read, s.d, d)
	return out, unavailable("repositories", err)
}

func document(ctx context.Context, q querier, d *dialect, domain metadata.DomainID) (*metadata.Document, error) {
	var out *metadata.Document
	err := query(ctx, q, d, `SELECT epoch, generation, schema_version, digest, document, put_at FROM config WHERE domain_id = ?
		ORDER BY epoch DESC, generation DESC LIMIT 1`, func(r *dbsql.Rows) error {
		m := &metadata.Document{}
		var put int64
		if err := r.Scan(&m.Epoch, &m.Generation, &m.Schema, &m.Digest, &m.Body, &put); err != nil {
			return err
		}
		m.PutAt = moment(put)
		out = m
		return nil
	}, int64(domain))
	return out, err
}

// Document implements metadata.Catalog.
func (s *Store) Document(ctx context.Context, d metadata.DomainID) (*metadata.Document, error) {
	out, err := document(ctx, s.read, s.d, d)
	return out, unavailable("document", err)
}

// Declare implements metadata.Catalog. The change is one of the registry's row 0: which domains there are is the registry's business,
// and a new domain has no followers of its own yet.
func (s *Store) Declare(ctx context.Context, decl metadata.Declaration) (*metadata.Declared, error) {
	var out *metadata.Declared
	err := s.write(ctx, metadata.RegistryDomain, func(t *tx) (err error) {
		out, err = t.declare(decl)
		if err == nil && out.Changed {
			err = t.Record(metadata.Change{Kind: metadata.ConfigChanged})
		}
		return err
	}, nil)
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (t *tx) declare(decl metadata.Declaration) (*metadata.Declared, error) {
	out := &metadata.Declared{}
	if err := checkNames(decl); err != nil {
		return nil, err
	}
	// One declaration at a time: the lock of row 0 orders them, and a domain may have no row of its own yet.
	if _, _, err := t.one(`SELECT id FROM domain WHERE id = 0 {lock}`); err != nil {
		return nil, err
	}
	domain, err := t.declareDomain(decl, out)
	if err != nil {
		return nil, err
	}
	if err := t.putDocument(domain, decl, out); err != nil {
		return nil, err
	}
	if domain.ID == metadata.RegistryDomain {
		out.Domain = *domain
		return out, nil
	}
	if err := t.declareRepositories(domain.ID, decl, out); err != nil {
		return nil, err
	}
	got, err := domains(t.ctx, t.q, t.s.d, `WHERE id = ?`, int64(domain.ID))
	if err != nil {
		return nil, err
	}
	out.Domain = got[0]
	return out, nil
}

// checkNames refuses what would stand in the way of a name that Remove has set free (freeName).
func checkNames(decl metadata.Declaration) error {
	names := []string{decl.Ref.Name}
	for _, r := range decl.Repositories {
		names = append(names, r.Name)
	}
	for _, name := range names {
		if strings.Contains(name, "/") {
			return fmt.Errorf("%w: name %q has a slash", registry.ErrInvalid, name)
		}
	}
	return nil
}

// declareDomain finds or makes the domain's row and makes it Active.
func (t *tx) declareDomain(decl metadata.Declaration, out *metadata.Declared) (*metadata.Domain, error) {
	if decl.Ref == (registry.DomainRef{}) {
		return &metadata.Domain{ID: metadata.RegistryDomain, UID: "registry", State: metadata.Active}, nil
	}
	got, err := domains(t.ctx, t.q, t.s.d, `WHERE account = ? AND name = ?`, decl.Ref.Owner, decl.Ref.Name)
	if err != nil {
		return nil, err
	}
	if len(got) == 0 {
		d := metadata.Domain{UID: newUID(), Ref: decl.Ref, Holder: decl.Holder, State: metadata.Active}
		row, _, err := t.one(`INSERT INTO domain (uid, account, name, holder, state, created_at) VALUES (?, ?, ?, ?, ?, ?) RETURNING id`,
			d.UID, d.Ref.Owner, d.Ref.Name, d.Holder, string(d.State), micros(t.now))
		d.ID = metadata.DomainID(row)
		out.Changed = true
		return &d, err
	}
	d := &got[0]
	if d.Holder != decl.Holder {
		return nil, fmt.Errorf("%w: domain %s has content of another namespace", registry.ErrConflict, decl.Ref)
	}
	if d.State == metadata.Active {
		return d, nil
	}
	out.Changed = true
	_, err = t.exec(`UPDATE domain SET state = ? WHERE id = ?`, string(metadata.Active), int64(d.ID))
	return d, err
}

// keptDocuments is how many configuration documents of a domain stay, for people who look.
const keptDocuments = 10

func (t *tx) putDocument(d *metadata.Domain, decl metadata.Declaration, out *metadata.Declared) error {
	last, err := document(t.ctx, t.q, t.s.d, d.ID)
	if err != nil {
		return err
	}
	digest := sha256Hex(decl.Body)
	same := last != nil && last.Digest == digest
	if same && decl.Generation == 0 {
		return nil
	}
	now, err := t.renumber(d, decl.Epoch, decl.Generation, same)
	if err != nil {
		return err
	}
	if same {
		// The numbers are in force with it: whoever waits for them must see them, and lower ones are old from now on.
		if now == (numbers{last.Epoch, last.Generation}) {
			return nil
		}
		_, err = t.exec(`UPDATE config SET epoch = ?, generation = ? WHERE domain_id = ? AND epoch = ? AND generation = ?`,
			now.epoch, now.generation, int64(d.ID), last.Epoch, last.Generation)
		return err
	}
	out.Changed = true
	if _, err := t.exec(`INSERT INTO config (domain_id, epoch, generation, schema_version, digest, document, put_at) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		int64(d.ID), now.epoch, now.generation, decl.Schema, digest, decl.Body, micros(t.now)); err != nil {
		return err
	}
	_, err = t.exec(`DELETE FROM config WHERE domain_id = ? AND (epoch, generation) NOT IN
		(SELECT epoch, generation FROM config WHERE domain_id = ? ORDER BY epoch DESC, generation DESC LIMIT ?)`, int64(d.ID), int64(d.ID), keptDocuments)
	return err
}

// numbers order configurations: by epoch, then by generation.
type numbers struct{ epoch, generation int64 }

// renumber puts the numbers of a configuration in force; generation 0 takes the next one. It refuses numbers that are lower than those
// in force, and other content under the same numbers.
func (t *tx) renumber(d *metadata.Domain, epoch, generation int64, same bool) (numbers, error) {
	var old numbers
	if err := t.query(`SELECT epoch, generation FROM domain WHERE id = ?`, func(r *dbsql.Rows) error { return r.Scan(&old.epoch, &old.generation) }, int64(d.ID)); err != nil {
		return old, err
	}
	now := numbers{epoch, generation}
	if generation == 0 {
		now = numbers{old.epoch, old.generation + 1}
	}
	switch {
	case now == old && same:
		return now, nil
	case now.epoch < old.epoch, now.epoch == old.epoch && now.generation <= old.generation:
		return old, fmt.Errorf("%w: configuration %d.%d of %q is not newer than %d.%d", registry.ErrStale, epoch, generation, d.Ref, old.epoch, old.generation)
	}
	_, err := t.exec(`UPDATE domain SET epoch = ?, generation = ? WHERE id = ?`, now.epoch, now.generation, int64(d.ID))
	return now, err
}

func (t *tx) declareRepositories(domain metadata.DomainID, decl metadata.Declaration, out *metadata.Declared) error {
	all, err := repositories(t.ctx, t.q, t.s.d, domain)
	if err != nil {
		return err
	}
	rows := map[string]metadata.Repository{}
	for _, r := range all {
		rows[r.Name] = r
	}
	declared := map[string]bool{}
	for _, want := range decl.Repositories {
		row, exists := rows[want.Name]
		switch {
		case declared[want.Name]: // twice in the document
			continue
		case !exists:
			if row, err = t.insertRepository(domain, want); err != nil {
				return err
			}
			out.Changed = true
		case row.Administrator != want.Administrator:
			out.Conflicts = append(out.Conflicts, want.Name)
			continue // and detached below, if it is served
		default:
			if err := t.setState(&row, metadata.Active, out); err != nil {
				return err
			}
		}
		declared[want.Name] = true
		out.Repositories = append(out.Repositories, row)
	}
	for _, row := range all {
		if !declared[row.Name] && row.State == metadata.Active {
			if err := t.setState(&row, metadata.Detached, out); err != nil {
				return err
			}
		}
	}
	slices.SortFunc(out.Repositories, func(a, b metadata.Repository) int { return strings.Compare(a.Name, b.Name) })
	return nil
}

func (t *tx) insertRepository(domain metadata.DomainID, want metadata.DeclaredRepository) (metadata.Repository, error) {
	r := metadata.Repository{
		Domain: domain, UID: newUID(), Name: want.Name, Administrator: want.Administrator, State: metadata.Active, CreatedAt: moment(micros(t.now)),
	}
	id, _, err := t.one(`INSERT INTO repository (domain_id, uid, name, administrator, state, created_at) VALUES (?, ?, ?, ?, ?, ?) RETURNING id`,
		int64(domain), r.UID, r.Name, r.Administrator, string(r.State), micros(t.now))
	r.ID = metadata.RepositoryID(id)
	return r, err
}

func (t *tx) setState(row *metadata.Repository, state metadata.State, out *metadata.Declared) error {
	if row.State == state {
		return nil
	}
	out.Changed = true
	row.State = state
	_, err := t.exec(`UPDATE repository SET state = ? WHERE id = ?`, string(state), int64(row.ID))
	return err
}

// Undeclare implements metadata.Catalog.
func (s *Store) Undeclare(ctx context.Context, ref registry.DomainRef, epoch, generation int64) error {
	return s.write(ctx, metadata.RegistryDomain, func(t *tx) error {
		if _, _, err := t.one(`SELECT id FROM domain WHERE id = 0 {lock}`); err != nil { // as in declare
			return err
		}
		got, err := domains(t.ctx, t.q, t.s.d, `WHERE account = ? AND name = ?`, ref.Owner, ref.Name)
		if err != nil {
			return err
		}
		if len(got) == 0 || ref == (registry.DomainRef{}) {
			return fmt.Errorf("domain %s: %w", ref, registry.ErrNotFound)
		}
		d := &got[0]
		if d.State == metadata.Detached {
			return nil
		}
		// The document stays as it was, so these numbers are never those of something else.
		if _, err := t.renumber(d, epoch, generation, true); err != nil {
			return err
		}
		if _, err := t.exec(`UPDATE domain SET state = ? WHERE id = ?`, string(metadata.Detached), int64(d.ID)); err != nil {
			return err
		}
		if _, err := t.exec(`UPDATE repository SET state = ? WHERE domain_id = ? AND state = ?`, string(metadata.Detached), int64(d.ID), string(metadata.Active)); err != nil {
			return err
		}
		return t.Record(metadata.Change{Kind: metadata.ConfigChanged})
	}, nil)
}
