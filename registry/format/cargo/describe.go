package cargo

import (
	"cmp"
	"encoding/json"
	"fmt"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

// decodeDescription reads a stored document; that of a version whose crate was never fetched is empty.
func decodeDescription(document []byte) (description, error) {
	var d description
	if len(document) == 0 {
		return d, nil
	}
	if err := json.Unmarshal(document, &d); err != nil {
		return d, fmt.Errorf("stored description is damaged: %w", err)
	}
	return d, nil
}

// Describe implements format.Describer.
func (Format) Describe(v *registry.Version) (format.Description, error) {
	d, err := decodeDescription(v.Document)
	if err != nil {
		return format.Description{}, fmt.Errorf("%s: %w", v.ID, err)
	}
	name, line, err := servedLine(v)
	if err != nil {
		return format.Description{}, err
	}
	deps, err := dependencies(line)
	if err != nil {
		return format.Description{}, fmt.Errorf("%s: %w", v.ID, err)
	}
	out := format.Description{
		DisplayName: name, Summary: d.summary(), HomePage: d.Homepage, SourceCodeRepository: d.Repository, Readme: d.Readme, Dependencies: deps,
	}
	if d.License != "" {
		out.Licenses = []format.License{{Name: d.License}}
	}
	return out, nil
}

// dependencies lists them with the kinds of index lines: normal, build, dev.
func dependencies(line []byte) ([]format.Dependency, error) {
	var l struct {
		Deps []indexDependency `json:"deps"`
	}
	if err := json.Unmarshal(line, &l); err != nil {
		return nil, fmt.Errorf("dependencies in the index line: %w", err)
	}
	var out []format.Dependency
	for _, d := range l.Deps {
		out = append(out, format.Dependency{Package: cmp.Or(d.Package, d.Name), Type: cmp.Or(d.Kind, "normal"), Requirement: d.Req})
	}
	return out, nil
}

// Extract implements format.Extractor: the index says nothing of a crate that people would read.
func (Format) Extract(_ registry.VersionID, name string, file format.Staged) ([]byte, error) {
	c := crateFile{ReaderAt: file, size: file.Size(), root: name[:max(len(name)-len(crateExtension), 0)]}
	m, err := c.manifest()
	if err != nil {
		return nil, err
	}
	readme, err := c.readme(m)
	if err != nil {
		return nil, err
	}
	return m.description(readme).encode()
}
