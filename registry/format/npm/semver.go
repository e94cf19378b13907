package npm

import (
	"cmp"
	"strconv"
	"strings"
)

// The limits of node-semver, which every client applies.
const (
	maxVersionLength = 256
	maxVersionNumber = 1<<53 - 1
)

// version is a semantic version 2.0.0 as node-semver reads it in strict mode.
type version struct {
	core  [3]uint64
	pre   string // without "-"
	build string // without "+"
}

// parseVersion reads a strict semantic version.
func parseVersion(s string) (version, bool) {
	var v version
	if len(s) > maxVersionLength {
		return v, false
	}
	s, build, hasBuild := strings.Cut(s, "+")
	s, pre, hasPre := strings.Cut(s, "-")
	if hasBuild && !identifiers(build, false) || hasPre && !identifiers(pre, true) {
		return v, false
	}
	v.pre, v.build = pre, build
	for i := range v.core {
		part, rest, more := strings.Cut(s, ".")
		if more == (i == len(v.core)-1) || !number(part) {
			return v, false
		}
		n, err := strconv.ParseUint(part, 10, 64)
		if err != nil || n > maxVersionNumber {
			return v, false
		}
		v.core[i], s = n, rest
	}
	return v, true
}

// key is the identity of the version: build metadata distinguishes nothing.
func (v version) key() string {
	s := strconv.FormatUint(v.core[0], 10) + "." + strconv.FormatUint(v.core[1], 10) + "." + strconv.FormatUint(v.core[2], 10)
	if v.pre != "" {
		s += "-" + v.pre
	}
	return s
}

// identifiers says whether s is a list of identifiers, separated by dots. Numeric ones have no leading zero if they are ordered.
func identifiers(s string, ordered bool) bool {
	for id := range strings.SplitSeq(s, ".") {
		if id == "" || ordered && digits(id) && !number(id) {
			return false
		}
		for i := range len(id) {
			if c := id[i]; c != '-' && !isAlnum(c) {
				return false
			}
		}
	}
	return true
}

func isAlnum(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// number is a decimal without leading zeros.
func number(s string) bool { return digits(s) && (s == "0" || s[0] != '0') }

// compareVersions orders by precedence (semver 2.0.0, 11).
func compareVersions(a, b version) int {
	for i := range a.core {
		if c := cmp.Compare(a.core[i], b.core[i]); c != 0 {
			return c
		}
	}
	switch {
	case a.pre == b.pre:
		return 0
	case a.pre == "":
		return 1
	case b.pre == "":
		return -1
	}
	return comparePre(a.pre, b.pre)
}

func comparePre(a, b string) int {
	for {
		x, restA, moreA := strings.Cut(a, ".")
		y, restB, moreB := strings.Cut(b, ".")
		if c := compareIdentifiers(x, y); c != 0 {
			return c
		}
		if !moreA || !moreB {
			return boolInt(moreA) - boolInt(moreB)
		}
		a, b = restA, restB
	}
}

// compareIdentifiers: numbers by value, before words; words by bytes. Numbers may be longer than any integer type.
func compareIdentifiers(x, y string) int {
	nx, ny := digits(x), digits(y)
	switch {
	case nx && ny:
		return cmp.Or(cmp.Compare(len(x), len(y)), strings.Compare(x, y))
	case nx != ny:
		return boolInt(ny) - boolInt(nx)
	}
	return strings.Compare(x, y)
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// isRange says whether clients would read a tag as a range of versions and so never look it up: "1", "v1.2", "1.x", "~1.2.3-a". Only
// the ranges that consist of characters of tags are looked for.
func isRange(tag string) bool {
	s := strings.TrimPrefix(tag, "~")
	s = strings.TrimLeft(s, "v")
	plain, build, hasBuild := strings.Cut(s, "+")
	plain, pre, hasPre := strings.Cut(plain, "-")
	parts := strings.Split(plain, ".")
	if len(parts) > 3 || (hasPre || hasBuild) && len(parts) < 3 {
		return false
	}
	for _, p := range parts {
		if p != "x" && p != "X" && p != "*" && !number(p) {
			return false
		}
	}
	return (!hasPre || identifiers(pre, true)) && (!hasBuild || identifiers(build, false))
}
