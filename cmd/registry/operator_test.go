package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io"
	"io/fs"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/admin"
	"packhouse.dev/packhouse/registry/config"
)

// certificates writes tls.crt, tls.key and ca.crt into a new folder, of one certificate that is its own authority and is good for both
// sides, and returns the folder and the transport of a client that shows it.
func certificates(t *testing.T) (dir string, client *http.Transport) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"admin"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	b, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert, keyPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: b})
	dir = t.TempDir()
	for name, b := range map[string][]byte{"tls.crt": cert, "tls.key": keyPEM, "ca.crt": cert} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pair, err := tls.X509KeyPair(cert, keyPEM)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(cert)
	client = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "admin", Certificates: []tls.Certificate{pair}}}
	t.Cleanup(client.CloseIdleConnections)
	return dir, client
}

// startForOperator starts the command as the operator does, and returns a client of the admin port.
func startForOperator(t *testing.T, args ...string) (*running, *admin.Client) {
	t.Helper()
	dir, transport := certificates(t)
	key := filepath.Join(t.TempDir(), "sealing.key")
	if err := os.WriteFile(key, []byte(base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("k"), 32))), 0o440); err != nil {
		t.Fatal(err)
	}
	run, stop := start(t, append([]string{"--admin-listen", "127.0.0.1:0", "--admin-tls-dir", dir, "--sealing-key-file", key}, args...)...)
	t.Cleanup(stop)
	return run, admin.NewClient("https://"+run.Admin, &http.Client{Transport: transport})
}

func configuration(generation int64, repositories ...config.Repository) admin.Configuration {
	d := config.Domain{Schema: config.Schema, Owner: "111122223333", Name: "web", Holder: "ns"}
	for _, r := range repositories {
		r.Administrator, r.AdministratorUID = d.Owner, "ns"
		d.Repositories = append(d.Repositories, r)
	}
	return admin.Configuration{
		Epoch: 1, Generation: generation, Registry: &config.Registry{Schema: config.Schema, Partition: "aws", Region: "local"}, Domains: []config.Domain{d},
	}
}

func mustApply(t *testing.T, c *admin.Client, q admin.Configuration) {
	t.Helper()
	if got, err := c.Apply(t.Context(), q); err != nil || len(got.Problems) > 0 {
		t.Fatalf("%+v, %v", got, err)
	}
}

func token(t *testing.T, c *admin.Client) string {
	t.Helper()
	tok, err := c.Token(t.Context(), admin.TokenRequest{Domain: "web"})
	if err != nil {
		t.Fatal(err)
	}
	return tok.Token
}

