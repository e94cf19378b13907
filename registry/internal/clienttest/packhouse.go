package clienttest

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "modernc.org/sqlite" // rows are looked at from outside
)

// nobody is an address where nobody listens.
const nobody = "http://127.0.0.1:1/"

// readyWithin is how long a start may take on a machine that is busy with other tests; the product's own bound is 1 s.
const readyWithin = 20 * time.Second

// Options say how "packhouse dev" is started.
type Options struct {
	Manifests string    // YAML; "": Samples
	Upstream  *Upstream // stands for public:npmjs; nil: URL
	URL       string    // address of public:npmjs without Upstream; "": one where nobody listens
	DataDir   string    // "": a new one; else it is used again, with the manifests that were given then if Manifests is ""
	Args      []string  // further arguments of packhouse dev
	Env       []string
}

// Packhouse is a running "packhouse dev".
type Packhouse struct {
	Endpoint string `json:"endpoint"`
	Domain   string `json:"domain"`
	Owner    string `json:"domainOwner"`
	Token    string `json:"token"` // of an administrator

	DataDir  string        `json:"-"`
	Manifest string        `json:"-"` // file that packhouse dev watches
	Log      *SafeBuffer   `json:"-"` // what it printed
	Ready    time.Duration `json:"-"` // from exec to the first answer
	PID      int           `json:"-"`

	t      testing.TB
	opts   Options
	cmd    *exec.Cmd
	exited chan struct{}
}

// SafeBuffer is a bytes.Buffer for several goroutines.
type SafeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *SafeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *SafeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// binaryVariable names the binary that is tested. Without it, Main builds one.
const binaryVariable = "PACKHOUSE_BINARY"

