package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"packhouse.dev/packhouse/cmd/internal/cluster"
	"packhouse.dev/packhouse/cmd/internal/cluster/clustertest"
	"packhouse.dev/packhouse/controllers/build"
	"packhouse.dev/packhouse/registry/admin"
)

const clusterYAML = `
apiVersion: packhouse.dev/v1alpha1
kind: Domain
metadata: {name: web}
spec: {}
---
apiVersion: packhouse.dev/v1alpha1
kind: Repository
metadata: {name: my-repo}
spec: {domainRef: {name: web}}
`

// inCluster is a program that takes c for its cluster.
func inCluster(name string, c *clustertest.Cluster) *program {
	p := newProgram(name)
	p.configured = func() (string, bool) { return "test", true }
	p.cluster = func(opt cluster.Options) (*cluster.Cluster, error) {
		if opt.Namespace != "" && opt.Namespace != c.Namespace {
			return nil, fmt.Errorf("namespace %q was asked for", opt.Namespace)
		}
		return c.Cluster, nil
	}
	return p
}

// podOf makes a real registry on this machine the pod of a Registry.
func podOf(t *testing.T, c *clustertest.Cluster, name string) *running {
	t.Helper()
	r := startDev(t, filepath.Join(t.TempDir(), "data"), clusterYAML)
	socket := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(r.dir, admin.SocketName))
	}}
	t.Cleanup(socket.CloseIdleConnections)
	api := &httputil.ReverseProxy{Transport: socket, Rewrite: func(p *httputil.ProxyRequest) { p.Out.URL.Scheme, p.Out.URL.Host = "http", "registry" }}
	c.AddPod(t, name, name+"-0", true)
	c.ServeAdmin(t, name, name+"-0", api)
	c.Listen(name+"-0", build.PortPackages, strings.TrimPrefix(r.Endpoint, "http://"))
	return r
}

// say runs a command to its end.
func say(t *testing.T, p *program, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	c := p.root()
	c.SetArgs(args)
	c.SetOut(&out)
	c.SetErr(&out)
	err := c.ExecuteContext(t.Context())
	return out.String(), err
}

// TestClusterCommands: every command does in a cluster what it does on this machine.
func TestClusterCommands(t *testing.T) {
	t.Parallel()
	c := clustertest.New(t, "default", "other")
	r := podOf(t, c, "default")
	p := inCluster(programName, c)
	at := []string{"--registry", "default", "-n", clustertest.Namespace}
	token := func() string {
		t.Helper()
		out, err := say(t, p, append([]string{"token", "--domain", "web"}, at...)...)
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(out)
	}
	r.Token = token()
	if got := r.ping(t, "web", "my-repo"); got != http.StatusOK {
		t.Errorf("with the token: %d", got)
	}
	if out, err := say(t, p, append([]string{"status"}, at...)...); err != nil || !strings.Contains(out, "ready since") || !strings.Contains(out, "web ") {
		t.Errorf("status: %q, %v", out, err)
	}
	if out, err := say(t, p, append([]string{"gc", "--grace", "0s"}, at...)...); err != nil || !strings.Contains(out, "0 removed") {
		t.Errorf("gc: %q, %v", out, err)
	}
	if out, err := say(t, p, append([]string{"revoke", "domain"}, at...)...); err != nil {
		t.Errorf("revoke: %q, %v", out, err)
	}
	if got := r.ping(t, "web", "my-repo"); got != http.StatusUnauthorized {
		t.Errorf("with a revoked token: %d", got)
	}
	// As kubectl's plugin without a flag: the namespace of the context has two.
	if _, err := say(t, inCluster("/usr/local/bin/kubectl-packhouse", c), "token"); !errors.Is(err, cluster.ErrAmbiguous) {
		t.Errorf("got %v", err)
	}
}

// TestClusterLogin: clients get an address that they reach from here.
func TestClusterLogin(t *testing.T) {
	log := client(t, "npm", "")
	const local = "http://127.0.0.1:4873"
	// What the operator adds to the addresses that are declared.
	own := []string{"http://packhouse-default.platform.svc.cluster.local", "http://packhouse-default.platform.svc", "http://packhouse-default.platform", "http://10.96.7.7"}
	tests := map[string]struct {
		endpoints []string
		args      []string
		pod       string // KUBERNETES_SERVICE_HOST
		want      string
		says      string
	}{
		"the first":      {endpoints: append([]string{"https://p.example.com/tools", "https://q.example.com"}, own...), want: "https://p.example.com/tools"},
		"not a wildcard": {endpoints: append([]string{"https://*.d.p.example.com", "https://p.example.com"}, own...), want: "https://p.example.com"},
		"in a pod":       {endpoints: own, pod: "10.96.0.1", want: own[0]},
		"said":           {endpoints: []string{"https://p.example.com"}, args: []string{"--endpoint", local}, want: local},
		"none":           {says: "packhouse port-forward --registry default -n platform"},
		"its own only":   {endpoints: own, says: "spec.endpoints"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Setenv(tokenVariable, "of-another-registry")
			t.Setenv("KUBERNETES_SERVICE_HOST", tt.pod)
			c := clustertest.New(t)
			c.AddRegistry(t, "default", tt.endpoints...)
			r := podOf(t, c, "default")
			if err := os.WriteFile(log, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := say(t, inCluster(programName, c), append([]string{"login", "npm", "--registry", "default"}, tt.args...)...)
			told, readErr := os.ReadFile(log)
			if tt.says != "" {
				if err == nil || !strings.Contains(err.Error(), tt.says) || len(told) > 0 {
					t.Errorf("got %v, and npm was told %q", err, told)
				}
				return
			}
			want := "registry=" + tt.want + "/web-" + r.DomainOwner + "/npm/my-repo/"
			if err != nil || readErr != nil || !strings.Contains(string(told), want) || strings.Contains(string(told), "of-another-registry") {
				t.Errorf("got %q, %v; npm was told %q", out, err, told)
			}
			_, token, _ := strings.Cut(strings.TrimSpace(string(told)), "_authToken=")
			if r.Token = token; r.ping(t, "web", "my-repo") != http.StatusOK {
				t.Error("the token is not good")
			}
		})
	}
}

