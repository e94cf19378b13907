package nuget

import (
	"cmp"
	"encoding/json"
	"fmt"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

// document is what is stored of a version for people, beside its catalog entry.
type document struct {
	Repository string        `json:"repository,omitempty"`
	Readme     string        `json:"readme,omitempty"`
	Types      []packageType `json:"types,omitempty"`
}

func (m *manifest) document(readme string) ([]byte, error) {
	return json.Marshal(document{Repository: m.repository, Readme: readme, Types: m.entry.PackageTypes})
}

// documentOf reads a stored document; that of a version whose package was never fetched is empty.
func documentOf(v *registry.Version) (document, error) {
	var d document
	if len(v.Document) == 0 {
		return d, nil
	}
	if err := json.Unmarshal(v.Document, &d); err != nil {
		return d, fmt.Errorf("%s: the stored document: %w", v.ID, err)
	}
	return d, nil
}

// about is the text that lists show.
func (e *entry) about() string { return cmp.Or(e.Summary, e.Description) }

// Describe implements format.Describer.
func (Format) Describe(v *registry.Version) (format.Description, error) {
	d, err := documentOf(v)
	if err != nil {
		return format.Description{}, err
	}
	e, err := entryOf(v)
	if err != nil {
		return format.Description{}, err
	}
	out := format.Description{
		DisplayName: cmp.Or(e.Title, e.ID), Summary: e.about(), HomePage: e.ProjectURL, SourceCodeRepository: d.Repository, Readme: d.Readme,
	}
	if e.LicenseExpression != "" || e.LicenseURL != "" {
		out.Licenses = []format.License{{Name: e.LicenseExpression, URL: e.LicenseURL}}
	}
	seen := map[dependency]bool{} // frameworks mostly want the same
	for _, g := range e.DependencyGroups {
		for _, dep := range g.Dependencies {
			if !seen[dep] {
				seen[dep] = true
				out.Dependencies = append(out.Dependencies, format.Dependency{Package: dep.ID, Requirement: dep.Range})
			}
		}
	}
	return out, nil
}

// Extract implements format.Extractor: registrations have no readme.
func (Format) Extract(id registry.VersionID, name string, file format.Staged) ([]byte, error) {
	if name != assetName(id, packageExtension) {
		return nil, nil
	}
	m, readme, err := readPackage(file, file.Size())
	if err != nil {
		return nil, err
	}
	return m.document(readme)
}

// Verify implements format.Verifier: feeds announce no digests, so that a package that is cut off, or another one, shows here.
func (Format) Verify(id registry.VersionID, name string, file format.Staged) error {
	m, _, err := readPackage(file, file.Size())
	if err != nil {
		return err
	}
	got, err := m.versionID()
	if err != nil {
		return err
	}
	if got != id {
		return fmt.Errorf("%w: %s holds the package %s", registry.ErrInvalid, name, got)
	}
	return nil
}
