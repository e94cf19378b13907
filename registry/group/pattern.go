// Package group finds the package group of a package and says what the group allows, purely. Patterns, their hierarchy and what strong
// and weak matches are is told by the user guide, "Package group definition syntax and matching behavior"; how versions may come in,
// by "Package group origin controls".
package group

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"packhouse.dev/packhouse/registry"
)

// Pattern is the definition of a package group, parsed. It is comparable; patterns that are written differently and mean the same are
// equal.
type Pattern struct {
	prefix string // of package paths: "/npm/space/anycompany-ui"
	kind   kind
}

// kind is what may follow the prefix. A later one is more specific.
type kind uint8

const (
	anything kind = iota // "*"
	word                 // "~": the end, or what is no part of a word
	exact                // "$": nothing
)

// Bounds of a pattern, in characters (service model, PackageGroupPattern, PackageName, PackageNamespace).
const (
	maxPattern = 520
	maxPart    = 255
)

// Root is the pattern of the group that has all packages that no other group has.
func Root() Pattern { return Pattern{prefix: "/"} }

// Parse reads a pattern:
//
//	/*                  every package
//	/npm/*              a format
//	/maven/com.any~     namespaces that begin with words; /maven/com.* with any characters
//	/npm/space/*        a namespace; /npm//* is the empty one
//	/npm/space/any-ui~  names that begin with words; /npm/space/any-* with any characters
//	/npm/space/any-ui$  one package
//
// A pattern that could match no package is an error that says what to write; errors wrap registry.ErrInvalid.
func Parse(text string) (Pattern, error) {
	fail := func(format string, args ...any) (Pattern, error) {
		return Pattern{}, fmt.Errorf("%w: pattern %.600q: %s", registry.ErrInvalid, text, fmt.Sprintf(format, args...))
	}
	if problem := spelling(text); problem != "" {
		return fail("%s", problem)
	}
	body, suffix := text[1:len(text)-1], text[len(text)-1]
	kind, ok := map[byte]kind{'*': anything, '~': word, '$': exact}[suffix]
	if !ok {
		return fail("it ends with $ (one package), ~ (words) or *")
	}
	parts := strings.Split(body, "/")
	last := parts[len(parts)-1]
	if len(parts) == 1 {
		switch {
		case body == "" && kind == anything:
			return Root(), nil
		case body == "":
			return fail("all packages are /*")
		}
		return fail("a format is written whole: /%s/*", body)
	}
	switch {
	case len(parts) > 3:
		return fail("it has more parts than format, namespace and name")
	case kind == exact && (len(parts) < 3 || last == ""):
		return fail("$ ends a full coordinate: /format/namespace/name$")
	case kind == word && !endsWord(last):
		return fail("~ follows a word; after another character write *")
	case kind == anything && endsWord(last):
		return fail("* follows a slash or another character that is no part of a word; after a word write ~")
	}
	if parts[0] == "python" { // the guide writes it once
		parts[0] = "pypi"
	}
	f, ok := formatOf(parts[0])
	if !ok {
		return fail("there is no package format %q", parts[0])
	}
	if problem := f.check(parts, kind); problem != "" {
		return fail("%s", problem)
	}
	return Pattern{prefix: "/" + strings.Join(parts, "/"), kind: kind}, nil
}

// spelling checks what does not depend on structure.
func spelling(text string) string {
	switch {
	case !utf8.ValidString(text):
		return "it is not UTF-8"
	case len(text) < 2 || text[0] != '/':
		return "it begins with a slash and ends with $, ~ or *"
	case utf8.RuneCountInString(text) > maxPattern:
		return fmt.Sprintf("it is longer than %d characters", maxPattern)
	}
	for _, r := range text {
		if unicode.IsSpace(r) || unicode.Is(unicode.C, r) || r == '#' {
			return fmt.Sprintf("package names do not have %q", r)
		}
	}
	return ""
}

// endsWord says whether s ends with a letter, a number or a mark.
func endsWord(s string) bool {
	r, n := utf8.DecodeLastRuneInString(s)
	return n > 0 && inWord(r)
}

// inWord is the guide's [\p{L}\p{N}\p{M}].
func inWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r) }

// String is the pattern as it is written.
func (p Pattern) String() string { return p.prefix + p.kind.String() }

// IsRoot says whether the pattern is /*.
func (p Pattern) IsRoot() bool { return p == Root() }

// Encoded is the pattern as it stands in ARNs, with its slash in front (guide, "Package group ARNs"): /npm/%2a.
func (p Pattern) Encoded() string {
	return strings.NewReplacer("%", "%25", "*", "%2a", "$", "%24").Replace(p.String())
}

// Decode reads what Encoded wrote. There is one spelling: %2A, a bare * and other escapes are errors.
func Decode(encoded string) (Pattern, error) {
	text := strings.NewReplacer("%25", "%", "%2a", "*", "%24", "$").Replace(encoded)
	p, err := Parse(text)
	if err != nil {
		return Pattern{}, err
	}
	if p.Encoded() != encoded {
		return Pattern{}, fmt.Errorf("%w: %q is no encoded pattern; it would be %q", registry.ErrInvalid, encoded, p.Encoded())
	}
	return p, nil
}

// matches says whether the path, which begins with the prefix, matches.
func (k kind) matches(rest []byte) bool {
	switch k {
	case anything:
		return true
	case exact:
		return len(rest) == 0
	}
	r, n := utf8.DecodeRune(rest)
	return n == 0 || !inWord(r)
}
