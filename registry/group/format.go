package group

import (
	"fmt"
	"strings"
)

// format is what patterns must know of a package format.
type format struct {
	name      string
	namespace presence
	normal    func(string) string // of names, and of namespaces where there are some; nil: as they are
}

type presence uint8

const (
	optional presence = iota
	none
	needed
)

// formatOf knows the formats of the guide ("Namespaces in package group definitions", "Package group definition and normalization").
func formatOf(name string) (format, bool) {
	switch name {
	case "npm":
		return format{name, optional, nil}, true
	case "maven", "generic":
		return format{name, needed, nil}, true
	case "swift":
		return format{name, needed, strings.ToLower}, true
	case "pypi":
		return format{name, none, normalPython}, true
	case "nuget":
		return format{name, none, strings.ToLower}, true
	case "cargo": // the index has names in lower case only
		return format{name, none, strings.ToLower}, true
	case "ruby":
		return format{name, none, nil}, true
	}
	return format{}, false
}

// normalPython is the normal form of PEP 503.
func normalPython(s string) string {
	var b strings.Builder
	run := false
	for _, r := range strings.ToLower(s) {
		separator := r == '-' || r == '_' || r == '.'
		if separator && !run {
			b.WriteByte('-')
		} else if !separator {
			b.WriteRune(r)
		}
		run = separator
	}
	return b.String()
}

// check says why no package of the format can match: parts are format, namespace and perhaps name.
func (f format) check(parts []string, kind kind) string {
	for _, part := range parts[1:] {
		if len([]rune(part)) > maxPart {
			return fmt.Sprintf("names have at most %d characters", maxPart)
		}
	}
	switch {
	case f.namespace == none && parts[1] != "":
		return fmt.Sprintf("%s packages have no namespace: write /%s//%s", f.name, f.name, parts[len(parts)-1]+kind.String())
	case f.namespace == needed && len(parts) == 3 && parts[1] == "":
		return fmt.Sprintf("%s packages have a namespace: write /%s/NAMESPACE/%s", f.name, f.name, parts[2]+kind.String())
	case f.name == "npm" && strings.HasPrefix(parts[1], "@"):
		return "a scope is written without @"
	}
	if f.normal == nil {
		return ""
	}
	out := "/" + f.name
	for _, part := range parts[1:] {
		out += "/" + f.normal(part)
	}
	if out != "/"+strings.Join(parts, "/") {
		return fmt.Sprintf("%s names are matched in their normal form: write %s", f.name, out+kind.String())
	}
	return ""
}

// String is the suffix.
func (k kind) String() string { return string("*~$"[k]) }
