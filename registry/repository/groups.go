package repository

import (
	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/group"
)

// group finds the package group of a package.
func (rc *repoConfig) group(id registry.PackageID) group.Match {
	return rc.domain.access.Groups().Find(id)
}

// ways is what the group of a package leaves open, as far as a repository depends on it. It is comparable.
type ways struct {
	publish, internal bool   // into the repository itself
	external          uint64 // bit i: into repository i of the plan, which has connections
}

func (rc *repoConfig) ways(id registry.PackageID) ways {
	m := rc.group(id)
	w := ways{publish: m.Allows(group.Publish, rc.doc.Name), internal: m.Allows(group.InternalUpstream, rc.doc.Name)}
	for i, member := range rc.members {
		if len(rc.plan.Connections(i)) > 0 && m.Allows(group.ExternalUpstream, member.doc.Name) {
			w.external |= 1 << i
		}
	}
	return w
}

// joined are the controls that hold for a package in a repository: what blocks wins, whether the package's own controls or its group
// says it (user guide, "How package origin controls interact with package group origin controls").
func (rc *repoConfig) joined(c registry.OriginControls, id registry.PackageID) registry.OriginControls {
	m, name := rc.group(id), rc.doc.Name
	if !m.Allows(group.Publish, name) {
		c.Publish = registry.Block
	}
	if !m.Allows(group.InternalUpstream, name) && !m.Allows(group.ExternalUpstream, name) {
		c.Upstream = registry.Block
	}
	return c
}
