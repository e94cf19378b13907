package nuget

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"packhouse.dev/packhouse/registry"
)

// entry is a catalog entry: what registrations show of a version
// (https://learn.microsoft.com/nuget/api/registration-base-url-resource#catalog-entry). It is stored as the Info of the package file.
// Members that are not among these are kept as they came from an upstream.
type entry struct {
	ID                       string            `json:"id"`
	Version                  string            `json:"version"`
	Title                    string            `json:"title,omitempty"`
	Authors                  string            `json:"authors,omitempty"`
	Description              string            `json:"description,omitempty"`
	Summary                  string            `json:"summary,omitempty"`
	Tags                     []string          `json:"tags,omitempty"`
	Language                 string            `json:"language,omitempty"`
	ProjectURL               string            `json:"projectUrl,omitempty"`
	IconURL                  string            `json:"iconUrl,omitempty"`
	LicenseURL               string            `json:"licenseUrl,omitempty"`
	LicenseExpression        string            `json:"licenseExpression,omitempty"`
	MinClientVersion         string            `json:"minClientVersion,omitempty"`
	RequireLicenseAcceptance bool              `json:"requireLicenseAcceptance"`
	DependencyGroups         []dependencyGroup `json:"dependencyGroups,omitempty"`
	PackageTypes             []packageType     `json:"packageTypes,omitempty"`

	// Of what is in the package itself, the address is ours.
	HasIcon    bool `json:"packhouseIcon,omitempty"`
	HasLicense bool `json:"packhouseLicense,omitempty"`
}

type dependencyGroup struct {
	TargetFramework string       `json:"targetFramework,omitempty"`
	Dependencies    []dependency `json:"dependencies,omitempty"`
}

type dependency struct {
	ID    string `json:"id"`
	Range string `json:"range,omitempty"`
}

type packageType struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
}

// UnmarshalJSON implements json.Unmarshaler. Feeds write some members in several ways: "authors" and "tags" as a text or as a list, and
// "requireLicenseAcceptance" as a text. What is of no known form is left out.
func (e *entry) UnmarshalJSON(b []byte) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(b, &members); err != nil {
		return err
	}
	*e = entry{}
	for name, to := range map[string]*string{
		"id": &e.ID, "version": &e.Version, "title": &e.Title, "description": &e.Description, "summary": &e.Summary, "language": &e.Language,
		"projectUrl": &e.ProjectURL, "iconUrl": &e.IconURL, "licenseUrl": &e.LicenseURL, "licenseExpression": &e.LicenseExpression,
		"minClientVersion": &e.MinClientVersion,
	} {
		_ = json.Unmarshal(members[name], to)
	}
	e.Authors = strings.Join(texts(members["authors"]), ", ")
	e.Tags = texts(members["tags"])
	e.RequireLicenseAcceptance = strings.EqualFold(strings.Trim(string(members["requireLicenseAcceptance"]), `"`), "true")
	for name, to := range map[string]any{"dependencyGroups": &e.DependencyGroups, "packageTypes": &e.PackageTypes} {
		if members[name] != nil && json.Unmarshal(members[name], to) != nil {
			return fmt.Errorf("%q is of an unknown form", name)
		}
	}
	return nil
}

// texts reads a text or a list of them.
func texts(raw json.RawMessage) []string {
	var list []string
	if json.Unmarshal(raw, &list) == nil {
		return list
	}
	var one string
	if json.Unmarshal(raw, &one) == nil && one != "" {
		return []string{one}
	}
	return nil
}

// semVer2 says whether clients must know Semantic Versioning 2 to use a version (registration-base-url-resource#semver-200-support).
func (e *entry) semVer2() bool {
	if v, err := parseVersion(e.Version); err != nil || v.semVer2() {
		return true
	}
	for _, g := range e.DependencyGroups {
		for _, d := range g.Dependencies {
			if r, err := parseRange(d.Range); err != nil || r.semVer2() {
				return true
			}
		}
	}
	return false
}

// types are those of search results, which always have one.
func (e *entry) types() []packageType {
	if len(e.PackageTypes) == 0 {
		return []packageType{{Name: "Dependency"}}
	}
	return e.PackageTypes
}

// maxEntry bounds a stored entry, in bytes.
const maxEntry = 1 << 20

// keepEntry makes of the catalog entry of an upstream what is stored: without addresses of that upstream, which would lead clients past
// this registry. host says whether an address is one of the upstream's.
func keepEntry(raw []byte, theirs func(string) bool) ([]byte, error) {
	if len(raw) > maxEntry {
		return nil, fmt.Errorf("%w: a catalog entry has %d bytes, at most %d are read", registry.ErrTooLarge, len(raw), maxEntry)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var members map[string]any
	if err := d.Decode(&members); err != nil || members == nil {
		return nil, fmt.Errorf("%w: a catalog entry is no object", registry.ErrInvalid)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("%w: a catalog entry is no object", registry.ErrInvalid)
	}
	for _, name := range []string{"packageContent", "listed", "published", "@context", hasIcon, hasLicense} {
		delete(members, name) // ours to say
	}
	for _, name := range []string{"iconUrl", "readmeUrl", "licenseUrl"} {
		if at, ok := members[name].(string); ok && theirs(at) {
			delete(members, name)
			if name == "iconUrl" {
				members[hasIcon] = true
			}
		}
	}
	dropAddresses(members)
	return json.Marshal(members)
}

// The members of stored entries that say what is in the package.
const (
	hasIcon    = "packhouseIcon"
	hasLicense = "packhouseLicense"
)

// dropAddresses takes away the members that name documents of the upstream, at any depth.
func dropAddresses(value any) {
	switch value := value.(type) {
	case map[string]any:
		delete(value, "@id")
		delete(value, "registration")
		delete(value, "parent")
		for _, v := range value {
			dropAddresses(v)
		}
	case []any:
		for _, v := range value {
			dropAddresses(v)
		}
	}
}

// infoOf is the stored entry of a version.
func infoOf(v *registry.Version) ([]byte, error) {
	a := v.Asset(assetName(v.ID, packageExtension))
	if a == nil || len(a.Info) == 0 {
		return nil, fmt.Errorf("%s: the stored version has no catalog entry", v.ID)
	}
	return a.Info, nil
}

func entryOf(v *registry.Version) (*entry, error) {
	info, err := infoOf(v)
	if err != nil {
		return nil, err
	}
	e := new(entry)
	if err := json.Unmarshal(info, e); err != nil {
		return nil, fmt.Errorf("%s: the stored catalog entry: %w", v.ID, err)
	}
	return e, nil
}

// published is the date of a version in documents; clients take the year 1900 for "unlisted", as well as "listed": false.
func published(v *registry.Version) string {
	at := v.PublishedAt.UTC()
	if !listed(v) || v.PublishedAt.IsZero() {
		at = time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return at.Format("2006-01-02T15:04:05.999Z07:00")
}

func listed(v *registry.Version) bool { return v.Status != registry.Unlisted }
