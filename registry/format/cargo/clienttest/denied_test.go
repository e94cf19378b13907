package clienttest_test

import (
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"packhouse.dev/packhouse/registry/format/cargo/cargotest"
	"packhouse.dev/packhouse/registry/internal/clienttest"
)

// TestTokens is what cargo says without a token, with a wrong one, and in every dress of a right one.
func TestTokens(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, u *user) {
		p := start(t, samples(), newIndex(t).URL)
		mustPut(t, p, cargotest.Crate{Name: "lib", Version: "1.0.0"})
		u.registry(address(p, "my-repo"), "").project("app", "0.1.0", "[dependencies]\nlib = { version = \"1\", registry = \"mine\" }\n")
		u.refused([]string{"no token found for `mine`, please run `cargo login --registry mine`"}, "fetch")
		login := exec.Command(filepath.Join(u.bin, "cargo"), "login", "--registry", "mine")
		login.Stdin = strings.NewReader(p.Token + "\n")
		if out, err := u.Start(login); err != nil {
			t.Errorf("cargo login: %v\n%s", err, out)
		}
		u.ok("fetch")
		u.fresh()
		u.registry(address(p, "my-repo"), "nonsense")
		u.refused([]string{"token rejected for `mine`"}, "fetch")
		for _, dress := range []string{p.Token, "Bearer " + p.Token} {
			u.fresh()
			u.Write(u.Home+"/.cargo/credentials.toml", "[registries.mine]\ntoken = \""+dress+"\"\n")
			u.ok("fetch")
		}
		u.fresh()
		u.Env = append(u.Env, "CARGO_REGISTRIES_MINE_TOKEN="+p.Token)
		u.Write(u.Home+"/.cargo/credentials.toml", "")
		u.ok("fetch")
		// The guide's way: a program that prints the token.
		u.Env = u.Env[:len(u.Env)-1]
		u.fresh()
		u.Write(u.Home+"/.cargo/config.toml", "[registries.mine]\nindex = \"sparse+"+address(p, "my-repo")+"\"\ncredential-provider = \"cargo:token-from-stdout "+
			clienttest.Binary(t)+" token --data-dir "+p.DataDir+"\"\n")
		u.ok("fetch")
		u.project("app", "0.1.0", "")
		u.ok(publishable()...)
	})
}

// TestMe: who comes with a browser gets a page, and a client that asks without a token is told where it is.
func TestMe(t *testing.T) {
	t.Parallel()
	p := start(t, samples(), "")
	for _, token := range []string{"", p.Token} {
		status, body, err := clienttest.Do(http.MethodGet, address(p, "my-repo")+"me", token, nil)
		if err != nil || !strings.Contains(string(body), "packhouse login cargo") || (status == 200) != (token != "") {
			t.Errorf("%d %s %v", status, body, err)
		}
	}
	resp, err := http.Get(address(p, "my-repo") + "config.json")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got := resp.Header.Values("WWW-Authenticate"); !slices.Contains(got, `Cargo login_url="`+address(p, "my-repo")+`me"`) {
		t.Errorf("%d %q", resp.StatusCode, got)
	}
}

// TestBlocked: crates that origin controls keep away are "not found" for reading, never "forbidden", and nobody outside hears of them,
// though cargo itself tries evil-twin when it finds no evil_twin.
func TestBlocked(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, u *user) {
		up := newIndex(t, cargotest.Crate{Name: "evil_twin", Version: "9.0.0"}, cargotest.Crate{Name: "theirs", Version: "1.0.0"})
		p := start(t, samples()+clienttest.Group("/cargo//evil_twin$")+origin("theirs", "Block", "Allow"), up.URL)
		u.configure(p, "my-repo").project("app", "0.1.0", "[dependencies]\nevil_twin = \"9\"\n")
		u.refused([]string{"no matching package named `evil_twin` found"}, "fetch")
		u.refused([]string{"could not be found"}, "add", "evil-twin")
		if heard := up.heard("evil"); len(heard) > 0 {
			t.Errorf("the upstream was asked for %q", heard)
		}
		u.project("theirs", "1.0.1", "")
		u.refused([]string{"403 Forbidden", "the origin controls of package cargo/theirs in repository my-repo do not allow publishing"}, publishable()...)
		u.project("evil_twin", "1.0.0", "")
		u.ok(publishable()...)
		u.project("app", "0.1.0", "[dependencies]\nevil_twin = \"1\"\n")
		u.ok("fetch")
		if heard := up.heard("evil"); len(heard) > 0 {
			t.Errorf("the upstream was asked for %q", heard)
		}
		// First come: what was published here never comes from outside.
		u.project("ours", "1.0.0", "")
		u.ok(publishable()...)
		up.add(cargotest.Crate{Name: "ours", Version: "9.9.9"})
		u.project("app", "0.1.0", "[dependencies]\nours = \"*\"\n")
		u.ok("fetch")
		if version, _, _ := u.locked("ours"); version != "1.0.0" {
			t.Errorf("locked %s", version)
		}
	})
}

