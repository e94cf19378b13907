package registry

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "packhouse.dev/packhouse/api/v1alpha1"
	"packhouse.dev/packhouse/registry/admin"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/identity"
)

const identities = topology + `
---
kind: IdentityPolicy
metadata: {name: builders}
spec: {subjects: [{serviceAccount: builder}], managedPolicies: [AWSCodeArtifactReadOnlyAccess]}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: builder}
---
kind: IdentityProvider
metadata: {name: actions}
spec:
  issuer: https://token.actions.example.com
  audiences: [https://packages.example.com]
  keys: {url: "https://token.actions.example.com/keys"}
  condition: claims.repository_owner == 'acme'
  principal: {role: "'builder'"}
---
kind: AccessKey
metadata: {name: ci}
spec: {serviceAccountName: builder}
`

func (f *fixture) key(name string) *api.AccessKey {
	f.t.Helper()
	k := &api.AccessKey{}
	f.get(k, name)
	return k
}

func (f *fixture) secret(name string) *corev1.Secret {
	f.t.Helper()
	s := &corev1.Secret{}
	f.get(s, name)
	return s
}

// passing lets time pass, so that Secrets are read again.
func (f *fixture) passing() {
	now := f.r.opt.Now
	f.r.opt.Now = func() time.Time { return now().Add(resync) }
}

// builders are the service accounts that the registry knows, but for its own.
func (f *fixture) builders() []config.ServiceAccount {
	return slices.DeleteFunc(slices.Clone(f.plane.in.Registry.ServiceAccounts), func(a config.ServiceAccount) bool { return a.Name != "builder" })
}

func TestIdentitiesAreServed(t *testing.T) {
	f := newFixture(t)
	f.r.issuer.ask = func(context.Context) (*config.ClusterIssuer, error) {
		return &config.ClusterIssuer{Issuer: "https://kubernetes.default.svc", Keys: "{}"}, nil
	}
	f.given(identities)
	f.reconcile()
	account := &corev1.ServiceAccount{}
	f.get(account, "builder")
	doc := f.plane.in.Registry
	if doc.Cluster == nil || doc.Cluster.Issuer != "https://kubernetes.default.svc" || len(doc.Providers) != 1 || doc.Providers[0].Condition != "claims.repository_owner == 'acme'" {
		t.Errorf("cluster %+v, providers %+v", doc.Cluster, doc.Providers)
	}
	if want := []config.ServiceAccount{{Namespace: f.namespace, Name: "builder", UID: string(account.UID)}}; !slices.Equal(f.builders(), want) {
		t.Errorf("service accounts %v, want %v", doc.ServiceAccounts, want)
	}
	provider, key, secret := &api.IdentityProvider{}, f.key("ci"), f.secret("ci")
	f.get(provider, "actions")
	for what, conditions := range map[string][]metav1.Condition{"provider": provider.Status.Conditions, "key": key.Status.Conditions} {
		if got := said(conditions, "Ready"); got != "True Ready" {
			t.Errorf("%s: %s", what, got)
		}
	}
	id := string(secret.Data[keyAccessKeyID])
	if want := []admin.AccessKeySecret{{ID: id, Secret: string(secret.Data[keySecretAccessKey])}}; len(id) != 20 || len(want[0].Secret) != 40 || !slices.Equal(f.plane.keys, want) {
		t.Errorf("the registry has %v, the Secret %v", f.plane.keys, want)
	}
	if diff := cmp.Diff([]api.ActiveKey{{Secret: "ci", ID: id}}, key.Status.Keys); diff != "" || key.Status.Registry != f.namespace+"/default" || !strings.HasSuffix(key.Status.Principal, ":assumed-role/builder/ci") {
		t.Errorf("status %+v %s", key.Status, diff)
	}
	if !metav1.IsControlledBy(secret, key) {
		t.Errorf("the Secret stays without its key: %v", secret.OwnerReferences)
	}
	if want := []config.AccessKey{{Source: config.Source{Kind: "AccessKey", Namespace: f.namespace, Name: "ci", UID: string(key.UID), Generation: 1}, Account: key.Status.Principal[len("arn:aws:sts::"):][:12], Role: "builder", IDs: []string{id}}}; !cmp.Equal(want, doc.AccessKeys) {
		t.Error(cmp.Diff(want, doc.AccessKeys))
	}
	applied := f.plane.applied
	f.passing()
	f.reconcile()
	if f.plane.applied != applied {
		t.Error("nothing changed, and the registry was told")
	}
}

