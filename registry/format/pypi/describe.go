package pypi

import (
	"slices"
	"strings"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

// maxSummary bounds what search and lists show, in bytes.
const maxSummary = 512

// Describe implements format.Describer. A proxied version of which no readable file was fetched has a name only.
func (Format) Describe(v *registry.Version) (format.Description, error) {
	m, err := parseMetadata(v.Document)
	if err != nil {
		return format.Description{}, err
	}
	d := format.Description{
		DisplayName: m.get("name"), Summary: summaryOf(m), HomePage: homePage(m), SourceCodeRepository: projectURL(m, "source", "sourcecode", "repository", "github", "code"),
		Readme: strings.TrimSpace(m.text()), Licenses: licenses(m), Dependencies: dependencies(m),
	}
	if d.DisplayName == "" {
		d.DisplayName = v.ID.Package.Name
	}
	return d, nil
}

func summaryOf(m *coreMetadata) string {
	s := strings.Join(strings.Fields(m.get("summary")), " ")
	if len(s) > maxSummary {
		s = strings.ToValidUTF8(s[:maxSummary], "")
	}
	return s
}

func homePage(m *coreMetadata) string {
	if h := m.get("home-page"); h != "" {
		return h
	}
	return projectURL(m, "homepage")
}

// projectURL finds a "Project-URL: label, address" by its label, the nearer to the front of labels the better ("Well-known project
// URLs in metadata").
func projectURL(m *coreMetadata, labels ...string) string {
	best, at := "", len(labels)
	for _, v := range m.all("project-url") {
		label, address, ok := strings.Cut(v, ",")
		label = strings.ToLower(strings.Map(func(r rune) rune {
			if !isAlnum(r) {
				return -1
			}
			return r
		}, label))
		if i := slices.Index(labels, label); ok && i >= 0 && i < at {
			best, at = strings.TrimSpace(address), i
		}
	}
	return best
}

// licenses reads the licence expression (PEP 639), or the free text if it is short, or else the classifiers.
func licenses(m *coreMetadata) []format.License {
	if e := m.get("license-expression"); e != "" {
		return []format.License{{Name: e}}
	}
	if l := m.get("license"); l != "" && len(l) <= 100 && !strings.Contains(l, "\n") {
		return []format.License{{Name: l}}
	}
	var out []format.License
	for _, c := range m.all("classifier") {
		if rest, ok := strings.CutPrefix(c, "License :: "); ok {
			levels := strings.Split(rest, " :: ")
			out = append(out, format.License{Name: levels[len(levels)-1]})
		}
	}
	return out
}

// dependencies reads Requires-Dist: "name[extra] (>=1.0) ; marker". The marker is part of the requirement.
func dependencies(m *coreMetadata) []format.Dependency {
	var out []format.Dependency
	for _, v := range m.all("requires-dist") {
		v = strings.Join(strings.Fields(v), " ")
		end := strings.IndexFunc(v, func(r rune) bool { return !isAlnum(r) && r != '-' && r != '_' && r != '.' })
		if end < 0 {
			end = len(v)
		}
		if !isName(v[:end]) {
			continue
		}
		out = append(out, format.Dependency{Package: normalised(v[:end]), Type: "Requires-Dist", Requirement: strings.TrimSpace(v[end:])})
	}
	return out
}
