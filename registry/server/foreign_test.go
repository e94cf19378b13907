package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"packhouse.dev/packhouse/registry/audit"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/identity"
)

// foreignWorld trusts one identity provider, and lets its user bob have tokens.
func foreignWorld(t *testing.T) (w *world, token func(user, audience string) string) {
	t.Helper()
	w = newWorld(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	keys := fmt.Sprintf(`{"keys":[{"kty":"EC","crv":"P-256","kid":"k1","use":"sig","x":%q,"y":%q}]}`, b64(public[1:33]), b64(public[33:]))
	providers, problems := identity.Compile(&config.Registry{Partition: "aws", Region: "local", Providers: []config.IdentityProvider{{
		Source: config.Source{Kind: "IdentityProvider", Namespace: "team", Name: "dex", UID: "uid-dex"}, Account: "111122223333", Issuer: "https://dex.example.com", Audiences: []string{"packhouse"},
		Keys: keys, User: "claims.sub", Groups: "claims.groups",
	}}}, nil)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	w.service.providers, w.service.may = providers, "arn:aws:iam::111122223333:user/bob"
	return w, func(user, audience string) string {
		tok := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{"iss": "https://dex.example.com", "aud": audience, "sub": user, "groups": []string{"devs"}, "exp": time.Now().Add(5 * time.Minute).Unix()})
		tok.Header["kid"] = "k1"
		s, err := tok.SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

func exchangeForm(token string, more ...string) url.Values {
	form := url.Values{"grant_type": {grantExchange}, "subject_token_type": {typeJWT}, "subject_token": {token}, "audience": {myDomain.String()}}
	for i := 0; i < len(more); i += 2 {
		if form.Del(more[i]); more[i+1] != "" {
			form.Set(more[i], more[i+1])
		}
	}
	return form
}

func (w *world) post(form url.Values, edit func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, exchangePath, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Host, r.RemoteAddr = "localhost", "192.0.2.7:1"
	if edit != nil {
		edit(r)
	}
	rec := httptest.NewRecorder()
	w.ServeHTTP(rec, r)
	return rec
}

func TestTokensAreExchanged(t *testing.T) {
	t.Parallel()
	w, token := foreignWorld(t)
	for name, tt := range map[string]struct {
		form  url.Values
		asked time.Duration
		lives time.Duration
	}{
		"by default":      {exchangeForm(token("bob", "packhouse")), 12 * time.Hour, 12 * time.Hour},
		"for an hour":     {exchangeForm(token("bob", "packhouse"), "duration_seconds", "3600", "subject_token_type", typeID), time.Hour, time.Hour},
		"for the session": {exchangeForm(token("bob", "packhouse"), "duration_seconds", "0", "provider", "team/dex"), 0, 5 * time.Minute},
	} {
		rec := w.post(tt.form, nil)
		var got struct {
			AccessToken     string `json:"access_token"`
			TokenType       string `json:"token_type"`
			IssuedTokenType string `json:"issued_token_type"`
			ExpiresIn       int64  `json:"expires_in"`
			Principal       string `json:"principal"`
		}
		if err := json.Unmarshal(rec.Body.Bytes(), &got); err != nil || rec.Code != http.StatusOK {
			t.Fatalf("%s: %d %s", name, rec.Code, rec.Body)
		}
		if got.TokenType != "Bearer" || got.IssuedTokenType != typeAccess || got.Principal != w.service.may || time.Duration(got.ExpiresIn)*time.Second-tt.lives > 2*time.Second || tt.lives-time.Duration(got.ExpiresIn)*time.Second > 5*time.Second {
			t.Errorf("%s: %+v", name, got)
		}
		id, err := w.auth.Verify(got.AccessToken)
		if err != nil || id.Principal.ARN != w.service.may || id.Domain != w.service.UID() || id.Source != "IdentityProvider uid-dex" || len(id.Groups) != 1 {
			t.Errorf("%s: %+v, %v", name, id, err)
		}
		if c := w.service.caller; w.service.duration != tt.asked || c.Groups[0] != "devs" || c.Context.SourceIP.String() != "192.0.2.7" {
			t.Errorf("%s: asked for %+v, %v", name, c, w.service.duration)
		}
		if rec.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", name, rec.Header())
		}
	}
	for text := range strings.Lines(w.record.String()) {
		var e audit.Entry
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			t.Fatal(err)
		}
		if e.EventName != "GetAuthorizationToken" || e.UserIdentity.ARN != w.service.may || e.UserIdentity.TokenID == "" || e.RequestParameters["identityProvider"] != "IdentityProvider team/dex" ||
			e.Resources[0].ARN != "arn:aws:codeartifact:eu-central-1:111122223333:domain/my-domain" {
			t.Errorf("the record says %s", text)
		}
	}
	if all := w.log.String() + w.record.String(); strings.Count(all, "GetAuthorizationToken") != 3 || strings.Contains(all, "eyJ") {
		t.Errorf("log and record: %s", all)
	}
}

