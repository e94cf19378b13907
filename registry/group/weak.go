package group

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// appendWeak appends the form of a package path in which variations are equal (guide, "Additional variations"): folded case, characters
// that look alike replaced by one of them (Unicode Technical Standard #39, "skeleton"), and runs of dashes, dots and underscores by one
// dot. Slashes keep the parts apart.
func appendWeak(dst, path []byte) []byte {
	start := len(dst)
	for _, c := range path {
		if c >= utf8.RuneSelf || c == '"' || c == '%' || c == '`' { // rare, and not worth a second copy of the table
			return appendWeakText(dst[:start], string(path))
		}
		switch {
		case c >= 'A' && c <= 'Z':
			c += 'a' - 'A'
		case c == '0':
			c = 'o'
		case c == '1' || c == '|':
			c = 'l'
		}
		switch c {
		case 'm':
			dst = append(dst, 'r', 'n')
		case '-', '_', '.':
			if len(dst) == start || dst[len(dst)-1] != '.' {
				dst = append(dst, '.')
			}
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// appendWeakText is appendWeak for any text. Beyond the skeleton it takes compatible characters, as full-width letters, for the plain
// ones. What would become a slash is punctuation and not one that keeps parts apart.
func appendWeakText(dst []byte, path string) []byte {
	for i, part := range strings.Split(path, "/") {
		if i > 0 {
			dst = append(dst, '/')
		}
		var b strings.Builder
		for _, r := range folded(part) {
			if p := prototype(r); p != "" {
				b.WriteString(p)
			} else {
				b.WriteRune(r)
			}
		}
		start := len(dst)
		for _, c := range []byte(folded(b.String())) {
			switch {
			case c != '-' && c != '_' && c != '.' && c != '/':
				dst = append(dst, c)
			case len(dst) == start || dst[len(dst)-1] != '.':
				dst = append(dst, '.')
			}
		}
	}
	return dst
}

// folded does away with case and with compatible forms of one character.
func folded(s string) string {
	return norm.NFKD.String(cases.Fold().String(norm.NFKD.String(s)))
}

// prototype returns what stands for a confusable character, "" for others. It searches the lines of the table, halving.
func prototype(r rune) string {
	low, high := 0, len(confusables) // both at the beginning of a line, or at the end
	for low < high {
		at := low + (high-low)/2
		at = low + strings.LastIndexByte(confusables[low:at], '\n') + 1
		end := at + strings.IndexByte(confusables[at:], '\n')
		have, n := utf8.DecodeRuneInString(confusables[at:])
		switch {
		case have == r:
			return confusables[at+n : end]
		case have < r:
			low = end + 1
		default:
			high = at
		}
	}
	return ""
}
