package swift

import (
	"encoding/json"
	"fmt"
	"strings"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

// contents is the stored document of a version: what is read from its archive once, so that nothing has to be read from it again.
type contents struct {
	Manifests []manifestText `json:"manifests"` // Package.swift first
	Readme    string         `json:"readme,omitempty"`
}

// manifestText is a manifest, byte for byte: manifests are UTF-8.
type manifestText struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// readContents reads an archive. Errors wrap ErrInvalid or ErrTooLarge, but for those of reading.
func readContents(file format.Staged) (*contents, error) {
	z, err := openArchive(file, file.Size())
	if err != nil {
		return nil, err
	}
	list, err := z.manifests()
	if err != nil {
		return nil, err
	}
	c := &contents{}
	for _, v := range list {
		c.Manifests = append(c.Manifests, manifestText{v.name, v.text})
	}
	c.Readme, err = z.readme()
	return c, err
}

func (c *contents) encode() ([]byte, error) {
	b, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("contents: %w", err)
	}
	return b, nil
}

// decodeContents reads a stored document; that of a version whose archive was never fetched is empty.
func decodeContents(document []byte) (*contents, error) {
	c := &contents{}
	if len(document) == 0 {
		return c, nil
	}
	if err := json.Unmarshal(document, c); err != nil {
		return nil, fmt.Errorf("stored contents are damaged: %w", err)
	}
	return c, nil
}

// variants are the manifests in the form in which one is chosen.
func (c *contents) variants() []variant {
	out := make([]variant, 0, len(c.Manifests))
	for _, m := range c.Manifests {
		if v, ok := named(m.Name); ok {
			v.text = m.Text
			v.tools, _ = declaredTools(m.Text) // it was read when it was stored
			out = append(out, v)
		}
	}
	return out
}

// Extract implements format.Extractor: lists of upstreams say nothing of what is in an archive.
func (Format) Extract(id registry.VersionID, name string, file format.Staged) ([]byte, error) {
	if name != assetName(id) {
		return nil, nil
	}
	c, err := readContents(file)
	if err != nil {
		return nil, err
	}
	return c.encode()
}

// Describe implements format.Describer.
func (Format) Describe(v *registry.Version) (format.Description, error) {
	c, err := decodeContents(v.Document)
	if err != nil {
		return format.Description{}, fmt.Errorf("%s: %w", v.ID, err)
	}
	out := format.Description{DisplayName: v.ID.Package.Name, Readme: c.Readme}
	if len(c.Manifests) > 0 {
		out.Dependencies = dependencies(c.Manifests[0].Text)
	}
	asset := archiveOf(v)
	if asset == nil {
		return out, nil
	}
	rel, err := decodeRelease(asset.Info)
	if err != nil {
		return format.Description{}, fmt.Errorf("%s: %w", v.ID, err)
	}
	_, out.DisplayName, _ = strings.Cut(rel.ID, ".")
	m := readMetadata(rel.Metadata)
	out.Summary = m.summary()
	if len(m.RepositoryURLs) > 0 {
		out.SourceCodeRepository = m.RepositoryURLs[0]
	}
	if m.LicenseURL != "" {
		out.Licenses = []format.License{{URL: m.LicenseURL}}
	}
	return out, nil
}
