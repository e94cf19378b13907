package ruby

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"packhouse.dev/packhouse/registry"
)

// Limits of a gemspec.
const (
	maxDepth        = 50
	maxItems        = 2000     // of one list
	maxText         = 64 << 10 // bytes of one text that is kept
	maxRequirements = 32
)

// parseGemspec reads the YAML of metadata.gz: a Gem::Specification as its many writers wrote it, so that most things may be a text, a
// list, nothing, or look like a number. Tags are not looked at: nothing is made from them. Errors wrap registry.ErrInvalid.
func parseGemspec(text []byte) (*spec, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("%w: the gemspec is not YAML: %w", registry.ErrInvalid, err)
	}
	if err := checkNode(&doc, 0); err != nil {
		return nil, err
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%w: the gemspec is not a Gem::Specification", registry.ErrInvalid)
	}
	return readSpec(node{doc.Content[0]})
}

// checkNode refuses what rubygems.org refuses: aliases, which make small files large, and depth.
func checkNode(n *yaml.Node, depth int) error {
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		return fmt.Errorf("%w: the gemspec has YAML aliases", registry.ErrInvalid)
	}
	if depth > maxDepth {
		return fmt.Errorf("%w: the gemspec is nested more than %d deep", registry.ErrInvalid, maxDepth)
	}
	for _, c := range n.Content {
		if err := checkNode(c, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func readSpec(n node) (*spec, error) {
	s := &spec{
		Name: n.at("name").text(), Platform: n.at("platform").platform(), Summary: n.at("summary").text(), Description: n.at("description").text(),
		Homepage: n.at("homepage").text(), Authors: n.at("authors").texts(), Email: n.at("email").texts(), Licenses: n.at("licenses").texts(),
		Metadata: n.at("metadata").hash(), RubygemsVersion: n.at("rubygems_version").number(), Number: n.at("version").number(),
	}
	s.Authors = firstList(s.Authors, n.at("author").texts())
	s.Licenses = firstList(s.Licenses, n.at("license").texts())
	// Only the day counts, as in Gem::Specification#date=.
	if date := n.at("date").text(); len(date) >= len(time.DateOnly) {
		s.Date, _ = time.Parse(time.DateOnly, date[:len(time.DateOnly)]) // zero: unknown
	}
	if _, err := s.id(); err != nil {
		return nil, err
	}
	var err error
	if s.Ruby, err = n.at("required_ruby_version").requirements(); err != nil {
		return nil, fmt.Errorf("required_ruby_version: %w", err)
	}
	if s.Rubygems, err = n.at("required_rubygems_version").requirements(); err != nil {
		return nil, fmt.Errorf("required_rubygems_version: %w", err)
	}
	for _, d := range n.at("dependencies").items() {
		dep, err := readDependency(d)
		if err != nil {
			return nil, err
		}
		s.Dependencies = append(s.Dependencies, dep)
	}
	return s, nil
}

// readDependency reads a Gem::Dependency; old ones have other names for the same.
func readDependency(n node) (dependency, error) {
	d := dependency{Name: n.at("name").text(), Development: strings.TrimPrefix(n.at("type").text(), ":") == "development"}
	if !isGemName(d.Name) {
		return d, fmt.Errorf("%w: the gemspec depends on %q, which is not a gem name", registry.ErrInvalid, registry.Clip(d.Name))
	}
	for _, key := range []string{"requirement", "version_requirements", "version_requirement"} {
		r := n.at(key)
		if r.n == nil {
			continue
		}
		var err error
		if d.Requirements, err = r.requirements(); err != nil {
			return d, fmt.Errorf("dependency on %s: %w", d.Name, err)
		}
		break
	}
	return d, nil
}

func firstList(lists ...[]string) []string {
	for _, l := range lists {
		if len(l) > 0 {
			return l
		}
	}
	return nil
}

// node is a YAML node of any shape; n is nil for what is not there.
type node struct{ n *yaml.Node }

func (n node) at(key string) node {
	if n.n == nil || n.n.Kind != yaml.MappingNode {
		return node{}
	}
	for i := 0; i+1 < len(n.n.Content); i += 2 {
		if n.n.Content[i].Value == key {
			return node{n.n.Content[i+1]}
		}
	}
	return node{}
}

// text is a scalar as written; "" for anything else. Whatever the scalar looks like, it is a text.
func (n node) text() string {
	if n.n == nil || n.n.Kind != yaml.ScalarNode || n.n.Tag == "!!null" {
		return ""
	}
	s := strings.ToValidUTF8(n.n.Value, "\uFFFD")
	return s[:min(len(s), maxText)]
}

func (n node) items() []node {
	if n.n == nil || n.n.Kind != yaml.SequenceNode {
		return nil
	}
	var out []node
	for _, c := range n.n.Content[:min(len(n.n.Content), maxItems)] {
		out = append(out, node{c})
	}
	return out
}

// texts is a list of texts, or one text as a list.
func (n node) texts() []string {
	var out []string
	for _, c := range append(n.items(), n) {
		if s := c.text(); s != "" {
			out = append(out, s)
		}
	}
	return out
}

func (n node) hash() map[string]string {
	if n.n == nil || n.n.Kind != yaml.MappingNode {
		return nil
	}
	out := map[string]string{}
	for i := 0; i+1 < len(n.n.Content) && len(out) < maxItems; i += 2 {
		k, v := node{n.n.Content[i]}.text(), node{n.n.Content[i+1]}.text()
		if k != "" {
			out[k] = v
		}
	}
	return out
}

// number is a Gem::Version: a mapping with "version", or a text. Gem::Version writes hyphens as ".pre.".
func (n node) number() string {
	return strings.ReplaceAll(strings.TrimSpace(cmp.Or(n.at("version").text(), n.text())), "-", ".pre.")
}

// platform is a text, or a Gem::Platform with its three parts.
func (n node) platform() string {
	s := n.text()
	if n.n != nil && n.n.Kind == yaml.MappingNode {
		var parts []string
		for _, key := range []string{"cpu", "os", "version"} {
			if p := n.at(key).text(); p != "" {
				parts = append(parts, p)
			}
		}
		s = strings.Join(parts, "-")
	}
	return cmp.Or(s, defaultPlatform)
}

// requirements is a Gem::Requirement: a list of pairs of an operator and a version. ">= 0" is none.
func (n node) requirements() ([]string, error) {
	list := n.at("requirements").items()
	if len(list) == 0 {
		list = n.items()
	}
	var out []string
	for _, pair := range list {
		var r string
		if p := pair.items(); len(p) == 2 {
			r = p[0].text() + " " + p[1].number()
		} else if r = pair.text(); isNumber(r) {
			r = "= " + r
		}
		if !isRequirement(r) {
			return nil, fmt.Errorf("%w: %q is not a requirement", registry.ErrInvalid, registry.Clip(r))
		}
		if r != anyVersion {
			out = append(out, r)
		}
	}
	if len(out) > maxRequirements {
		return nil, fmt.Errorf("%w: more than %d requirements", registry.ErrInvalid, maxRequirements)
	}
	return out, nil
}
