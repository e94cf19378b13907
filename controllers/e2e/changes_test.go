package e2e

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "packhouse.dev/packhouse/api/v1alpha1"
)

// configurer may do everything through the service API that the namespace of the Registry may.
const configurer = `kind: IdentityPolicy
metadata: {name: e2e-configurer}
spec:
  subjects: [{serviceAccount: configurer}]
  managedPolicies: [AWSCodeArtifactAdminAccess]
---
kind: AccessKey
metadata: {name: e2e-configurer}
spec: {serviceAccountName: configurer}
`

// callTime is how long a call that changes something may take: it waits for 25 seconds at most.
const callTime = 28 * time.Second

// awsCLI is the AWS CLI, as the service account configurer.
type awsCLI struct {
	env []string
	// base is where the registry is reached, as far as the path.
	base string
}

// try runs "aws codeartifact" without another try where the registry cannot answer, and gives what it prints.
func (a *awsCLI) try(t *testing.T, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	start := time.Now()
	cmd := exec.CommandContext(ctx, "aws", append([]string{"codeartifact"}, args...)...)
	cmd.Env = append(os.Environ(), a.env...)
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	err := cmd.Run()
	took := time.Since(start)
	t.Logf("aws codeartifact %s: %v, %v", args[0], took.Round(time.Millisecond), err)
	if took > callTime {
		t.Errorf("aws codeartifact %s took %v", strings.Join(args, " "), took)
	}
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String() + stderr.String(), err
}

func (a *awsCLI) run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := a.try(t, args...)
	if err != nil {
		t.Fatalf("aws codeartifact %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// refused runs a command that fails and says all of this.
func (a *awsCLI) refused(t *testing.T, args []string, says ...string) {
	t.Helper()
	out, err := a.try(t, args...)
	if err == nil {
		t.Errorf("aws codeartifact %s is not refused:\n%s", strings.Join(args, " "), out)
	}
	for _, text := range says {
		if !strings.Contains(out, text) {
			t.Errorf("aws codeartifact %s: %q does not say %q", strings.Join(args, " "), out, text)
		}
	}
}

// newAWS waits for an access key, and gives the CLI with it.
func (s *suite) newAWS(t *testing.T) *awsCLI {
	t.Helper()
	k, secret, policy := &api.AccessKey{}, &corev1.Secret{}, &api.IdentityPolicy{}
	eventually(t, 30*time.Second, "AccessKey", s.ready(k, &k.Status.Status, namespace, "e2e-configurer"))
	eventually(t, 30*time.Second, "IdentityPolicy", s.ready(policy, &policy.Status, namespace, "e2e-configurer"))
	must(t, s.c.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "e2e-configurer"}, secret))
	base := s.forward(t, namespace, "default")
	return &awsCLI{base: base, env: []string{
		"HOME=" + t.TempDir(), "AWS_ENDPOINT_URL_CODEARTIFACT=" + base, "AWS_DEFAULT_REGION=local", "AWS_MAX_ATTEMPTS=1", "AWS_PAGER=", "AWS_EC2_METADATA_DISABLED=true",
		"AWS_ACCESS_KEY_ID=" + string(secret.Data["AWS_ACCESS_KEY_ID"]), "AWS_SECRET_ACCESS_KEY=" + string(secret.Data["AWS_SECRET_ACCESS_KEY"]),
	}}
}

// repository is an object as it is, nil if there is none.
func (s *suite) repository(t *testing.T, name string) *api.Repository {
	t.Helper()
	r := &api.Repository{}
	err := s.c.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, r)
	if apierrors.IsNotFound(err) {
		return nil
	}
	must(t, err)
	return r
}

// served says what a repository of the domain answers to a ping, with a token of the CLI's own.
func (a *awsCLI) served(t *testing.T, account, name, token string) int {
	t.Helper()
	status, _ := get(t, a.base+"/by-api-"+account+"/npm/"+name+"/-/ping", token)
	return status
}

// changes makes domains and repositories with the AWS CLI: they become objects, unless somebody else keeps them, and only while an
// operator runs.
func (s *suite) changes(t *testing.T) {
	if _, err := exec.LookPath("aws"); err != nil {
		if os.Getenv("REQUIRE_CLIENTS") != "" {
			t.Fatal(err)
		}
		t.Skip("NOT RUN: ", err)
	}
	s.command(t, "", "kubectl", "-n", namespace, "create", "serviceaccount", "configurer")
	s.apply(t, configurer)
	defer s.command(t, "", "kubectl", "-n", namespace, "delete", "serviceaccount/configurer", "identitypolicy/e2e-configurer", "accesskey/e2e-configurer")
	a := s.newAWS(t)
	account := s.domainReady(t, namespace, "my-domain").Status.Account
	create := []string{"create-repository", "--domain", "by-api", "--repository", "made"}
	newDomain := []string{"create-domain", "--domain", "by-api"}

	a.refused(t, newDomain, "AccessDeniedException", "spec.serviceAPI.namespaces of Registry "+namespace+"/default")
	s.command(t, "", "kubectl", "-n", namespace, "patch", "registry/default", "--type=merge", "-p", `{"spec":{"serviceAPI":{"namespaces":{"names":["`+namespace+`"]}}}}`)
	defer s.command(t, "", "kubectl", "-n", namespace, "patch", "registry/default", "--type=merge", "-p", `{"spec":{"serviceAPI":null}}`)
	s.registryReady(t, namespace, "default")

	a.run(t, newDomain...)
	token := strings.TrimSpace(a.run(t, "get-authorization-token", "--domain", "by-api", "--query", "authorizationToken", "--output", "text"))
	a.run(t, append(create, "--description", "with aws", "--tags", "key=team,value=web")...)
	if got := a.served(t, account, "made", token); got != http.StatusOK {
		t.Errorf("the call came back, and the repository answers %d", got)
	}
	made := s.repository(t, "made")
	if made == nil || made.Spec.Description != "with aws" || made.Spec.Tags["team"] != "web" || !strings.Contains(made.Annotations["packhouse.dev/declared-by"], "configurer") {
		t.Fatalf("the object is %+v", made)
	}
	a.refused(t, create, "ConflictException", "already exists")
	s.changesOfOthers(t, a, create)
	s.changesWithoutOperator(t, a)

	a.run(t, "delete-repository", "--domain", "by-api", "--repository", "made")
	if got := a.served(t, account, "made", token); got == http.StatusOK || s.repository(t, "made") != nil {
		t.Errorf("deleted, it answers %d", got)
	}
	a.run(t, "delete-domain", "--domain", "by-api")
}

