package cargo

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/internal/semver"
)

// cratesIO is how index lines name crates.io as the registry of a dependency (registry-index.html#json-schema).
const cratesIO = "https://github.com/rust-lang/crates.io-index"

// The limits of what is shown of a crate, in bytes.
const (
	maxSummary     = 1000
	maxReadme      = 64 << 10
	maxDescription = 400 << 10 // the whole stored document (guide, "Package version details")
)

// manifest is a Cargo.toml as "cargo publish" writes it: what a workspace gave is filled in.
type manifest struct {
	root, pkg     table
	name, version string
}

// parseManifest reads Cargo.toml. Errors wrap registry.ErrInvalid.
func parseManifest(text []byte) (*manifest, error) {
	root, err := parseTOML(text)
	if err != nil {
		return nil, err
	}
	m := &manifest{root: root, pkg: root.table("package", "project")}
	if m.pkg == nil {
		return nil, fmt.Errorf("%w: Cargo.toml has no [package]", registry.ErrInvalid)
	}
	m.name, m.version = m.pkg.text("name"), m.pkg.text("version")
	return m, nil
}

// line makes the index line. home says whether the address of a dependency's registry is the registry that the crate is published to.
func (m *manifest) line(checksum string, home func(kind, target, name, registry string) bool) (*indexLine, error) {
	l := &indexLine{
		Name: m.name, Version: m.version, Checksum: checksum, Deps: []indexDependency{}, Features: map[string][]string{},
		Links: m.pkg.text("links"), RustVersion: m.pkg.text("rust-version"),
	}
	if l.RustVersion != "" && !isRustVersion(l.RustVersion) {
		return nil, fmt.Errorf("%w: rust-version %q in Cargo.toml is no version of Rust", registry.ErrInvalid, registry.Clip(l.RustVersion))
	}
	features := m.root.table("features")
	for _, name := range slices.Sorted(maps.Keys(features)) {
		if _, ok := features[name].([]any); !ok {
			return nil, fmt.Errorf("%w: feature %q in Cargo.toml is no list", registry.ErrInvalid, registry.Clip(name))
		}
		l.Features[name] = features.list(name)
	}
	collect := func(of table, target string) error {
		return m.dependencies(of, target, func(d indexDependency) {
			if home(d.Kind, target, d.Name, *d.Registry) {
				d.Registry = nil
			}
			if len(d.Artifact) > 0 {
				l.V = 3 // so that only a cargo that knows artifact dependencies takes the line
			}
			l.Deps = append(l.Deps, d)
		})
	}
	if err := collect(m.root, ""); err != nil {
		return nil, err
	}
	targets := m.root.table("target")
	for _, target := range slices.Sorted(maps.Keys(targets)) {
		if err := collect(targets.table(target), target); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// dependencies reads the dependency tables of the manifest or of one target.
func (m *manifest) dependencies(of table, target string, add func(indexDependency)) error {
	for _, kind := range []struct{ kind, key, old string }{
		{"normal", "dependencies", ""}, {"dev", "dev-dependencies", "dev_dependencies"}, {"build", "build-dependencies", "build_dependencies"},
	} {
		deps := of.table(kind.key, kind.old)
		for _, name := range slices.Sorted(maps.Keys(deps)) {
			d, err := dependency(name, kind.kind, deps[name])
			if err != nil {
				return err
			}
			if d == nil {
				continue
			}
			if target != "" {
				d.Target = &target
			}
			add(*d)
		}
	}
	return nil
}

// dependency reads one dependency; nil if it does not matter to who uses the crate: a path that only its tests depend on.
func dependency(name, kind string, value any) (*indexDependency, error) {
	refuse := func(why string) (*indexDependency, error) {
		return nil, fmt.Errorf("%w: the dependency %q in Cargo.toml %s", registry.ErrInvalid, registry.Clip(name), why)
	}
	var t table
	switch v := value.(type) {
	case string:
		t = table{"version": v}
	case map[string]any:
		t = v
	case table:
		t = v
	default:
		return refuse("is neither a version nor a table")
	}
	if t.flag("workspace", false) {
		return refuse("is inherited from a workspace; publish the crate with cargo, which fills it in")
	}
	if t.text("version") == "" {
		if kind == "dev" {
			return nil, nil
		}
		return refuse("has no version")
	}
	req, ok := requirement(t.text("version"))
	if !ok {
		return refuse("requires a version that is none")
	}
	d := &indexDependency{
		Name: name, Req: req, Features: append([]string{}, t.list("features")...), Kind: kind, Optional: t.flag("optional", false),
		DefaultFeatures: t.flag("default-features", t.flag("default_features", true)), Public: t.flag("public", false),
		Artifact: t.list("artifact"), BindepTarget: t.text("target"), Lib: t.flag("lib", false),
	}
	if real := t.text("package"); real != "" && real != name {
		d.Package = real
	}
	if !isCrateName(cmp.Or(d.Package, d.Name)) {
		return refuse("is not the name of a crate")
	}
	at := cratesIO
	switch {
	case t.text("registry-index") != "":
		at = t.text("registry-index")
	case t["registry"] != nil:
		return refuse("names its registry by a word of somebody's configuration; publish the crate with cargo, which fills in its address")
	}
	d.Registry = &at
	return d, nil
}

// requirement writes a version requirement as index lines have it: "1.0" as "^1.0" (specifying-dependencies.html).
func requirement(s string) (string, bool) {
	var out []string
	for part := range strings.SplitSeq(s, ",") {
		part = strings.TrimSpace(part)
		operator := part[:len(part)-len(strings.TrimLeft(part, "<>=~^"))]
		version := strings.TrimSpace(part[len(operator):])
		switch operator {
		case "", "=", ">", ">=", "<", "<=", "~", "^":
		default:
			return "", false
		}
		wild, ok := partial(version)
		if !ok {
			return "", false
		}
		if operator == "" && !wild {
			operator = "^"
		}
		out = append(out, operator+version)
	}
	return strings.Join(out, ", "), len(out) <= 32
}

// partial says whether s is a version of which parts may be missing or wildcards, and whether it has a wildcard.
func partial(s string) (wild, ok bool) {
	if _, full := semver.Parse(s); full {
		return false, true
	}
	parts := strings.Split(s, ".")
	if len(parts) > 3 {
		return false, false
	}
	for _, p := range parts {
		if p == "*" || p == "x" || p == "X" {
			wild = true
			continue
		}
		if _, ok := semver.Parse(p + ".0.0"); wild || !ok || strings.ContainsAny(p, "-+") {
			return false, false
		}
	}
	return wild, len(parts) < 3 || wild
}

// isRustVersion: one to three numbers; cargo leaves out lines with anything else.
func isRustVersion(s string) bool {
	wild, ok := partial(s)
	return ok && !wild && !strings.ContainsAny(s, "-+")
}

// description is the stored document of a version.
type description struct {
	Description   string `json:"description,omitempty"`
	Homepage      string `json:"homepage,omitempty"`
	Documentation string `json:"documentation,omitempty"`
	Repository    string `json:"repository,omitempty"`
	License       string `json:"license,omitempty"`
	LicenseFile   string `json:"license_file,omitempty"`
	Readme        string `json:"readme,omitempty"`
}

func (m *manifest) description(readme string) description {
	return description{
		Description: m.pkg.text("description"), Homepage: m.pkg.text("homepage"), Documentation: m.pkg.text("documentation"),
		Repository: m.pkg.text("repository"), License: m.pkg.text("license"), LicenseFile: m.pkg.text("license-file"), Readme: readme,
	}
}

// summary is the description for lists.
func (d description) summary() string {
	return cut(strings.Join(strings.Fields(d.Description), " "), maxSummary)
}

func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}

// encode writes the document; what is too much is left out, the readme first.
func (d description) encode() ([]byte, error) {
	b, err := json.Marshal(d)
	if err == nil && len(b) > maxDescription {
		d.Readme = ""
		b, err = json.Marshal(d)
	}
	if err == nil && len(b) > maxDescription {
		b, err = json.Marshal(description{Description: d.summary(), License: cut(d.License, maxSummary)})
	}
	if err != nil {
		return nil, fmt.Errorf("description: %w", err)
	}
	return b, nil
}
