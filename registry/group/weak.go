package group

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// appendWeak appends the form of a package path in which variations are equal (guide, "Additional variations"): folded case, characters
// that look alike replaced by one of them (Unicode Technical Standard #39, "skeleton"), and runs of dashes, dots and underscores by one
// dot. Slashes keep the parts apart. Beyond the skeleton it takes compatible characters, as full-width letters, for the plain ones.
func appendWeak(dst, path []byte) []byte {
	for len(path) > 0 {
		c := path[0]
		if !plain(c) {
			n := 1
			for n < len(path) && !plain(path[n]) {
				n++
			}
			dst = appendSkeleton(dst, string(path[:n]))
			path = path[n:]
			continue
		}
		path = path[1:]
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
			dst = appendDot(dst)
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// plain says whether appendWeak knows a character by itself: what the table says of the others in ASCII is rarely asked for, and not
// worth a second copy. No plain character takes part in what Unicode does with its neighbours.
func plain(c byte) bool { return c < utf8.RuneSelf && c != '"' && c != '%' && c != '`' }

// appendDot appends the dot that stands for a run of dashes, dots and underscores. There is none before a path.
func appendDot(dst []byte) []byte {
	if len(dst) > 0 && dst[len(dst)-1] == '.' {
		return dst
	}
	return append(dst, '.')
}

// appendSkeleton is appendWeak for any text of one part of a path. What would become a slash is punctuation and not one that keeps parts
// apart.
func appendSkeleton(dst []byte, text string) []byte {
	var b strings.Builder
	for _, r := range folded(strings.ToValidUTF8(text, "\uFFFD")) { // behind bytes that are no text norm.NFKD may leave characters as they are
		if p := prototype(r); p != "" {
			b.WriteString(p)
		} else {
			b.WriteRune(r)
		}
	}
	for _, c := range []byte(folded(b.String())) {
		if c == '-' || c == '_' || c == '.' || c == '/' {
			dst = appendDot(dst)
		} else {
			dst = append(dst, c)
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
