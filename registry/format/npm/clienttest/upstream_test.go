package clienttest_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"packhouse.dev/packhouse/registry/internal/clienttest"
)

// TestMisbehavingUpstream shows what a client sees when the upstream fails in every way, that nothing of it is kept, and that all is
// well as soon as the upstream is.
func TestMisbehavingUpstream(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		mode clienttest.Mode
		want []string // in npm's output
	}{
		"500":                 {clienttest.Broken, []string{"E503"}},
		"429":                 {clienttest.Limited, []string{"E503"}},
		"breaks off":          {clienttest.Down, []string{"E503"}},
		"HTML":                {clienttest.HTML, []string{"E503"}},
		"private redirect":    {clienttest.Private, []string{"E503"}},
		"lies about a digest": {clienttest.Lying, nil},
		"ends in the middle":  {clienttest.Torn, nil},
		"says nothing":        {clienttest.Hanging, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, up := world(t, "")
			if status, answer := p.Publish(t, "my-repo", clienttest.Package{Name: "ours", Version: "1.0.0"}); status != http.StatusCreated {
				t.Fatalf("publish: %d %s", status, answer)
			}
			up.Behave(tt.mode)
			c := client(t, p, clienttest.NPM)
			c.Env = append(c.Env, "npm_config_fetch_timeout=4000", "npm_config_fetch_retries=0")
			c.Refused(tt.want, "install", "say-hello")
			for _, row := range p.Rows() {
				if row.Package == "say-hello" {
					t.Errorf("kept: %+v", row)
				}
			}
			c.OK("install", "ours") // is ours, whatever the upstream does
			up.Behave(clienttest.Healthy)
			deadline := time.Now().Add(20 * time.Second)
			for { // the breaker wants to see some time pass
				if out, err := c.Run("install", "say-hello"); err == nil {
					break
				} else if time.Now().After(deadline) {
					t.Fatalf("the upstream is well again, and the installation fails: %v\n%s", err, out)
				}
				c.Clean()
			}
			c.Requires("say-hello@1.0.0", "ours@1.0.0")
		})
	}
}

// TestUpstreamDown is "CodeArtifact behavior when an external repository is not available": what was fetched is served, what was not
// is "not now", never "not there"; publishing goes on.
func TestUpstreamDown(t *testing.T) {
	t.Parallel()
	p, up := world(t, "")
	c := client(t, p, clienttest.NPM)
	c.OK("install", "left-trim@1.0.0")
	up.Stop()
	c.Clean()
	c.OK("install", "left-trim@1.0.0")
	c.Requires("left-trim@1.0.0")
	c.Refused([]string{"E503"}, "install", "say-hello")
	c.Becomes(clienttest.Package{Name: "brand-new", Version: "1.0.0"})
	begin := time.Now()
	c.OK("publish", "--force")
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("publishing took %v", took)
	}
	c.Becomes(clienttest.Package{Name: "left-trim", Version: "1.1.0"}) // the list that shows it is still cached
	c.Refused([]string{"origin controls"}, "publish", "--force")
}

// TestAddressesFromMetadata: an upstream whose lists point elsewhere gets no request made for it.
func TestAddressesFromMetadata(t *testing.T) {
	t.Parallel()
	trap := clienttest.NewUpstream(t, clienttest.Catalogue()...)
	up := clienttest.NewUpstream(t, clienttest.Catalogue()...)
	up.PointTo(trap.URL)
	p := clienttest.Start(t, clienttest.Options{Upstream: up})
	c := client(t, p, clienttest.NPM)
	c.Refused(nil, "install", "say-hello")
	if log := trap.Log(); len(log) > 0 {
		t.Errorf("a list made the registry ask another server: %q", log)
	}
	if strings.Contains(p.Log.String(), "panic") {
		t.Error("a panic")
	}
}
