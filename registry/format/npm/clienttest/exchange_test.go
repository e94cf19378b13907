package clienttest_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"packhouse.dev/packhouse/registry/internal/clienttest"
)

// provider trusts an issuer whose keys are at an address. Builds of the organization acme are sessions of the role ci.
func provider(name, keys string, allowPrivate bool) string {
	return fmt.Sprintf(`
---
apiVersion: packhouse.dev/v1alpha1
kind: IdentityProvider
metadata: {name: %s}
spec:
  issuer: https://%s.example.com
  audiences: [https://packages.example.com]
  keys: {url: %q, allowPrivateAddresses: %v}
  condition: claims.repository_owner == 'acme'
  principal: {role: "'ci'", session: "string(claims.run_id)"}
`, name, name, keys, allowPrivate)
}

const tokens = `
---
apiVersion: packhouse.dev/v1alpha1
kind: IdentityPolicy
metadata: {name: tokens}
spec:
  subjects: [{serviceAccount: ci}]
  statements:
    - effect: Allow
      actions: ["sts:GetServiceBearerToken"]
      resources: ["*"]
      conditions: [{operator: NumericLessThanEquals, key: "sts:DurationSeconds", values: ["3600"]}]
    - {effect: Allow, actions: [GetAuthorizationToken, ReadFromRepository], resources: ["*"]}
`

// TestBuildInstalls: a build of another system shows its own token, gets one of the registry for it and installs; nothing else may.
func TestBuildInstalls(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"keys":[{"kty":"EC","crv":"P-256","kid":"k1","use":"sig","x":%q,"y":%q}]}`, b64(public[1:33]), b64(public[33:]))
	}))
	t.Cleanup(issuer.Close)
	p, _ := world(t, clienttest.Samples()+tokens+provider("actions", issuer.URL+"/keys", true)+provider("guarded", strings.Replace(issuer.URL, "http:", "https:", 1)+"/keys", false))

	token := func(issuer, owner string) string {
		tok := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{
			"iss": "https://" + issuer + ".example.com", "aud": "https://packages.example.com", "sub": "repo:" + owner + "/tool", "repository_owner": owner, "run_id": 42, "exp": time.Now().Add(time.Hour).Unix(),
		})
		tok.Header["kid"] = "k1"
		s, err := tok.SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	exchange := func(token, seconds string) (status int, got map[string]any) {
		t.Helper()
		resp, err := http.PostForm(p.Endpoint+"/-/oauth/token", url.Values{
			"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "subject_token_type": {"urn:ietf:params:oauth:token-type:jwt"},
			"subject_token": {token}, "audience": {p.Domain + "-" + p.Owner}, "duration_seconds": {seconds},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err == nil {
			err = json.Unmarshal(b, &got)
		}
		if err != nil {
			t.Fatalf("%v: %s", err, b)
		}
		return resp.StatusCode, got
	}
	status, got := exchange(token("actions", "acme"), "900")
	if status != http.StatusOK || got["principal"] != "arn:aws:sts::111122223333:assumed-role/ci/42" {
		t.Fatalf("%d %v\n%s", status, got, p.Log.String())
	}
	build := clienttest.NewClient(t, clienttest.NPM).Use(p.Registry("my-repo"), got["access_token"].(string))
	build.OK("install", "left-trim")
	build.Becomes(clienttest.Package{Name: "tool", Version: "1.0.0"})
	build.Refused([]string{"E403", "assumed-role/ci/42 is not authorized to perform: codeartifact:PublishPackageVersion"}, "publish")

	t.Run("aws", func(t *testing.T) { awsInPod(t, p, token("actions", "acme")) })
	for name, tt := range map[string]struct {
		token, seconds string
		status         int
		says           string
	}{
		"for longer than policies allow":          {token("actions", "acme"), "7200", 403, "sts:GetServiceBearerToken"},
		"of another organization":                 {token("actions", "evil"), "900", 401, "the token is not accepted"},
		"of another issuer":                       {token("others", "acme"), "900", 401, "the token is not accepted"},
		"whose keys are where nobody may be sent": {token("guarded", "acme"), "900", 503, "try again"},
		"the registry's own":                      {p.Token, "900", 401, "the token is not accepted"},
	} {
		status, got := exchange(tt.token, tt.seconds)
		if said, _ := got["error_description"].(string); status != tt.status || !strings.Contains(said, tt.says) {
			t.Errorf("%s: %d %v", name, status, got)
		}
	}
	stranger := clienttest.NewClient(t, clienttest.NPM).Use(p.Registry("my-repo"), token("actions", "acme"))
	stranger.Refused([]string{"E401"}, "view", "left-trim")
	out, err := p.Run("revoke", "principal", "arn:aws:sts::111122223333:assumed-role/ci/42", "--data-dir", p.DataDir)
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	build.Refused([]string{"E401", "revoked"}, "view", "left-trim")
}

// awsInPod runs the AWS CLI with nothing but a token and the usual environment, and npm with the token that it gets.
func awsInPod(t *testing.T, p *clienttest.Packhouse, token string) {
	t.Helper()
	if _, err := exec.LookPath("aws"); err != nil {
		if os.Getenv("REQUIRE_CLIENTS") != "" {
			t.Fatal("REQUIRE_CLIENTS is set, and the AWS CLI is not installed")
		}
		t.Skip("NOT RUN: the AWS CLI is not installed")
	}
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	aws := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("aws", args...)
		cmd.Env = []string{
			"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "AWS_REGION=local", "AWS_DEFAULT_REGION=local", "AWS_ROLE_ARN=arn:aws:iam::" + p.Owner + ":role/ci", "AWS_WEB_IDENTITY_TOKEN_FILE=" + file,
			"AWS_ENDPOINT_URL_STS=" + p.Endpoint + "/-/sts", "AWS_ENDPOINT_URL_CODEARTIFACT=" + p.Endpoint, "AWS_EC2_METADATA_DISABLED=true",
		}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("aws %s: %v\n%s\n%s", strings.Join(args, " "), err, out, p.Log.String())
		}
		return strings.TrimSpace(string(out))
	}
	if got := aws("sts", "get-caller-identity", "--query", "Arn", "--output", "text"); got != "arn:aws:sts::"+p.Owner+":assumed-role/ci/42" {
		t.Errorf("the CLI says it is %s", got)
	}
	tok := aws("codeartifact", "get-authorization-token", "--domain", p.Domain, "--domain-owner", p.Owner, "--duration-seconds", "900", "--query", "authorizationToken", "--output", "text")
	clienttest.NewClient(t, clienttest.NPM).Use(p.Registry("my-repo"), tok).OK("view", "left-trim", "version")
}
