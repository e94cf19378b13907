package sigv4

import (
	"context"
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	signer "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"packhouse.dev/packhouse/registry"
)

// The example key of AWS's test suite.
const (
	exampleID     = "AKIDEXAMPLE"
	exampleSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
)

// TestVectors computes the signatures of AWS's test suite for Signature Version 4 (aws-sig-v4-test-suite).
func TestVectors(t *testing.T) {
	t.Parallel()
	const at = "20150830T123600Z"
	tests := map[string]struct {
		method, target string
		header         [][2]string // beside host and x-amz-date, in order of their names
		signed         string
		body, want     string
	}{
		"get-vanilla": {"GET", "/", nil, "host;x-amz-date", "", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		"get-vanilla-query-order-key-case": {"GET", "/?Param2=value2&Param1=value1", nil, "host;x-amz-date", "",
			"b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
		"get-header-value-trim": {"GET", "/", [][2]string{{"My-Header1", " value1"}, {"My-Header2", ` "a   b   c"`}}, "host;my-header1;my-header2;x-amz-date", "",
			"acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
		"post-vanilla": {"POST", "/", nil, "host;x-amz-date", "", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
		"post-x-www-form-urlencoded": {"POST", "/", [][2]string{{"Content-Type", "application/x-www-form-urlencoded"}}, "content-type;host;x-amz-date", "Param1=value1",
			"ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(tt.method, tt.target, strings.NewReader(tt.body))
			r.Host = "example.amazonaws.com"
			r.Header.Set("X-Amz-Date", at)
			for _, h := range tt.header {
				r.Header.Add(h[0], h[1])
			}
			canonical := canonicalRequest(r, r.URL.Query(), strings.Split(tt.signed, ";"), Hash([]byte(tt.body)))
			got := hex.EncodeToString(signature(exampleSecret, at, scope{"20150830", "us-east-1", "service"}, canonical))
			if got != tt.want {
				t.Errorf("got %s, want %s of\n%s", got, tt.want, canonical)
			}
		})
	}
}

type oneKey struct{ *Key }

func (k oneKey) AccessKey(_ context.Context, id string) (*Key, error) {
	if id != k.ID {
		return nil, registry.ErrNotFound
	}
	return k.Key, nil
}

func now() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

func verifier(k *Key) *Verifier {
	return &Verifier{Service: "codeartifact", Keys: oneKey{k}, Now: now}
}

func longTerm() *Key { return &Key{ID: exampleID, Secret: exampleSecret} }

// sign signs as the AWS SDK for Go does.
func sign(t *testing.T, r *http.Request, body string, at time.Time, token string) {
	t.Helper()
	creds := aws.Credentials{AccessKeyID: exampleID, SecretAccessKey: exampleSecret, SessionToken: token}
	if err := signer.NewSigner().SignHTTP(t.Context(), creds, r, Hash([]byte(body)), "codeartifact", "eu-west-1", at); err != nil {
		t.Fatal(err)
	}
}

// TestSDK verifies what the AWS SDK for Go signs, and nothing that was changed afterwards.
func TestSDK(t *testing.T) {
	t.Parallel()
	const target = "/base/v1/package/version/asset?asset=a+b%2Bc%20d&domain=my-domain&package=%40x%2Fy"
	fresh := func() *http.Request {
		r := httptest.NewRequest(http.MethodPost, target, strings.NewReader("{}"))
		r.Host = "packages.example.com:8443"
		r.Header.Set("Content-Type", "application/json")
		return r
	}
	tests := map[string]struct {
		body   string // that arrives; "": {}
		at     time.Duration
		token  string
		key    func(*Key)
		change func(*http.Request)
		code   string
	}{
		"good":             {},
		"clock 4 min late": {at: -4 * time.Minute},
		"other query":      {change: func(r *http.Request) { r.URL.RawQuery += "&domain-owner=1" }, code: "InvalidSignatureException"},
		"other path":       {change: func(r *http.Request) { r.URL.Path += "s" }, code: "InvalidSignatureException"},
		"other method":     {change: func(r *http.Request) { r.Method = http.MethodPut }, code: "InvalidSignatureException"},
		"other host":       {change: func(r *http.Request) { r.Host = "packages.example.com" }, code: "InvalidSignatureException"},
		"other type":       {change: func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, code: "InvalidSignatureException"},
		"other body":       {body: `{"a":1}`, code: "InvalidSignatureException"},
		"other secret":     {key: func(k *Key) { k.Secret += "x" }, code: "InvalidSignatureException"},
		"other key":        {key: func(k *Key) { k.ID += "x" }, code: "UnrecognizedClientException"},
		"clock 6 min late": {at: -6 * time.Minute, code: "InvalidSignatureException"},
		"clock 6 min fast": {at: 6 * time.Minute, code: "InvalidSignatureException"},
		"unsigned header":  {change: func(r *http.Request) { r.Header.Set("X-Amz-Content-Sha256", UnsignedPayload) }, code: "InvalidSignatureException"},
		"session":          {token: "session", key: func(k *Key) { k.SessionToken = "session" }},
		"other session":    {token: "session", key: func(k *Key) { k.SessionToken = "sessiom" }, code: "UnrecognizedClientException"},
		"no session":       {key: func(k *Key) { k.SessionToken = "session" }, code: "UnrecognizedClientException"},
		"ended session":    {token: "session", key: func(k *Key) { k.SessionToken, k.ExpiresAt = "session", now() }, code: "ExpiredTokenException"},
		"short signature": {change: func(r *http.Request) {
			r.Header.Set("Authorization", r.Header.Get("Authorization")[:200])
		}, code: "InvalidSignatureException"},
		"no date": {change: func(r *http.Request) { r.Header.Del("X-Amz-Date") }, code: "IncompleteSignatureException"},
		"no host signed": {change: func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "host;", "", 1))
		}, code: "InvalidSignatureException"},
		"two signatures": {change: func(r *http.Request) {
			r.Header.Add("Authorization", r.Header.Get("Authorization"))
		}, code: "IncompleteSignatureException"},
		"other service": {change: func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "/codeartifact/", "/s3/", 1))
		}, code: "InvalidSignatureException"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := fresh()
			sign(t, r, "{}", now().Add(tt.at), tt.token)
			k := longTerm()
			if tt.key != nil {
				tt.key(k)
			}
			if tt.change != nil {
				tt.change(r)
			}
			body := "{}"
			if tt.body != "" {
				body = tt.body
			}
			_, err := verifier(k).Verify(r, r.URL.Query(), Hash([]byte(body)))
			checkCode(t, err, tt.code)
		})
	}
}

