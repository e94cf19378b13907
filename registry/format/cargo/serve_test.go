package cargo

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
	"packhouse.dev/packhouse/registry/format/cargo/cargotest"
)

const newCrate = "api/v1/crates/new"

func TestServe(t *testing.T) {
	t.Parallel()
	repo := newFake()
	crate := cargotest.Crate{Name: "My_crate", Version: "1.0.0+b", Description: "a crate", Files: map[string]string{"README.md": "# mine"}}
	w := do(t, repo, "PUT", newCrate, crate.Request())
	if want := `{"warnings":{"invalid_categories":[],"invalid_badges":[],"other":[]}}`; w.Code != 200 || w.Body.String() != want {
		t.Fatalf("publish: %d %s", w.Code, w.Body)
	}
	old := crate
	old.Version = "0.9.0"
	do(t, repo, "PUT", newCrate, old.Request())
	archived := crate
	archived.Version = "0.8.0"
	do(t, repo, "PUT", newCrate, archived.Request())
	id := registry.PackageID{Format: Name, Name: "my_crate"}
	repo.version(registry.VersionID{Package: id, Version: "0.8.0"}).Status = registry.Archived

	const ok = `{"ok":true}`
	line := func(c cargotest.Crate, yanked string) string {
		return `{"name":"My_crate","vers":"` + c.Version + `","deps":[],"cksum":"` + cargotest.Checksum(c.File()) + `","features":{},"yanked":` + yanked + `,"pubtime":"2024-01-02T03:04:05Z"}` + "\n"
	}
	const hit = `{"crates":[{"name":"My_crate","max_version":"1.0.0+b","description":"a crate"}],"meta":{"total":1}}`
	const none = `{"crates":[],"meta":{"total":0}}`
	for _, tt := range []struct {
		method, target string
		status         int
		want           string // the whole body, or a part of an error's
	}{
		{"GET", "config.json", 200, `{"dl":"http://h/d-111122223333/cargo/r/api/v1/crates","api":"http://h/d-111122223333/cargo/r","auth-required":true}`},
		{"GET", "my/_c/my_crate", 200, line(old, "false") + line(crate, "false")},
		{"GET", "my/-c/my-crate", 404, "not found"},
		{"GET", "se/rd/serde", 404, "not found"},
		{"GET", "robots.txt", 404, "nothing at this address"},
		{"GET", "api/v1/crates/My_crate/1.0.0+b/download", 200, string(crate.File())},
		{"GET", "api/v1/crates/My_crate/1.0.0/download", 404, "not found"},
		{"GET", "api/v1/crates/my-crate/1.0.0+b/download", 404, "not found"},
		{"GET", "api/v1/crates/My_crate/0.8.0/download", 404, "not found: version cargo/my_crate@0.8.0 is archived"},
		{"GET", "api/v1/crates?q=MY-crate", 200, hit},
		{"GET", "api/v1/crates?q=crate%20a&per_page=1000&page=0", 200, hit},
		{"GET", "api/v1/crates?q=nothing", 200, none},
		{"GET", "api/v1/crates?q=crate&page=2", 200, `{"crates":[],"meta":{"total":1}}`},
		{"DELETE", "api/v1/crates/My_crate/1.0.0+b/yank", 200, ok},
		{"DELETE", "api/v1/crates/my_crate/1.0.0+b/yank", 200, ok},
		{"GET", "my/_c/my_crate", 200, line(old, "false") + line(crate, "true")},
		{"GET", "api/v1/crates?q=my_crate", 200, strings.Replace(hit, "1.0.0+b", "0.9.0", 1)},
		{"GET", "api/v1/crates/My_crate/1.0.0+b/download", 200, string(crate.File())},
		{"PUT", "api/v1/crates/My_crate/1.0.0/unyank", 200, ok},
		{"PUT", "api/v1/crates/My_crate/1.0.0/unyank", 200, ok},
		{"DELETE", "api/v1/crates/My_crate/0.8.0/yank", 409, "Archived"},
		{"PUT", "api/v1/crates/My_crate/0.8.0/unyank", 409, "Archived"},
		{"DELETE", "api/v1/crates/My_crate/7.0.0/yank", 404, "is not in this repository itself"},
		{"DELETE", "api/v1/crates/other/7.0.0/yank", 404, "is not in this repository itself"},
		{"GET", "api/v1/crates/My_crate/owners", 405, "RepositoryPolicy"},
		{"PUT", "api/v1/crates/My_crate/owners", 405, "RepositoryPolicy"},
		{"DELETE", "api/v1/crates/My_crate/owners", 405, "RepositoryPolicy"},
		{"GET", newCrate, 405, "GET at this address"},
		{"POST", "config.json", 405, "POST at this address"},
		{"GET", "api/v1/crates/My_crate/1.0.0/yank", 405, "GET at this address"},
		{"PUT", "api/v1/crates/My_crate/1.0.0/yank", 405, "PUT at this address"},
		{"DELETE", "api/v1/crates/My_crate/1.0.0/download", 405, "DELETE at this address"},
	} {
		w := do(t, repo, tt.method, tt.target, nil)
		body := w.Body.String()
		if w.Code != tt.status || w.Code == 200 && body != tt.want || w.Code != 200 && (!strings.Contains(body, tt.want) || !strings.HasPrefix(body, `{"errors":[{"detail":"`)) {
			t.Errorf("%s %s: %d %s, want %d %s", tt.method, tt.target, w.Code, body, tt.status, tt.want)
		}
		if head := do(t, repo, "HEAD", tt.target, nil); tt.method == "GET" && (head.Code != w.Code || head.Body.Len() > 0 || w.Code == 200 && head.Header().Get("Content-Length") != w.Header().Get("Content-Length")) {
			t.Errorf("HEAD %s: %d %v", tt.target, head.Code, head.Header())
		}
	}
	if w := do(t, repo, "GET", "me", nil); w.Code != 200 || !strings.Contains(w.Body.String(), "packhouse login cargo") {
		t.Errorf("me: %d %s", w.Code, w.Body)
	}
}

