// Package clienttest_test uses curl against "packhouse dev".
package clienttest_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"packhouse.dev/packhouse/registry/internal/clienttest"
)

func TestMain(m *testing.M) { os.Exit(clienttest.Main(m)) }

// curl runs in a folder of its own and returns the status and the body.
type curl struct {
	t    *testing.T
	dir  string
	base string // of the repository, with a slash at its end
	auth string
}

func newCurl(t *testing.T, p *clienttest.Packhouse, repository string) *curl {
	t.Helper()
	if _, err := exec.LookPath("curl"); err != nil {
		if os.Getenv("REQUIRE_CLIENTS") == "1" {
			t.Fatal("REQUIRE_CLIENTS=1, but there is no curl")
		}
		t.Skip("NOT RUN: there is no curl")
	}
	return &curl{t: t, dir: t.TempDir(), base: strings.Replace(p.Registry(repository), "/npm/", "/generic/", 1), auth: "Authorization: Bearer " + p.Token}
}

func (c *curl) run(args ...string) (status, body string) {
	c.t.Helper()
	cmd := exec.CommandContext(c.t.Context(), "curl", append([]string{"-sS", "--max-time", "30", "-w", "\n%{http_code}", "-H", c.auth}, args...)...)
	cmd.Dir = c.dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		c.t.Fatalf("curl %q: %v\n%s", args, err, out)
	}
	at := bytes.LastIndexByte(out, '\n')
	return string(out[at+1:]), string(out[:at])
}

func (c *curl) expect(status, text string, args ...string) string {
	c.t.Helper()
	got, body := c.run(args...)
	if got != status || !strings.Contains(body, text) {
		c.t.Errorf("curl %q: %s %s, want %s %q", args, got, body, status, text)
	}
	return body
}

func (c *curl) file(name, content string) string {
	c.t.Helper()
	path := filepath.Join(c.dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		c.t.Fatal(err)
	}
	return path
}

func sum(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}

// TestGuide follows "Publishing a generic package", "Listing generic package assets" and "Downloading generic package assets".
func TestGuide(t *testing.T) {
	p := clienttest.Start(t, clienttest.Options{})
	c := newCurl(t, p, "my-repo")
	at := c.base + "my-ns/my-package/1.0.0/"
	one, two := c.file("asset.tar.gz", "one"), c.file("other.bin", "two")

	c.expect("404", "error", at)
	c.expect("201", `"status":"Unfinished"`, "-T", one, "-H", "X-Checksum-Sha256: "+sum("one"), at+"asset.tar.gz?unfinished")
	c.expect("404", "", at+"asset.tar.gz") // not before it is finished
	c.expect("404", "", c.base+"my-ns/my-package/")
	c.expect("200", sum("one"), at) // whoever uploads sees what is there
	c.expect("400", "sha256 of other.bin is not what the request says", "-T", two, "-H", "X-Checksum-Sha256: "+sum("one"), at+"other.bin?unfinished")
	c.expect("201", `"status":"Published"`, "-T", two, at+"other.bin")
	if got := c.expect("200", "", at+"asset.tar.gz"); got != "one" {
		t.Errorf("downloaded %q", got)
	}
	c.expect("200", "two", at+"other.bin")
	c.expect("200", "", "-I", at+"other.bin")
	c.expect("206", "w", "-r", "1-1", at+"other.bin")
	c.expect("200", `"version":"1.0.0"`, c.base+"my-ns/my-package/")
	c.expect("200", `"package":"my-package"`, c.base)
	c.expect("200", `"package":"my-package"`, c.base+"?namespace=my-ns&prefix=my-")
	c.expect("200", `{"packages":[]}`, c.base+"?namespace=other")

	// A Published version takes no new asset, the same bytes again succeed, and other bytes do not.
	c.expect("409", "takes no further files", "-T", c.file("third", "three"), at+"third")
	c.expect("200", "Published", "-T", one, at+"asset.tar.gz")
	c.expect("409", "other bytes of asset.tar.gz", "-T", two, at+"asset.tar.gz")
	c.expect("412", "has an asset asset.tar.gz already", "-T", one, "-H", "If-None-Match: *", at+"asset.tar.gz")
	c.expect("201", "", "-T", one, "-H", "If-None-Match: *", c.base+"my-ns/my-package/2.0.0/asset.tar.gz")

	// Finished without a last file; deleted, the version is free again.
	c.expect("201", "Unfinished", "-T", one, c.base+"my-ns/my-package/3.0.0/a?unfinished")
	c.expect("200", "Published", "-X", "POST", c.base+"my-ns/my-package/3.0.0?publish")
	c.expect("204", "", "-X", "DELETE", c.base+"my-ns/my-package/3.0.0")
	c.expect("404", "", c.base+"my-ns/my-package/3.0.0/a")
	c.expect("201", "Published", "-T", two, c.base+"my-ns/my-package/3.0.0/a")

	var list struct {
		Versions []struct{ Version string }
	}
	if err := json.Unmarshal([]byte(c.expect("200", "", c.base+"my-ns/my-package/")), &list); err != nil || len(list.Versions) != 3 {
		t.Errorf("versions %v, %v", list, err)
	}
}