// TestTokensOfTheCluster: what a real apiserver signs for a service account is verified with what it says of itself.
func TestTokensOfTheCluster(t *testing.T) {
	f := newFixture(t)
	clients, err := discovery.NewDiscoveryClientForConfig(cluster)
	f.must(err)
	f.r.issuer.ask = ClusterIssuer(clients.RESTClient())
	f.given(identities)
	f.reconcile()
	account := &corev1.ServiceAccount{}
	f.get(account, "builder")
	endpoint := "http://packhouse-default." + f.namespace + ".svc"
	request := func(audience string) string {
		q := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{Audiences: []string{audience}}}
		f.must(f.c.SubResource("token").Create(context.Background(), account, q))
		return q.Status.Token
	}
	good, other := request(endpoint), request("https://kubernetes.default.svc")
	verify := func(token string) (*identity.Caller, error) {
		trusted, problems := identity.Compile(f.plane.in.Registry, func(namespace string) (string, error) { return "111122223333", nil })
		if len(problems) > 0 {
			t.Error(problems)
		}
		return identity.NewVerifier(nil, nil).Verify(context.Background(), trusted, token, identity.Meant{})
	}
	who, err := verify(good)
	f.must(err)
	if who.Principal.ARN != "arn:aws:sts::111122223333:assumed-role/builder/token" || who.Source != "ServiceAccount "+string(account.UID) {
		t.Errorf("got %+v", who)
	}
	if who, err := verify(other); err == nil {
		t.Errorf("a token for another: %+v", who)
	}
	f.must(f.c.Delete(context.Background(), account))
	f.reconcile()
	if who, err := verify(good); err == nil {
		t.Errorf("of a service account that was deleted: %+v", who)
	}
}

// TestRotation: a second key, both of them good, then the first is taken away.
func TestRotation(t *testing.T) {
	f := newFixture(t)
	f.given(identities)
	f.reconcile()
	first := string(f.secret("ci").Data[keyAccessKeyID])
	f.given("kind: AccessKey\nmetadata: {name: ci}\nspec: {serviceAccountName: builder, secrets: [{name: ci}, {name: ci-2}]}")
	f.reconcile()
	second := string(f.secret("ci-2").Data[keyAccessKeyID])
	if doc := f.plane.in.Registry; first == second || !slices.Equal(doc.AccessKeys[0].IDs, []string{first, second}) || len(f.plane.keys) != 2 {
		t.Errorf("while it is rotated: %v, %v", doc.AccessKeys, f.plane.keys)
	}
	f.given("kind: AccessKey\nmetadata: {name: ci}\nspec: {serviceAccountName: builder, secrets: [{name: ci-2}]}")
	f.reconcile()
	if doc := f.plane.in.Registry; !slices.Equal(doc.AccessKeys[0].IDs, []string{second}) || len(f.plane.keys) != 1 || f.plane.keys[0].ID != second {
		t.Errorf("at the end: %v, %v", doc.AccessKeys, f.plane.keys)
	}
	f.must(f.c.Delete(context.Background(), f.secret("ci-2"))) // in an emergency
	f.passing()
	f.reconcile()
	if doc := f.plane.in.Registry; doc.AccessKeys[0].IDs[0] == second || len(f.plane.keys) != 1 || f.plane.keys[0].ID == second {
		t.Errorf("the Secret was deleted: %v", doc.AccessKeys)
	}
	f.must(f.c.Delete(context.Background(), f.key("ci")))
	f.reconcile()
	if doc := f.plane.in.Registry; len(doc.AccessKeys) != 0 || len(f.plane.keys) != 0 {
		t.Errorf("the AccessKey was deleted: %v, %d secrets", doc.AccessKeys, len(f.plane.keys))
	}
}