// TestConfusion is the drill: an index offers a newer version of what is internal, and names that look like it. None of them is listed,
// asked for or fetched, whatever is tried, and nobody can publish a name that looks like it.
func TestConfusion(t *testing.T) {
	t.Parallel()
	near := []string{"c0rp_tool", "corp-tool", "corp_too1"}
	crates := []cargotest.Crate{{Name: "theirs", Version: "1.0.0"}, {Name: "corp_tool", Version: "99.0.0"}}
	for _, name := range near {
		crates = append(crates, cargotest.Crate{Name: name, Version: "99.0.0"})
	}
	up := newIndex(t, crates...)
	p := start(t, samples()+clienttest.Group("/cargo//corp_tool$"), up.URL)
	mustPut(t, p, cargotest.Crate{Name: "corp_tool", Version: "1.0.0"})
	u := newUser(t).configure(p, "my-repo")
	u.project("app", "0.1.0", "[dependencies]\ncorp_tool = \"*\"\ntheirs = \"1\"\n")
	u.ok("fetch")
	u.ok("update")
	if version, _, _ := u.locked("corp_tool"); version != "1.0.0" {
		t.Errorf("locked %s", version)
	}
	u.project("app", "0.1.0", "[dependencies]\ncorp_tool = \">1\"\n")
	u.refused([]string{"failed to select a version for the requirement `corp_tool = \">1\"`", "candidate versions found which didn't match: 1.0.0"}, "fetch")
	for _, name := range near {
		u.project("app", "0.1.0", "[dependencies]\n"+name+" = \"99\"\n")
		u.refused([]string{"no matching package"}, "fetch")
		status, body, err := p.Do(http.MethodGet, address(p, "my-repo")+"api/v1/crates/"+name+"/99.0.0/download", nil)
		if err != nil || status != http.StatusNotFound {
			t.Errorf("%s: %d %s %v", name, status, body, err)
		}
		u.project(name, "1.0.0", "")
		why := "a variation of package group /cargo//corp_tool$"
		if name == "corp-tool" {
			why = "the repository has this crate as corp_tool"
		}
		u.refused([]string{why}, publishable()...)
	}
	if out := u.ok("search", "tool", "--registry", "mine"); !strings.Contains(out, `corp_tool = "1.0.0"`) || strings.Contains(out, "99.0.0") {
		t.Errorf("cargo search says\n%s", out)
	}
	for _, name := range append(near, "corp", "tool") {
		if heard := up.heard(name); len(heard) > 0 {
			t.Errorf("the upstream was asked for %q", heard)
		}
	}
	if len(up.heard("theirs")) == 0 {
		t.Error("the upstream was asked for nothing at all")
	}
}

// TestArchived: a version that is archived is gone from the index and as a file; with a lock file the build fails and says which.
func TestArchived(t *testing.T) {
	t.Parallel()
	p := start(t, samples(), "")
	mustPut(t, p, cargotest.Crate{Name: "lib", Version: "1.0.0"})
	mustPut(t, p, cargotest.Crate{Name: "lib", Version: "1.1.0"})
	u := newUser(t).configure(p, "my-repo").project("app", "0.1.0", "[dependencies]\nlib = { version = \"1\", registry = \"mine\" }\n")
	u.ok("fetch")
	p.Stop()
	p.SetStatus("my-repo", "lib", "1.1.0", "Archived")
	p.Restart()
	status, body, err := p.Do(http.MethodGet, address(p, "my-repo")+"api/v1/crates/lib/1.1.0/download", nil)
	if err != nil || status != 404 || !strings.Contains(string(body), "archived") {
		t.Errorf("%d %s %v", status, body, err)
	}
	u.fresh()
	u.refused([]string{"lib"}, "fetch", "--locked")
	u.ok("update")
	u.ok("fetch", "--locked")
	if version, _, _ := u.locked("lib"); version != "1.0.0" {
		t.Errorf("locked %s", version)
	}
	u.refused([]string{"409", "lib"}, "yank", "lib@1.1.0", "--registry", "mine")

	// Unlisted by whatever way is yanked.
	p.Stop()
	p.SetStatus("my-repo", "lib", "1.0.0", "Unlisted")
	p.Restart()
	u.fresh()
	u.ok("fetch", "--locked")
	fresh := u.another().configure(p, "my-repo").project("app", "0.1.0", "[dependencies]\nlib = { version = \"1\", registry = \"mine\" }\n")
	fresh.refused([]string{"1.0.0 is yanked"}, "fetch")
}

// TestMisbehavingUpstream shows what cargo says when the index fails in every way, that nothing of it is kept, and that all is well as
// soon as the index is.
func TestMisbehavingUpstream(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		mode mode
		want []string
	}{
		"500":                 {broken, []string{"503"}},
		"429":                 {limited, []string{"503"}},
		"breaks off":          {down, []string{"503"}},
		"HTML":                {html, []string{"503"}},
		"lies about a digest": {lying, nil},
		"ends in the middle":  {torn, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			up := newIndex(t, cargotest.Crate{Name: "theirs", Version: "1.0.0"})
			p := start(t, samples(), up.URL)
			mustPut(t, p, cargotest.Crate{Name: "ours", Version: "1.0.0"})
			up.behave(tt.mode)
			u := newUser(t).configure(p, "my-repo").project("app", "0.1.0", "[dependencies]\ntheirs = \"1\"\n")
			u.Env = append(u.Env, "CARGO_NET_RETRY=0")
			u.refused(tt.want, "fetch")
			for _, row := range p.Rows() {
				if row.Package == "theirs" {
					t.Errorf("kept: %+v", row)
				}
			}
			mine := u.another().configure(p, "my-repo").project("app", "0.1.0", "[dependencies]\nours = { version = \"1\", registry = \"mine\" }\n")
			mine.ok("fetch") // is ours, whatever the upstream does
			up.behave(healthy)
			deadline := time.Now().Add(30 * time.Second)
			for { // the breaker wants to see some time pass
				out, err := u.run("fetch")
				if err == nil {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("the upstream is well again, and cargo fails: %v\n%s", err, out)
				}
				time.Sleep(time.Second)
			}
		})
	}
}