// Main is for TestMain: it builds cmd/packhouse, runs the tests and returns the exit code.
func Main(m *testing.M) int {
	if os.Getenv(binaryVariable) == "" {
		dir, err := os.MkdirTemp("", "packhouse-bin-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		path := filepath.Join(dir, "packhouse")
		out, err := exec.Command("go", "build", "-o", path, "packhouse.dev/packhouse/cmd/packhouse").CombinedOutput()
		if err != nil {
			fmt.Fprintf(os.Stderr, "go build ./cmd/packhouse: %v\n%s", err, out)
			return 1
		}
		if err := os.Setenv(binaryVariable, path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return m.Run()
}

// Binary is the path of the packhouse binary.
func Binary(t testing.TB) string {
	t.Helper()
	path := os.Getenv(binaryVariable)
	if path == "" {
		t.Fatal("TestMain of this package must call clienttest.Main")
	}
	return path
}

// Start runs "packhouse dev" and waits until it is ready. It is stopped when the test ends; a test that failed shows its log.
func Start(t testing.TB, opts Options) *Packhouse {
	t.Helper()
	p := &Packhouse{t: t, opts: opts, DataDir: opts.DataDir, Log: &SafeBuffer{}}
	if p.DataDir == "" {
		p.DataDir = filepath.Join(t.TempDir(), "data")
	}
	p.Manifest = filepath.Join(filepath.Dir(p.DataDir), "manifests.yaml")
	if _, err := os.Stat(p.Manifest); opts.Manifests != "" || errors.Is(err, fs.ErrNotExist) {
		p.Declare(cmp.Or(opts.Manifests, Samples()))
	}
	p.start(FreePort(t))
	t.Cleanup(func() {
		p.Stop()
		if t.Failed() {
			t.Logf("packhouse dev said:\n%s", tail(p.Log.String(), 8000))
		}
	})
	return p
}

// StartOver is Start with an address in place of an external connection's; "": one where nobody listens.
func StartOver(t testing.TB, manifests, connection, address string) *Packhouse {
	t.Helper()
	return Start(t, Options{Manifests: manifests, Args: []string{"--external-connection-url", connection + "=" + cmp.Or(address, nobody)}})
}

// Declare replaces the manifests, at once as editors do. A running registry reads them by itself.
func (p *Packhouse) Declare(manifests string) {
	p.t.Helper()
	draft := filepath.Join(filepath.Dir(p.Manifest), ".manifests.yaml")
	if err := os.WriteFile(draft, []byte(manifests), 0o600); err != nil {
		p.t.Fatal(err)
	}
	if err := os.Rename(draft, p.Manifest); err != nil {
		p.t.Fatal(err)
	}
}

func (p *Packhouse) start(listen string) {
	p.t.Helper()
	upstream := cmp.Or(p.opts.URL, nobody)
	if p.opts.Upstream != nil {
		upstream = p.opts.Upstream.URL
	}
	args := append([]string{"dev", "-f", p.Manifest, "--data-dir", p.DataDir, "--listen", listen,
		"--external-connection-url", "public:npmjs=" + upstream}, p.opts.Args...)
	p.cmd = exec.Command(Binary(p.t), args...)
	p.cmd.Env = append(os.Environ(), p.opts.Env...)
	p.cmd.Stdout, p.cmd.Stderr = p.Log, p.Log
	info := filepath.Join(p.DataDir, "dev.json")
	_ = os.Remove(info) // of an earlier start: its address would be taken for this one's
	begin := time.Now()
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.PID = p.cmd.Process.Pid
	exited := make(chan struct{})
	p.exited = exited
	cmd := p.cmd
	go func() { _ = cmd.Wait(); close(exited) }()

	for time.Since(begin) < readyWithin {
		select {
		case <-p.exited:
			p.t.Fatalf("packhouse dev ended at once:\n%s", p.Log.String())
		case <-time.After(5 * time.Millisecond):
		}
		data, err := os.ReadFile(info)
		if err != nil || json.Unmarshal(data, p) != nil {
			continue
		}
		if conn, err := net.Dial("tcp", listen); err == nil {
			_ = conn.Close()
			p.Ready = time.Since(begin)
			return
		}
	}
	p.t.Fatalf("packhouse dev was not ready within %v:\n%s", readyWithin, p.Log.String())
}

// Stop ends it as Ctrl-C does and waits. Stopping twice is fine.
func (p *Packhouse) Stop() { p.end(syscall.SIGINT) }

// Kill ends it as a power cut does for a process: nothing is flushed.
func (p *Packhouse) Kill() { p.end(syscall.SIGKILL) }

func (p *Packhouse) end(sig syscall.Signal) {
	p.t.Helper()
	_ = p.cmd.Process.Signal(sig)
	select {
	case <-p.exited:
	case <-time.After(15 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.exited
		p.t.Errorf("packhouse dev did not stop within 15 s of %v", sig)
	}
}

// Restart starts it again over the same data, at the same address, after Stop or Kill.
func (p *Packhouse) Restart() {
	p.t.Helper()
	p.start(strings.TrimPrefix(p.Endpoint, "http://"))
}

// Address is where a repository is for the clients of a format, with a slash at the end.
func (p *Packhouse) Address(format, repository string) string {
	return fmt.Sprintf("%s/%s-%s/%s/%s/", p.Endpoint, p.Domain, p.Owner, format, repository)
}

// Registry is the address that clients of npm are given for a repository.
func (p *Packhouse) Registry(repository string) string { return p.Address("npm", repository) }

// Run runs a command of the packhouse binary, such as "token", against this data directory and returns what it printed.
func (p *Packhouse) Run(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, Binary(p.t), args...).CombinedOutput()
	return string(out), err
}

// Row is what a repository remembers of a version.
type Row struct {
	Repository, Package, Version, Status, Origin string
}

// Rows reads the versions that every repository holds, past the server, ordered by repository, package and version.
func (p *Packhouse) Rows() []Row {
	p.t.Helper()
	db := p.open("ro")
	defer db.Close()
	rows, err := db.Query(`SELECT r.name, CASE WHEN p.namespace = '' THEN p.name ELSE '@' || p.namespace || '/' || p.name END,
		v.version, v.status, v.origin
		FROM version v JOIN package p ON p.id = v.package_id JOIN repository r ON r.id = p.repository_id
		ORDER BY 1, 2, 3`)
	if err != nil {
		p.t.Fatal(err)
	}
	defer rows.Close()
	var out []Row
	for rows.Next() {
		var r Row
		if err := rows.Scan(&r.Repository, &r.Package, &r.Version, &r.Status, &r.Origin); err != nil {
			p.t.Fatal(err)
		}
		out = append(out, r)
	}
	if err := rows.Err(); err != nil {
		p.t.Fatal(err)
	}
	return out
}

// SetStatus changes the status of a version in a repository past the server, which must be stopped: no npm command can.
func (p *Packhouse) SetStatus(repository, pkg, version, status string) {
	p.t.Helper()
	db := p.open("rw")
	defer db.Close()
	res, err := db.Exec(`UPDATE version SET status = ? WHERE version = ? AND package_id IN (SELECT p.id FROM package p
		JOIN repository r ON r.id = p.repository_id WHERE r.name = ? AND p.name = ?)`, status, version, repository, pkg)
	if err != nil {
		p.t.Fatal(err)
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		p.t.Fatalf("set status of %s@%s in %s: %d rows, %v", pkg, version, repository, n, err)
	}
}

func (p *Packhouse) open(mode string) *sql.DB {
	p.t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(p.DataDir, "packhouse.db")+"?mode="+mode+"&_pragma=busy_timeout(5000)")
	if err != nil {
		p.t.Fatal(err)
	}
	return db
}

// FreePort returns an address of the loopback interface that nobody listened on a moment ago.
func FreePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func tail(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return "…" + s[len(s)-n:]
}
