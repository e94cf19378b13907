package sql_test

import (
	"context"
	dbsql "database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/metadata"
	"packhouse.dev/packhouse/registry/metadata/metadatatest"
	"packhouse.dev/packhouse/registry/metadata/sql"
)

// server is a PostgreSQL of the tests, on a socket in a folder of its own.
type server struct {
	dir  string
	cmd  *exec.Cmd
	next atomic.Int32
}

var postgres = sync.OnceValues(startPostgres)

func TestMain(m *testing.M) {
	code := m.Run()
	if s, err := postgres(); err == nil {
		s.stop()
	}
	os.Exit(code)
}

// program finds a program of PostgreSQL, also where Debian keeps them.
func program(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if err != nil || len(found) == 0 {
		return "", fmt.Errorf("%s is not installed", name)
	}
	return found[len(found)-1], nil
}

func startPostgres() (*server, error) {
	initdb, err := program("initdb")
	if err != nil {
		return nil, err
	}
	daemon, err := program("postgres")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "pg")
	if err != nil {
		return nil, err
	}
	s := &server{dir: dir}
	attr, err := ordinaryUser(dir)
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	init := exec.Command(initdb, "-D", data, "-U", "packhouse", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	init.SysProcAttr, init.Dir = attr, dir
	if out, err := init.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	s.cmd = exec.Command(daemon, "-D", data, "-k", dir, "-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=200")
	s.cmd.SysProcAttr, s.cmd.Dir = attr, dir
	log, err := os.Create(filepath.Join(os.TempDir(), filepath.Base(dir)+".log"))
	if err != nil {
		return nil, err
	}
	defer os.Remove(log.Name())
	defer log.Close()
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	for range 200 {
		if _, err := s.exec("CREATE DATABASE base"); err == nil {
			return s, s.migrateBase()
		}
		time.Sleep(50 * time.Millisecond)
	}
	out, _ := os.ReadFile(log.Name())
	s.stop()
	return nil, fmt.Errorf("PostgreSQL does not answer:\n%s", out)
}

// migrateBase makes the database that those of the tests are copied from: migrating each would take most of their time.
func (s *server) migrateBase() error {
	store, err := sql.OpenPostgres(context.Background(), s.dsn("base"), sql.Options{})
	if err != nil {
		return err
	}
	return store.Close()
}

