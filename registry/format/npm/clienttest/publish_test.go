package clienttest_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"packhouse.dev/packhouse/registry/internal/clienttest"
)

// TestPublish publishes with every client and installs what all of them published with every client.
func TestPublish(t *testing.T) {
	t.Parallel()
	p, _ := world(t, "")
	var specs []string
	t.Run("publish", func(t *testing.T) {
		for _, kind := range clienttest.Kinds() {
			plain := clienttest.Package{Name: "from-" + string(kind), Version: "1.2.3", Dependencies: map[string]string{"left-trim": "^1.0.0"}}
			scoped := clienttest.Package{Name: "@acme/from-" + string(kind), Version: "2.0.0-beta.1"}
			specs = append(specs, plain.Name+"@"+plain.Version, scoped.Name+"@"+scoped.Version)
			t.Run(string(kind), func(t *testing.T) {
				t.Parallel()
				c := client(t, p, kind)
				c.Becomes(plain)
				if kind == clienttest.Berry {
					c.OK("install", "--no-immutable") // it wants to know its dependencies
				}
				c.OK(c.Publish("")...)
				c.Becomes(scoped)
				c.OK(c.Publish("beta")...)
				if doc, err := p.Packument("my-repo", scoped.Name); err != nil || doc.Tags["beta"] != "2.0.0-beta.1" {
					t.Errorf("tags of %s: %+v, %v", scoped.Name, doc, err)
				}
			})
		}
	})
	t.Run("install", func(t *testing.T) {
		each(t, func(t *testing.T, kind clienttest.Kind) {
			c := client(t, p, kind)
			freshAllowed(c)
			c.Add(specs...)
			c.Requires(specs...)
		})
	})
}

// freshAllowed lets a client install what was published a moment ago: pnpm and Yarn 4 wait for a day by default.
func freshAllowed(c *clienttest.Client) {
	switch c.Kind {
	case clienttest.PNPM:
		c.WriteFile("pnpm-workspace.yaml", "minimumReleaseAgeExclude: ['from-*', '@acme/*']\n")
	case clienttest.Berry:
		c.WriteFile(".yarnrc.yml", "npmPreapprovedPackages: ['from-*', '@acme/*']\n")
	default:
	}
}

// TestRepublish is what happens to a version that exists, in npm's own words.
func TestRepublish(t *testing.T) {
	t.Parallel()
	p, _ := world(t, "")
	c := client(t, p, clienttest.NPM)
	c.Becomes(clienttest.Package{Name: "ours", Version: "1.0.0"})
	c.OK("publish")
	c.Refused([]string{"previously published"}, "publish") // npm looked and did not ask
	c.OK("publish", "--force")                             // the same bytes: as after an answer that got lost
	before, err := p.Packument("my-repo", "ours")
	if err != nil {
		t.Fatal(err)
	}
	c.WriteFile("index.js", "module.exports = 'other bytes'\n")
	c.Refused([]string{"E409", "409 Conflict", "has other bytes of ours-1.0.0.tgz", "publish a new version instead"}, "publish", "--force")
	after, err := p.Packument("my-repo", "ours")
	if err != nil || after.Versions["1.0.0"] != before.Versions["1.0.0"] {
		t.Errorf("the version changed: %+v, %v", after, err)
	}

	// A version that an upstream has.
	c.Becomes(clienttest.Package{Name: "left-trim", Version: "1.1.0"})
	c.Refused([]string{"E409", "left-trim is in public:npmjs"}, "publish", "--force")
	if rows := p.Rows(); len(rows) != 1 {
		t.Errorf("rows: %+v", rows)
	}
}

