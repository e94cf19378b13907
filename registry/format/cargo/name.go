package cargo

import (
	"fmt"
	"math/bits"
	"strings"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/internal/semver"
)

// Name is the name of the format, and of nothing else.
const Name registry.Format = "cargo"

// maxName is the longest name that crates.io takes.
const maxName = 64

// crateExtension ends the names of assets.
const crateExtension = ".crate"

// names implements format.Names.
type names struct{}

// Package returns the identity of a crate: its name in lower case, which is all that a request for an index file tells. There are no
// namespaces.
func (names) Package(namespace, name string) (registry.PackageID, error) {
	if namespace != "" {
		return registry.PackageID{}, fmt.Errorf("%w: crates have no namespace", registry.ErrInvalid)
	}
	if !isCrateName(name) {
		return registry.PackageID{}, fmt.Errorf("%w: %q is not a crate name: a letter and then at most %d letters, digits, \"-\" and \"_\"",
			registry.ErrInvalid, registry.Clip(name), maxName-1)
	}
	return registry.PackageID{Format: Name, Name: strings.ToLower(name)}, nil
}

// Version returns the semantic version without build metadata: two versions that differ in nothing else cannot both be published.
func (names) Version(raw string) (string, error) {
	v, ok := semver.Parse(raw)
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

// isCrateName is the rule of crates.io.
func isCrateName(s string) bool {
	if s == "" || len(s) > maxName || !isLetter(s[0]) {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !isLetter(c) && !('0' <= c && c <= '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

// checkNew refuses names that cannot be folders on every system.
func checkNew(name string) error {
	switch n := strings.ToLower(name); n {
	case "con", "prn", "aux", "nul":
	default:
		if len(n) != 4 || n[:3] != "com" && n[:3] != "lpt" || n[3] < '0' || n[3] > '9' {
			return nil
		}
	}
	return fmt.Errorf("%w: %q cannot be the name of a crate: it is a device on Windows", registry.ErrInvalid, name)
}

// assetName is the file name of a version whose name and version are given as the index has them.
func assetName(name, version string) string { return name + "-" + version + crateExtension }

// indexPath is where the index has a crate (registry-index.html#index-files). name is in lower case there.
func indexPath(name string) string { return indexFolder(name) + "/" + name }

func indexFolder(name string) string {
	switch len(name) {
	case 1:
		return "1"
	case 2:
		return "2"
	case 3:
		return "3/" + name[:1]
	default:
		return name[:2] + "/" + name[2:4]
	}
}

// maxSpellings bounds how many crates are looked for before a new one is taken. Up to four separators these are all spellings.
const maxSpellings = 16

// spellings are the names that differ from a name in "-" and "_" only, itself included, the likely ones first: only hyphens, only
// underscores, and then mixtures with few changes between the two.
func spellings(name string) []string {
	name = strings.ReplaceAll(name, "_", "-")
	var at []int
	for i := range len(name) {
		if name[i] == '-' {
			at = append(at, i)
		}
	}
	out := []string{name}
	add := func(underscore func(i int) bool) {
		if len(out) == maxSpellings {
			return
		}
		b := []byte(name)
		for i, pos := range at {
			if underscore(i) {
				b[pos] = '_'
			}
		}
		out = append(out, string(b))
	}
	n := len(at)
	if n == 0 {
		return out
	}
	add(func(int) bool { return true })
	for cut := 1; cut < n; cut++ { // one change
		add(func(i int) bool { return i < cut })
		add(func(i int) bool { return i >= cut })
	}
	if n > bits.Len(maxSpellings)-1 {
		return out
	}
	for mask := range 1 << n {
		if changes := bits.OnesCount(uint(mask^mask>>1) &^ (1 << (n - 1))); changes > 1 {
			add(func(i int) bool { return mask>>i&1 == 1 })
		}
	}
	return out
}
