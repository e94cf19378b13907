package ruby

import (
	"cmp"
	"fmt"
	"strings"

	"packhouse.dev/packhouse/registry"
)

// Name is the name of the format, and of nothing else.
const Name registry.Format = "ruby"

// Limits of rubygems.org, in bytes.
const (
	maxName    = 255
	maxVersion = 255
)

const gemExtension = ".gem"

// defaultPlatform is that of gems without native code; it is left out of file names.
const defaultPlatform = "ruby"

// names implements format.Names.
type names struct{}

// Package returns the identity of a gem: its name as it is, since clients tell letter case apart. There are no namespaces.
func (names) Package(namespace, name string) (registry.PackageID, error) {
	if namespace != "" {
		return registry.PackageID{}, fmt.Errorf("%w: gems have no namespace", registry.ErrInvalid)
	}
	if !isGemName(name) {
		return registry.PackageID{}, fmt.Errorf("%w: %q is not a gem name: letters, digits, \".\", \"_\" and \"-\", with a letter or digit or \"_\" first and at least one letter",
			registry.ErrInvalid, registry.Clip(name))
	}
	return registry.PackageID{Format: Name, Name: name}, nil
}

// Version returns number[-platform]; the default platform is left out.
func (names) Version(raw string) (string, error) {
	number, platform := splitVersion(raw)
	return versionKey(number, platform)
}

// versionKey joins and checks the parts of a version.
func versionKey(number, platform string) (string, error) {
	if !isNumber(number) {
		return "", fmt.Errorf("%w: %q is not a version number of a gem", registry.ErrInvalid, registry.Clip(number))
	}
	if platform == "" || platform == defaultPlatform {
		return number, nil
	}
	if !isPlatform(platform) {
		return "", fmt.Errorf("%w: %q is not a platform of a gem", registry.ErrInvalid, registry.Clip(platform))
	}
	return number + "-" + platform, nil
}

// splitVersion cuts a key; platform is the default one if it names none. Numbers have no hyphen (Gem::Version makes it ".pre.").
func splitVersion(key string) (number, platform string) {
	number, platform, _ = strings.Cut(key, "-")
	return number, cmp.Or(platform, defaultPlatform)
}

// Asset accepts file names.
func (names) Asset(raw string) (string, error) {
	if raw == "" || len(raw) > 1024 || raw == "." || raw == ".." || strings.ContainsFunc(raw, func(r rune) bool {
		return r <= ' ' || r == '/' || r == '\\' || r > '~'
	}) {
		return "", fmt.Errorf("%w: %q is not an asset name", registry.ErrInvalid, registry.Clip(raw))
	}
	return raw, nil
}

// Compare orders by number, the default platform first among equals; what is no version comes first.
func (names) Compare(a, b string) int {
	an, ap := splitVersion(a)
	bn, bp := splitVersion(b)
	if c := compareNumbers(an, bn); c != 0 {
		return c
	}
	if (ap == defaultPlatform) != (bp == defaultPlatform) {
		if ap == defaultPlatform {
			return -1
		}
		return 1
	}
	return cmp.Or(strings.Compare(ap, bp), strings.Compare(an, bn))
}

// isGemName is the rule of rubygems.org. Endings that addresses give a meaning of their own are no names.
func isGemName(s string) bool {
	if s == "" || len(s) > maxName || !isAlphanumeric(s[0]) && s[0] != '_' {
		return false
	}
	letters := false
	for i := range len(s) {
		if c := s[i]; !isAlphanumeric(c) && c != '.' && c != '_' && c != '-' {
			return false
		} else if isLetter(c) {
			letters = true
		}
	}
	for _, end := range []string{gemExtension, ".json", ".html", ".gemspec"} {
		if strings.HasSuffix(s, end) {
			return false
		}
	}
	return letters
}

// isNumber is Gem::Version::VERSION_PATTERN without hyphens.
func isNumber(s string) bool {
	if s == "" || len(s) > maxVersion {
		return false
	}
	first := true
	for part := range strings.SplitSeq(s, ".") {
		if part == "" {
			return false
		}
		for i := range len(part) {
			if c := part[i]; !isDigit(c) && (first || !isLetter(c)) {
				return false
			}
		}
		first = false
	}
	return true
}

// isPlatform accepts what may stand in a file name.
func isPlatform(s string) bool {
	if s == "" || len(s) > 128 || !isAlphanumeric(s[0]) {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !isAlphanumeric(c) && c != '.' && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

func isLetter(c byte) bool       { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }
func isDigit(c byte) bool        { return '0' <= c && c <= '9' }
func isAlphanumeric(c byte) bool { return isLetter(c) || isDigit(c) }

// isPrerelease says whether a number has a letter (Gem::Version#prerelease?).
func isPrerelease(number string) bool {
	return strings.ContainsFunc(number, func(r rune) bool { return r < 0x80 && isLetter(byte(r)) })
}

// fullName is a version's name in files: that of the gem and the key.
func fullName(name, key string) string { return name + "-" + key }

// fileName is the name of the gem of a version.
func fileName(id registry.VersionID) string {
	return fullName(id.Package.Name, id.Version) + gemExtension
}

// readings lists the identities that a full name may mean: hyphens are allowed in names and in platforms alike. The likeliest, whose
// platform begins with a letter, come first.
func readings(full string) []registry.VersionID {
	var likely, others []registry.VersionID
	for i := 1; i < len(full)-1; i++ {
		if full[i] != '-' || !isDigit(full[i+1]) {
			continue
		}
		id, err := names{}.Package("", full[:i])
		if err != nil {
			continue
		}
		key, err := names{}.Version(full[i+1:])
		if err != nil || key != full[i+1:] {
			continue
		}
		v := registry.VersionID{Package: id, Version: key}
		if _, platform := splitVersion(key); isLetter(platform[0]) {
			likely = append(likely, v)
		} else {
			others = append(others, v)
		}
	}
	out := append(likely, others...)
	return out[:min(len(out), maxReadings)]
}

// maxReadings bounds how many gems one address makes the registry look for.
const maxReadings = 4
