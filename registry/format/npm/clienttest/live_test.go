package clienttest_test

import (
	"bytes"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"packhouse.dev/packhouse/registry/internal/clienttest"
)

// live stands before the npm registry of the user's own configuration, so that it can be stopped: addresses in lists become its own.
func live(t *testing.T) *httptest.Server {
	t.Helper()
	if os.Getenv("PACKHOUSE_LIVE") == "" {
		t.Skip("installs from the npm registry: run make test-live")
	}
	out, err := exec.Command("npm", "config", "get", "registry").Output()
	if err != nil {
		t.Fatal(err)
	}
	origin, err := url.Parse(strings.TrimSpace(string(out)))
	if err != nil {
		t.Fatal(err)
	}
	var self string
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(origin)
			r.Out.Header.Del("Accept-Encoding") // the transport's own, which it undoes
		},
		ModifyResponse: func(r *http.Response) error {
			if !strings.Contains(r.Header.Get("Content-Type"), "json") {
				return nil
			}
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return err
			}
			body = bytes.ReplaceAll(body, []byte(origin.String()), []byte(self+"/"))
			r.Body = io.NopCloser(bytes.NewReader(body))
			r.ContentLength = int64(len(body))
			r.Header.Set("Content-Length", strconv.Itoa(len(body)))
			return nil
		},
	}
	server := httptest.NewServer(proxy)
	self = server.URL
	t.Cleanup(server.Close)
	return server
}

// TestLive installs what people install, through my-repo, and again from the lock file with an empty cache and no upstream.
func TestLive(t *testing.T) {
	for _, kind := range clienttest.Kinds() { // one after the other: they share the user's line
		t.Run(string(kind), func(t *testing.T) {
			up := live(t)
			p := clienttest.Start(t, clienttest.Options{URL: up.URL + "/"})
			c := client(t, p, kind)
			if kind == clienttest.PNPM {
				c.WriteFile("pnpm-workspace.yaml", "allowBuilds: {esbuild: true}\n")
			}
			begin := time.Now()
			c.Add("express", "@types/node", "esbuild", "jest@29")
			first := time.Since(begin)
			works := func() {
				t.Helper()
				out, err := c.Exec("node", "-e", `
					require("express")(); require("esbuild").transformSync("let x: number = 1", {loader: "ts"}); require("jest/package.json");
					require("fs").accessSync("node_modules/@types/node/index.d.ts"); console.log("works")`)
				if err != nil || !strings.Contains(out, "works") {
					t.Errorf("what was installed does not work: %v\n%s", err, out)
				}
			}
			works()
			if n := packages(t, c); n < 250 {
				t.Errorf("only %d packages were installed", n)
			}

			up.Close()
			c.Clean()
			begin = time.Now()
			c.OK(c.Frozen()...)
			again := time.Since(begin)
			works()
			kept := map[string]int{}
			for _, row := range p.Rows() {
				kept[row.Repository]++
			}
			if kept["my-repo"] != kept["npm-store"] || kept["my-repo"] < 250 {
				t.Errorf("kept: %v", kept)
			}
			t.Logf("%d packages: %.1f s through an empty registry, %.1f s without upstream; kept: %v", packages(t, c), first.Seconds(), again.Seconds(), kept)
		})
	}
}

// packages counts what is in node_modules, wherever the client puts it.
func packages(t *testing.T, c *clienttest.Client) int {
	t.Helper()
	n := 0
	err := filepath.WalkDir(filepath.Join(c.Project, "node_modules"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			parent := filepath.Base(filepath.Dir(path))
			if strings.HasPrefix(parent, "@") {
				parent = filepath.Base(filepath.Dir(filepath.Dir(path)))
			}
			if _, err := os.Stat(filepath.Join(path, "package.json")); err == nil && parent == "node_modules" {
				n++
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
