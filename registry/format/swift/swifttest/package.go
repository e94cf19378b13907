// Package swifttest makes Swift packages, and a client that asks a registry as SwiftPM does and is strict where it is, for tests.
package swifttest

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"mime/multipart"
	"net/textproto"
	"slices"
	"strings"
)

// Package is one release.
type Package struct {
	Scope, Name, Version string
	Tools                string            // default: 5.9
	Manifests            map[string]string // further ones: name and declared tools version
	Files                map[string]string // below the one folder
	Metadata             string            // JSON
	Signature            string
}

// ID is how people write the package.
func (p Package) ID() string { return p.Scope + "." + p.Name }

// Manifest is Package.swift, or a variant.
func (p Package) Manifest(tools string) string {
	if tools == "" {
		tools = "5.9"
	}
	return "// swift-tools-version:" + tools + "\nimport PackageDescription\nlet package = Package(name: \"" + p.Name + "\", dependencies: [\n" +
		"    .package(id: \"apple.swift-log\", from: \"1.5.0\"), // logs\n    .package(url: \"https://git.test/x/Kit.git\", .upToNextMinor(from: \"2.0.0\")),\n])\n"
}

// Archive is what "swift package archive-source" makes.
func (p Package) Archive() []byte {
	root := p.Name + "/"
	files := [][2]string{{root, ""}, {root + "Package.swift", p.Manifest(p.Tools)}, {root + "Sources/" + p.Name + "/a.swift", "let version = \"" + p.Version + "\"\n"}}
	for name, tools := range p.Manifests {
		files = append(files, [2]string{root + name, p.Manifest(tools)})
	}
	for name, text := range p.Files {
		files = append(files, [2]string{root + name, text})
	}
	slices.SortFunc(files, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	return Zip(files)
}

// Zip makes an archive of names and contents.
func Zip(files [][2]string) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, f := range files {
		w, err := z.Create(f[0])
		if err == nil && !strings.HasSuffix(f[0], "/") {
			_, err = w.Write([]byte(f[1]))
		}
		if err != nil {
			panic(err) // into memory
		}
	}
	if err := z.Close(); err != nil {
		panic(err) // into memory
	}
	return b.Bytes()
}

// Checksum is that of release documents.
func Checksum(archive []byte) string {
	sum := sha256.Sum256(archive)
	return hex.EncodeToString(sum[:])
}

// Form is the body of a publish as RegistryClient.publish of SwiftPM 5.9 makes it, and its Content-Type: no part has a file name, and
// the metadata says "quoted-printable" of what is not.
func (p Package) Form(archive []byte) (body []byte, contentType string) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	add := func(name, kind, encoding string, content []byte) {
		h := textproto.MIMEHeader{"Content-Disposition": {fmt.Sprintf("form-data; name=%q", name)}, "Content-Type": {kind}, "Content-Transfer-Encoding": {encoding}}
		part, err := w.CreatePart(h)
		if err == nil {
			_, err = part.Write(content)
		}
		if err != nil {
			panic(err) // into memory
		}
	}
	if archive != nil {
		add("source-archive", "application/zip", "binary", archive)
	}
	if p.Signature != "" {
		add("source-archive-signature", "application/octet-stream", "binary", []byte(p.Signature))
	}
	if p.Metadata != "" {
		add("metadata", "application/json", "quoted-printable", []byte(p.Metadata))
	}
	if err := w.Close(); err != nil {
		panic(err) // into memory
	}
	return b.Bytes(), `multipart/form-data;boundary="` + w.Boundary() + `"`
}
