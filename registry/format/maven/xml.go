package maven

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"

	"packhouse.dev/packhouse/registry/internal/safexml"
)

// Limits on XML that others wrote.
const (
	maxMetadata = 16 << 20 // bytes of a maven-metadata.xml
	maxPOM      = 4 << 20
)

// metadata is a maven-metadata.xml, of each of its levels (https://maven.apache.org/ref/3-LATEST/maven-repository-metadata/).
type metadata struct {
	XMLName      xml.Name     `xml:"metadata"`
	ModelVersion string       `xml:"modelVersion,attr,omitempty"`
	GroupID      string       `xml:"groupId,omitempty"`
	ArtifactID   string       `xml:"artifactId,omitempty"`
	Version      string       `xml:"version,omitempty"`
	Versioning   *versioning  `xml:"versioning"`
	Plugins      list[plugin] `xml:"plugins"`

	modified time.Time // of what we render
}

type versioning struct {
	Latest           string                `xml:"latest,omitempty"`
	Release          string                `xml:"release,omitempty"`
	Snapshot         *snapshot             `xml:"snapshot"`
	Versions         list[string]          `xml:"versions"`
	LastUpdated      string                `xml:"lastUpdated,omitempty"`
	SnapshotVersions list[snapshotVersion] `xml:"snapshotVersions"`
}

// list is an element with elements in it. An empty one is not written: Maven would take it for a list of one version without a name.
type list[T any] []T

// MarshalXML implements xml.Marshaler: "versions" has elements "version".
func (l list[T]) MarshalXML(e *xml.Encoder, start xml.StartElement) error {
	if len(l) == 0 {
		return nil
	}
	if err := e.EncodeToken(start); err != nil {
		return err
	}
	for _, item := range l {
		if err := e.EncodeElement(item, xml.StartElement{Name: xml.Name{Local: strings.TrimSuffix(start.Name.Local, "s")}}); err != nil {
			return err
		}
	}
	return e.EncodeToken(start.End())
}

// UnmarshalXML implements xml.Unmarshaler. Of two lists of one name the elements are joined.
func (l *list[T]) UnmarshalXML(d *xml.Decoder, start xml.StartElement) error {
	for {
		t, err := d.Token()
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case xml.StartElement:
			if t.Name.Local != strings.TrimSuffix(start.Name.Local, "s") {
				if err := d.Skip(); err != nil {
					return err
				}
				continue
			}
			var item T
			if err := d.DecodeElement(&item, &t); err != nil {
				return err
			}
			*l = append(*l, item)
		case xml.EndElement:
			return nil
		}
	}
}

type snapshot struct {
	Timestamp   string `xml:"timestamp,omitempty"`
	BuildNumber string `xml:"buildNumber,omitempty"`
}

type snapshotVersion struct {
	Classifier string `xml:"classifier,omitempty"`
	Extension  string `xml:"extension"`
	Value      string `xml:"value"`
	Updated    string `xml:"updated"`
}

type plugin struct {
	Name       string `xml:"name" json:"name"`
	Prefix     string `xml:"prefix" json:"prefix"`
	ArtifactID string `xml:"artifactId" json:"artifactId"`
}

// parseMetadata reads a maven-metadata.xml. Errors wrap ErrInvalid.
func parseMetadata(r io.Reader) (*metadata, error) {
	var m metadata
	if err := safexml.Decode(r, &m); err != nil {
		return nil, fmt.Errorf("%s: %w", metadataFile, err)
	}
	trim := func(fields ...*string) {
		for _, f := range fields {
			*f = strings.TrimSpace(*f)
		}
	}
	trim(&m.GroupID, &m.ArtifactID, &m.Version)
	if v := m.Versioning; v != nil {
		trim(&v.Latest, &v.Release, &v.LastUpdated)
		for i := range v.Versions {
			trim(&v.Versions[i])
		}
		if v.Snapshot != nil {
			trim(&v.Snapshot.Timestamp, &v.Snapshot.BuildNumber)
		}
		for i := range v.SnapshotVersions {
			s := &v.SnapshotVersions[i]
			trim(&s.Classifier, &s.Extension, &s.Value)
		}
	}
	return &m, nil
}

func (m *metadata) encode() ([]byte, error) {
	b, err := xml.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, err
	}
	return append(append([]byte(xml.Header), b...), '\n'), nil
}