// TestPortForward: the address that is printed first leads to the packages.
func TestPortForward(t *testing.T) {
	t.Parallel()
	c := clustertest.New(t, "default")
	r := podOf(t, c, "default")
	var out, errOut safeBuffer
	ctx, cancel := context.WithCancel(t.Context())
	root := inCluster(programName, c).root()
	root.SetArgs([]string{"port-forward", "-n", clustertest.Namespace, "--port", "0"})
	root.SetOut(&out)
	root.SetErr(&errOut)
	done := make(chan error, 1)
	go func() { done <- root.ExecuteContext(ctx) }()
	eventually(t, "an address", func() bool { return strings.HasSuffix(out.String(), "\n") })
	r.Endpoint = strings.TrimSpace(out.String())
	if got := r.ping(t, "web", "my-repo"); got != http.StatusOK {
		t.Errorf("through the forwarded port: %d", got)
	}
	if want := "packhouse login npm --registry default -n platform --endpoint " + r.Endpoint; !strings.Contains(errOut.String(), want) {
		t.Errorf("%q does not say %q", errOut.String(), want)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	c.RemovePod(t, "default-0")
	if out, err := say(t, inCluster(programName, c), "port-forward"); !errors.Is(err, cluster.ErrNotReady) {
		t.Errorf("without a pod: %q, %v", out, err)
	}
}

func TestListenLocal(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	if _, err := listenLocal(taken.Addr().(*net.TCPAddr).Port); err == nil || !strings.Contains(err.Error(), "another --port") {
		t.Errorf("got %v", err)
	}
	for range 2 { // whoever has the default port, the second does not get it
		l, err := listenLocal(-1)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
	}
}

// TestWhichRegistry: flags, the name of the program and what is there say which registry is meant, and what to say if none is.
func TestWhichRegistry(t *testing.T) {
	tests := map[string]struct {
		name string
		args []string
		set  func(p *program)
		says string
		not  string
	}{
		"nothing runs here":         {args: []string{"token"}, says: `context "test" say --registry NAME and -n NAMESPACE`},
		"in a pod":                  {args: []string{"token"}, set: func(p *program) { p.configured = func() (string, bool) { return "", true } }, says: "in this cluster say --registry"},
		"without a cluster":         {args: []string{"token"}, set: func(p *program) { p.configured = func() (string, bool) { return "", false } }, says: "packhouse dev --data-dir", not: "--registry"},
		"a data directory":          {args: []string{"token", "--data-dir", "x"}, says: "packhouse dev --data-dir x", not: "--registry"},
		"both":                      {args: []string{"token", "--data-dir", "x", "-n", "y"}, says: "--namespace is for a registry in a cluster"},
		"plugin, here":              {name: pluginFile, args: []string{"login", "npm", "--data-dir", "x"}, says: `start one with "kubectl packhouse dev --data-dir x"`},
		"plugin, on Windows":        {name: `kubectl-packhouse.exe`, args: []string{"status"}, says: "no Registry"},
		"a Registry that is not":    {args: []string{"gc", "--registry", "x"}, says: `no Registry "x"`},
		"another context":           {args: []string{"status", "--context", "y"}, says: "no Registry in namespace"},
		"login at another registry": {args: []string{"login", "npm", "--endpoint", "https://p.example.com"}, says: "put a token for https://p.example.com into PACKHOUSE_TOKEN"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			t.Setenv("PACKHOUSE_DATA_DIR", "")
			if tt.name == "" {
				tt.name = programName
			}
			p := inCluster(tt.name, clustertest.New(t))
			if tt.set != nil {
				tt.set(p)
			}
			out, err := say(t, p, tt.args...)
			if err == nil || !strings.Contains(err.Error(), tt.says) || tt.not != "" && strings.Contains(err.Error(), tt.not) {
				t.Errorf("got %q, %v; want %q, without %q", out, err, tt.says, tt.not)
			}
		})
	}
}

// TestPluginHelp: what kubectl's plugin says is what one types.
func TestPluginHelp(t *testing.T) {
	t.Parallel()
	p := newProgram("/home/me/bin/" + pluginFile)
	for _, args := range [][]string{{"--help"}, {"login", "--help"}, {"token", "--help"}, {"port-forward", "--help"}} {
		out, err := say(t, p, args...)
		if err != nil || !strings.Contains(out, "kubectl packhouse") {
			t.Errorf("%q: %q, %v", args, out, err)
		}
		rest := strings.ReplaceAll(out, "kubectl packhouse ", "")
		for _, c := range p.root().Commands() {
			if strings.Contains(rest, "packhouse "+c.Name()) {
				t.Errorf("%q speaks of \"packhouse %s\":\n%s", args, c.Name(), out)
			}
		}
	}
}
