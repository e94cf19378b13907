package cluster_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"packhouse.dev/packhouse/cmd/internal/cluster"
	"packhouse.dev/packhouse/cmd/internal/cluster/clustertest"
	"packhouse.dev/packhouse/controllers/build"
	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/admin"
	"packhouse.dev/packhouse/registry/admin/handler"
	"packhouse.dev/packhouse/registry/auth"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/metadata"
	"packhouse.dev/packhouse/registry/policy"
)

// oneDomain is a registry with a domain, as far as the tests ask.
type oneDomain struct{ handler.Catalog }

func (oneDomain) Domains(context.Context) ([]metadata.Domain, error) {
	return []metadata.Domain{{ID: 1, UID: "uid-1", Ref: registry.DomainRef{Owner: "111122223333", Name: "web"}, State: metadata.Active}}, nil
}

func (oneDomain) Repositories(context.Context, metadata.DomainID) ([]metadata.Repository, error) {
	return nil, nil
}

func (oneDomain) Document(context.Context, metadata.DomainID) (*metadata.Document, error) {
	return nil, nil
}

// isReady is a registry that serves.
type isReady struct{ handler.Service }

func (isReady) Ready(context.Context) error  { return nil }
func (isReady) Endpoints() []config.Endpoint { return nil }

func (isReady) Principal(_, account string) (policy.Principal, error) {
	return policy.Principal{ARN: "arn:aws:iam::" + account + ":root", Account: account, Root: true}, nil
}

// adminAPI is the real one, over a registry with a domain.
func adminAPI(t *testing.T) (http.Handler, *auth.Authenticator) {
	t.Helper()
	keys, err := auth.NewKeys(bytes.Repeat([]byte("k"), 32))
	if err != nil {
		t.Fatal(err)
	}
	h := handler.New(handler.Options{Catalog: oneDomain{}, Service: isReady{}, Issuer: auth.NewIssuer(keys, time.Now), Version: "v1"})
	return h, auth.New(auth.Options{Keys: keys})
}

// TestAdmin: with the certificate from the Secret and in no other way.
func TestAdmin(t *testing.T) {
	t.Parallel()
	c := clustertest.New(t, "default")
	c.AddPod(t, "default", "p-0", true)
	h, verifier := adminAPI(t)
	c.ServeAdmin(t, "default", "p-0", h)
	client, err := c.Admin(t.Context(), registryNamed("default"))
	if err != nil {
		t.Fatal(err)
	}
	tok, err := client.Token(t.Context(), admin.TokenRequest{Domain: "web"})
	if err != nil {
		t.Fatal(err)
	}
	if id, err := verifier.Verify(tok.Token); err != nil || id.Domain != "uid-1" {
		t.Errorf("got a token for %+v, %v", id, err)
	}
	if st, err := client.Status(t.Context()); err != nil || st.Version != "v1" || len(st.Domains) != 1 {
		t.Errorf("got %+v, %v", st, err)
	}
	if _, err := client.Token(t.Context(), admin.TokenRequest{Domain: "x"}); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

func TestAdminFails(t *testing.T) {
	t.Parallel()
	without := func(t *testing.T, key string) map[string][]byte {
		data := clustertest.NewAuthority(t).Client(t)
		delete(data, key)
		return data
	}
	const secret = "packhouse-default-admin"
	tests := map[string]struct {
		set  func(t *testing.T, c *clustertest.Cluster)
		err  error
		says []string
	}{
		"may not read the Secret": {
			set: func(_ *testing.T, c *clustertest.Cluster) {
				refuse(&c.Core.Fake, "get", "secrets", forbidden("secrets", secret))
			},
			err: cluster.ErrNotAllowed, says: []string{`verb "get" on secrets "` + secret + `"`, `namespace "platform"`},
		},
		"no Secret": {
			set: func(t *testing.T, c *clustertest.Cluster) {
				if err := c.Core.Tracker().Delete(corev1.SchemeGroupVersion.WithResource("secrets"), clustertest.Namespace, secret); err != nil {
					t.Fatal(err)
				}
			},
			err: cluster.ErrNotReady, says: []string{secret, "operator"},
		},
		"no key": {set: func(t *testing.T, c *clustertest.Cluster) { c.SetSecret(t, "default", without(t, build.KeyPrivate)) }, err: cluster.ErrNotReady, says: []string{secret, build.KeyPrivate}},
		"no certificate": {set: func(t *testing.T, c *clustertest.Cluster) {
			c.SetSecret(t, "default", without(t, build.KeyCertificate))
		}, err: cluster.ErrNotReady, says: []string{build.KeyCertificate}},
		"no authority": {set: func(t *testing.T, c *clustertest.Cluster) { c.SetSecret(t, "default", without(t, build.KeyCA)) }, err: cluster.ErrNotReady, says: []string{build.KeyCA}},
		"an authority that is none": {
			set: func(t *testing.T, c *clustertest.Cluster) {
				data := without(t, "")
				data[build.KeyCA] = []byte("hello")
				c.SetSecret(t, "default", data)
			},
			err: cluster.ErrNotReady, says: []string{build.KeyCA},
		},
		"key of another certificate": {
			set: func(t *testing.T, c *clustertest.Cluster) {
				data := without(t, "")
				data[build.KeyPrivate] = without(t, "")[build.KeyPrivate]
				c.SetSecret(t, "default", data)
			},
			err: cluster.ErrNotReady, says: []string{secret},
		},
		"pod of another authority": {
			set: func(t *testing.T, c *clustertest.Cluster) { c.SetSecret(t, "default", without(t, "")) },
			err: cluster.ErrNotReady, says: []string{secret, "rollout restart statefulset packhouse-default"},
		},
		"certificate that the pod does not believe": {
			set: func(t *testing.T, c *clustertest.Cluster) {
				h, _ := adminAPI(t)
				c.ServeAdmin(t, "default", "p-0", h)
				ours := c.Secret(t, "default")
				data := without(t, "")
				data[build.KeyCA] = ours[build.KeyCA]
				c.SetSecret(t, "default", data)
			},
			err: cluster.ErrNotReady, says: []string{secret, "rollout restart"},
		},
		"pod of another Registry": {
			set: func(t *testing.T, c *clustertest.Cluster) {
				h, _ := adminAPI(t)
				c.AddPod(t, "other", "o-0", true)
				c.ServeAdmin(t, "other", "o-0", h)
				c.Listen("p-0", build.PortAdmin, c.Address("o-0", build.PortAdmin))
				c.SetSecret(t, "default", c.Secret(t, "other"))
			},
			err: cluster.ErrNotReady, says: []string{"do not belong together", "admin.other.platform"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := clustertest.New(t, "default")
			c.AddPod(t, "default", "p-0", true)
			h, _ := adminAPI(t)
			c.ServeAdmin(t, "default", "p-0", h)
			tt.set(t, c)
			client, err := c.Admin(t.Context(), registryNamed("default"))
			if err == nil {
				_, err = client.Status(t.Context())
			}
			check(t, err, tt.err, tt.says...)
		})
	}
}