// publish puts a package as npm does.
func publish(t *testing.T, run *running, token, repository, version string) int {
	t.Helper()
	tarball := base64.StdEncoding.EncodeToString(tgz(t, `{"name":"p","version":"`+version+`"}`))
	body := `{"_id":"p","name":"p","dist-tags":{"latest":"` + version + `"},"versions":{"` + version + `":{"name":"p","version":"` + version + `"}},` +
		`"_attachments":{"p-` + version + `.tgz":{"content_type":"application/octet-stream","data":"` + tarball + `"}}}`
	r, err := http.NewRequest(http.MethodPut, "http://"+run.Listen+"/web-111122223333/npm/"+repository+"/p", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

// TestRemovals: what is removed is gone at once, its name is free, and tokens of a removed domain are good for nothing.
func TestRemovals(t *testing.T) {
	t.Parallel()
	run, c := startForOperator(t, "--data-dir", t.TempDir())
	mustApply(t, c, configuration(1, config.Repository{Name: "r"}, config.Repository{Name: "s"}))
	tok := token(t, c)
	if got := publish(t, run, tok, "r", "1.0.0"); got != 200 && got != 201 {
		t.Fatalf("publish: %d", got)
	}
	address := "http://" + run.Listen + "/web-111122223333/npm/r/p"
	is := func(what string, want int) {
		t.Helper()
		if got := get(t, address, tok); got != want {
			t.Errorf("%s: %d, want %d", what, got, want)
		}
	}
	is("published", 200)
	repository := admin.Removal{Domain: "web", Owner: "111122223333", Repository: "r", Holder: "ns"}
	if err := c.Remove(t.Context(), repository); !errors.Is(err, registry.ErrConflict) {
		t.Errorf("a declared repository: %v", err)
	}
	mustApply(t, c, configuration(2, config.Repository{Name: "s"}))
	st, err := c.Status(t.Context())
	if err != nil || st.Generation != 2 || len(st.Domains) != 1 || strings.Join(st.Domains[0].Retained, " ") != "r" {
		t.Errorf("status: %+v, %v", st, err)
	}
	is("detached", 404)
	for range 2 {
		if err := c.Remove(t.Context(), repository); err != nil {
			t.Fatal(err)
		}
	}
	mustApply(t, c, configuration(3, config.Repository{Name: "r"}, config.Repository{Name: "s"}))
	is("declared again", 404)
	if got, err := c.Collect(t.Context(), admin.CollectRequest{}); err != nil || got.Cleared != 1 || got.Deleted != 1 {
		t.Errorf("collected %+v, %v", got, err)
	}

	none := configuration(4)
	none.Domains = nil
	mustApply(t, c, none)
	if err := c.Remove(t.Context(), admin.Removal{Domain: "web", Owner: "111122223333", Holder: "ns"}); err != nil {
		t.Fatal(err)
	}
	is("of a removed domain", 401)
	mustApply(t, c, configuration(5, config.Repository{Name: "r"}))
	is("of a domain of the same name", 401)
	tok = token(t, c)
	is("with its own token", 404)
}

// TestConfigurationComesBack: what a new leader of the operator reads is what the last one applied.
func TestConfigurationComesBack(t *testing.T) {
	t.Parallel()
	_, c := startForOperator(t, "--data-dir", t.TempDir())
	if got, err := c.Configuration(t.Context()); err != nil || got.Registry != nil {
		t.Errorf("before anything was applied: %+v, %v", got, err)
	}
	want := configuration(7, config.Repository{Name: "r"})
	mustApply(t, c, want)
	got, err := c.Configuration(t.Context())
	if err != nil || got.Epoch != 1 || got.Generation != 7 || len(got.Domains) != 1 || got.Domains[0].Repositories[0].Name != "r" {
		t.Errorf("got %+v, %v", got, err)
	}
	mustApply(t, c, *got) // and can be applied as it is
	got.Generation = 6
	if _, err := c.Apply(t.Context(), *got); !errors.Is(err, registry.ErrStale) {
		t.Errorf("lower numbers: %v", err)
	}
}

// TestSecretsReachConnections: a secret is used for its host, is nowhere to be read, and is forgotten when it is not pushed again.
func TestSecretsReachConnections(t *testing.T) {
	t.Parallel()
	const canary = "c4nary-s3cret"
	var told atomic.Value
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		told.Store(r.Header.Get("Authorization"))
		http.NotFound(w, r)
	}))
	defer upstream.Close()
	dir := t.TempDir()
	run, c := startForOperator(t, "--data-dir", dir, "--verbose")
	q := configuration(1, config.Repository{Name: "r", Connections: []string{"ns:private"}})
	q.Domains[0].Connections = []config.Connection{{
		Name: "ns:private", Format: "npm", URL: upstream.URL + "/", Credentials: "ns/private", AllowPrivateAddresses: true, AbsentFresh: config.Duration(time.Nanosecond),
	}}
	mustApply(t, c, q)
	tok := token(t, c)
	ask := func(what string, secrets []admin.Secret, status int, want any) {
		t.Helper()
		if err := c.PutSecrets(t.Context(), admin.Secrets{Secrets: secrets}); err != nil {
			t.Fatal(err)
		}
		told = atomic.Value{}
		if got := get(t, "http://"+run.Listen+"/web-111122223333/npm/r/"+what, tok); got != status || told.Load() != want {
			t.Errorf("%s: status %d, the upstream was told %v; want %d, %v", what, got, told.Load(), status, want)
		}
	}
	host := strings.TrimPrefix(upstream.URL, "http://")
	ask("no-secret", nil, 503, nil)
	ask("token", []admin.Secret{{Name: "ns/private", Host: host, Token: canary}}, 404, "Bearer "+canary)
	ask("for-another-host", []admin.Secret{{Name: "ns/private", Host: "npm.example.com", Token: canary}}, 503, nil)
	ask("of-another-name", []admin.Secret{{Name: "ns/other", Host: host, Token: canary}}, 503, nil)
	if err := c.PutSecrets(t.Context(), admin.Secrets{Secrets: []admin.Secret{{Name: "ns/private", Host: host, Token: canary}}}); err != nil {
		t.Fatal(err)
	}
	run.interrupt()
	if err := run.wait(); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(run.log.String(), canary) {
		t.Error("the log has a secret")
	}
	if err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte(canary)) {
			t.Errorf("%s has a secret", path)
		}
		return err
	}); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "sealing.key")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a sealing key in the data directory beside the given one: %v", err)
	}
}

