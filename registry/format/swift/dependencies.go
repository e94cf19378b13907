package swift

import (
	"path"
	"regexp"
	"strings"

	"packhouse.dev/packhouse/registry/format"
)

// maxDependencies bounds what is shown of a manifest.
const maxDependencies = 200

var (
	// dependencyCall is a dependency in a manifest: .package(id: "mona.LinkedList", from: "1.0.0"), or with a URL.
	dependencyCall = regexp.MustCompile(`\.package\(\s*(?:name:\s*"[^"\n]{0,200}"\s*,\s*)?(id|url):\s*"([^"\n]{1,500})"\s*,\s*([^\n]{1,300})`)
	lineComment    = regexp.MustCompile(`(?m)(^|\s)//.*$`)
	blockComment   = regexp.MustCompile(`(?s)/\*.*?\*/`)
)

// dependencies lists those of a manifest. A manifest is a program; only what stands in it literally is found, for people to look at.
func dependencies(manifest string) []format.Dependency {
	text := lineComment.ReplaceAllString(blockComment.ReplaceAllString(manifest, ""), "")
	var out []format.Dependency
	for _, m := range dependencyCall.FindAllStringSubmatch(text, maxDependencies) {
		d := format.Dependency{Requirement: requirement(m[3])}
		if m[1] == "id" {
			scope, name, ok := strings.Cut(m[2], ".")
			if !ok {
				continue
			}
			d.Namespace, d.Package = scope, name
		} else {
			d.Package = strings.TrimSuffix(path.Base(strings.TrimSuffix(m[2], "/")), ".git")
		}
		out = append(out, d)
	}
	return out
}

// requirement is the text up to the parenthesis that closes the call.
func requirement(s string) string {
	depth := 0
	for i, c := range s {
		switch c {
		case '(':
			depth++
		case ')':
			if depth--; depth < 0 {
				return strings.TrimSpace(strings.TrimRight(strings.TrimSpace(s[:i]), ","))
			}
		}
	}
	return strings.TrimSpace(strings.TrimRight(strings.TrimSpace(s), ","))
}
