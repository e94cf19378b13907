package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/intent"
	"packhouse.dev/packhouse/registry/metadata"
)

// rootPattern is the group that is the domain's own.
const rootPattern = "/*"

// source finds what declares the thing now, or names what is to declare it.
func (c *change) source() (config.Source, error) {
	switch s := c.in.Spec; {
	case s.Domain != nil:
		return c.domainSource()
	case s.Repository != nil:
		return c.repositorySource()
	case s.Group != nil && s.Group.Pattern == rootPattern:
		return c.domain().Source, nil
	case s.Group != nil:
		for _, g := range c.domain().Groups {
			if g.Pattern == s.Group.Pattern {
				return g.Source, nil
			}
		}
		c.kind, c.namespace, c.name = "PackageGroup", c.domain().Source.Namespace, c.hashed("group", s.Group.Pattern)
	case s.Policy != nil && s.Policy.Repository != "":
		r := c.repository(s.Policy.Repository)
		if r == nil {
			return config.Source{}, fmt.Errorf("repository %s: %w", s.Policy.Repository, registry.ErrNotFound)
		}
		if r.Policy != nil {
			return r.Policy.Source, nil
		}
		c.kind, c.namespace, c.name = "RepositoryPolicy", c.domain().Source.Namespace, c.hashed("repository-policy", r.Name)
	case s.Policy != nil:
		if p := c.domain().Policy; p != nil {
			return p.Source, nil
		}
		c.kind, c.namespace, c.name = "DomainPolicy", c.domain().Source.Namespace, c.hashed("domain-policy", "")
	default:
		return config.Source{}, fmt.Errorf("%w: the change is about nothing", registry.ErrInvalid)
	}
	return config.Source{}, nil
}

func (c *change) domainSource() (config.Source, error) {
	if doc := c.domain(); doc != nil {
		return doc.Source, nil
	}
	var err error
	c.kind, c.name = "Domain", c.in.Domain.Name
	c.namespace, err = c.namespaceOf(c.in.Domain.Owner)
	return config.Source{}, err
}

func (c *change) repositorySource() (config.Source, error) {
	if r := c.repository(c.in.Spec.Repository.Name); r != nil {
		return r.Source, nil
	}
	var err error
	c.kind, c.name = "Repository", c.in.Spec.Repository.Name
	if !objectName.MatchString(c.name) || len(c.name) > 63 {
		c.name = c.hashed(strings.Trim(notObjectName.ReplaceAllString(strings.ToLower(c.name), "-"), "-"), c.in.Spec.Repository.Name)
	}
	c.namespace, err = c.namespaceOf(c.in.Account)
	return config.Source{}, err
}

// What names of objects are made of (RFC 1123).
var (
	objectName    = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)
	notObjectName = regexp.MustCompile(`[^a-z0-9]+`)
)

// hashed is the name of an object for something that has a name of its own, the same every time.
func (c *change) hashed(word, name string) string {
	sum := sha256.Sum256([]byte(c.in.Domain.String() + "\x00" + name))
	if len(word) > 40 {
		word = strings.TrimRight(word[:40], "-")
	}
	return strings.Trim(word+"-"+hex.EncodeToString(sum[:5]), "-")
}

// ref is a reference to an object, from another namespace or from its own.
func (c *change) ref(s config.Source) map[string]any {
	out := map[string]any{"name": s.Name}
	if s.Namespace != c.namespace {
		out["namespace"] = s.Namespace
	}
	return out
}

