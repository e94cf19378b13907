package maven

import (
	"archive/zip"
	"bytes"
	"cmp"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
	"packhouse.dev/packhouse/registry/internal/safexml"
)

// Limits on what is kept of a POM.
const (
	maxText         = 2 << 10 // bytes of a text
	maxDependencies = 1000
	maxLicenses     = 20
)

// project is what is read of a POM (https://maven.apache.org/pom.html).
type project struct {
	XMLName      xml.Name     `xml:"project"`
	GroupID      string       `xml:"groupId"`
	ArtifactID   string       `xml:"artifactId"`
	Version      string       `xml:"version"`
	Packaging    string       `xml:"packaging"`
	Name         string       `xml:"name"`
	Description  string       `xml:"description"`
	URL          string       `xml:"url"`
	SCM          string       `xml:"scm>url"`
	Parent       coordinate   `xml:"parent"`
	Licenses     []license    `xml:"licenses>license"`
	Dependencies []coordinate `xml:"dependencies>dependency"`
	Properties   properties   `xml:"properties"`
}

type coordinate struct {
	GroupID    string `xml:"groupId"`
	ArtifactID string `xml:"artifactId"`
	Version    string `xml:"version"`
	Scope      string `xml:"scope"`
	Optional   string `xml:"optional"`
}

type license struct {
	Name string `xml:"name" json:"name,omitempty"`
	URL  string `xml:"url" json:"url,omitempty"`
}

type properties map[string]string

// UnmarshalXML implements xml.Unmarshaler: every child is a property.
func (p *properties) UnmarshalXML(d *xml.Decoder, _ xml.StartElement) error {
	*p = properties{}
	for {
		t, err := d.Token()
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case xml.StartElement:
			var value string
			if err := d.DecodeElement(&value, &t); err != nil {
				return err
			}
			(*p)[t.Name.Local] = value
		case xml.EndElement:
			return nil
		}
	}
}

// info is what is kept beside a file: of a POM what is shown of its version, of a jar the plugin that it is.
type info struct {
	Packaging    string       `json:"packaging,omitempty"`
	Name         string       `json:"name,omitempty"`
	Summary      string       `json:"summary,omitempty"`
	URL          string       `json:"url,omitempty"`
	SCM          string       `json:"scm,omitempty"`
	Licenses     []license    `json:"licenses,omitempty"`
	Dependencies []dependency `json:"dependencies,omitempty"`
	Prefix       string       `json:"prefix,omitempty"` // of the goals of a plugin
}

type dependency struct {
	Group    string `json:"g,omitempty"`
	Artifact string `json:"a"`
	Version  string `json:"v,omitempty"`
	Scope    string `json:"s,omitempty"`
}

// parsePOM reads a POM and resolves its own properties; what a parent says is not known here. Errors wrap ErrInvalid.
func parsePOM(r io.Reader) (*info, error) {
	var p project
	if err := safexml.Decode(r, &p); err != nil {
		return nil, fmt.Errorf("POM: %w", err)
	}
	text := p.interpolated
	out := &info{Packaging: cmp.Or(text(p.Packaging), "jar"), Name: text(p.Name), Summary: text(p.Description), URL: text(p.URL), SCM: text(p.SCM)}
	for _, l := range p.Licenses[:min(len(p.Licenses), maxLicenses)] {
		out.Licenses = append(out.Licenses, license{text(l.Name), text(l.URL)})
	}
	if p.Parent.ArtifactID != "" { // the service API shows it as a dependency
		out.Dependencies = append(out.Dependencies, dependency{text(p.Parent.GroupID), text(p.Parent.ArtifactID), text(p.Parent.Version), "parent"})
	}
	for _, d := range p.Dependencies[:min(len(p.Dependencies), maxDependencies)] {
		scope := cmp.Or(text(d.Scope), "compile")
		if text(d.Optional) == "true" {
			scope = "optional"
		}
		out.Dependencies = append(out.Dependencies, dependency{text(d.GroupID), text(d.ArtifactID), text(d.Version), scope})
	}
	return out, nil
}

