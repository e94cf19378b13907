package nuget

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strings"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/internal/safexml"
)

// Limits on what is kept of a .nuspec.
const (
	maxText         = 4000 // bytes of a text, as nuget.org has it
	maxDependencies = 4000
	maxTypes        = 20
)

// nuspec is the file as it is written (https://learn.microsoft.com/nuget/reference/nuspec), in any of its namespaces.
type nuspec struct {
	XMLName  xml.Name `xml:"package"`
	Metadata struct {
		MinClientVersion string `xml:"minClientVersion,attr"`
		ID               string `xml:"id"`
		Version          string `xml:"version"`
		Title            string `xml:"title"`
		Authors          string `xml:"authors"`
		Description      string `xml:"description"`
		Summary          string `xml:"summary"`
		Tags             string `xml:"tags"`
		Language         string `xml:"language"`
		ProjectURL       string `xml:"projectUrl"`
		IconURL          string `xml:"iconUrl"`
		Icon             string `xml:"icon"`
		LicenseURL       string `xml:"licenseUrl"`
		License          struct {
			Type string `xml:"type,attr"`
			Text string `xml:",chardata"`
		} `xml:"license"`
		Readme            string `xml:"readme"`
		RequireAcceptance string `xml:"requireLicenseAcceptance"`
		Repository        struct {
			URL string `xml:"url,attr"`
		} `xml:"repository"`
		Dependencies struct {
			Direct []nuspecDependency `xml:"dependency"`
			Groups []struct {
				Framework string             `xml:"targetFramework,attr"`
				Direct    []nuspecDependency `xml:"dependency"`
			} `xml:"group"`
		} `xml:"dependencies"`
		Types []struct {
			Name    string `xml:"name,attr"`
			Version string `xml:"version,attr"`
		} `xml:"packageTypes>packageType"`
	} `xml:"metadata"`
}

type nuspecDependency struct {
	ID      string `xml:"id,attr"`
	Version string `xml:"version,attr"`
}

// manifest is what a .nuspec says, checked.
type manifest struct {
	id         string // as written
	version    version
	entry      entry // without addresses
	readme     string
	icon       string // path of an embedded one
	license    string // path of an embedded one
	repository string
}

// parseManifest reads a .nuspec. Errors wrap ErrInvalid and say what to change.
func parseManifest(raw []byte) (*manifest, error) {
	var s nuspec
	if err := safexml.Decode(bytes.NewReader(raw), &s); err != nil {
		return nil, fmt.Errorf(".nuspec: %w", err)
	}
	d := &s.Metadata
	m := &manifest{id: text(d.ID), readme: text(d.Readme), icon: text(d.Icon), repository: text(d.Repository.URL)}
	if _, err := (names{}).Package("", m.id); err != nil {
		return nil, fmt.Errorf(".nuspec: %w", err)
	}
	var err error
	if m.version, err = parseVersion(text(d.Version)); err != nil {
		return nil, fmt.Errorf(".nuspec: %w", err)
	}
	groups, err := s.groups()
	if err != nil {
		return nil, fmt.Errorf(".nuspec: %w", err)
	}
	m.entry = entry{
		ID: m.id, Version: m.version.full(), Title: text(d.Title), Authors: text(d.Authors), Description: text(d.Description), Summary: text(d.Summary),
		Tags: strings.Fields(strings.ReplaceAll(text(d.Tags), ",", " ")), Language: text(d.Language), ProjectURL: address(d.ProjectURL), IconURL: address(d.IconURL),
		LicenseURL: address(d.LicenseURL), MinClientVersion: text(d.MinClientVersion), RequireLicenseAcceptance: text(d.RequireAcceptance) == "true",
		DependencyGroups: groups,
	}
	switch text(d.License.Type) {
	case "expression":
		m.entry.LicenseExpression = text(d.License.Text)
	case "file":
		m.license = text(d.License.Text)
	}
	for _, t := range d.Types[:min(len(d.Types), maxTypes)] {
		if name := text(t.Name); name != "" {
			m.entry.PackageTypes = append(m.entry.PackageTypes, packageType{name, text(t.Version)})
		}
	}
	return m, nil
}

// groups are the dependencies by framework. Those outside of a group are for every framework.
func (s *nuspec) groups() ([]dependencyGroup, error) {
	var out []dependencyGroup
	count := 0
	add := func(framework string, list []nuspecDependency) error {
		g := dependencyGroup{TargetFramework: text(framework)}
		for _, d := range list {
			if count++; count > maxDependencies {
				return fmt.Errorf("%w: more than %d dependencies", registry.ErrInvalid, maxDependencies)
			}
			id := text(d.ID)
			if !isID(id) {
				return fmt.Errorf("%w: %q is not the id of a dependency", registry.ErrInvalid, registry.Clip(id))
			}
			r, err := parseRange(d.Version)
			if err != nil {
				return fmt.Errorf("dependency %s: %w", id, err)
			}
			g.Dependencies = append(g.Dependencies, dependency{ID: id, Range: r.String()})
		}
		out = append(out, g)
		return nil
	}
	if direct := s.Metadata.Dependencies.Direct; len(direct) > 0 {
		if err := add("", direct); err != nil {
			return nil, err
		}
	}
	for _, g := range s.Metadata.Dependencies.Groups {
		if len(out) > maxDependencies {
			return nil, fmt.Errorf("%w: more than %d groups of dependencies", registry.ErrInvalid, maxDependencies)
		}
		if err := add(g.Framework, g.Direct); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// text bounds a text, and takes the white space around it away.
func text(s string) string {
	s = strings.TrimSpace(s)
	if len(s) > maxText {
		s = s[:maxText]
	}
	return strings.ToValidUTF8(s, "")
}

// address takes addresses of the web only: clients make links of them.
func address(s string) string {
	s = text(s)
	if lower := strings.ToLower(s); !strings.HasPrefix(lower, "https://") && !strings.HasPrefix(lower, "http://") {
		return ""
	}
	return s
}
