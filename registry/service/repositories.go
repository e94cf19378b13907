package service

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/intent"
	"packhouse.dev/packhouse/registry/repository"
	"packhouse.dev/packhouse/registry/service/model"
)

func (c *call) describeRepository(ctx context.Context, in *model.DescribeRepositoryRequest) (*model.DescribeRepositoryResult, error) {
	d, r, err := c.onRepository(ctx, in.DomainOwner, in.Domain, in.Repository)
	if err != nil {
		return nil, err
	}
	return &model.DescribeRepositoryResult{Repository: describeRepository(d, r)}, nil
}

func describeRepository(d *repository.Domain, r repository.DeclaredRepository) *model.RepositoryDescription {
	ref := d.Ref()
	out := &model.RepositoryDescription{
		Name: r.Name, AdministratorAccount: r.Administrator, DomainName: ref.Name, DomainOwner: ref.Owner, Arn: r.ARN, Description: r.Description,
		CreatedTime: model.Time{Time: r.CreatedAt}, Upstreams: []model.UpstreamRepositoryInfo{}, ExternalConnections: []model.RepositoryExternalConnectionInfo{},
	}
	for _, name := range r.Upstreams {
		out.Upstreams = append(out.Upstreams, model.UpstreamRepositoryInfo{RepositoryName: name})
	}
	for _, name := range r.Connections {
		info := model.RepositoryExternalConnectionInfo{ExternalConnectionName: name, Status: "Available"}
		if conn := d.Connection(name); conn != nil {
			info.PackageFormat = string(conn.Format)
		}
		out.ExternalConnections = append(out.ExternalConnections, info)
	}
	return out
}

// listable is a repository of a list.
type listable struct {
	d *repository.Domain
	r repository.DeclaredRepository
}

func (l listable) key() []string { return []string{l.r.Name, l.d.Ref().Name, l.d.Ref().Owner} }

func summaries(list []listable) []model.RepositorySummary {
	out := []model.RepositorySummary{}
	for _, l := range list {
		ref := l.d.Ref()
		out = append(out, model.RepositorySummary{
			Name: l.r.Name, AdministratorAccount: l.r.Administrator, DomainName: ref.Name, DomainOwner: ref.Owner, Arn: l.r.ARN,
			Description: l.r.Description, CreatedTime: model.Time{Time: l.r.CreatedAt},
		})
	}
	return out
}

