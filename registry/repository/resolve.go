package repository

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/format"
	"packhouse.dev/packhouse/registry/group"
	"packhouse.dev/packhouse/registry/metadata"
	"packhouse.dev/packhouse/registry/upstream"
)

// located is a package seen from a repository: the rows of its plan and what origin controls leave of the plan.
type located struct {
	rc    *repoConfig
	id    registry.PackageID
	group group.Match
	rows  []*metadata.Package // by index in the plan; nil where there is none
	steps []upstream.Step     // in search order, without what is cut
	shut  []upstream.Step     // that the package group keeps away, in search order
}

// own is the row in the requested repository itself, nil if there is none.
func (l *located) own() *metadata.Package { return l.rows[0] }

// controls returns the effective origin controls at a repository of the plan.
func (l *located) controls(i int) registry.OriginControls {
	return l.rc.members[i].override(l.id).effective(l.rows[i])
}

// open says whether the package group lets versions come by a step of the search. From an upstream repository they come into the one
// that is asked, which retains them; from a connection, into its owner (readings A15).
func (l *located) open(st upstream.Step) bool {
	if st.Repository != 0 && !l.group.Allows(group.InternalUpstream, l.rc.doc.Name) {
		return false
	}
	return !isConnection(st) || l.group.Allows(group.ExternalUpstream, l.rc.members[st.Repository].doc.Name)
}

// keptAway says what keeps the search from places of the plan; "" if nothing does.
func (l *located) keptAway() string {
	switch {
	case l.cut(0) && len(l.rc.plan.Names())+len(l.rc.plan.Connections(0)) > 1:
		return fmt.Sprintf("the origin controls of the package in repository %s block upstream versions", l.rc.doc.Name)
	case len(l.shut) == 0:
		return ""
	case l.shut[0].Repository != 0 && !l.group.Allows(group.InternalUpstream, l.rc.doc.Name):
		return l.group.Explain(l.id, group.InternalUpstream, l.rc.doc.Name)
	}
	return l.group.Explain(l.id, group.ExternalUpstream, l.rc.members[l.shut[0].Repository].doc.Name)
}

// unasked says whether the plan has connections, and the search none of them.
func (l *located) unasked() bool {
	for i := range l.rc.members {
		if len(l.rc.plan.Connections(i)) > 0 {
			return !slices.ContainsFunc(l.steps, isConnection)
		}
	}
	return false
}

func (l *located) cut(i int) bool { return !l.controls(i).MayComeFromUpstream() }

// owned says whether some repository of the plan holds the name as its own: published there, or declared for publishing only. Such
// a name is never told to an external connection, by whatever way one is reachable: that is what keeps a private name private.
func (l *located) owned() bool {
	for i, row := range l.rows {
		if row == nil && l.rc.members[i].override(l.id).upstream == "" {
			continue
		}
		if c := l.controls(i); c.MayPublish() && !c.MayComeFromUpstream() {
			return true
		}
	}
	return false
}

// locate reads the rows of a package over the plan and applies origin controls to the search.
func (s *Service) locate(ctx context.Context, rc *repoConfig, id registry.PackageID) (*located, error) {
	rows, err := s.store.Packages(ctx, rc.ids, id)
	if err != nil {
		return nil, err
	}
	return s.located(rc, id, rows), nil
}

// located applies origin controls to the search of a package whose rows in the plan are given.
func (s *Service) located(rc *repoConfig, id registry.PackageID, rows []*metadata.Package) *located {
	l := &located{rc: rc, id: id, group: rc.group(id), rows: make([]*metadata.Package, len(rc.ids))}
	for _, row := range rows {
		if i := slices.Index(rc.ids, row.Repository); i >= 0 {
			l.rows[i] = row
		}
	}
	owned, alone := l.owned(), s.formats[id.Format].Traits().NoUpstream
	rc.plan.Search(func(i int) bool { return alone || l.cut(i) }, func(st upstream.Step) bool {
		switch {
		case !l.open(st):
			l.shut = append(l.shut, st)
		case !isConnection(st) || !owned:
			l.steps = append(l.steps, st)
		}
		return true
	})
	return l
}

func isConnection(st upstream.Step) bool { return st.Connection != "" }

// connection returns the connection of a step.
func (l *located) connection(st upstream.Step) *config.Connection {
	return l.rc.domain.conns[st.Connection]
}

// packageRows returns the rows that the search reaches.
func (l *located) packageRows() []metadata.PackageRow {
	var out []metadata.PackageRow
	for _, st := range l.steps {
		if row := l.rows[st.Repository]; st.Connection == "" && row != nil {
			out = append(out, row.Row)
		}
	}
	return out
}

// resolved is a package merged over the plan.
type resolved struct {
	*located
	versions map[string]*registry.Version // by key; the first place that has a version decides, whatever its status
	remotes  map[string]*remote           // by connection name; absent where it could not be asked
	// following are the versions that follow the place they came from, by key; nil in formats that do not.
	following map[string]*following
	uses      []sourceUse
	currency
	partial bool
	why     error  // of partial
	edited  []bool // by index in the plan: something there was published or tagged, not only retained
	size    int64  // of what is in memory for it, in bytes, roughly
}

// resolve merges the package over the plan. It does not filter by status.
func (s *Service) resolve(ctx context.Context, rc *repoConfig, id registry.PackageID) (*resolved, error) {
	l, err := s.locate(ctx, rc, id)
	if err != nil {
		return nil, err
	}
	return s.merge(ctx, l)
}

