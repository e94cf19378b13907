package identity

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/policy"
)

const (
	account  = "111122223333"
	issuer   = "https://issuer.example.com"
	cluster  = "https://kubernetes.default.svc.cluster.local"
	audience = "https://packages.example.com"
)

func now() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }

// signer is an issuer's key.
type signer struct {
	kid     string
	private crypto.Signer
	method  jwt.SigningMethod
}

func rsaSigner(t testing.TB, kid string, bits int) *signer {
	t.Helper()
	t.Setenv("GODEBUG", "rsa1024min=0")
	k, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return &signer{kid, k, jwt.SigningMethodRS256}
}

func ecSigner(t testing.TB, kid string, curve elliptic.Curve, m jwt.SigningMethod) *signer {
	t.Helper()
	k, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &signer{kid, k, m}
}

func keysOf(t testing.TB, list ...*signer) string {
	t.Helper()
	set := jose.JSONWebKeySet{}
	for _, s := range list {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: s.private.Public(), KeyID: s.kid, Use: "sig"})
	}
	b, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func (s *signer) sign(t testing.TB, claims jwt.MapClaims, header map[string]any) string {
	t.Helper()
	tok := jwt.NewWithClaims(s.method, claims)
	tok.Header["kid"] = s.kid
	maps.Copy(tok.Header, header)
	out, err := tok.SignedString(s.private)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// claims are those of a build, changed by more; a nil takes one away.
func claims(more map[string]any) jwt.MapClaims {
	out := jwt.MapClaims{
		"iss": issuer, "aud": audience, "sub": "repo:acme/tool:ref:refs/heads/main", "repository": "acme/tool", "repository_owner": "acme", "run_id": 12345,
		"iat": now().Add(-time.Minute).Unix(), "exp": now().Add(time.Hour).Unix(), "groups": []string{"devs", "ops"}, "nested": map[string]any{"n": 1.5},
	}
	for k, v := range more {
		if out[k] = v; v == nil {
			delete(out, k)
		}
	}
	return out
}

func bound(more map[string]any) jwt.MapClaims {
	out := claims(map[string]any{
		"iss": cluster, "aud": []string{audience}, "sub": "system:serviceaccount:team:ci",
		"kubernetes.io": map[string]any{"namespace": "team", "pod": map[string]any{"name": "build-1", "uid": "p"}, "serviceaccount": map[string]any{"name": "ci", "uid": "u-1"}},
	})
	maps.Copy(out, more)
	return out
}

func accountOf(ns string) (string, error) {
	switch ns {
	case "team":
		return account, nil
	case "clash":
		return "", fmt.Errorf("%w: clash", registry.ErrAccessDenied)
	}
	return "999999999999", nil
}

func github(keys string, edit func(*config.IdentityProvider)) config.IdentityProvider {
	p := config.IdentityProvider{
		Source: config.Source{Kind: "IdentityProvider", Namespace: "team", Name: "github", UID: "uid-1"}, Account: account, Issuer: issuer, Audiences: []string{"other", audience}, Keys: keys,
		Condition: "claims.repository_owner == 'acme'", Role: "'ci-' + claims.repository.split('/')[1]", Session: "string(claims.run_id)", Groups: "claims.groups",
		Tags: "{'repository': string(claims.repository)}",
	}
	if edit != nil {
		edit(&p)
	}
	return p
}

func compile(t testing.TB, doc *config.Registry) *Providers {
	t.Helper()
	doc.Partition, doc.Region = "aws", "local"
	p, problems := Compile(doc, accountOf)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return p
}

func TestVerify(t *testing.T) {
	good, other := rsaSigner(t, "k1", 2048), rsaSigner(t, "k1", 2048)
	weak := rsaSigner(t, "weak", 1024)
	es, es384 := ecSigner(t, "es", elliptic.P256(), jwt.SigningMethodES256), ecSigner(t, "es384", elliptic.P384(), jwt.SigningMethodES384)
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ed := &signer{"ed", edKey, jwt.SigningMethodEdDSA}
	keys := keysOf(t, good, weak, es, es384, ed)
	trusted := compile(t, &config.Registry{
		Cluster: &config.ClusterIssuer{Issuer: cluster, Keys: keysOf(t, es)}, Endpoints: []config.Endpoint{{URL: audience + "/"}, {Host: "p.example.com"}},
		ServiceAccounts: []config.ServiceAccount{{Namespace: "clash", Name: "ci", UID: "u-1"}, {Namespace: "team", Name: "ci", UID: "u-1"}},
		Providers: []config.IdentityProvider{github(keys, nil), github(keys, func(p *config.IdentityProvider) {
			p.Source.Name, p.Issuer, p.Condition, p.Role, p.Session, p.Groups, p.Tags, p.User = "users", "https://users.example.com", "", "", "", "", "", "claims.email"
		}), github(keys, func(p *config.IdentityProvider) {
			p.Source.Name, p.Issuer, p.Condition, p.Role, p.Session, p.Groups, p.Tags = "plain", "https://plain.example.com", "", "'ci'", "", "", "{'n': claims.n}"
		})},
	})
	public, err := x509.MarshalPKIXPublicKey(good.private.Public())
	if err != nil {
		t.Fatal(err)
	}
	shared := func(key []byte) string {
		tok := jwt.NewWithClaims(jwt.SigningMethodHS256, claims(nil))
		tok.Header["kid"] = "k1"
		s, err := tok.SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	none := jwt.NewWithClaims(jwt.SigningMethodNone, claims(nil))
	none.Header["kid"] = "k1"
	unsigned, err := none.SignedString(jwt.UnsafeAllowNoneSignatureType)
	if err != nil {
		t.Fatal(err)
	}
	token := good.sign(t, claims(nil), nil)
	parts := strings.Split(token, ".")
	ps := *good
	ps.method = jwt.SigningMethodPS512
	session := "arn:aws:sts::" + account + ":assumed-role/"
	ok := Caller{
		Principal: policy.Principal{ARN: session + "ci-tool/12345", Account: account, UserID: "repo:acme/tool:ref:refs/heads/main"},
		Groups:    []string{"devs", "ops"}, Tags: map[string]string{"repository": "acme/tool"}, Source: "IdentityProvider uid-1", Provider: "IdentityProvider team/github", ExpiresAt: now().Add(time.Hour),
	}
	user := func(email string) string {
		return good.sign(t, claims(map[string]any{"iss": "https://users.example.com", "email": email}), nil)
	}
	sa := Caller{
		Principal: policy.Principal{ARN: session + "ci/build-1", Account: account, UserID: "u-1:build-1"}, Source: "ServiceAccount u-1", Provider: "service accounts of the cluster", ExpiresAt: now().Add(time.Hour),
	}
	about := func(namespace, name, uid, sub string) jwt.MapClaims {
		return bound(map[string]any{"sub": sub, "kubernetes.io": map[string]any{"namespace": namespace, "serviceaccount": map[string]any{"name": name, "uid": uid}}})
	}
	tests := map[string]struct {
		token, choice string
		want          *Caller // nil: refused
		reason        string
	}{
		"good":                             {token: token, want: &ok},
		"PS512":                            {token: ps.sign(t, claims(nil), nil), want: &ok},
		"ES256":                            {token: es.sign(t, claims(nil), nil), want: &ok},
		"ES384":                            {token: es384.sign(t, claims(nil), nil), want: &ok},
		"EdDSA":                            {token: ed.sign(t, claims(nil), nil), want: &ok},
		"several audiences":                {token: good.sign(t, claims(map[string]any{"aud": []string{"x", audience}}), nil), want: &ok},
		"its provider is named":            {token: token, choice: "team/github", want: &ok},
		"another provider is named":        {token: token, choice: "team/users", reason: "no provider has issuer"},
		"another key of that name":         {token: other.sign(t, claims(nil), nil), reason: "signature is invalid"},
		"a key that is not known":          {token: good.sign(t, claims(nil), map[string]any{"kid": "k2"}), reason: `its key "k2" is not known`},
		"a key that is a number":           {token: good.sign(t, claims(nil), map[string]any{"kid": 1}), reason: "it names no key"},
		"no key":                           {token: good.sign(t, claims(nil), map[string]any{"kid": ""}), reason: "it names no key"},
		"a key that is too short":          {token: weak.sign(t, claims(nil), nil), reason: `its key "weak" is not known`},
		"an algorithm of another key":      {token: es.sign(t, claims(nil), map[string]any{"alg": "RS256"}), reason: "its key is not for RS256"},
		"no signature":                     {token: unsigned, reason: "signing method none is invalid"},
		"none, in capitals":                {token: enc(`{"alg":"NONE","kid":"k1"}`) + "." + parts[1] + ".", reason: "signing method"},
		"a shared secret that is the key":  {token: shared(public), reason: "signing method HS256 is invalid"},
		"a critical extension":             {token: good.sign(t, claims(nil), map[string]any{"crit": []string{"x"}}), reason: "must be understood"},
		"a key of its own":                 {token: other.sign(t, claims(nil), map[string]any{"kid": "mine", "jwk": map[string]any{"kty": "RSA"}, "jku": "https://evil.example.com"}), reason: "is not known"},
		"expired":                          {token: good.sign(t, claims(map[string]any{"exp": now().Add(-time.Minute).Unix()}), nil), reason: "token is expired"},
		"never expires":                    {token: good.sign(t, claims(map[string]any{"exp": nil}), nil), reason: "exp claim is required"},
		"not yet":                          {token: good.sign(t, claims(map[string]any{"nbf": now().Add(time.Minute).Unix()}), nil), reason: "not valid yet"},
		"made tomorrow":                    {token: good.sign(t, claims(map[string]any{"iat": now().Add(24 * time.Hour).Unix()}), nil), reason: "used before issued"},
		"another issuer":                   {token: good.sign(t, claims(map[string]any{"iss": "https://evil.example.com"}), nil), reason: "no provider has issuer"},
		"an issuer that begins like it":    {token: good.sign(t, claims(map[string]any{"iss": issuer + ".evil.example.com"}), nil), reason: "no provider has issuer"},
		"an issuer with a slash":           {token: good.sign(t, claims(map[string]any{"iss": issuer + "/"}), nil), reason: "no provider has issuer"},
		"an issuer in capitals":            {token: good.sign(t, claims(map[string]any{"iss": strings.ToUpper(issuer)}), nil), reason: "no provider has issuer"},
		"no issuer":                        {token: good.sign(t, claims(map[string]any{"iss": nil}), nil), reason: "no provider has issuer"},
		"an issuer that is a number":       {token: good.sign(t, claims(map[string]any{"iss": 1}), nil), reason: "iss is invalid"},
		"another audience":                 {token: good.sign(t, claims(map[string]any{"aud": "https://packages.example.org"}), nil), reason: "no provider has issuer"},
		"an audience that begins like it":  {token: good.sign(t, claims(map[string]any{"aud": audience + "/x"}), nil), reason: "no provider has issuer"},
		"no audience":                      {token: good.sign(t, claims(map[string]any{"aud": nil}), nil), reason: "no provider has issuer"},
		"its condition is not met":         {token: good.sign(t, claims(map[string]any{"repository_owner": "evil"}), nil), reason: "condition is not met"},
		"a claim that is missing":          {token: good.sign(t, claims(map[string]any{"repository_owner": nil}), nil), reason: "no such key"},
		"a role with a path":               {token: good.sign(t, claims(map[string]any{"repository": "acme/a:b"}), nil), reason: "is no name"},
		"a group with a path":              {token: good.sign(t, claims(map[string]any{"groups": []string{"a/b"}}), nil), reason: "is no name"},
		"groups that are none":             {token: good.sign(t, claims(map[string]any{"groups": "devs"}), nil), reason: "groups"},
		"a tag that is a number":           {token: good.sign(t, claims(map[string]any{"repository": "acme/tool", "iss": "https://plain.example.com", "n": 1}), nil), reason: "tags"},
		"a tag that is a text":             {token: good.sign(t, claims(map[string]any{"iss": "https://plain.example.com", "n": "1"}), nil), want: &Caller{Principal: policy.Principal{ARN: session + "ci/oidc", Account: account, UserID: ok.Principal.UserID}, Tags: map[string]string{"n": "1"}, Source: ok.Source, Provider: "IdentityProvider team/plain", ExpiresAt: ok.ExpiresAt}},
		"too many groups":                  {token: good.sign(t, claims(map[string]any{"groups": strings.Split(strings.Repeat("g,", 60)+"g", ",")}), nil), reason: "there are 61"},
		"a user":                           {token: user("bob@example.com"), want: &Caller{Principal: policy.Principal{ARN: "arn:aws:iam::" + account + ":user/bob@example.com", Account: account, UserID: "repo:acme/tool:ref:refs/heads/main"}, Source: "IdentityProvider uid-1", Provider: "IdentityProvider team/users", ExpiresAt: now().Add(time.Hour)}},
		"a user with a path":               {token: user("x/y"), reason: "is no name"},
		"a user that is another's ARN":     {token: user("bob:role/admin"), reason: "is no name"},
		"a user without a name":            {token: user(""), reason: "is no name"},
		"changed":                          {token: parts[0] + "." + enc(`{"iss":"`+issuer+`","aud":"`+audience+`","exp":4000000000,"repository_owner":"acme"}`) + "." + parts[2], reason: "signature is invalid"},
		"nonsense":                         {token: "nonsense", reason: "malformed"},
		"three dots":                       {token: "...", reason: "malformed"},
		"nothing":                          {reason: "malformed"},
		"long":                             {token: strings.Repeat("a", maxToken+1), reason: "bytes"},
		"a service account":                {token: es.sign(t, bound(nil), nil), want: &sa},
		"a service account, another issue": {token: es.sign(t, bound(map[string]any{"aud": "https://kubernetes.default.svc"}), nil), reason: "no provider has issuer"},
		"signed by a provider's key":       {token: good.sign(t, bound(nil), nil), reason: "is not known"},
		"without a pod":                    {token: es.sign(t, about("team", "ci", "u-1", "system:serviceaccount:team:ci"), nil), want: &Caller{Principal: policy.Principal{ARN: session + "ci/token", Account: account, UserID: "u-1:token"}, Source: "ServiceAccount u-1", Provider: sa.Provider, ExpiresAt: sa.ExpiresAt}},
		"one that was deleted":             {token: es.sign(t, about("team", "ci", "u-0", "system:serviceaccount:team:ci"), nil), reason: "there is no service account"},
		"one with another's UID":           {token: es.sign(t, about("team", "admin", "u-1", "system:serviceaccount:team:admin"), nil), reason: "there is no service account"},
		"a subject of another namespace":   {token: es.sign(t, about("team", "ci", "u-1", "system:serviceaccount:other:ci"), nil), reason: "no bound token"},
		"a token that is not bound":        {token: es.sign(t, bound(map[string]any{"kubernetes.io": "x"}), nil), reason: "no bound token"},
		"a namespace without an account":   {token: es.sign(t, about("clash", "ci", "u-1", "system:serviceaccount:clash:ci"), nil), reason: "clash"},
	}
	v := NewVerifier(nil, now)
	for name, tt := range tests {
		got, err := v.Verify(t.Context(), trusted, tt.token, Meant{Provider: tt.choice})
		if tt.want != nil {
			if diff := cmp.Diff(tt.want, got, cmpopts.EquateEmpty(), cmpopts.EquateApproxTime(0)); err != nil || diff != "" {
				t.Errorf("%s: %v (%v) (-want +got):\n%s", name, err, reason(err), diff)
			}
			continue
		}
		if !errors.Is(err, registry.ErrUnauthenticated) || err.Error() != "unauthenticated: the token is not accepted" || !strings.Contains(reason(err), tt.reason) {
			t.Errorf("%s: got %v, %v (%s); want a refusal because %q", name, got, err, reason(err), tt.reason)
		}
	}
}

func enc(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func reason(err error) string {
	if r, ok := errors.AsType[*Refusal](err); ok {
		return r.Reason.Error()
	}
	return ""
}

// Of two providers that would take a token neither does, unless the request says which.
func TestTwoProviders(t *testing.T) {
	good := rsaSigner(t, "k1", 2048)
	keys := keysOf(t, good)
	trusted := compile(t, &config.Registry{Providers: []config.IdentityProvider{
		github(keys, nil),
		github(keys, func(p *config.IdentityProvider) { p.Source.Namespace, p.Account = "other", "999999999999" }),
	}})
	v := NewVerifier(nil, now)
	token := good.sign(t, claims(nil), nil)
	if c, err := v.Verify(t.Context(), trusted, token, Meant{}); !strings.Contains(reason(err), "which") {
		t.Errorf("got %+v, %v", c, err)
	}
	for choice, id := range map[string]string{"team/github": account, "other/github": "999999999999"} {
		if c, err := v.Verify(t.Context(), trusted, token, Meant{Provider: choice}); err != nil || c.Principal.Account != id {
			t.Errorf("%s: %+v, %v", choice, c, err)
		}
	}
}

// A provider whose keys cannot be fetched does not stand in the way of another that takes the token.
func TestUnavailableProvider(t *testing.T) {
	good := rsaSigner(t, "k1", 2048)
	dead := github("", func(p *config.IdentityProvider) {
		p.Source.Namespace, p.KeysURL = "other", "https://dead.example.com/keys"
	})
	down := func(context.Context, string, string, bool) ([]byte, error) { return nil, registry.ErrUnavailable }
	v := NewVerifier(down, now)
	token := good.sign(t, claims(nil), nil)
	if c, err := v.Verify(t.Context(), compile(t, &config.Registry{Providers: []config.IdentityProvider{dead, github(keysOf(t, good), nil)}}), token, Meant{}); err != nil || c.Provider != "IdentityProvider team/github" {
		t.Errorf("got %+v, %v", c, err)
	}
	if c, err := v.Verify(t.Context(), compile(t, &config.Registry{Providers: []config.IdentityProvider{dead}}), token, Meant{}); !errors.Is(err, registry.ErrUnavailable) {
		t.Errorf("alone: %+v, %v", c, err)
	}
}

// TestKeysAreFetched: once an hour, and for a key that is not known, but not for every token that names one; while the issuer cannot be
// asked, those from before are taken for a day.
func TestKeysAreFetched(t *testing.T) {
	first, second := rsaSigner(t, "k1", 2048), rsaSigner(t, "k2", 2048)
	clock, served, asked := now(), keysOf(t, first), 0
	var fail error
	fetch := func(_ context.Context, url, ca string, private bool) ([]byte, error) {
		asked++
		if url != "https://issuer.example.com/keys" || ca != "PEM" || private {
			t.Errorf("asked %q %q %v", url, ca, private)
		}
		return []byte(served), fail
	}
	trusted := compile(t, &config.Registry{Providers: []config.IdentityProvider{github("", func(p *config.IdentityProvider) { p.KeysURL, p.CA = "https://issuer.example.com/keys", "PEM" })}})
	v := NewVerifier(fetch, func() time.Time { return clock })
	try := func(s *signer) string {
		c := claims(map[string]any{"exp": clock.Add(time.Hour).Unix(), "iat": clock.Unix()})
		_, err := v.Verify(t.Context(), trusted, s.sign(t, c, nil), Meant{})
		if err == nil {
			return "ok"
		}
		if errors.Is(err, registry.ErrUnavailable) {
			return "unavailable"
		}
		return reason(err)
	}
	unknown := `IdentityProvider team/github: its key "k2" is not known`
	steps := []struct {
		name  string
		after time.Duration
		do    func()
		key   *signer
		want  string
		asked int
	}{
		{"the first time", 0, nil, first, "ok", 1},
		{"again", time.Minute, nil, first, "ok", 1},
		{"a key that is not there", 0, nil, second, unknown, 2},
		{"again at once", time.Second, nil, second, unknown, 2},
		{"keys are rotated", time.Minute, func() { served = keysOf(t, first, second) }, second, "ok", 3},
		{"the issuer is down", 2 * time.Hour, func() { fail = registry.ErrUnavailable }, first, "ok", 4},
		{"and a key is not known", time.Minute, nil, &signer{"k3", first.private, first.method}, "unavailable", 5},
		{"for more than a day", 25 * time.Hour, nil, first, "unavailable", 6},
		{"and back, without the first key", time.Minute, func() { fail, served = nil, keysOf(t, second) }, first, `IdentityProvider team/github: its key "k1" is not known`, 7},
		{"nonsense is no key set", 2 * time.Hour, func() { served = "<html>" }, second, "ok", 8},
	}
	for _, s := range steps {
		clock = clock.Add(s.after)
		if s.do != nil {
			s.do()
		}
		if got := try(s.key); got != s.want || asked != s.asked {
			t.Errorf("%s: %s, asked %d times; want %s, %d", s.name, got, asked, s.want, s.asked)
		}
	}
}

func TestCheck(t *testing.T) {
	keys := keysOf(t, ecSigner(t, "es", elliptic.P256(), jwt.SigningMethodES256))
	for name, tt := range map[string]struct {
		edit func(*config.IdentityProvider)
		says string // "": nothing
	}{
		"good":              {edit: nil},
		"no issuer":         {func(p *config.IdentityProvider) { p.Issuer = "" }, "issuer"},
		"no audience":       {func(p *config.IdentityProvider) { p.Audiences = nil }, "audiences"},
		"no account":        {func(p *config.IdentityProvider) { p.Account = "" }, "account"},
		"no keys":           {func(p *config.IdentityProvider) { p.Keys = "" }, "keys"},
		"keys twice":        {func(p *config.IdentityProvider) { p.KeysURL = "https://x" }, "keys"},
		"keys in the clear": {func(p *config.IdentityProvider) { p.Keys, p.KeysURL = "", "http://x/keys" }, "https"},
		"private in the clear": {func(p *config.IdentityProvider) {
			p.Keys, p.KeysURL, p.AllowPrivateAddresses = "", "http://x/keys", true
		}, ""},
		"keys that are none":     {func(p *config.IdentityProvider) { p.Keys = `{"keys":[]}` }, "no public key"},
		"shared keys":            {func(p *config.IdentityProvider) { p.Keys = `{"keys":[{"kty":"oct","kid":"x","k":"c2VjcmV0"}]}` }, "no public key"},
		"neither role nor user":  {func(p *config.IdentityProvider) { p.Role = "" }, "role or a user"},
		"both":                   {func(p *config.IdentityProvider) { p.User = "'x'" }, "role or a user"},
		"a session of a user":    {func(p *config.IdentityProvider) { p.User, p.Role = "'x'", "" }, "session"},
		"syntax":                 {func(p *config.IdentityProvider) { p.Role = "claims." }, "role: "},
		"another type":           {func(p *config.IdentityProvider) { p.Role = "1" }, "gives int, not string"},
		"a list of claims":       {func(p *config.IdentityProvider) { p.Groups = "[claims.team, 'all']" }, ""},
		"a map of claims":        {func(p *config.IdentityProvider) { p.Tags = "{'repository': claims.repository}" }, ""},
		"a list of numbers":      {func(p *config.IdentityProvider) { p.Groups = "[1, 2]" }, "gives list(int), not list(string)"},
		"a map of lists":         {func(p *config.IdentityProvider) { p.Tags = "{'a': ['b']}" }, "gives map(string, list(string)), not map(string, string)"},
		"a list for a map":       {func(p *config.IdentityProvider) { p.Tags = "['a']" }, "gives list(string)"},
		"another variable":       {func(p *config.IdentityProvider) { p.Role = "token.sub" }, "undeclared reference"},
		"a condition of a claim": {func(p *config.IdentityProvider) { p.Condition = "claims.admin" }, ""},
		"a long expression":      {func(p *config.IdentityProvider) { p.Condition = strings.Repeat("!", maxExpression) + "true" }, "longer"},
	} {
		p := github(keys, tt.edit)
		err := Check(&p)
		if tt.says == "" && err != nil || tt.says != "" && (!errors.Is(err, registry.ErrInvalid) || !strings.Contains(err.Error(), tt.says)) {
			t.Errorf("%s: got %v, want %q", name, err, tt.says)
		}
	}
	bad := github(keys, func(p *config.IdentityProvider) { p.Issuer = "" })
	got, problems := Compile(&config.Registry{Providers: []config.IdentityProvider{bad, github(keys, nil)}, Cluster: &config.ClusterIssuer{Issuer: "x", Keys: "{}"}}, accountOf)
	if len(got.list) != 1 || len(problems) != 2 {
		t.Errorf("%d providers, %v", len(got.list), problems)
	}
}

// An expression that never ends is ended.
func TestExpressionsAreBounded(t *testing.T) {
	good := rsaSigner(t, "k1", 2048)
	loop := "claims.groups.all(a, claims.groups.all(b, claims.groups.all(c, claims.groups.all(d, a + b + c + d != 'x'))))"
	trusted := compile(t, &config.Registry{Providers: []config.IdentityProvider{github(keysOf(t, good), func(p *config.IdentityProvider) { p.Condition = loop })}})
	many := strings.Split(strings.Repeat("group,", 49)+"group", ",")
	begin := time.Now()
	_, err := NewVerifier(nil, now).Verify(t.Context(), trusted, good.sign(t, claims(map[string]any{"groups": many}), nil), Meant{})
	if !strings.Contains(reason(err), "cost") || time.Since(begin) > 10*time.Second {
		t.Errorf("%v (%s) after %v", err, reason(err), time.Since(begin))
	}
}

func FuzzVerify(f *testing.F) {
	es := ecSigner(f, "es", elliptic.P256(), jwt.SigningMethodES256)
	trusted := compile(f, &config.Registry{
		Cluster: &config.ClusterIssuer{Issuer: cluster, Keys: keysOf(f, es)}, Endpoints: []config.Endpoint{{URL: audience}},
		ServiceAccounts: []config.ServiceAccount{{Namespace: "team", Name: "ci", UID: "u-1"}},
		Providers:       []config.IdentityProvider{github(keysOf(f, es), nil)},
	})
	f.Add(es.sign(f, claims(nil), nil))
	f.Add(es.sign(f, bound(nil), nil))
	f.Add("a.b.c")
	v := NewVerifier(nil, now)
	f.Fuzz(func(t *testing.T, token string) {
		if c, err := v.Verify(t.Context(), trusted, token, Meant{}); err == nil && c.Principal.Account != account {
			t.Errorf("%q speaks for %+v", token, c)
		}
	})
}

func FuzzParseKeys(f *testing.F) {
	f.Add([]byte(keysOf(f, ecSigner(f, "es", elliptic.P256(), jwt.SigningMethodES256))))
	f.Add([]byte(`{"keys":[{"kty":"RSA","kid":"x","n":"AQAB","e":"AQAB"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		set, err := parseKeys(b)
		if err == nil && len(set.keys) == 0 {
			t.Error("an empty set")
		}
	})
}
