package repository

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
	"packhouse.dev/packhouse/registry/metadata"
)

// page is how many rows a list reads at a time.
const page = 500

// maxIndex bounds an index document in memory.
const maxIndex = 256 << 20

// Packages implements format.Index. A package whose name some repository owns is shown as that repository has it.
func (v *View) Packages(ctx context.Context, q format.Query) iter.Seq2[*registry.Package, error] {
	return func(yield func(*registry.Package, error) bool) {
		if err := v.mayRead(); err != nil {
			yield(nil, err)
			return
		}
		words := strings.Fields(strings.ToLower(q.Text))
		n := 0
		for rows, err := range v.s.packages(ctx, v.rc, v.traits.Name, q) {
			if err != nil {
				yield(nil, err)
				return
			}
			p, ok := v.s.shown(v.rc, rows)
			if !ok || !matches(p, words) {
				continue
			}
			if !yield(p, nil) {
				return
			}
			if n++; q.Limit > 0 && n >= q.Limit {
				return
			}
		}
	}
}

func matches(p *registry.Package, words []string) bool {
	if len(words) == 0 {
		return true
	}
	text := strings.ToLower(p.Display + "\n" + p.ID.Namespace + "\n" + p.ID.Name + "\n" + p.Summary)
	return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) })
}

// packages pages through the rows of a plan and gives those of one package at a time, in no order among themselves.
func (s *Service) packages(ctx context.Context, rc *repoConfig, f registry.Format, q format.Query) iter.Seq2[[]*metadata.Package, error] {
	return func(yield func([]*metadata.Package, error) bool) {
		lq := metadata.ListQuery{Format: f, HasNamespace: q.HasNamespace, Namespace: q.Namespace, NamePrefix: q.Prefix, Limit: page}
		var same []*metadata.Package
		for {
			rows, next, err := s.store.List(ctx, rc.ids, lq)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, row := range rows {
				if len(same) > 0 && same[0].ID != row.ID {
					if !yield(same, nil) {
						return
					}
					same = nil
				}
				same = append(same, row)
			}
			if next == nil {
				break
			}
			lq.After = next
		}
		if len(same) > 0 {
			yield(same, nil)
		}
	}
}

// shown joins the rows of one package: nearest first, as far as origin controls let the search go.
func (s *Service) shown(rc *repoConfig, rows []*metadata.Package) (*registry.Package, bool) {
	l := s.located(rc, rows[0].ID, rows)
	var out *registry.Package
	for _, st := range l.steps {
		row := l.rows[st.Repository]
		if st.Connection != "" || row == nil {
			continue
		}
		if out == nil {
			p := row.Package
			p.Modified = row.ModifiedAt
			out = &p
		}
		out.Summary = cmp.Or(out.Summary, row.Summary)
		if len(out.Tags) == 0 {
			out.Tags = row.Tags
		}
	}
	return out, out != nil
}

// IndexDocument implements format.Index. Upstream registries are not asked for lists of everything they have, unless the format is a
// format.Lister: an index shows what the repositories of the plan hold.
func (v *View) IndexDocument(ctx context.Context, kind string, r format.IndexRenderer) (*format.Document, error) {
	if err := v.mayRead(); err != nil {
		return nil, err
	}
	all := registry.PackageID{Format: v.traits.Name}
	key := cacheKey{repository: v.rc.row.ID, id: all, kind: "index\x00" + kind, base: v.base}
	got, err := v.s.cache.do(ctx, key, v.rc, v.s.now(), func(ctx context.Context) (made, error) {
		lists, err := v.lists(ctx, kind)
		if err != nil {
			return made{}, err
		}
		doc, err := v.makeIndex(ctx, kind, r, lists)
		if err != nil {
			return made{}, err
		}
		doc.Stale, doc.Partial = lists.stale, lists.partial
		return made{value: doc, size: documentSize(doc), freshUntil: lists.freshUntil, sources: lists.uses, keep: true}, nil
	})
	if err != nil {
		return nil, err
	}
	return got.(*format.Document), nil
}

// indexEntry is what an index says of one package.
type indexEntry struct {
	id    registry.PackageID
	value []byte
}

