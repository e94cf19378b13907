package compile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	api "packhouse.dev/packhouse/api/v1alpha1"
	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/group"
)

// GroupState is what a package group has in its status beside conditions.
type GroupState struct {
	Object                                      Object
	Domain                                      registry.DomainRef
	Pattern                                     string
	Parent                                      string
	Subgroups                                   int32
	Publish, ExternalUpstream, InternalUpstream api.EffectiveControl
}

// compileGroups gives domains their groups, the oldest of those with one pattern.
func (c *compilation) compileGroups() {
	objects := map[*config.Domain]map[string]Object{}
	for _, d := range c.domains {
		objects[d.doc] = map[string]Object{}
		root := config.PackageGroup{Source: d.doc.Source, Pattern: group.Root().String()}
		c.controls(Object{"Domain", d.object.Namespace, d.object.Name}, d.doc, &root, &d.object.Spec.OriginControls, group.Allow)
		d.doc.Groups = append(d.doc.Groups, root)
	}
	for i := range c.objects.Groups {
		g := &c.objects.Groups[i]
		o := Object{"PackageGroup", g.Namespace, g.Name}
		namespace := cmp.Or(g.Spec.DomainRef.Namespace, g.Namespace)
		d := c.domains[types.NamespacedName{Namespace: namespace, Name: g.Spec.DomainRef.Name}]
		if namespace != g.Namespace || d == nil {
			if !c.foreign(namespace, g.Spec.DomainRef.Name) {
				c.unresolved(o, namespace != g.Namespace, fmt.Sprintf("Domain %s/%s", namespace, g.Spec.DomainRef.Name))
			}
			continue
		}
		doc, problem := c.group(g, d)
		if doc == nil {
			c.refuse(o, api.ReasonInvalid, problem)
			continue
		}
		if first, taken := objects[d.doc][doc.Pattern]; taken || doc.Pattern == group.Root().String() {
			if !taken {
				first = Object{"Domain", d.object.Namespace, d.object.Name}
			}
			c.refuse(o, api.ReasonConflicted, fmt.Sprintf("%s has the pattern %s already", first, doc.Pattern))
			continue
		}
		objects[d.doc][doc.Pattern] = o
		if problem = joined(problem, c.controls(o, d.doc, doc, &g.Spec.OriginControls, group.Inherit)); problem == "" {
			c.accept(o)
		} else {
			c.refuse(o, api.ReasonInvalid, problem)
		}
		c.resolved(o, api.ReasonNotFound, missingRepositories(d, doc))
		d.doc.Groups = append(d.doc.Groups, *doc)
	}
	for _, d := range c.domains {
		slices.SortFunc(d.doc.Groups, func(a, b config.PackageGroup) int { return strings.Compare(a.Pattern, b.Pattern) })
		c.groupStates(d.doc, objects[d.doc])
	}
	slices.SortFunc(c.out.Groups, func(a, b GroupState) int { return strings.Compare(a.Object.String(), b.Object.String()) })
}

// group makes the fragment of a group, without its controls. A pattern cannot be changed; one that cannot be read is the one from
// before. Without one the group has no packages.
func (c *compilation) group(g *api.PackageGroup, d *domain) (_ *config.PackageGroup, problem string) {
	out := &config.PackageGroup{
		CreatedAt: g.CreationTimestamp.Time.UTC(),
		Source:    source("PackageGroup", &g.ObjectMeta), Description: g.Spec.Description, Contact: g.Spec.Contact, Tags: tags(g.Spec.Tags),
	}
	if over := len(g.Spec.Tags) - c.limits.TagsPerResource; over > 0 {
		problem, out.Tags = fmt.Sprintf("it has %d tags more than the limit of %d", over, c.limits.TagsPerResource), nil
	}
	p, err := group.Parse(g.Spec.Pattern)
	if err == nil {
		out.Pattern = p.String()
		return out, problem
	}
	if old := c.groupBefore(out.Source, d.doc); old != nil {
		out.Pattern = old.Pattern
		return out, joined(problem, err.Error()+"; its last good pattern stays in force")
	}
	return nil, err.Error()
}

func (c *compilation) groupBefore(src config.Source, doc *config.Domain) *config.PackageGroup {
	for i := range c.previous.Domains {
		if d := &c.previous.Domains[i]; d.Ref() == doc.Ref() && d.Holder == doc.Holder {
			return before(d.Groups, func(g *config.PackageGroup) config.Source { return g.Source }, src)
		}
	}
	return nil
}