// TestRubbish publishes tarballs that npm itself does not mind.
func TestRubbish(t *testing.T) {
	t.Parallel()
	p, _ := world(t, "")
	good := `{"name":"rubbish","version":"1.0.0"}`
	// npm refuses what unpacks to a thousand times its size; this is 300 times.
	var bomb strings.Builder
	for random := rand.New(rand.NewPCG(1, 2)); bomb.Len() < 300<<20; {
		bomb.WriteString(strings.Repeat("\x00", 32<<10))
		for range 8 {
			bomb.WriteString(strconv.FormatUint(random.Uint64(), 36))
		}
	}
	type entry struct{ name, text, link string }
	tests := map[string]struct {
		entries []entry
		want    string
	}{
		"two manifests":     {[]entry{{"package/package.json", good, ""}, {"package/package.json", `{"name":"rubbish","version":"1.0.0","scripts":{"install":"evil"}}`, ""}}, "more than one package.json"},
		"climbs out":        {[]entry{{"package/package.json", good, ""}, {"package/../../evil", "x", ""}}, "package/../../evil"},
		"absolute":          {[]entry{{"package/package.json", good, ""}, {"/etc/evil", "x", ""}}, "/etc/evil"},
		"link to somewhere": {[]entry{{"package/package.json", good, ""}, {"package/link", "", "../../../etc/passwd"}}, "package/link"},
		"bomb":              {[]entry{{"package/package.json", good, ""}, {"package/zeros", bomb.String(), ""}}, "times its size"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := client(t, p, clienttest.NPM)
			var b bytes.Buffer
			gz := gzip.NewWriter(&b)
			tw := tar.NewWriter(gz)
			for _, e := range tt.entries {
				h := &tar.Header{Name: e.name, Mode: 0o644, Size: int64(len(e.text)), Typeflag: tar.TypeReg}
				if e.link != "" {
					h.Typeflag, h.Linkname = tar.TypeSymlink, e.link
				}
				if err := tw.WriteHeader(h); err != nil {
					t.Fatal(err)
				}
				if _, err := tw.Write([]byte(e.text)); err != nil {
					t.Fatal(err)
				}
			}
			if err := tw.Close(); err != nil {
				t.Fatal(err)
			}
			if err := gz.Close(); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(c.Project, "rubbish.tgz"), b.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			c.Refused([]string{"E400", tt.want}, "publish", "./rubbish.tgz")
		})
	}
	t.Cleanup(func() {
		if rows := p.Rows(); len(rows) != 0 {
			t.Errorf("something was stored: %+v", rows)
		}
	})
}

// TestBadUploads sends what no client would, and reads the sentence of the refusal.
func TestBadUploads(t *testing.T) {
	t.Parallel()
	p, _ := world(t, "")
	pkg := clienttest.Package{Name: "bad", Version: "1.0.0"}
	tarball := pkg.Tarball()
	url := p.Registry("my-repo") + "bad"
	tests := map[string]struct {
		url    string
		body   []byte
		status int
		want   string
	}{
		"other name":      {p.Registry("my-repo") + "good", clienttest.Upload(pkg, tarball), 400, "names good"},
		"other version":   {url, clienttest.Upload(clienttest.Package{Name: "bad", Version: "2.0.0"}, tarball), 400, "version"},
		"wrong integrity": {url, bytes.Replace(clienttest.Upload(pkg, tarball), []byte(clienttest.Integrity(tarball)), []byte(clienttest.Integrity(nil)), 1), 400, "sha512"},
		"cut off":         {url, clienttest.Upload(pkg, tarball)[:700], 400, "ends in the middle"},
		"no tarball":      {url, []byte(`{"name":"bad","versions":{}}`), 400, "no tarball"},
		"not JSON":        {url, []byte(`<html>`), 400, "JSON"},
		"torn tarball":    {url, clienttest.Upload(pkg, tarball[:len(tarball)/2]), 400, "tarball"},
		"climbing name":   {p.Registry("my-repo") + "%2e%2e%2fbad", clienttest.Upload(pkg, tarball), 400, ""},
		"double escaped":  {p.Registry("my-repo") + "%252e%252e", clienttest.Upload(pkg, tarball), 400, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, answer, err := p.Do(http.MethodPut, tt.url, tt.body)
			if err != nil || status != tt.status || !strings.Contains(string(answer), tt.want) {
				t.Errorf("got %d %s, %v; want %d and %q", status, answer, err, tt.status, tt.want)
			}
		})
	}
	t.Cleanup(func() {
		if rows := p.Rows(); len(rows) != 0 {
			t.Errorf("something was stored: %+v", rows)
		}
	})
}
