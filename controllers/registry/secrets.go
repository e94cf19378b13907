package registry

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"packhouse.dev/packhouse/controllers/compile"
	"packhouse.dev/packhouse/registry/admin"
	"packhouse.dev/packhouse/registry/config"
)

// pushSecrets gives the registry the secrets of access keys, and the credentials that its external connections name. A Secret is read only from the namespace of the
// connection, and only sent to the host that it names itself: whoever may write connections may not send it elsewhere.
func (r *Reconciler) pushSecrets(ctx context.Context, w *world, s *state, out *outcome) error {
	out.secrets = map[compile.Object]string{}
	var q admin.Secrets
	for _, conn := range named(out.compiled.Domains) {
		secret, problem, err := r.credentials(ctx, conn)
		if err != nil {
			return err
		}
		if problem != "" {
			out.secrets[compile.Object{Kind: "ExternalConnection", Namespace: conn.Source.Namespace, Name: conn.Source.Name}] = problem
			continue
		}
		if !slices.ContainsFunc(q.Secrets, func(x admin.Secret) bool { return x.Name == secret.Name }) {
			q.Secrets = append(q.Secrets, secret)
		}
	}
	slices.SortFunc(q.Secrets, func(a, b admin.Secret) int { return cmp.Compare(a.Name, b.Name) })
	q.AccessKeys = keySecrets(s, out)
	digest, err := digestOf(q)
	if err != nil {
		return err
	}
	if s.secrets[out.status.Instance] == digest {
		return nil
	}
	if err := out.planes[0].PutSecrets(ctx, q); err != nil {
		return err
	}
	s.secrets = map[string]string{out.status.Instance: digest}
	return nil
}

// named are the connections that name credentials, each once.
func named(domains []config.Domain) []config.Connection {
	var out []config.Connection
	for i := range domains {
		for _, c := range domains[i].Connections {
			if c.Credentials != "" && !slices.ContainsFunc(out, func(x config.Connection) bool { return x.Name == c.Name }) {
				out = append(out, c)
			}
		}
	}
	return out
}

// credentials reads the Secret of a connection.
func (r *Reconciler) credentials(ctx context.Context, conn config.Connection) (_ admin.Secret, problem string, err error) {
	namespace, name, _ := strings.Cut(conn.Credentials, "/")
	if namespace != conn.Source.Namespace {
		return admin.Secret{}, "credentials are read only from the connection's own namespace", nil
	}
	secret := &corev1.Secret{}
	err = r.opt.Live.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, secret)
	switch {
	case apierrors.IsNotFound(err):
		return admin.Secret{}, fmt.Sprintf("there is no Secret %s in namespace %s", name, namespace), nil
	case apierrors.IsForbidden(err):
		return admin.Secret{}, fmt.Sprintf("the operator may not read Secret %s in namespace %s", name, namespace), nil
	case err != nil:
		return admin.Secret{}, "", err
	}
	text := func(key string) string { return strings.TrimSpace(string(secret.Data[key])) }
	out := admin.Secret{Name: conn.Credentials, Host: text("host"), Username: text("username"), Password: text("password"), Token: text("token")}
	u, err := url.Parse(conn.URL)
	if err != nil {
		return out, "url is none", nil
	}
	switch {
	case out.Host == "":
		return out, fmt.Sprintf("Secret %s does not say which host it is for: set its key host to %s", name, u.Host), nil
	case !strings.EqualFold(out.Host, u.Host):
		return out, fmt.Sprintf("Secret %s is for host %q and is not sent to %q", name, out.Host, u.Host), nil
	case out.Token == "" && (out.Username == "" || out.Password == ""):
		return out, fmt.Sprintf("Secret %s has neither token nor username and password", name), nil
	}
	return out, "", nil
}
