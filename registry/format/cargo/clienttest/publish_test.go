package clienttest_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"packhouse.dev/packhouse/registry/format/cargo/cargotest"
	"packhouse.dev/packhouse/registry/internal/clienttest"
)

// put publishes without a client.
func put(t *testing.T, p *clienttest.Packhouse, body []byte) (int, string) {
	t.Helper()
	status, answer, err := p.Do(http.MethodPut, address(p, "my-repo")+"api/v1/crates/new", body)
	if err != nil {
		t.Fatal(err)
	}
	return status, string(answer)
}

func mustPut(t *testing.T, p *clienttest.Packhouse, c cargotest.Crate) {
	t.Helper()
	if status, said := put(t, p, c.Request()); status != http.StatusOK {
		t.Fatalf("publish %s: %d %s", c.FileName(), status, said)
	}
}

// lines are the index lines of a crate.
func lines(t *testing.T, p *clienttest.Packhouse, name string) string {
	t.Helper()
	status, body, err := p.Do(http.MethodGet, address(p, "my-repo")+cargotest.IndexPath(name), nil)
	if err != nil || status != http.StatusOK {
		t.Fatalf("index of %s: %d %s %v", name, status, body, err)
	}
	return string(body)
}

// TestPublish publishes two crates, the second of which depends on the first, on a public one and on one by another name; then
// somebody else builds with them, they are yanked, and put back.
func TestPublish(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, u *user) {
		up := newIndex(t, cargotest.Crate{Name: "public_one", Version: "1.1.0"}, cargotest.Crate{Name: "public_one", Version: "1.2.0"}, cargotest.Crate{Name: "other", Version: "0.3.0"})
		p := start(t, samples(), up.URL)
		u.configure(p, "my-repo").project("acme-base", "1.0.0", "rust-version = \"1.60\"\n[features]\nextra = []\n")
		u.Write("README.md", "# acme-base\n")
		if out := u.ok("publish", "--registry", "mine", "--allow-dirty"); !strings.Contains(out, "Published acme-base v1.0.0 at registry `mine`") {
			t.Errorf("cargo publish says\n%s", out)
		}
		u.project("acme-base", "1.1.0", "")
		u.ok(publishable()...)
		u.project("acme-app", "2.0.0-rc.1+build.7", "publish = [\"mine\"]\n[dependencies]\nacme-base = { version = \"1\", registry = \"mine\", features = [] }\npublic_one = \">=1.1, <2\"\n"+
			"renamed = { package = \"other\", version = \"0.3\", optional = true }\n[target.'cfg(windows)'.build-dependencies]\npublic_one = \"1\"\n[features]\nf = [\"dep:renamed\"]\n")
		u.ok("publish", "--allow-dirty") // publish = ["mine"] says where

		var line struct {
			PubTime string `json:"pubtime"`
			Deps    []struct {
				Name, Req, Kind           string
				Registry, Target, Package *string
			}
			Features map[string][]string
		}
		if err := json.Unmarshal([]byte(lines(t, p, "acme-app")), &line); err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, d := range line.Deps {
			got += d.Name + " " + d.Req + " " + d.Kind
			for _, s := range []*string{d.Registry, d.Target, d.Package} {
				if s == nil {
					got += " -"
				} else {
					got += " " + *s
				}
			}
			got += "\n"
		}
		want := "acme-base ^1 normal - - -\npublic_one >=1.1, <2 normal " + cargotest.CratesIO + " - -\nrenamed ^0.3 normal " + cargotest.CratesIO + " - other\npublic_one ^1 build " + cargotest.CratesIO + " cfg(windows) -\n"
		if got != want || len(line.PubTime) != len("2024-01-02T03:04:05Z") || len(line.Features["f"]) != 1 {
			t.Errorf("line %+v\ngot\n%s\nwant\n%s", line, got, want)
		}

		other := u.another().configure(p, "my-repo").project("user", "0.1.0", "[dependencies]\nacme-app = { version = \"=2.0.0-rc.1\", registry = \"mine\", features = [\"f\"] }\npublic_one = \"1\"\n")
		other.Write("src/lib.rs", "pub fn ids() { println!(\"{}\", public_one::ID); let _ = acme_app::id(); }\n")
		other.ok("build")
		for name, want := range map[string]string{"acme-app": "sparse+" + address(p, "my-repo"), "acme-base": "sparse+" + address(p, "my-repo"), "public_one": cratesIOSource, "other": cratesIOSource} {
			if _, source, _ := other.locked(name); source != want {
				t.Errorf("%s is locked from %q, want %q", name, source, want)
			}
		}
		if out := other.ok("search", "acme", "--registry", "mine"); !strings.Contains(out, "acme-app = \"2.0.0-rc.1+build.7\"") || !strings.Contains(out, "acme-base = \"1.1.0\"") || !strings.Contains(out, "# about acme-base") {
			t.Errorf("cargo search says\n%s", out)
		}
		if out := other.ok("info", "acme-base", "--registry", "mine"); !strings.Contains(out, "about acme-base") || !strings.Contains(out, "version: 1.1.0") {
			t.Errorf("cargo info says\n%s", out)
		}
		if version, _, _ := other.locked("acme-base"); version != "1.1.0" {
			t.Errorf("locked acme-base %s", version)
		}

		u.ok("yank", "acme-base@1.1.0", "--registry", "mine")
		u.ok("yank", "acme-base@1.1.0", "--registry", "mine") // once more
		other.fresh()
		other.ok("fetch", "--locked")
		fresh := u.another().configure(p, "my-repo").project("fresh", "0.1.0", "")
		fresh.ok("add", "acme-base", "--registry", "mine")
		fresh.ok("fetch")
		if version, _, _ := fresh.locked("acme-base"); version != "1.0.0" {
			t.Errorf("with 1.1.0 yanked, locked %s", version)
		}
		u.ok("yank", "--undo", "acme-base@1.1.0", "--registry", "mine")
		fresh.ok("update")
		if version, _, _ := fresh.locked("acme-base"); version != "1.1.0" {
			t.Errorf("with 1.1.0 back, locked %s", version)
		}
		u.refused([]string{"public_one@1.1.0 is not in this repository itself"}, "yank", "public_one@1.1.0", "--registry", "mine")
		u.ok("yank", "acme-app@2.0.0-rc.1+build.7", "--registry", "mine")
		if !strings.Contains(lines(t, p, "acme-app"), `"yanked":true`) {
			t.Error("acme-app is not yanked")
		}
		for _, args := range [][]string{{"owner", "--list", "acme-base"}, {"owner", "--add", "bob", "acme-base"}, {"owner", "--remove", "bob", "acme-base"}} {
			u.refused([]string{"405", "not supported: cargo owner", "RepositoryPolicy"}, append(args, "--registry", "mine")...)
		}
	})
}

