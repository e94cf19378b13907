package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// exchangeServer answers as a registry does, and remembers what it was asked.
func exchangeServer(t *testing.T, status int, answer string) (address string, asked *http.Request) {
	t.Helper()
	asked = &http.Request{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		*asked = *r
		w.WriteHeader(status)
		fmt.Fprint(w, answer)
	}))
	t.Cleanup(s.Close)
	return s.URL, asked
}

func runPackhouse(stdin string, args ...string) (string, error) {
	var out bytes.Buffer
	c := newProgram(programName).root()
	c.SetArgs(args)
	c.SetIn(strings.NewReader(stdin))
	c.SetOut(&out)
	c.SetErr(&out)
	err := c.Execute()
	return out.String(), err
}

const granted = `{"access_token":"` + secret + `","token_type":"Bearer","expires_in":3600}`

func TestTokenIsExchanged(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "token")
	write(t, file, "pod.s.token\n")
	for name, tt := range map[string]struct {
		stdin string
		args  []string
		form  string
	}{
		"of a file":      {"", []string{"--identity-token", file}, " 43200"},
		"of a pipe":      {"pod.s.token", []string{"--identity-token", "-", "--duration", "1h", "--provider", "team/actions"}, "team/actions 3600"},
		"for as long":    {"", []string{"--identity-token", file, "--duration", "0"}, " 0"},
		"below a prefix": {"", []string{"--identity-token", file}, " 43200"},
	} {
		address, asked := exchangeServer(t, 200, granted)
		args := append([]string{"token", "--endpoint", address + "/packages/", "--domain", "my-domain", "--domain-owner", "111122223333"}, tt.args...)
		out, err := runPackhouse(tt.stdin, args...)
		if err != nil || out != secret+"\n" {
			t.Errorf("%s: %q, %v", name, out, err)
		}
		provider, seconds, _ := strings.Cut(tt.form, " ")
		for key, want := range map[string]string{
			"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token_type": "urn:ietf:params:oauth:token-type:jwt", "subject_token": "pod.s.token",
			"audience": "my-domain-111122223333", "duration_seconds": seconds, "provider": provider,
		} {
			if got := asked.PostForm.Get(key); got != want {
				t.Errorf("%s: %s is %q, want %q", name, key, got, want)
			}
		}
		if asked.URL.Path != "/packages/-/oauth/token" {
			t.Errorf("%s: asked at %s", name, asked.URL.Path)
		}
	}
}

func TestExchangeFails(t *testing.T) {
	t.Parallel()
	refusing, _ := exchangeServer(t, 403, `{"error":"access_denied","error_description":"User: x is not authorized"}`)
	html, _ := exchangeServer(t, 200, "<html>")
	empty, _ := exchangeServer(t, 200, "{}")
	moved, _ := exchangeServer(t, 307, "{}")
	domain := []string{"--domain", "my-domain", "--domain-owner", "111122223333"}
	for name, tt := range map[string]struct {
		args []string
		says string
	}{
		"refused":             {append(domain, "--endpoint", refusing), "User: x is not authorized"},
		"another server":      {append(domain, "--endpoint", html), "is --endpoint its address?"},
		"no token":            {append(domain, "--endpoint", empty), "status 200"},
		"a redirection":       {append(domain, "--endpoint", moved), "status 307"},
		"no address":          {domain, "say --endpoint, --domain and --domain-owner"},
		"an address of a kin": {append(domain, "--endpoint", "packages.example.com"), "is not an address"},
		"no domain":           {[]string{"--endpoint", refusing}, "say --endpoint, --domain and --domain-owner"},
		"as somebody":         {append(domain, "--endpoint", refusing, "--as", "root"), "for administrators"},
		"in a cluster":        {append(domain, "--endpoint", refusing, "-n", "packages"), "do not administer"},
	} {
		out, err := runPackhouse("pod.s.token", append([]string{"token", "--identity-token", "-"}, tt.args...)...)
		if err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(out+err.Error(), "pod.s.token") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, tt := range map[string]struct {
		args []string
		says string
	}{
		"an empty file":     {append(domain, "--endpoint", refusing, "--identity-token", "-"), "there is no token in it"},
		"no file":           {append(domain, "--endpoint", refusing, "--identity-token", "/nowhere"), "no such file"},
		"a provider only":   {[]string{"--provider", "a/b"}, "--provider is for --identity-token"},
		"an address only":   {[]string{"--endpoint", refusing}, "--endpoint is for --identity-token"},
		"a data directory,": {append(domain, "--endpoint", refusing, "--identity-token", "-", "--data-dir", "x"), "do not administer"},
	} {
		if _, err := runPackhouse("", append([]string{"token"}, tt.args...)...); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestLoginOfAPod: npm gets the registry's token, never the pod's own.
func TestLoginOfAPod(t *testing.T) {
	log := client(t, "npm", "")
	address, _ := exchangeServer(t, 200, granted)
	args := []string{"login", "npm", "--identity-token", "-", "--endpoint", address, "--domain", "my-domain", "--domain-owner", "111122223333", "--repository", "my-repo"}
	out, err := runPackhouse("pod.s.token", args...)
	if err != nil || !strings.Contains(out, "Login expires in 1 hour") {
		t.Errorf("%s %v", out, err)
	}
	told, err := os.ReadFile(log)
	if err != nil || !strings.Contains(string(told), "_authToken="+secret) || strings.Contains(string(told), "pod.s.token") {
		t.Errorf("npm was told %s, %v", told, err)
	}
	if out, err := runPackhouse("pod.s.token", append(args, "--dry-run")...); err != nil || !strings.Contains(out, "/my-domain-111122223333/npm/my-repo/") || strings.Contains(out, secret) {
		t.Errorf("dry run: %s %v", out, err)
	}
}