func checkCode(t *testing.T, err error, want string) {
	t.Helper()
	if want == "" {
		if err != nil {
			t.Error(err)
		}
		return
	}
	var e *Error
	if !errors.As(err, &e) || e.Code != want || !errors.Is(err, registry.ErrUnauthenticated) {
		t.Errorf("got %v, want %s", err, want)
	}
	if err != nil && strings.Contains(err.Error(), exampleSecret) {
		t.Errorf("%v has the secret", err)
	}
}

// TestPayload covers bodies that are not read before the signature is verified.
func TestPayload(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]string{Hash([]byte("big")): "", UnsignedPayload: "", "": "IncompleteSignatureException"} {
		r := httptest.NewRequest(http.MethodPost, "/v1/package/version/publish?format=generic", strings.NewReader("big"))
		if said != "" {
			r.Header.Set("X-Amz-Content-Sha256", said)
		}
		creds := aws.Credentials{AccessKeyID: exampleID, SecretAccessKey: exampleSecret}
		if err := signer.NewSigner().SignHTTP(t.Context(), creds, r, said, "codeartifact", "eu-west-1", now()); err != nil {
			t.Fatal(err)
		}
		_, err := verifier(longTerm()).Verify(r, r.URL.Query(), "")
		checkCode(t, err, want)
	}
}

func TestPresigned(t *testing.T) {
	t.Parallel()
	presign := func(expires string) *http.Request {
		r := httptest.NewRequest(http.MethodGet, "/v1/domain?domain=my-domain&X-Amz-Expires="+expires, nil)
		creds := aws.Credentials{AccessKeyID: exampleID, SecretAccessKey: exampleSecret}
		uri, _, err := signer.NewSigner().PresignHTTP(t.Context(), creds, r, Hash(nil), "codeartifact", "eu-west-1", now().Add(-30*time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(uri)
		if err != nil {
			t.Fatal(err)
		}
		r.URL = u
		return r
	}
	tests := map[string]struct {
		expires, code string
		change        func(url.Values)
	}{
		"good":       {"3600", "", nil},
		"expired":    {"60", "InvalidSignatureException", nil},
		"too long":   {"700000", "IncompleteSignatureException", nil},
		"prolonged":  {"60", "InvalidSignatureException", func(q url.Values) { q.Set("X-Amz-Expires", "36000") }},
		"other":      {"3600", "InvalidSignatureException", func(q url.Values) { q.Set("domain", "other") }},
		"incomplete": {"3600", "IncompleteSignatureException", func(q url.Values) { q.Del("X-Amz-Date") }},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := presign(tt.expires)
			q := r.URL.Query()
			if tt.change != nil {
				tt.change(q)
			}
			if !Signed(r, q) {
				t.Error("not seen as signed")
			}
			_, err := verifier(longTerm()).Verify(r, q, Hash(nil))
			checkCode(t, err, tt.code)
		})
	}
}

// FuzzVerify holds that no Authorization, query or date panics, or is taken for a good one.
func FuzzVerify(f *testing.F) {
	f.Add("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260301/r/codeartifact/aws4_request, SignedHeaders=host;x-amz-date, Signature=00", "20260301T120000Z", "a=b")
	f.Add("", "", "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=1")
	f.Fuzz(func(t *testing.T, authorization, date, query string) {
		q, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		r := httptest.NewRequest(http.MethodGet, "/v1/domain", nil)
		r.Header.Set("Authorization", authorization)
		r.Header.Set("X-Amz-Date", date)
		if _, err := verifier(longTerm()).Verify(r, q, Hash(nil)); err == nil {
			t.Error("accepted")
		}
	})
}
