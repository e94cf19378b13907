package repository

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/external"
	"packhouse.dev/packhouse/registry/format"
	"packhouse.dev/packhouse/registry/metadata"
	"packhouse.dev/packhouse/registry/upstream"
)

// place is where a version was found: the first step of the search that has it decides, whatever its status there.
type place struct {
	step    upstream.Step
	row     *metadata.Version   // a repository's; nil: a connection's
	version *registry.Version   // nil: nowhere
	copies  []*metadata.Version // further rows of the same origin that the search reaches, nearest first
	near    int                 // so many of copies have nothing in the way; only those may have further files of the version
	closed  bool                // something is in the way to the origin: a row that is hidden, or of another origin
	missed  error               // a connection that was to be asked before could not be
}

// place finds a version over the rows of the plan, and then at the connections of the search.
func (s *Service) place(ctx context.Context, l *located, key string) (*place, error) {
	rows, err := s.store.Versions(ctx, l.packageRows(), []string{key})
	if err != nil {
		return nil, err
	}
	p := &place{}
	reached := false // the connection that the row came from
	for _, st := range l.steps {
		if st.Connection != "" {
			reached = reached || p.row != nil && l.connection(st).Identity() == p.row.Origin.EntryUID
			if p.version == nil {
				if err := s.placeRemote(ctx, l, st, key, p); err != nil {
					return nil, err
				}
			}
			continue
		}
		at := slices.IndexFunc(rows, func(v *metadata.Version) bool { return v.Repository == l.rc.ids[st.Repository] })
		switch {
		case at < 0:
		case p.version == nil:
			p.step, p.row, p.version = st, rows[at], &rows[at].Version
		case p.version.Origin.EntryUID == rows[at].Origin.EntryUID && rows[at].Status.Served():
			p.copies = append(p.copies, rows[at])
			if !p.closed {
				p.near = len(p.copies)
			}
		default:
			p.closed = p.closed || !reached
		}
	}
	return p, nil
}

func (s *Service) placeRemote(ctx context.Context, l *located, st upstream.Step, key string, p *place) error {
	conn := l.connection(st)
	rem, err := s.remote(ctx, l.rc.domain, conn, l.id, askCached)
	if err == nil && rem.version(key) == nil && !rem.stale {
		rem, err = s.remote(ctx, l.rc.domain, conn, l.id, askAgain) // it may be newer than our copy of the list
	}
	if errors.Is(err, registry.ErrUnavailable) {
		p.missed = err
		return nil
	}
	if err != nil {
		return err
	}
	v := rem.version(key)
	if v == nil {
		v, err = s.unlisted(ctx, l.rc.domain, conn, registry.VersionID{Package: l.id, Version: key}, external.SourceOptions{MaxAge: -1})
		if errors.Is(err, registry.ErrUnavailable) {
			p.missed = err
			return nil
		}
		if err != nil {
			return err
		}
	}
	if v != nil {
		p.step, p.version = st, v
	}
	return nil
}

// unlisted looks for a version that the list of a connection does not have, where lists are known not to tell all; nil if it is not
// there.
func (s *Service) unlisted(ctx context.Context, dc *domainConfig, conn *config.Connection, id registry.VersionID, opt external.SourceOptions) (*registry.Version, error) {
	layout, ok := s.formats[id.Package.Format].(format.Layout)
	if !ok || conn.Format != id.Package.Format {
		return nil, nil
	}
	rec := s.recorder(dc, conn, opt)
	v, err := guardRemote(func() (*registry.Version, error) { return layout.Version(ctx, rec, id) })
	switch {
	case errors.Is(err, registry.ErrNotFound):
		return nil, nil
	case errors.Is(err, registry.ErrInvalid):
		return nil, fmt.Errorf("%s sent an unusable document for %s: %w: %w", conn.Name, id, registry.ErrUnavailable, err)
	}
	return v, err
}

func (r *remote) version(key string) *registry.Version {
	if r.pkg == nil {
		return nil
	}
	for _, v := range r.pkg.Versions {
		if v.ID.Version == key {
			return v
		}
	}
	return nil
}

// found is an asset of a version that was placed: stored in a row, or to be fetched.
type found struct {
	*place
	l     *located
	asset registry.Asset
	from  *metadata.Version // row that has the bytes, nil if none
	file  metadata.File
	fetch *fetch // if from is nil
}

// fetch says where the bytes of an asset are fetched.
type fetch struct {
	conn  *config.Connection
	owner int // repository of the plan that owns conn
	asset format.RemoteAsset
}

