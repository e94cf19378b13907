// Package pypitest makes Python distributions and upload forms for tests. Only tests import it.
package pypitest

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"maps"
	"mime/multipart"
	"slices"
	"strings"
)

// Dist is a distribution of one module, named as the project with "_" for "-".
type Dist struct {
	Name, Version  string
	RequiresPython string
	Requires       []string // Requires-Dist
	Fields         []string // further lines of the metadata: "Summary: text"
	Description    string
	Tag            string            // of the wheel; "": py3-none-any
	Code           string            // of the module; "": its version
	Files          map[string]string // further files of the wheel or, below its folder, of the source archive
}

// Module is the name under which the project is imported.
func (d Dist) Module() string { return strings.NewReplacer("-", "_", ".", "_").Replace(d.Name) }

// Metadata is METADATA and PKG-INFO.
func (d Dist) Metadata() string {
	lines := []string{"Metadata-Version: 2.1", "Name: " + d.Name, "Version: " + d.Version}
	if d.RequiresPython != "" {
		lines = append(lines, "Requires-Python: "+d.RequiresPython)
	}
	for _, r := range d.Requires {
		lines = append(lines, "Requires-Dist: "+r)
	}
	lines = append(lines, d.Fields...)
	text := strings.Join(lines, "\n") + "\n"
	if d.Description != "" {
		text += "\n" + d.Description
	}
	return text
}

func (d Dist) code() string {
	if d.Code != "" {
		return d.Code
	}
	return fmt.Sprintf("__version__ = %q\n", d.Version)
}

// WheelName is the name of the wheel's file.
func (d Dist) WheelName() string {
	tag := d.Tag
	if tag == "" {
		tag = "py3-none-any"
	}
	return d.Module() + "-" + d.Version + "-" + tag + ".whl"
}

// Wheel is a wheel. The same distribution always has the same bytes.
func (d Dist) Wheel() []byte {
	info := d.Module() + "-" + d.Version + ".dist-info/"
	files := []Entry{{Name: d.Module() + ".py", Text: d.code()}}
	for _, name := range slices.Sorted(maps.Keys(d.Files)) {
		files = append(files, Entry{Name: name, Text: d.Files[name]})
	}
	files = append(files, Entry{Name: info + "METADATA", Text: d.Metadata()},
		Entry{Name: info + "WHEEL", Text: "Wheel-Version: 1.0\nGenerator: pypitest\nRoot-Is-Purelib: true\nTag: py3-none-any\n"})
	var record strings.Builder
	for _, f := range files {
		sum := sha256.Sum256([]byte(f.Text))
		fmt.Fprintf(&record, "%s,sha256=%s,%d\n", f.Name, base64.RawURLEncoding.EncodeToString(sum[:]), len(f.Text))
	}
	record.WriteString(info + "RECORD,,\n")
	return Zip(append(files, Entry{Name: info + "RECORD", Text: record.String()})...)
}

// Entry is a file of an archive.
type Entry struct {
	Name, Text string
	Link       string // tar: a symbolic link to it
	Hard       bool   // tar: a hard link instead
	Type       byte   // tar: another type
}

// Zip makes a ZIP archive as Python's zipfile does: sizes before the data.
func Zip(files ...Entry) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range files {
		h := &zip.FileHeader{Name: f.Name, Method: zip.Store, UncompressedSize64: uint64(len(f.Text)), CompressedSize64: uint64(len(f.Text)), CRC32: crc(f.Text)}
		fw, err := w.CreateRaw(h)
		if err == nil {
			_, err = fw.Write([]byte(f.Text))
		}
		must(err)
	}
	must(w.Close())
	return b.Bytes()
}

// ZipStreamed makes a ZIP archive with sizes behind deflated data.
func ZipStreamed(files ...Entry) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range files {
		fw, err := w.Create(f.Name)
		if err == nil {
			_, err = fw.Write([]byte(f.Text))
		}
		must(err)
	}
	must(w.Close())
	return b.Bytes()
}

// SourceName is the name of the source archive.
func (d Dist) SourceName() string { return d.Module() + "-" + d.Version + ".tar.gz" }

// Source is a source archive that pip can build with setuptools.
func (d Dist) Source() []byte {
	top := d.Module() + "-" + d.Version + "/"
	files := []Entry{
		{Name: top + "PKG-INFO", Text: d.Metadata()}, {Name: top + d.Module() + ".py", Text: d.code()},
		{Name: top + "setup.py", Text: fmt.Sprintf("from setuptools import setup\nsetup(name=%q, version=%q, py_modules=[%q])\n", d.Name, d.Version, d.Module())},
	}
	for _, name := range slices.Sorted(maps.Keys(d.Files)) {
		files = append(files, Entry{Name: top + name, Text: d.Files[name]})
	}
	return TarGz(files...)
}

// TarGz makes a compressed tar archive.
func TarGz(files ...Entry) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, f := range files {
		h := &tar.Header{Name: f.Name, Mode: 0o644, Size: int64(len(f.Text)), Typeflag: tar.TypeReg}
		switch {
		case f.Hard:
			h.Typeflag, h.Linkname, h.Size = tar.TypeLink, f.Link, 0
		case f.Link != "":
			h.Typeflag, h.Linkname, h.Size = tar.TypeSymlink, f.Link, 0
		case f.Type != 0:
			h.Typeflag, h.Size = f.Type, 0
		}
		must(w.WriteHeader(h))
		if h.Size > 0 {
			_, err := w.Write([]byte(f.Text))
			must(err)
		}
	}
	must(w.Close())
	must(z.Close())
	return b.Bytes()
}

// Field is a field of a form; with File it is a file of that name.
type Field struct{ Name, Value, File string }

// Form is an upload as twine sends it. body is the whole request body.
func Form(fields ...Field) (contentType string, body []byte) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, f := range fields {
		if f.File == "" {
			must(w.WriteField(f.Name, f.Value))
			continue
		}
		p, err := w.CreateFormFile(f.Name, f.File)
		if err == nil {
			_, err = p.Write([]byte(f.Value))
		}
		must(err)
	}
	must(w.Close())
	return w.FormDataContentType(), b.Bytes()
}

// WheelForm are the fields that twine sends for the distribution's wheel.
func (d Dist) WheelForm() []Field { return d.form("bdist_wheel", "py3", d.WheelName(), d.Wheel()) }

// SourceForm are the fields that twine sends for the distribution's source archive.
func (d Dist) SourceForm() []Field { return d.form("sdist", "source", d.SourceName(), d.Source()) }

func (d Dist) form(kind, python, file string, content []byte) []Field {
	m, s := md5.Sum(content), sha256.Sum256(content)
	return []Field{
		{Name: ":action", Value: "file_upload"}, {Name: "protocol_version", Value: "1"}, {Name: "name", Value: d.Name}, {Name: "version", Value: d.Version},
		{Name: "filetype", Value: kind}, {Name: "pyversion", Value: python}, {Name: "metadata_version", Value: "2.1"}, {Name: "summary", Value: "says the form"},
		{Name: "md5_digest", Value: hex.EncodeToString(m[:])}, {Name: "sha256_digest", Value: hex.EncodeToString(s[:])},
		{Name: "blake2_256_digest", Value: strings.Repeat("ab", 32)}, {Name: "content", File: file, Value: string(content)},
	}
}

// SHA256 is the digest as pages have it.
func SHA256(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func must(err error) {
	if err != nil {
		panic(err) // everything is in memory
	}
}

func crc(s string) uint32 { return crc32.ChecksumIEEE([]byte(s)) }