func TestExchangesThatAreRefused(t *testing.T) {
	t.Parallel()
	w, token := foreignWorld(t)
	good := token("bob", "packhouse")
	parts := strings.Split(good, ".")
	b64 := base64.RawURLEncoding.EncodeToString
	own, said := w.token(t, root, "uid-1"), map[string]bool{}
	for name, tt := range map[string]struct {
		form   url.Values
		edit   func(*http.Request)
		status int
		code   string
		says   string
	}{
		"nobody's token":        {exchangeForm("nonsense"), nil, 401, "invalid_grant", "the token is not accepted"},
		"no token":              {exchangeForm(""), nil, 401, "invalid_grant", "the token is not accepted"},
		"no signature":          {exchangeForm(b64([]byte(`{"alg":"none","kid":"k1"}`)) + "." + parts[1] + "."), nil, 401, "invalid_grant", "the token is not accepted"},
		"an unknown key":        {exchangeForm(b64([]byte(`{"alg":"ES256","kid":"k2"}`)) + "." + parts[1] + "." + parts[2]), nil, 401, "invalid_grant", "the token is not accepted"},
		"an issuer like it":     {exchangeForm(parts[0] + "." + b64([]byte(`{"iss":"https://dex.example.com.evil.example","aud":"packhouse","sub":"bob","exp":4000000000}`)) + "." + parts[2]), nil, 401, "invalid_grant", "the token is not accepted"},
		"its body changed":      {exchangeForm(parts[0] + "." + b64([]byte(`{"iss":"https://dex.example.com","aud":"packhouse","sub":"bob","exp":4000000000}`)) + "." + parts[2]), nil, 401, "invalid_grant", "the token is not accepted"},
		"another audience":      {exchangeForm(token("bob", "other")), nil, 401, "invalid_grant", "the token is not accepted"},
		"one of our own":        {exchangeForm(own), nil, 401, "invalid_grant", "the token is not accepted"},
		"another provider":      {exchangeForm(good, "provider", "team/other"), nil, 401, "invalid_grant", "the token is not accepted"},
		"who may not":           {exchangeForm(token("eve", "packhouse")), nil, 403, "access_denied", "user/eve is not authorized to perform: codeartifact:GetAuthorizationToken"},
		"unknown domain":        {exchangeForm(good, "audience", "other-111122223333"), nil, 403, "access_denied", "is not authorized to perform: codeartifact:GetAuthorizationToken"},
		"no domain":             {exchangeForm(good, "audience", ""), nil, 400, "invalid_request", "{domain}-{account}"},
		"another grant":         {exchangeForm(good, "grant_type", "password"), nil, 400, "invalid_request", grantExchange},
		"another type of token": {exchangeForm(good, "subject_token_type", typeAccess), nil, 400, "invalid_request", typeJWT},
		"a minute":              {exchangeForm(good, "duration_seconds", "60"), nil, 400, "invalid_request", "900"},
		"a day":                 {exchangeForm(good, "duration_seconds", "86400"), nil, 400, "invalid_request", "43200"},
		"less than nothing":     {exchangeForm(good, "duration_seconds", "-1"), nil, 400, "invalid_request", "900"},
		"a long time":           {exchangeForm(good, "duration_seconds", "99999999999999999999"), nil, 400, "invalid_request", "43200"},
		"twice":                 {url.Values{"grant_type": {grantExchange, grantExchange}}, nil, 400, "invalid_request", "twice"},
		"a large form":          {exchangeForm(strings.Repeat("x", maxForm)), nil, 413, "invalid_request", ""},
		"in the address": {exchangeForm("", "subject_token", ""), func(r *http.Request) {
			r.URL.RawQuery = "subject_token=" + good
		}, 401, "invalid_grant", "the token is not accepted"},
		"JSON":   {exchangeForm(good), func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }, 400, "invalid_request", grantExchange},
		"by GET": {exchangeForm(good), func(r *http.Request) { r.Method = http.MethodGet }, 405, "invalid_request", "POST"},
	} {
		rec := w.post(tt.form, tt.edit)
		var got struct {
			Error       string `json:"error"`
			Description string `json:"error_description"`
		}
		if err := json.Unmarshal(rec.Body.Bytes(), &got); err != nil || rec.Code != tt.status || got.Error != tt.code || !strings.Contains(got.Description, tt.says) {
			t.Errorf("%s: %d %s", name, rec.Code, rec.Body)
		}
		if rec.Code == 401 {
			said[rec.Body.String()] = true
		}
		if rec.Header()["Www-Authenticate"] != nil {
			t.Errorf("%s: a challenge", name)
		}
	}
	if len(said) != 1 { // whoever tries learns nothing from how he is refused
		t.Errorf("refusals differ: %v", said)
	}
	if log := w.log.String(); !strings.Contains(log, "no provider has issuer") || strings.Contains(log+w.record.String(), "eyJ") {
		t.Errorf("the log does not say why, or there is a token: %s %s", log, w.record.String())
	}
	// Such a token is good for nothing else.
	if rec := w.do(http.MethodGet, base+"document", "Bearer "+good, nil); rec.Code != http.StatusUnauthorized {
		t.Errorf("a foreign token at a package endpoint: %d", rec.Code)
	}
}