func TestServiceAccountsComeAndGo(t *testing.T) {
	f := newFixture(t)
	f.given(identities)
	f.reconcile()
	account := &corev1.ServiceAccount{}
	f.get(account, "builder")
	f.must(f.c.Delete(context.Background(), account))
	if q := f.r.ofAccount(context.Background(), account); len(q) != 2 {
		t.Errorf("nobody looks when a service account goes: %v", q)
	}
	f.reconcile()
	if doc := f.plane.in.Registry; len(f.builders()) != 0 || len(doc.AccessKeys) != 0 || len(f.plane.keys) != 0 {
		t.Errorf("%v %v", doc.ServiceAccounts, doc.AccessKeys)
	}
	if got := said(f.key("ci").Status.Conditions, "ResolvedRefs"); !strings.HasPrefix(got, "False RefNotFound: there is no ServiceAccount builder") {
		t.Error(got)
	}
	f.given("apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: builder}")
	f.reconcile()
	if doc := f.plane.in.Registry; len(f.builders()) != 1 || f.builders()[0].UID == string(account.UID) || len(doc.AccessKeys) != 1 {
		t.Errorf("%v %v", doc.ServiceAccounts, doc.AccessKeys)
	}
	elsewhere := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "x"}}
	if q := f.r.ofAccount(context.Background(), elsewhere); q != nil {
		t.Errorf("service accounts that nothing speaks of: %v", q)
	}
}

// What is wrong with an identity is said, widens nothing, and what was good stays.
func TestWrongIdentities(t *testing.T) {
	f := newFixture(t)
	f.given(identities)
	f.reconcile()
	given := func(name string, data map[string]string) {
		f.must(f.c.Create(context.Background(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: f.namespace, Name: name}, StringData: data}))
	}
	stolen := f.secret("ci")
	given("thief", map[string]string{keyAccessKeyID: string(stolen.Data[keyAccessKeyID]), keySecretAccessKey: strings.Repeat("x", 40)})
	given("half", map[string]string{keyAccessKeyID: "AKIAIOSFODNN7EXAMPLE"})
	given("short", map[string]string{keyAccessKeyID: "AKIAIOSFODNN7EXAMPLE", keySecretAccessKey: "guessme"})
	f.given(`
kind: IdentityProvider
metadata: {name: actions}
spec: {issuer: "https://token.actions.example.com", audiences: [x], keys: {url: "https://token.actions.example.com/keys"}, condition: "claims.", principal: {role: "'builder'"}}
---
kind: IdentityProvider
metadata: {name: new}
spec: {issuer: "https://other.example.com", audiences: [x], keys: {document: "{}"}, principal: {role: "'builder'"}}
---
kind: IdentityProvider
metadata: {name: twin}
spec: {issuer: "https://token.actions.example.com", audiences: [x], keys: {url: "https://token.actions.example.com/keys"}, condition: "claims.", principal: {role: "'builder'"}}
---
kind: AccessKey
metadata: {name: bad}
spec: {secrets: [{name: thief}, {name: half}]}
---
kind: AccessKey
metadata: {name: weak}
spec: {secrets: [{name: short}]}
---
kind: AccessKey
metadata: {name: elsewhere}
spec: {registryRef: {name: another}}
`)
	f.reconcile()
	provider := func(name, kind string) string {
		p := &api.IdentityProvider{}
		f.get(p, name)
		return said(p.Status.Conditions, kind)
	}
	key := func(name, kind string) string { return said(f.key(name).Status.Conditions, kind) }
	for name, tt := range map[string]struct{ got, want, says string }{
		"expression": {provider("actions", "Accepted"), "False Invalid: invalid: condition: ERROR:", "its last good form stays in force"},
		"in force":   {provider("actions", "Programmed"), "False Invalid", ""},
		"keys":       {provider("new", "Accepted"), "False Invalid: invalid: keys:", "no token of it is accepted"},
		"twin":       {provider("twin", "Accepted"), "False Conflicted: IdentityProvider actions is older", ""},
		"another's":  {key("bad", "ResolvedRefs"), "False Conflicted: the key in Secret thief is another's already; Secret half has no AWS_ACCESS_KEY_ID or no AWS_SECRET_ACCESS_KEY", ""},
		"too short":  {key("weak", "ResolvedRefs"), "False InvalidSecret: Secret short: the secret of an access key has 32 to 256 characters", ""},
		"lost":       {key("elsewhere", "ResolvedRefs"), "False RefNotFound: there is no Registry " + f.namespace + "/another", ""},
		"the first":  {key("ci", "Ready"), "True Ready", ""},
	} {
		if !strings.HasPrefix(tt.got, tt.want) || !strings.Contains(tt.got, tt.says) {
			t.Errorf("%s: %q, want %q %q", name, tt.got, tt.want, tt.says)
		}
	}
	doc := f.plane.in.Registry
	if len(doc.Providers) != 1 || doc.Providers[0].Condition != "claims.repository_owner == 'acme'" {
		t.Errorf("providers %+v", doc.Providers)
	}
	if len(f.plane.keys) != 1 || f.plane.keys[0].Secret != string(stolen.Data[keySecretAccessKey]) {
		t.Errorf("%d keys were told", len(f.plane.keys))
	}
	for _, k := range doc.AccessKeys {
		if k.Source.Name != "ci" && len(k.IDs) > 0 {
			t.Errorf("%+v", k)
		}
	}
}

