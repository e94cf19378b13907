package handler

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"strings"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/access"
	"packhouse.dev/packhouse/registry/admin"
	"packhouse.dev/packhouse/registry/policy"
)

func (h *handler) whyPermission(ctx context.Context, q *admin.PermissionRequest) (*admin.Permission, error) {
	r, err := access.ParseResource(q.Resource)
	if err != nil {
		return nil, err
	}
	row, err := h.domain(ctx, cmp.Or(r.Domain.Name, q.Domain), cmp.Or(r.Domain.Owner, q.Owner))
	if err != nil {
		return nil, err
	}
	c := &access.Caller{Groups: q.Groups, Context: policy.Context{Time: h.Now(), SecureTransport: !q.Insecure}}
	if c.Principal, err = h.Service.Principal(q.Principal, row.Ref.Owner); err != nil {
		return nil, err
	}
	if q.SourceIP != "" {
		if c.Context.SourceIP, err = netip.ParseAddr(q.SourceIP); err != nil {
			return nil, fmt.Errorf("%w: %.100q is no IP address", registry.ErrInvalid, q.SourceIP)
		}
	}
	action := q.Action
	if !strings.Contains(action, ":") {
		action = "codeartifact:" + action
	}
	d, err := h.Service.Enter(ctx, row.Ref)
	if err != nil {
		return nil, err
	}
	got, err := d.Why(c, action, r)
	if err != nil {
		return nil, err
	}
	out := &admin.Permission{
		Principal: got.Principal, Action: got.Action, Resource: got.Resource, Allowed: got.Allowed, Volatile: got.Volatile, Reason: got.Reason,
	}
	for _, s := range got.Statements {
		out.Statements = append(out.Statements, admin.Statement(s))
	}
	return out, nil
}

func (h *handler) whyPackage(ctx context.Context, q *admin.PackageRequest) (*admin.PackageTrace, error) {
	row, err := h.domain(ctx, q.Domain, q.Owner)
	if err != nil {
		return nil, err
	}
	d, err := h.Service.Enter(ctx, row.Ref)
	if err != nil {
		return nil, err
	}
	id := registry.PackageID{Format: registry.Format(q.Format), Namespace: q.Namespace, Name: q.Name}
	got, err := d.WhyPackage(ctx, q.Repository, id, q.Version)
	if err != nil {
		return nil, err
	}
	out := &admin.PackageTrace{
		Package: got.Package, Version: got.Version, Repository: got.Repository, Group: got.Group, Strong: got.Strong, Publish: got.Publish, Result: got.Result,
	}
	for _, p := range got.Places {
		out.Places = append(out.Places, admin.Place(p))
	}
	return out, nil
}