// TestDrain is the end of a pod: readiness says no while requests are still taken, a request under way finishes, and health is told to
// the end.
func TestDrain(t *testing.T) {
	t.Parallel()
	run, c := startForOperator(t, "--data-dir", t.TempDir(), "--drain-delay", "1s")
	mustApply(t, c, configuration(1, config.Repository{Name: "r"}))
	tok := token(t, c)
	ready := func() int { return get(t, "http://"+run.Metrics+"/-/readyz", "") }
	ping := func() int { return get(t, "http://"+run.Listen+"/web-111122223333/npm/r/-/ping", tok) }
	if ready() != 200 || ping() != 200 {
		t.Fatal("it does not serve")
	}
	// An upload that is slower than the delay.
	body, upload := io.Pipe()
	uploaded := make(chan int, 1)
	go func() {
		r, err := http.NewRequest(http.MethodPut, "http://"+run.Listen+"/web-111122223333/npm/r/p", body)
		if err != nil {
			t.Error(err)
			return
		}
		r.Header.Set("Authorization", "Bearer "+tok)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Error(err)
			uploaded <- 0
			return
		}
		resp.Body.Close()
		uploaded <- resp.StatusCode
	}()
	if _, err := io.WriteString(upload, `{"_id":`); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	run.interrupt()
	for ready() != 503 {
		if time.Since(began) > 900*time.Millisecond {
			t.Fatal("it is still ready")
		}
		time.Sleep(5 * time.Millisecond)
	}
	if got := ping(); got != 200 {
		t.Errorf("a request after readiness said no: %d", got)
	}
	for refused := func() bool { return !dials(run.Listen) }; !refused(); time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > 5*time.Second {
			t.Fatal("it still takes connections")
		}
	}
	if took := time.Since(began); took < time.Second {
		t.Errorf("it closed after %v", took)
	}
	if got := ready(); got != 503 {
		t.Errorf("readiness while a request is under way: %d", got)
	}
	if got := get(t, "http://"+run.Metrics+"/-/healthz", ""); got != 200 {
		t.Errorf("health while a request is under way: %d", got)
	}
	if _, err := io.WriteString(upload, `"p"}`); err != nil {
		t.Errorf("the upload was cut: %v", err)
	}
	upload.Close()
	if got := <-uploaded; got != 400 { // it is no package; what matters is that it was answered
		t.Errorf("the request under way: %d", got)
	}
	if err := run.wait(); err != nil {
		t.Error(err)
	}
}

func dials(addr string) bool {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}
