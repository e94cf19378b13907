package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "packhouse.dev/packhouse/api/v1alpha1"
)

// builds is a namespace that has no domain.
const builds = "builds"

// builder is what the service account builder may do; it is the same in each namespace.
const builder = `kind: IdentityPolicy
metadata: {name: e2e-builder}
spec:
  subjects: [{serviceAccount: builder}]
  statements:
    - {effect: Allow, actions: [GetAuthorizationToken, ReadFromRepository, DescribeDomain, "sts:GetServiceBearerToken"], resources: ["*"]}
`

// installScript exchanges the pod's own token and installs, as docs/identities.md says.
const installScript = `
const { readFileSync, writeFileSync } = require('fs');
const { execFileSync } = require('child_process');
const env = process.env;
fetch(env.ENDPOINT + '/-/oauth/token', { method: 'POST', body: new URLSearchParams({
  grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange', subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
  subject_token: readFileSync('/var/run/secrets/packhouse/token', 'utf8').trim(), audience: env.DOMAIN, duration_seconds: '900',
}) }).then(async (answer) => {
  const said = await answer.json();
  if (!answer.ok) { console.log(answer.status, said.error_description); process.exit(1); }
  console.log('I am', said.principal);
  const registry = env.ENDPOINT + '/' + env.DOMAIN + '/npm/my-repo/';
  writeFileSync('/scratch/npmrc', 'registry=' + registry + '\n' + registry.replace(/^http:/, '') + ':_authToken=' + said.access_token + '\n');
  execFileSync(process.execPath, ['/npm/bin/npm-cli.js', 'install', 'for-builders', '--no-audit', '--no-fund', '--fetch-retries=0', '--userconfig=/scratch/npmrc'], { stdio: 'inherit', cwd: '/scratch' });
});
`

// builderPod runs the script as the service account builder, with a token for the registry alone.
func builderPod(name, image, endpoint, domain string) string {
	node, err := exec.LookPath("node") // the image has it where this machine does
	if err != nil {
		node = "node"
	}
	script, err := json.Marshal(installScript)
	if err != nil {
		panic(err) // a text
	}
	return `apiVersion: v1
kind: Pod
metadata: {name: ` + name + `}
spec:
  restartPolicy: Never
  serviceAccountName: builder
  automountServiceAccountToken: false
  securityContext: {runAsNonRoot: true, runAsUser: 1000, fsGroup: 1000, seccompProfile: {type: RuntimeDefault}}
  volumes:
    - {name: work, emptyDir: {}}
    - {name: token, projected: {sources: [{serviceAccountToken: {path: token, audience: "` + endpoint + `", expirationSeconds: 600}}]}}
  containers:
    - name: npm
      image: ` + image + `
      imagePullPolicy: IfNotPresent
      command: [` + node + `]
      workingDir: /scratch
      env: [{name: HOME, value: /scratch}, {name: npm_config_update_notifier, value: "false"}, {name: ENDPOINT, value: "` + endpoint + `"}, {name: DOMAIN, value: "` + domain + `"}]
      args: [-e, ` + string(script) + `]
      volumeMounts: [{name: work, mountPath: /scratch}, {name: token, mountPath: /var/run/secrets/packhouse, readOnly: true}]
      securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}, readOnlyRootFilesystem: true}
`
}

// outcome runs a pod to its end and gives its last phase and what it printed.
func (s *suite) outcome(t *testing.T, ns, name, manifest string) (corev1.PodPhase, string) {
	t.Helper()
	s.command(t, manifest, "kubectl", "apply", "-n", ns, "-f", "-")
	defer s.command(t, "", "kubectl", "-n", ns, "delete", "pod", name, "--wait=false")
	p := &corev1.Pod{}
	eventually(t, 90*time.Second, "pod "+name, func() string {
		if err := s.c.Get(context.Background(), client.ObjectKey{Namespace: ns, Name: name}, p); err != nil {
			return err.Error()
		}
		if p.Status.Phase != corev1.PodFailed && p.Status.Phase != corev1.PodSucceeded {
			return fmt.Sprint(p.Status.Phase, p.Status.ContainerStatuses)
		}
		return ""
	})
	return p.Status.Phase, s.command(t, "", "kubectl", "-n", ns, "logs", name)
}

