package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const cargoAddress = "http://127.0.0.1:4873/my-domain-111122223333/cargo/my-repo/"

func TestCargoSteps(t *testing.T) {
	home := t.TempDir()
	t.Setenv("CARGO_HOME", home)
	steps, err := cargoSteps(t.Context(), &settings{registry: cargoAddress, token: secret})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range steps {
		got = append(got, s.String())
	}
	want := []string{
		"cat >> " + home + "/config.toml <<'END'\n[registries.packhouse]\nindex = \"sparse+" + cargoAddress + "\"\ncredential-provider = \"cargo:token\"\n\n[source.crates-io]\nreplace-with = \"packhouse\"\nEND",
		"echo '<token>' | cargo login --registry packhouse",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := cargoSteps(t.Context(), &settings{registry: cargoAddress, scope: "@x"}); err == nil {
		t.Error("a scope was taken")
	}
	heard := filepath.Join(t.TempDir(), "heard")
	client(t, "cargo", "cat > '"+heard+"'")
	for _, s := range steps {
		if err := s.run(t.Context(), secret); err != nil {
			t.Fatal(err)
		}
	}
	if b, err := os.ReadFile(heard); err != nil || string(b) != secret+"\n" {
		t.Errorf("cargo was given %q, %v", b, err)
	}
	if b, err := os.ReadFile(filepath.Join(home, "config.toml")); err != nil || strings.Contains(string(b), secret) || !strings.Contains(string(b), cargoAddress) {
		t.Errorf("config.toml: %s %v", b, err)
	}
}

func TestCargoConfig(t *testing.T) {
	t.Parallel()
	const block = "[registries.packhouse]\nindex = \"new\"\n"
	mine := func(block string) string { return cargoBegin + "\n" + block + cargoEnd + "\n" }
	tests := map[string]struct{ old, want, err string }{
		"no file":         {"", mine(block), ""},
		"other settings":  {"[net]\nretry = 1", "[net]\nretry = 1\n\n" + mine(block), ""},
		"earlier login":   {"[net]\nretry = 1\n\n" + mine("[registries.packhouse]\nindex = \"old\"\n") + "[term]\nquiet = true\n", "[net]\nretry = 1\n\n" + mine(block) + "[term]\nquiet = true\n", ""},
		"same again":      {mine(block), mine(block), ""},
		"settings in use": {"[registries.packhouse]\nindex = \"mine\"\n", "", "settings of its own"},
		"no TOML":         {"[net", "", "config.toml: toml"},
	}
	for name, tt := range tests {
		got, err := cargoConfig("config.toml", tt.old, block)
		if (err != nil) != (tt.err != "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: %v, want %q", name, err, tt.err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestEditFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, link := filepath.Join(dir, "real"), filepath.Join(dir, "link")
	if err := os.WriteFile(file, []byte("a"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	add := func(old string) (string, error) { return old + "b", nil }
	for _, f := range []string{link, filepath.Join(dir, "new/file")} {
		if err := editFile(f, add); err != nil {
			t.Fatal(err)
		}
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "ab" {
		t.Errorf("%q %v", b, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("%v %v", info, err)
	}
	if info, err := os.Stat(filepath.Join(dir, "new/file")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode().IsRegular() {
		t.Errorf("the link is gone: %v %v", info, err)
	}
}
