// Package upstream says in which order repositories and external connections are asked for a package: the repository itself, then
// its upstreams depth first in their order, and a repository's external connections after its own upstreams (user guide,
// "Upstream repository priority order"). It is pure; what a repository holds and what its origin controls say comes from outside.
package upstream

import "slices"

// MaxSearched is the hard bound on repositories in a plan, above every configurable limit, so that a set fits in a word.
const MaxSearched = 63

// Node is what a plan needs to know of a repository.
type Node struct {
	Upstreams   []string // names, in order
	Connections []string // names, in order
}

// Plan is the search order of one repository. It is immutable and used concurrently.
type Plan struct {
	names     []string // search order; the repository itself first
	children  [][]int  // by index in names: upstreams that are in the plan, in order
	conns     [][]string
	truncated bool
	missing   []string
}

// Step is one place to ask. Connection "" is the repository itself, else a connection that this repository owns.
type Step struct {
	Repository int // index in Plan.Names
	Connection string
}

// New makes the plan of start. A name that lookup does not know is left out and named in Missing. A repository that is reachable by
// several ways counts once, at its first place; at most limit upstreams are searched and the rest is not looked in.
func New(start string, limit int, lookup func(name string) (Node, bool)) *Plan {
	limit = min(max(limit, 0), MaxSearched)
	p := &Plan{}
	index := map[string]int{}
	var visit func(name string) bool
	visit = func(name string) bool {
		if _, seen := index[name]; seen {
			return true
		}
		node, ok := lookup(name)
		if !ok {
			if !slices.Contains(p.missing, name) {
				p.missing = append(p.missing, name)
			}
			return false
		}
		if len(p.names) > limit {
			p.truncated = true
			return false
		}
		i := len(p.names)
		index[name] = i
		p.names = append(p.names, name)
		p.children = append(p.children, nil)
		p.conns = append(p.conns, slices.Clone(node.Connections))
		for _, up := range node.Upstreams {
			if !visit(up) {
				continue
			}
			if c := index[up]; c != i && !slices.Contains(p.children[i], c) {
				p.children[i] = append(p.children[i], c)
			}
		}
		return true
	}
	visit(start)
	return p
}

// Names returns the repositories in search order, the repository itself first. It is empty if the repository is unknown.
func (p *Plan) Names() []string { return p.names }

// Truncated says whether repositories were left out because of the limit.
func (p *Plan) Truncated() bool { return p.truncated }

// Missing returns upstream names that do not exist.
func (p *Plan) Missing() []string { return p.missing }

// Children returns the direct upstreams of a repository of the plan, in order.
func (p *Plan) Children(repository int) []int { return p.children[repository] }

// Connections returns the connections of a repository of the plan, in order.
func (p *Plan) Connections(repository int) []string { return p.conns[repository] }

// Search calls yield for each step in order until it returns false. cut says that a repository takes nothing from upstream for the
// package in question: its upstreams and connections are then not reached through it, though another way may still reach them.
func (p *Plan) Search(cut func(repository int) bool, yield func(Step) bool) {
	if len(p.names) == 0 {
		return
	}
	var seen uint64
	p.search(0, cut, yield, &seen)
}

func (p *Plan) search(i int, cut func(int) bool, yield func(Step) bool, seen *uint64) bool {
	*seen |= 1 << i
	if !yield(Step{Repository: i}) {
		return false
	}
	if cut(i) {
		return true
	}
	for _, c := range p.children[i] {
		if *seen&(1<<c) == 0 && !p.search(c, cut, yield, seen) {
			return false
		}
	}
	for _, c := range p.conns[i] {
		if !yield(Step{Repository: i, Connection: c}) {
			return false
		}
	}
	return true
}

// Deepest returns the steps of a search with a repository's upstreams and connections before the repository itself: the order in
// which tags win, because an upstream's tag overrides the tag of the repository that asks it (user guide, "npm tags and upstream
// repositories").
func (p *Plan) Deepest(cut func(repository int) bool) []Step {
	var (
		out  []Step
		seen uint64
		walk func(int)
	)
	walk = func(i int) {
		seen |= 1 << i
		if !cut(i) {
			for _, c := range p.children[i] {
				if seen&(1<<c) == 0 {
					walk(c)
				}
			}
			for _, c := range p.conns[i] {
				out = append(out, Step{Repository: i, Connection: c})
			}
		}
		out = append(out, Step{Repository: i})
	}
	if len(p.names) > 0 {
		walk(0)
	}
	return out
}
