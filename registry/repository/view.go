package repository

import (
	"context"
	"fmt"
	"strings"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/access"
	"packhouse.dev/packhouse/registry/format"
	"packhouse.dev/packhouse/registry/metadata"
	"packhouse.dev/packhouse/registry/policy"
)

// Domain is a domain in the snapshot of one request.
type Domain struct {
	s    *Service
	snap *snapshot
	cfg  *domainConfig

	decisions decisions
}

// Enter begins a request: it passes the feed's barrier, so that whatever was acknowledged before is in force, and takes the
// snapshot. registry.ErrNotFound if no such domain is served.
func (s *Service) Enter(ctx context.Context, ref registry.DomainRef) (*Domain, error) {
	var id metadata.DomainID
	if d := s.current.Load().domains[ref]; d != nil {
		id = d.row.ID
	}
	if err := s.store.Barrier(ctx, id); err != nil {
		return nil, err
	}
	if err := s.refresh(ctx); err != nil {
		return nil, err
	}
	snap := s.current.Load()
	d := snap.domains[ref]
	if d == nil {
		return nil, fmt.Errorf("domain %s: %w", ref, registry.ErrNotFound)
	}
	return &Domain{s: s, snap: snap, cfg: d}, nil
}

// ID returns the row of the domain.
func (d *Domain) ID() metadata.DomainID { return d.cfg.row.ID }

// UID returns the identity of the domain that tokens name. It is never used again for another domain.
func (d *Domain) UID() string { return d.cfg.row.UID }

// Ref returns the domain's name.
func (d *Domain) Ref() registry.DomainRef { return d.cfg.doc.Ref() }

// Request opens a repository.
type Request struct {
	Repository string
	Format     registry.Format
	Principal  policy.Principal
	Groups     []string       // of the principal, as its token says
	Context    policy.Context // what conditions may ask of the request, as far as access.Caller has it
	Base       string         // absolute address of the repository in the form of the request, without a slash at the end
}

// Open returns the view of a repository. Without any permission on it the answer is the same whether it exists or not.
func (d *Domain) Open(_ context.Context, q Request) (*View, error) {
	f, ok := d.s.formats[q.Format]
	if !ok {
		return nil, fmt.Errorf("package format %q: %w", q.Format, registry.ErrNotFound)
	}
	caller := access.Caller{Principal: q.Principal, Groups: q.Groups, Context: q.Context}
	rc := d.cfg.repos[q.Repository]
	if rc == nil {
		if err := d.Authorize(d.cfg.access.Repository(&caller, actionRead, q.Repository)); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("repository %s in domain %s: %w", q.Repository, d.cfg.doc.Name, registry.ErrNotFound)
	}
	return &View{s: d.s, snap: d.snap, rc: rc, format: f, traits: f.Traits(), caller: caller, base: q.Base}, nil
}

// View is one repository seen by one principal, for one request. It implements format.Repository.
type View struct {
	s      *Service
	snap   *snapshot
	rc     *repoConfig
	format format.Format
	traits format.Traits
	caller access.Caller
	base   string

	decisions decisions
}

var _ format.Repository = (*View)(nil)

// URL makes an absolute address below the repository.
func (v *View) URL(path string) string { return v.base + "/" + path }

// Principal returns who asks, as an ARN.
func (v *View) Principal() string { return v.caller.Principal.ARN }

// owns refuses identities of another format: a format bug must not reach another format's rows.
func (v *View) owns(id registry.PackageID) error {
	if id.Format != v.traits.Name || id.Name == "" || strings.ContainsRune(id.Name, 0) {
		return fmt.Errorf("%w: package identity %q", registry.ErrInvalid, id)
	}
	return nil
}