func (v *View) makeIndex(ctx context.Context, kind string, r format.IndexRenderer, lists *upstreamLists) (*format.Document, error) {
	kept, err := v.s.store.Derived(ctx, v.rc.row.ID, v.traits.Name, kind)
	if err != nil {
		return nil, err
	}
	known := make(map[string]metadata.Derived, len(kept))
	for _, d := range kept {
		known[d.Key] = d
	}
	var entries []indexEntry
	var renewed []metadata.Derived
	size := int64(0)
	for rows, err := range v.s.packages(ctx, v.rc, v.traits.Name, format.Query{}) {
		if err != nil {
			return nil, err
		}
		d := metadata.Derived{Key: rows[0].ID.Namespace + "\x00" + rows[0].ID.Name, Inputs: v.inputs(rows)}
		if old, ok := known[d.Key]; ok && bytes.Equal(old.Inputs, d.Inputs) {
			d = old
		} else if d.Value, err = v.indexValue(ctx, rows, r); err != nil {
			return nil, err
		} else {
			renewed = append(renewed, d)
		}
		if d.Value == nil {
			lists.hold(rows) // it says nothing; what an upstream says of it is subject to its own origin controls
			continue
		}
		if size += int64(len(d.Value)); size > maxIndex {
			return nil, fmt.Errorf("%w: the index of repository %s has more than %d MiB", registry.ErrTooLarge, v.rc.doc.Name, maxIndex>>20)
		}
		entries = append(entries, indexEntry{rows[0].ID, d.Value})
		lists.drop(rows[0].ID)
	}
	entries, err = v.withLists(entries, size, lists)
	if err != nil {
		return nil, err
	}
	if len(renewed) > 0 {
		if err := v.s.store.PutDerived(ctx, v.rc.row.ID, v.traits.Name, kind, renewed); err != nil {
			v.s.log.WarnContext(ctx, "index entries were not kept", "repository", v.rc.arn, "error", err)
		}
	}
	return v.s.render(ctx, size, func() (*format.Rendered, error) { return assemble(r, entries) })
}

func assemble(r format.IndexRenderer, entries []indexEntry) (*format.Rendered, error) {
	var b bytes.Buffer
	out, err := r.Assemble(&b, func(yield func(registry.PackageID, []byte) bool) {
		for _, e := range entries {
			if !yield(e.id, e.value) {
				return
			}
		}
	})
	if err != nil {
		return nil, err
	}
	if out.Body == nil {
		out.Body = b.Bytes()
	}
	return out, nil
}

// inputs identifies what an entry is made from: the rows at their revisions, and the configuration that says how they are merged.
func (v *View) inputs(rows []*metadata.Package) []byte {
	h := sha256.New()
	field(h, []byte(v.rc.fingerprint))
	field(h, []byte(v.base))
	slices.SortFunc(rows, func(a, b *metadata.Package) int { return cmp.Compare(a.Repository, b.Repository) })
	for _, row := range rows {
		var b [16]byte
		binary.BigEndian.PutUint64(b[:8], uint64(row.Repository))
		binary.BigEndian.PutUint64(b[8:], uint64(row.Revision))
		field(h, b[:])
	}
	for _, m := range v.rc.members {
		o := m.override(rows[0].ID)
		field(h, []byte(o.publish+" "+o.upstream))
	}
	field(h, fmt.Appendf(nil, "%v", v.rc.ways(rows[0].ID)))
	return h.Sum(nil)
}

// indexValue renders the entry of one package from the rows alone; nil if nothing is visible.
func (v *View) indexValue(ctx context.Context, rows []*metadata.Package, r format.IndexRenderer) ([]byte, error) {
	l := v.s.located(v.rc, rows[0].ID, rows)
	l.steps = slices.DeleteFunc(l.steps, isConnection)
	merged, err := v.s.merge(ctx, l)
	if err != nil {
		return nil, err
	}
	view, err := v.s.view(merged, v.URL)
	if errors.Is(err, registry.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return r.Entry(view)
}

// External implements format.Index.
func (v *View) External(ctx context.Context, ids []registry.PackageID) ([]registry.PackageID, error) {
	if err := v.mayRead(); err != nil {
		return nil, err
	}
	var out []registry.PackageID
	for _, id := range ids {
		if v.owns(id) != nil {
			continue
		}
		l, err := v.s.locate(ctx, v.rc, id)
		if err != nil {
			return nil, err
		}
		// Only a name that came from outside may be told outside: of a name that nobody here has, nobody knows whose it is.
		if slices.ContainsFunc(l.steps, isConnection) && l.ingested() {
			out = append(out, id)
		}
	}
	return out, nil
}

// ingested says whether some repository of the plan has the package, and none of them as its own.
func (l *located) ingested() bool {
	return slices.ContainsFunc(l.rows, func(p *metadata.Package) bool { return p != nil }) && !l.owned()
}

// Forward implements format.Index.
func (v *View) Forward(ctx context.Context, q format.PassThrough) (*format.SourceDocument, error) {
	if err := v.mayRead(); err != nil {
		return nil, err
	}
	for i := range v.rc.members {
		for _, name := range v.rc.plan.Connections(i) {
			conn := v.rc.domain.conns[name]
			opted := conn.ForwardAudit && q.Kind == "audit" || conn.ForwardSearch && q.Kind == "search"
			if conn.Format == v.traits.Name && opted {
				return v.s.external.Forward(ctx, conn, q)
			}
		}
	}
	return nil, fmt.Errorf("%w: no external connection takes requests of kind %q", registry.ErrNotFound, q.Kind)
}
