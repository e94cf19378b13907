package nuget

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"packhouse.dev/packhouse/registry"
)

// version is a NuGet version: up to four numbers, labels and metadata (https://learn.microsoft.com/nuget/concepts/package-versioning).
type version struct {
	numbers  [4]int32
	labels   []string
	metadata string
}

func badVersion(s string) error {
	return fmt.Errorf("%w: %q is not a NuGet version such as 1.2.3, 1.2.3.4 or 1.2.3-beta.1", registry.ErrInvalid, registry.Clip(s))
}

// parseVersion reads what NuGetVersion.Parse reads, without its white space.
func parseVersion(s string) (version, error) {
	if s == "" || len(s) > 2*maxVersion {
		return version{}, badVersion(s)
	}
	var v version
	core, metadata, tagged := strings.Cut(s, "+")
	core, labels, labelled := strings.Cut(core, "-")
	if tagged && !isLabels(metadata) || labelled && !isLabels(labels) {
		return version{}, badVersion(s)
	}
	v.metadata = metadata
	if labelled {
		v.labels = strings.Split(labels, ".")
	}
	parts := strings.Split(core, ".")
	if len(parts) > len(v.numbers) {
		return version{}, badVersion(s)
	}
	for i, p := range parts {
		n, err := strconv.ParseInt(p, 10, 32)
		if err != nil || p[0] < '0' || p[0] > '9' {
			return version{}, badVersion(s)
		}
		v.numbers[i] = int32(n)
	}
	if len(v.key()) > maxVersion {
		return version{}, fmt.Errorf("%w: the version %q has more than %d characters", registry.ErrInvalid, registry.Clip(s), maxVersion)
	}
	return v, nil
}

// isLabels says whether s is identifiers of letters, digits and "-", with points between.
func isLabels(s string) bool {
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || strings.ContainsFunc(label, func(r rune) bool {
			return !('0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || r == '-')
		}) {
			return false
		}
	}
	return true
}

// normalised is the version without metadata: three numbers, and the fourth if it is not 0.
func (v version) normalised() string {
	b := make([]byte, 0, maxVersion)
	for i, n := range v.numbers {
		if i == 3 && n == 0 {
			break
		}
		if i > 0 {
			b = append(b, '.')
		}
		b = strconv.AppendInt(b, int64(n), 10)
	}
	for i, l := range v.labels {
		b = append(b, "-."[min(i, 1)])
		b = append(b, l...)
	}
	return string(b)
}

// full is the normalised version with its metadata, which registrations show.
func (v version) full() string {
	if v.metadata == "" {
		return v.normalised()
	}
	return v.normalised() + "+" + v.metadata
}

func (v version) key() string { return strings.ToLower(v.normalised()) }

// semVer2 says whether clients that know no Semantic Versioning 2 cannot read it.
func (v version) semVer2() bool { return len(v.labels) > 1 || v.metadata != "" }

func (v version) prerelease() bool { return len(v.labels) > 0 }

// compare orders by precedence; letter case and metadata count for nothing.
func (v version) compare(w version) int {
	for i := range v.numbers {
		if c := cmp.Compare(v.numbers[i], w.numbers[i]); c != 0 {
			return c
		}
	}
	switch {
	case len(v.labels) == 0 || len(w.labels) == 0:
		return cmp.Compare(len(w.labels), len(v.labels)) // that without labels is the release
	default:
		for i := range min(len(v.labels), len(w.labels)) {
			if c := compareLabels(v.labels[i], w.labels[i]); c != 0 {
				return c
			}
		}
		return cmp.Compare(len(v.labels), len(w.labels))
	}
}

// compareLabels has numbers before words, and numbers that NuGet cannot hold are words.
func compareLabels(a, b string) int {
	x, errX := strconv.ParseInt(a, 10, 32)
	y, errY := strconv.ParseInt(b, 10, 32)
	switch {
	case errX == nil && errY == nil:
		return cmp.Compare(x, y)
	case errX == nil:
		return -1
	case errY == nil:
		return 1
	}
	return strings.Compare(strings.ToUpper(a), strings.ToUpper(b))
}

// versionRange is what a dependency wants (https://learn.microsoft.com/nuget/concepts/package-versioning#version-ranges).
type versionRange struct {
	min, max                 *version // nil: no bound
	fromIncluded, toIncluded bool     // min and max themselves
}

// parseRange reads a range of a package; floating ones are for projects only. "" is any version.
func parseRange(s string) (versionRange, error) {
	bad := fmt.Errorf("%w: %q is not a range of versions such as 1.0 or [1.0,2.0)", registry.ErrInvalid, registry.Clip(s))
	s = strings.TrimSpace(s)
	if len(s) > 4*maxVersion {
		return versionRange{}, bad
	}
	if s == "" {
		return versionRange{}, nil
	}
	if s[0] != '[' && s[0] != '(' {
		v, err := parseVersion(s)
		if err != nil {
			return versionRange{}, bad
		}
		return versionRange{min: &v, fromIncluded: true}, nil
	}
	end := s[len(s)-1]
	if len(s) < 3 || end != ']' && end != ')' {
		return versionRange{}, bad
	}
	r := versionRange{fromIncluded: s[0] == '[', toIncluded: end == ']'}
	from, to, two := strings.Cut(s[1:len(s)-1], ",")
	for _, bound := range []struct {
		text string
		at   **version
	}{{from, &r.min}, {to, &r.max}} {
		text := strings.TrimSpace(bound.text)
		if text == "" {
			continue
		}
		v, err := parseVersion(text)
		if err != nil {
			return versionRange{}, bad
		}
		*bound.at = &v
	}
	if !two { // [1.0] is exactly that
		if r.min == nil || !r.fromIncluded || !r.toIncluded {
			return versionRange{}, bad
		}
		r.max = r.min
	}
	return r, nil
}

// String is the form of VersionRange.ToNormalizedString.
func (r versionRange) String() string {
	b := []byte{"(["[index(r.min != nil && r.fromIncluded)]}
	if r.min != nil {
		b = append(b, r.min.full()...)
	}
	b = append(b, ", "...)
	if r.max != nil {
		b = append(b, r.max.full()...)
	}
	return string(append(b, ")]"[index(r.max != nil && r.toIncluded)]))
}

func index(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (r versionRange) semVer2() bool {
	return r.min != nil && r.min.semVer2() || r.max != nil && r.max.semVer2()
}