// TestInstall installs a program.
func TestInstall(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, u *user) {
		p := start(t, samples(), newIndex(t).URL)
		u.configure(p, "my-repo").project("acme-tool", "1.0.0", "")
		u.Write("src/main.rs", "fn main() { println!(\"tool\") }\n")
		u.ok(publishable()...)
		u.ok("install", "acme-tool", "--registry", "mine", "--root", u.Path("root"))
		if out, err := u.Run(u.Path("root/bin/acme-tool")); err != nil || out != "tool\n" {
			t.Errorf("%q %v", out, err)
		}
	})
}

// TestRepublish is what happens to a version that exists, in cargo's words and in ours.
func TestRepublish(t *testing.T) {
	t.Parallel()
	up := newIndex(t, cargotest.Crate{Name: "theirs", Version: "1.0.0"})
	p := start(t, samples(), up.URL)
	u := newUser(t).configure(p, "my-repo").project("ours", "1.0.0", "")
	u.ok(publishable()...)
	u.refused([]string{"crate ours@1.0.0 already exists on"}, publishable()...) // cargo looked and did not ask
	before := lines(t, p, "ours")
	crate := cargotest.Crate{Name: "raw", Version: "1.0.0"}
	mustPut(t, p, crate)
	if status, said := put(t, p, crate.Request()); status != 200 || !strings.Contains(said, "nothing was changed") {
		t.Errorf("the same bytes: %d %s", status, said)
	}
	crate.Description = "other bytes"
	for _, tt := range []struct {
		crate  cargotest.Crate
		status int
		says   string
	}{
		{crate, 409, "other bytes of raw-1.0.0.crate; publish a new version instead"},
		{cargotest.Crate{Name: "raw", Version: "1.0.0+build"}, 409, "publish a new version instead"},
		{cargotest.Crate{Name: "Raw", Version: "1.0.1"}, 409, "the repository has this crate as raw"},
		{cargotest.Crate{Name: "theirs", Version: "1.0.0"}, 409, "is in public:crates-io"},
	} {
		status, said := put(t, p, tt.crate.Request())
		if status != tt.status || !strings.Contains(said, `{"errors":[{"detail":"`) || !strings.Contains(said, tt.says) {
			t.Errorf("%s: %d %s, want %d %q", tt.crate.FileName(), status, said, tt.status, tt.says)
		}
	}
	if after := lines(t, p, "ours"); after != before {
		t.Errorf("the line changed: %s", after)
	}
	if strings.Count(lines(t, p, "raw"), "\n") != 1 {
		t.Error(lines(t, p, "raw"))
	}
	// Cargo itself, when the version is in the upstream: it looks in the index of the registry first.
	u.project("theirs", "1.0.0", "")
	u.refused([]string{"crate theirs@1.0.0 already exists on"}, publishable()...)
}

