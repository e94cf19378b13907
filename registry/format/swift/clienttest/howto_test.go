package clienttest_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"packhouse.dev/packhouse/registry/internal/clienttest"
)

// TestHowTo runs what docs/swift.md can show without Swift, as it is written but for the port.
func TestHowTo(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../../../../docs/swift.md")
	if err != nil {
		t.Fatal(err)
	}
	script := "set -eux\n"
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllSubmatch(doc, -1) {
		script += string(block[1])
	}
	p := start(t, single())
	home := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", strings.ReplaceAll(script, "http://127.0.0.1:8080", p.Endpoint))
	cmd.Dir = t.TempDir()
	cmd.Env = []string{"HOME=" + home, "PACKHOUSE_DATA_DIR=" + p.DataDir, "PATH=" + filepath.Dir(clienttest.Binary(t)) + ":" + os.Getenv("PATH")}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, text := range []string{`{"releases":{"1.0.0":{"url":"` + address(p, "my-repo") + `mona/Hello/1.0.0"}}}`, "// swift-tools-version:5.9", "Configured swift to use " + address(p, "my-repo")} {
		if !strings.Contains(string(out), text) {
			t.Errorf("the how-to does not say %q but\n%s", text, out)
		}
	}
	config, err := os.ReadFile(filepath.Join(cmd.Dir, "Hello", ".swiftpm", "configuration", "registries.json"))
	if err != nil || !strings.Contains(string(config), address(p, "my-repo")) {
		t.Errorf("%s %v", config, err)
	}
	if netrc, err := os.ReadFile(filepath.Join(home, ".netrc")); err != nil || !strings.Contains(string(netrc), "machine 127.0.0.1 login token password ") {
		t.Errorf("%s %v", netrc, err)
	}
}
