package repository

import (
	"cmp"
	"fmt"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/metadata"
)

// write is the transaction. It decides everything again from the locked rows.
func (p *publishing) write(tx metadata.Tx, blobs []metadata.BlobRow) error {
	v, id := p.v, p.ID.Package
	p.created, p.version = false, nil
	controls := registry.DefaultControls(registry.ArrivalPublish, v.rc.group(id).Restricts())
	row, created, err := tx.EnsurePackage(v.rc.row.ID, id, p.Display, controls, metadata.ByArrival)
	if err != nil {
		return err
	}
	if err := v.allowsPublish(p.ID, row); err != nil {
		return err
	}
	old, err := tx.Version(row.Row, p.ID.Version)
	if err != nil {
		return err
	}
	switch {
	case old == nil:
		err = p.insert(tx, row, blobs)
	default:
		err = p.grow(tx, old, blobs)
	}
	if err != nil {
		return err
	}
	if !p.created {
		return nil // a repetition changes nothing: not even tags, which may have moved on
	}
	if len(p.Tags) > 0 {
		if err := tx.SetTags(row.Row, p.Tags, nil); err != nil {
			return err
		}
	}
	if p.Status == registry.Unfinished && p.Summary == "" {
		return tx.Record(v.s.change(v.rc, id, eventPublished, p.ID.Version)) // a part of a version that says nothing of the whole
	}
	if p.Summary != row.Summary || created {
		if err := tx.SetPackage(row.Row, metadata.PackageUpdate{Summary: &p.Summary}); err != nil {
			return err
		}
	}
	return tx.Record(v.s.change(v.rc, id, eventPublished, p.ID.Version))
}

func (p *publishing) newAsset(i int, blobs []metadata.BlobRow) metadata.NewAsset {
	a := p.Assets[i]
	return metadata.NewAsset{
		Name: a.Name, Listed: !a.Hidden, Blob: blobs[i], Size: a.Staged.Size(), Digests: a.Staged.Digests(), Info: a.Info,
	}
}

func (p *publishing) insert(tx metadata.Tx, row *metadata.Package, blobs []metadata.BlobRow) error {
	now := p.v.s.now()
	n := metadata.NewVersion{
		Key: p.ID.Version, Display: p.VersionDisplay, Status: cmp.Or(p.Status, registry.Published), Document: p.Document, Flags: p.Flags,
		Origin:      registry.Origin{Type: registry.Internal, Entry: p.v.rc.doc.Name, EntryUID: p.v.rc.row.UID},
		PublishedAt: now, ArrivedAt: now,
	}
	for i := range p.Assets {
		n.Assets = append(n.Assets, p.newAsset(i, blobs))
	}
	for _, l := range p.Lookups {
		n.Lookups = append(n.Lookups, metadata.Lookup{Kind: l.Kind, Key: l.Key})
	}
	stands, err := p.standsFor(tx, row.Row)
	if err != nil {
		return err
	}
	n.Revision = revision(n.Document, n.Flags, n.Assets)
	if stands != nil {
		n.Revision = revisionOf(&registry.Version{Document: n.Document, Assets: stands.Assets}, n.Flags)
	}
	at, err := tx.InsertVersion(row.Row, n)
	if err != nil {
		return err
	}
	if stands != nil {
		if err := tx.ReplaceAssets(at, stands.Row); err != nil {
			return err
		}
	}
	p.created = true
	p.version = &registry.Version{
		ID: p.ID, Display: n.Display, Status: n.Status, Document: n.Document, Flags: n.Flags, Revision: n.Revision, Origin: n.Origin,
		PublishedAt: now, ArrivedAt: now, Assets: assetsOf(n.Assets),
	}
	return nil
}

func assetsOf(list []metadata.NewAsset) []registry.Asset {
	out := make([]registry.Asset, 0, len(list))
	for _, a := range list {
		out = append(out, registry.Asset{Name: a.Name, Size: a.Size, Digests: a.Digests, Listed: a.Listed, Stored: true, Info: a.Info})
	}
	return out
}

// standsFor is the version whose assets the publication is to have; nil if it has its own.
func (p *publishing) standsFor(tx metadata.Tx, row metadata.PackageRow) (*metadata.Version, error) {
	if p.AssetsOf == "" {
		return nil, nil
	}
	v, err := tx.Version(row, p.AssetsOf)
	if err == nil && v == nil {
		err = fmt.Errorf("%w: version %s", registry.ErrNotFound, p.AssetsOf)
	}
	return v, err
}

// grow adds what is new to an existing version.
func (p *publishing) grow(tx metadata.Tx, old *metadata.Version, blobs []metadata.BlobRow) error {
	missing, err := p.fits(&old.Version)
	if err != nil {
		return err
	}
	p.version = &old.Version
	finish := old.Status == registry.Unfinished && p.Status != registry.Unfinished
	if len(missing) == 0 && !finish && p.AssetsOf == "" {
		return nil
	}
	var added []metadata.NewAsset
	for _, i := range missing {
		a := p.newAsset(i, blobs)
		if err := tx.InsertAsset(old.Row, a); err != nil {
			return err
		}
		added = append(added, a)
	}
	rev := revisionOf(&old.Version, old.Flags, added...)
	stands, err := p.standsFor(tx, old.Package)
	if err != nil {
		return err
	}
	if stands != nil {
		if err := tx.ReplaceAssets(old.Row, stands.Row); err != nil {
			return err
		}
		rev = revisionOf(&registry.Version{Document: old.Document, Assets: stands.Assets}, old.Flags)
	}
	u := metadata.VersionUpdate{Revision: &rev}
	if finish {
		status := cmp.Or(p.Status, registry.Published)
		u.Status, u.Document = &status, p.Document
	}
	p.created = true
	return tx.UpdateVersion(old.Row, u)
}
