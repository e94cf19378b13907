package repository

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/blob"
	"packhouse.dev/packhouse/registry/content"
	"packhouse.dev/packhouse/registry/external"
	"packhouse.dev/packhouse/registry/format"
	"packhouse.dev/packhouse/registry/group"
	"packhouse.dev/packhouse/registry/metadata"
	"packhouse.dev/packhouse/registry/policy"
)

// Stage implements format.Publisher.
func (v *View) Stage(ctx context.Context, hint registry.PackageID, r io.Reader) (format.Staged, error) {
	if err := v.mayStage(hint); err != nil {
		return nil, err
	}
	limit := v.s.maxAsset(v.traits.Name)
	spool, err := blob.NewSpool(v.s.opt.SpoolDir, limit)
	if err != nil {
		return nil, err
	}
	_, err = spool.ReadFrom(readerWithContext{ctx, r})
	if err == nil {
		err = spool.Finish()
	}
	if err != nil {
		return nil, errors.Join(err, spool.Close())
	}
	return spool, nil
}

// readerWithContext ends an upload with its request, also between reads of a slow client.
type readerWithContext struct {
	ctx context.Context //nolint:containedctx // lives as long as one call
	r   io.Reader
}

func (r readerWithContext) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// publishActions are those that a publish of the format needs, all of them.
func (v *View) publishActions() []string {
	if len(v.traits.PublishActions) == 0 {
		return []string{actionPublish}
	}
	return v.traits.PublishActions
}

func (v *View) mayPublish(id registry.PackageID) error {
	for _, action := range v.publishActions() {
		if err := v.may(action, id); err != nil {
			return err
		}
	}
	return nil
}

// mayStage asks whether a file may be uploaded at all. Where the address does not say of which package it is, permission for any will
// do: Publish asks again for the one that it is.
func (v *View) mayStage(hint registry.PackageID) error {
	if hint != (registry.PackageID{}) {
		return v.mayPublish(hint)
	}
	for _, action := range v.publishActions() {
		q := v.request(action, registry.PackageID{Format: v.traits.Name, Name: "*"})
		if d := policy.Evaluate(q); !d.Allowed() && !policy.Could(q) {
			return permitted(d, &q)
		}
	}
	return nil
}

// publishing is a publication under way.
type publishing struct {
	format.Publication
	v        *View
	items    []content.Item
	unjudged error // why a connection could not be asked whether it has the version
	created  bool
	version  *registry.Version
}

// Publish implements format.Publisher.
func (v *View) Publish(ctx context.Context, p format.Publication) (*format.Published, error) {
	pub := &publishing{Publication: p, v: v}
	if err := pub.check(); err != nil {
		return nil, fmt.Errorf("publish %s: %w", p.ID, err)
	}
	if err := v.mayPublish(p.ID.Package); err != nil {
		return nil, err
	}
	l, err := v.s.locate(ctx, v.rc, p.ID.Package)
	if err != nil {
		return nil, err
	}
	if err := v.allowsPublish(p.ID, l.own()); err != nil {
		return nil, err
	}
	done, err := pub.already(ctx, l)
	if err != nil {
		return nil, fmt.Errorf("publish %s: %w", p.ID, err)
	}
	// A version that stands for another one may be anywhere: which one it stands for is for each repository to say, and that one was
	// judged when it was published (readings 4.1).
	if done == nil && p.AssetsOf == "" {
		if err := pub.reachable(ctx, l); err != nil {
			return nil, err
		}
	}
	// What is there already goes through the transaction too: it may be gone by now.
	if _, err := v.s.keeper.Commit(ctx, v.rc.domain.row.ID, pub.items, pub.write); err != nil {
		return nil, fmt.Errorf("publish %s: %w", p.ID, err)
	}
	pub.audit(ctx)
	out := &format.Published{Version: pub.version, Created: pub.created}
	if pub.created && len(p.Tags) > 0 {
		out.ShadowedTags = v.shadowed(ctx, p.ID.Package, p.Tags)
	}
	return out, nil
}

