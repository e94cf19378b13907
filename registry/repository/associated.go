package repository

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/group"
	"packhouse.dev/packhouse/registry/metadata"
)

// AssociatedPackage is a package of a group, whichever repositories of the domain hold it.
type AssociatedPackage struct {
	ID     registry.PackageID
	Strong bool
}

// AssociatedQuery selects the packages of a group.
type AssociatedQuery struct {
	Pattern group.Pattern
	Preview bool                // also of a group that does not exist: those that would be in it
	After   *registry.PackageID // begin behind this one
	Limit   int
}

// maxLooked is how many packages of a domain one request looks at: a group may have few among very many.
const maxLooked = 20_000

// Associated lists the packages of a group in order of format, namespace and name. after, unless it is nil, is the place behind which
// the list goes on; a page may be short, and even empty, before that. It asks nobody for permission.
func (d *Domain) Associated(ctx context.Context, q AssociatedQuery) (list []AssociatedPackage, after *registry.PackageID, err error) {
	index := d.cfg.access.Groups()
	if index.Get(q.Pattern) == nil {
		if !q.Preview {
			return nil, nil, d.NoGroup(q.Pattern.String())
		}
		index = index.With(q.Pattern)
	}
	looked := 0
	for _, f := range slices.Sorted(maps.Keys(d.s.formats)) {
		if q.After != nil && f < q.After.Format || !q.Pattern.IsRoot() && !strings.HasPrefix(q.Pattern.String(), "/"+string(f)+"/") {
			continue
		}
		var behind *registry.PackageID
		if q.After != nil && f == q.After.Format {
			behind = q.After
		}
		for id, err := range d.packages(ctx, f, behind) {
			if err != nil {
				return nil, nil, err
			}
			if m := index.Find(id); m.Group.Pattern() == q.Pattern {
				if len(list) == q.Limit {
					return list, &list[len(list)-1].ID, nil
				}
				list = append(list, AssociatedPackage{id, m.Strong})
			}
			if looked++; looked >= maxLooked {
				return list, &id, nil
			}
		}
	}
	return list, nil, nil
}

// CountPackages counts the packages of each group of the domain, by pattern; groups without any are absent. It looks at every package of
// the domain: 100,000 take about a second.
func (d *Domain) CountPackages(ctx context.Context) (map[string]int64, error) {
	counts := map[*group.Node]int64{}
	index := d.cfg.access.Groups()
	for f := range d.s.formats {
		for id, err := range d.packages(ctx, f, nil) {
			if err != nil {
				return nil, err
			}
			counts[index.Find(id).Group]++
		}
	}
	out := make(map[string]int64, len(counts))
	for g, n := range counts {
		out[g.Pattern().String()] = n
	}
	return out, nil
}

// packages are those of a format that any repository of the domain holds, each once, in order; after, unless it is nil, is where they
// begin behind. An error is the last.
func (d *Domain) packages(ctx context.Context, f registry.Format, after *registry.PackageID) iter.Seq2[registry.PackageID, error] {
	return func(yield func(registry.PackageID, error) bool) {
		var repos []metadata.RepositoryID
		for _, rc := range d.cfg.repos {
			repos = append(repos, rc.row.ID)
		}
		q := metadata.ListQuery{Format: f, Limit: page}
		if after != nil { // behind every repository that has the package
			q.After = &metadata.ListCursor{Namespace: after.Namespace, Name: after.Name, Repository: metadata.LastRepository}
		}
		var last registry.PackageID
		for more := len(repos) > 0; more; more = q.After != nil {
			rows, next, err := d.s.store.List(ctx, repos, q)
			if err != nil {
				yield(registry.PackageID{}, err)
				return
			}
			for _, row := range rows {
				if row.ID == last {
					continue // in another repository, too
				}
				if last = row.ID; !yield(last, nil) {
					return
				}
			}
			q.After = next
		}
	}
}

// NoGroup is the error of a package group that there is not.
func (d *Domain) NoGroup(pattern string) error {
	return &MissingError{MissingGroup, pattern, fmt.Sprintf("Package group not found: there is no package group %s in domain %s", pattern, d.cfg.doc.Name)}
}
