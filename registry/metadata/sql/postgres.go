package sql

import (
	"context"
	dbsql "database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/metadata"
)

// attempts of a transaction that lost against another.
const attempts = 12

// OpenPostgres opens the database that a connection string names. Several processes may.
func OpenPostgres(ctx context.Context, connection string, opt Options) (*Store, error) {
	opt = opt.withDefaults(16)
	db, err := dbsql.Open("pgx", connection)
	if err != nil {
		return nil, errors.New("open PostgreSQL: the connection string cannot be read") // its error may hold the password
	}
	db.SetMaxOpenConns(max(opt.Readers, 2)) // one is held while the schema is migrated
	db.SetMaxIdleConns(opt.Readers)
	db.SetConnMaxIdleTime(5 * time.Minute)
	d := postgresDialect()
	if err := migrateLocked(ctx, d, db); err != nil {
		return nil, errors.Join(fmt.Errorf("open PostgreSQL: %w", err), db.Close())
	}
	s := &Store{d: d, opt: opt, db: db, read: db}
	s.driver = &postgres{s: s, seen: map[metadata.DomainID]int64{}}
	return s, nil
}

// migrateLocked lets one replica at a time migrate.
func migrateLocked(ctx context.Context, d *dialect, db *dbsql.DB) error {
	const key = 7_316_470_942 // of Packhouse among advisory locks
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock($1)", int64(key)); err != nil {
		return err
	}
	err = migrate(ctx, d, db)
	_, unlock := conn.ExecContext(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", int64(key))
	return errors.Join(err, unlock)
}

type postgres struct {
	s *Store

	catching sync.Mutex // of seen, and of the order in which followers are told
	seen     map[metadata.DomainID]int64

	mu   sync.Mutex
	next *round // that has not begun
}

// round is one look for changes, shared by all who asked before it began.
type round struct {
	domains map[metadata.DomainID]bool
	done    chan struct{}
	err     error
}

