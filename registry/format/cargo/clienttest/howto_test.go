package clienttest_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"packhouse.dev/packhouse/registry/internal/clienttest"
)

// TestHowTo runs docs/cargo.md as it is written, but for the port.
func TestHowTo(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, u *user) {
		doc, err := os.ReadFile("../../../../docs/cargo.md")
		if err != nil {
			t.Fatal(err)
		}
		script := "set -eux\n"
		for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllSubmatch(doc, -1) {
			script += string(block[1])
		}
		p := start(t, samples(), newIndex(t).URL)
		u.Env = append(u.Env, "PACKHOUSE_DATA_DIR="+p.DataDir, "PATH="+filepath.Dir(clienttest.Binary(t))+":"+u.bin+":"+os.Getenv("PATH"))
		out, err := u.Run("/bin/sh", "-c", strings.ReplaceAll(script, "http://127.0.0.1:8080", p.Endpoint))
		if err != nil || !strings.Contains(out, `acme-hello = "0.1.0"`) {
			t.Errorf("%v\n%s", err, out)
		}
		// The configuration by hand is what login writes.
		config := u.Read(filepath.Join(u.Home, ".cargo/config.toml"))
		written := strings.ReplaceAll(string(doc), "http://127.0.0.1:8080", p.Endpoint)
		for line := range strings.Lines(config) {
			if strings.TrimSpace(line) != "" && !strings.HasPrefix(line, "#") && !strings.Contains(written, line) {
				t.Errorf("docs/cargo.md lacks %s", line)
			}
		}
	})
}
