package ruby

import (
	"cmp"
	"fmt"
	"strings"

	"packhouse.dev/packhouse/registry"
)

// specTuple is an entry of a specs index.
type specTuple struct{ name, key string }

// readTuples reads a specs index: an array of [name, Gem::Version, platform]. Entries of another form are left out.
func readTuples(stream []byte) ([]specTuple, error) {
	v, err := unmarshal(stream)
	if err != nil {
		return nil, err
	}
	list, ok := v.([]any)
	if !ok {
		return nil, fmt.Errorf("%w: the specs index is no array", registry.ErrInvalid)
	}
	var out []specTuple
	for _, e := range list {
		t := asList(e)
		if len(t) != 3 {
			continue
		}
		key, err := versionKey(asNumber(t[1]), asPlatform(t[2]))
		if name := asText(t[0]); err == nil && isGemName(name) {
			out = append(out, specTuple{name, key})
		}
	}
	return out, nil
}

// readSpecification reads a quick gemspec (Gem::Specification#_dump). Errors wrap registry.ErrInvalid.
func readSpecification(stream []byte) (*spec, error) {
	v, err := unmarshal(stream)
	if err != nil {
		return nil, err
	}
	o, _ := v.(object)
	inner, ok := o.value.(string)
	if o.class != "Gem::Specification" || !ok {
		return nil, fmt.Errorf("%w: not a Gem::Specification", registry.ErrInvalid)
	}
	v, err = unmarshal([]byte(inner))
	if err != nil {
		return nil, err
	}
	f := asList(v)
	if len(f) < 17 {
		return nil, fmt.Errorf("%w: a Gem::Specification of %d fields", registry.ErrInvalid, len(f))
	}
	s := &spec{
		RubygemsVersion: asText(f[0]), Name: asText(f[2]), Number: asNumber(f[3]), Summary: asText(f[5]), Email: asTexts(f[11]),
		Authors: asTexts(f[12]), Description: asText(f[13]), Homepage: asText(f[14]), Platform: asPlatform(f[16]),
	}
	if len(f) > 17 {
		s.Licenses = asTexts(f[17])
	}
	if len(f) > 18 {
		s.Metadata = asTextMap(f[18])
	}
	if s.Ruby, err = asRequirements(f[6]); err != nil {
		return nil, err
	}
	if s.Rubygems, err = asRequirements(f[7]); err != nil {
		return nil, err
	}
	for _, e := range asList(f[9]) {
		d, _ := e.(object)
		dep := dependency{Name: asText(d.vars["@name"]), Development: d.vars["@type"] == symbol("development")}
		if !isDependencyName(dep.Name) {
			return nil, fmt.Errorf("%w: a dependency on %q", registry.ErrInvalid, registry.Clip(dep.Name))
		}
		requirement := d.vars["@requirement"]
		if requirement == nil {
			requirement = d.vars["@version_requirements"]
		}
		if dep.Requirements, err = asRequirements(requirement); err != nil {
			return nil, err
		}
		s.Dependencies = append(s.Dependencies, dep)
	}
	return s, nil
}

func asList(v any) []any {
	l, _ := v.([]any)
	return l
}

func asText(v any) string {
	s, _ := v.(string)
	return strings.ToValidUTF8(s[:min(len(s), maxText)], "\uFFFD")
}

func asTexts(v any) []string {
	var out []string
	for _, e := range append(asList(v), v) {
		if s := asText(e); s != "" {
			out = append(out, s)
		}
	}
	return out
}

func asTextMap(v any) map[string]string {
	list, _ := v.(pairs)
	if len(list) == 0 {
		return nil
	}
	out := map[string]string{}
	for _, p := range list {
		if k := asText(p[0]); k != "" {
			out[k] = asText(p[1])
		}
	}
	return out
}

// asNumber reads a Gem::Version.
func asNumber(v any) string {
	o, _ := v.(object)
	if l := asList(o.value); len(l) > 0 {
		v = l[0]
	} else if o.vars != nil {
		v = o.vars["@version"]
	}
	return strings.ReplaceAll(strings.TrimSpace(asText(v)), "-", ".pre.")
}

// asPlatform reads a text or a Gem::Platform.
func asPlatform(v any) string {
	o, ok := v.(object)
	if !ok {
		return cmp.Or(asText(v), defaultPlatform)
	}
	var parts []string
	for _, name := range []string{"@cpu", "@os", "@version"} {
		if s := asText(o.vars[name]); s != "" {
			parts = append(parts, s)
		}
	}
	return cmp.Or(strings.Join(parts, "-"), defaultPlatform)
}

// asRequirements reads a Gem::Requirement; nil is none.
func asRequirements(v any) ([]string, error) {
	o, _ := v.(object)
	list := asList(o.value)
	if len(list) > 0 {
		list = asList(list[0])
	} else {
		list = asList(o.vars["@requirements"])
	}
	var out []string
	for _, e := range list {
		pair := asList(e)
		if len(pair) != 2 {
			return nil, fmt.Errorf("%w: a requirement that is no pair", registry.ErrInvalid)
		}
		r := asText(pair[0]) + " " + asNumber(pair[1])
		if !isRequirement(r) || len(out) >= maxRequirements {
			return nil, fmt.Errorf("%w: %q is not a requirement", registry.ErrInvalid, registry.Clip(r))
		}
		if r != anyVersion {
			out = append(out, r)
		}
	}
	return out, nil
}