// changesOfOthers: what a tool keeps, by its marks or as a field manager, is not changed, and the answer names it.
func (s *suite) changesOfOthers(t *testing.T, a *awsCLI, create []string) {
	t.Helper()
	update := []string{"update-repository", "--domain", "by-api", "--repository", "made", "--description", "changed with aws"}
	for _, tool := range []struct {
		labels, annotations []string
		name                string
	}{
		{nil, []string{"argocd.argoproj.io/tracking-id=shop:packhouse.dev/Repository:" + namespace + "/made"}, "Argo CD (application shop)"},
		{[]string{"argocd.argoproj.io/instance=shop"}, nil, "Argo CD (application shop)"},
		{[]string{"kustomize.toolkit.fluxcd.io/name=apps", "kustomize.toolkit.fluxcd.io/namespace=flux-system"}, nil, "Flux (Kustomization flux-system/apps)"},
		{[]string{"app.kubernetes.io/managed-by=Helm"}, []string{"meta.helm.sh/release-name=shop"}, "Helm (release shop)"},
	} {
		mark := func(verb string, marks []string, suffix func(string) string) {
			if len(marks) == 0 {
				return
			}
			args := []string{"-n", namespace, verb, "repository/made"}
			for _, m := range marks {
				args = append(args, suffix(m))
			}
			s.command(t, "", "kubectl", args...)
		}
		set := func(m string) string { return m }
		unset := func(m string) string { key, _, _ := strings.Cut(m, "="); return key + "-" }
		mark("label", tool.labels, set)
		mark("annotate", tool.annotations, set)
		a.refused(t, update, "ConflictException", tool.name)
		a.refused(t, create, "ConflictException")
		mark("label", tool.labels, unset)
		mark("annotate", tool.annotations, unset)
	}
	a.refused(t, []string{"delete-repository", "--domain", "by-api", "--repository", "unknown"}, "ResourceNotFoundException")
	s.command(t, withVersions("kind: Repository\nmetadata: {name: kept}\nspec: {domainRef: {name: by-api}, description: from git}\n"),
		"kubectl", "apply", "--server-side", "--field-manager=argocd-controller", "-n", namespace, "-f", "-")
	s.repositoryReady(t, namespace, "kept")
	kept := []string{"--domain", "by-api", "--repository", "kept"}
	a.refused(t, append([]string{"update-repository", "--description", "changed with aws"}, kept...), "ConflictException", `"argocd-controller"`)
	a.refused(t, append([]string{"delete-repository"}, kept...), "ConflictException", `"argocd-controller"`)
	s.command(t, "", "kubectl", "-n", namespace, "delete", "repository/kept")
	if got := s.repository(t, "made").Spec.Description; got != "with aws" {
		t.Errorf("what was refused was made: %q", got)
	}
	a.run(t, update...)
	if got := s.repository(t, "made").Spec.Description; got != "changed with aws" {
		t.Errorf("what nobody else keeps is %q", got)
	}
}

// changesWithoutOperator: they are refused and never made, and everything else goes on.
func (s *suite) changesWithoutOperator(t *testing.T, a *awsCLI) {
	t.Helper()
	s.scale(t, 0)
	a.refused(t, []string{"create-repository", "--domain", "by-api", "--repository", "never"}, "ServiceUnavailableException", "it was not made")
	if out := a.run(t, "describe-repository", "--domain", "by-api", "--repository", "made"); !strings.Contains(out, "changed with aws") {
		t.Errorf("described as %s", out)
	}
	a.run(t, "put-package-origin-configuration", "--domain", "by-api", "--repository", "made", "--format", "npm", "--package", "own", "--restrictions", "publish=ALLOW,upstream=BLOCK")
	s.scale(t, 1)
	s.registryReady(t, namespace, "default")
	a.run(t, "create-repository", "--domain", "by-api", "--repository", "second")
	if s.repository(t, "never") != nil || s.repository(t, "second") == nil {
		t.Error("what was refused is made later, or what was not is not")
	}
	a.run(t, "delete-repository", "--domain", "by-api", "--repository", "second")
}
