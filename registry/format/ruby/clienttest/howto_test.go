package clienttest_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"packhouse.dev/packhouse/registry/internal/clienttest"
)

// TestHowTo runs docs/ruby.md as it is written, but for the port.
func TestHowTo(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	doc, err := os.ReadFile("../../../../docs/ruby.md")
	if err != nil {
		t.Fatal(err)
	}
	script := "set -eux\n"
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllSubmatch(doc, -1) {
		script += string(block[1])
	}
	p := start(t, samples(), newSource(t, gem{name: "other", version: "1.0.0"}).URL+"/")
	u.Env = append(u.Env, "PACKHOUSE_DATA_DIR="+p.DataDir, "PATH="+filepath.Dir(clienttest.Binary(t))+":"+os.Getenv("PATH"))
	out := u.OK("/bin/sh", "-c", strings.ReplaceAll(script, "http://127.0.0.1:8080", p.Endpoint))
	for _, text := range []string{"Successfully registered gem: acme-hello (0.1.0)", "acme-hello (0.1.0)", "Bundle complete!", "\nhello\n", "Successfully deleted gem: acme-hello (0.1.0)"} {
		if !strings.Contains(out, text) {
			t.Errorf("the how-to does not say %q but\n%s", text, out)
		}
	}
}