func (p *postgres) update(ctx context.Context, fn func(*tx) error) error {
	var last error
	for try := range attempts {
		d, changed, err := p.try(ctx, fn)
		last = err
		if err == nil && changed {
			return p.catchUp(ctx, []metadata.DomainID{d})
		}
		if !retryable(err) {
			return err
		}
		pause := time.Duration(rand.Int64N(int64(time.Millisecond) << min(try, 6))) //nolint:gosec // a pause
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return fmt.Errorf("a transaction lost %d times in a row: %w", attempts, last)
}

func (p *postgres) try(ctx context.Context, fn func(*tx) error) (_ metadata.DomainID, changed bool, err error) {
	stx, err := p.s.db.BeginTx(ctx, nil)
	if err != nil {
		return 0, false, err
	}
	defer func() {
		if e := stx.Rollback(); e != nil && !errors.Is(e, dbsql.ErrTxDone) && err == nil {
			err = e
		}
	}()
	t := &tx{s: p.s, ctx: ctx, q: stx, now: p.s.opt.Now()}
	if err := guarded(fn, t); err != nil {
		return 0, false, err
	}
	return t.domain, len(t.changes) > 0, stx.Commit()
}

// errLost says that another transaction came in between: try again.
var errLost = errors.New("a row was deleted meanwhile")

// retryable says whether a transaction only lost against another: serialisation failure, deadlock, or a reference to what a
// collector has just deleted.
func retryable(err error) bool {
	if errors.Is(err, errLost) {
		return true
	}
	var pe *pgconn.PgError
	if !errors.As(err, &pe) {
		return false
	}
	return pe.Code == "40001" || pe.Code == "40P01" || pe.Code == "23503"
}

func (p *postgres) barrier(ctx context.Context, d metadata.DomainID) error {
	if p.s.closed.Load() {
		return errClosed
	}
	p.mu.Lock()
	r := p.next
	if r == nil {
		r = &round{domains: map[metadata.DomainID]bool{metadata.RegistryDomain: true}, done: make(chan struct{})}
		p.next = r
		go p.round(context.WithoutCancel(ctx), r)
	}
	r.domains[d] = true
	p.mu.Unlock()
	select {
	case <-r.done:
		return unavailable("barrier", r.err)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// barrierTimeout bounds how long requests wait for a database that does not answer.
const barrierTimeout = 5 * time.Second

func (p *postgres) round(ctx context.Context, r *round) {
	defer close(r.done)
	p.catching.Lock() // while it is held, those who come join the next round
	defer p.catching.Unlock()
	ctx, cancel := context.WithTimeout(ctx, barrierTimeout)
	defer cancel()
	p.mu.Lock()
	p.next = nil
	domains := make([]metadata.DomainID, 0, len(r.domains))
	for d := range r.domains {
		domains = append(domains, d)
	}
	p.mu.Unlock()
	if r.err = p.look(ctx, domains); errors.Is(r.err, context.DeadlineExceeded) {
		r.err = fmt.Errorf("%w: the database does not answer", registry.ErrUnavailable)
	}
}

func (p *postgres) catchUp(ctx context.Context, domains []metadata.DomainID) error {
	p.catching.Lock()
	defer p.catching.Unlock()
	// The transaction is committed; that must not be told as a failure because its caller has gone.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), barrierTimeout)
	defer cancel()
	if err := p.look(ctx, domains); err != nil {
		// It is committed, so it succeeded. Followers hear of it at the next barrier, which nobody passes without.
		p.s.opt.Logger.WarnContext(ctx, "changes of this process were not told at once", "error", err)
	}
	return nil
}

// look tells followers what they have not seen. p.catching is held.
func (p *postgres) look(ctx context.Context, domains []metadata.DomainID) error {
	type moved struct {
		d  metadata.DomainID
		to int64
	}
	var all []moved
	err := query(ctx, p.s.db, p.s.d, `SELECT id, change FROM domain WHERE id {in}`, func(r *dbsql.Rows) error {
		var m moved
		if err := r.Scan(&m.d, &m.to); err != nil {
			return err
		}
		all = append(all, m)
		return nil
	}, idsOf(p.s.d, domains))
	if err != nil {
		return err
	}
	for _, m := range all {
		from, known := p.seen[m.d]
		if known && from == m.to {
			continue
		}
		var changes []metadata.Change
		if known {
			if changes, err = p.changes(ctx, m.d, from, m.to); err != nil {
				return err
			}
		}
		p.s.feed.tell(m.d, changes) // nil: what was before is not known, or not there any more
		p.seen[m.d] = m.to
	}
	return nil
}

// maxChanges is how many changes are told one by one; dropping everything is cheaper than more.
const maxChanges = 20_000

// changes reads the changes after from up to to; nil if some were trimmed.
func (p *postgres) changes(ctx context.Context, d metadata.DomainID, from, to int64) ([]metadata.Change, error) {
	var out []metadata.Change
	err := query(ctx, p.s.db, p.s.d, `SELECT change, kind, repository_id, format, namespace, name, connection, key, event, at
		FROM change WHERE domain_id = ? AND change > ? AND change <= ? ORDER BY change, ordinal LIMIT `+strconv.Itoa(maxChanges+1), func(r *dbsql.Rows) error {
		var c metadata.Change
		var at int64
		if err := r.Scan(&c.Number, &c.Kind, &c.Repository, &c.Package.Format, &c.Package.Namespace, &c.Package.Name, &c.Connection, &c.Key, &c.Event, &at); err != nil {
			return err
		}
		c.At = moment(at)
		out = append(out, c)
		return nil
	}, int64(d), from, to)
	if err != nil || len(out) == 0 || len(out) > maxChanges || out[0].Number != from+1 {
		return nil, err
	}
	return out, nil
}

// clock is the database's time in microseconds: replicas need not agree on theirs.
const clock = `(extract(epoch FROM clock_timestamp()) * 1000000)::bigint`

// Acquire implements metadata.Leases.
func (p *postgres) Acquire(ctx context.Context, name string, ttl time.Duration) (metadata.Lease, error) {
	l := metadata.Lease{Name: name}
	var until int64
	got := false
	err := query(ctx, p.s.db, p.s.d, `INSERT INTO lease (name, token, expires_at) VALUES (?, `+clock+`, `+clock+` + ?)
		ON CONFLICT (name) DO UPDATE SET token = GREATEST(lease.token + 1, excluded.token), expires_at = excluded.expires_at
		WHERE lease.expires_at <= `+clock+` RETURNING token, expires_at`, func(r *dbsql.Rows) error {
		got = true
		return r.Scan(&l.Token, &until)
	}, name, ttl.Microseconds())
	if err != nil {
		return metadata.Lease{}, unavailable("lease", err)
	}
	if !got {
		return metadata.Lease{}, fmt.Errorf("%s: %w", name, metadata.ErrHeld)
	}
	l.ExpiresAt = moment(until)
	return l, nil
}

// Release implements metadata.Leases. The row goes when changes are trimmed: tokens are times, so one that begins anew is still larger.
func (p *postgres) Release(ctx context.Context, l metadata.Lease) error {
	_, err := p.s.db.ExecContext(ctx, `UPDATE lease SET expires_at = 0 WHERE name = $1 AND token = $2`, l.Name, l.Token)
	return unavailable("release", err)
}

func (p *postgres) fence(t *tx, l metadata.Lease) error {
	_, ok, err := t.one(`SELECT token FROM lease WHERE name = ? AND token = ? AND expires_at > `+clock+` {share}`, l.Name, l.Token)
	if err == nil && !ok {
		err = fmt.Errorf("%s: %w", l.Name, metadata.ErrFenced)
	}
	return err
}

func (p *postgres) close() error { return nil }
