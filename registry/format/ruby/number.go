package ruby

import (
	"cmp"
	"strings"
)

// compareNumbers orders version numbers as Gem::Version does: segment by segment, letters before numbers, zeros before the first letter
// and at the end do not count. What is no number comes first.
func compareNumbers(a, b string) int {
	if isNumber(a) != isNumber(b) {
		if isNumber(a) {
			return 1
		}
		return -1
	}
	if !isNumber(a) {
		return strings.Compare(a, b)
	}
	x, y := canonical(a), canonical(b)
	for i := range max(len(x), len(y)) {
		l, r := "0", "0"
		if i < len(x) {
			l = x[i]
		}
		if i < len(y) {
			r = y[i]
		}
		if c := compareSegments(l, r); c != 0 {
			return c
		}
	}
	return 0
}

func compareSegments(l, r string) int {
	switch lw, rw := isLetter(l[0]), isLetter(r[0]); {
	case lw && rw:
		return strings.Compare(l, r)
	case lw:
		return -1
	case rw:
		return 1
	}
	return cmp.Or(cmp.Compare(len(l), len(r)), strings.Compare(l, r)) // without leading zeros, the longer is the larger
}

// canonical cuts a number into runs of digits and runs of letters, and drops the zeros that do not count
// (Gem::Version#canonical_segments).
func canonical(number string) []string {
	var all []string
	for part := range strings.SplitSeq(number, ".") {
		for part != "" {
			n := 1
			for n < len(part) && isDigit(part[n]) == isDigit(part[0]) {
				n++
			}
			run := part[:n]
			if isDigit(run[0]) {
				run = cmp.Or(strings.TrimLeft(run, "0"), "0")
			}
			all, part = append(all, run), part[n:]
		}
	}
	first := 0
	for first < len(all) && isDigit(all[first][0]) {
		first++
	}
	return append(withoutZeros(all[:first:first]), withoutZeros(all[first:])...)
}

func withoutZeros(s []string) []string {
	for len(s) > 0 && s[len(s)-1] == "0" {
		s = s[:len(s)-1]
	}
	return s
}