// check refuses what a format should not have let through, and what the client announced wrongly.
func (p *publishing) check() error {
	if err := p.v.owns(p.ID.Package); err != nil {
		return err
	}
	names := p.v.format.Names()
	if id, err := names.Package(p.ID.Package.Namespace, p.ID.Package.Name); err != nil || id != p.ID.Package {
		return fmt.Errorf("%w: package identity is not normalised", registry.ErrInvalid)
	}
	if key, err := names.Version(p.ID.Version); err != nil || key != p.ID.Version {
		return fmt.Errorf("%w: version is not normalised", registry.ErrInvalid)
	}
	listed, limit := 0, p.v.snap.limits.AssetsPerVersion
	seen := map[string]bool{}
	for _, a := range p.Assets {
		if seen[a.Name] || a.Name == "" {
			return fmt.Errorf("%w: asset name %q", registry.ErrInvalid, a.Name)
		}
		seen[a.Name] = true
		if algorithm := a.Staged.Digests().Conflict(a.Want); algorithm != "" {
			return fmt.Errorf("%w: the %s of %s is not what the request says", registry.ErrInvalid, algorithm, a.Name)
		}
		if !a.Hidden {
			listed++
		}
		p.items = append(p.items, content.Item{Staged: a.Staged})
	}
	if listed > limit {
		return fmt.Errorf("%w: a package version may have at most %d assets", registry.ErrQuotaExceeded, limit)
	}
	return nil
}

// allowsPublish decides by origin controls, of the package and of its group; row nil: nothing of the package arrived yet.
func (v *View) allowsPublish(id registry.VersionID, row *metadata.Package) error {
	if m := v.rc.group(id.Package); !m.Allows(group.Publish, v.rc.doc.Name) {
		return fmt.Errorf("%w: %s", registry.ErrBlocked, m.Explain(id.Package, group.Publish, v.rc.doc.Name))
	}
	declared := v.rc.override(id.Package)
	if declared.effective(row).MayPublish() {
		return nil
	}
	why := "its versions come from upstream"
	if declared.publish != "" {
		why = declared.by + " says so"
	}
	return fmt.Errorf("%w: the origin controls of package %s in repository %s do not allow publishing (%s)", registry.ErrBlocked, id.Package, v.rc.doc.Name, why)
}

// already finds the version in the repository itself; nil if it is not there or may get the new assets.
func (p *publishing) already(ctx context.Context, l *located) (*metadata.Version, error) {
	if l.own() == nil {
		return nil, nil
	}
	rows, err := p.v.s.store.Versions(ctx, []metadata.PackageRow{l.own().Row}, []string{p.ID.Version})
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	if _, err := p.fits(&rows[0].Version); err != nil {
		return nil, err
	}
	return rows[0], nil
}

// fits says which assets of the publication are new to an existing version. It fails if they cannot be added.
func (p *publishing) fits(v *registry.Version) (missing []int, err error) {
	if v.Status == registry.Archived || v.Status == registry.Disposed {
		return nil, fmt.Errorf("%w: the version exists and is %s; it cannot be published again unless it is deleted", registry.ErrConflict, strings.ToLower(string(v.Status)))
	}
	if p.CreateOnly {
		return nil, fmt.Errorf("%w: the version exists", registry.ErrAlreadyExists)
	}
	for i, a := range p.Assets {
		old := v.Asset(a.Name)
		switch {
		case old == nil:
			missing = append(missing, i)
		case old.Digests.Conflict(a.Staged.Digests()) != "" || old.Stored && old.Digests.SHA256 != a.Staged.Digests().SHA256:
			return nil, fmt.Errorf("%w: the version has other bytes of %s; publish a new version instead", registry.ErrAlreadyExists, a.Name)
		}
	}
	if len(missing) == 0 {
		return nil, nil
	}
	switch grows := p.v.traits.Grows; {
	case v.Origin.Type != registry.Internal:
		return nil, fmt.Errorf("%w: the version came from %s, and published files do not mix with it", registry.ErrConflict, v.Origin.Entry)
	case grows == format.GrowsAlways, grows == format.GrowsWhileUnfinished && v.Status == registry.Unfinished:
	default:
		return nil, fmt.Errorf("%w: the version exists and takes no further files; publish a new version instead", registry.ErrAlreadyExists)
	}
	listed := 0
	for _, a := range v.Assets {
		if a.Listed {
			listed++
		}
	}
	for _, i := range missing {
		if !p.Assets[i].Hidden {
			listed++
		}
	}
	if limit := p.v.snap.limits.AssetsPerVersion; listed > limit {
		return nil, fmt.Errorf("%w: a package version may have at most %d assets", registry.ErrQuotaExceeded, limit)
	}
	return missing, nil
}

