// Package semver is Semantic Versioning 2.0.0 (https://semver.org) as npm, Cargo and SwiftPM read it: strict, with 64-bit numbers.
package semver

import (
	"cmp"
	"strconv"
	"strings"
)

// MaxLength bounds a version, in bytes.
const MaxLength = 256

// Version is a parsed version.
type Version struct {
	Major, Minor, Patch uint64
	Pre                 string // pre-release, without "-"
	Build               string // build metadata, without "+"
}

// Parse reads a version; false if it is none.
func Parse(s string) (Version, bool) {
	var v Version
	if len(s) > MaxLength {
		return v, false
	}
	s, build, hasBuild := strings.Cut(s, "+")
	s, pre, hasPre := strings.Cut(s, "-")
	if hasBuild && !identifiers(build, false) || hasPre && !identifiers(pre, true) {
		return v, false
	}
	v.Pre, v.Build = pre, build
	numbers := [...]*uint64{&v.Major, &v.Minor, &v.Patch}
	for i, n := range numbers {
		part, rest, more := strings.Cut(s, ".")
		if more == (i == len(numbers)-1) || !number(part) {
			return Version{}, false
		}
		var err error
		if *n, err = strconv.ParseUint(part, 10, 64); err != nil {
			return Version{}, false
		}
		s = rest
	}
	return v, true
}

// Key is the version without build metadata, which distinguishes nothing in precedence.
func (v Version) Key() string {
	s := strconv.FormatUint(v.Major, 10) + "." + strconv.FormatUint(v.Minor, 10) + "." + strconv.FormatUint(v.Patch, 10)
	if v.Pre != "" {
		s += "-" + v.Pre
	}
	return s
}

// String is the version as it was written.
func (v Version) String() string {
	if v.Build == "" {
		return v.Key()
	}
	return v.Key() + "+" + v.Build
}

// Compare orders by precedence (semver 2.0.0, 11): build metadata does not count.
func Compare(a, b Version) int {
	if c := cmp.Or(cmp.Compare(a.Major, b.Major), cmp.Compare(a.Minor, b.Minor), cmp.Compare(a.Patch, b.Patch)); c != 0 {
		return c
	}
	switch {
	case a.Pre == b.Pre:
		return 0
	case a.Pre == "":
		return 1
	case b.Pre == "":
		return -1
	}
	return comparePre(a.Pre, b.Pre)
}

// CompareStrings orders versions as Compare, and what is no version by bytes, before them.
func CompareStrings(a, b string) int {
	va, okA := Parse(a)
	vb, okB := Parse(b)
	switch {
	case okA && okB:
		return cmp.Or(Compare(va, vb), strings.Compare(va.Build, vb.Build))
	case okA:
		return 1
	case okB:
		return -1
	}
	return strings.Compare(a, b)
}

func comparePre(a, b string) int {
	for {
		x, restA, moreA := strings.Cut(a, ".")
		y, restB, moreB := strings.Cut(b, ".")
		if c := compareIdentifiers(x, y); c != 0 {
			return c
		}
		switch {
		case !moreA && !moreB:
			return 0
		case !moreA:
			return -1
		case !moreB:
			return 1
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
	case nx:
		return -1
	case ny:
		return 1
	}
	return strings.Compare(x, y)
}

// identifiers says whether s is a list of identifiers, separated by dots. Numeric ones have no leading zero if they are ordered.
func identifiers(s string, ordered bool) bool {
	for id := range strings.SplitSeq(s, ".") {
		if id == "" || ordered && digits(id) && !number(id) {
			return false
		}
		for i := range len(id) {
			if c := id[i]; c != '-' && !('0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z') {
				return false
			}
		}
	}
	return true
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
