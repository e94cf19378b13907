package handler

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/admin"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/metadata"
	"packhouse.dev/packhouse/registry/repository"
)

func (h *handler) apply(ctx context.Context, q *admin.Configuration) (*admin.Applied, error) {
	if q.Registry == nil {
		return nil, fmt.Errorf("%w: a configuration needs the registry's document", registry.ErrInvalid)
	}
	got, err := h.Service.Apply(ctx, repository.Documents{Registry: q.Registry, Domains: q.Domains, Epoch: q.Epoch, Generation: q.Generation})
	if err != nil {
		return nil, err
	}
	h.Logger.InfoContext(ctx, "configuration applied", "epoch", q.Epoch, "generation", q.Generation, "changed", got.Changed, "problems", len(got.Problems))
	out := &admin.Applied{Changed: got.Changed}
	for _, p := range got.Problems {
		out.Problems = append(out.Problems, admin.Problem{Source: p.Source, Text: p.Text})
	}
	return out, nil
}

// configuration reads the documents in force.
func (h *handler) configuration(ctx context.Context, _ *struct{}) (*admin.Configuration, error) {
	out := &admin.Configuration{}
	reg, err := read[config.Registry](ctx, h, metadata.RegistryDomain, out)
	if err != nil || reg == nil {
		return out, err
	}
	out.Registry = reg
	rows, err := h.Catalog.Domains(ctx)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		if row.State != metadata.Active {
			continue
		}
		d, err := read[config.Domain](ctx, h, row.ID, out)
		if err != nil {
			return nil, err
		}
		if d != nil {
			out.Domains = append(out.Domains, *d)
		}
	}
	return out, nil
}

// read returns the document of a domain, nil if there is none, and raises the numbers of the configuration to its own.
func read[T config.Registry | config.Domain](ctx context.Context, h *handler, id metadata.DomainID, c *admin.Configuration) (*T, error) {
	doc, err := h.Catalog.Document(ctx, id)
	if err != nil || doc == nil {
		return nil, err
	}
	if doc.Epoch > c.Epoch || doc.Epoch == c.Epoch && doc.Generation > c.Generation {
		c.Epoch, c.Generation = doc.Epoch, doc.Generation
	}
	return config.Decode[T](doc.Body)
}

func (h *handler) status(ctx context.Context, _ *struct{}) (*admin.Status, error) {
	// Ready first: it lets pass when what the rows say is in force in this process.
	out := &admin.Status{Version: h.Version, Schema: config.Schema, Instance: h.instance, StartedAt: h.started, Ready: h.Service.Ready(ctx) == nil}
	for _, e := range h.Service.Endpoints() {
		if e.URL != "" { // the others are wildcard hosts
			out.Endpoints = append(out.Endpoints, strings.TrimRight(e.URL, "/"))
		}
	}
	doc, err := h.Catalog.Document(ctx, metadata.RegistryDomain)
	if err != nil {
		return nil, err
	}
	if doc != nil {
		out.Epoch, out.Generation = doc.Epoch, doc.Generation
	}
	rows, err := h.Catalog.Domains(ctx)
	if err != nil {
		return nil, err
	}
	for _, d := range rows {
		s := admin.DomainStatus{Name: d.Ref.Name, Owner: d.Ref.Owner, State: string(d.State), Holder: d.Holder, Epoch: d.Epoch, Generation: d.Generation}
		repos, err := h.Catalog.Repositories(ctx, d.ID)
		if err != nil {
			return nil, err
		}
		for _, r := range repos {
			if r.State == metadata.Active {
				s.Repositories = append(s.Repositories, r.Name)
			} else {
				s.Retained = append(s.Retained, r.Name)
			}
		}
		out.Domains = append(out.Domains, s)
	}
	return out, nil
}

func (h *handler) groups(ctx context.Context, _ *struct{}) (*admin.Groups, error) {
	rows, err := h.Catalog.Domains(ctx)
	if err != nil {
		return nil, err
	}
	out := &admin.Groups{}
	for _, row := range rows {
		if row.State != metadata.Active {
			continue
		}
		d, err := h.Service.Enter(ctx, row.Ref)
		if errors.Is(err, registry.ErrNotFound) {
			continue // it was declared until now
		}
		if err != nil {
			return nil, err
		}
		packages, err := d.CountPackages(ctx)
		if err != nil {
			return nil, err
		}
		out.Domains = append(out.Domains, admin.DomainGroups{Name: row.Ref.Name, Owner: row.Ref.Owner, Packages: packages})
	}
	return out, nil
}

func (h *handler) remove(ctx context.Context, q *admin.Removal) (*struct{}, error) {
	ref := registry.DomainRef{Owner: q.Owner, Name: q.Domain}
	// Nothing here is guessed from the rest, as for tokens: it is for good.
	if q.Domain == "" || !registry.IsAccount(q.Owner) || q.Holder == "" {
		return nil, fmt.Errorf("%w: a removal needs domain, domainOwner and holder", registry.ErrInvalid)
	}
	if err := h.Catalog.Remove(ctx, metadata.Removal{Domain: ref, Repository: q.Repository, Holder: q.Holder}); err != nil {
		return nil, err
	}
	h.Logger.InfoContext(ctx, "content removed", "domain", ref.String(), "repository", q.Repository, "holder", q.Holder)
	return &struct{}{}, nil
}