// identities: a pod with a projected token installs; the same pod in another namespace is refused until a DomainPolicy allows it, and
// refused again within seconds when its service account is deleted. An access key signs.
func (s *suite) identities(t *testing.T) {
	s.command(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: "+builds+", labels: {pod-security.kubernetes.io/enforce: restricted}}\n", "kubectl", "apply", "--server-side", "-f", "-")
	defer s.command(t, "", "kubectl", "delete", "namespace", builds, "--wait=false")
	endpoint := byIP(t, s.registryReady(t, namespace, "default"))
	domain := "my-domain-" + s.domainReady(t, namespace, "my-domain").Status.Account
	base := s.forward(t, namespace, "default")
	publish(t, base+"/"+domain+"/npm/my-repo/", s.packhouseWithKubeconfig(t, "token", "-n", namespace, "--registry", "default", "--duration", "15m"), "for-builders", "1.0.0")
	for _, ns := range []string{namespace, builds} {
		s.command(t, "", "kubectl", "-n", ns, "create", "serviceaccount", "builder")
		s.applyIn(t, ns, builder)
		policy := &api.IdentityPolicy{}
		eventually(t, 30*time.Second, "IdentityPolicy in "+ns, s.ready(policy, &policy.Status, ns, "e2e-builder"))
	}
	defer s.command(t, "", "kubectl", "-n", namespace, "delete", "identitypolicy/e2e-builder", "serviceaccount/builder")
	if s.image == "" {
		t.Log("NOT RUN in pods: E2E_NPM_IMAGE names no image with node and npm")
	} else if phase, said := s.outcome(t, namespace, "own", builderPod("own", s.image, endpoint, domain)); phase != corev1.PodSucceeded || !strings.Contains(said, "assumed-role/builder/own") || !strings.Contains(said, "added 1 package") {
		t.Errorf("a pod of the domain's namespace: %s\n%s", phase, said)
	}
	if s.image != "" {
		if phase, said := s.outcome(t, builds, "refused", builderPod("refused", s.image, endpoint, domain)); phase != corev1.PodFailed || !strings.Contains(said, "403") || !strings.Contains(said, "is not authorized to perform: codeartifact:GetAuthorizationToken") {
			t.Errorf("a pod of another namespace: %s\n%s", phase, said)
		}
	}
	s.command(t, "", "kubectl", "-n", namespace, "patch", "domainpolicy/my-domain", "--type=json", "-p",
		`[{"op":"add","path":"/spec/statements/0","value":{"sid":"Builds","effect":"Allow","principals":[{"namespace":"`+builds+`"}],"actions":["GetAuthorizationToken","ReadFromRepository"],"resources":["*"]}}]`)
	defer s.command(t, "", "kubectl", "-n", namespace, "patch", "domainpolicy/my-domain", "--type=json", "-p", `[{"op":"remove","path":"/spec/statements/0"}]`)
	policy := &api.DomainPolicy{}
	eventually(t, 30*time.Second, "the DomainPolicy", s.ready(policy, &policy.Status, namespace, "my-domain"))
	if s.image != "" {
		if phase, said := s.outcome(t, builds, "allowed", builderPod("allowed", s.image, endpoint, domain)); phase != corev1.PodSucceeded || !strings.Contains(said, "added 1 package") {
			t.Errorf("when a DomainPolicy allows it: %s\n%s", phase, said)
		}
	}
	s.revocation(t, base, endpoint, domain)
	s.accessKey(t, base)
}

