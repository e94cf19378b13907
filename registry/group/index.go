package group

import (
	"cmp"
	"slices"
	"strings"

	"packhouse.dev/packhouse/registry"
)

// Group is a declared package group.
type Group struct {
	Pattern  Pattern
	Controls Controls
	Source   string // what declares it, for traces: "PackageGroup team/corp-npm"; may be empty
}

// Node is a group in the hierarchy of its domain. It is immutable.
type Node struct {
	group     Group
	weak      string // prefix in its weak form
	parent    *Node
	children  []*Node
	effective [ways]Effective
}

// Pattern of the group.
func (n *Node) Pattern() Pattern { return n.group.Pattern }

// Controls of the group, as declared.
func (n *Node) Controls() Controls { return n.group.Controls }

// Source is what declares the group; "" for a root that nothing declares.
func (n *Node) Source() string { return n.group.Source }

// Parent is nil for the root only.
func (n *Node) Parent() *Node { return n.parent }

// Children are the groups whose parent this is, in order of their patterns.
func (n *Node) Children() []*Node { return slices.Clip(n.children) }

// Effective is what holds for a way.
func (n *Node) Effective(w Way) *Effective { return &n.effective[w] }

// Name is the pattern, and what declares it.
func (n *Node) Name() string {
	if n.group.Source == "" {
		return n.group.Pattern.String()
	}
	return n.group.Pattern.String() + " (" + n.group.Source + ")"
}

// Index finds the groups of packages in one domain. It is immutable and safe for concurrent use.
type Index struct {
	root   *Node
	nodes  []*Node
	strong []entry // by prefix
	weak   []entry // by the weak form of the prefix
}

// entry is one prefix. The longest prefix of a path in a sorted list is the last entry that is not above the path, or the end of its
// chain: all entries between a prefix and a path that begins with it begin with it, too.
type entry struct {
	key  string
	kind kind
	up   int // the longest other prefix of key, the less specific if they are the same; -1: none
	node *Node
}

// New makes the index. Of groups with one pattern the first counts. Without a group for /*, the root allows everything.
func New(groups []Group) *Index {
	x := &Index{}
	seen := map[Pattern]bool{}
	add := func(g Group) {
		if seen[g.Pattern] || g.Pattern.prefix == "" {
			return
		}
		seen[g.Pattern] = true
		n := &Node{group: g, weak: string(appendWeak(nil, []byte(g.Pattern.prefix)))}
		x.nodes = append(x.nodes, n)
		if g.Pattern.IsRoot() {
			x.root = n
		}
	}
	for _, g := range groups {
		add(g)
	}
	add(Group{Pattern: Root(), Controls: Open()})
	slices.SortFunc(x.nodes, func(a, b *Node) int { return strings.Compare(a.group.Pattern.String(), b.group.Pattern.String()) })
	x.strong = chains(x.nodes, func(n *Node) string { return n.group.Pattern.prefix })
	x.weak = chains(x.nodes, func(n *Node) string { return n.weak })
	for _, n := range x.nodes {
		if n != x.root {
			n.parent = x.find([]byte(n.group.Pattern.prefix), n).Group
			n.parent.children = append(n.parent.children, n)
		}
	}
	for _, n := range x.nodes {
		for _, w := range Ways() {
			n.effective[w] = n.inherit(w)
		}
	}
	return x
}

// With is the index as it would be with one more group, which inherits everything.
func (x *Index) With(p Pattern) *Index {
	groups := []Group{{Pattern: p, Controls: Controls{{Mode: Inherit}, {Mode: Inherit}, {Mode: Inherit}}}}
	for _, n := range x.nodes {
		groups = append(groups, n.group)
	}
	return New(groups)
}

// inherit asks the parents. What is neither a mode nor inherited from one blocks.
func (n *Node) inherit(w Way) Effective {
	from := n
	for from.group.Controls[w].Mode == Inherit && from.parent != nil {
		from = from.parent
	}
	c := from.group.Controls[w]
	switch c.Mode {
	case Allow:
		return Effective{Mode: Allow, From: from}
	case AllowSpecific:
		return Effective{Mode: AllowSpecific, Repositories: c.Repositories, From: from}
	}
	return Effective{Mode: Block, From: from}
}