// controls fills in what a group says. What is left out is byDefault; what cannot be read is what it was before, and blocks if it was
// nothing.
func (c *compilation) controls(o Object, domain *config.Domain, out *config.PackageGroup, spec *api.GroupOriginControls, byDefault group.Mode) (problem string) {
	old := c.groupBefore(out.Source, domain)
	for _, w := range []struct {
		name string
		spec *api.GroupControl
		to   *config.GroupControl
		old  func(*config.PackageGroup) config.GroupControl
	}{
		{"publish", spec.Publish, &out.Publish, func(g *config.PackageGroup) config.GroupControl { return g.Publish }},
		{"externalUpstream", spec.ExternalUpstream, &out.ExternalUpstream, func(g *config.PackageGroup) config.GroupControl { return g.ExternalUpstream }},
		{"internalUpstream", spec.InternalUpstream, &out.InternalUpstream, func(g *config.PackageGroup) config.GroupControl { return g.InternalUpstream }},
	} {
		if w.spec == nil {
			w.to.Mode = string(byDefault)
			continue
		}
		mode, ok := modeOf(w.spec)
		if ok && (mode != group.Inherit || byDefault == group.Inherit) {
			*w.to = config.GroupControl{Mode: string(mode), Repositories: slices.Sorted(slices.Values(w.spec.Repositories))}
			continue
		}
		problem = joined(problem, w.name+" is Allow, Block, AllowSpecificRepositories with repositories, or, in a group with a parent, Inherit")
		*w.to = config.GroupControl{Mode: string(group.Block)}
		if old != nil && old.Pattern == out.Pattern {
			*w.to = w.old(old)
		}
	}
	if byDefault != group.Inherit && problem != "" { // the domain is accepted; what is wrong with its group is said besides
		c.out.Conditions = slices.DeleteFunc(c.out.Conditions, func(x Condition) bool { return x.Object == o && x.Type == api.ConditionAccepted })
		c.refuse(o, api.ReasonInvalid, "originControls: "+problem)
	}
	return problem
}

func modeOf(spec *api.GroupControl) (group.Mode, bool) {
	switch spec.Restriction {
	case api.GroupAllow:
		return group.Allow, len(spec.Repositories) == 0
	case api.GroupBlock:
		return group.Block, true
	case api.GroupInherit:
		return group.Inherit, len(spec.Repositories) == 0
	case api.GroupAllowSpecific:
		return group.AllowSpecific, true
	}
	return "", false
}

// missingRepositories are names that are allowed and are no repositories (yet): nothing comes in by them.
func missingRepositories(d *domain, g *config.PackageGroup) (out []string) {
	for _, control := range []config.GroupControl{g.Publish, g.ExternalUpstream, g.InternalUpstream} {
		for _, name := range control.Repositories {
			text := fmt.Sprintf("%s is no repository of domain %s", name, d.doc.Name)
			if d.repos[name] == nil && !slices.Contains(out, text) {
				out = append(out, text)
			}
		}
	}
	return out
}

// groupStates says what became of the groups of a domain once parents are asked.
func (c *compilation) groupStates(doc *config.Domain, objects map[string]Object) {
	index := group.New(groupsOf(doc))
	for _, n := range index.Groups() {
		o, declared := objects[n.Pattern().String()]
		if !declared {
			continue
		}
		state := GroupState{Object: o, Domain: doc.Ref(), Pattern: n.Pattern().String(), Parent: n.Parent().Pattern().String(), Subgroups: int32(len(n.Children()))}
		for _, w := range []struct {
			way group.Way
			to  *api.EffectiveControl
		}{{group.Publish, &state.Publish}, {group.ExternalUpstream, &state.ExternalUpstream}, {group.InternalUpstream, &state.InternalUpstream}} {
			*w.to = effective(n, w.way)
		}
		c.out.Groups = append(c.out.Groups, state)
	}
}

func effective(n *group.Node, w group.Way) api.EffectiveControl {
	e := n.Effective(w)
	out := api.EffectiveControl{Restriction: api.GroupBlock, Repositories: int32(len(e.Repositories))}
	switch e.Mode {
	case group.Allow:
		out.Restriction = api.GroupAllow
	case group.AllowSpecific:
		out.Restriction = api.GroupAllowSpecific
	}
	if e.From != n {
		out.InheritedFrom = e.From.Pattern().String()
	}
	return out
}

func groupsOf(doc *config.Domain) (out []group.Group) {
	for i := range doc.Groups {
		g := &doc.Groups[i]
		p, err := group.Parse(g.Pattern)
		if err != nil { // it was parsed a moment ago, or by the build before; without a meaning it has no packages
			continue
		}
		control := func(c config.GroupControl) group.Control {
			return group.Control{Mode: group.Mode(c.Mode), Repositories: c.Repositories}
		}
		out = append(out, group.Group{Pattern: p, Controls: group.Controls{control(g.Publish), control(g.ExternalUpstream), control(g.InternalUpstream)}})
	}
	return out
}

func joined(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "; " + b
}
