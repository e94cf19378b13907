package main

import (
	"crypto/x509"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
)

// TestDevTLS: with a certificate the registry is https, for clients and in what it tells them.
func TestDevTLS(t *testing.T) {
	t.Parallel()
	other := httptest.NewTLSServer(nil) // whose certificate for 127.0.0.1 is as good as any
	defer other.Close()
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	der, err := x509.MarshalPKCS8PrivateKey(other.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	write(t, cert, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: other.Certificate().Raw})))
	write(t, key, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
	r := startDev(t, filepath.Join(dir, "data"), domainYAML, "--tls-cert-file", cert, "--tls-key-file", key)
	if !strings.HasPrefix(r.Endpoint, "https://127.0.0.1:") {
		t.Errorf("it serves on %s", r.Endpoint)
	}
	req, err := http.NewRequest(http.MethodPost, r.Endpoint+"/zoo-"+r.DomainOwner+"/swift/my-repo/login", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+r.Token)
	resp, err := other.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("%d %s %v", resp.StatusCode, body, err)
	}
}