// interpolated replaces ${…} that the POM itself defines, once: a definition by another property stays as it is written. It also
// joins lines and bounds the text.
func (p *project) interpolated(s string) string {
	s = strings.Join(strings.Fields(s[:min(len(s), 2*maxText)]), " ")
	var b strings.Builder
	for b.Len() < maxText {
		before, rest, found := strings.Cut(s, "${")
		b.WriteString(before)
		if !found {
			break
		}
		key, after, closed := strings.Cut(rest, "}")
		if !closed {
			b.WriteString("${" + rest)
			break
		}
		if value, ok := p.property(key); ok {
			b.WriteString(strings.TrimSpace(value[:min(len(value), maxText)]))
		} else {
			b.WriteString("${" + key + "}")
		}
		s = after
	}
	out := b.String()
	return strings.ToValidUTF8(out[:min(len(out), maxText)], "")
}

func (p *project) property(key string) (string, bool) {
	value := ""
	switch strings.TrimPrefix(strings.TrimPrefix(key, "project."), "pom.") {
	case "groupId":
		value = cmp.Or(p.GroupID, p.Parent.GroupID)
	case "artifactId":
		value = p.ArtifactID
	case "version":
		value = cmp.Or(p.Version, p.Parent.Version)
	case "parent.groupId":
		value = p.Parent.GroupID
	case "parent.version":
		value = p.Parent.Version
	}
	if value != "" {
		return value, true
	}
	value, ok := p.Properties[key]
	return value, ok
}

func (i *info) encode() ([]byte, error) {
	if i == nil {
		return nil, nil
	}
	return json.Marshal(i)
}

// infoOf reads what is kept beside the file of a version that has an extension and no classifier; nil if there is nothing.
func infoOf(v *registry.Version, extension string) (*info, error) {
	for _, a := range v.Assets {
		name := strings.TrimPrefix(a.Name, v.ID.Package.Name+"-")
		if len(a.Info) == 0 || !strings.HasSuffix(name, extension) {
			continue
		}
		out := &info{}
		if err := json.Unmarshal(a.Info, out); err != nil {
			return nil, fmt.Errorf("what is kept of %s: %w", a.Name, err)
		}
		return out, nil
	}
	return nil, nil
}

// Describe implements format.Describer from the POM.
func (Format) Describe(v *registry.Version) (format.Description, error) {
	p, err := infoOf(v, ".pom")
	if err != nil {
		return format.Description{}, err
	}
	if p == nil {
		return format.Description{DisplayName: v.ID.Package.Name}, nil
	}
	d := format.Description{DisplayName: cmp.Or(p.Name, v.ID.Package.Name), Summary: p.Summary, HomePage: p.URL, SourceCodeRepository: p.SCM}
	for _, l := range p.Licenses {
		d.Licenses = append(d.Licenses, format.License(l))
	}
	for _, dep := range p.Dependencies {
		d.Dependencies = append(d.Dependencies, format.Dependency{Namespace: dep.Group, Package: dep.Artifact, Type: dep.Scope, Requirement: dep.Version})
	}
	return d, nil
}

// Limits on looking into jars.
const (
	maxPluginJar  = 64 << 20
	maxDescriptor = 4 << 20
)

// pluginInfo reads the descriptor of a Maven plugin from its jar; nil if it is none. What is no jar is none: nobody promised one.
func pluginInfo(jar io.ReaderAt, size int64) (*info, error) {
	if size > maxPluginJar {
		return nil, nil
	}
	z, err := zip.NewReader(jar, size)
	if err != nil {
		return nil, nil //nolint:nilerr // no archive, so no plugin
	}
	at := slices.IndexFunc(z.File, func(f *zip.File) bool { return f.Name == "META-INF/maven/plugin.xml" })
	if at < 0 {
		return nil, nil
	}
	f, err := z.File[at].Open()
	if err != nil {
		return nil, fmt.Errorf("%w: the descriptor of the plugin cannot be read: %w", registry.ErrInvalid, err)
	}
	body, err := io.ReadAll(io.LimitReader(f, maxDescriptor))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("%w: the descriptor of the plugin cannot be read: %w", registry.ErrInvalid, err)
	}
	var d struct {
		Name   string `xml:"name"`
		Prefix string `xml:"goalPrefix"`
	}
	if err := safexml.Decode(bytes.NewReader(body), &d); err != nil {
		return nil, fmt.Errorf("descriptor of the plugin: %w", err)
	}
	none := &project{}
	return &info{Packaging: pluginPackaging, Name: none.interpolated(d.Name), Prefix: none.interpolated(d.Prefix)}, nil
}

// pluginPackaging is the packaging of Maven plugins.
const pluginPackaging = "maven-plugin"
