package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/admin"
)

const secret = "eyJhbGciOiJIUzI1NiJ9.c2VjcmV0.c2ln"

// client puts a shell script named name into PATH. It writes its arguments to a file, whose path is returned.
func client(t *testing.T, name, script string) string {
	t.Helper()
	dir := t.TempDir()
	log := filepath.Join(dir, "log")
	body := "#!/bin/sh\nfor a in \"$@\"; do printf '%s ' \"$a\"; done >>'" + log + "'\necho >>'" + log + "'\n" + script + "\n"
	if err := os.WriteFile(filepath.Join(dir, name), []byte(body), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	return log
}

func TestSteps(t *testing.T) {
	const address = "http://127.0.0.1:4873/my-domain-111122223333/npm/my-repo/"
	const key = "//127.0.0.1:4873/my-domain-111122223333/npm/my-repo/"
	tests := map[string]struct {
		tool, scope, address string
		yarn, npm            string // what they answer
		want                 []string
	}{
		"npm":            {tool: "npm", want: []string{"npm config set --location=user registry=" + address + " '" + key + ":_authToken=<token>'"}},
		"npm for a team": {tool: "npm", scope: "@team", want: []string{"npm config set --location=user @team:registry=" + address + " '" + key + ":_authToken=<token>'"}},
		"pnpm":           {tool: "pnpm", want: []string{"pnpm config set registry " + address, "pnpm config set " + key + ":_authToken '<token>'"}},
		"Yarn 1": {
			tool: "yarn", yarn: "echo 1.22.22", npm: "echo '/home/me/my files/.npmrc'",
			want: []string{
				"npm config set --location=user registry=" + address + " '" + key + ":_authToken=<token>'",
				"echo " + key + ":always-auth=true >> '/home/me/my files/.npmrc'",
			},
		},
		"Yarn 4": {
			tool: "yarn", yarn: `case $1 in --version) echo 4.18.1;; *) echo '["packages.local"]';; esac`,
			want: []string{
				"yarn config set --home npmRegistryServer " + address,
				`yarn config set --home 'npmRegistries["` + strings.TrimSuffix(key, "/") + `"].npmAlwaysAuth' true`,
				`yarn config set --home 'npmRegistries["` + strings.TrimSuffix(key, "/") + `"].npmAuthToken' '<token>'`,
				`yarn config set --home --json unsafeHttpWhitelist '["packages.local","127.0.0.1"]'`,
			},
		},
		"Yarn 4 for a team, TLS": {
			tool: "yarn", scope: "@team", address: "https://p.example.com/my-domain-111122223333/npm/my-repo/", yarn: "echo 4.18.1",
			want: []string{
				`yarn config set --home 'npmScopes["team"].npmRegistryServer' https://p.example.com/my-domain-111122223333/npm/my-repo/`,
				`yarn config set --home 'npmRegistries["//p.example.com/my-domain-111122223333/npm/my-repo"].npmAlwaysAuth' true`,
				`yarn config set --home 'npmRegistries["//p.example.com/my-domain-111122223333/npm/my-repo"].npmAuthToken' '<token>'`,
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			client(t, "yarn", tt.yarn)
			client(t, "npm", tt.npm)
			s := &settings{registry: address, scope: tt.scope, token: secret}
			if tt.address != "" {
				s.registry = tt.address
			}
			for _, tool := range tools {
				if tool.name != tt.tool {
					continue
				}
				steps, err := tool.steps(t.Context(), s)
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				for _, st := range steps {
					got = append(got, st.String())
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			}
		})
	}
}

// TestStepRuns: the client gets the token, and its complaint does not show it.
func TestStepRuns(t *testing.T) {
	log := client(t, "npm", "")
	st := step{args: []string{"npm", "config", "set", "k=" + placeholder}}
	if err := st.run(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(log); err != nil || strings.TrimSpace(string(got)) != "config set k="+secret {
		t.Errorf("npm was told %q, %v", got, err)
	}
	client(t, "npm", `echo "cannot write $3"; exit 1`)
	if err := st.run(t.Context(), secret); err == nil || strings.Contains(err.Error(), secret) || !strings.Contains(err.Error(), "cannot write k=<token>") {
		t.Errorf("got %v", err)
	}
	if err := (step{args: []string{"no-such-client"}}).run(t.Context(), secret); err == nil || !strings.Contains(err.Error(), "not installed") {
		t.Errorf("got %v", err)
	}
}

func TestAddLine(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), ".npmrc")
	for range 2 {
		if err := addLine(file, "a=1"); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(file, []byte("a=1\nb=2"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := addLine(file, "c=3"); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(file)
	if string(got) != "a=1\nb=2\nc=3\n" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestChoose(t *testing.T) {
	t.Parallel()
	one := []admin.DomainStatus{{Name: "web", Owner: "111122223333", State: "Active", Repositories: []string{"r"}}}
	two := append(one, admin.DomainStatus{Name: "web", Owner: "444455556666", State: "Active", Repositories: []string{"a", "b"}},
		admin.DomainStatus{Name: "old", Owner: "111122223333", State: "Detached", Repositories: []string{"x"}})
	tests := map[string]struct {
		domains                   []admin.DomainStatus
		domain, owner, repository string
		want                      registry.DomainRef
		chosen, says              string
	}{
		"the only ones":      {domains: one, want: registry.DomainRef{Owner: "111122223333", Name: "web"}, chosen: "r"},
		"by owner":           {domains: two, owner: "444455556666", repository: "b", want: registry.DomainRef{Owner: "444455556666", Name: "web"}, chosen: "b"},
		"two domains":        {domains: two, says: "say which --domain"},
		"two repositories":   {domains: two, owner: "444455556666", says: "say which --repository; domain web has a, b"},
		"unknown repository": {domains: one, repository: "x", says: `no repository "x"; it has r`},
		"unknown domain":     {domains: one, domain: "x", says: `no domain "x"; there are web`},
		"detached":           {domains: two, domain: "old", says: `no domain "old"`},
		"nothing":            {says: "no domain is declared yet"},
		"no repository":      {domains: []admin.DomainStatus{{Name: "web", Owner: "111122223333", State: "Active"}}, says: "no repository yet"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := &login{domain: tt.domain, owner: tt.owner, repository: tt.repository}
			got, err := l.choose(&admin.Status{Domains: tt.domains})
			if tt.says != "" {
				if err == nil || !strings.Contains(err.Error(), tt.says) {
					t.Errorf("got %v, want %q", err, tt.says)
				}
				return
			}
			if err != nil || got != tt.want || l.repository != tt.chosen {
				t.Errorf("got %v %q %v", got, l.repository, err)
			}
		})
	}
}

// TestLoginElsewhere: for a registry on another machine the token comes from the environment.
func TestLoginElsewhere(t *testing.T) {
	log := client(t, "npm", "")
	run := func(args ...string) (string, error) {
		var out bytes.Buffer
		c := newProgram(programName).root()
		c.SetArgs(append([]string{"login", "npm"}, args...))
		c.SetOut(&out)
		err := c.ExecuteContext(context.Background())
		return out.String(), err
	}
	t.Setenv(tokenVariable, secret)
	out, err := run("--endpoint", "https://p.example.com/tools/", "--domain", "web", "--domain-owner", "111122223333", "--repository", "r")
	if err != nil || !strings.Contains(out, "https://p.example.com/tools/web-111122223333/npm/r/") || strings.Contains(out, secret) {
		t.Errorf("got %q, %v", out, err)
	}
	if got, err := os.ReadFile(log); err != nil || !strings.Contains(string(got), "//p.example.com/tools/web-111122223333/npm/r/:_authToken="+secret) {
		t.Errorf("npm was told %q, %v", got, err)
	}
	for _, args := range [][]string{
		{"--endpoint", "https://p.example.com", "--repository", "r"},
		{"--endpoint", "https://p.example.com", "--domain", "web", "--domain-owner", "1", "--repository", "r"},
		{"--endpoint", "https://p.example.com", "--domain", "web", "--domain-owner", "111122223333"},
		{"--endpoint", "p.example.com", "--domain", "web", "--domain-owner", "111122223333", "--repository", "r"},
		{"--endpoint", "https://p.example.com", "--domain", "web", "--domain-owner", "111122223333", "--repository", "r", "--scope", "team"},
		{"--data-dir", t.TempDir(), "--repository", "r"},
	} {
		if out, err := run(args...); err == nil {
			t.Errorf("%q: %q", args, out)
		}
	}
}
