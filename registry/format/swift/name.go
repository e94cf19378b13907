package swift

import (
	"fmt"
	"strings"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/internal/semver"
)

// Name is the name of the format, and of nothing else.
const Name registry.Format = "swift"

// The lengths of scopes and names (specification, 3.6).
const (
	maxScope = 39
	maxName  = 100
)

// names implements format.Names.
type names struct{}

// Package returns the identity of a package: scope and name in lower case. The guide's examples have scopes with "_", which the
// specification has not; they are taken, and SwiftPM does not ask for them.
func (names) Package(namespace, name string) (registry.PackageID, error) {
	switch {
	case !isName(namespace, maxScope, "-_"):
		return registry.PackageID{}, fmt.Errorf("%w: %q is not a package scope: at most %d letters, digits and single hyphens between them",
			registry.ErrInvalid, registry.Clip(namespace), maxScope)
	case !isName(name, maxName, "-_"):
		return registry.PackageID{}, fmt.Errorf("%w: %q is not a package name: at most %d letters, digits and single hyphens or underscores between them",
			registry.ErrInvalid, registry.Clip(name), maxName)
	}
	return registry.PackageID{Format: Name, Namespace: strings.ToLower(namespace), Name: strings.ToLower(name)}, nil
}

// Version accepts semantic versions and changes nothing.
func (names) Version(raw string) (string, error) {
	if _, ok := semver.Parse(raw); !ok {
		return "", fmt.Errorf("%w: %q is not a semantic version", registry.ErrInvalid, registry.Clip(raw))
	}
	return raw, nil
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

// Compare orders versions by precedence, and those of equal precedence by their build metadata.
func (names) Compare(a, b string) int { return semver.CompareStrings(a, b) }

// isName says whether s has ASCII letters and digits, with single characters of joints between them.
func isName(s string, limit int, joints string) bool {
	if s == "" || len(s) > limit {
		return false
	}
	joint := true // nothing has come yet that one could follow
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
			joint = false
		case joint || strings.IndexByte(joints, c) < 0:
			return false
		default:
			joint = true
		}
	}
	return !joint
}

// isIdentifier says whether SwiftPM takes an identifier; one that it does not take spoils a whole answer.
func isIdentifier(id string) bool {
	scope, name, _ := strings.Cut(id, ".")
	return isName(scope, maxScope, "-") && isName(name, maxName, "-_")
}

// identifier is how people write a package.
func identifier(scope, name string) string { return scope + "." + name }

// assetName is the file name of the source archive of a version.
func assetName(id registry.VersionID) string { return id.Package.Name + "-" + id.Version + ".zip" }