func chains(nodes []*Node, key func(*Node) string) []entry {
	out := make([]entry, 0, len(nodes))
	for _, n := range nodes {
		out = append(out, entry{key: key(n), kind: n.group.Pattern.kind, up: -1, node: n})
	}
	slices.SortFunc(out, func(a, b entry) int {
		return cmp.Or(strings.Compare(a.key, b.key), cmp.Compare(a.kind, b.kind), strings.Compare(b.node.group.Pattern.prefix, a.node.group.Pattern.prefix))
	})
	var open []int // the prefixes of the entry before
	for i := range out {
		for len(open) > 0 && !strings.HasPrefix(out[i].key, out[open[len(open)-1]].key) {
			open = open[:len(open)-1]
		}
		if len(open) > 0 {
			out[i].up = open[len(open)-1]
		}
		open = append(open, i)
	}
	return out
}

// Groups lists all groups, the root included, in order of their patterns.
func (x *Index) Groups() []*Node { return slices.Clip(x.nodes) }

// Get returns the group of a pattern, nil if there is none.
func (x *Index) Get(p Pattern) *Node {
	at, ok := slices.BinarySearchFunc(x.nodes, p.String(), func(n *Node, s string) int { return strings.Compare(n.group.Pattern.String(), s) })
	if !ok {
		return nil
	}
	return x.nodes[at]
}

// Find returns the group of a package: the most specific one of those that it matches, strongly or as a variation; among equally
// specific ones a strong match wins (readings A14). The identity is the normalised one. A name that no package can have belongs to the
// root as a variation, and so is blocked.
func (x *Index) Find(id registry.PackageID) Match {
	if id.Name == "" || strings.Contains(id.Name, "/") || strings.Contains(id.Namespace, "/") || strings.Contains(string(id.Format), "/") {
		return Match{Group: x.root}
	}
	var room [512]byte
	path := append(room[:0], '/')
	path = append(append(path, id.Format...), '/')
	path = append(append(path, id.Namespace...), '/')
	path = append(path, id.Name...)
	return x.find(path, nil)
}

// find looks for the most specific group of a path. With of it looks for the parent of that group, whose prefix is the path: a group
// that has every package that of can have, strongly or as variations.
func (x *Index) find(path []byte, of *Node) Match {
	var room [1024]byte
	folded := appendWeak(room[:0], path)
	strong := search(x.strong, path, of)
	weak := search(x.weak, folded, of)
	switch {
	case weak == nil && strong == nil: // not a path
		return Match{Group: x.root}
	case weak == nil, strong != nil && !weak.above(strong):
		return Match{Group: strong, Strong: true}
	}
	return Match{Group: weak}
}

// above says whether variations of n's pattern are fewer than those of m's.
func (n *Node) above(m *Node) bool {
	return len(n.weak) > len(m.weak) || len(n.weak) == len(m.weak) && n.group.Pattern.kind > m.group.Pattern.kind
}

// search returns the most specific entry that matches.
func search(list []entry, path []byte, of *Node) *Node {
	at, high := 0, len(list) // the first entry above the path; by hand, so that the path stays on the stack
	for at < high {
		if middle := at + (high-at)/2; list[middle].key <= string(path) {
			at = middle + 1
		} else {
			high = middle
		}
	}
	if at--; at < 0 {
		return nil
	}
	common := 0
	for key := list[at].key; common < len(key) && common < len(path) && key[common] == path[common]; {
		common++
	}
	for ; at >= 0; at = list[at].up {
		e := &list[at]
		if len(e.key) > common || !e.kind.matches(path[len(e.key):]) {
			continue
		}
		if of == nil || e.contains(of, len(path)) {
			return e.node
		}
	}
	return nil
}

// contains says whether an entry whose prefix is one of a group's, and which matches what has exactly that prefix, is of a less specific
// group.
func (e *entry) contains(of *Node, length int) bool {
	return e.node != of && (len(e.key) < length || e.kind < of.group.Pattern.kind)
}
