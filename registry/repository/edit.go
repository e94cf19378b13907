package repository

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
	"packhouse.dev/packhouse/registry/metadata"
)

// Edit implements format.Editor.
func (v *View) Edit(ctx context.Context, id registry.PackageID, edits []format.Edit) error {
	if err := v.owns(id); err != nil {
		return err
	}
	for _, e := range edits {
		if e.Status != "" && !e.Mark {
			if err := v.may(actionStatus, id); err != nil {
				return err
			}
		}
		if e.Flags != nil || e.Mark {
			if err := v.may(actionMetadata, id); err != nil {
				return err
			}
		}
	}
	_, err := v.s.store.Update(ctx, v.rc.domain.row.ID, func(tx metadata.Tx) error {
		row, err := v.ownRow(tx, id)
		if err != nil {
			return err
		}
		var changed []string
		for _, e := range edits {
			did, err := v.edit(tx, row, e)
			if err != nil {
				return err
			}
			if did {
				changed = append(changed, e.Version)
			}
		}
		if len(changed) == 0 {
			return nil
		}
		return tx.Record(v.s.change(v.rc, id, eventEdited, changed...))
	})
	return v.audited(ctx, "package versions edited", id, err)
}

// ownRow returns the locked row of a package in this very repository.
func (v *View) ownRow(tx metadata.Tx, id registry.PackageID) (*metadata.Package, error) {
	row, err := tx.Package(v.rc.row.ID, id)
	if err == nil && row == nil {
		err = fmt.Errorf("%w: package %s in repository %s itself", registry.ErrNotFound, id, v.rc.doc.Name)
	}
	return row, err
}

func (v *View) ownVersion(tx metadata.Tx, row *metadata.Package, key string) (*metadata.Version, error) {
	ver, err := tx.Version(row.Row, key)
	if err == nil && ver == nil {
		err = fmt.Errorf("%w: version %s of %s in repository %s itself", registry.ErrNotFound, key, row.ID, v.rc.doc.Name)
	}
	return ver, err
}

// edit changes one version and says whether anything changed.
func (v *View) edit(tx metadata.Tx, row *metadata.Package, e format.Edit) (bool, error) {
	old, err := v.ownVersion(tx, row, e.Version)
	if err != nil {
		return false, err
	}
	switch {
	case e.IfStatus != "" && e.IfStatus != old.Status:
		return false, fmt.Errorf("%w: version %s is %s, not %s", registry.ErrStale, e.Version, old.Status, e.IfStatus)
	case e.IfRevision != "" && e.IfRevision != old.Revision:
		return false, fmt.Errorf("%w: version %s has another revision", registry.ErrStale, e.Version)
	case e.Mark && !(listable(e.Status) && listable(old.Status)): // the permission is for what lists say, not for what is served
		return false, fmt.Errorf("%w: version %s is %s and cannot become %s", registry.ErrConflict, e.Version, old.Status, e.Status)
	}
	var u metadata.VersionUpdate
	if e.Status != "" && e.Status != old.Status {
		if !old.Status.CanBecome(e.Status) {
			return false, fmt.Errorf("%w: version %s is %s and cannot become %s", registry.ErrConflict, e.Version, old.Status, e.Status)
		}
		u.Status = &e.Status
	}
	if e.Flags != nil {
		flags, err := e.Flags(old.Flags)
		if err != nil {
			return false, err
		}
		if !bytes.Equal(flags, old.Flags) {
			rev := revisionOf(&old.Version, flags)
			u.Flags, u.Revision = &flags, &rev
		}
	}
	if u.Status == nil && u.Flags == nil {
		return false, nil
	}
	return true, tx.UpdateVersion(old.Row, u)
}

// listable says whether lists can have a version with this status.
func listable(s registry.Status) bool { return s == registry.Published || s == registry.Unlisted }

// SetTags implements format.Editor. A tag may name a version that only an upstream has, as long as it is visible here.
func (v *View) SetTags(ctx context.Context, id registry.PackageID, set map[string]string, remove []string) ([]string, error) {
	if err := v.owns(id); err != nil {
		return nil, err
	}
	if err := v.may(actionMetadata, id); err != nil {
		return nil, err
	}
	r, err := v.s.resolve(ctx, v.rc, id)
	if err != nil {
		return nil, err
	}
	for _, tag := range slices.Sorted(maps.Keys(set)) {
		if ver := r.versions[set[tag]]; ver == nil || !ver.Status.Listed() {
			if r.partial {
				return nil, fmt.Errorf("version %s of %s: %w", set[tag], id, r.why)
			}
			return nil, fmt.Errorf("%w: version %s of %s, for the tag %q", registry.ErrNotFound, set[tag], id, tag)
		}
	}
	_, err = v.s.store.Update(ctx, v.rc.domain.row.ID, func(tx metadata.Tx) error {
		row, err := v.ownRow(tx, id)
		if err != nil {
			return err
		}
		if err := tx.SetTags(row.Row, set, remove); err != nil {
			return err
		}
		return tx.Record(v.s.change(v.rc, id, eventTagged))
	})
	if err := v.audited(ctx, "package tags set", id, err); err != nil {
		return nil, err
	}
	return v.shadowed(ctx, id, set), nil
}

// Delete implements format.Editor.
func (v *View) Delete(ctx context.Context, id registry.VersionID) error {
	if err := v.owns(id.Package); err != nil {
		return err
	}
	if err := v.may(actionDeleteVersion, id.Package); err != nil {
		return err
	}
	_, err := v.s.store.Update(ctx, v.rc.domain.row.ID, func(tx metadata.Tx) error {
		row, err := v.ownRow(tx, id.Package)
		if err != nil {
			return err
		}
		ver, err := v.ownVersion(tx, row, id.Version)
		if err != nil {
			return err
		}
		if err := tx.DeleteVersion(ver.Row); err != nil {
			return err
		}
		return tx.Record(v.s.change(v.rc, id.Package, eventDeleted, id.Version))
	})
	return v.audited(ctx, "package version deleted", id.Package, err)
}

// audited notes who changed what, once it is so.
func (v *View) audited(ctx context.Context, what string, id registry.PackageID, err error) error {
	if err == nil {
		v.s.log.InfoContext(ctx, what, "principal", v.caller.Principal.ARN, "repository", v.rc.arn, "package", id.String())
	}
	return err
}