// listRepositories shows the repositories that the caller's account administers, in whatever domain.
func (c *call) listRepositories(ctx context.Context, in *model.ListRepositoriesRequest) (*model.ListRepositoriesResult, error) {
	catalog, domains, err := c.listed(ctx)
	if err != nil {
		return nil, err
	}
	c.account = c.caller.Principal.Account
	var list []listable
	for _, d := range domains {
		for _, r := range d.Repositories() {
			if r.Administrator == c.account && strings.HasPrefix(r.Name, in.RepositoryPrefix) && c.mayList(catalog, r.ARN) {
				list = append(list, listable{d, r})
			}
		}
	}
	if len(list) == 0 {
		if err := catalog.Authorize(catalog.Account(&c.caller, c.action(), "*")); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(list, func(a, b listable) int { return slices.Compare(a.key(), b.key()) })
	p, err := paged(c, list, listable.key, in.NextToken, in.MaxResults, c.query(in.RepositoryPrefix))
	if err != nil {
		return nil, err
	}
	return &model.ListRepositoriesResult{Repositories: summaries(p.items), NextToken: p.next}, nil
}

func (c *call) listRepositoriesInDomain(ctx context.Context, in *model.ListRepositoriesInDomainRequest) (*model.ListRepositoriesInDomainResult, error) {
	d, err := c.onDomain(ctx, in.DomainOwner, in.Domain)
	if err != nil {
		return nil, err
	}
	var list []listable
	for _, r := range d.Repositories() {
		if strings.HasPrefix(r.Name, in.RepositoryPrefix) && (in.AdministratorAccount == "" || r.Administrator == in.AdministratorAccount) {
			list = append(list, listable{d, r})
		}
	}
	p, err := paged(c, list, listable.key, in.NextToken, in.MaxResults, c.query(in.Domain, in.AdministratorAccount, in.RepositoryPrefix))
	if err != nil {
		return nil, err
	}
	return &model.ListRepositoriesInDomainResult{Repositories: summaries(p.items), NextToken: p.next}, nil
}

// getRepositoryEndpoint gives the address in the form of the request; there is one for both types of addresses (readings 2.13).
func (c *call) getRepositoryEndpoint(ctx context.Context, in *model.GetRepositoryEndpointRequest) (*model.GetRepositoryEndpointResult, error) {
	d, r, err := c.onRepository(ctx, in.DomainOwner, in.Domain, in.Repository)
	if err != nil {
		return nil, err
	}
	if _, ok := c.api.door.Format(registry.Format(in.Format)); !ok {
		return nil, validation(reasonOther, "This registry does not serve packages of the format "+in.Format+".")
	}
	return &model.GetRepositoryEndpointResult{RepositoryEndpoint: c.request.Base + "/" + d.Ref().String() + "/" + in.Format + "/" + r.Name + "/"}, nil
}

// specOf is what is declared of a repository.
func specOf(r repository.DeclaredRepository) *intent.Repository {
	return &intent.Repository{
		Name: r.Name, Description: r.Description, Upstreams: slices.Clone(r.Upstreams), Connections: slices.Clone(r.Connections), Tags: maps.Clone(r.Tags),
	}
}

func (c *call) createRepository(ctx context.Context, in *model.CreateRepositoryRequest) (*model.CreateRepositoryResult, error) {
	d, err := c.domain(ctx, in.DomainOwner, in.Domain, c.op.Name)
	if err != nil {
		return nil, err
	}
	c.resource = d.Names().Repository(d.Ref().Owner, in.Domain, in.Repository)
	tagged := withTags(c.caller, tagsOf(in.Tags))
	if err := d.Authorize(d.Access().Domain(&tagged, c.action(), c.resource)); err != nil {
		return nil, err
	}
	if len(in.Tags) > 0 {
		q := d.Access().Repository(&tagged, "codeartifact:TagResource", in.Repository)
		q.Administrator = c.caller.Principal.Account
		if err := d.Authorize(q); err != nil {
			return nil, err
		}
	}
	if _, err := d.Repository(in.Repository); err == nil {
		return nil, &Exception{
			Type: "ConflictException", Status: http.StatusConflict, ResourceID: in.Repository, ResourceType: "repository",
			Message: "Repository " + in.Repository + " already exists in domain " + in.Domain + ".",
		}
	}
	if err := c.checkTags(in.Tags, len(in.Tags)); err != nil {
		return nil, err
	}
	if limit := d.Limits().RepositoriesPerDomain; len(d.Repositories()) >= limit {
		return nil, fmt.Errorf("%w: a domain may have %d repositories", registry.ErrQuotaExceeded, limit)
	}
	upstreams, err := c.upstreams(d, in.Repository, in.Upstreams)
	if err != nil {
		return nil, err
	}
	spec := &intent.Repository{Name: in.Repository, Upstreams: upstreams, Tags: tagsOf(in.Tags)}
	if in.Description != nil {
		spec.Description = *in.Description
	}
	out, err := c.declareRepository(ctx, d, spec, true)
	return &model.CreateRepositoryResult{Repository: out}, err
}

// declareRepository declares a repository and shows what is served then.
func (c *call) declareRepository(ctx context.Context, d *repository.Domain, spec *intent.Repository, create bool) (*model.RepositoryDescription, error) {
	if err := c.declare(ctx, intent.Intent{Domain: d.Ref(), Base: baseOf(d), Create: create, Spec: intent.Spec{Repository: spec}}); err != nil {
		return nil, err
	}
	d, err := c.api.door.Enter(ctx, d.Ref())
	if err != nil {
		return nil, err
	}
	r, err := d.Repository(spec.Name)
	if err != nil {
		return nil, err
	}
	return describeRepository(d, r), nil
}

// upstreams checks those that a repository is to have: each is there once, is another one, and may be associated with.
func (c *call) upstreams(d *repository.Domain, of string, list []model.UpstreamRepository) ([]string, error) {
	var out []string
	for _, u := range list {
		name := u.RepositoryName
		if slices.Contains(out, name) {
			return nil, validation(reasonField, "Upstream "+name+" is there twice.")
		}
		if name == of {
			return nil, validation(reasonField, "A repository cannot be its own upstream.")
		}
		if err := d.Authorize(d.Access().Repository(&c.caller, "codeartifact:AssociateWithDownstreamRepository", name)); err != nil {
			return nil, err
		}
		if _, err := d.Repository(name); err != nil {
			return nil, err
		}
		out = append(out, name)
	}
	if limit := d.Limits().DirectUpstreams; len(out) > limit {
		return nil, fmt.Errorf("%w: a repository may have %d direct upstreams", registry.ErrQuotaExceeded, limit)
	}
	return out, nil
}

// updateRepository changes what the request has: a list of upstreams, also an empty one, replaces the one there is.
func (c *call) updateRepository(ctx context.Context, in *model.UpdateRepositoryRequest) (*model.UpdateRepositoryResult, error) {
	d, r, err := c.onRepository(ctx, in.DomainOwner, in.Domain, in.Repository)
	if err != nil {
		return nil, err
	}
	spec := specOf(r)
	if in.Description != nil {
		spec.Description = *in.Description
	}
	if in.Upstreams != nil {
		if spec.Upstreams, err = c.upstreams(d, in.Repository, in.Upstreams); err != nil {
			return nil, err
		}
		if len(spec.Upstreams) > 0 && len(spec.Connections) > 0 && !d.Limits().MixedSources {
			return nil, conflict("Repository " + in.Repository + " has an external connection and cannot have upstreams as well.")
		}
	}
	out, err := c.declareRepository(ctx, d, spec, false)
	return &model.UpdateRepositoryResult{Repository: out}, err
}

func (c *call) deleteRepository(ctx context.Context, in *model.DeleteRepositoryRequest) (*model.DeleteRepositoryResult, error) {
	d, r, err := c.onRepository(ctx, in.DomainOwner, in.Domain, in.Repository)
	if err != nil {
		return nil, err
	}
	out := describeRepository(d, r)
	change := intent.Intent{Domain: d.Ref(), Base: baseOf(d), Delete: true, Spec: intent.Spec{Repository: &intent.Repository{Name: in.Repository}}}
	return &model.DeleteRepositoryResult{Repository: out}, c.declare(ctx, change)
}

func (c *call) associateExternalConnection(ctx context.Context, in *model.AssociateExternalConnectionRequest) (*model.AssociateExternalConnectionResult, error) {
	d, r, err := c.onRepository(ctx, in.DomainOwner, in.Domain, in.Repository)
	if err != nil {
		return nil, err
	}
	switch limit := d.Limits().ExternalConnectionsPerRepository; {
	case slices.Contains(r.Connections, in.ExternalConnection):
		return nil, conflict("Repository " + in.Repository + " has the external connection " + in.ExternalConnection + " already.")
	case len(r.Upstreams) > 0 && !d.Limits().MixedSources:
		return nil, conflict("Repository " + in.Repository + " has upstreams and cannot have an external connection as well.")
	case len(r.Connections) >= limit:
		return nil, fmt.Errorf("%w: a repository may have %d external connections", registry.ErrQuotaExceeded, limit)
	}
	spec := specOf(r)
	spec.Connections = append(spec.Connections, in.ExternalConnection)
	out, err := c.declareRepository(ctx, d, spec, false)
	return &model.AssociateExternalConnectionResult{Repository: out}, err
}

func (c *call) disassociateExternalConnection(ctx context.Context, in *model.DisassociateExternalConnectionRequest) (*model.DisassociateExternalConnectionResult, error) {
	d, r, err := c.onRepository(ctx, in.DomainOwner, in.Domain, in.Repository)
	if err != nil {
		return nil, err
	}
	spec := specOf(r)
	at := slices.Index(spec.Connections, in.ExternalConnection)
	if at < 0 {
		return nil, &repository.MissingError{
			Name: in.ExternalConnection, Text: "External connection not found: repository " + in.Repository + " has no external connection " + in.ExternalConnection,
		}
	}
	spec.Connections = slices.Delete(spec.Connections, at, at+1)
	out, err := c.declareRepository(ctx, d, spec, false)
	return &model.DisassociateExternalConnectionResult{Repository: out}, err
}
