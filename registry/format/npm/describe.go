package npm

import (
	"strings"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

// Describe implements format.Describer. The display name has no scope, and the address of the sources no "git+" (user guide, "View npm
// package version details").
func (Format) Describe(v *registry.Version) (format.Description, error) {
	m, err := manifestOf(v)
	if err != nil {
		return format.Description{}, err
	}
	d := format.Description{
		DisplayName: v.ID.Package.Name, Summary: summaryOf(member(m.more, "description")), HomePage: text(member(m.more, "homepage")),
		Readme: text(member(m.page, "readme")), SourceCodeRepository: strings.TrimPrefix(urlOf(member(m.more, "repository")), "git+"),
		Licenses: licenses(m.more), Dependencies: dependencies(m.core),
	}
	return d, nil
}

// urlOf reads what is written as a string or as {"url": …}.
func urlOf(raw []byte) string {
	if s, ok := unquote(raw); ok {
		return s
	}
	return text(member(raw, "url"))
}

// licenses reads "license", an SPDX expression, and the older {"type", "url"}, and "licenses", a list of such.
func licenses(more []byte) []format.License {
	var out []format.License
	add := func(raw []byte) {
		l := format.License{Name: text(raw)}
		if isObject(raw) {
			l = format.License{Name: text(member(raw, "type")), URL: text(member(raw, "url"))}
		}
		if l != (format.License{}) {
			out = append(out, l)
		}
	}
	for _, key := range []string{"license", "licenses"} {
		raw := member(more, key)
		add(raw)
		for e := range elements(raw) {
			add(e)
		}
		if len(out) > 0 {
			break
		}
	}
	return out
}

// dependencies lists them in the vocabulary of the service API. npm overwrites "dependencies" with "optionalDependencies" of the same
// name, so those are listed once.
func dependencies(core []byte) []format.Dependency {
	var out []format.Dependency
	optional := map[string]bool{}
	for name := range members(member(core, "optionalDependencies")) {
		optional[name] = true
	}
	for _, kind := range []struct{ key, name string }{
		{"dependencies", "regular"}, {"devDependencies", "dev"}, {"peerDependencies", "peer"}, {"optionalDependencies", "optional"},
	} {
		for _, f := range lastMembers(member(core, kind.key)) {
			if kind.key == "dependencies" && optional[f.key] {
				continue
			}
			d := format.Dependency{Package: f.key, Type: kind.name, Requirement: text(f.raw)}
			if scope, rest, ok := strings.Cut(f.key, "/"); ok && strings.HasPrefix(scope, "@") {
				d.Namespace, d.Package = scope[1:], rest
			}
			out = append(out, d)
		}
	}
	return out
}