// exchange gets a token of the registry for one of a service account.
func exchange(t *testing.T, base, token, domain string) (status int, value string) {
	t.Helper()
	resp, err := http.PostForm(base+"/-/oauth/token", url.Values{
		"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "subject_token_type": {"urn:ietf:params:oauth:token-type:jwt"}, "subject_token": {token}, "audience": {domain},
	})
	must(t, err)
	defer resp.Body.Close()
	var said struct {
		AccessToken string `json:"access_token"`
		Description string `json:"error_description"`
	}
	must(t, json.NewDecoder(resp.Body).Decode(&said))
	return resp.StatusCode, said.AccessToken + said.Description
}

// revocation deletes a service account: neither its own tokens nor those that it got for them are worth anything then.
func (s *suite) revocation(t *testing.T, base, endpoint, domain string) {
	t.Helper()
	own := strings.TrimSpace(s.command(t, "", "kubectl", "-n", builds, "create", "token", "builder", "--audience", endpoint))
	if status, said := exchange(t, base, strings.TrimSpace(s.command(t, "", "kubectl", "-n", builds, "create", "token", "builder")), domain); status != http.StatusUnauthorized || strings.Contains(said, "audience") {
		t.Errorf("a token for the apiserver: %d %s", status, said)
	}
	status, token := exchange(t, base, own, domain)
	ping := base + "/" + domain + "/npm/my-repo/-/ping"
	if got, text := get(t, ping, token); status != http.StatusOK || got != http.StatusOK {
		t.Fatalf("before: %d, %d %s", status, got, text)
	}
	if got, _ := get(t, ping, own); got != http.StatusUnauthorized {
		t.Errorf("its own token at a package endpoint: %d", got)
	}
	s.command(t, "", "kubectl", "-n", builds, "delete", "serviceaccount/builder")
	took := eventually(t, 5*time.Second, "the end of its tokens", func() string {
		if got, _ := get(t, ping, token); got != http.StatusUnauthorized {
			return fmt.Sprint(got)
		}
		return ""
	})
	t.Logf("a deleted service account has no tokens after %v", took.Round(time.Millisecond))
	if status, said := exchange(t, base, own, domain); status != http.StatusUnauthorized {
		t.Errorf("another one in exchange: %d %s", status, said)
	}
}

// accessKey signs with a key that the operator made.
func (s *suite) accessKey(t *testing.T, base string) {
	t.Helper()
	s.apply(t, "kind: AccessKey\nmetadata: {name: e2e}\nspec: {serviceAccountName: builder}\n")
	k, secret := &api.AccessKey{}, &corev1.Secret{}
	eventually(t, 30*time.Second, "AccessKey", s.ready(k, &k.Status.Status, namespace, "e2e"))
	must(t, s.c.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "e2e"}, secret))
	key := aws.Credentials{AccessKeyID: string(secret.Data["AWS_ACCESS_KEY_ID"]), SecretAccessKey: string(secret.Data["AWS_SECRET_ACCESS_KEY"])}
	if len(k.Status.Keys) != 1 || k.Status.Keys[0].ID != key.AccessKeyID {
		t.Errorf("status %+v", k.Status)
	}
	if got := signed(t, base, key); got != http.StatusOK {
		t.Errorf("signed: %d", got)
	}
	s.command(t, "", "kubectl", "-n", namespace, "delete", "accesskey/e2e")
	eventually(t, 5*time.Second, "the end of the key", func() string {
		if got := signed(t, base, key); got != http.StatusForbidden {
			return fmt.Sprint(got)
		}
		return ""
	})
}

// signed asks for the domain with a signature.
func signed(t *testing.T, base string, key aws.Credentials) int {
	t.Helper()
	const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" // SHA-256 of nothing
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, base+"/v1/domain?domain=my-domain", http.NoBody)
	must(t, err)
	r.Header.Set("X-Amz-Content-Sha256", empty)
	must(t, v4.NewSigner().SignHTTP(context.Background(), key, r, empty, "codeartifact", "local", time.Now()))
	resp, err := http.DefaultClient.Do(r)
	must(t, err)
	must(t, resp.Body.Close())
	return resp.StatusCode
}
