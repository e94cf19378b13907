package clienttest_test

import (
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"packhouse.dev/packhouse/registry/format/cargo/cargotest"
	"packhouse.dev/packhouse/registry/internal/clienttest"
)

// TestAnotherPackhouse has the crates.io of one registry be another one.
func TestAnotherPackhouse(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, u *user) {
		first := start(t, samples(), "")
		mustPut(t, first, cargotest.Crate{Name: "deep", Version: "1.0.0", Description: "deep down"})
		mustPut(t, first, cargotest.Crate{Name: "deep", Version: "1.1.0"})
		mustPut(t, first, cargotest.Crate{Name: "Top_crate", Version: "0.1.0+b", Deps: []cargotest.Dep{{Name: "deep", Req: "1", Registry: "sparse+" + address(first, "my-repo")}}})
		if status, body, err := first.Do(http.MethodDelete, address(first, "my-repo")+"api/v1/crates/deep/1.1.0/yank", nil); err != nil || status != 200 {
			t.Fatal(status, string(body), err)
		}
		up := first.WithToken(t)
		up.Path = strings.TrimPrefix(address(first, "my-repo"), first.Endpoint)
		second := start(t, samples(), up.String())

		u.configure(second, "my-repo").project("app", "0.1.0", "[dependencies]\nTop_crate = \"0.1\"\n")
		u.ok("build")
		if version, source, _ := u.locked("deep"); version != "1.0.0" || source != cratesIOSource {
			t.Errorf("locked deep %s %s", version, source)
		}
		for _, name := range []string{"deep", "top_crate"} {
			if got, want := lines(t, second, name), lines(t, first, name); got != want {
				t.Errorf("index file of %s:\n%s\nwant\n%s", name, got, want)
			}
		}
		if out := u.ok("search", "deep", "--registry", "mine"); !strings.Contains(out, `deep = "1.0.0"`) || !strings.Contains(out, "# deep down") {
			t.Errorf("cargo search says\n%s", out)
		}
		first.Stop()
		u.fresh()
		u.ok("fetch", "--locked")
		row := func(repository, pkg, version string) clienttest.Row {
			return clienttest.Row{Repository: repository, Package: pkg, Version: version, Status: "Published", Origin: "EXTERNAL"}
		}
		want := []clienttest.Row{
			row("cargo-store", "deep", "1.0.0"), row("cargo-store", "top_crate", "0.1.0"), row("my-repo", "deep", "1.0.0"), row("my-repo", "top_crate", "0.1.0"),
		}
		if rows := second.Rows(); !slices.Equal(rows, want) {
			t.Errorf("rows %+v\nwant %+v", rows, want)
		}
	})
}

// TestGuide is the configuration of the guide, with registry.default: publishing needs no --registry, and cargo add writes the name.
func TestGuide(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, u *user) {
		p := start(t, samples(), newIndex(t, cargotest.Crate{Name: "public-one", Version: "1.0.0"}).URL)
		u.configure(p, "my-repo").project("ours", "1.0.0", "")
		config := filepath.Join(u.Home, ".cargo/config.toml")
		u.Write(config, u.Read(config)+"[registry]\ndefault = \"mine\"\n")
		u.ok("publish", "--no-verify", "--allow-dirty")
		u.project("app", "0.1.0", "")
		u.ok("add", "ours@1.0.0")
		u.ok("add", "public-one")
		u.ok("check")
		for _, name := range []string{"ours", "public-one"} {
			if version, source, _ := u.locked(name); version != "1.0.0" || source != "sparse+"+address(p, "my-repo") {
				t.Errorf("locked %s %s %s", name, version, source)
			}
		}
	})
}

// TestLogin: after packhouse login cargo, cargo works without another word.
func TestLogin(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, u *user) {
		p := start(t, samples(), newIndex(t, cargotest.Crate{Name: "public-one", Version: "1.0.0"}).URL)
		for range 2 { // the second time it is renewed
			out, err := u.Run(clienttest.Binary(t), "login", "cargo", "--repository", "my-repo", "--data-dir", p.DataDir)
			if err != nil || !strings.Contains(out, "Configured cargo to use "+address(p, "my-repo")+"\nTo publish: cargo publish --registry packhouse\n") {
				t.Fatalf("%v\n%s", err, out)
			}
		}
		u.project("app", "0.1.0", "")
		u.ok("add", "public-one")
		u.ok("fetch")
		u.ok("publish", "--registry", "packhouse", "--no-verify", "--allow-dirty")
		if _, source, _ := u.locked("public-one"); source != cratesIOSource {
			t.Errorf("locked from %s", source)
		}
	})
}

// TestConditional: an index file that did not change is not sent again, and one that did is, at once and under every address form.
func TestConditional(t *testing.T) {
	t.Parallel()
	p := start(t, samples(), "")
	mustPut(t, p, cargotest.Crate{Name: "lib", Version: "1.0.0"})
	get := func(at, etag string) (*http.Response, string) {
		t.Helper()
		r, err := http.NewRequest(http.MethodGet, at, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", p.Token)
		r.Header.Set("If-None-Match", etag)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return resp, resp.Header.Get("Etag")
	}
	at := address(p, "my-repo") + "3/l/lib"
	resp, etag := get(at, "")
	if resp.StatusCode != 200 || etag == "" {
		t.Fatal(resp.StatusCode, etag)
	}
	for _, sent := range []string{etag, "W/" + etag, `"other", ` + etag} {
		if resp, _ := get(at, sent); resp.StatusCode != 304 {
			t.Errorf("If-None-Match %s: %d", sent, resp.StatusCode)
		}
	}
	mustPut(t, p, cargotest.Crate{Name: "lib", Version: "1.1.0"})
	resp, next := get(at, etag)
	if resp.StatusCode != 200 || next == etag {
		t.Errorf("after a publish: %d, %s was %s", resp.StatusCode, next, etag)
	}
	status, body, err := p.Do(http.MethodGet, p.Endpoint+"/cargo/d/"+p.Domain+"-"+p.Owner+"/my-repo//config.json", nil)
	if want := `{"dl":"` + p.Endpoint + `/cargo/d/my-domain-111122223333/my-repo/api/v1/crates"`; err != nil || status != 200 || !strings.HasPrefix(string(body), want) {
		t.Errorf("%d %s %v; want %s…", status, body, err, want)
	}
}
