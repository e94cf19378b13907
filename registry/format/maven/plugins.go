package maven

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

// prefixTag begins the tag of a package that is a Maven plugin; the prefix of its goals follows. Tags are what lists of packages have.
const prefixTag = "goal-prefix:"

// groupID stands for the plugins of a group at an upstream, of which groups have lists and packages have none. No package can have this
// name, and package groups judge it as they do any package of the group.
func groupID(group string) registry.PackageID {
	return registry.PackageID{Format: Name, Namespace: group, Name: metadataFile}
}

// maxPlugins bounds the list of a group; the largest known has some 300.
const maxPlugins = 10_000

// pluginsDocument lists the plugins of a group: those that the repositories have, and then those of an upstream's list. A group all of
// whose packages are our own is nobody's business outside.
func pluginsDocument(ctx context.Context, repo format.Repository, group string, outside bool) (*format.Document, error) {
	m, foreign, err := heldPlugins(ctx, repo, group)
	if err != nil {
		return nil, err
	}
	var theirs *format.Document
	if outside && foreign {
		theirs, err = repo.Document(ctx, groupID(group), "plugins", renderPlugins)
		if err != nil && !errors.Is(err, registry.ErrNotFound) && (len(m.Plugins) == 0 || !errors.Is(err, registry.ErrUnavailable)) {
			return nil, err
		}
	}
	if theirs != nil {
		var list []plugin
		if err := json.Unmarshal(theirs.Body, &list); err != nil {
			return nil, fmt.Errorf("plugins of %s: %w", group, err)
		}
		for _, p := range list {
			if !slices.ContainsFunc(m.Plugins, func(o plugin) bool { return o.Prefix == p.Prefix }) {
				m.Plugins = append(m.Plugins, p)
			}
		}
	}
	if len(m.Plugins) == 0 {
		return nil, fmt.Errorf("%w: there is no artifact here, and no plugin of group %s", registry.ErrNotFound, group)
	}
	slices.SortFunc(m.Plugins, func(a, b plugin) int { return strings.Compare(a.Prefix, b.Prefix) })
	r, err := rendered(m, m.modified)
	if err != nil {
		return nil, err
	}
	d, err := format.NewDocument(r)
	if err == nil && theirs != nil {
		d.Stale, d.Partial = theirs.Stale, theirs.Partial
	}
	return d, err
}

// heldPlugins are the plugins of a group that the repositories of the plan have. foreign is false if all packages of the group are our
// own.
func heldPlugins(ctx context.Context, repo format.Index, group string) (m *metadata, foreign bool, err error) {
	m = &metadata{}
	held, owned := 0, 0
	for p, failed := range repo.Packages(ctx, format.Query{Namespace: group, HasNamespace: true}) {
		if failed != nil {
			return nil, false, failed
		}
		held++
		if p.Controls.MayPublish() && !p.Controls.MayComeFromUpstream() {
			owned++
		}
		for tag := range p.Tags {
			if prefix, ok := strings.CutPrefix(tag, prefixTag); ok && len(m.Plugins) < maxPlugins {
				m.Plugins = append(m.Plugins, plugin{Name: p.ID.Name, Prefix: prefix, ArtifactID: p.ID.Name})
				if p.Modified.After(m.modified) {
					m.modified = p.Modified
				}
			}
		}
	}
	return m, held == 0 || owned < held, nil
}

// renderPlugins lists what groupID stands for; see remotePlugins.
func renderPlugins(v *format.PackageView) (*format.Rendered, error) {
	list := []plugin{}
	for _, x := range v.Versions {
		var p plugin
		if err := json.Unmarshal(x.Document, &p); err != nil {
			return nil, fmt.Errorf("plugin %s: %w", x.ID, err)
		}
		list = append(list, p)
	}
	body, err := json.Marshal(list)
	return &format.Rendered{ContentType: "application/json", Body: body, Modified: v.Modified}, err
}

// remotePlugins makes a version of each plugin of an upstream's list, named for its prefix.
func remotePlugins(id registry.PackageID, m *metadata) (*format.RemotePackage, error) {
	out := &format.RemotePackage{}
	seen := map[string]bool{}
	for _, p := range m.Plugins[:min(len(m.Plugins), maxPlugins)] {
		if checkFile("prefix", p.Prefix) != nil || checkName("artifact id", p.ArtifactID, p.ArtifactID) != nil || seen[p.Prefix] {
			continue
		}
		seen[p.Prefix] = true
		p.Name = registry.Clip(p.Name)
		document, err := json.Marshal(p)
		if err != nil {
			return nil, err
		}
		out.Versions = append(out.Versions, &registry.Version{
			ID: registry.VersionID{Package: id, Version: p.Prefix}, Display: p.Prefix, Status: registry.Published, Document: document,
		})
		out.Size += int64(len(document)) + 256
	}
	if len(out.Versions) == 0 {
		return nil, fmt.Errorf("%w: group %s has no plugins", registry.ErrNotFound, id.Namespace)
	}
	return out, nil
}
