package group

import (
	"fmt"
	"slices"

	"packhouse.dev/packhouse/registry"
)

// Way is a way by which versions come into a repository.
type Way int

// The ways (guide, "Restriction settings").
const (
	Publish          Way = iota // directly, from a package manager
	ExternalUpstream            // from a public source, into the repository that has the connection
	InternalUpstream            // from an upstream repository, into the repository that retains them
	ways             = 3
)

// Ways lists all.
func Ways() [ways]Way { return [...]Way{Publish, ExternalUpstream, InternalUpstream} }

// String is the name in the service model.
func (w Way) String() string {
	return [...]string{"PUBLISH", "EXTERNAL_UPSTREAM", "INTERNAL_UPSTREAM"}[w]
}

// Mode is what a group says about a way.
type Mode string

// The modes, as in the service model. Any other blocks.
const (
	Allow         Mode = "ALLOW"
	Block         Mode = "BLOCK"
	AllowSpecific Mode = "ALLOW_SPECIFIC_REPOSITORIES"
	Inherit       Mode = "INHERIT" // of the parent group: its mode and its list
)

// Control is what a group says about one way.
type Control struct {
	Mode         Mode
	Repositories []string // names in the domain, with AllowSpecific only
}

// Controls are what a group says, by Way.
type Controls [ways]Control

// Open allows everything: what the root group says unless it is told otherwise.
func Open() Controls { return Controls{{Mode: Allow}, {Mode: Allow}, {Mode: Allow}} }

// Closed blocks everything.
func Closed() Controls { return Controls{{Mode: Block}, {Mode: Block}, {Mode: Block}} }

// Effective is what holds for a group and a way once parents are asked.
type Effective struct {
	Mode         Mode     // never Inherit
	Repositories []string // with AllowSpecific
	From         *Node    // the group that says so: the group itself, or the parent that it inherits from
}

// Allows says whether versions may come into a repository.
func (e *Effective) Allows(repository string) bool {
	return e.Mode == Allow || e.Mode == AllowSpecific && slices.Contains(e.Repositories, repository)
}

// Match is the association of a package with its group.
type Match struct {
	Group *Node
	// Strong is false for a variation of the pattern: no new version of such a package comes in by any way, whatever the group says
	// (guide, "Strong and weak match"). Versions that are there already are served.
	Strong bool
}

// Allows says whether new versions of the package may come into a repository by a way. The repository is the one that the way is about:
// that of the publish, that which has the connection, that which retains.
func (m Match) Allows(w Way, repository string) bool {
	return m.Strong && m.Group.effective[w].Allows(repository)
}

// Restricts says whether the group's setting for some way is not ALLOW. Then new packages begin with Publish: ALLOW and Upstream: ALLOW
// (guide, "Default package origin control settings"; registry.DefaultControls).
func (m Match) Restricts() bool {
	return !m.Strong || slices.ContainsFunc(m.Group.effective[:], func(e Effective) bool { return e.Mode != Allow })
}

// Explain says in a sentence whether and why, for traces and for what a client is told.
func (m Match) Explain(id registry.PackageID, w Way, repository string) string {
	if !m.Strong {
		return fmt.Sprintf("package %s is a variation of package group %s and blocked (weak match); a group of its own lifts that", id, m.Group.Name())
	}
	e := &m.Group.effective[w]
	from := ""
	if e.From != m.Group {
		from = ", inherited from " + e.From.Name()
	}
	switch {
	case e.Mode == AllowSpecific && e.Allows(repository):
		return fmt.Sprintf("package group %s allows %s for repository %s%s", m.Group.Name(), w, repository, from)
	case e.Mode == AllowSpecific:
		return fmt.Sprintf("package group %s allows %s for other repositories than %s only%s", m.Group.Name(), w, repository, from)
	case e.Mode == Allow:
		return fmt.Sprintf("package group %s allows %s%s", m.Group.Name(), w, from)
	}
	return fmt.Sprintf("package group %s blocks %s%s", m.Group.Name(), w, from)
}
