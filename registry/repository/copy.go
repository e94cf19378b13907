package repository

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
	"packhouse.dev/packhouse/registry/group"
	"packhouse.dev/packhouse/registry/metadata"
)

const actionCopy = "codeartifact:CopyPackageVersions"

// CopyRequest copies versions of a package.
type CopyRequest struct {
	Package      registry.PackageID
	Versions     []VersionRef
	Overwrite    bool // replace versions that differ
	FromUpstream bool // also what only upstreams of the source have
}

// Copy copies versions into this repository from another one of the domain: all or none. It is by reference, keeps where a version came
// from, and brings tags along (user guide, "Copy packages between repositories"). Versions that are here already and are the same are
// in neither part of the report. Copying is no publishing: reachability and publish controls do not bear on it (readings 1.10), but what
// is only a variation of its package group's pattern stays out.
func (h *Holding) Copy(ctx context.Context, from *Holding, q CopyRequest) (*Report, error) {
	if err := from.onRepository(actionRead); err != nil {
		return nil, err
	}
	if err := h.onPackage(actionCopy, q.Package); err != nil {
		return nil, err
	}
	if err := h.onRepository(actionCopy); err != nil {
		return nil, err
	}
	switch {
	case h.rc == from.rc:
		return nil, fmt.Errorf("%w: source and destination are the same repository", registry.ErrInvalid)
	case len(q.Versions) == 0:
		return nil, fmt.Errorf("%w: no version is named", registry.ErrInvalid)
	}
	if m := h.rc.group(q.Package); !m.Strong {
		return nil, fmt.Errorf("%w: %s", registry.ErrBlocked, m.Explain(q.Package, group.Publish, h.name))
	}
	c := &copying{CopyRequest: q, to: h, from: from}
	if err := c.find(ctx); err != nil {
		return nil, err
	}
	if len(c.report.Failed) > 0 {
		c.report.skipRest(q.Versions)
		return c.report, nil
	}
	_, err := h.d.s.store.Update(ctx, h.rc.domain.row.ID, c.write)
	if err != nil && !errors.Is(err, errNothing) {
		return nil, fmt.Errorf("copy %s: %w", q.Package, err)
	}
	if len(c.report.Done) > 0 {
		h.audit(ctx, "package versions copied", q.Package, "versions", keysOf(q.Versions), "from", from.rc.arn)
	}
	return c.report, nil
}

// copying is a copy under way.
type copying struct {
	CopyRequest
	to, from *Holding
	report   *Report
	sources  []*metadata.Version // by index in Versions
	source   *metadata.Package   // of the source repository; nil if it has none itself
	tags     map[string]string
}

// find looks for the versions, and for all their bytes.
func (c *copying) find(ctx context.Context) error {
	s := c.to.d.s
	l, err := s.locate(ctx, c.from.rc, c.Package)
	if err != nil {
		return err
	}
	c.source, c.report, c.sources = l.own(), newReport(), make([]*metadata.Version, len(c.Versions))
	if c.source == nil && !c.FromUpstream {
		return c.from.rc.noPackage(c.Package)
	}
	for i, ref := range c.Versions {
		v, err := c.findVersion(ctx, l, ref)
		if err != nil {
			return err
		}
		switch c.sources[i] = v; {
		case v == nil:
			c.report.Failed[ref.Given] = Failure{NotFound, "Could not find version " + ref.Given}
		case ref.Revision != "" && ref.Revision != v.Revision:
			c.report.Failed[ref.Given] = Failure{MismatchedRevision, fmt.Sprintf("current revision: %s, expected revision: %s", v.Revision, ref.Revision)}
		case !v.Status.Served():
			c.report.Failed[ref.Given] = Failure{NotAllowed, fmt.Sprintf("Version %s is %s; only Published and Unlisted versions are copied", ref.Given, v.Status)}
		}
	}
	return c.findTags(ctx, l)
}

// findTags takes the tags of the source itself, or, with upstreams, those that its readers see.
func (c *copying) findTags(ctx context.Context, l *located) error {
	if c.source != nil {
		c.tags = c.source.Tags
	}
	if !c.FromUpstream {
		return nil
	}
	r, err := c.to.d.s.merge(ctx, l)
	if err != nil {
		return err
	}
	view, err := c.to.d.s.view(r, nil)
	if errors.Is(err, registry.ErrNotFound) || errors.Is(err, registry.ErrUnavailable) {
		return nil // nothing is listed; the versions themselves have been found
	}
	if err != nil {
		return err
	}
	c.tags = view.Tags
	return nil
}

