package sql

import (
	"context"
	dbsql "database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/metadata"
)

// maxJoined bounds how many transactions share a commit, so that the first of them does not wait for ever.
const maxJoined = 128

// OpenSQLite opens or makes the database file at path. Another process that has it open is an error: writes are acknowledged and
// caches dropped on the word of one process.
func OpenSQLite(ctx context.Context, path string, opt Options) (*Store, error) {
	opt = opt.withDefaults(4)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	lock, err := lockFile(path + ".lock")
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	s, err := openSQLite(ctx, path, opt, lock)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, errors.Join(err, lock.Close()))
	}
	return s, nil
}

func openSQLite(ctx context.Context, path string, opt Options, lock *os.File) (_ *Store, err error) {
	if err := private(path); err != nil {
		return nil, err
	}
	writing, err := dbsql.Open("sqlite", dsn(path, "synchronous(FULL)", "cache_size(-8000)", "journal_size_limit(16777216)"))
	if err != nil {
		return nil, err
	}
	writing.SetMaxOpenConns(1)
	writing.SetMaxIdleConns(1)
	defer func() {
		if err != nil {
			err = errors.Join(err, writing.Close())
		}
	}()
	d := sqliteDialect()
	if err := migrate(ctx, d, writing); err != nil {
		return nil, err
	}
	reading, err := dbsql.Open("sqlite", dsn(path, "query_only(1)", "cache_size(-4000)"))
	if err != nil {
		return nil, err
	}
	reading.SetMaxOpenConns(opt.Readers)
	reading.SetMaxIdleConns(opt.Readers)
	conn, err := writing.Conn(ctx)
	if err != nil {
		return nil, errors.Join(err, reading.Close())
	}
	s := &Store{d: d, opt: opt, db: reading, read: &preparing{prepare: reading.PrepareContext}}
	w := &sqliteWriter{
		s: s, db: writing, conn: conn, q: &preparing{prepare: conn.PrepareContext}, lock: lock,
		jobs: make(chan *job, 1024), done: make(chan struct{}), leases: map[string]metadata.Lease{},
	}
	s.driver = w
	go w.run()
	return s, nil
}

// private makes sure that the files of the database are nobody else's. SQLite gives those beside it the mode of the database itself,
// so that one is made before SQLite would.
func private(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Chmod(path+suffix, 0o600); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

func dsn(path string, pragmas ...string) string {
	// Journals of savepoints are small and stay in memory: there may be no folder for temporary files, as in a container's read-only root.
	q := url.Values{"_pragma": append([]string{"busy_timeout(10000)", "journal_mode(WAL)", "foreign_keys(1)", "temp_store(MEMORY)"}, pragmas...)}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
}

// sqliteWriter is the one goroutine that writes.
type sqliteWriter struct {
	s    *Store
	db   *dbsql.DB
	conn *dbsql.Conn
	q    querier
	lock *os.File
	jobs chan *job
	done chan struct{}

	mu      sync.RWMutex // of closing: nobody sends on a closed channel
	closing bool

	leaseMu sync.Mutex
	leases  map[string]metadata.Lease
	token   int64
}

// job is a transaction that waits.
type job struct {
	ctx    context.Context //nolint:containedctx // of the caller
	fn     func(*tx) error
	tx     *tx
	err    error
	answer chan struct{}
}

func (w *sqliteWriter) update(ctx context.Context, fn func(*tx) error) error {
	j := &job{ctx: ctx, fn: fn, answer: make(chan struct{})}
	w.mu.RLock()
	if w.closing {
		w.mu.RUnlock()
		return errClosed
	}
	w.jobs <- j
	w.mu.RUnlock()
	// No way out on ctx: whether it was written is known only when the writer says so, and it says so soon.
	<-j.answer
	return j.err
}

var errClosed = fmt.Errorf("%w: the store is closed", registry.ErrUnavailable)

func (w *sqliteWriter) run() {
	defer close(w.done)
	for first := range w.jobs {
		batch := w.transact(first)
		for _, j := range batch {
			close(j.answer)
		}
	}
}

// transact runs first and whatever waits by then in one commit, each behind a savepoint of its own.
func (w *sqliteWriter) transact(first *job) []*job {
	ctx := context.Background()
	batch := []*job{first}
	fail := func(err error) []*job {
		for _, j := range batch {
			if j.err == nil {
				j.err = err
			}
		}
		return batch
	}
	if _, err := w.q.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return fail(err)
	}
	broken := w.step(first)
	for broken == nil && len(batch) < maxJoined {
		next := w.waiting()
		if next == nil {
			break
		}
		batch = append(batch, next)
		broken = w.step(next)
	}
	if broken == nil {
		_, broken = w.q.ExecContext(ctx, "COMMIT")
	}
	if broken != nil {
		w.rollback(ctx)
		return fail(broken)
	}
	for _, j := range batch {
		if j.err == nil && len(j.tx.changes) > 0 {
			w.s.feed.tell(j.tx.domain, j.tx.changes)
		}
	}
	return batch
}

