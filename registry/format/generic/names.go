package generic

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"packhouse.dev/packhouse/registry"
)

// Name is the name of the format.
const Name registry.Format = "generic"

// maxName is the length of every name, in characters (service model: PackageName, PackageNamespace, PackageVersion, AssetName).
const maxName = 255

// names implements format.Names. Names are exact; only their Unicode form is made one, because what a client types is not what its
// file system stores.
type names struct{}

// Package wants a namespace (user guide, "Generic packages overview").
func (names) Package(namespace, name string) (registry.PackageID, error) {
	if namespace == "" {
		return registry.PackageID{}, fmt.Errorf("%w: a generic package needs a namespace", registry.ErrInvalid)
	}
	ns, err := part("namespace", namespace)
	if err != nil {
		return registry.PackageID{}, err
	}
	n, err := part("package name", name)
	return registry.PackageID{Format: Name, Namespace: ns, Name: n}, err
}

// Version takes any name.
func (names) Version(raw string) (string, error) { return part("version", raw) }

// part is [^#/\s]+, without what no address can have.
func part(what, raw string) (string, error) {
	s := norm.NFC.String(raw)
	bad := func(r rune) bool {
		return r == '#' || r == '/' || r == '\\' || r == utf8.RuneError || unicode.IsSpace(r) || unicode.Is(unicode.C, r)
	}
	switch {
	case s == "" || utf8.RuneCountInString(s) > maxName || !utf8.ValidString(raw):
		return "", fmt.Errorf("%w: a %s has 1 to %d characters", registry.ErrInvalid, what, maxName)
	case s == "." || s == ".." || strings.ContainsFunc(s, bad):
		return "", fmt.Errorf("%w: a %s cannot have spaces, slashes, # or control characters, nor be a dot or two", registry.ErrInvalid, what)
	}
	return s, nil
}

// assetMarks are the special characters of asset names (user guide, "Generic package constraints").
const assetMarks = "~!@^&()-`_+[]{};,. "

// Asset applies the guide's rules of asset names.
func (names) Asset(raw string) (string, error) {
	s := norm.NFC.String(raw)
	bad := func(r rune) bool {
		return r == utf8.RuneError || !strings.ContainsRune(assetMarks, r) &&
			!unicode.In(r, unicode.Ll, unicode.Lm, unicode.Lo, unicode.Lt, unicode.Lu, unicode.Nl, unicode.Nd)
	}
	switch {
	case s == "" || utf8.RuneCountInString(s) > maxName || !utf8.ValidString(raw):
		return "", fmt.Errorf("%w: an asset name has 1 to %d characters", registry.ErrInvalid, maxName)
	case s == "." || s == ".." || strings.ContainsFunc(s, bad):
		return "", fmt.Errorf("%w: an asset name has letters, digits, spaces and the characters ~!@^&()-`_+[]{};,. only, and is not a dot or two", registry.ErrInvalid)
	case s[0] == ' ' || s[len(s)-1] == ' ' || strings.Contains(s, "  "):
		return "", fmt.Errorf("%w: an asset name has no space at its ends and no two in a row", registry.ErrInvalid)
	}
	return s, nil
}

// Compare orders versions as people do: runs of digits by their value, everything else by its characters.
func (names) Compare(a, b string) int {
	for i, j := 0, 0; ; {
		switch {
		case i == len(a) && j == len(b):
			return strings.Compare(a, b) // 1.0 and 1.00 are different names
		case i == len(a):
			return -1
		case j == len(b):
			return 1
		}
		x, y := run(a[i:]), run(b[j:])
		if c := compareRuns(x, y); c != 0 {
			return c
		}
		i, j = i+len(x), j+len(y)
	}
}

// run is the digits at the beginning of s, or what is not digits.
func run(s string) string {
	digits := isDigit(s[0])
	n := 1
	for n < len(s) && isDigit(s[n]) == digits {
		n++
	}
	return s[:n]
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func compareRuns(x, y string) int {
	if !isDigit(x[0]) || !isDigit(y[0]) {
		return strings.Compare(x, y)
	}
	x, y = strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
	if len(x) != len(y) {
		return len(x) - len(y)
	}
	return strings.Compare(x, y)
}
