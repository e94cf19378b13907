package clienttest_test

import (
	"net/http"
	"testing"

	"packhouse.dev/packhouse/registry/format/cargo/cargotest"
)

const cratesIOSource = "registry+https://github.com/rust-lang/crates.io-index"

// TestRealCrates builds a program with real crates through source replacement, and again from its lock file when the index is gone.
func TestRealCrates(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, u *user) {
		up := newIndex(t)
		up.debian(t, u.bin)
		p := start(t, samples(), up.URL)
		u.configure(p, "my-repo").project("app", "0.1.0", "")
		u.ok("add", "serde-json", "cfg-if", "lazy_static") // serde-json is serde_json
		u.Write("src/main.rs", "lazy_static::lazy_static! { static ref ONE: i32 = 1; }\nfn main() { println!(\"{}\", serde_json::to_string(&[*ONE]).unwrap()); }\n")
		u.ok("build")
		if out, err := u.Run(u.Path("target/debug/app")); err != nil || out != "[1]\n" {
			t.Errorf("app says %q, %v", out, err)
		}
		for _, c := range packedAll {
			version, source, checksum := u.locked(c.name)
			if version != "" && (version != c.version || source != cratesIOSource || checksum != cargotest.Checksum(c.file)) {
				t.Errorf("%s is locked as %s %s %s", c.name, version, source, checksum)
			}
		}
		if version, _, _ := u.locked("itoa"); version == "" {
			t.Error("Cargo.lock lacks itoa")
		}
		up.behave(down)
		u.fresh()
		u.ok("fetch", "--locked")
		u.ok("build", "--locked", "--offline")
		u.refused([]string{"503"}, "add", "bitflags")
	})
}

// TestVerbatim compares index files with those of the upstream byte for byte, before and after crates are retained.
func TestVerbatim(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	up := newIndex(t,
		cargotest.Crate{Name: "Mixed_Case-name", Version: "1.0.0", Published: "2024-01-02T03:04:05Z"},
		cargotest.Crate{Name: "Mixed_Case-name", Version: "1.0.1", Yanked: true, Package: "rust-version = \"1.60\""},
		cargotest.Crate{Name: "Mixed_Case-name", Version: "1.1.0+build.5", Deps: []cargotest.Dep{{Name: "other", Req: "1", Target: "cfg(unix)", Optional: true}}})
	p := start(t, samples(), up.URL)
	check := func() {
		t.Helper()
		path := cargotest.IndexPath("mixed_case-name")
		status, body, err := p.Do(http.MethodGet, address(p, "my-repo")+path, nil)
		if err != nil || status != 200 || string(body) != up.file(path) {
			t.Errorf("%d %v\n%s\nwant\n%s", status, err, body, up.file(path))
		}
	}
	check()
	u.configure(p, "my-repo").project("app", "0.1.0", "[dependencies]\nMixed_Case-name = \"1\"\n")
	u.ok("fetch")
	if version, _, _ := u.locked("Mixed_Case-name"); version != "1.1.0+build.5" {
		t.Errorf("locked %q", version)
	}
	check()
	for _, other := range []string{"mi/xe/mixed-case-name", "mi/xe/mixed_case_name", "mi/xe/Mixed_Case-name"} {
		if status, body, err := p.Do(http.MethodGet, address(p, "my-repo")+other, nil); err != nil || status != 404 {
			t.Errorf("%s: %d %s %v", other, status, body, err)
		}
	}
}
