package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "packhouse.dev/packhouse/api/v1alpha1"
	"packhouse.dev/packhouse/controllers/build"
	"packhouse.dev/packhouse/registry/admin"
)

// Admin returns a client of a registry's admin API, with the certificate from its Secret. It dials with the first call.
func (c *Cluster) Admin(ctx context.Context, r *api.Registry) (*admin.Client, error) {
	name := build.NamesOf(r.Name).AdminClient
	secret, err := c.Core.Secrets(c.Namespace).Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil, problem(fmt.Errorf("%w: %w", ErrNotReady, err),
			"Registry %s/%s has no Secret %q with the administrators' certificate yet: does the operator run?", c.Namespace, r.Name, name)
	case err != nil:
		return nil, c.failed(err, access{"get", "", "secrets", name, "read the certificate of the registry's administrators"})
	}
	cfg, err := clientTLS(secret)
	if err != nil {
		return nil, problem(fmt.Errorf("%w: %w", ErrNotReady, err),
			"the Secret %q in namespace %q has no certificate of use: %v; delete it, and the operator makes another", name, c.Namespace, err)
	}
	cfg.ServerName = build.AdminServerName(c.Namespace, r.Name)
	transport := &http.Transport{
		DialContext:     func(ctx context.Context, _, _ string) (net.Conn, error) { return c.Dial(ctx, r, build.PortAdmin) },
		TLSClientConfig: cfg, TLSHandshakeTimeout: 30 * time.Second,
		MaxIdleConns: 1, IdleConnTimeout: time.Minute, ResponseHeaderTimeout: 10 * time.Minute,
	}
	return admin.NewClient("https://"+cfg.ServerName, &http.Client{Transport: &proving{transport, c, r.Name}}), nil
}

// proving says what to do when registry and administrator do not believe each other.
type proving struct {
	http.RoundTripper
	cluster  *Cluster
	registry string
}

// RoundTrip implements http.RoundTripper.
func (p *proving) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := p.RoundTripper.RoundTrip(r)
	_, unproven := errors.AsType[*tls.CertificateVerificationError](err)
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "remote error" { // an alert: the pod does not believe us
		unproven = true
	}
	if !unproven {
		return resp, err
	}
	names := build.NamesOf(p.registry)
	return nil, problem(fmt.Errorf("%w: %w", ErrNotReady, err),
		`the registry's pod and the Secret %q do not belong together: %v. After a change of Secrets it takes a minute; if it stays so: "kubectl -n %s rollout restart statefulset %s"`,
		names.AdminClient, err, p.cluster.Namespace, names.Workload)
}

// clientTLS proves who is calling, and believes nobody but the registry.
func clientTLS(secret *corev1.Secret) (*tls.Config, error) {
	for _, key := range []string{build.KeyCertificate, build.KeyPrivate, build.KeyCA} {
		if len(secret.Data[key]) == 0 {
			return nil, fmt.Errorf("its key %q is empty", key)
		}
	}
	pair, err := tls.X509KeyPair(secret.Data[build.KeyCertificate], secret.Data[build.KeyPrivate])
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(secret.Data[build.KeyCA]) {
		return nil, fmt.Errorf("its key %q has no certificate", build.KeyCA)
	}
	return &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{pair}, RootCAs: roots}, nil
}

// Dial connects to a port of a ready pod of a registry.
func (c *Cluster) Dial(ctx context.Context, r *api.Registry, port int) (net.Conn, error) {
	pod, err := c.readyPod(ctx, r.Name)
	if err != nil {
		return nil, err
	}
	conn, err := c.DialPod(ctx, c.Namespace, pod, port)
	if err != nil {
		return nil, c.failed(err, access{"create", "", "pods/portforward", "", "forward a port of pod " + pod})
	}
	return conn, nil
}