func TestRefused(t *testing.T) {
	p := clienttest.Start(t, clienttest.Options{})
	c := newCurl(t, p, "my-repo")
	one := c.file("a", "one")
	for path, want := range map[string][2]string{
		"no-namespace/1.0":        {"405", "at this address"},
		"ns/p/1.0/a%2fb":          {"400", ""},
		"ns/p/1.0/%2e%2e":         {"400", ""},
		"ns/p/1.0/a*b":            {"400", "asset name has letters"},
		"ns/p%23/1.0/a":           {"400", "cannot have spaces"},
		"ns/p/1.0/" + "a%20%20b":  {"400", "no two in a row"},
		"ns/p/1.0/folder/in/it":   {"404", "namespace/package/version/asset"},
		"ns/p/1.0/" + longName():  {"400", "1 to 255"},
		"ns/p%00/1.0/a":           {"400", ""},
		"ns/p/1.0/%ff":            {"400", ""},
		"ns/p/1.0/ok.txt?x=y&z=1": {"201", "Published"},
	} {
		c.expect(want[0], want[1], "-T", one, c.base+path)
	}
	stranger := *c
	stranger.auth = "Authorization: Bearer nonsense"
	stranger.expect("401", "", "-T", one, c.base+"ns/p/2.0/a")
	stranger.expect("401", "", c.base)
}

func longName() string { return strings.Repeat("a", 256) }

// TestNoUpstream: they can only be had from the repository to which they were published.
func TestNoUpstream(t *testing.T) {
	p := clienttest.Start(t, clienttest.Options{})
	up, down := newCurl(t, p, "npm-store"), newCurl(t, p, "my-repo")
	up.expect("201", "", "-T", up.file("a", "one"), up.base+"ns/p/1.0/a")
	up.expect("200", "one", up.base+"ns/p/1.0/a")
	down.expect("404", "", down.base+"ns/p/1.0/a")
	down.expect("404", "", down.base+"ns/p/")
	down.expect("201", "", "-T", down.file("a", "two"), down.base+"ns/p/1.0/a")
}

// TestLarge: a file of some size, resumed where the connection broke off, and many files at once.
func TestLarge(t *testing.T) {
	p := clienttest.Start(t, clienttest.Options{})
	c := newCurl(t, p, "my-repo")
	content := make([]byte, 20<<20)
	_, _ = rand.Read(content) // never fails
	c.expect("201", "", "-T", c.file("big", string(content)), c.base+"ns/big/1/big")
	c.file("got", string(content[:7<<20]))
	c.expect("206", "", "-C", "-", "-o", "got", c.base+"ns/big/1/big")
	got, err := os.ReadFile(filepath.Join(c.dir, "got"))
	if err != nil || !bytes.Equal(got, content) {
		t.Errorf("%d bytes of %d, %v", len(got), len(content), err)
	}

	c.file("a", "one")
	var wait sync.WaitGroup
	for i := range 50 {
		wait.Go(func() {
			c.expect("201", "Unfinished", "-T", filepath.Join(c.dir, "a"), c.base+"ns/many/1/a"+string(rune('A'+i%26))+string(rune('a'+i/26))+"?unfinished")
		})
	}
	wait.Wait()
	body := c.expect("200", "Published", "-X", "POST", c.base+"ns/many/1?publish")
	if n := strings.Count(body, `"name"`); n != 50 {
		t.Errorf("%d of 50 files are there", n)
	}
}
