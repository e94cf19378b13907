package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

const keyYAML = `---
apiVersion: packhouse.dev/v1alpha1
kind: AccessKey
metadata: {name: ci}
spec: {serviceAccountName: builder, secrets: [{name: first}, {name: second}]}
---
apiVersion: packhouse.dev/v1alpha1
kind: IdentityPolicy
metadata: {name: builders}
spec: {subjects: [{serviceAccount: builder}], managedPolicies: [AWSCodeArtifactReadOnlyAccess]}
`

// keyFile reads what "packhouse dev" has in place of a Secret.
func keyFile(t *testing.T, dir, name string) aws.Credentials {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "access-keys", "default", name+".env"))
	if err != nil {
		t.Fatal(err)
	}
	var c aws.Credentials
	if _, err := fmt.Sscanf(string(b), "AWS_ACCESS_KEY_ID=%s\nAWS_SECRET_ACCESS_KEY=%s\n", &c.AccessKeyID, &c.SecretAccessKey); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	return c
}

// describe signs a request for a domain.
func describe(t *testing.T, endpoint string, c aws.Credentials) int {
	t.Helper()
	const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, endpoint+"/v1/domain?domain=zoo", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Amz-Content-Sha256", empty)
	if err := v4.NewSigner().SignHTTP(t.Context(), c, r, empty, "codeartifact", "local", time.Now()); err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

// TestDevAccessKeys: keys that are declared are good for signing, stay the same over a restart, and are good no more when they are not
// declared any longer.
func TestDevAccessKeys(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	r := startDev(t, dir, domainYAML+keyYAML)
	first, second := keyFile(t, dir, "first"), keyFile(t, dir, "second")
	wrong := aws.Credentials{AccessKeyID: first.AccessKeyID, SecretAccessKey: second.SecretAccessKey}
	for name, tt := range map[string]struct {
		key    aws.Credentials
		status int
	}{"the first": {first, 200}, "the second": {second, 200}, "one's secret for the other": {wrong, 403}, "of dev.json": {aws.Credentials{AccessKeyID: r.AccessKeyID, SecretAccessKey: r.SecretAccessKey}, 200}} {
		if got := describe(t, r.Endpoint, tt.key); got != tt.status {
			t.Errorf("%s: %d, want %d", name, got, tt.status)
		}
	}
	write(t, r.manifest, domainYAML+strings.Replace(keyYAML, "{name: first}, ", "", 1))
	eventually(t, "the first key to be gone", func() bool {
		_, err := os.Stat(filepath.Join(dir, "access-keys", "default", "first.env"))
		return os.IsNotExist(err)
	})
	if a, b := describe(t, r.Endpoint, first), describe(t, r.Endpoint, second); a != 403 || b != 200 {
		t.Errorf("after rotation: %d and %d", a, b)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	again := startDev(t, dir, domainYAML+keyYAML)
	if got := keyFile(t, dir, "first"); got != first || describe(t, again.Endpoint, first) != 200 {
		t.Errorf("after a restart it is another key: %s, not %s", got.AccessKeyID, first.AccessKeyID)
	}
}
