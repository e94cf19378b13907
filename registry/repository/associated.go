package repository

import (
	"context"
	"fmt"
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
	var repos []metadata.RepositoryID
	for _, rc := range d.cfg.repos {
		repos = append(repos, rc.row.ID)
	}
	if len(repos) == 0 {
		return nil, nil, nil
	}
	looked := 0
	for _, f := range slices.Sorted(maps.Keys(d.s.formats)) {
		if q.After != nil && f < q.After.Format || !q.Pattern.IsRoot() && !strings.HasPrefix(q.Pattern.String(), "/"+string(f)+"/") {
			continue
		}
		lq := metadata.ListQuery{Format: f, Limit: page}
		if q.After != nil && f == q.After.Format {
			// Behind every repository that has the package.
			lq.After = &metadata.ListCursor{Namespace: q.After.Namespace, Name: q.After.Name, Repository: metadata.LastRepository}
		}
		for {
			rows, next, err := d.s.store.List(ctx, repos, lq)
			if err != nil {
				return nil, nil, err
			}
			for _, row := range rows {
				if n := len(list); n > 0 && list[n-1].ID == row.ID {
					continue // in another repository, too
				}
				m := index.Find(row.ID)
				if m.Group.Pattern() != q.Pattern {
					continue
				}
				if len(list) == q.Limit {
					return list, &list[len(list)-1].ID, nil
				}
				list = append(list, AssociatedPackage{row.ID, m.Strong})
			}
			if next == nil {
				break
			}
			if looked += len(rows); looked >= maxLooked {
				return list, &rows[len(rows)-1].ID, nil
			}
			lq.After = next
		}
	}
	return list, nil, nil
}

// NoGroup is the error of a package group that there is not.
func (d *Domain) NoGroup(pattern string) error {
	return &MissingError{MissingGroup, pattern, fmt.Sprintf("Package group not found: there is no package group %s in domain %s", pattern, d.cfg.doc.Name)}
}
