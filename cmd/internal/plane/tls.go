package plane

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"packhouse.dev/packhouse/registry/server"
)

// Files of a folder for mutual TLS, named as the keys of a Secret of type kubernetes.io/tls.
const (
	certificateFile = "tls.crt"
	keyFileTLS      = "tls.key"
	authorityFile   = "ca.crt"
)

// mutualTLS is the admin port's way of finding out who is calling: TLS 1.3, and a client certificate of the authority in ca.crt that
// is made for clients. The files are looked at with every connection, so that new ones need no restart; files that do not go together
// leave the ones before in force, as they do for a moment while a folder is being written.
type mutualTLS struct {
	dir string
	log *slog.Logger

	mu    sync.Mutex
	files [3][]byte // as last looked at
	now   material
}

// material is what the files hold.
type material struct {
	config *tls.Config
	roots  *x509.CertPool
}

// openMutualTLS reads the files of a folder, which must be good at the start.
func openMutualTLS(dir string, log *slog.Logger) (*mutualTLS, error) {
	m := &mutualTLS{dir: dir, log: log}
	files, err := m.read()
	if err != nil {
		return nil, fmt.Errorf("admin TLS: %w", err)
	}
	if m.now, err = parse(files); err != nil {
		return nil, fmt.Errorf("admin TLS: %s: %w", dir, err)
	}
	m.files = files
	return m, nil
}

func (m *mutualTLS) read() (files [3][]byte, err error) {
	for i, name := range []string{certificateFile, keyFileTLS, authorityFile} {
		if files[i], err = os.ReadFile(filepath.Join(m.dir, name)); err != nil {
			return files, err
		}
	}
	return files, nil
}

func parse(files [3][]byte) (material, error) {
	pair, err := tls.X509KeyPair(files[0], files[1])
	if err != nil {
		return material{}, fmt.Errorf("%s, %s: %w", certificateFile, keyFileTLS, err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(files[2]) {
		return material{}, fmt.Errorf("%s holds no PEM certificate", authorityFile)
	}
	return material{roots: roots, config: &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: roots,
		NextProtos: []string{"h2", "http/1.1"},
		// A session that goes on would bring no certificate to look at.
		SessionTicketsDisabled: true,
	}}, nil
}

// current returns what the files hold now.
func (m *mutualTLS) current() material {
	m.mu.Lock()
	defer m.mu.Unlock()
	files, err := m.read()
	if err == nil && m.same(files) {
		return m.now
	}
	var now material
	if err == nil {
		now, err = parse(files)
	}
	if err != nil {
		m.log.Warn("the certificates of the admin port could not be read again; those before stay in force", "error", err)
		return m.now
	}
	m.log.Info("the certificates of the admin port have changed")
	m.files, m.now = files, now
	return now
}

func (m *mutualTLS) same(files [3][]byte) bool {
	for i := range files {
		if !bytes.Equal(files[i], m.files[i]) {
			return false
		}
	}
	return true
}

// config is the server's side. The library asks for client certificates, and verifies that they are made for clients.
func (m *mutualTLS) config() *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return m.current().config, nil },
	}
}

// guard verifies the certificate of a connection again with each request: one that expired or whose authority was replaced must not go
// on because its connection is still open.
func (m *mutualTLS) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := verify(r.TLS, m.current().roots, time.Now()); err != nil {
			m.log.InfoContext(r.Context(), "a client of the admin port was refused", "error", err)
			w.Header().Set("Connection", "close")
			http.Error(w, `{"error":"the client certificate is not valid any more"}`, http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func verify(state *tls.ConnectionState, roots *x509.CertPool, now time.Time) error {
	if state == nil || len(state.PeerCertificates) == 0 {
		return errors.New("there is no client certificate")
	}
	between := x509.NewCertPool()
	for _, c := range state.PeerCertificates[1:] {
		between.AddCert(c)
	}
	_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	return err
}

// server returns the server of the admin port, whose listener is one of TLS.
func (m *mutualTLS) server(h http.Handler) *http.Server { return adminServer(m.guard(h), m.log) }

// adminServer is the server of the admin API, on whatever it listens.
func adminServer(h http.Handler, log *slog.Logger) *http.Server {
	s := server.HTTP(h, log)
	s.WriteTimeout = 0 // a collection takes as long as it takes
	return s
}
