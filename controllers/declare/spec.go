package declare

import (
	"fmt"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/intent"
)

// Fields are the fields of a spec that a change is about. It decides what they say, also that they say nothing; everything else in the
// spec is left as it is.
func Fields(in intent.Intent) []string {
	switch s := in.Spec; {
	case s.Domain != nil:
		return []string{"tags"}
	case s.Repository != nil:
		return []string{"description", "upstreams", "externalConnections", "tags"}
	case s.Group != nil && s.Group.Pattern == rootPattern:
		return []string{"originControls"}
	case s.Group != nil:
		return []string{"description", "contact", "originControls", "tags"}
	default:
		return []string{"document"}
	}
}

// Spec is what the object of a change is to say, from what it says now: spec, which is not changed and may be nil. d is as in World. The
// result is made of what encoding/json makes, and shares fields with spec.
func Spec(in intent.Intent, t Target, d *config.Domain, spec map[string]any) (map[string]any, error) {
	out := map[string]any{}
	for key, value := range spec {
		out[key] = value
	}
	put := func(key string, value any, there bool) {
		if delete(out, key); there {
			out[key] = value
		}
	}
	switch s := in.Spec; {
	case s.Domain != nil:
		if !t.Exists {
			put("name", in.Domain.Name, in.Domain.Name != t.Name)
		}
		put("tags", texts(s.Domain.Tags), len(s.Domain.Tags) > 0)
	case s.Repository != nil:
		r := s.Repository
		put("name", r.Name, r.Name != t.Name || spec["name"] != nil)
		put("domainRef", t.ref(d.Source, spec["domainRef"]), true)
		put("description", r.Description, r.Description != "")
		put("upstreams", named(r.Upstreams), len(r.Upstreams) > 0)
		put("externalConnections", named(r.Connections), len(r.Connections) > 0)
		put("tags", texts(r.Tags), len(r.Tags) > 0)
	case s.Group != nil && s.Group.Pattern == rootPattern:
		if g := s.Group; g.Description != "" || g.Contact != "" || len(g.Tags) > 0 {
			return nil, fmt.Errorf("%w: the root package group is the domain's own: it has origin controls, and no description, contact or tags", registry.ErrInvalid)
		}
		put("originControls", controls(s.Group), true)
	case s.Group != nil:
		g := s.Group
		put("domainRef", t.ref(d.Source, spec["domainRef"]), true)
		put("pattern", g.Pattern, true)
		put("description", g.Description, g.Description != "")
		put("contact", g.Contact, g.Contact != "")
		put("originControls", controls(g), true)
		put("tags", texts(g.Tags), len(g.Tags) > 0)
	case s.Policy.Repository != "":
		r := repository(d, s.Policy.Repository)
		if r == nil {
			return nil, fmt.Errorf("repository %s: %w", s.Policy.Repository, registry.ErrNotFound)
		}
		put("repositoryRef", t.ref(r.Source, spec["repositoryRef"]), true)
		put("document", s.Policy.Document, true)
	default:
		put("domainRef", t.ref(d.Source, spec["domainRef"]), true)
		put("document", s.Policy.Document, true)
	}
	return out, nil
}

// ref is a reference to an object, from another namespace or from its own. One that there is stays as it is written: it cannot change.
func (t Target) ref(s config.Source, written any) any {
	if written != nil {
		return written
	}
	out := map[string]any{"name": s.Name}
	if s.Namespace != t.Namespace {
		out["namespace"] = s.Namespace
	}
	return out
}

func named(list []string) []any {
	out := make([]any, len(list))
	for i, name := range list {
		out[i] = map[string]any{"name": name}
	}
	return out
}

func texts(tags map[string]string) map[string]any {
	out := make(map[string]any, len(tags))
	for key, value := range tags {
		out[key] = value
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
