package repository

import (
	"context"
	"fmt"
	"slices"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/external"
	"packhouse.dev/packhouse/registry/format"
	"packhouse.dev/packhouse/registry/metadata"
)

// outageKeep is how long a document that lacks a current upstream is kept: the upstream's circuit breaker makes the next try cheap,
// and clients see the end of the outage at once.
const outageKeep = 2 * time.Second

// Document implements format.Reader.
func (v *View) Document(ctx context.Context, id registry.PackageID, kind string, render func(*format.PackageView) (*format.Rendered, error)) (*format.Document, error) {
	if err := v.mayRead(); err != nil {
		return nil, err
	}
	if err := v.owns(id); err != nil {
		return nil, err
	}
	key := cacheKey{repository: v.rc.row.ID, id: id, kind: kind, base: v.base}
	got, err := v.s.cache.do(ctx, key, v.rc, v.s.now(), func(ctx context.Context) (made, error) { return v.makeDocument(ctx, key, render) })
	if err != nil {
		return nil, err
	}
	return got.(*format.Document), nil
}

// makeDocument renders, unless what an expired document was made from turns out to be as it was.
func (v *View) makeDocument(ctx context.Context, key cacheKey, render func(*format.PackageView) (*format.Rendered, error)) (made, error) {
	if old := v.s.cache.expired(key, v.rc); old != nil {
		if doc, ok := old.value.(*format.Document); ok && !doc.Stale && !doc.Partial {
			if until, ok := v.s.confirm(ctx, v.rc, old.sources); ok {
				return made{value: doc, size: documentSize(doc), freshUntil: until, sources: old.sources, keep: true}, nil
			}
		}
	}
	r, err := v.resolve(ctx, key)
	if err != nil {
		return made{}, err
	}
	v.s.keepFollowed(ctx, r)
	view, err := v.s.view(r, v.URL)
	if err != nil {
		return made{}, err
	}
	doc, err := v.s.render(ctx, r.size, func() (*format.Rendered, error) { return render(view) })
	if err != nil {
		return made{}, fmt.Errorf("render %s of %s: %w", key.kind, key.id, err)
	}
	doc.Stale, doc.Partial = r.stale, r.partial
	out := made{value: doc, size: documentSize(doc), freshUntil: r.freshUntil, sources: r.uses, keep: true}
	if r.stale || r.partial {
		out.freshUntil = v.s.now().Add(outageKeep)
	}
	return out, nil
}

// resolve merges the package of a document, without connections where the format wants none.
func (v *View) resolve(ctx context.Context, key cacheKey) (*resolved, error) {
	l, err := v.s.locate(ctx, v.rc, key.id)
	if err != nil {
		return nil, err
	}
	if f, ok := v.format.(format.HeldOnly); ok && f.HeldOnly(key.kind) {
		l.steps = slices.DeleteFunc(l.steps, isConnection)
	}
	return v.s.merge(ctx, l)
}

// confirm asks the connections of a plan whether all documents are what they were, and until when they are then fresh.
func (s *Service) confirm(ctx context.Context, rc *repoConfig, uses []sourceUse) (time.Time, bool) {
	var c currency
	by := map[string][]sourceUse{}
	for _, u := range uses {
		by[u.key.connection] = append(by[u.key.connection], u)
	}
	for _, conn := range rc.domain.conns {
		uses, ok := by[conn.Identity()]
		if !ok {
			continue
		}
		delete(by, conn.Identity())
		rec := s.recorder(rc.domain, conn, external.SourceOptions{MaxAge: -1})
		if !rec.confirm(ctx, uses) {
			return time.Time{}, false
		}
		c.join(rec.currency)
	}
	return c.freshUntil, len(by) == 0 && !c.stale && !c.freshUntil.IsZero()
}

// render runs a renderer within the bound on what all of them may hold; input is the size of what it reads.
func (s *Service) render(ctx context.Context, input int64, fn func() (*format.Rendered, error)) (*format.Document, error) {
	weight := min(3*input+1<<16, s.opt.RenderBytes) // the input, the document, and its compressed form
	if err := s.rendering.Acquire(ctx, weight); err != nil {
		return nil, err
	}
	defer s.rendering.Release(weight)
	got, err := fn()
	if err != nil {
		return nil, err
	}
	return format.NewDocument(got)
}

func documentSize(d *format.Document) int64 {
	return int64(len(d.Body)+len(d.Gzip)) + 1<<10 // and its headers
}

// Package implements format.Reader.
func (v *View) Package(ctx context.Context, id registry.PackageID) (*format.PackageView, error) {
	if err := v.mayRead(); err != nil {
		return nil, err
	}
	if err := v.owns(id); err != nil {
		return nil, err
	}
	r, err := v.s.resolve(ctx, v.rc, id)
	if err != nil {
		return nil, err
	}
	return v.s.view(r, v.URL)
}

// Own implements format.Reader.
func (v *View) Own(ctx context.Context, id registry.PackageID) (*format.PackageView, error) {
	if err := v.mayRead(); err != nil {
		return nil, err
	}
	if err := v.owns(id); err != nil {
		return nil, err
	}
	rows, err := v.s.store.Packages(ctx, v.rc.ids[:1], id)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	row := rows[0]
	versions, err := v.s.store.Versions(ctx, []metadata.PackageRow{row.Row}, nil)
	if err != nil {
		return nil, err
	}
	out := &format.PackageView{
		ID: id, Display: row.Display, Tags: row.Tags, Controls: v.rc.joined(v.rc.override(id).effective(row), id), Revision: row.Revision,
		Modified: row.ModifiedAt, URL: v.URL,
	}
	for _, ver := range versions {
		out.Versions = append(out.Versions, &ver.Version)
	}
	sortVersions(v.format.Names(), out.Versions)
	return out, nil
}

// Find implements format.Reader.
func (v *View) Find(ctx context.Context, kind, key string) ([]registry.VersionID, error) {
	if err := v.mayRead(); err != nil {
		return nil, err
	}
	found, err := v.s.store.Find(ctx, v.rc.ids, v.traits.Name, kind, key)
	if err != nil {
		return nil, err
	}
	// A row further up counts only if the search of its package reaches it, and it is the row that decides.
	var out []registry.VersionID
	for _, repository := range v.rc.ids {
		for _, f := range found {
			if f.Repository != repository || slices.Contains(out, f.ID) {
				continue
			}
			l, err := v.s.locate(ctx, v.rc, f.ID.Package)
			if err != nil {
				return nil, err
			}
			p, err := v.s.place(ctx, l, f.ID.Version)
			if err != nil {
				return nil, err
			}
			if p.row != nil && p.row.Row == f.Row && f.Status.Served() {
				out = append(out, f.ID)
			}
		}
	}
	return out, nil
}
