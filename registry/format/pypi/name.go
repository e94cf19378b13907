package pypi

import (
	"fmt"
	"strings"

	"packhouse.dev/packhouse/registry"
)

// Name is the name of the format, and of nothing else.
const Name registry.Format = "pypi"

// Bounds of what is named. The longest project names on pypi.org have some 80 characters.
const (
	maxName = 214
	maxFile = 300
)

// metadataExtension follows a file's name in that of its core metadata (PEP 658).
const metadataExtension = ".metadata"

// names implements format.Names.
type names struct{}

// Package accepts a project name in any spelling. Python has no namespaces.
func (names) Package(namespace, name string) (registry.PackageID, error) {
	if namespace != "" {
		return registry.PackageID{}, fmt.Errorf("%w: Python packages have no namespace", registry.ErrInvalid)
	}
	if len(name) > maxName || !isName(name) {
		return registry.PackageID{}, fmt.Errorf("%w: %q is not a project name: letters, digits, \".\", \"-\" and \"_\", with a letter or digit at both ends",
			registry.ErrInvalid, registry.Clip(name))
	}
	return registry.PackageID{Format: Name, Name: normalised(name)}, nil
}

// Version returns the canonical key of a version. What is no version by PEP 440 is kept as it is, in lower case, because old uploads
// of upstreams have such versions; see parseVersion for new ones.
func (names) Version(raw string) (string, error) {
	raw = strings.TrimSpace(raw)
	if v, ok := parseVersion(raw); ok {
		return v.key(), nil
	}
	if raw == "" || len(raw) > maxVersion || strings.ContainsFunc(raw, func(r rune) bool { return !isAlnum(r) && !strings.ContainsRune("._-+!", r) }) || strings.Trim(raw, ".") == "" {
		return "", fmt.Errorf("%w: %q is not a version", registry.ErrInvalid, registry.Clip(raw))
	}
	return strings.ToLower(raw), nil
}

// Asset accepts file names.
func (names) Asset(raw string) (string, error) {
	if !isFile(raw) {
		return "", fmt.Errorf("%w: %q is not a file name", registry.ErrInvalid, registry.Clip(raw))
	}
	return raw, nil
}

// Compare orders keys as PEP 440 does; what is no version comes first.
func (names) Compare(a, b string) int {
	va, okA := parseVersion(a)
	vb, okB := parseVersion(b)
	switch {
	case okA && okB:
		return va.compare(vb)
	case okA:
		return 1
	case okB:
		return -1
	}
	return strings.Compare(a, b)
}

// normalised writes a name as addresses and comparisons do (PEP 503): lower case, and each run of "-", "_" and "." as one "-".
func normalised(name string) string {
	var b strings.Builder
	b.Grow(len(name))
	run := false
	for i := range len(name) {
		c := name[i]
		if c == '-' || c == '_' || c == '.' {
			run = true
			continue
		}
		if run {
			b.WriteByte('-')
			run = false
		}
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		b.WriteByte(c)
	}
	if run {
		b.WriteByte('-')
	}
	return b.String()
}

// isName is the rule of PEP 508.
func isName(s string) bool {
	if s == "" || !isAlnum(rune(s[0])) || !isAlnum(rune(s[len(s)-1])) {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return !isAlnum(r) && r != '-' && r != '_' && r != '.' })
}

func isAlnum(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}

// isFile holds names that are one path segment everywhere, and printable ASCII, as those of distributions are.
func isFile(s string) bool {
	if s == "" || len(s) > maxFile || s[0] == '.' {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`/\"'<>%?#`, r) })
}