// TestDenied: whoever may not read learns nothing, by whatever address.
func TestDenied(t *testing.T) {
	t.Parallel()
	repo := newFake()
	repo.denied = true
	for _, target := range []string{"config.json", "se/rd/serde", "me", "api/v1/crates?q=x", "api/v1/crates/a/1.0.0/download"} {
		if w := do(t, repo, "GET", target, nil); w.Code != 403 {
			t.Errorf("GET %s: %d %s", target, w.Code, w.Body)
		}
	}
	if w := do(t, repo, "PUT", newCrate, (cargotest.Crate{Name: "a", Version: "1.0.0"}).Request()); w.Code != 403 {
		t.Errorf("publish: %d %s", w.Code, w.Body)
	}
	if w := do(t, repo, "DELETE", "api/v1/crates/a/1.0.0/yank", nil); w.Code != 403 {
		t.Errorf("yank: %d %s", w.Code, w.Body)
	}
}

func TestWriteError(t *testing.T) {
	t.Parallel()
	const at = "http://127.0.0.1/d-111122223333/cargo/r"
	for _, tt := range []struct {
		method, path, address string
		status                int
		login, page           bool
	}{
		{"GET", "/d-111122223333/cargo/r/config.json", at, 401, true, false},
		{"GET", "/d-111122223333/cargo/r/me", at, 401, false, true},
		{"HEAD", "/d-111122223333/cargo/r/me", at, 401, true, false},
		{"GET", "/d-111122223333/cargo/r/2/me", at, 401, true, false},
		{"GET", "/cargo/me", "", 401, false, false},
		{"GET", "/d-111122223333/cargo/r/me", at, 403, false, false},
	} {
		r := httptest.NewRequest(tt.method, tt.path, nil)
		if tt.address != "" {
			r = format.WithAddress(r, tt.address)
		}
		w := httptest.NewRecorder()
		w.Header().Set("WWW-Authenticate", "Basic")
		New().WriteError(w, r, tt.status, `no "token"`)
		challenges := w.Header().Values("WWW-Authenticate")
		login := len(challenges) == 2 && challenges[1] == `Cargo login_url="`+at+`/me"`
		page := strings.Contains(w.Body.String(), "<html")
		if w.Code != tt.status || login != tt.login || page != tt.page || page == (len(challenges) > 0) {
			t.Errorf("%+v: %d %q %s", tt, w.Code, challenges, w.Body)
		}
		if want := `{"errors":[{"detail":"no \"token\""}]}`; !page && tt.method == "GET" && w.Body.String() != want {
			t.Errorf("%+v: %s", tt, w.Body)
		}
	}
}

