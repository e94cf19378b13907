package nuget

import (
	"fmt"
	"strings"

	"packhouse.dev/packhouse/registry"
)

// Name is the name of the format, and of nothing else.
const Name registry.Format = "nuget"

// Limits of names (https://learn.microsoft.com/nuget/reference/nuspec#id).
const (
	maxID      = 100
	maxVersion = 64
)

// Extensions of assets.
const (
	packageExtension = ".nupkg"
	symbolExtension  = ".snupkg"
)

// names implements format.Names.
type names struct{}

// Package returns the identity of a package: its id in lower case. There are no namespaces.
func (names) Package(namespace, name string) (registry.PackageID, error) {
	if namespace != "" {
		return registry.PackageID{}, fmt.Errorf("%w: NuGet packages have no namespace", registry.ErrInvalid)
	}
	if !isID(name) {
		return registry.PackageID{}, fmt.Errorf("%w: %q is not a package id: at most %d letters, digits and \"_\", with single \"-\" and \".\" between them",
			registry.ErrInvalid, registry.Clip(name), maxID)
	}
	return registry.PackageID{Format: Name, Name: strings.ToLower(name)}, nil
}

// isID is the rule of NuGet's PackageIdValidator, of ASCII: there, lower case is one thing for every client.
func isID(s string) bool {
	if s == "" || len(s) > maxID {
		return false
	}
	word := false
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_':
			word = true
		case (c == '-' || c == '.') && word:
			word = false
		default:
			return false
		}
	}
	return word
}

// Version returns the normalised version in lower case, which is what addresses have.
func (names) Version(raw string) (string, error) {
	v, err := parseVersion(raw)
	if err != nil {
		return "", err
	}
	return v.key(), nil
}

// Asset accepts file names.
func (names) Asset(raw string) (string, error) {
	if raw == "" || len(raw) > 512 || raw == "." || raw == ".." || strings.ContainsFunc(raw, func(r rune) bool {
		return r <= ' ' || r == '/' || r == '\\' || r > '~'
	}) {
		return "", fmt.Errorf("%w: %q is not an asset name", registry.ErrInvalid, registry.Clip(raw))
	}
	return raw, nil
}

// Compare orders keys by precedence; what is no version comes first.
func (names) Compare(a, b string) int {
	x, errX := parseVersion(a)
	y, errY := parseVersion(b)
	switch {
	case errX != nil && errY != nil:
		return strings.Compare(a, b)
	case errX != nil:
		return -1
	case errY != nil:
		return 1
	}
	return x.compare(y)
}

// assetName is the file of a version (user guide, "NuGet package name, version, and asset name normalization").
func assetName(id registry.VersionID, extension string) string {
	return id.Package.Name + "." + id.Version + extension
}