// TestRubbish sends what cargo would not, and reads the sentence of the refusal.
func TestRubbish(t *testing.T) {
	t.Parallel()
	p := start(t, samples(), "")
	good := cargotest.Crate{Name: "bad", Version: "1.0.0"}
	entry := func(name, text string) cargotest.Entry {
		return cargotest.Entry{Header: tar.Header{Name: name}, Text: text}
	}
	manifest := entry("bad-1.0.0/Cargo.toml", good.TOML())
	link := cargotest.Entry{Header: tar.Header{Name: "bad-1.0.0/link", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}}
	crate := func(entries ...cargotest.Entry) []byte {
		return cargotest.Frame(good.Metadata(""), cargotest.Tar(entries...))
	}
	whole := good.Request()
	other := good
	other.Version = "2.0.0"
	for name, tt := range map[string]struct {
		body []byte
		want string
	}{
		"empty":            {nil, "cut off"},
		"cut in metadata":  {whole[:20], "cut off"},
		"cut in the crate": {whole[:len(whole)-9], "cut off"},
		"goes on":          {append(bytes.Clone(whole), 0), "goes on after the crate"},
		"not JSON":         {cargotest.Frame([]byte("<html>"), good.File()), "not the JSON of a publish"},
		"huge metadata":    {[]byte("\xff\xff\xff\xff"), "at most"},
		"no crate":         {cargotest.Frame(good.Metadata(""), []byte("rubbish")), "not compressed with gzip"},
		"torn crate":       {cargotest.Frame(good.Metadata(""), good.File()[:100]), "damaged"},
		"other version":    {cargotest.Frame(other.Metadata(""), good.File()), "is not in the folder bad-2.0.0"},
		"lying manifest":   {cargotest.Frame(good.Metadata(""), cargotest.Pack("bad-1.0.0", map[string]string{"Cargo.toml": other.TOML()})), `Cargo.toml in the crate is that of "bad" "2.0.0"`},
		"no manifest":      {crate(entry("bad-1.0.0/x", "")), "has no bad-1.0.0/Cargo.toml"},
		"two manifests":    {crate(manifest, entry("bad-1.0.0/cargo.toml", "")), "more than one Cargo.toml"},
		"climbs out":       {crate(manifest, entry("bad-1.0.0/../evil", "")), "leaves the folder"},
		"beside the root":  {crate(manifest, entry("evil", "")), "is not in the folder"},
		"link":             {crate(manifest, link), "neither a file nor a folder"},
		"no TOML":          {crate(entry("bad-1.0.0/Cargo.toml", "[package")), "Cargo.toml"},
		"workspace":        {cargotest.Frame(good.Metadata(""), cargotest.Crate{Name: "bad", Version: "1.0.0", Manifest: good.TOML() + "[dependencies]\nx.workspace = true\n"}.File()), "inherited from a workspace"},
		"reserved name":    {cargotest.Crate{Name: "con", Version: "1.0.0"}.Request(), "is a device on Windows"},
		"strange name":     {cargotest.Crate{Name: "../x", Version: "1.0.0"}.Request(), "is not a crate name"},
		"strange version":  {cargotest.Crate{Name: "bad", Version: "1.0"}.Request(), "is not a semantic version"},
	} {
		status, said := put(t, p, tt.body)
		if status != 400 && (status != 413 || name != "huge metadata") || !strings.Contains(said, `{"errors":[{"detail":"`) || !strings.Contains(strings.ReplaceAll(said, `\"`, `"`), tt.want) {
			t.Errorf("%s: %d %s, want %q", name, status, said, tt.want)
		}
	}
	if rows := p.Rows(); len(rows) != 0 {
		t.Errorf("something was stored: %+v", rows)
	}
}