// spec is what the object is to declare.
func (c *change) spec() (map[string]any, error) {
	out := map[string]any{}
	if old, ok := c.content["spec"].(map[string]any); ok {
		out = old
	}
	put := func(key string, value any, there bool) {
		if delete(out, key); there {
			out[key] = value
		}
	}
	switch s := c.in.Spec; {
	case s.Domain != nil:
		put("tags", s.Domain.Tags, len(s.Domain.Tags) > 0)
		out["deletionPolicy"] = "Delete"
	case s.Repository != nil:
		r := s.Repository
		put("name", r.Name, r.Name != c.name)
		put("domainRef", c.ref(c.domain().Source), true)
		put("description", r.Description, r.Description != "")
		put("upstreams", named(r.Upstreams), len(r.Upstreams) > 0)
		put("externalConnections", named(r.Connections), len(r.Connections) > 0)
		put("tags", r.Tags, len(r.Tags) > 0)
		out["deletionPolicy"] = "Delete"
	case s.Group != nil && s.Group.Pattern == rootPattern:
		if g := s.Group; g.Description != "" || g.Contact != "" || len(g.Tags) > 0 {
			return nil, fmt.Errorf("%w: the root package group is the domain's own: it has origin controls, and no description, contact or tags", registry.ErrInvalid)
		}
		put("originControls", controls(s.Group), true)
	case s.Group != nil:
		g := s.Group
		put("domainRef", c.ref(c.domain().Source), true)
		put("pattern", g.Pattern, true)
		put("description", g.Description, g.Description != "")
		put("contact", g.Contact, g.Contact != "")
		put("originControls", controls(g), true)
		put("tags", g.Tags, len(g.Tags) > 0)
	case s.Policy != nil && s.Policy.Repository != "":
		put("repositoryRef", c.ref(c.repository(s.Policy.Repository).Source), true)
		put("document", s.Policy.Document, true)
	default:
		put("domainRef", c.ref(c.domain().Source), true)
		put("document", s.Policy.Document, true)
	}
	return out, nil
}

func named(list []string) []any {
	out := make([]any, len(list))
	for i, name := range list {
		out[i] = map[string]any{"name": name}
	}
	return out
}

// controls in the words of the kinds.
func controls(g *intent.Group) map[string]any {
	out := map[string]any{}
	for way, field := range map[string]string{"PUBLISH": "publish", "EXTERNAL_UPSTREAM": "externalUpstream", "INTERNAL_UPSTREAM": "internalUpstream"} {
		control, ok := g.Controls[way]
		if !ok {
			continue
		}
		word := map[string]string{"ALLOW": "Allow", "BLOCK": "Block", "INHERIT": "Inherit", "ALLOW_SPECIFIC_REPOSITORIES": "AllowSpecificRepositories"}[control.Mode]
		entry := map[string]any{"restriction": word}
		if word == "AllowSpecificRepositories" {
			repositories := []any{} // none: nobody may
			for _, name := range control.Repositories {
				repositories = append(repositories, name)
			}
			entry["repositories"] = repositories
		}
		out[field] = entry
	}
	return out
}

// delete takes the object away, and what was kept about it: a policy without its repository would be found again by the next one of that
// name.
func (c *change) delete() error {
	doc := c.domain()
	var with []config.Source
	switch s := c.in.Spec; {
	case s.Domain != nil:
		c.removal = &metadata.Removal{Domain: c.in.Domain, Holder: doc.Holder}
		for _, g := range doc.Groups {
			with = append(with, g.Source)
		}
		if doc.Policy != nil {
			with = append(with, doc.Policy.Source)
		}
	case s.Repository != nil:
		r := c.repository(s.Repository.Name)
		if r == nil {
			return fmt.Errorf("repository %s: %w", s.Repository.Name, registry.ErrNotFound)
		}
		c.removal = &metadata.Removal{Domain: c.in.Domain, Repository: r.Name, Holder: r.AdministratorUID}
		if r.Policy != nil {
			with = append(with, r.Policy.Source)
		}
	case s.Group != nil && s.Group.Pattern == rootPattern:
		return fmt.Errorf("%w: the root package group cannot be deleted", registry.ErrInvalid)
	}
	for _, s := range with {
		if file := c.m.set.Kept(s.Kind, s.Namespace, s.Name); file != "" && s.Kind != c.kind {
			c.gone = append(c.gone, file)
		}
	}
	return nil
}