func (w *sqliteWriter) waiting() *job {
	select {
	case j := <-w.jobs:
		return j // nil if closed
	default:
		return nil
	}
}

// rollback ends a transaction that failed. SQLite may have done so itself, as it does when the disk is full: then there is none.
func (w *sqliteWriter) rollback(ctx context.Context) {
	if _, err := w.q.ExecContext(ctx, "ROLLBACK"); err != nil {
		w.s.opt.Logger.ErrorContext(ctx, "a failed transaction was not rolled back", "error", err)
	}
}

// step runs one transaction of a batch. What fails leaves nothing. broken says that its savepoint could not be ended: then SQLite has
// given up the whole batch, and whatever came next would be a transaction of its own, committed behind everybody's back.
func (w *sqliteWriter) step(j *job) (broken error) {
	if j.err = j.ctx.Err(); j.err != nil {
		return nil
	}
	ctx := context.WithoutCancel(j.ctx) // an interrupted statement would end the whole batch
	j.tx = &tx{s: w.s, ctx: ctx, q: w.q, now: w.s.opt.Now()}
	if _, j.err = w.q.ExecContext(ctx, "SAVEPOINT job"); j.err != nil {
		return j.err
	}
	if j.err = guarded(j.fn, j.tx); j.err != nil {
		if _, err := w.q.ExecContext(ctx, "ROLLBACK TO job"); err != nil {
			return err
		}
	}
	_, err := w.q.ExecContext(ctx, "RELEASE job")
	return err
}

// guarded turns a panic of fn into an error: it would take the other transactions of the batch with it.
func guarded(fn func(*tx) error, t *tx) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic in a transaction: %v\n%s", p, debug.Stack())
		}
	}()
	return fn(t)
}

// barrier has nothing to wait for: every change of this file is made by this process and told before it is acknowledged.
func (w *sqliteWriter) barrier(context.Context, metadata.DomainID) error {
	if w.s.closed.Load() {
		return errClosed
	}
	return nil
}

// Acquire implements metadata.Leases. One process has the file, so leases are in its memory.
func (w *sqliteWriter) Acquire(_ context.Context, name string, ttl time.Duration) (metadata.Lease, error) {
	w.leaseMu.Lock()
	defer w.leaseMu.Unlock()
	now := w.s.opt.Now()
	if held, ok := w.leases[name]; ok && now.Before(held.ExpiresAt) {
		return metadata.Lease{}, fmt.Errorf("%s: %w", name, metadata.ErrHeld)
	}
	w.token++
	l := metadata.Lease{Name: name, Token: w.token, ExpiresAt: now.Add(ttl)}
	w.leases[name] = l
	return l, nil
}

// Release implements metadata.Leases.
func (w *sqliteWriter) Release(_ context.Context, l metadata.Lease) error {
	w.leaseMu.Lock()
	defer w.leaseMu.Unlock()
	if w.leases[l.Name].Token == l.Token {
		delete(w.leases, l.Name)
	}
	return nil
}

func (w *sqliteWriter) fence(_ *tx, l metadata.Lease) error {
	w.leaseMu.Lock()
	defer w.leaseMu.Unlock()
	if held := w.leases[l.Name]; held.Token != l.Token || !w.s.opt.Now().Before(held.ExpiresAt) {
		return fmt.Errorf("%s: %w", l.Name, metadata.ErrFenced)
	}
	return nil
}

func (w *sqliteWriter) close() error {
	w.mu.Lock()
	w.closing = true
	w.mu.Unlock()
	close(w.jobs)
	<-w.done
	return errors.Join(w.conn.Close(), w.db.Close(), w.lock.Close())
}
