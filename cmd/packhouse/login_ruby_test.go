package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const rubyAddress = "http://127.0.0.1:4873/my-domain-111122223333/ruby/my-repo/"

func TestGemSteps(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	if err := os.WriteFile(filepath.Join(home, ".gemrc"), []byte("---\n:sources:\n- https://rubygems.org/\n- http://old/\n:verbose: true\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	steps, err := gemSteps(t.Context(), &settings{registry: rubyAddress, token: secret})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time it is renewed
		for _, s := range steps {
			if err := s.run(t.Context(), secret); err != nil {
				t.Fatal(err)
			}
		}
	}
	for file, want := range map[string]string{
		".gemrc":           "---\n:verbose: true\n:sources:\n- http://aws:" + secret + "@127.0.0.1:4873/my-domain-111122223333/ruby/my-repo/\n",
		".gem/credentials": ":codeartifact_api_key: Bearer " + secret + "\nhttp://127.0.0.1:4873/my-domain-111122223333/ruby/my-repo: Bearer " + secret + "\n",
	} {
		got, err := os.ReadFile(filepath.Join(home, file))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
	}
}

func TestBundleSteps(t *testing.T) {
	steps, err := bundleSteps(t.Context(), &settings{registry: rubyAddress, token: secret})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"bundle config set --global " + rubyAddress + " 'aws:<token>'",
		"bundle config set --global mirror.https://rubygems.org " + rubyAddress,
	}
	var got []string
	for _, s := range steps {
		got = append(got, s.String())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, f := range []func() error{
		func() error { _, err := gemSteps(t.Context(), &settings{scope: "@x"}); return err },
		func() error { _, err := bundleSteps(t.Context(), &settings{scope: "@x"}); return err },
	} {
		if f() == nil {
			t.Error("a scope was taken")
		}
	}
}
