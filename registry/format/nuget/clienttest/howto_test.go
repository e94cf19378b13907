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

// TestHowTo runs what docs/nuget.md can show without .NET, as it is written but for the port.
func TestHowTo(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../../../../docs/nuget.md")
	if err != nil {
		t.Fatal(err)
	}
	script := "set -eux\n"
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllSubmatch(doc, -1) {
		script += string(block[1])
	}
	p := start(t, samples(), "")
	home := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", strings.ReplaceAll(script, "http://127.0.0.1:8080", p.Endpoint))
	cmd.Dir = t.TempDir()
	cmd.Env = []string{"HOME=" + home, "PACKHOUSE_DATA_DIR=" + p.DataDir, "PATH=" + filepath.Dir(clienttest.Binary(t)) + ":" + os.Getenv("PATH")}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, text := range []string{`"totalHits":1`, `"id":"Acme.Hello"`, "Configured dotnet to use " + address(p, "my-repo")} {
		if !strings.Contains(string(out), text) {
			t.Errorf("the how-to does not say %q but\n%s", text, out)
		}
	}
	config, err := os.ReadFile(filepath.Join(home, ".nuget", "NuGet", "NuGet.Config"))
	if err != nil || !strings.Contains(string(config), address(p, "my-repo")+"v3/index.json") {
		t.Errorf("%s %v", config, err)
	}
}
