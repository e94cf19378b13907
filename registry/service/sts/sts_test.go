package sts

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/golang-jwt/jwt/v5"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/identity"
	"packhouse.dev/packhouse/registry/policy"
	"packhouse.dev/packhouse/registry/service/sigv4"
)

const (
	account  = "111122223333"
	roleARN  = "arn:aws:iam::" + account + ":role/ci"
	issuerOf = "https://actions.example.com"
)

// world trusts an issuer twice: for an account, and for another that would take the same tokens.
type world struct {
	*Service
	sessions  *Sessions
	providers *identity.Providers
	key       *ecdsa.PrivateKey
	log       bytes.Buffer
	clock     time.Time
}

func (w *world) Providers() *identity.Providers { return w.providers }
func (w *world) Names() policy.Names            { return policy.Names{Partition: "aws", Region: "local"} }
func (w *world) now() time.Time                 { return w.clock }

// keys are temporary ones, and one that lasts.
type keys struct{ *Sessions }

func (keys) AccessKey(_ context.Context, id string) (*sigv4.Key, error) {
	if id != "AKIAIOSFODNN7EXAMPLE" {
		return nil, registry.ErrNotFound
	}
	return &sigv4.Key{ID: id, Secret: "secret", Principal: policy.Principal{ARN: "arn:aws:iam::" + account + ":user/bob", Account: account, UserID: "uid-bob"}}, nil
}

