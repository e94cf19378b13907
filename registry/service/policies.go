package service

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"

	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/intent"
	"packhouse.dev/packhouse/registry/policy"
	"packhouse.dev/packhouse/registry/repository"
	"packhouse.dev/packhouse/registry/service/model"
)

// governed is a domain or a repository with its policy. That somebody may put it whom it denies everything is decided by the policies
// themselves (user guide, "Interaction between repository and domain policies").
type governed struct {
	d          *repository.Domain
	repository string // "": the domain
	arn        string
	policy     *config.Policy
}

func (c *call) governedDomain(ctx context.Context, owner, domain string) (*governed, error) {
	d, err := c.onDomain(ctx, owner, domain)
	if err != nil {
		return nil, err
	}
	return &governed{d: d, arn: c.resource, policy: d.Declared().Policy}, nil
}

func (c *call) governedRepository(ctx context.Context, owner, domain, name string) (*governed, error) {
	d, r, err := c.onRepository(ctx, owner, domain, name)
	if err != nil {
		return nil, err
	}
	return &governed{d: d, repository: name, arn: r.ARN, policy: r.Policy}, nil
}

// revisionOf identifies a policy: another document, or one that somebody declared again, has another one.
func revisionOf(p *config.Policy) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\x00%d\x00%s", p.Source.UID, p.Source.Generation, p.Document)
	return base64.URLEncoding.EncodeToString(h.Sum(nil))
}

// shown is the policy as the API has it.
func (g *governed) shown() (*model.ResourcePolicy, error) {
	if g.policy == nil {
		missing := &repository.MissingError{What: repository.MissingDomain, Name: g.d.Ref().Name, Text: "Policy not found: domain " + g.d.Ref().Name + " has no permissions policy"}
		if g.repository != "" {
			missing = &repository.MissingError{What: repository.MissingRepository, Name: g.repository, Text: "Policy not found: repository " + g.repository + " has no permissions policy"}
		}
		return nil, missing
	}
	return &model.ResourcePolicy{Document: g.policy.Document, ResourceArn: g.arn, Revision: revisionOf(g.policy)}, nil
}

// matches refuses a change made from an old revision.
func (g *governed) matches(revision string) error {
	if revision == "" || g.policy != nil && revisionOf(g.policy) == revision {
		return nil
	}
	return conflict("The policy has another revision than policyRevision says; read it again.")
}

// put declares a document, as it was written.
func (c *call) put(ctx context.Context, g *governed, document, revision string) (*governed, error) {
	if len(document) > policy.MaxResourceDocument {
		return nil, validation(reasonField, fmt.Sprintf("The policy document is longer than %d bytes.", policy.MaxResourceDocument))
	}
	if _, err := policy.Read("policyDocument", policy.Resource, []byte(document)); err != nil {
		return nil, validation(reasonField, "The policy document cannot be used: "+strings.TrimPrefix(err.Error(), "policyDocument: "))
	}
	if err := g.matches(revision); err != nil {
		return nil, err
	}
	err := c.declare(ctx, intent.Intent{
		Domain: g.d.Ref(), Base: baseOf(g.d), Create: g.policy == nil, Spec: intent.Spec{Policy: &intent.Policy{Repository: g.repository, Document: document}},
	})
	if err != nil {
		return nil, err
	}
	d, err := c.api.door.Enter(ctx, g.d.Ref())
	if err != nil {
		return nil, err
	}
	now := &governed{d: d, repository: g.repository, arn: g.arn, policy: d.Declared().Policy}
	if g.repository != "" {
		r, err := d.Repository(g.repository)
		if err != nil {
			return nil, err
		}
		now.policy = r.Policy
	}
	return now, nil
}

// drop removes the policy and returns what it was.
func (c *call) drop(ctx context.Context, g *governed, revision string) (*model.ResourcePolicy, error) {
	was, err := g.shown()
	if err != nil {
		return nil, err
	}
	if err := g.matches(revision); err != nil {
		return nil, err
	}
	return was, c.declare(ctx, intent.Intent{
		Domain: g.d.Ref(), Base: baseOf(g.d), Delete: true, Spec: intent.Spec{Policy: &intent.Policy{Repository: g.repository}},
	})
}

func (c *call) getDomainPolicy(ctx context.Context, in *model.GetDomainPermissionsPolicyRequest) (*model.GetDomainPermissionsPolicyResult, error) {
	g, err := c.governedDomain(ctx, in.DomainOwner, in.Domain)
	if err != nil {
		return nil, err
	}
	p, err := g.shown()
	return &model.GetDomainPermissionsPolicyResult{Policy: p}, err
}

func (c *call) putDomainPolicy(ctx context.Context, in *model.PutDomainPermissionsPolicyRequest) (*model.PutDomainPermissionsPolicyResult, error) {
	g, err := c.governedDomain(ctx, in.DomainOwner, in.Domain)
	if err != nil {
		return nil, err
	}
	if g, err = c.put(ctx, g, in.PolicyDocument, in.PolicyRevision); err != nil {
		return nil, err
	}
	p, err := g.shown()
	return &model.PutDomainPermissionsPolicyResult{Policy: p}, err
}

func (c *call) deleteDomainPolicy(ctx context.Context, in *model.DeleteDomainPermissionsPolicyRequest) (*model.DeleteDomainPermissionsPolicyResult, error) {
	g, err := c.governedDomain(ctx, in.DomainOwner, in.Domain)
	if err != nil {
		return nil, err
	}
	p, err := c.drop(ctx, g, in.PolicyRevision)
	return &model.DeleteDomainPermissionsPolicyResult{Policy: p}, err
}

func (c *call) getRepositoryPolicy(ctx context.Context, in *model.GetRepositoryPermissionsPolicyRequest) (*model.GetRepositoryPermissionsPolicyResult, error) {
	g, err := c.governedRepository(ctx, in.DomainOwner, in.Domain, in.Repository)
	if err != nil {
		return nil, err
	}
	p, err := g.shown()
	return &model.GetRepositoryPermissionsPolicyResult{Policy: p}, err
}

func (c *call) putRepositoryPolicy(ctx context.Context, in *model.PutRepositoryPermissionsPolicyRequest) (*model.PutRepositoryPermissionsPolicyResult, error) {
	g, err := c.governedRepository(ctx, in.DomainOwner, in.Domain, in.Repository)
	if err != nil {
		return nil, err
	}
	if g, err = c.put(ctx, g, in.PolicyDocument, in.PolicyRevision); err != nil {
		return nil, err
	}
	p, err := g.shown()
	return &model.PutRepositoryPermissionsPolicyResult{Policy: p}, err
}

func (c *call) deleteRepositoryPolicy(ctx context.Context, in *model.DeleteRepositoryPermissionsPolicyRequest) (*model.DeleteRepositoryPermissionsPolicyResult, error) {
	g, err := c.governedRepository(ctx, in.DomainOwner, in.Domain, in.Repository)
	if err != nil {
		return nil, err
	}
	p, err := c.drop(ctx, g, in.PolicyRevision)
	return &model.DeleteRepositoryPermissionsPolicyResult{Policy: p}, err
}
