// Package nugettest makes NuGet packages, a feed of them, and a client that asks as NuGet's own does, for tests.
package nugettest

import (
	"archive/zip"
	"bytes"
	"fmt"
	"html"
	"mime/multipart"
	"net/textproto"
	"strings"
)

// Package is one version of a package.
type Package struct {
	ID, Version  string
	Description  string                 // default: "about " and the id
	Dependencies map[string][][2]string // by framework, ids and ranges
	More         string                 // further elements of <metadata>
	Files        map[string]string
	Unlisted     bool // in a Feed
}

// Spec is the .nuspec.
func (p Package) Spec() string {
	var deps strings.Builder
	for framework, list := range p.Dependencies {
		fmt.Fprintf(&deps, "<group targetFramework=%q>", framework)
		for _, d := range list {
			fmt.Fprintf(&deps, "<dependency id=%q version=%q exclude=\"Build,Analyzers\" />", d[0], d[1])
		}
		deps.WriteString("</group>")
	}
	return `<?xml version="1.0" encoding="utf-8"?>
<package xmlns="http://schemas.microsoft.com/packaging/2013/05/nuspec.xsd"><metadata>
<id>` + p.ID + `</id><version>` + p.Version + `</version><authors>Somebody</authors>
<description>` + html.EscapeString(p.description()) + `</description><dependencies>` + deps.String() + `</dependencies>` + p.More + `</metadata></package>`
}

func (p Package) description() string {
	if p.Description == "" {
		return "about " + p.ID
	}
	return p.Description
}

// File is the .nupkg.
func (p Package) File() []byte {
	files := [][2]string{
		{"_rels/.rels", "<Relationships/>"}, {p.ID + ".nuspec", p.Spec()}, {"lib/netstandard2.0/" + p.ID + ".dll", "code of " + p.ID + " " + p.Version},
	}
	for name, content := range p.Files {
		files = append(files, [2]string{name, content})
	}
	return Zip(files)
}

// Symbols is the .snupkg.
func (p Package) Symbols() []byte {
	s := p
	s.More += `<packageTypes><packageType name="SymbolsPackage" /></packageTypes>`
	return Zip([][2]string{{p.ID + ".nuspec", s.Spec()}, {"lib/netstandard2.0/" + p.ID + ".pdb", "symbols of " + p.ID}})
}

// Zip makes an archive of names and contents.
func Zip(files [][2]string) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, f := range files {
		w, err := z.Create(f[0])
		if err == nil {
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

// Form is the body of a push, as PackageUpdateResource of NuGet.Client makes it, and its Content-Type.
func Form(file []byte) (body []byte, contentType string) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	part, err := w.CreatePart(textproto.MIMEHeader{
		"Content-Type":        {"application/octet-stream"},
		"Content-Disposition": {"form-data; name=package; filename=package.nupkg; filename*=utf-8''package.nupkg"},
	})
	if err == nil {
		_, err = part.Write(file)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic(err) // into memory
	}
	return b.Bytes(), `multipart/form-data; boundary="` + w.Boundary() + `"`
}
