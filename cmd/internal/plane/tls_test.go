package plane

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// authority issues certificates.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

const serverName = "admin.default.packhouse.packhouse.internal"

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{t: t, cert: cert, key: key, pem: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
}

// issue makes a certificate with its key, in PEM.
func (a *authority) issue(usage x509.ExtKeyUsage, life time.Duration) (cert, key []byte) {
	a.t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "leaf"}, DNSNames: []string{serverName},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(life), ExtKeyUsage: []x509.ExtKeyUsage{usage},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &k.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	b, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		a.t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: b})
}

// write puts a server's files into a folder.
func (a *authority) write(dir string) {
	a.t.Helper()
	cert, key := a.issue(x509.ExtKeyUsageServerAuth, time.Hour)
	writeFiles(a.t, dir, map[string][]byte{certificateFile: cert, keyFileTLS: key, authorityFile: a.pem})
}

func writeFiles(t *testing.T, dir string, files map[string][]byte) {
	t.Helper()
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// client returns a client that trusts the authority and shows a certificate, if there is one.
func (a *authority) client(cert, key []byte) *http.Client {
	a.t.Helper()
	c := &tls.Config{RootCAs: x509.NewCertPool(), ServerName: serverName}
	c.RootCAs.AddCert(a.cert)
	if cert != nil {
		pair, err := tls.X509KeyPair(cert, key)
		if err != nil {
			a.t.Fatal(err)
		}
		// As given, also if the server did not ask for one of this authority.
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	transport := &http.Transport{TLSClientConfig: c}
	a.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 10 * time.Second}
}

// serveTLS serves "hello" and returns the address.
func serveTLS(t *testing.T, dir string) string {
	t.Helper()
	m, err := openMutualTLS(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := m.server(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hello")) }))
	go func() { _ = s.Serve(tls.NewListener(l, m.config())) }()
	t.Cleanup(func() { _ = s.Close() })
	return "https://" + l.Addr().String()
}

func status(t *testing.T, c *http.Client, url string) (int, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(r)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body) // so that the connection is used again
	return resp.StatusCode, err
}

func TestMutualTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a, other := newAuthority(t), newAuthority(t)
	a.write(dir)
	url := serveTLS(t, dir)
	good, goodKey := a.issue(x509.ExtKeyUsageClientAuth, time.Hour)
	if got, err := status(t, a.client(good, goodKey), url); got != http.StatusOK || err != nil {
		t.Errorf("a good certificate: %d, %v", got, err)
	}
	foreign, foreignKey := other.issue(x509.ExtKeyUsageClientAuth, time.Hour)
	servers, serversKey := a.issue(x509.ExtKeyUsageServerAuth, time.Hour)
	expired, expiredKey := a.issue(x509.ExtKeyUsageClientAuth, -time.Hour)
	for name, c := range map[string]*http.Client{
		"none": a.client(nil, nil), "of another authority": a.client(foreign, foreignKey),
		"for servers": a.client(servers, serversKey), "expired": a.client(expired, expiredKey),
	} {
		if got, err := status(t, c, url); err == nil {
			t.Errorf("a certificate %s: %d", name, got)
		}
	}
	old := a.client(good, goodKey)
	old.Transport.(*http.Transport).TLSClientConfig.MaxVersion = tls.VersionTLS12
	if got, err := status(t, old, url); err == nil {
		t.Errorf("TLS 1.2: %d", got)
	}
	if got, err := status(t, &http.Client{}, strings.Replace(url, "https", "http", 1)); err == nil && got == http.StatusOK {
		t.Error("it answers without TLS")
	}
}

// TestRotation: new files are used without a restart, and what is open does not outlive them.
func TestRotation(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a, b := newAuthority(t), newAuthority(t)
	a.write(dir)
	url := serveTLS(t, dir)
	cert, key := a.issue(x509.ExtKeyUsageClientAuth, time.Hour)
	before := a.client(cert, key)
	is := func(what string, c *http.Client, want int) {
		t.Helper()
		if got, err := status(t, c, url); got != want {
			t.Errorf("%s: %d, %v; want %d", what, got, err, want)
		}
	}
	is("before", before, http.StatusOK)
	// In the middle of writing, the files do not go together.
	cert, key = b.issue(x509.ExtKeyUsageServerAuth, time.Hour)
	writeFiles(t, dir, map[string][]byte{certificateFile: cert})
	is("with half of the files", before, http.StatusOK)
	if err := os.Remove(filepath.Join(dir, authorityFile)); err != nil {
		t.Fatal(err)
	}
	is("without a file", before, http.StatusOK)
	writeFiles(t, dir, map[string][]byte{keyFileTLS: key, authorityFile: b.pem})
	is("the old certificate on its open connection", before, http.StatusUnauthorized)
	cert, key = b.issue(x509.ExtKeyUsageClientAuth, time.Hour)
	is("the new certificate", b.client(cert, key), http.StatusOK)
	before.CloseIdleConnections()
	is("the old certificate on a new connection", before, 0)
}

func TestMutualTLSNeedsItsFiles(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	_, strange := a.issue(x509.ExtKeyUsageServerAuth, time.Hour)
	for name, files := range map[string]map[string][]byte{
		"another key": {keyFileTLS: strange}, "no certificate": {certificateFile: nil}, "no authority": {authorityFile: []byte("x")}, "no key": {keyFileTLS: nil},
	} {
		dir := t.TempDir()
		a.write(dir)
		writeFiles(t, dir, files)
		if _, err := openMutualTLS(dir, nil); err == nil || bytes.Contains(fmt.Append(nil, err), strange[30:60]) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := openMutualTLS(t.TempDir(), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an empty folder: %v", err)
	}
}

// An expired certificate does not go on on a connection that is still open.
func TestVerifyAgain(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	b, _ := a.issue(x509.ExtKeyUsageClientAuth, 30*time.Minute)
	block, _ := pem.Decode(b)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	state := &tls.ConnectionState{PeerCertificates: []*x509.Certificate{cert}}
	for name, tt := range map[string]struct {
		state *tls.ConnectionState
		after time.Duration
		ok    bool
	}{"now": {state, 0, true}, "later": {state, 45 * time.Minute, false}, "no certificate": {&tls.ConnectionState{}, 0, false}, "no TLS": {nil, 0, false}} {
		if err := verify(tt.state, roots, time.Now().Add(tt.after)); (err == nil) != tt.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
