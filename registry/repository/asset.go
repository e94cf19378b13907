package repository

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
	"packhouse.dev/packhouse/registry/group"
	"packhouse.dev/packhouse/registry/metadata"
)

// errAgain says that what was found has changed since: look again.
var errAgain = fmt.Errorf("%w: it changed while it was read", registry.ErrUnavailable)

// tries bounds how often a read follows changes.
const tries = 4

// ownAsset is a stored asset, ready to be opened. Those of the requested repository itself are kept; all others need a look.
type ownAsset struct {
	asset   registry.Asset
	version *registry.Version
	file    metadata.File
}

// Asset implements format.Reader.
func (v *View) Asset(ctx context.Context, id registry.VersionID, name string, mode format.AssetMode) (*format.Asset, error) {
	if err := v.mayRead(); err != nil {
		return nil, err
	}
	if err := v.owns(id.Package); err != nil {
		return nil, err
	}
	return v.asset(ctx, id, name, mode)
}

// asset is Asset for those who may.
func (v *View) asset(ctx context.Context, id registry.VersionID, name string, mode format.AssetMode) (*format.Asset, error) {
	key := cacheKey{repository: v.rc.row.ID, id: id.Package, kind: "asset\x00" + id.Version + "\x00" + name}
	for range tries {
		if e := v.s.cache.get(key, v.rc, v.s.now()); e != nil {
			return v.openOwn(ctx, e.value.(*ownAsset), mode)
		}
		got, err := v.lookAsset(ctx, key, id, name, mode)
		if !errors.Is(err, errAgain) {
			return got, err
		}
	}
	return nil, fmt.Errorf("%s of %s: %w: it keeps changing", name, id, registry.ErrUnavailable)
}

func (v *View) lookAsset(ctx context.Context, key cacheKey, id registry.VersionID, name string, mode format.AssetMode) (*format.Asset, error) {
	mark := v.s.cache.mark(key, v.rc)
	defer mark.release()
	f, err := v.s.find(ctx, v.rc, id, name)
	if err != nil {
		return nil, err
	}
	if mode == format.Stat {
		return &format.Asset{Asset: f.asset, Version: f.version, Modified: modified(f.version)}, nil
	}
	switch {
	case f.from == nil && !f.asset.Listed:
		return v.s.openSide(ctx, v.rc, f)
	case f.from == nil:
		return v.s.openRemote(ctx, v.rc, f)
	}
	if f.step.Repository == 0 && f.from == f.row {
		own := &ownAsset{asset: f.asset, version: f.version, file: f.file}
		mark.keep(made{value: own, size: int64(len(f.version.Document)) + 1<<10, keep: true})
		return v.openOwn(ctx, own, mode)
	}
	if f.missed == nil && f.asset.Listed { // else another place may be the one that decides; or only metadata is looked at
		if err := v.s.retain(ctx, v.rc, f); err != nil {
			return nil, err
		}
		v.s.importRest(v.rc, f.version)
	}
	return v.openOwn(ctx, &ownAsset{asset: f.asset, version: f.version, file: f.file}, mode)
}

func (v *View) openOwn(ctx context.Context, own *ownAsset, mode format.AssetMode) (*format.Asset, error) {
	out := &format.Asset{Asset: own.asset, Version: own.version, Modified: modified(own.version)}
	if mode == format.Stat {
		return out, nil
	}
	body, err := v.s.keeper.Open(ctx, own.file, own.asset.Size)
	if err != nil {
		return nil, err
	}
	out.Body = body
	return out, nil
}

func modified(v *registry.Version) time.Time {
	if v.PublishedAt.IsZero() {
		return v.ArrivedAt
	}
	return v.PublishedAt
}

