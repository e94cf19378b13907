// Package sql keeps package metadata in SQLite or PostgreSQL, with one schema and one set of statements.
//
// SQLite belongs to one process, which holds a lock on the file: one goroutine writes, joining the transactions that wait into one
// commit, and changes are given to followers before a transaction is acknowledged. PostgreSQL is shared by replicas: changes are
// numbered per domain in commit order, and Barrier reads those that a replica has not seen.
package sql

import (
	"context"
	"crypto/rand"
	dbsql "database/sql"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pressly/goose/v3"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/metadata"
)

// Options of a Store. The zero value will do.
type Options struct {
	Now    func() time.Time // default time.Now
	Logger *slog.Logger
	// Readers is how many connections read at the same time; default 4 on SQLite, 16 on PostgreSQL.
	Readers int
}

// Store implements metadata.Store.
type Store struct {
	d      *dialect
	opt    Options
	db     *dbsql.DB // for reading; on PostgreSQL for all
	read   querier
	feed   feed
	closed atomic.Bool
	driver driver
}

// driver is how transactions commit, how others' changes arrive, and where leases are.
type driver interface {
	// update runs fn in a transaction, gives its changes to followers, and says whether fn's error is the reason of a failure.
	update(ctx context.Context, fn func(*tx) error) error
	barrier(ctx context.Context, d metadata.DomainID) error
	metadata.Leases
	fence(t *tx, l metadata.Lease) error
	close() error
}

var _ metadata.Store = (*Store)(nil)

// querier runs statements.
type querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (dbsql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*dbsql.Rows, error)
}

func (o Options) withDefaults(readers int) Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Readers == 0 {
		o.Readers = readers
	}
	return o
}

//go:embed schema.sql
var schema string

//go:embed schema_2.sql
var schema2 string

// migrate brings the schema up to date. A newer schema than this build knows is an error: an old binary must not write into it.
func migrate(ctx context.Context, d *dialect, db *dbsql.DB) error {
	var migrations []*goose.Migration
	for i, text := range []string{schema, schema2} {
		migrations = append(migrations, goose.NewGoMigration(int64(i+1), &goose.GoFunc{RunTx: func(ctx context.Context, tx *dbsql.Tx) error {
			_, err := tx.ExecContext(ctx, d.render(text))
			return err
		}}, nil))
	}
	p, err := goose.NewProvider(goose.Dialect(d.name), db, nil, goose.WithGoMigrations(migrations...), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	known := p.ListSources()
	at, err := p.GetDBVersion(ctx)
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	if newest := known[len(known)-1].Version; at > newest {
		return fmt.Errorf("the database has schema %d, and this build knows %d: use a newer build", at, newest)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	return nil
}

// Close ends the store. Calls that come later are registry.ErrUnavailable.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	return errors.Join(s.db.Close(), s.driver.close()) // the writer goes last: its end empties the write-ahead log and unlocks the file
}

// unavailable makes an error of the database one that clients may see as "come again". Sentinels and the caller's own end pass.
func unavailable(what string, err error) error {
	if err == nil {
		return nil
	}
	if known(err) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("%w: metadata: %s: %w", registry.ErrUnavailable, what, err)
}

func known(err error) bool {
	for _, s := range []error{
		registry.ErrInvalid, registry.ErrNotFound, registry.ErrConflict, registry.ErrAlreadyExists, registry.ErrStale, registry.ErrUnavailable,
		metadata.ErrHeld, metadata.ErrBlobGone, metadata.ErrFenced,
	} {
		if errors.Is(err, s) {
			return true
		}
	}
	return false
}

// query reads rows. scan is called for each and must take all columns.
func query(ctx context.Context, q querier, d *dialect, text string, scan func(*dbsql.Rows) error, args ...any) (err error) {
	rows, err := q.QueryContext(ctx, d.text(text), args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// preparing keeps prepared statements: parsing one again costs more than most of them do.
type preparing struct {
	prepare func(ctx context.Context, query string) (*dbsql.Stmt, error)
	mu      sync.RWMutex
	stmts   map[string]*dbsql.Stmt
}

// maxStatements is above what this package has, lists over up to 64 repositories in eight shapes among them; a bound all the same.
const maxStatements = 1024

// kept returns a statement that was prepared before, or nil.
func (p *preparing) kept(query string) *dbsql.Stmt {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.stmts[query]
}

func (p *preparing) stmt(ctx context.Context, query string) (*dbsql.Stmt, error) {
	if st := p.kept(query); st != nil {
		return st, nil
	}
	// Without the lock: this waits for a connection, whose holder may be waiting for the lock.
	st, err := p.prepare(context.WithoutCancel(ctx), query)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if other := p.stmts[query]; other != nil {
		return other, st.Close()
	}
	if p.stmts == nil {
		p.stmts = map[string]*dbsql.Stmt{}
	}
	if len(p.stmts) < maxStatements { // always, with this package's own statements
		p.stmts[query] = st
	}
	return st, nil
}

func (p *preparing) ExecContext(ctx context.Context, query string, args ...any) (dbsql.Result, error) {
	st, err := p.stmt(ctx, query)
	if err != nil {
		return nil, err
	}
	return st.ExecContext(ctx, args...)
}

func (p *preparing) QueryContext(ctx context.Context, query string, args ...any) (*dbsql.Rows, error) {
	st, err := p.stmt(ctx, query)
	if err != nil {
		return nil, err
	}
	return st.QueryContext(ctx, args...)
}

// micros is a time in the database; the zero time is 0.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func moment(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

func newUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// idsOf makes a list argument of row numbers.
func idsOf[T ~int64](d *dialect, ids []T) any {
	out := make([]int64, len(ids))
	for i, id := range ids {
		out[i] = int64(id)
	}
	return d.list(out)
}

func nullable[T ~int64](id T) any {
	if id == 0 {
		return nil
	}
	return int64(id)
}
