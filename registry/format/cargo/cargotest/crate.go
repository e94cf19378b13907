// Package cargotest makes crates, index lines and publish requests for tests. Only tests import it.
package cargotest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// CratesIO is the registry of dependencies on crates.io, in index lines and requests.
const CratesIO = "https://github.com/rust-lang/crates.io-index"

// Crate is a crate of one library.
type Crate struct {
	Name, Version string
	Description   string
	Deps          []Dep
	Features      map[string][]string
	Package       string            // further lines of [package]
	Manifest      string            // instead of what the fields say
	Files         map[string]string // beside Cargo.toml; src/lib.rs is made if it is not there
	Yanked        bool
	Published     string // "pubtime" of the line; "": none
}

// Dep is a dependency. Registry "" is crates.io.
type Dep struct {
	Name, Req, Registry, Rename, Kind, Target string
	Optional                                  bool
}

// Root is the folder in the crate file.
func (c Crate) Root() string { return c.Name + "-" + c.Version }

// FileName is what the crate file is called.
func (c Crate) FileName() string { return c.Root() + ".crate" }

// TOML is Cargo.toml as "cargo package" writes it.
func (c Crate) TOML() string {
	if c.Manifest != "" {
		return c.Manifest
	}
	var b strings.Builder
	fmt.Fprintf(&b, "[package]\nedition = \"2021\"\nname = %q\nversion = %q\n", c.Name, c.Version)
	if c.Description != "" {
		fmt.Fprintf(&b, "description = %q\n", c.Description)
	}
	b.WriteString(c.Package + "\n")
	for _, d := range c.Deps {
		section, name := map[string]string{"": "dependencies", "dev": "dev-dependencies", "build": "build-dependencies"}[d.Kind], d.Name
		if d.Rename != "" {
			name = d.Rename
		}
		if d.Target != "" {
			section = fmt.Sprintf("target.'%s'.%s", d.Target, section)
		}
		fmt.Fprintf(&b, "[%s.%s]\nversion = %q\n", section, name, d.Req)
		if d.Rename != "" {
			fmt.Fprintf(&b, "package = %q\n", d.Name)
		}
		if d.Registry != "" {
			fmt.Fprintf(&b, "registry-index = %q\n", d.Registry)
		}
		if d.Optional {
			b.WriteString("optional = true\n")
		}
	}
	b.WriteString("[features]\n")
	for _, f := range slices.Sorted(maps.Keys(c.Features)) {
		list, err := json.Marshal(c.Features[f])
		if err != nil {
			panic(err) // strings
		}
		fmt.Fprintf(&b, "%s = %s\n", f, list)
	}
	return b.String()
}

// Entries are the files of the crate by name.
func (c Crate) Entries() map[string]string {
	out := map[string]string{"src/lib.rs": fmt.Sprintf("pub const ID: &str = \"%s %s\";\n", c.Name, c.Version)}
	maps.Copy(out, c.Files)
	out["Cargo.toml"] = c.TOML()
	return out
}

// File is the crate file, always the same bytes for the same crate.
func (c Crate) File() []byte { return Pack(c.Root(), c.Entries()) }

// Pack makes a crate file of files below a root.
func Pack(root string, files map[string]string) []byte {
	var entries []Entry
	for _, name := range slices.Sorted(maps.Keys(files)) {
		entries = append(entries, Entry{Header: tar.Header{Name: root + "/" + name}, Text: files[name]})
	}
	return Tar(entries...)
}

// Entry is an entry of an archive. Mode, size and type are filled in.
type Entry struct {
	tar.Header
	Text string
}

// Tar makes a compressed archive.
func Tar(entries ...Entry) []byte {
	var b bytes.Buffer
	zw := gzip.NewWriter(&b)
	tw := tar.NewWriter(zw)
	for _, e := range entries {
		h := e.Header
		h.Mode, h.Size = 0o644, int64(len(e.Text))
		if h.Typeflag == 0 {
			h.Typeflag = tar.TypeReg
		}
		must(tw.WriteHeader(&h))
		_, err := tw.Write([]byte(e.Text))
		must(err)
	}
	must(tw.Close())
	must(zw.Close())
	return b.Bytes()
}

func must(err error) {
	if err != nil {
		panic(err) // writes to memory
	}
}

// Checksum is the SHA-256 of bytes as lines have it.
func Checksum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// Line is the index line of the crate at crates.io.
func (c Crate) Line() string {
	deps := []any{}
	for _, d := range c.Deps {
		m := d.published()
		m["req"] = m["version_req"]
		delete(m, "version_req")
		delete(m, "explicit_name_in_toml")
		if d.Rename != "" {
			m["name"], m["package"] = d.Rename, d.Name
		}
		if d.Registry == "" {
			m["registry"] = nil
		}
		deps = append(deps, m)
	}
	features := map[string][]string{}
	maps.Copy(features, c.Features)
	m := map[string]any{"name": c.Name, "vers": c.Version, "deps": deps, "features": features, "cksum": Checksum(c.File()), "yanked": c.Yanked, "v": 1, "a future member": []int{1}}
	if c.Published != "" {
		m["pubtime"] = c.Published
	}
	b, err := json.Marshal(m)
	must(err)
	return string(b)
}

// published is the dependency as a publish request has it.
func (d Dep) published() map[string]any {
	kind := d.Kind
	if kind == "" {
		kind = "normal"
	}
	m := map[string]any{
		"name": d.Name, "version_req": "^" + strings.TrimPrefix(d.Req, "^"), "features": []string{}, "optional": d.Optional, "default_features": true,
		"target": nil, "kind": kind, "registry": CratesIO, "explicit_name_in_toml": nil,
	}
	if d.Target != "" {
		m["target"] = d.Target
	}
	if d.Registry != "" {
		m["registry"] = d.Registry
	}
	if d.Rename != "" {
		m["explicit_name_in_toml"] = d.Rename
	}
	return m
}

// Metadata is the JSON of a publish request. Dependencies with the registry home are in the registry that is published to.
func (c Crate) Metadata(home string) []byte {
	deps := []any{}
	for _, d := range c.Deps {
		m := d.published()
		if d.Registry != "" && d.Registry == home {
			m["registry"] = nil
		}
		deps = append(deps, m)
	}
	b, err := json.Marshal(map[string]any{"name": c.Name, "vers": c.Version, "deps": deps, "features": c.Features, "authors": []string{}, "description": c.Description})
	must(err)
	return b
}

// Request is the body that cargo sends to publish the crate.
func (c Crate) Request() []byte { return Frame(c.Metadata(""), c.File()) }

// Frame puts a publish request together.
func Frame(metadata, crate []byte) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(metadata)))
	b = append(b, metadata...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(crate)))
	return append(b, crate...)
}

// IndexPath is where an index has a crate.
func IndexPath(name string) string {
	n := strings.ToLower(name)
	switch len(n) {
	case 1, 2:
		return fmt.Sprintf("%d/%s", len(n), n)
	case 3:
		return "3/" + n[:1] + "/" + n
	}
	return n[:2] + "/" + n[2:4] + "/" + n
}