// findVersion returns the row to copy from, nil if there is none. What has not been fetched yet is fetched, so that a copy never lists
// a file that it cannot give.
func (c *copying) findVersion(ctx context.Context, l *located, ref VersionRef) (*metadata.Version, error) {
	s := c.to.d.s
	for range tries {
		v, missing, err := c.look(ctx, l, ref)
		if err != nil || v == nil && len(missing) == 0 {
			return nil, err
		}
		if len(missing) == 0 {
			return v, nil
		}
		view := c.from.view(c.Package.Format)
		for _, name := range missing {
			if err := fetchAll(ctx, view, registry.VersionID{Package: c.Package, Version: ref.Key}, name); err != nil {
				return nil, err
			}
		}
		if l, err = s.locate(ctx, c.from.rc, c.Package); err != nil { // it is in a repository of the plan now
			return nil, err
		}
		c.source = l.own()
	}
	return nil, fmt.Errorf("copy %s: %w: it keeps changing", ref.Given, registry.ErrUnavailable)
}

// look finds a version and the names of its files that are not here yet.
func (c *copying) look(ctx context.Context, l *located, ref VersionRef) (*metadata.Version, []string, error) {
	s := c.to.d.s
	if !c.FromUpstream {
		if c.source == nil {
			return nil, nil, nil
		}
		rows, err := s.store.Versions(ctx, []metadata.PackageRow{c.source.Row}, []string{ref.Key})
		if err != nil || len(rows) == 0 {
			return nil, nil, err
		}
		return rows[0], notStored(&rows[0].Version), nil
	}
	p, err := s.place(ctx, l, ref.Key)
	switch {
	case err != nil:
		return nil, nil, err
	case p.version == nil && p.missed != nil:
		return nil, nil, p.missed
	case p.version == nil:
		return nil, nil, nil
	}
	return p.row, notStored(p.version), nil
}

// notStored are the listed files that have no bytes here. A disposed version is none that waits for them.
func notStored(v *registry.Version) []string {
	var out []string
	for _, a := range v.Assets {
		if a.Listed && !a.Stored && v.Status.Served() {
			out = append(out, a.Name)
		}
	}
	return out
}

// fetchAll reads a file to its end: then it is stored and its version is retained.
func fetchAll(ctx context.Context, v *View, id registry.VersionID, name string) error {
	a, err := v.asset(ctx, id, name, format.Open)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, a.Body)
	return errors.Join(err, a.Body.Close())
}

// write is the transaction. It decides from what the destination has now.
func (c *copying) write(tx metadata.Tx) error {
	c.report = newReport()
	h, first := c.to, c.sources[0]
	arrival := registry.ArrivalPublish
	if first.Origin.Type == registry.External {
		arrival = registry.ArrivalExternal
	}
	display, summary := c.Package.Name, ""
	if c.source != nil {
		display, summary = c.source.Display, c.source.Summary
	}
	controls := registry.DefaultControls(arrival, h.rc.group(c.Package).Restricts())
	p, created, err := tx.EnsurePackage(h.rc.row.ID, c.Package, display, controls, metadata.ByArrival)
	if err != nil {
		return err
	}
	if created && summary != "" {
		if err := tx.SetPackage(p.Row, metadata.PackageUpdate{Summary: &summary}); err != nil {
			return err
		}
	}
	var copied []string
	for i, ref := range c.Versions {
		did, err := c.copyVersion(tx, p, ref, c.sources[i])
		if err != nil {
			return err
		}
		if did {
			copied = append(copied, ref.Key)
		}
	}
	if len(c.report.Failed) > 0 {
		c.report.skipRest(c.Versions)
		return errNothing
	}
	return c.finish(tx, p, copied)
}

// copyVersion copies one version, unless the same one is there.
func (c *copying) copyVersion(tx metadata.Tx, p *metadata.Package, ref VersionRef, from *metadata.Version) (bool, error) {
	there, err := tx.Version(p.Row, ref.Key)
	if err != nil {
		return false, err
	}
	switch {
	case there == nil:
	case there.Revision == from.Revision && there.Status != registry.Disposed:
		return false, nil
	case !c.Overwrite:
		c.report.Failed[ref.Given] = Failure{AlreadyExists, "Version " + ref.Given + " already exists"}
		return false, nil
	default:
		if err := tx.DeleteVersion(there.Row); err != nil {
			return false, err
		}
	}
	_, done, err := tx.Retain(from.Row, p.Row)
	if err != nil {
		return false, err
	}
	if !done { // the source was changed since it was looked at
		return false, fmt.Errorf("version %s: %w", ref.Given, errAgain)
	}
	c.report.Done[ref.Given] = Done{from.Revision, from.Status}
	return true, nil
}

func (c *copying) finish(tx metadata.Tx, p *metadata.Package, copied []string) error {
	tags := map[string]string{}
	for tag, version := range c.tags {
		if slices.Contains(copied, version) {
			tags[tag] = version
		}
	}
	if len(tags) > 0 {
		if err := tx.SetTags(p.Row, tags, nil); err != nil {
			return err
		}
	}
	if len(copied) == 0 {
		return errNothing
	}
	return tx.Record(c.to.d.s.change(c.to.rc, c.Package, eventCopied, copied...))
}
