package npm

import (
	"slices"
	"strings"

	"packhouse.dev/packhouse/registry/internal/semver"
)

// maxVersionNumber is a limit of node-semver, which every client applies.
const maxVersionNumber = 1<<53 - 1

// parseVersion reads a semantic version as node-semver does in strict mode.
func parseVersion(s string) (semver.Version, bool) {
	v, ok := semver.Parse(s)
	return v, ok && max(v.Major, v.Minor, v.Patch) <= maxVersionNumber
}

// isRange says whether clients would read a tag as a range of versions and so never look it up: "1", "v1.2", "1.x", "~1.2.3-a". Only
// the ranges that consist of characters of tags are looked for.
func isRange(tag string) bool {
	s := strings.TrimLeft(strings.TrimPrefix(tag, "~"), "v")
	core, suffix := s, ""
	if i := strings.IndexAny(s, "-+"); i >= 0 {
		core, suffix = s[:i], s[i:]
	}
	parts := strings.Split(core, ".")
	if len(parts) > 3 || suffix != "" && len(parts) < 3 {
		return false
	}
	for i, p := range parts {
		if p == "x" || p == "X" || p == "*" {
			parts[i] = "0"
		}
	}
	parts = append(parts, slices.Repeat([]string{"0"}, 3-len(parts))...)
	_, ok := parseVersion(strings.Join(parts, ".") + suffix)
	return ok
}