func (k keys) SessionKey(_ context.Context, id, token string) (*sigv4.Key, error) {
	return k.Key(id, token)
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{clock: time.Now().Truncate(time.Second)}
	var err error
	if w.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	public, err := w.key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	set := fmt.Sprintf(`{"keys":[{"kty":"EC","crv":"P-256","kid":"k1","use":"sig","x":%q,"y":%q}]}`, b64(public[1:33]), b64(public[33:]))
	provider := func(namespace, account string) config.IdentityProvider {
		return config.IdentityProvider{
			Source: config.Source{Kind: "IdentityProvider", Namespace: namespace, Name: "actions", UID: "uid-" + namespace}, Account: account, Issuer: issuerOf, Audiences: []string{"sts"},
			Keys: set, Role: "claims.role", Session: "claims.run", Groups: "claims.groups",
		}
	}
	var problems []identity.Problem
	w.providers, problems = identity.Compile(&config.Registry{Partition: "aws", Region: "local", Providers: []config.IdentityProvider{provider("team", account), provider("other", "999999999999")}}, nil)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if w.sessions, err = NewSessions(bytes.Repeat([]byte("k"), 32), w.now); err != nil {
		t.Fatal(err)
	}
	w.Service, err = New(Options{
		Door: w, Foreign: identity.NewVerifier(nil, w.now), Keys: keys{w.sessions}, Sessions: w.sessions, Logger: slog.New(slog.NewTextHandler(&w.log, nil)), Now: w.now,
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) token(t testing.TB, edit func(jwt.MapClaims)) string {
	t.Helper()
	claims := jwt.MapClaims{"iss": issuerOf, "aud": "sts", "sub": "s", "role": "ci", "run": "42", "groups": []string{"devs"}, "exp": w.clock.Add(time.Minute).Unix()}
	if edit != nil {
		edit(claims)
	}
	tok := jwt.NewWithClaims(jwt.SigningMethodES256, claims)
	tok.Header["kid"] = "k1"
	s, err := tok.SignedString(w.key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (w *world) post(form url.Values, sign *Credentials) (*httptest.ResponseRecorder, *Outcome) {
	body := []byte(form.Encode())
	r := httptest.NewRequest(http.MethodPost, Path, bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if sign != nil {
		c := aws.Credentials{AccessKeyID: sign.AccessKeyID, SecretAccessKey: sign.SecretAccessKey, SessionToken: sign.SessionToken}
		if err := v4.NewSigner().SignHTTP(context.Background(), c, r, sigv4.Hash(body), "sts", "local", w.clock); err != nil {
			panic(err)
		}
	}
	rec := httptest.NewRecorder()
	return rec, w.Serve(rec, r, body, "request-1")
}

func assumeForm(token string, more ...string) url.Values {
	form := url.Values{"Action": {"AssumeRoleWithWebIdentity"}, "Version": {version}, "RoleArn": {roleARN}, "RoleSessionName": {"botocore"}, "WebIdentityToken": {token}}
	for i := 0; i < len(more); i += 2 {
		if form.Del(more[i]); more[i+1] != "" {
			form.Set(more[i], more[i+1])
		}
	}
	return form
}

func identityForm() url.Values {
	return url.Values{"Action": {"GetCallerIdentity"}, "Version": {version}}
}

// A token becomes a session, which signs until it is over.
func TestSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rec, out := w.post(assumeForm(w.token(t, nil), "DurationSeconds", "900"), nil)
	var got assumeResponse
	if err := xml.Unmarshal(rec.Body.Bytes(), &got); err != nil || rec.Code != http.StatusOK {
		t.Fatalf("%d %s: %v", rec.Code, rec.Body, err)
	}
	arn := "arn:aws:sts::" + account + ":assumed-role/ci/42"
	if got.ARN != arn || got.Expires != w.clock.Add(15*time.Minute).UTC().Format(time.RFC3339) || !strings.HasPrefix(got.KeyID, "ASIA") || len(got.KeyID) != 20 || len(got.Secret) != 40 {
		t.Errorf("got %+v", got)
	}
	if out.Action != "AssumeRoleWithWebIdentity" || out.Role != roleARN || out.Principal.ARN != arn || out.KeyID != got.KeyID || out.Code != "" {
		t.Errorf("outcome %+v", out)
	}
	c := &Credentials{AccessKeyID: got.KeyID, SecretAccessKey: got.Secret, SessionToken: got.Token}
	key, err := w.sessions.Key(c.AccessKeyID, c.SessionToken)
	if err != nil || key.Principal.ARN != arn || key.Principal.Account != account || key.Source != "IdentityProvider uid-team" || key.Groups[0] != "devs" || !key.IssuedAt.Equal(w.clock) || !key.ExpiresAt.Equal(w.clock.Add(15*time.Minute)) {
		t.Errorf("key %+v, %v", key, err)
	}
	rec, out = w.post(identityForm(), c)
	if rec.Code != http.StatusOK || !strings.Contains(rec.Body.String(), "<Arn>"+arn+"</Arn>") || !strings.Contains(rec.Body.String(), "<Account>"+account+"</Account>") || out.KeyID != got.KeyID {
		t.Errorf("%d %s, %+v", rec.Code, rec.Body, out)
	}
	rec, _ = w.post(identityForm(), &Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "secret"})
	if rec.Code != http.StatusOK || !strings.Contains(rec.Body.String(), "user/bob") || !strings.Contains(rec.Body.String(), "<UserId>uid-bob</UserId>") {
		t.Errorf("a lasting key: %d %s", rec.Code, rec.Body)
	}
	w.clock = w.clock.Add(16 * time.Minute)
	if rec, out := w.post(identityForm(), c); rec.Code != http.StatusForbidden || out.Code != "ExpiredTokenException" {
		t.Errorf("afterwards: %d %s", rec.Code, rec.Body)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	good := w.token(t, nil)
	with := func(key string, value any) string { return w.token(t, func(c jwt.MapClaims) { c[key] = value }) }
	const refusedToken = "The token is not accepted."
	for name, tt := range map[string]struct {
		form   url.Values
		sign   *Credentials
		status int
		code   string
		says   string
	}{
		"no action":               {url.Values{"Version": {version}}, nil, 400, "MissingAction", ""},
		"another action":          {url.Values{"Action": {"GetSessionToken"}, "Version": {version}}, nil, 400, "InvalidAction", "GetSessionToken"},
		"another version":         {url.Values{"Action": {"GetCallerIdentity"}, "Version": {"2010-01-01"}}, nil, 400, "InvalidAction", version},
		"twice":                   {url.Values{"Action": {"GetCallerIdentity", "x"}, "Version": {version}}, nil, 400, "ValidationError", "twice"},
		"no token":                {assumeForm(""), nil, 400, "ValidationError", "WebIdentityToken is needed"},
		"nonsense":                {assumeForm("a.b.c"), nil, 400, "InvalidIdentityToken", refusedToken},
		"another audience":        {assumeForm(with("aud", "x")), nil, 400, "InvalidIdentityToken", refusedToken},
		"an issuer like it":       {assumeForm(with("iss", issuerOf+".evil.example")), nil, 400, "InvalidIdentityToken", refusedToken},
		"over":                    {assumeForm(with("exp", w.clock.Add(-time.Hour).Unix())), nil, 400, "InvalidIdentityToken", refusedToken},
		"another role":            {assumeForm(good, "RoleArn", "arn:aws:iam::"+account+":role/admin"), nil, 403, "AccessDenied", ""},
		"a role that begins so":   {assumeForm(good, "RoleArn", "arn:aws:iam::"+account+":role/c"), nil, 403, "AccessDenied", ""},
		"of another partition":    {assumeForm(good, "RoleArn", "arn:aws-cn:iam::"+account+":role/ci"), nil, 403, "AccessDenied", ""},
		"of an account of nobody": {assumeForm(good, "RoleArn", "arn:aws:iam::000000000000:role/ci"), nil, 400, "InvalidIdentityToken", refusedToken},
		"a user":                  {assumeForm(good, "RoleArn", "arn:aws:iam::"+account+":user/ci"), nil, 400, "ValidationError", "RoleArn"},
		"no ARN":                  {assumeForm(good, "RoleArn", "ci"), nil, 400, "ValidationError", "RoleArn"},
		"no session":              {assumeForm(good, "RoleSessionName", ""), nil, 400, "ValidationError", "RoleSessionName"},
		"a policy for it":         {assumeForm(good, "Policy", "{}"), nil, 400, "ValidationError", "not supported"},
		"a minute":                {assumeForm(good, "DurationSeconds", "60"), nil, 400, "ValidationError", "900 to 43200"},
		"groups that fill it":     {assumeForm(with("groups", strings.Split(strings.Repeat(strings.Repeat("g", 200)+",", 40)+"g", ","))), nil, 400, "ValidationError", "too long"},
		"unsigned":                {identityForm(), nil, 403, "MissingAuthenticationToken", ""},
		"an unknown key":          {identityForm(), &Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPL2", SecretAccessKey: "secret"}, 403, "UnrecognizedClientException", ""},
		"a wrong secret":          {identityForm(), &Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "wrong"}, 403, "InvalidSignatureException", ""},
		"a session of nobody":     {identityForm(), &Credentials{AccessKeyID: "ASIAIOSFODNN7EXAMPLE", SecretAccessKey: "secret", SessionToken: "x"}, 403, "UnrecognizedClientException", ""},
	} {
		rec, out := w.post(tt.form, tt.sign)
		var got errorResponse
		if err := xml.Unmarshal(rec.Body.Bytes(), &got); err != nil || rec.Code != tt.status || got.Error.Code != tt.code || !strings.Contains(got.Error.Message, tt.says) || out.Code != tt.code || out.Status != tt.status {
			t.Errorf("%s: %d %s", name, rec.Code, rec.Body)
		}
		if strings.Contains(rec.Body.String(), "eyJ") {
			t.Errorf("%s: a token stands in the answer", name)
		}
	}
	r := httptest.NewRequest(http.MethodGet, Path+"?"+assumeForm(good).Encode(), http.NoBody)
	rec := httptest.NewRecorder()
	if w.Serve(rec, r, nil, "x"); rec.Code != http.StatusMethodNotAllowed {
		t.Errorf("in the address: %d %s", rec.Code, rec.Body)
	}
	if log := w.log.String(); strings.Contains(log, "eyJ") || !strings.Contains(log, "no provider has issuer") {
		t.Errorf("log: %s", log)
	}
}

// A session token is good for its own key, and only one of ours is good at all.
func TestSessionTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	who := &identity.Caller{Principal: policy.Principal{ARN: "arn:aws:sts::" + account + ":assumed-role/ci/1", Account: account}, Source: "x"}
	one, err := w.sessions.Issue(who, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	two, err := w.sessions.Issue(who, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	others, err := NewSessions(bytes.Repeat([]byte("x"), 32), nil)
	if err != nil {
		t.Fatal(err)
	}
	strange, err := others.Issue(who, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	again, err := NewSessions(bytes.Repeat([]byte("k"), 32), nil) // another replica
	if err != nil {
		t.Fatal(err)
	}
	if key, err := again.Key(one.AccessKeyID, one.SessionToken); err != nil || key.Secret != one.SecretAccessKey {
		t.Errorf("at another replica: %+v, %v", key, err)
	}
	parts := strings.Split(one.SessionToken, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + parts[1] + "."
	for name, pair := range map[string][2]string{
		"of another key": {one.AccessKeyID, two.SessionToken}, "of another registry": {strange.AccessKeyID, strange.SessionToken}, "unsigned": {one.AccessKeyID, none},
		"a lasting key": {"AKIA" + one.AccessKeyID[4:], one.SessionToken}, "nothing": {one.AccessKeyID, ""}, "long": {one.AccessKeyID, strings.Repeat("x", maxToken+1)},
	} {
		if key, err := w.sessions.Key(pair[0], pair[1]); !errors.Is(err, registry.ErrNotFound) {
			t.Errorf("%s: %+v, %v", name, key, err)
		}
	}
}

func FuzzKey(f *testing.F) {
	w := newWorld(f)
	c, err := w.sessions.Issue(&identity.Caller{Principal: policy.Principal{ARN: "arn:aws:sts::" + account + ":assumed-role/ci/1", Account: account}, Source: "x"}, time.Hour)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(c.AccessKeyID, c.SessionToken)
	f.Add("ASIA", "a.b.c")
	f.Fuzz(func(t *testing.T, id, token string) {
		if key, err := w.sessions.Key(id, token); err == nil && (id != c.AccessKeyID || key.Principal.Account != account) {
			t.Errorf("%q %q is %+v", id, token, key)
		}
	})
}
