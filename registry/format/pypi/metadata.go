package pypi

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"packhouse.dev/packhouse/registry"
)

// Bounds of core metadata, in bytes unless said otherwise.
const (
	maxMetadata    = 8 << 20   // of METADATA or PKG-INFO
	maxHeader      = 400 << 10 // of what is kept of the fields; more is left out, as the guide says of metadata
	maxDescription = 64 << 10  // of what is kept of the description
	maxFields      = 20_000
)

// coreMetadata is what METADATA or PKG-INFO says (core metadata specification). Any version of the format is read: what is needed has
// been the same since 1.0.
type coreMetadata struct {
	fields      []field // in order
	description string
}

// field is one line "Name: value", continuation lines joined with "\n".
type field struct{ name, value string } // name in lower case

// parseMetadata reads the header fields and the description below them. Python reads these files as mail messages
// (email.parser with compat32): a line that is neither a field nor a continuation ends the header.
func parseMetadata(raw []byte) (*coreMetadata, error) {
	if len(raw) > maxMetadata {
		return nil, fmt.Errorf("%w: core metadata of more than %d MB", registry.ErrInvalid, maxMetadata>>20)
	}
	text := strings.ToValidUTF8(string(bytes.TrimPrefix(raw, []byte("\ufeff"))), "\ufffd")
	m := &coreMetadata{}
	for text != "" {
		line, rest := cutLine(text)
		if line == "" {
			m.description = rest
			return m, nil
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok || name == "" || strings.ContainsAny(name, " \t") {
			m.description = text
			return m, nil
		}
		if len(m.fields) == maxFields {
			return nil, fmt.Errorf("%w: core metadata with more than %d fields", registry.ErrInvalid, maxFields)
		}
		lines := []string{strings.TrimLeft(value, " \t")}
		for rest != "" && (rest[0] == ' ' || rest[0] == '\t') {
			line, rest = cutLine(rest)
			lines = append(lines, line)
		}
		m.fields = append(m.fields, field{strings.ToLower(name), strings.Join(lines, "\n")})
		text = rest
	}
	return m, nil
}

// cutLine cuts at "\n", "\r\n" or "\r".
func cutLine(text string) (line, rest string) {
	i := strings.IndexAny(text, "\r\n")
	if i < 0 {
		return text, ""
	}
	rest = text[i+1:]
	if text[i] == '\r' {
		rest = strings.TrimPrefix(rest, "\n")
	}
	return text[:i], rest
}

// get returns the first value of a field, "" if there is none. Old tools wrote UNKNOWN for none.
func (m *coreMetadata) get(name string) string {
	for _, f := range m.fields {
		if f.name == name {
			if v := strings.TrimSpace(f.value); v != "UNKNOWN" {
				return v
			}
			return ""
		}
	}
	return ""
}

// all returns every value of a field.
func (m *coreMetadata) all(name string) []string {
	var out []string
	for _, f := range m.fields {
		if v := strings.TrimSpace(f.value); f.name == name && v != "" && v != "UNKNOWN" {
			out = append(out, v)
		}
	}
	return out
}

// identity returns the fields that say whose metadata it is. A name or version that is there twice is refused: tools differ in which
// one they take.
func (m *coreMetadata) identity() (name, version string, err error) {
	for _, f := range []string{"name", "version"} {
		if n := len(m.all(f)); n != 1 {
			return "", "", fmt.Errorf("%w: core metadata has %d fields %q, not one", registry.ErrInvalid, n, f)
		}
	}
	return m.get("name"), m.get("version"), nil
}

// text is the description: the body, or in old files a field whose lines are indented.
func (m *coreMetadata) text() string {
	if body := strings.TrimSpace(m.description); body != "" {
		return m.description
	}
	lines := strings.Split(m.get("description"), "\n")
	for i, l := range lines[1:] {
		l = strings.TrimPrefix(l, "        ")
		lines[i+1] = strings.TrimPrefix(strings.TrimPrefix(l, "       |"), "|")
	}
	return strings.Join(lines, "\n")
}

// requiresPython is the field as pages show it, in one line; "" if it is not there or no specifier.
func (m *coreMetadata) requiresPython() string { return cleanSpecifier(m.get("requires-python")) }

// cleanSpecifier gives a version specifier (">=3.8, <4") with single spaces, and "" for what is none, so that nothing else gets into
// pages.
func cleanSpecifier(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > 500 {
		return ""
	}
	for clause := range strings.SplitSeq(s, ",") {
		clause = strings.TrimSpace(clause)
		version := strings.TrimSpace(strings.TrimLeft(clause, "<>=!~"))
		if clause != "" && (version == "" || version == clause) || strings.ContainsFunc(version, func(r rune) bool { return !isAlnum(r) && !strings.ContainsRune(".*+-_!", r) }) {
			return ""
		}
	}
	return s
}

// document is what is stored of core metadata: all fields, and the description up to a bound. Of fields beyond their bound the longest
// are left out, but never those that say whose they are.
func document(m *coreMetadata) []byte {
	size := 0
	for _, f := range m.fields {
		size += f.size()
	}
	longest := make([]int, 0, len(m.fields))
	for i, f := range m.fields {
		if f.name != "name" && f.name != "version" {
			longest = append(longest, i)
		}
	}
	slices.SortStableFunc(longest, func(a, b int) int { return m.fields[b].size() - m.fields[a].size() })
	left := map[int]bool{}
	for _, i := range longest {
		if size <= maxHeader {
			break
		}
		left[i] = true
		size -= m.fields[i].size()
	}
	var b bytes.Buffer
	for i, f := range m.fields {
		if !left[i] {
			b.WriteString(f.name + ": " + f.value + "\n")
		}
	}
	if d := m.description; strings.TrimSpace(d) != "" {
		if len(d) > maxDescription {
			d = strings.ToValidUTF8(d[:maxDescription], "")
		}
		b.WriteString("\n" + d)
	}
	return b.Bytes()
}

func (f field) size() int { return len(f.name) + len(f.value) + 3 }