// ordinaryUser gives dir away if the tests run as root, as which PostgreSQL does not run.
func ordinaryUser(dir string) (*syscall.SysProcAttr, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("nobody")
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	if err := os.Chown(dir, int(uid), int(gid)); err != nil {
		return nil, err
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
}

func (s *server) dsn(database string) string {
	return fmt.Sprintf("host=%s user=packhouse dbname=%s", s.dir, database)
}

func (s *server) exec(text string) (dbsql.Result, error) {
	db, err := dbsql.Open("pgx", s.dsn("postgres"))
	if err != nil {
		return nil, err
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return db.ExecContext(ctx, text)
}

func (s *server) stop() {
	if s.cmd != nil && s.cmd.Process != nil {
		_ = s.cmd.Process.Signal(syscall.SIGINT)
		_ = s.cmd.Wait()
	}
	_ = os.RemoveAll(s.dir)
}

// startedPostgres skips the test, loudly, where PostgreSQL is not installed; with REQUIRE_POSTGRES that is a failure.
func startedPostgres(t *testing.T) *server {
	t.Helper()
	s, err := postgres()
	switch {
	case err == nil:
		return s
	case os.Getenv("REQUIRE_POSTGRES") != "":
		t.Fatalf("PostgreSQL is required: %v", err)
	default:
		t.Skipf("SKIPPED: PostgreSQL: %v", err)
	}
	return nil
}

// database makes an empty database and returns its connection string.
func database(t *testing.T) string {
	t.Helper()
	s := startedPostgres(t)
	name := fmt.Sprintf("t%d", s.next.Add(1))
	if _, err := s.exec("CREATE DATABASE " + name + " TEMPLATE base"); err != nil {
		t.Fatal(err)
	}
	return s.dsn(name)
}

func openPostgres(t *testing.T, dsn string) *sql.Store {
	t.Helper()
	s, err := sql.OpenPostgres(t.Context(), dsn, sql.Options{Readers: 8})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestPostgres(t *testing.T) {
	startedPostgres(t)
	metadatatest.Run(t, func(t *testing.T) metadata.Store { return openPostgres(t, database(t)) })
}

// What one replica acknowledged another has heard of when its barrier returns.
func TestPostgresReplicas(t *testing.T) {
	dsn := database(t)
	a, b := openPostgres(t, dsn), openPostgres(t, dsn)
	got, err := a.Declare(t.Context(), metadata.Declaration{
		Ref: registry.DomainRef{Owner: "111122223333", Name: "d"}, Holder: "h", Generation: 1, Body: []byte("{}"),
		Repositories: []metadata.DeclaredRepository{{Name: "r", Administrator: "h"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	domain, repository := got.Domain.ID, got.Repositories[0].ID
	id := registry.PackageID{Format: "npm", Name: "p"}
	var heard atomic.Int64
	b.Follow(func(d metadata.DomainID, changes []metadata.Change) {
		if d == domain && len(changes) > 0 {
			heard.Store(changes[len(changes)-1].Number)
		}
	})
	if err := b.Barrier(t.Context(), domain); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 25 {
				n, err := a.Update(t.Context(), domain, func(tx metadata.Tx) error {
					if _, _, err := tx.EnsurePackage(repository, id, "p", registry.OriginControls{}, metadata.ByArrival); err != nil {
						return err
					}
					return tx.Record(metadata.Change{Kind: metadata.PackageChanged, Repository: repository, Package: id})
				})
				if err == nil {
					err = b.Barrier(t.Context(), domain)
				}
				if err != nil {
					t.Error(err)
					return
				}
				if heard.Load() < n {
					t.Errorf("after its barrier a replica has heard of %d, not of %d", heard.Load(), n)
				}
			}
		})
	}
	wg.Wait()
}

// A replica that was away while changes were trimmed is told that it missed some.
func TestPostgresTrimmed(t *testing.T) {
	dsn := database(t)
	a, b := openPostgres(t, dsn), openPostgres(t, dsn)
	var lost atomic.Bool
	b.Follow(func(_ metadata.DomainID, changes []metadata.Change) { lost.Store(changes == nil) })
	if err := b.Barrier(t.Context(), metadata.RegistryDomain); err != nil {
		t.Fatal(err)
	}
	lost.Store(false)
	for g := range 2 {
		if _, err := a.Declare(t.Context(), metadata.Declaration{Generation: int64(g + 1), Body: fmt.Append(nil, g)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.TrimChanges(t.Context(), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := b.Barrier(t.Context(), metadata.RegistryDomain); err != nil || !lost.Load() {
		t.Errorf("told of the loss: %v, %v", lost.Load(), err)
	}
}

func TestPostgresGone(t *testing.T) {
	s := startedPostgres(t)
	name := fmt.Sprintf("t%d", s.next.Add(1))
	if _, err := s.exec("CREATE DATABASE " + name); err != nil {
		t.Fatal(err)
	}
	store := openPostgres(t, s.dsn(name))
	if _, err := s.exec("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"Barrier": store.Barrier(t.Context(), 0),
		"Domains": func() error { _, err := store.Domains(t.Context()); return err }(),
	} {
		if !errors.Is(err, registry.ErrUnavailable) {
			t.Errorf("%s without a database = %v", what, err)
		}
	}
}

func TestConnectionStringIsNotToldInErrors(t *testing.T) {
	_, err := sql.OpenPostgres(t.Context(), "postgres://u:secret@host:notaport/db", sql.Options{})
	if err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("error = %v", err)
	}
}