// merge joins what the places of a search have.
func (s *Service) merge(ctx context.Context, l *located) (*resolved, error) {
	rc := l.rc
	r := &resolved{located: l, versions: map[string]*registry.Version{}, remotes: map[string]*remote{}, edited: make([]bool, len(rc.ids))}
	if s.formats[l.id.Format].Traits().Follows {
		r.following = map[string]*following{}
	}
	rows, err := s.store.Versions(ctx, l.packageRows(), nil)
	if err != nil {
		return nil, err
	}
	byRepository := map[metadata.RepositoryID][]*metadata.Version{}
	for _, v := range rows {
		byRepository[v.Repository] = append(byRepository[v.Repository], v)
	}
	for _, st := range l.steps {
		if st.Connection == "" {
			for _, v := range byRepository[rc.ids[st.Repository]] {
				r.add(&v.Version)
				if r.following != nil {
					r.followRow(v)
				}
				r.edited[st.Repository] = r.edited[st.Repository] || v.Origin.Type == registry.Internal
			}
			continue
		}
		if err := s.addRemote(ctx, r, st); err != nil {
			return nil, err
		}
	}
	r.followed()
	return r, nil
}

func (r *resolved) add(v *registry.Version) {
	if _, taken := r.versions[v.ID.Version]; !taken {
		r.versions[v.ID.Version] = v
		r.size += int64(len(v.Document)) + 512
		for i := range v.Assets {
			r.size += int64(len(v.Assets[i].Info))
		}
	}
}

func (s *Service) addRemote(ctx context.Context, r *resolved, st upstream.Step) error {
	conn := r.connection(st)
	if conn.Format != r.id.Format {
		return nil
	}
	rem, err := s.remote(ctx, r.rc.domain, conn, r.id, askCached)
	if errors.Is(err, registry.ErrUnavailable) {
		r.partial, r.why = true, err
		s.log.Warn("external connection cannot be asked", "connection", conn.Name, "package", r.id.String(), "error", err)
		return nil
	}
	if err != nil {
		return err
	}
	r.remotes[st.Connection] = rem
	r.uses = append(r.uses, rem.uses...)
	r.join(rem.currency)
	r.followRemote(conn.Identity(), rem)
	if rem.pkg != nil {
		for _, v := range rem.pkg.Versions {
			r.add(v)
		}
	}
	return nil
}

// view filters by status and merges tags. If nothing is left to list it is ErrNotFound, or what kept an upstream from being asked: an
// outage must not look like a package that does not exist.
func (s *Service) view(r *resolved, url func(string) string) (*format.PackageView, error) {
	out := &format.PackageView{ID: r.id, Tags: map[string]string{}, Hidden: map[string]registry.Status{}, Controls: r.rc.joined(r.controls(0), r.id), Stale: r.stale, Partial: r.partial, URL: url}
	marks := s.formats[r.id.Format].Traits().MarksUnlisted
	for _, v := range r.versions {
		if v.Status.Listed() || marks && v.Status == registry.Unlisted {
			out.Versions = append(out.Versions, v)
		} else {
			out.Hidden[v.ID.Version] = v.Status
		}
	}
	if len(out.Versions) == 0 && r.partial {
		return nil, fmt.Errorf("package %s: %w", r.id, r.why)
	}
	if len(out.Versions) == 0 {
		err := registry.ErrNotFound
		if r.unasked() {
			err = format.ErrKeptAway
		}
		if why := r.keptAway(); why != "" {
			return nil, fmt.Errorf("package %s: %w: %s", r.id, err, why)
		}
		return nil, fmt.Errorf("package %s: %w", r.id, err)
	}
	sortVersions(s.formats[r.id.Format].Names(), out.Versions)
	for _, v := range out.Versions {
		out.Modified = later(out.Modified, v.PublishedAt)
	}
	for i, row := range r.rows {
		if row == nil {
			continue
		}
		if out.Display == "" {
			out.Display = row.Display
		}
		// That a version was retained changes nothing that a client sees, and must not make its copy of the document old.
		if r.edited[i] || len(row.Tags) > 0 {
			out.Modified = later(out.Modified, row.ModifiedAt)
		}
	}
	if row := r.own(); row != nil {
		out.Revision = row.Revision
	}
	for _, st := range r.rc.plan.Deepest(r.cut) {
		if !slices.Contains(r.steps, st) {
			continue
		}
		for tag, version := range r.tags(st) {
			if _, taken := out.Tags[tag]; taken {
				continue
			}
			if v := r.versions[version]; v != nil && v.Status.Listed() {
				out.Tags[tag] = version
			}
		}
	}
	for _, rem := range r.remotes {
		if rem.pkg != nil {
			out.Modified = later(out.Modified, rem.pkg.Modified)
			if out.Display == "" {
				out.Display = rem.pkg.Display
			}
		}
	}
	return out, nil
}

// tags returns what one place of the plan says.
func (r *resolved) tags(st upstream.Step) map[string]string {
	if st.Connection == "" {
		if row := r.rows[st.Repository]; row != nil {
			return row.Tags
		}
		return nil
	}
	if rem := r.remotes[st.Connection]; rem != nil && rem.pkg != nil {
		return rem.pkg.Tags
	}
	return nil
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func sortVersions(names format.Names, list []*registry.Version) {
	slices.SortFunc(list, func(a, b *registry.Version) int { return names.Compare(a.ID.Version, b.ID.Version) })
}