// reachable refuses a version that a read through this repository would find further up (user guide, "Publishing and upstream
// repositories"). What origin controls cut off is neither found nor asked.
func (p *publishing) reachable(ctx context.Context, l *located) error {
	rows, err := p.v.s.store.Versions(ctx, l.packageRows(), []string{p.ID.Version})
	if err != nil {
		return err
	}
	conflict := func(where string) error {
		return fmt.Errorf("%w: version %s of %s is in %s, an upstream of repository %s; publish another version, or block upstream versions of the package with its origin controls",
			registry.ErrConflict, p.ID.Version, p.ID.Package, where, p.v.rc.doc.Name)
	}
	for _, st := range l.steps {
		if st.Connection == "" {
			if st.Repository == 0 {
				continue
			}
			at := slices.IndexFunc(rows, func(v *metadata.Version) bool { return v.Repository == l.rc.ids[st.Repository] })
			if at < 0 {
				continue
			}
			if rows[at].Status.Served() {
				return conflict(l.rc.members[st.Repository].doc.Name)
			}
			return nil // it hides whatever is further up
		}
		conn := l.connection(st)
		rem, err := p.v.s.remote(ctx, l.rc.domain, conn, l.id, askPublish)
		var there *registry.Version
		if err == nil {
			there = rem.version(p.ID.Version)
		}
		if err == nil && there == nil && !rem.stale {
			there, err = p.v.s.unlisted(ctx, l.rc.domain, conn, p.ID, external.SourceOptions{Timeout: p.v.s.opt.AskTimeout})
		}
		switch {
		case errors.Is(err, registry.ErrUnavailable):
		case err != nil:
			return err
		case there != nil:
			return conflict(conn.Name)
		case rem.stale:
			err = fmt.Errorf("%s could not be asked: %w", conn.Name, registry.ErrUnavailable)
		}
		if err == nil {
			continue
		}
		p.unjudged = err
		if conn.DenyPublishUnavailable {
			return fmt.Errorf("publish %s: whether %s has the version cannot be found out now: %w", p.ID, conn.Name, err)
		}
	}
	return nil
}

func (p *publishing) audit(ctx context.Context) {
	args := []any{
		"principal", p.v.caller.Principal.ARN, "repository", p.v.rc.arn, "package", p.ID.Package.String(), "version", p.ID.Version, "created", p.created,
	}
	if p.unjudged != nil {
		// The guide permits it ("CodeArtifact behavior when an external repository is not available"); somebody should know.
		args = append(args, "upstreamNotAsked", p.unjudged.Error())
	}
	p.v.s.log.InfoContext(ctx, "package version published", args...)
}

// shadowed returns the tags that were set here and that clients will see with an upstream's version instead.
func (v *View) shadowed(ctx context.Context, id registry.PackageID, set map[string]string) []string {
	r, err := v.s.resolve(ctx, v.rc, id)
	if err != nil {
		v.s.log.WarnContext(ctx, "tags were not compared with upstreams", "package", id.String(), "error", err)
		return nil
	}
	if len(r.steps) < 2 {
		return nil
	}
	view, err := v.s.view(r, v.URL)
	if err != nil {
		return nil // nothing visible: nothing shadows
	}
	var out []string
	for _, tag := range slices.Sorted(maps.Keys(set)) {
		if got, ok := view.Tags[tag]; ok && got != set[tag] {
			out = append(out, tag)
		}
	}
	return out
}
