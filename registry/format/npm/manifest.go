package npm

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"packhouse.dev/packhouse/registry"
)

// maxDocument bounds the stored metadata of a version. What is beyond is left out and the version is served without it (guide,
// "Package version details": information above 400 KB is not processed). What an installation needs is never left out.
const maxDocument = 400 << 10

// maxReadme bounds a readme.
const maxReadme = 64 << 10

// manifest is what is stored of a version: four JSON objects, cut so that documents are rendered by copying. Encoded it is a line
// "npm1", a space and the lengths of the four, separated by spaces, and then the four.
type manifest struct {
	core []byte // members that the abbreviated document has: what an installation needs
	more []byte // members that only the full document has
	dist []byte // dist without tarball, whose address depends on who asks
	page []byte // readme and readmeFilename: shown for the package, not for the version
}

const manifestMagic = "npm1 "

// encode joins the parts, leaving out what is too much.
func (m manifest) encode() []byte {
	m = m.fit()
	b := make([]byte, 0, m.size()+64)
	b = append(b, manifestMagic...)
	for i, part := range m.parts() {
		if i > 0 {
			b = append(b, ' ')
		}
		b = strconv.AppendInt(b, int64(len(part)), 10)
	}
	b = append(b, '\n')
	for _, part := range m.parts() {
		b = append(b, part...)
	}
	return b
}

func (m manifest) parts() [4][]byte { return [4][]byte{m.core, m.more, m.dist, m.page} }

func (m manifest) size() int {
	n := 0
	for _, p := range m.parts() {
		n += len(p)
	}
	return n
}

// fit leaves out the readme, then the largest of the members that only the full document has, until the rest is small enough.
func (m manifest) fit() manifest {
	if m.size() > maxDocument {
		m.page = []byte("{}")
	}
	if m.size() <= maxDocument {
		return m
	}
	all := lastMembers(m.more)
	largest := slices.SortedStableFunc(slices.Values(all), func(a, b field) int { return len(b.raw) - len(a.raw) })
	out := map[string]bool{}
	excess := m.size() - maxDocument
	for i := 0; i < len(largest) && excess > 0; i++ {
		out[largest[i].key] = true
		excess -= len(largest[i].raw) + len(largest[i].key) + 3
	}
	var o object
	for _, f := range all {
		if !out[f.key] {
			o.raw(f.key, f.raw)
		}
	}
	m.more = o.bytes()
	return m
}

var errManifest = errors.New("stored npm manifest is damaged")

// decodeManifest is the opposite of encode. The parts share memory with doc.
func decodeManifest(doc []byte) (manifest, error) {
	var m manifest
	line, rest, ok := bytes.Cut(doc, []byte("\n"))
	line, isOurs := bytes.CutPrefix(line, []byte(manifestMagic))
	if !ok || !isOurs {
		return m, errManifest
	}
	parts := [4]*[]byte{&m.core, &m.more, &m.dist, &m.page}
	for i, p := range parts {
		length, tail, _ := bytes.Cut(line, []byte(" "))
		n, err := strconv.Atoi(string(length))
		if err != nil || n < 2 || n > len(rest) || (i == len(parts)-1) != (n == len(rest)) || rest[0] != '{' || rest[n-1] != '}' {
			return manifest{}, errManifest
		}
		*p, rest, line = rest[:n:n], rest[n:], tail
	}
	return m, nil
}

func manifestOf(v *registry.Version) (manifest, error) {
	m, err := decodeManifest(v.Document)
	if err != nil {
		return m, fmt.Errorf("%s: %w", v.ID, err)
	}
	return m, nil
}

// isCore says whether the abbreviated document has a member. libc is missing at the npm public registry, so that clients fetch the
// full document for it; _npmUser is what pnpm's trust policy reads.
func isCore(key string) bool {
	switch key {
	case "name", "version", "bin", "directories", "engines", "os", "cpu", "libc", "funding",
		"dependencies", "optionalDependencies", "devDependencies", "peerDependencies", "peerDependenciesMeta",
		"bundleDependencies", "bundledDependencies", "acceptDependencies", "hasInstallScript", "_hasShrinkwrap", "_npmUser":
		return true
	}
	return false
}

// hasInstallScript is what npm computes: a script of the three that run, or a native addon that npm would build without one.
func hasInstallScript(scripts []byte, gyp bool) bool {
	for _, name := range []string{"preinstall", "install", "postinstall"} {
		if text(member(scripts, name)) != "" {
			return true
		}
	}
	return gyp
}

// flagsOf makes Version.Flags.
func flagsOf(deprecated string) []byte {
	if deprecated == "" {
		return nil
	}
	var o object
	o.text("deprecated", deprecated)
	return o.bytes()
}

// deprecation reads Version.Flags.
func deprecation(flags []byte) string { return text(member(flags, "deprecated")) }

// deprecationOf reads the field as clients and registries write it: a text, "" or false for none; very old documents have true.
func deprecationOf(raw []byte) string {
	if string(raw) == "true" {
		return "this version is deprecated"
	}
	return text(raw)
}

// summaryOf is a description, for lists.
func summaryOf(description []byte) string {
	s := []rune(text(description))
	return string(s[:min(len(s), 1000)])
}
