package repository

import (
	"context"
	"errors"
	"fmt"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/metadata"
)

// FailureCode is why a version of a list was not changed, in the words of the service API.
type FailureCode string

// The codes.
const (
	AlreadyExists      FailureCode = "ALREADY_EXISTS"
	MismatchedRevision FailureCode = "MISMATCHED_REVISION"
	MismatchedStatus   FailureCode = "MISMATCHED_STATUS"
	NotAllowed         FailureCode = "NOT_ALLOWED"
	NotFound           FailureCode = "NOT_FOUND"
	Skipped            FailureCode = "SKIPPED"
)

// Deleted is the status that the service API tells of a version that is gone.
const Deleted registry.Status = "Deleted"

// Failure is why a version was not changed.
type Failure struct {
	Code FailureCode
	Text string
}

// Done is what a version is like after a change.
type Done struct {
	Revision string
	Status   registry.Status
}

// Report tells what became of each version of a list, by the version as the caller wrote it: all are changed, or none.
type Report struct {
	Done   map[string]Done
	Failed map[string]Failure
}

// VersionRef is a version that a caller names.
type VersionRef struct {
	Given    string // as written
	Key      string // as the format has it
	Revision string // that it must have; "": any
}

// VersionChange is a change of versions of one package.
type VersionChange struct {
	Versions []VersionRef
	Expected registry.Status // "": any
	Target   registry.Status // Deleted removes them
}

// actions that a change asks for.
func (c *VersionChange) action() string {
	switch c.Target {
	case Deleted:
		return actionDeleteVersion
	case registry.Disposed:
		return "codeartifact:DisposePackageVersions"
	default:
		return actionStatus
	}
}

// Change changes the status of versions, disposes of them or deletes them: all or none.
func (h *Holding) Change(ctx context.Context, id registry.PackageID, c VersionChange) (*Report, error) {
	if err := h.onPackage(c.action(), id); err != nil {
		return nil, err
	}
	var report *Report
	_, err := h.d.s.store.Update(ctx, h.rc.domain.row.ID, func(tx metadata.Tx) error {
		row, err := tx.Package(h.rc.row.ID, id)
		if err != nil {
			return err
		}
		if row == nil {
			return h.rc.noPackage(id)
		}
		report, err = h.change(tx, row, c)
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(report.Done) > 0 {
		h.audit(ctx, "package versions changed", id, "versions", keysOf(c.Versions), "status", string(c.Target))
	}
	return report, nil
}

func keysOf(list []VersionRef) []string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = v.Key
	}
	return out
}

func (h *Holding) change(tx metadata.Tx, row *metadata.Package, c VersionChange) (*Report, error) {
	r := newReport()
	found := make([]*metadata.Version, len(c.Versions))
	for i, ref := range c.Versions {
		v, err := tx.Version(row.Row, ref.Key)
		if err != nil {
			return nil, err
		}
		found[i] = v
		if f := c.refuse(ref, v); f != nil {
			r.Failed[ref.Given] = *f
		}
	}
	if len(r.Failed) > 0 {
		r.skipRest(c.Versions)
		return r, nil
	}
	gone := map[metadata.VersionRow]bool{} // a version may be named twice, in two spellings
	for i, ref := range c.Versions {
		v := found[i]
		r.Done[ref.Given] = Done{v.Revision, c.Target}
		var err error
		switch {
		case c.Target == v.Status, gone[v.Row]:
			continue
		case c.Target == Deleted:
			gone[v.Row] = true
			err = tx.DeleteVersion(v.Row)
		default:
			err = tx.UpdateVersion(v.Row, metadata.VersionUpdate{Status: &c.Target})
		}
		if err != nil {
			return nil, err
		}
	}
	kind := eventEdited
	if c.Target == Deleted {
		kind = eventDeleted
	}
	return r, tx.Record(h.d.s.change(h.rc, row.ID, kind, keysOf(c.Versions)...))
}

// refuse says why a version cannot be changed; nil: it can.
func (c *VersionChange) refuse(ref VersionRef, v *metadata.Version) *Failure {
	switch {
	case v == nil:
		return &Failure{NotFound, "Could not find version " + ref.Given}
	case c.Expected != "" && v.Status != c.Expected:
		return &Failure{MismatchedStatus, fmt.Sprintf("current status: %s, expected status: %s", v.Status, c.Expected)}
	case ref.Revision != "" && v.Revision != ref.Revision:
		return &Failure{MismatchedRevision, fmt.Sprintf("current revision: %s, expected revision: %s", v.Revision, ref.Revision)}
	case c.Target != Deleted && !v.Status.CanBecome(c.Target):
		return &Failure{NotAllowed, fmt.Sprintf("version %s is %s and cannot become %s", ref.Given, v.Status, c.Target)}
	}
	return nil
}

