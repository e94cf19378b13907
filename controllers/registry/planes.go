package registry

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "packhouse.dev/packhouse/api/v1alpha1"
	"packhouse.dev/packhouse/controllers/build"
	"packhouse.dev/packhouse/registry/admin"
)

const (
	planeTimeout   = 15 * time.Second // of one call
	certificateAge = time.Minute      // after which the client's certificate is read again
)

// Pods finds replicas as the ready pods of a Registry and speaks mutual TLS to their IP addresses: what a Service would choose for us
// must not decide which replica has answered. It is safe for concurrent use.
type Pods struct {
	Client client.Reader // pods, from the cache
	Live   client.Reader // Secrets

	mu      sync.Mutex
	clients map[types.NamespacedName]*adminClient
}

type adminClient struct {
	http *http.Client
	made string // resource version of the Secret
	at   time.Time
}

// Of implements Planes.
func (p *Pods) Of(ctx context.Context, reg *api.Registry) ([]Plane, error) {
	var pods corev1.PodList
	if err := p.Client.List(ctx, &pods, client.InNamespace(reg.Namespace), client.MatchingLabels(build.Selector(reg.Name))); err != nil {
		return nil, err
	}
	var ips []string
	for i := range pods.Items {
		if pod := &pods.Items[i]; pod.DeletionTimestamp.IsZero() && pod.Status.PodIP != "" && ready(pod) {
			ips = append(ips, pod.Status.PodIP)
		}
	}
	if len(ips) == 0 {
		return nil, nil
	}
	c, err := p.client(ctx, reg)
	if err != nil {
		return nil, err
	}
	out := make([]Plane, len(ips))
	for i, ip := range ips {
		out[i] = admin.NewClient("https://"+net.JoinHostPort(ip, strconv.Itoa(build.PortAdmin)), c)
	}
	return out, nil
}

func ready(pod *corev1.Pod) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// client returns an HTTP client with the certificate of the Registry's administrators.
func (p *Pods) client(ctx context.Context, reg *api.Registry) (*http.Client, error) {
	key := client.ObjectKeyFromObject(reg)
	p.mu.Lock()
	have := p.clients[key]
	p.mu.Unlock()
	if have != nil && time.Since(have.at) < certificateAge {
		return have.http, nil
	}
	secret := &corev1.Secret{}
	name := build.NamesOf(reg.Name).AdminClient
	if err := p.Live.Get(ctx, types.NamespacedName{Namespace: reg.Namespace, Name: name}, secret); err != nil {
		if apierrors.IsNotFound(err) {
			return nil, fmt.Errorf("%w: Secret %s is not there yet", errNotReady, name)
		}
		return nil, err
	}
	if have == nil || have.made != string(secret.UID)+secret.ResourceVersion {
		config, err := clientTLS(secret, build.AdminServerName(reg.Namespace, reg.Name))
		if err != nil {
			return nil, fmt.Errorf("the Secret %s: %w", name, err)
		}
		if have != nil {
			have.http.CloseIdleConnections()
		}
		have = &adminClient{made: string(secret.UID) + secret.ResourceVersion, http: &http.Client{
			Timeout: planeTimeout, Transport: &http.Transport{TLSClientConfig: config, MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.clients == nil {
		p.clients = map[types.NamespacedName]*adminClient{}
	}
	p.clients[key] = &adminClient{http: have.http, made: have.made, at: time.Now()}
	return have.http, nil
}

func clientTLS(secret *corev1.Secret, server string) (*tls.Config, error) {
	pair, err := tls.X509KeyPair(secret.Data[build.KeyCertificate], secret.Data[build.KeyPrivate])
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(secret.Data[build.KeyCA]) {
		return nil, fmt.Errorf("%s has no certificate", build.KeyCA)
	}
	return &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{pair}, RootCAs: pool, ServerName: server}, nil
}