// A key is told to the registry that it was made for, and to no other that somebody makes.
func TestKeysStayWithTheirRegistry(t *testing.T) {
	f := newFixture(t)
	f.given(identities)
	f.reconcile()
	other := f.namespace + "-other"
	f.makeNamespace(other)
	f.must(f.c.Create(context.Background(), &api.Registry{ObjectMeta: metav1.ObjectMeta{Namespace: other, Name: "greedy"}, Spec: api.RegistrySpec{AllowedNamespaces: &api.AllowedNamespaces{All: true}}}))
	f.given("kind: AccessKey\nmetadata: {name: later}")
	f.reconcile()
	if len(f.plane.keys) != 1 || f.others[other] == nil || len(f.others[other].keys) != 0 {
		t.Errorf("keys: %d, and %+v", len(f.plane.keys), f.others[other])
	}
	if got := said(f.key("later").Status.Conditions, "Accepted"); !strings.HasPrefix(got, "False Ambiguous") {
		t.Error(got)
	}
	f.must(f.c.Delete(context.Background(), f.key("later"))) // it would be for the only one that is left
	own := &api.Registry{}
	f.get(own, "default")
	f.must(f.c.Delete(context.Background(), own))
	f.reconcile()
	f.reconcile()
	if len(f.others[other].keys) != 0 {
		t.Error("the keys of a registry that is gone were told to another")
	}
}

func TestIdentityAdmission(t *testing.T) {
	f := newFixture(t)
	f.given(identities)
	provider := func(spec string) string {
		return "kind: IdentityProvider\nmetadata: {name: x}\nspec: {" + spec + "}"
	}
	const good = `audiences: [a], keys: {url: "https://x.example.com"}, principal: {user: claims.email}`
	for name, tt := range map[string]struct{ manifest, want string }{
		"an issuer that is none":    {provider(`issuer: actions, ` + good), "must be an http or https URL"},
		"no audience":               {provider(`issuer: "https://x.example.com", audiences: [], keys: {document: "{}"}, principal: {user: claims.email}`), "spec.audiences"},
		"keys twice":                {provider(`issuer: "https://x.example.com", audiences: [a], keys: {url: "https://x.example.com", document: "{}"}, principal: {user: claims.email}`), "either a url or a document"},
		"keys in the clear":         {provider(`issuer: "https://x.example.com", audiences: [a], keys: {url: "http://x.example.com"}, principal: {user: claims.email}`), "url must be https"},
		"role and user":             {provider(`issuer: "https://x.example.com", audiences: [a], keys: {document: "{}"}, principal: {user: claims.email, role: "'x'"}`), "either a role or a user"},
		"a session of a user":       {provider(`issuer: "https://x.example.com", audiences: [a], keys: {document: "{}"}, principal: {user: claims.email, session: "'x'"}`), "sessions are of roles"},
		"three keys":                {"kind: AccessKey\nmetadata: {name: x}\nspec: {secrets: [{name: a}, {name: b}, {name: c}]}", "at most 2 items"},
		"a key of somebody else":    {"kind: AccessKey\nmetadata: {name: ci}\nspec: {serviceAccountName: admin}", "serviceAccountName cannot be changed"},
		"a key of nobody":           {fmt.Sprintf("kind: AccessKey\nmetadata: {name: %s}", strings.Repeat("x", 64)), "at most 63 characters"},
		"another namespace's key":   {"kind: AccessKey\nmetadata: {name: x}\nspec: {secrets: [{name: a, namespace: kube-system}]}", "namespace"},
		"a key of another registry": {"kind: AccessKey\nmetadata: {name: ci}\nspec: {serviceAccountName: builder, registryRef: {name: x}}", "registryRef cannot be changed"},
	} {
		if err := f.apply(tt.manifest); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	f.must(client.IgnoreNotFound(f.c.Delete(context.Background(), &api.IdentityProvider{ObjectMeta: metav1.ObjectMeta{Namespace: f.namespace, Name: "x"}})))
}
