package ruby

import (
	"cmp"
	"fmt"
	"strings"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

// Describe implements format.Describer.
func (Format) Describe(v *registry.Version) (format.Description, error) {
	s, err := specOf(v)
	if err != nil {
		return format.Description{}, err
	}
	out := format.Description{
		DisplayName: s.Name, Summary: cmp.Or(s.Summary, s.Description), HomePage: cmp.Or(s.Homepage, s.Metadata["homepage_uri"]),
		SourceCodeRepository: s.Metadata["source_code_uri"],
	}
	for _, l := range s.Licenses {
		out.Licenses = append(out.Licenses, format.License{Name: l})
	}
	for _, d := range s.Dependencies {
		kind := "runtime"
		if d.Development {
			kind = "development"
		}
		out.Dependencies = append(out.Dependencies, format.Dependency{
			Package: d.Name, Type: kind, Requirement: strings.ReplaceAll(joined(d.Requirements, anyVersion), "&", ", "),
		})
	}
	return out, nil
}

// Extract implements format.Extractor: indexes say nothing of a gem that people would read. A gem that is another one than the index
// said is described by the index alone.
func (Format) Extract(id registry.VersionID, _ string, file format.Staged) ([]byte, error) {
	s, err := readGemOf(id, file)
	if err != nil {
		return nil, err
	}
	return s.encode()
}

// Verify implements format.Verifier: static trees tell no checksums.
func (Format) Verify(id registry.VersionID, _ string, file format.Staged) error {
	_, err := readGemOf(id, file)
	return err
}

// readGemOf reads a gem that an upstream gave for a version.
func readGemOf(id registry.VersionID, file format.Staged) (*spec, error) {
	s, err := readGem(file, file.Size())
	if err != nil {
		return nil, err
	}
	if got, err := s.id(); err != nil || got != id {
		return nil, fmt.Errorf("%w: the gem is %s, and the upstream lists it as %s", registry.ErrInvalid, got, id)
	}
	return s, nil
}