// retain copies a version into the requesting repository by reference (user guide, "Package retention from upstream repositories").
func (s *Service) retain(ctx context.Context, rc *repoConfig, f *found) error {
	source := f.l.rows[f.step.Repository]
	_, err := s.store.Update(ctx, rc.domain.row.ID, func(tx metadata.Tx) error {
		p, err := s.arrive(tx, rc, f.l.id, registry.ArrivalInternalUpstream, source.Display, source.Summary)
		if err != nil {
			return err
		}
		_, retained, err := tx.Retain(f.row.Row, p.Row)
		if err != nil {
			return err
		}
		mine, err := tx.Version(p.Row, f.version.ID.Version)
		if err != nil {
			return err
		}
		if mine == nil || mine.Origin.EntryUID != f.version.Origin.EntryUID || !mine.Status.Served() {
			return errAgain
		}
		if err := fillFrom(tx, mine, f); err != nil || !retained {
			return err
		}
		return tx.Record(s.change(rc, f.l.id, eventRetained, f.version.ID.Version))
	})
	if err != nil {
		return fmt.Errorf("retain %s: %w", f.version.ID, err)
	}
	return nil
}

// fillFrom gives an asset that the retained version has only by name the bytes that a copy of the same origin has.
func fillFrom(tx metadata.Tx, mine *metadata.Version, f *found) error {
	a := mine.Asset(f.asset.Name)
	switch {
	case a == nil:
		return tx.InsertAsset(mine.Row, metadata.NewAsset{
			Name: f.asset.Name, Listed: f.asset.Listed, Blob: f.file.Blob, Size: f.asset.Size, Digests: f.asset.Digests, Source: f.asset.Source, Info: f.asset.Info,
		})
	case a.Stored:
		return nil
	default:
		return tx.FillAsset(mine.Row, a.Name, f.file.Blob, f.asset.Digests, f.asset.Size)
	}
}

// arrive makes sure of the package in a repository that a version comes into from upstream, and decides again whether it may: what
// the row says now is the word of whoever was first.
func (s *Service) arrive(tx metadata.Tx, rc *repoConfig, id registry.PackageID, by registry.Arrival, display, summary string) (*metadata.Package, error) {
	m, way := rc.group(id), group.InternalUpstream
	if by == registry.ArrivalExternal {
		way = group.ExternalUpstream
	}
	if !m.Allows(way, rc.doc.Name) {
		return nil, fmt.Errorf("%w: %s", registry.ErrBlocked, m.Explain(id, way, rc.doc.Name))
	}
	p, created, err := tx.EnsurePackage(rc.row.ID, id, display, registry.DefaultControls(by, m.Restricts()), metadata.ByArrival)
	if err != nil {
		return nil, err
	}
	if c := rc.override(id).effective(p); !c.MayComeFromUpstream() {
		return nil, fmt.Errorf("%w: the origin controls of %s in repository %s do not allow upstream versions", registry.ErrBlocked, id, rc.doc.Name)
	}
	if created && summary != "" {
		return p, tx.SetPackage(p.Row, metadata.PackageUpdate{Summary: &summary})
	}
	return p, nil
}

// retaining gives the last bytes of a body only once then has succeeded, so that whoever has all bytes knows that the version is
// retained. It holds back one block.
type retaining struct {
	io.ReadCloser
	then  func() error
	bufs  [2][block]byte
	turn  int
	held  []byte // not given yet, because it may be the last
	next  []byte // being given
	ended bool
}

const block = 32 << 10

// Read implements io.Reader.
func (r *retaining) Read(p []byte) (int, error) {
	for len(r.next) == 0 {
		if r.ended {
			return 0, io.EOF
		}
		buf := r.bufs[r.turn][:]
		n, err := r.ReadCloser.Read(buf)
		if n > 0 {
			r.next, r.held = r.held, buf[:n]
			r.turn ^= 1
		}
		switch {
		case errors.Is(err, io.EOF) && len(r.next) > 0: // first what is before the last; the end comes again
		case errors.Is(err, io.EOF):
			if err := r.then(); err != nil {
				return 0, err
			}
			r.next, r.held, r.ended = r.held, nil, true
		case err != nil:
			return 0, err
		}
	}
	n := copy(p, r.next)
	r.next = r.next[n:]
	return n, nil
}
