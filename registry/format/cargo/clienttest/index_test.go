package clienttest_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"packhouse.dev/packhouse/registry/format/cargo/cargotest"
	"packhouse.dev/packhouse/registry/internal/clienttest"
)

// mode is how an index behaves.
type mode int

const (
	healthy mode = iota
	broken       // 500 to everything
	limited      // 429 to everything
	down         // breaks every connection
	html         // 200 with a login page
	lying        // crates with other bytes than announced
	torn         // crates that end in the middle
)

// index is a sparse index with crates, as static files, that remembers what it was asked.
type index struct {
	*httptest.Server

	mu    sync.Mutex
	files map[string]string
	mode  mode
	log   []string
}

func newIndex(t *testing.T, crates ...cargotest.Crate) *index {
	t.Helper()
	i := &index{files: map[string]string{}}
	i.Server = httptest.NewServer(i)
	t.Cleanup(i.Close)
	i.files["config.json"] = fmt.Sprintf(`{"dl":"%s/crates/{lowerprefix}/{crate}-{version}.crate","api":null}`, i.URL)
	i.add(crates...)
	return i
}

func (i *index) add(crates ...cargotest.Crate) {
	for _, c := range crates {
		i.put(c.Name, c.Version, c.Line(), c.File())
	}
}

func (i *index) put(name, version, line string, crate []byte) {
	i.mu.Lock()
	defer i.mu.Unlock()
	path := cargotest.IndexPath(name)
	i.files[path] += line + "\n"
	folder := filepath.Dir(path)
	i.files["crates/"+folder+"/"+name+"-"+version+".crate"] = string(crate)
}

func (i *index) behave(m mode) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.mode = m
}

// heard returns the requests whose path has text.
func (i *index) heard(text string) []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(i.log), func(p string) bool { return !strings.Contains(p, text) })
}

func (i *index) file(path string) string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.files[path]
}

func (i *index) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/")
	i.mu.Lock()
	i.log = append(i.log, path)
	m, file, ok := i.mode, i.files[path], false
	_, ok = i.files[path]
	i.mu.Unlock()
	isCrate := strings.HasSuffix(path, ".crate")
	switch {
	case m == down:
		panic(http.ErrAbortHandler)
	case m == broken:
		http.Error(w, "broken", http.StatusInternalServerError)
	case m == limited:
		w.Header().Set("Retry-After", "1")
		http.Error(w, "slow down", http.StatusTooManyRequests)
	case m == html:
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<html><body>Please sign in</body></html>")
	case !ok:
		http.NotFound(w, r)
	case isCrate && m == lying:
		fmt.Fprint(w, strings.ToUpper(file))
	case isCrate && m == torn:
		w.Header().Set("Content-Length", fmt.Sprint(len(file)))
		fmt.Fprint(w, file[:len(file)/2])
	default:
		sum := sha256.Sum256([]byte(file))
		w.Header().Set("Etag", `"`+hex.EncodeToString(sum[:8])+`"`)
		if r.Header.Get("If-None-Match") == w.Header().Get("Etag") {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("Content-Type", "text/plain")
		fmt.Fprint(w, file)
	}
}

// debianCrates is where Debian's packages put the sources of crates.
const debianCrates = "/usr/share/cargo/registry"

// debian adds real crates to an index: the sources of Debian's packages, packed, with lines made from what cargo says of them.
func (i *index) debian(t *testing.T, bin string) {
	t.Helper()
	real, err := packedDebian(bin)
	if errors.Is(err, fs.ErrNotExist) {
		clienttest.Missing(t, "one of librust-{serde-json,bitflags,cfg-if,indexmap,lazy-static}-dev")
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range real {
		i.put(c.name, c.version, c.line, c.file)
	}
}

type packed struct {
	name, version, line string
	file                []byte
}

var packing sync.Mutex // of the next one
var packedAll []packed // made once, which takes a second

func packedDebian(bin string) ([]packed, error) {
	packing.Lock()
	defer packing.Unlock()
	if packedAll != nil {
		return packedAll, nil
	}
	var out []packed
	for _, name := range []string{
		"serde_json", "serde", "serde_derive", "itoa", "ryu", "proc-macro2", "quote", "syn", "unicode-ident", "bitflags", "cfg-if", "indexmap", "hashbrown", "autocfg", "lazy_static",
	} {
		dirs, _ := filepath.Glob(filepath.Join(debianCrates, name+"-[0-9]*")) // a bad pattern is a constant's fault
		if len(dirs) == 0 {
			return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
		}
		p, err := pack(bin, dirs[0])
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	packedAll = out
	return out, nil
}

// pack makes a crate of a folder of sources.
func pack(bin, dir string) (packed, error) {
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		name, _ := filepath.Rel(dir, path)
		if err != nil || !d.Type().IsRegular() || strings.HasPrefix(name, "debian/") || name == ".cargo-checksum.json" {
			return err
		}
		b, err := os.ReadFile(path)
		files[name] = string(b)
		return err
	})
	if err != nil {
		return packed{}, err
	}
	cmd := exec.Command(filepath.Join(bin, "cargo"), "metadata", "--format-version=1", "--no-deps", "--offline", "--manifest-path", filepath.Join(dir, "Cargo.toml"))
	out, err := cmd.Output()
	if err != nil {
		return packed{}, fmt.Errorf("cargo metadata of %s: %w", dir, err)
	}
	var all struct{ Packages []metadata }
	if err := json.Unmarshal(out, &all); err != nil {
		return packed{}, err
	}
	m := all.Packages[0]
	file := cargotest.Pack(m.Name+"-"+m.Version, files)
	line, err := m.line(cargotest.Checksum(file))
	return packed{m.Name, m.Version, line, file}, err
}

// metadata is what "cargo metadata" says of a crate.
type metadata struct {
	Name, Version string
	Features      map[string][]string
	Links         *string
	Dependencies  []struct {
		Name, Req            string
		Kind, Rename, Target *string
		Optional             bool
		UsesDefaultFeatures  bool `json:"uses_default_features"`
		Features             []string
	}
}

func (m metadata) line(checksum string) (string, error) {
	deps := []any{}
	for _, d := range m.Dependencies {
		dep := map[string]any{
			"name": d.Name, "req": d.Req, "kind": "normal", "target": d.Target, "optional": d.Optional, "default_features": d.UsesDefaultFeatures, "features": d.Features,
		}
		if d.Kind != nil {
			dep["kind"] = *d.Kind
		}
		if d.Rename != nil {
			dep["name"], dep["package"] = *d.Rename, d.Name
		}
		deps = append(deps, dep)
	}
	b, err := json.Marshal(map[string]any{
		"name": m.Name, "vers": m.Version, "deps": deps, "features": m.Features, "links": m.Links, "cksum": checksum, "yanked": false, "v": 2, "features2": map[string]any{},
	})
	return string(b), err
}
