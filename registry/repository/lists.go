package repository

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/external"
	"packhouse.dev/packhouse/registry/format"
	"packhouse.dev/packhouse/registry/metadata"
	"packhouse.dev/packhouse/registry/upstream"
)

// upstreamLists is what the connections of a plan list for an index.
type upstreamLists struct {
	by      map[string]map[registry.PackageID][]byte   // by name of the connection
	held    map[registry.PackageID][]*metadata.Package // of listed packages that repositories hold and say nothing of
	uses    []sourceUse
	partial bool // a connection could not be asked and there is no copy
	currency
}

// drop takes a package that a repository holds out of all lists.
func (l *upstreamLists) drop(id registry.PackageID) {
	for _, list := range l.by {
		delete(list, id)
	}
}

// hold notes the rows of a package that a repository holds, and of which the index says nothing.
func (l *upstreamLists) hold(rows []*metadata.Package) {
	for _, list := range l.by {
		if _, ok := list[rows[0].ID]; ok {
			l.held[rows[0].ID] = rows
			return
		}
	}
}

// lists asks the connections of the plan, if the format reads lists. One that cannot be asked makes the index a partial one.
func (v *View) lists(ctx context.Context, kind string) (*upstreamLists, error) {
	out := &upstreamLists{by: map[string]map[registry.PackageID][]byte{}, held: map[registry.PackageID][]*metadata.Package{}}
	f, ok := v.format.(format.Lister)
	if !ok {
		return out, nil
	}
	for i := range v.rc.members {
		for _, name := range v.rc.plan.Connections(i) {
			conn := v.rc.domain.conns[name]
			if _, asked := out.by[name]; asked || conn == nil || conn.Format != v.traits.Name {
				continue
			}
			rec := v.s.recorder(v.rc.domain, conn, external.SourceOptions{MaxAge: -1})
			list, err := guardRemote(func() (map[registry.PackageID][]byte, error) { return f.List(ctx, rec, kind) })
			switch {
			case errors.Is(err, registry.ErrNotFound):
			case errors.Is(err, registry.ErrUnavailable), errors.Is(err, registry.ErrInvalid):
				v.s.log.WarnContext(ctx, "an index lacks an upstream", "connection", name, "error", err)
				out.partial = true
			case err != nil:
				return nil, fmt.Errorf("list of %s: %w", name, err)
			}
			out.by[name] = list
			out.uses = append(out.uses, rec.uses...)
			out.join(rec.currency)
		}
	}
	if out.stale || out.partial {
		out.until(v.s.now().Add(outageKeep))
	}
	return out, nil
}

// withLists adds the packages that only upstreams have, and that the repository would get from there: origin controls hold for lists
// as they do for packages.
func (v *View) withLists(entries []indexEntry, size int64, lists *upstreamLists) ([]indexEntry, error) {
	before := len(entries)
	seen := map[registry.PackageID]bool{}
	for i := range v.rc.members {
		for _, name := range v.rc.plan.Connections(i) {
			for id, value := range lists.by[name] {
				if seen[id] || !v.reaches(id, lists.held[id], name) {
					continue
				}
				seen[id] = true
				if size += int64(len(value)); size > maxIndex {
					return nil, fmt.Errorf("%w: the index of repository %s has more than %d MiB", registry.ErrTooLarge, v.rc.doc.Name, maxIndex>>20)
				}
				entries = append(entries, indexEntry{id, value})
			}
		}
	}
	if len(entries) > before {
		slices.SortFunc(entries, func(a, b indexEntry) int {
			if c := strings.Compare(a.id.Namespace, b.id.Namespace); c != 0 {
				return c
			}
			return strings.Compare(a.id.Name, b.id.Name)
		})
	}
	return entries, nil
}

// reaches says whether the search for a package comes to a connection; rows are those of the repositories that hold it.
func (v *View) reaches(id registry.PackageID, rows []*metadata.Package, connection string) bool {
	if v.owns(id) != nil {
		return false
	}
	return slices.ContainsFunc(v.s.located(v.rc, id, rows).steps, func(st upstream.Step) bool { return st.Connection == connection })
}
