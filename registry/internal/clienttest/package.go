package clienttest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha1" // the protocol's shasum
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Package is one version of a package, for the upstream or for publishing.
type Package struct {
	Name, Version        string
	Dependencies         map[string]string
	OptionalDependencies map[string]string
	Fields               map[string]any    // further fields of package.json
	Files                map[string]string // further files, relative to the package
	Tag                  string            // "": latest
	Age                  time.Duration     // since its publication; 0: 30 days
}

// Manifest is its package.json.
func (p Package) Manifest() map[string]any {
	m := map[string]any{"name": p.Name, "version": p.Version, "main": "index.js", "license": "MIT"}
	if len(p.Dependencies) > 0 {
		m["dependencies"] = p.Dependencies
	}
	if len(p.OptionalDependencies) > 0 {
		m["optionalDependencies"] = p.OptionalDependencies
	}
	maps.Copy(m, p.Fields)
	return m
}

// Contents are its files, package.json among them, and an index.js that loads all dependencies and says who it is.
func (p Package) Contents() map[string]string {
	files := map[string]string{"index.js": fmt.Sprintf(
		"Object.keys(require('./package.json').dependencies || {}).forEach((d) => require(d))\nmodule.exports = %q\n", p.Name+"@"+p.Version)}
	maps.Copy(files, p.Files)
	manifest, err := json.MarshalIndent(p.Manifest(), "", "  ")
	if err != nil {
		panic(err) // a map of strings
	}
	files["package.json"] = string(manifest)
	return files
}

// Tarball is what npm pack would make of it; the same package is the same bytes.
func (p Package) Tarball() []byte {
	var b bytes.Buffer
	gz := gzip.NewWriter(&b)
	tw := tar.NewWriter(gz)
	files := p.Contents()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		h := &tar.Header{Name: "package/" + name, Mode: 0o644, Size: int64(len(files[name])), ModTime: time.Unix(499162500, 0), Typeflag: tar.TypeReg}
		if err := tw.WriteHeader(h); err != nil {
			panic(err) // a buffer takes everything
		}
		_, _ = tw.Write([]byte(files[name]))
	}
	_, _ = tw.Close(), gz.Close()
	return b.Bytes()
}

// Integrity is the digest of bytes in the form of dist.integrity.
func Integrity(b []byte) string {
	sum := sha512.Sum512(b)
	return "sha512-" + base64.StdEncoding.EncodeToString(sum[:])
}

// Shasum is the digest of bytes in the form of dist.shasum.
func Shasum(b []byte) string {
	sum := sha1.Sum(b) // the protocol's shasum
	return hex.EncodeToString(sum[:])
}

// Catalogue is what the upstream of most tests holds. Nothing in it exists anywhere else.
func Catalogue() []Package {
	list := []Package{
		{Name: "left-trim", Version: "1.0.0", Age: 400 * 24 * time.Hour},
		{Name: "left-trim", Version: "1.1.0", Age: 200 * 24 * time.Hour},
		{Name: "left-trim", Version: "2.0.0-beta.1", Tag: "next"},
		{Name: "old-thing", Version: "0.9.0", Fields: map[string]any{"deprecated": "use left-trim"}},
		{Name: "@open-source/util", Version: "3.2.1", Dependencies: map[string]string{"left-trim": "^1.0.0"}},
		{Name: "say-hello", Version: "1.0.0", Fields: map[string]any{"bin": map[string]string{"say-hello": "cli.js"},
			"bugs": map[string]string{"url": "https://bugs.example.com/say-hello"}, "homepage": "https://docs.example.com/say-hello"},
			Files: map[string]string{"cli.js": "#!/usr/bin/env node\nconsole.log('hello')\n"}},
		{Name: "app-kit", Version: "1.0.0", Dependencies: map[string]string{
			"@open-source/util": "^3.0.0", "old-thing": "*", "say-hello": "1.0.0", "native-thing": "^1.0.0"}},
	}
	native := Package{Name: "native-thing", Version: "1.0.0", OptionalDependencies: map[string]string{}}
	for _, osName := range []string{"linux", "darwin", "win32"} {
		for _, cpu := range []string{"x64", "arm64"} {
			name := "@native-thing/" + osName + "-" + cpu
			native.OptionalDependencies[name] = "1.0.0"
			list = append(list, Package{Name: name, Version: "1.0.0", Fields: map[string]any{"os": []string{osName}, "cpu": []string{cpu}}})
		}
	}
	return append(list, native)
}

// CatalogueTree is what an installation of app-kit brings on every platform.
func CatalogueTree() []string {
	return []string{"app-kit@1.0.0", "@open-source/util@3.2.1", "left-trim@1.1.0", "old-thing@0.9.0", "say-hello@1.0.0", "native-thing@1.0.0"}
}

// Tree is a package with n dependencies, each of which depends on the next ten: large enough for concurrent requests.
func Tree(name string, n int) []Package {
	top := Package{Name: name, Version: "1.0.0", Dependencies: map[string]string{}}
	list := make([]Package, 0, n+1)
	for i := range n {
		p := Package{Name: fmt.Sprintf("%s-%d", name, i), Version: "1.0.0", Dependencies: map[string]string{}}
		for j := i + 1; j < min(n, i+11); j++ {
			p.Dependencies[fmt.Sprintf("%s-%d", name, j)] = "^1.0.0"
		}
		top.Dependencies[p.Name] = "^1.0.0"
		list = append(list, p)
	}
	return append(list, top)
}
