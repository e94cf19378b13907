package repository

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/group"
	"packhouse.dev/packhouse/registry/metadata"
	"packhouse.dev/packhouse/registry/upstream"
)

// following is a version that some repository of the plan holds, in a format whose versions follow the place they came from: further
// files and flags of that place are the version's too (user guide, "Requesting Python packages from upstreams and external
// connections" and "Why is CodeArtifact not fetching the latest yanked metadata or assets for a package version?"; readings A1, 4.7).
type following struct {
	rows   []*metadata.Version // that hold it, nearest first
	remote *registry.Version   // what the connection that it came from has; nil: nothing, or it was not reached
	closed bool                // nothing more is taken: the origin is reached, or a row stands in the way that is hidden or of another origin
}

// followRow takes the row of a further place of the search. What is behind a row that is not served, or that was published on its own,
// does not reach the ones before it.
func (r *resolved) followRow(v *metadata.Version) {
	f := r.following[v.ID.Version]
	switch {
	case f == nil && r.versions[v.ID.Version] == &v.Version && v.Status.Served():
		r.following[v.ID.Version] = &following{rows: []*metadata.Version{v}}
	case f == nil || f.closed:
	case !v.Status.Served() || v.Origin.EntryUID != f.rows[0].Origin.EntryUID:
		f.closed = true
	default:
		f.rows = append(f.rows, v)
	}
}

// followRemote takes what a connection has. Further rows do not matter to versions that came from there.
func (r *resolved) followRemote(connection string, rem *remote) {
	for key, f := range r.following {
		if f.closed || f.rows[0].Origin.EntryUID != connection {
			continue
		}
		f.closed, f.remote = true, rem.version(key)
	}
}

// followed replaces the versions of a view by what they are with everything that they follow.
func (r *resolved) followed() {
	for key, f := range r.following {
		v := f.joined()
		r.size += int64(256 * len(v.Assets))
		r.versions[key] = v
	}
}

// joined is the nearest row with the files of all others. A file whose bytes nobody has is left out once the upstream does not offer
// it any more, or cannot be asked at all. Flags are those nearest to the origin.
func (f *following) joined() *registry.Version {
	out := f.rows[0].Version
	out.Assets = nil
	add := func(v *registry.Version) {
		for _, a := range v.Assets {
			at := slices.IndexFunc(out.Assets, func(o registry.Asset) bool { return o.Name == a.Name })
			switch {
			case at < 0:
				out.Assets = append(out.Assets, a)
			case !out.Assets[at].Stored && a.Stored:
				out.Assets[at] = a
			}
		}
	}
	for _, row := range f.rows {
		add(&row.Version)
		out.Flags = row.Flags
	}
	if f.remote != nil {
		add(f.remote)
		out.Flags = f.remote.Flags
	}
	if out.Origin.Type == registry.External {
		out.Assets = slices.DeleteFunc(out.Assets, func(a registry.Asset) bool {
			return !a.Stored && (f.remote == nil || f.remote.Asset(a.Name) == nil)
		})
	}
	return &out
}

// file returns where the bytes of an asset are, the zero File if no row has them.
func (f *following) file(name string) metadata.File {
	for _, row := range f.rows {
		for i, a := range row.Assets {
			if a.Name == name && a.Stored {
				return row.Files[i]
			}
		}
	}
	return metadata.File{}
}

// missing returns the assets that a row has to take to be like the version that it follows.
func (f *following) missing(have, joined *registry.Version) []metadata.NewAsset {
	var out []metadata.NewAsset
	for _, a := range joined.Assets {
		if have.Asset(a.Name) == nil {
			out = append(out, metadata.NewAsset{
				Name: a.Name, Listed: a.Listed, Blob: f.file(a.Name).Blob, Size: a.Size, Digests: a.Digests, Source: a.Source, Info: a.Info,
			})
		}
	}
	return out
}

// keepFollowed writes down what retained versions follow, so that they stay as they were last seen when their upstream is gone. A
// failure costs that only; it does not fail the read.
func (s *Service) keepFollowed(ctx context.Context, r *resolved) {
	var behind []*following
	for _, f := range r.following {
		v := r.versions[f.rows[0].ID.Version]
		if slices.ContainsFunc(f.rows, func(row *metadata.Version) bool { return r.takes(row) && f.differs(&row.Version, v) }) {
			behind = append(behind, f)
		}
	}
	if len(behind) == 0 {
		return
	}
	_, err := s.store.Update(ctx, r.rc.domain.row.ID, func(tx metadata.Tx) error {
		for _, f := range behind {
			for _, row := range f.rows {
				if !r.takes(row) {
					continue
				}
				if err := s.catchUp(tx, r, f, row); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		if !errors.Is(err, context.Canceled) {
			s.log.WarnContext(ctx, "new files and flags of retained versions were not written down", "repository", r.rc.arn, "package", r.id.String(), "error", err)
		}
		return
	}
	for _, f := range behind {
		s.importRest(r.rc, r.versions[f.rows[0].ID.Version])
	}
}

// takes says whether the package group lets a repository of the plan have what its version has elsewhere. The search asked that of the
// repository that is read and of the owner of the connection; those between take it as upstreams.
func (r *resolved) takes(row *metadata.Version) bool {
	at := slices.Index(r.rc.ids, row.Repository)
	if at == 0 || r.group.Allows(group.InternalUpstream, r.rc.members[at].doc.Name) {
		return true
	}
	return slices.ContainsFunc(r.steps, func(st upstream.Step) bool {
		return st.Repository == at && isConnection(st) && r.connection(st).Identity() == row.Origin.EntryUID
	})
}

// differs says whether a row lacks something of the version that it follows.
func (f *following) differs(row, joined *registry.Version) bool {
	return !bytes.Equal(row.Flags, joined.Flags) || len(f.missing(row, joined)) > 0
}

// catchUp makes one row like the version that it follows, unless it has become something else meanwhile.
func (s *Service) catchUp(tx metadata.Tx, r *resolved, f *following, row *metadata.Version) error {
	now, err := tx.Version(row.Package, row.ID.Version)
	if err != nil {
		return err
	}
	joined := r.versions[row.ID.Version]
	if now == nil || now.Row != row.Row || !now.Status.Served() || now.Origin.EntryUID != row.Origin.EntryUID || !f.differs(&now.Version, joined) {
		return nil
	}
	more := f.missing(&now.Version, joined)
	for _, a := range more {
		if err := tx.InsertAsset(now.Row, a); err != nil {
			return err
		}
	}
	rev := revisionOf(&now.Version, joined.Flags, more...)
	if err := tx.UpdateVersion(now.Row, metadata.VersionUpdate{Flags: &joined.Flags, Revision: &rev}); err != nil {
		return err
	}
	at := slices.Index(r.rc.ids, row.Repository)
	return tx.Record(s.change(r.rc.members[at], r.id, eventEdited, row.ID.Version))
}