// TestPublishRefusals are those that need a look at more than the crate; TestCrate and TestManifestLine have the others.
func TestPublishRefusals(t *testing.T) {
	t.Parallel()
	repo := newFake()
	crate := cargotest.Crate{Name: "good", Version: "1.0.0"}
	do(t, repo, "PUT", newCrate, crate.Request())
	whole := crate.Request()
	changed, respelled := crate, crate
	do(t, repo, "PUT", newCrate, (cargotest.Crate{Name: "with-two_parts", Version: "1.0.0"}).Request())
	changed.Description = "other bytes"
	respelled.Name, respelled.Version = "Good", "1.1.0"
	for name, tt := range map[string]struct {
		body   []byte
		status int
		want   string
	}{
		"again":             {whole, 200, "nothing was changed"},
		"other bytes":       {changed.Request(), 409, ""},
		"other letters":     {respelled.Request(), 409, "has this crate as good"},
		"other separators":  {cargotest.Crate{Name: "with_two-parts", Version: "2.0.0"}.Request(), 409, "has this crate as with-two_parts"},
		"empty":             {nil, 400, "cut off"},
		"short length":      {whole[:3], 400, "cut off"},
		"short metadata":    {whole[:50], 400, "cut off"},
		"no second length":  {cargotest.Frame(crate.Metadata(""), nil)[:len(crate.Metadata(""))+6], 400, "cut off"},
		"short crate":       {whole[:len(whole)-1], 400, "cut off"},
		"longer":            {append(bytes.Clone(whole), 'x'), 400, "goes on"},
		"huge metadata":     {[]byte("\x00\x00\x00\x7f"), 413, "at most"},
		"metadata no JSON":  {cargotest.Frame([]byte("x"), nil), 400, "not the JSON"},
		"metadata is null":  {cargotest.Frame([]byte("null"), nil), 400, "not a crate name"},
		"bad version":       {cargotest.Frame([]byte(`{"name":"a","vers":"1"}`), nil), 400, "not a semantic version"},
		"empty crate":       {cargotest.Frame(crate.Metadata(""), nil), 400, "not compressed"},
		"reserved":          {cargotest.Crate{Name: "NUL", Version: "1.0.0"}.Request(), 400, "Windows"},
		"manifest of other": {cargotest.Frame(crate.Metadata(""), cargotest.Pack("good-1.0.0", map[string]string{"Cargo.toml": respelled.TOML()})), 400, "is that of"},
	} {
		if w := do(t, repo, "PUT", newCrate, tt.body); w.Code != tt.status || !strings.Contains(w.Body.String(), tt.want) {
			t.Errorf("%s: %d %s, want %d %q", name, w.Code, w.Body, tt.status, tt.want)
		}
	}
}

// TestHome: a dependency that cargo says is in the registry published to is written so, under whatever address cargo knows it; crates.io
// never is.
func TestHome(t *testing.T) {
	t.Parallel()
	repo := newFake()
	const elsewhere = "sparse+https://packages.example.com/cargo/d/d-111122223333/r/"
	crate := cargotest.Crate{Name: "a", Version: "1.0.0", Deps: []cargotest.Dep{
		{Name: "b", Req: "1", Registry: elsewhere}, {Name: "c", Req: "1", Registry: "sparse+https://other/"}, {Name: "d", Req: "1"},
		{Name: "e", Req: "1", Registry: elsewhere, Rename: "f", Target: "cfg(unix)", Kind: "build"},
		{Name: "g", Req: "1", Registry: "sparse+http://h/d-111122223333/cargo/r/"},
	}}
	if w := do(t, repo, "PUT", newCrate, cargotest.Frame(crate.Metadata(elsewhere), crate.File())); w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	var line struct {
		Deps []struct {
			Name     string
			Registry *string
		}
	}
	if err := json.Unmarshal(do(t, repo, "GET", "1/a", nil).Body.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, d := range line.Deps {
		got[d.Name] = "null"
		if d.Registry != nil {
			got[d.Name] = *d.Registry
		}
	}
	want := map[string]string{"b": "null", "c": "sparse+https://other/", "d": cargotest.CratesIO, "f": "null", "g": "null"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestFrameErrors: what happens to the connection is told from what happens to our disk.
func TestFrameErrors(t *testing.T) {
	t.Parallel()
	whole := cargotest.Crate{Name: "a", Version: "1.0.0"}.Request()
	for n := range len(whole) {
		for _, cause := range []error{io.ErrUnexpectedEOF, registry.ErrTooLarge, errors.New("reset")} {
			repo := newFake()
			_, err := readFrame(t.Context(), repo, io.MultiReader(bytes.NewReader(whole[:n]), iotest.ErrReader(cause)))
			want := cause
			if errors.Is(cause, io.ErrUnexpectedEOF) {
				want = registry.ErrInvalid
			}
			if !errors.Is(err, want) || repo.staged != 0 {
				t.Fatalf("%v after %d bytes: %v, %d staged", cause, n, err, repo.staged)
			}
		}
	}
}

func FuzzFrame(f *testing.F) {
	whole := cargotest.Crate{Name: "a", Version: "1.0.0"}.Request()
	f.Add(whole)
	f.Add(whole[:30])
	f.Add(cargotest.Frame([]byte(`{"name":"a","vers":"1.0.0","deps":[{"name":"b","kind":"normal"}]}`), nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		repo := newFake()
		w := do(t, repo, http.MethodPut, newCrate, b)
		if w.Code != 200 && w.Code != 400 && w.Code != 413 || !json.Valid(w.Body.Bytes()) {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}
