package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPythonSteps(t *testing.T) {
	t.Setenv("HOME", "/home/me")
	t.Setenv("XDG_CONFIG_HOME", "")
	const address = "http://127.0.0.1:4873/my-domain-111122223333/pypi/my-repo/"
	const index = "http://aws:<token>@127.0.0.1:4873/my-domain-111122223333/pypi/my-repo/simple/"
	want := map[string][]string{
		"pip":    {"pip config --user set global.index-url '" + index + "'"},
		"twine":  {"# repository codeartifact is " + address + " in /home/me/.pypirc"},
		"flit":   {"# repository codeartifact is " + address + " in /home/me/.pypirc"},
		"uv":     {"# the default index is " + address + "simple/ in /home/me/.config/uv/uv.toml"},
		"poetry": {"poetry config repositories.packhouse " + address, "poetry config http-basic.packhouse aws '<token>'"},
	}
	for _, tool := range tools {
		if tool.format != "pypi" {
			continue
		}
		steps, err := tool.steps(t.Context(), &settings{registry: address, token: secret})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, st := range steps {
			got = append(got, st.String())
		}
		if diff := cmp.Diff(want[tool.name], got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tool.name, diff)
		}
		if _, err := tool.steps(t.Context(), &settings{registry: address, scope: "@team"}); err == nil {
			t.Errorf("%s takes a scope", tool.name)
		}
	}
}

func TestWithServer(t *testing.T) {
	t.Parallel()
	const server = "[codeartifact]\nrepository = http://r/\nusername = aws\npassword = T\n"
	tests := map[string]struct{ old, want string }{
		"nothing": {"", "[distutils]\nindex-servers =\n    codeartifact\n" + server},
		"others": {
			"# mine\n[distutils]\nindex-servers =\n    pypi\n\ttest\n\n[pypi]\nusername = __token__\n",
			"# mine\n[distutils]\nindex-servers =\n    pypi\n\ttest\n    codeartifact\n\n[pypi]\nusername = __token__\n" + server,
		},
		"in one line":  {"[distutils]\r\nindex-servers = pypi\r\n", "[distutils]\nindex-servers = pypi\n    codeartifact\n" + server},
		"again":        {"[distutils]\nindex-servers =\n    codeartifact\n[codeartifact]\nrepository = http://old/\npassword = old\n[x]\ny = z", "[distutils]\nindex-servers =\n    codeartifact\n[x]\ny = z\n" + server},
		"no list":      {"[distutils]\n[x]\ny = z\n", "[distutils]\nindex-servers =\n    codeartifact\n[x]\ny = z\n" + server},
		"no distutils": {"# mine\n[pypi]\nusername = u\n", "# mine\n[distutils]\nindex-servers =\n    codeartifact\n[pypi]\nusername = u\n" + server},
	}
	for name, tt := range tests {
		got := withServer(tt.old, "codeartifact", "http://r/", "aws", "T")
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if again := withServer(got, "codeartifact", "http://r/", "aws", "T"); again != got {
			t.Errorf("%s: a second login makes it\n%s", name, again)
		}
	}
}

func TestWithBlock(t *testing.T) {
	t.Parallel()
	block := uvBegin + "\nnew\n" + uvEnd + "\n"
	tests := map[string]struct{ old, want string }{
		"nothing": {"", block},
		"others":  {"native-tls = true", "native-tls = true\n" + block},
		"again":   {"a = 1\n" + uvBegin + "\nold\n" + uvEnd + "\n[pip]\n", "a = 1\n" + block + "[pip]\n"},
		"torn":    {"a = 1\n" + uvBegin + "\nold\n", "a = 1\n" + block},
	}
	for name, tt := range tests {
		if diff := cmp.Diff(tt.want, withBlock(tt.old, block)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestRewriteFile: the token is in the file, nobody else may read it, and a link stays one.
func TestRewriteFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	target, link := filepath.Join(dir, "real"), filepath.Join(dir, "home", ".pypirc")
	if err := os.WriteFile(target, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(link), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{link, filepath.Join(dir, "new", "uv.toml")} {
		st := step{file: file, line: "x", rewrite: func(old string) string { return old + " password " + placeholder }}
		if err := st.run(t.Context(), secret); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(file)
		info, serr := os.Stat(file)
		if err != nil || serr != nil || !strings.HasSuffix(string(got), " password "+secret) || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %q %v %v %v", file, got, info.Mode(), err, serr)
		}
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v", err)
	}
}
