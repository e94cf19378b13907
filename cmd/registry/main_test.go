package main

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"packhouse.dev/packhouse/registry/admin"
	"packhouse.dev/packhouse/registry/config"
)

// running is the command, running.
type running struct {
	Msg, Listen, Metrics, Admin string // as it says when it serves
	log                         *lockedBuffer
	interrupt                   func()       // as SIGTERM does
	wait                        func() error // until it has ended
}

// lockedBuffer is a buffer that can be read while it is written to.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// start runs the command and returns when it serves.
func start(t *testing.T, args ...string) (_ *running, stop func()) {
	t.Helper()
	r, w := io.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	run := &running{log: &lockedBuffer{}, interrupt: cancel}
	c := command()
	c.SetArgs(append([]string{"--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"}, args...))
	c.SetErr(io.MultiWriter(run.log, w))
	done := make(chan error, 1)
	go func() {
		err := c.ExecuteContext(ctx)
		_ = w.CloseWithError(err)
		done <- err
	}()
	run.wait = sync.OnceValue(func() error { return <-done })
	lines := bufio.NewScanner(r)
	for run.Msg != "serving" {
		if !lines.Scan() {
			cancel()
			t.Fatalf("it ended: %v", run.wait())
		}
		if err := json.Unmarshal(lines.Bytes(), run); err != nil {
			t.Fatalf("%s: %v", lines.Bytes(), err)
		}
	}
	go func() { _, _ = io.Copy(io.Discard, r) }()
	return run, func() {
		cancel()
		if err := run.wait(); err != nil {
			t.Error(err)
		}
	}
}

func get(t *testing.T, url, token string) int { return do(t, http.MethodGet, url, token, "") }

func put(t *testing.T, url, token, body string) int { return do(t, http.MethodPut, url, token, body) }

func do(t *testing.T, method, url, token, body string) int {
	t.Helper()
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

// TestRegistry: what is declared over the socket is served, also after a restart, with the tokens from before.
func TestRegistry(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	said, stop := start(t, "--data-dir", dir)
	for _, path := range []string{"/-/healthz", "/-/readyz", "/metrics"} {
		if got := get(t, "http://"+said.Metrics+path, ""); got != 200 {
			t.Errorf("%s: %d", path, got)
		}
	}
	if got := get(t, "http://"+said.Listen+"/metrics", ""); got != 404 {
		t.Errorf("metrics on the port of packages: %d", got)
	}
	c := admin.OpenDir(dir)
	_, err := c.Apply(t.Context(), admin.Configuration{
		Registry: &config.Registry{Schema: config.Schema, Partition: "aws", Region: "local"},
		Domains: []config.Domain{{
			Schema: config.Schema, Owner: "111122223333", Name: "web", Holder: "ns",
			Repositories: []config.Repository{{Name: "r", Administrator: "111122223333", AdministratorUID: "ns"}},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	tok, err := c.Token(t.Context(), admin.TokenRequest{})
	if err != nil {
		t.Fatal(err)
	}
	const path = "/web-111122223333/npm/r/-/ping"
	if got := get(t, "http://"+said.Listen+path, tok.Token); got != 200 {
		t.Errorf("ping: %d", got)
	}
	if got := put(t, "http://"+said.Listen+"/web-111122223333/generic/r/tools/drill/1.0/drill.txt", tok.Token, "bits"); got != 201 {
		t.Errorf("publish: %d", got)
	}
	groups, err := c.Groups(t.Context())
	want := &admin.Groups{Domains: []admin.DomainGroups{{Name: "web", Owner: "111122223333", Packages: map[string]int64{"/*": 1}}}}
	if diff := cmp.Diff(want, groups); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	stop()
	said, stop = start(t, "--data-dir", dir)
	defer stop()
	if got := get(t, "http://"+said.Listen+path, tok.Token); got != 200 {
		t.Errorf("ping after a restart: %d", got)
	}
	if err := admin.OpenDir(dir).Revoke(t.Context(), admin.Revocation{Kind: "token", Value: tok.ID}); err != nil {
		t.Fatal(err)
	}
	if got := get(t, "http://"+said.Listen+path, tok.Token); got != 401 {
		t.Errorf("ping with a revoked token: %d", got)
	}
}

func TestRefuses(t *testing.T) {
	t.Parallel()
	empty := filepath.Join(t.TempDir(), "dsn")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"no database file":        {"--database-file", filepath.Join(t.TempDir(), "none")},
		"an empty database file":  {"--database-file", empty},
		"an address that is none": {"--listen", "127.0.0.1:x"},
		"no certificates":         {"--admin-listen", "127.0.0.1:0"},
		"certificates for nobody": {"--admin-tls-dir", t.TempDir()},
		"no certificates there":   {"--admin-listen", "127.0.0.1:0", "--admin-tls-dir", t.TempDir()},
		"no sealing key":          {"--sealing-key-file", filepath.Join(t.TempDir(), "none")},
	} {
		c := command()
		c.SetArgs(append([]string{"--data-dir", t.TempDir(), "--metrics-listen", ""}, args...))
		c.SetErr(io.Discard)
		if err := c.ExecuteContext(t.Context()); err == nil {
			t.Errorf("%s: it ran", name)
		}
	}
}

func TestCollect(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, stop := start(t, "--data-dir", dir)
	defer stop()
	for _, grace := range []time.Duration{-1, 0, time.Hour} {
		got, err := admin.OpenDir(dir).Collect(t.Context(), admin.CollectRequest{Grace: config.Duration(grace)})
		if err != nil || *got != (admin.Collected{}) {
			t.Errorf("grace %v: %+v, %v", grace, got, err)
		}
	}
}

// tgz packs a package.json as npm does.
func tgz(t *testing.T, manifest string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	err := w.WriteHeader(&tar.Header{Name: "package/package.json", Mode: 0o644, Size: int64(len(manifest))})
	if err == nil {
		_, err = io.WriteString(w, manifest)
	}
	if err = errors.Join(err, w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
