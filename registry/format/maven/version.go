package maven

import (
	"cmp"
	"slices"
	"strings"
)

// token is a part of a version between dots, hyphens and changes from digits to letters or back.
//
// The order of tokens is that of the specification: a qualifier before a number after a hyphen, and that before a number after a dot.
// The end of a version stands where the empty qualifier stands. Nulls before a hyphen are cut, so that a number that is left is
// greater than the end whatever it is; versions are then compared token by token, which is a strict weak order.
type token struct {
	kind  kind
	rank  int    // of a qualifier
	value string // digits without leading zeros, or an unknown qualifier
}

type kind uint8

const (
	qualifier kind = iota
	hyphened       // a number after a hyphen
	dotted         // a number after a dot, or the first
)

// Ranks of qualifiers (specification: "alpha" < "beta" < "milestone" < "rc" < "snapshot" < "" < "sp" < any other).
const (
	rankAlpha = iota - 5
	rankBeta
	rankMilestone
	rankRC
	rankSnapshot
	rankRelease // also the end of a version
	rankSP
	rankOther
)

// Compare implements format.Names by the order of Maven; a build of a snapshot stands beside its snapshot, before the release.
// Versions that Maven holds for equal are ordered by their bytes.
func (names) Compare(a, b string) int {
	if a == b {
		return 0
	}
	x, y := tokens(a[:min(len(a), maxName)]), tokens(b[:min(len(b), maxName)])
	return cmp.Or(slices.CompareFunc(padded(x, y), padded(y, x), compareTokens), strings.Compare(a, b))
}

// padded are as many tokens as v or other has, with ends.
func padded(v, other []token) []token {
	for range len(other) - len(v) {
		v = append(v, token{})
	}
	return v
}

func compareTokens(a, b token) int {
	if a.kind != b.kind {
		return cmp.Compare(a.kind, b.kind)
	}
	if a.kind == qualifier {
		return cmp.Or(cmp.Compare(a.rank, b.rank), strings.Compare(a.value, b.value))
	}
	return compareNumbers(a.value, b.value)
}

// compareNumbers compares digits without leading zeros, however many.
func compareNumbers(a, b string) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}

func trimZeros(digits string) string { return strings.TrimLeft(digits, "0") }

// tokens splits a version (https://maven.apache.org/pom.html#Version_Order_Specification).
func tokens(version string) []token {
	if b, ok := parseBuild(version); ok {
		return append(tokens(b.base+"-snapshot"), token{dotted, 0, trimZeros(strings.Replace(b.timestamp, ".", "", 1))}, token{dotted, 0, trimZeros(b.number)})
	}
	var out []token
	s := strings.ToLower(version)
	hyphen := false
	for i := 0; ; {
		start := i
		digits := i < len(s) && isDigit(s[i])
		for i < len(s) && s[i] != '.' && s[i] != '-' && isDigit(s[i]) == digits {
			i++
		}
		before := i < len(s) && isDigit(s[i]) && !digits && i > start
		out = appendToken(out, s[start:i], digits, hyphen, before)
		if i == len(s) {
			return trimNulls(out)
		}
		hyphen = s[i] != '.'
		if s[i] == '.' || s[i] == '-' {
			i++
		}
	}
}

// appendToken adds a token. before says that a digit follows at once, which makes letters abbreviations.
func appendToken(out []token, s string, digits, hyphen, before bool) []token {
	if s == "" { // nothing between separators is a null
		digits = true
	}
	t := token{kind: dotted, value: trimZeros(s)}
	switch {
	case !digits:
		t = qualifierOf(s, before)
	case hyphen && len(out) > 0:
		t.kind = hyphened
	}
	if t.kind != dotted {
		out = trimNulls(out)
	}
	return append(out, t)
}

// trimNulls cuts zeros and empty qualifiers from the end.
func trimNulls(list []token) []token {
	for len(list) > 0 && list[len(list)-1].null() {
		list = list[:len(list)-1]
	}
	return list
}

func (t token) null() bool { return t.value == "" && (t.kind != qualifier || t.rank == rankRelease) }

func qualifierOf(s string, beforeDigit bool) token {
	switch {
	case s == "alpha", s == "a" && beforeDigit:
		return token{rank: rankAlpha}
	case s == "beta", s == "b" && beforeDigit:
		return token{rank: rankBeta}
	case s == "milestone", s == "m" && beforeDigit:
		return token{rank: rankMilestone}
	case s == "rc", s == "cr":
		return token{rank: rankRC}
	case s == "snapshot":
		return token{rank: rankSnapshot}
	case s == "ga", s == "final", s == "release":
		return token{rank: rankRelease}
	case s == "sp":
		return token{rank: rankSP}
	}
	return token{rank: rankOther, value: s}
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