// find looks for an asset. ErrNotFound if nobody has it; ErrBlocked if its version is archived, to whom may read; ErrUnavailable if
// an upstream that might have it cannot be asked.
func (s *Service) find(ctx context.Context, rc *repoConfig, id registry.VersionID, name string) (*found, error) {
	l, err := s.locate(ctx, rc, id.Package)
	if err != nil {
		return nil, err
	}
	p, err := s.place(ctx, l, id.Version)
	if err != nil {
		return nil, err
	}
	if p.version == nil {
		if p.missed != nil {
			return nil, fmt.Errorf("%s: %w", id, p.missed)
		}
		return nil, s.whyNot(l, id)
	}
	if err := servable(p.version); err != nil {
		return nil, err
	}
	f := &found{place: p, l: l}
	if f.stored(name) {
		return f, nil
	}
	if err := s.findRemote(ctx, f, name); err != nil {
		return nil, err
	}
	return f, nil
}

func servable(v *registry.Version) error {
	switch {
	case v.Status.Served():
		return nil
	case v.Status == registry.Archived:
		return fmt.Errorf("%w: version %s is archived, and archived versions are not served", registry.ErrBlocked, v.ID)
	default:
		return fmt.Errorf("%w: version %s", registry.ErrNotFound, v.ID)
	}
}

// whyNot tells a version that nobody has from one that origin controls keep away.
func (s *Service) whyNot(l *located, id registry.VersionID) error {
	if why := l.keptAway(); why != "" {
		return fmt.Errorf("%w: version %s is not in repository %s, and %s", registry.ErrNotFound, id, l.rc.doc.Name, why)
	}
	return fmt.Errorf("%w: version %s", registry.ErrNotFound, id)
}

// stored looks for the bytes in the row that decides and in copies of the same origin.
func (f *found) stored(name string) bool {
	if f.row == nil {
		return false
	}
	copies := f.copies
	if f.version.Asset(name) == nil {
		copies = copies[:f.near]
	}
	for _, v := range append([]*metadata.Version{f.row}, copies...) {
		for i := range v.Assets {
			if a := v.Assets[i]; a.Name == name && a.Stored {
				f.asset, f.from, f.file = a, v, v.Files[i]
				return true
			}
		}
	}
	return false
}

// findRemote looks for an asset at the connection that its version came from: listed in its row or there, or, in formats that grow,
// known to the format alone.
func (s *Service) findRemote(ctx context.Context, f *found, name string) error {
	step, conn := f.step, (*config.Connection)(nil)
	if f.row == nil {
		conn = f.l.connection(step)
	} else {
		at := slices.IndexFunc(f.l.steps, func(st upstream.Step) bool {
			return st.Connection != "" && f.l.connection(st).Identity() == f.version.Origin.EntryUID
		})
		if at >= 0 {
			step, conn = f.l.steps[at], f.l.connection(f.l.steps[at])
		}
	}
	listed := f.version.Asset(name)
	notThere := fmt.Errorf("%w: %s has no file %q", registry.ErrNotFound, f.version.ID, name)
	if conn == nil {
		if listed != nil && f.row != nil && f.version.Origin.Type == registry.External {
			return fmt.Errorf("%w: the file was never fetched, and the external connection it came from is not asked for this package any more", notThere)
		}
		return notThere
	}
	if listed != nil && listed.Source != "" {
		f.asset = *listed
		f.fetch = &fetch{conn: conn, owner: step.Repository, asset: format.RemoteAsset{URL: listed.Source, Size: listed.Size, Want: listed.Digests, Info: listed.Info}}
		return nil
	}
	remote, ok := s.formats[f.l.id.Format].(format.Remote)
	if !ok || f.closed || s.formats[f.l.id.Format].Traits().Grows == format.GrowsNever {
		return notThere
	}
	rec := s.recorder(f.l.rc.domain, conn, external.SourceOptions{MaxAge: -1})
	got, err := guardRemote(func() (*format.RemoteAsset, error) { return remote.Asset(ctx, rec, f.version.ID, name) })
	if errors.Is(err, registry.ErrNotFound) {
		return notThere // without the upstream's address, which is not for clients
	}
	if err != nil {
		return err
	}
	f.asset = registry.Asset{Name: name, Size: got.Size, Digests: got.Want, Listed: !got.Hidden, Source: got.URL, Info: got.Info}
	f.fetch = &fetch{conn: conn, owner: step.Repository, asset: *got}
	return nil
}