func newReport() *Report { return &Report{Done: map[string]Done{}, Failed: map[string]Failure{}} }

// skipRest is for when one has failed: the others are left as they are.
func (r *Report) skipRest(list []VersionRef) {
	clear(r.Done)
	for _, v := range list {
		if _, failed := r.Failed[v.Given]; !failed {
			r.Failed[v.Given] = Failure{Skipped, "Version " + v.Given + " was skipped"}
		}
	}
}

// DeletePackage removes a package with all its versions and its origin controls, and returns what it was. A package whose controls are
// declared is registry.ErrConflict: its declaration would make it again.
func (h *Holding) DeletePackage(ctx context.Context, id registry.PackageID) (*HeldPackage, error) {
	if err := h.onPackage("codeartifact:DeletePackage", id); err != nil {
		return nil, err
	}
	if declared := h.declaredControls(id); declared != "" {
		return nil, fmt.Errorf("%w: %s declares origin controls of the package; delete that first", registry.ErrConflict, declared)
	}
	var was HeldPackage
	_, err := h.d.s.store.Update(ctx, h.rc.domain.row.ID, func(tx metadata.Tx) error {
		row, err := tx.Package(h.rc.row.ID, id)
		if err != nil {
			return err
		}
		if row == nil {
			return h.rc.noPackage(id)
		}
		was = h.rc.heldPackage(row)
		if err := tx.DeletePackage(row.Row); err != nil {
			return err
		}
		return tx.Record(h.d.s.change(h.rc, id, eventDeleted))
	})
	if err != nil {
		return nil, err
	}
	h.audit(ctx, "package deleted", id)
	return &was, nil
}

// declaredControls names the PackageOriginConfiguration that is about a package; "" if there is none.
func (h *Holding) declaredControls(id registry.PackageID) string {
	if h.rc.override(id) == (override{}) {
		return ""
	}
	for _, p := range h.rc.doc.Packages {
		if known, err := h.d.s.PackageID(p.Format, p.Namespace, p.Name); err == nil && known == id {
			return p.Source.Kind + " " + p.Source.Namespace + "/" + p.Source.Name
		}
	}
	return "a PackageOriginConfiguration"
}

// PutControls sets the origin controls of a package, which is made if it is not there. Where they are declared it is ErrConflict: what
// is declared holds, and a value that has no effect would only mislead.
func (h *Holding) PutControls(ctx context.Context, id registry.PackageID, c registry.OriginControls) (*HeldPackage, error) {
	if err := h.onPackage("codeartifact:PutPackageOriginConfiguration", id); err != nil {
		return nil, err
	}
	if declared := h.declaredControls(id); declared != "" {
		return nil, fmt.Errorf("%w: the origin controls of the package are declared by %s; change them there", registry.ErrConflict, declared)
	}
	_, err := h.d.s.store.Update(ctx, h.rc.domain.row.ID, func(tx metadata.Tx) error {
		row, created, err := tx.EnsurePackage(h.rc.row.ID, id, id.Name, c, metadata.ByAPI)
		if err != nil {
			return err
		}
		if !created {
			if err := tx.SetPackage(row.Row, metadata.PackageUpdate{Controls: &c, By: metadata.ByAPI}); err != nil {
				return err
			}
		}
		return tx.Record(h.d.s.change(h.rc, id, eventEdited))
	})
	if err != nil {
		return nil, err
	}
	h.audit(ctx, "package origin controls set", id, "publish", string(c.Publish), "upstream", string(c.Upstream))
	return &HeldPackage{ID: id, Controls: c}, nil
}

func (h *Holding) audit(ctx context.Context, what string, id registry.PackageID, more ...any) {
	args := append([]any{"principal", h.caller.Principal.ARN, "repository", h.rc.arn, "package", id.String()}, more...)
	h.d.s.log.InfoContext(ctx, what, args...)
}

// errNothing ends a transaction that is not to write anything.
var errNothing = errors.New("nothing to write")
