package npm

import (
	"fmt"
	"net/url"
	"strings"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/internal/semver"
)

// Name is the name of the format, and of nothing else.
const Name registry.Format = "npm"

// maxName is the longest name that clients accept, scope included.
const maxName = 214

// Extensions of the assets of a version.
const (
	tarballExtension    = ".tgz"
	provenanceExtension = ".sigstore"
)

// names implements format.Names. Names are compared exactly: very old ones have capitals.
type names struct{}

// Package reads a scope, with or without "@", and a name. Names of old packages (capitals, "~'!()*") are valid here, because they
// may come from an upstream; see checkNew.
func (names) Package(namespace, name string) (registry.PackageID, error) {
	id := registry.PackageID{Format: Name, Namespace: strings.TrimPrefix(namespace, "@"), Name: name}
	switch {
	case name == "":
		return registry.PackageID{}, fmt.Errorf("%w: the package name is empty", registry.ErrInvalid)
	case len(fullName(id)) > maxName:
		return registry.PackageID{}, fmt.Errorf("%w: the package name has more than %d characters", registry.ErrInvalid, maxName)
	case namespace != "" && !isName(id.Namespace), !isName(name), id.Namespace == "" && isReserved(name):
		return registry.PackageID{}, fmt.Errorf("%w: %q is not a package name", registry.ErrInvalid, fullName(id))
	}
	return id, nil
}

// Version returns the semantic version without build metadata. Like clients, it ignores spaces around and "v" or "=" before it.
func (names) Version(raw string) (string, error) {
	v, ok := cleanVersion(raw)
	if !ok {
		return "", fmt.Errorf("%w: %q is not a semantic version", registry.ErrInvalid, registry.Clip(raw))
	}
	return v.Key(), nil
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
func (names) Compare(a, b string) int { return semver.CompareStrings(a, b) }

func cleanVersion(raw string) (semver.Version, bool) {
	return parseVersion(strings.TrimLeft(strings.TrimSpace(raw), "=v"))
}

// fullName is the name as clients write it: "lodash", "@types/node".
func fullName(id registry.PackageID) string {
	if id.Namespace == "" {
		return id.Name
	}
	return "@" + id.Namespace + "/" + id.Name
}

// escapedName is the name in addresses at upstreams. The scope's slash must be escaped there.
func escapedName(id registry.PackageID) string {
	if id.Namespace == "" {
		return url.PathEscape(id.Name)
	}
	return "@" + url.PathEscape(id.Namespace) + "%2f" + url.PathEscape(id.Name)
}

// parseName reads a full name.
func parseName(full string) (registry.PackageID, error) {
	if scope, ok := strings.CutPrefix(full, "@"); ok {
		namespace, name, found := strings.Cut(scope, "/")
		if !found || namespace == "" {
			return registry.PackageID{}, fmt.Errorf("%w: %q is not a package name", registry.ErrInvalid, registry.Clip(full))
		}
		return names{}.Package(namespace, name)
	}
	return names{}.Package("", full)
}

// isName holds the characters that a URL carries unescaped, as clients demand. A leading dot would make path segments of "..".
func isName(s string) bool {
	if s == "" || s[0] == '.' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !('0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z') && !strings.ContainsRune("-_.~'!()*", rune(c)) {
			return false
		}
	}
	return true
}

// isReserved are names that only scoped packages may have, and the word that begins API addresses.
func isReserved(name string) bool {
	return name == "-" || name[0] == '_' || strings.EqualFold(name, "node_modules") || strings.EqualFold(name, "favicon.ico")
}

// checkNew refuses names that old packages have and new ones may not.
func checkNew(id registry.PackageID) error {
	full := fullName(id)
	if full != strings.ToLower(full) || strings.ContainsAny(full, "~'!()*") || full[0] == '-' {
		return fmt.Errorf("%w: %q is not a name for a new package: use lower-case letters, digits, \"-\", \"_\" and \".\"", registry.ErrInvalid, full)
	}
	return nil
}

// checkTag refuses tags that no client could ask for.
func checkTag(tag string) error {
	if tag == "" || len(tag) > maxName || !isName(tag) || tag == "__proto__" {
		return fmt.Errorf("%w: %q is not a tag: use letters, digits, \"-\", \"_\" and \".\"", registry.ErrInvalid, registry.Clip(tag))
	}
	if isRange(tag) {
		return fmt.Errorf("%w: the tag %q reads as a range of versions, so that no client would look it up", registry.ErrInvalid, tag)
	}
	return nil
}

// tarballName is the asset name, and the last segment of the address that clients expect.
func tarballName(id registry.PackageID, display string) string {
	return id.Name + "-" + display + tarballExtension
}

// tarballPath is the address below the repository. Clients compare it with what they expect: the scope stays unescaped.
func tarballPath(id registry.PackageID, display string) string {
	return fullName(id) + "/-/" + tarballName(id, display)
}
