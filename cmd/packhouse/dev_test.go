package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const domainYAML = `apiVersion: packhouse.dev/v1alpha1
kind: Domain
metadata: {name: zoo}
spec: {}
---
apiVersion: packhouse.dev/v1alpha1
kind: Domain
metadata: {name: ark}
spec: {}
---
apiVersion: packhouse.dev/v1alpha1
kind: Repository
metadata: {name: my-repo}
spec: {domainRef: {name: zoo}}
`

const moreYAML = `---
apiVersion: packhouse.dev/v1alpha1
kind: Repository
metadata: {name: team-repo}
spec: {domainRef: {name: zoo}, upstreams: [{name: my-repo}]}
`

// safeBuffer is what the command prints.
type safeBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}
func (b *safeBuffer) String() string { b.mu.Lock(); defer b.mu.Unlock(); return b.b.String() }

// running is a "packhouse dev" in this process.
type running struct {
	devFile
	dir, manifest string
	out           *safeBuffer
	stop          func() error
}

func startDev(t *testing.T, dir, yaml string, args ...string) *running {
	t.Helper()
	r := &running{dir: dir, manifest: filepath.Join(filepath.Dir(dir), "m.yaml"), out: &safeBuffer{}}
	write(t, r.manifest, yaml)
	ctx, cancel := context.WithCancel(context.Background())
	c := newProgram(programName).root()
	c.SetArgs(append([]string{"dev", "-f", r.manifest, "--data-dir", dir, "--listen", "127.0.0.1:0"}, args...))
	c.SetOut(r.out)
	c.SetErr(r.out)
	done := make(chan error, 1)
	go func() { done <- c.ExecuteContext(ctx) }()
	r.stop = sync.OnceValue(func() error { cancel(); return <-done })
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Errorf("packhouse dev: %v", err)
		}
		if t.Failed() {
			t.Logf("it said:\n%s", r.out)
		}
	})
	eventually(t, "dev.json", func() bool {
		select {
		case err := <-done:
			done <- err // for stop
			t.Fatalf("packhouse dev ended: %v\n%s", err, r.out)
		default:
		}
		b, err := os.ReadFile(filepath.Join(dir, devFileName))
		return err == nil && json.Unmarshal(b, &r.devFile) == nil && strings.Contains(r.out.String(), r.Endpoint)
	})
	return r
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func eventually(t *testing.T, what string, ok func() bool) time.Duration {
	t.Helper()
	begin := time.Now()
	for !ok() {
		if time.Since(begin) > 10*time.Second {
			t.Fatalf("%s: not within 10 s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
	return time.Since(begin)
}

// ping asks a repository with the administrator's token.
func (r *running) ping(t *testing.T, domain, repository string) int {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, r.Endpoint+"/"+domain+"-"+r.DomainOwner+"/npm/"+repository+"/-/ping", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+r.Token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

func TestDev(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	r := startDev(t, dir, domainYAML)
	if r.Domain != "zoo" || r.DomainOwner != defaultAccount || r.Region != "local" || !strings.HasPrefix(r.AccessKeyID, "AKIA") || len(r.AccessKeyID) != 20 || len(r.SecretAccessKey) != 40 {
		t.Errorf("dev.json: %+v", r.devFile)
	}
	for _, name := range []string{devFileName, "sealing.key", "admin.sock", "packhouse.db"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	if got := r.ping(t, "zoo", "my-repo"); got != 200 {
		t.Errorf("my-repo: %d", got)
	}
	if got := r.ping(t, "ark", "my-repo"); got != 401 {
		t.Errorf("the token at another domain: %d", got)
	}
	if got := r.ping(t, "zoo", "team-repo"); got != 404 {
		t.Errorf("team-repo before it is declared: %d", got)
	}
	write(t, r.manifest, domainYAML+moreYAML)
	if took := eventually(t, "team-repo", func() bool { return r.ping(t, "zoo", "team-repo") == 200 }); took > time.Second {
		t.Errorf("a change was served after %v", took)
	}

	write(t, r.manifest, domainYAML+strings.Replace(moreYAML, "upstreams", "upstream", 1))
	eventually(t, "the complaint", func() bool {
		return strings.Contains(r.out.String(), r.manifest+":14: ") || strings.Contains(r.out.String(), "spec.upstream")
	})
	if got := r.ping(t, "zoo", "team-repo"); got != 200 {
		t.Errorf("the last good configuration is not in force: %d", got)
	}
	write(t, r.manifest, domainYAML)
	eventually(t, "the end of team-repo", func() bool { return r.ping(t, "zoo", "team-repo") == 404 })
	if err := r.stop(); err != nil {
		t.Errorf("stop: %v", err)
	}

	again := startDev(t, dir, domainYAML)
	if again.AccessKeyID != r.AccessKeyID || again.SecretAccessKey != r.SecretAccessKey {
		t.Error("the access key is another one after a restart")
	}
	again.Token = r.Token
	if got := again.ping(t, "zoo", "my-repo"); got != 200 {
		t.Errorf("the token from before the restart: %d", got)
	}
}

func TestDevWithoutDomain(t *testing.T) {
	t.Parallel()
	r := startDev(t, filepath.Join(t.TempDir(), "data"), "apiVersion: packhouse.dev/v1alpha1\nkind: Registry\nmetadata: {name: default}\nspec: {}\n")
	eventually(t, "the advice", func() bool { return strings.Contains(r.out.String(), "No domain is declared yet") })
	write(t, r.manifest, domainYAML)
	eventually(t, "the domain in dev.json", func() bool {
		b, err := os.ReadFile(filepath.Join(r.dir, devFileName))
		return err == nil && json.Unmarshal(b, &r.devFile) == nil && r.Domain == "zoo"
	})
	if got := r.ping(t, "zoo", "my-repo"); got != 200 {
		t.Errorf("my-repo: %d", got)
	}
}

// TestDevRefuses: what cannot be started says why.
func TestDevRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	good, bad := filepath.Join(dir, "good.yaml"), filepath.Join(dir, "bad.yaml")
	write(t, good, domainYAML)
	write(t, bad, domainYAML+"---\nkind: Nonsense\n")
	tests := map[string]struct {
		args []string
		says string
	}{
		"no file":            {[]string{}, "-f PATH"},
		"unknown file":       {[]string{"-f", filepath.Join(dir, "none.yaml")}, "none.yaml"},
		"broken manifest":    {[]string{"-f", bad}, "bad.yaml:"},
		"unknown connection": {[]string{"-f", good, "--external-connection-url", "public:nothing=http://x"}, "public:nothing"},
		"no address":         {[]string{"-f", good, "--external-connection-url", "public:npmjs"}, "NAME=URL"},
		"half of TLS":        {[]string{"-f", good, "--tls-key-file", good}, "--tls-cert-file and --tls-key-file go together"},
		"no certificate":     {[]string{"-f", good, "--tls-cert-file", good, "--tls-key-file", good}, "failed to find any PEM data"},
		"bad address":        {[]string{"-f", good, "--listen", "127.0.0.1:x"}, "unknown port"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out := &safeBuffer{}
			c := newProgram(programName).root()
			c.SetArgs(append([]string{"dev", "--listen", "127.0.0.1:0", "--data-dir", filepath.Join(t.TempDir(), "data")}, tt.args...))
			c.SetOut(out)
			c.SetErr(out)
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			err := c.ExecuteContext(ctx)
			if err == nil || !strings.Contains(out.String()+err.Error(), tt.says) {
				t.Errorf("got %v, %s; want %q", err, out, tt.says)
			}
		})
	}
}

func TestEveryCommandHasHelp(t *testing.T) {
	t.Parallel()
	for _, c := range newProgram(programName).root().Commands() {
		if c.Short == "" || c.Name() != "version" && (c.Example == "" || c.Runnable() && c.RunE == nil) {
			t.Errorf("%s: no help or no example", c.Name())
		}
	}
}
