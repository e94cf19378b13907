package service

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/access"
	"packhouse.dev/packhouse/registry/auth"
	"packhouse.dev/packhouse/registry/intent"
	"packhouse.dev/packhouse/registry/policy"
	"packhouse.dev/packhouse/registry/repository"
	"packhouse.dev/packhouse/registry/service/model"
)

// The statuses of a domain.
const (
	domainActive  = "Active"
	domainDeleted = "Deleted"
)

func (c *call) describeDomain(ctx context.Context, in *model.DescribeDomainRequest) (*model.DescribeDomainResult, error) {
	d, err := c.onDomain(ctx, in.DomainOwner, in.Domain)
	if err != nil {
		return nil, err
	}
	out, err := describeDomain(ctx, d)
	return &model.DescribeDomainResult{Domain: out}, err
}

// describeDomain leaves out encryptionKey and s3BucketArn: there is no such key and no such bucket.
func describeDomain(ctx context.Context, d *repository.Domain) (*model.DomainDescription, error) {
	bytes, err := d.Usage(ctx)
	if err != nil {
		return nil, err
	}
	ref, count := d.Ref(), int64(len(d.Repositories()))
	return &model.DomainDescription{
		Name: ref.Name, Owner: ref.Owner, Arn: d.Names().Domain(ref.Owner, ref.Name), Status: domainActive, CreatedTime: model.Time{Time: d.CreatedAt()},
		RepositoryCount: &count, AssetSizeBytes: &bytes,
	}, nil
}

// listed are the domains that a list of the caller may have: for a token the one that it names.
func (c *call) listed(ctx context.Context) (*repository.Catalog, []*repository.Domain, error) {
	catalog, err := c.catalog(ctx)
	if err != nil {
		return nil, nil, err
	}
	var out []*repository.Domain
	for _, d := range catalog.Domains() {
		if c.identity == nil {
			out = append(out, d)
		} else if d.UID() == c.identity.Domain {
			if err := c.api.auth.Admit(ctx, c.identity, d.UID()); err != nil {
				return nil, nil, err
			}
			out = append(out, d)
		}
	}
	if c.identity != nil && len(out) == 0 {
		return nil, nil, auth.Foreign()
	}
	return catalog, out, nil
}

// listDomains shows the domains of the caller's account. A policy may name them one by one (readings A20); a caller who may list none
// is denied.
func (c *call) listDomains(ctx context.Context, in *model.ListDomainsRequest) (*model.ListDomainsResult, error) {
	catalog, domains, err := c.listed(ctx)
	if err != nil {
		return nil, err
	}
	c.account = c.caller.Principal.Account
	var list []*repository.Domain
	for _, d := range domains {
		ref := d.Ref()
		arn := catalog.Names().Domain(ref.Owner, ref.Name)
		if ref.Owner == c.account && c.mayList(catalog, arn) {
			list = append(list, d)
		}
	}
	if len(list) == 0 {
		if err := catalog.Authorize(catalog.Account(&c.caller, c.action(), "*")); err != nil {
			return nil, err
		}
	}
	p, err := paged(c, list, func(d *repository.Domain) []string { return []string{d.Ref().Name} }, in.NextToken, in.MaxResults, c.query())
	if err != nil {
		return nil, err
	}
	out := &model.ListDomainsResult{Domains: []model.DomainSummary{}, NextToken: p.next}
	for _, d := range p.items {
		ref := d.Ref()
		out.Domains = append(out.Domains, model.DomainSummary{
			Name: ref.Name, Owner: ref.Owner, Arn: catalog.Names().Domain(ref.Owner, ref.Name), Status: domainActive, CreatedTime: model.Time{Time: d.CreatedAt()},
		})
	}
	return out, nil
}

// mayList asks for a list once per thing that could be in it.
func (c *call) mayList(catalog *repository.Catalog, arn string) bool {
	return catalog.Authorize(catalog.Account(&c.caller, c.action(), arn)) == nil
}

// The bounds of durationSeconds beside 0, in seconds.
const (
	minToken = int64(auth.MinLifetime / time.Second)
	maxToken = int64(auth.MaxLifetime / time.Second)
)

// getAuthorizationToken needs two permissions (readings 3.1). A token of 0 seconds lives as long as the session of the caller, which
// only temporary credentials have.
func (c *call) getAuthorizationToken(ctx context.Context, in *model.GetAuthorizationTokenRequest) (*model.GetAuthorizationTokenResult, error) {
	d, err := c.onDomain(ctx, in.DomainOwner, in.Domain)
	if err != nil {
		return nil, err
	}
	seconds := maxToken
	if in.DurationSeconds != nil {
		seconds = *in.DurationSeconds
	}
	if seconds != 0 && (seconds < minToken || seconds > maxToken) {
		return nil, validation(reasonField, fmt.Sprintf("durationSeconds must be 0 or a number from %d to %d.", minToken, maxToken))
	}
	bearer := c.caller
	bearer.Context.TokenDuration = seconds
	if err := d.Authorize(d.Account(&bearer, "sts:GetServiceBearerToken", "*")); err != nil {
		return nil, err
	}
	grant := c.grant(d, time.Duration(seconds)*time.Second)
	if seconds == 0 {
		end := c.sessionEnd()
		if end.IsZero() {
			return nil, validation(reasonOther, "A durationSeconds of 0 takes the end of the caller's session, and long-term credentials have none.")
		}
		grant.Until = end
	}
	token, err := c.api.issuer.Issue(grant)
	if err != nil {
		return nil, err
	}
	return &model.GetAuthorizationTokenResult{AuthorizationToken: token.Value, Expiration: model.Time{Time: token.ExpiresAt}}, nil
}

// sessionEnd is when the credentials of the caller end; zero for those that do not.
func (c *call) sessionEnd() time.Time {
	if c.identity != nil {
		return c.identity.ExpiresAt
	}
	return c.key.ExpiresAt
}

// grant is a token for the caller, which dies with what it was made from.
func (c *call) grant(d *repository.Domain, lifetime time.Duration) auth.Grant {
	g := auth.Grant{
		Principal: c.caller.Principal, Groups: c.caller.Groups, Tags: c.caller.Context.PrincipalTags, Domain: d.UID(), Lifetime: lifetime,
	}
	if c.key != nil {
		g.Source = c.key.Source
	} else {
		g.Source = c.identity.Source
	}
	return g
}

// createDomain makes a domain of the caller's account.
func (c *call) createDomain(ctx context.Context, in *model.CreateDomainRequest) (*model.CreateDomainResult, error) {
	ref := registry.DomainRef{Owner: c.caller.Principal.Account, Name: in.Domain}
	c.account = ref.Owner
	if c.identity != nil {
		return nil, c.tokenOnly("CreateDomain")
	}
	catalog, err := c.catalog(ctx)
	if err != nil {
		return nil, err
	}
	c.resource = catalog.Names().Domain(ref.Owner, ref.Name)
	tagged := withTags(c.caller, tagsOf(in.Tags))
	q := catalog.Account(&tagged, c.action(), "*")
	q.Creates = c.resource
	if err := catalog.Authorize(q); err != nil {
		return nil, err
	}
	if len(in.Tags) > 0 {
		if err := catalog.Authorize(catalog.Account(&tagged, "codeartifact:TagResource", "*")); err != nil {
			return nil, err
		}
	}
	if in.EncryptionKey != "" {
		return nil, validation(reasonKey, "This registry has no key "+in.EncryptionKey+"; leave encryptionKey out.")
	}
	if err := c.checkTags(in.Tags, len(in.Tags)); err != nil {
		return nil, err
	}
	if err := c.roomForDomain(catalog, ref); err != nil {
		return nil, err
	}
	if err := c.declare(ctx, intent.Intent{Domain: ref, Create: true, Spec: intent.Spec{Domain: &intent.Domain{Tags: tagsOf(in.Tags)}}}); err != nil {
		return nil, err
	}
	d, err := c.api.door.Enter(ctx, ref)
	if err != nil {
		return nil, err
	}
	out, err := describeDomain(ctx, d)
	return &model.CreateDomainResult{Domain: out}, err
}

// roomForDomain refuses a name that is taken, and one more than an account may have.
func (c *call) roomForDomain(catalog *repository.Catalog, ref registry.DomainRef) error {
	n := 0
	for _, d := range catalog.Domains() {
		if d.Ref() == ref {
			return &Exception{
				Type: "ConflictException", Status: http.StatusConflict, Message: "Domain " + ref.Name + " already exists.",
				ResourceID: ref.Name, ResourceType: "domain",
			}
		}
		if d.Ref().Owner == ref.Owner {
			n++
		}
	}
	if limit := c.api.door.Limits().DomainsPerAccount; n >= limit {
		return fmt.Errorf("%w: an account may have %d domains", registry.ErrQuotaExceeded, limit)
	}
	return nil
}

// tokenOnly is the answer to those who have a token, which is good for one domain, for something that is about no domain.
func (c *call) tokenOnly(name string) error {
	return &repository.DeniedError{
		Principal: c.caller.Principal.ARN, Action: "codeartifact:" + name, Resource: "*", Decision: policy.Decision{},
	}
}

// withTags is the caller with the tags that his request would set.
func withTags(c access.Caller, tags map[string]string) access.Caller {
	c.Context.RequestTags = tags
	return c
}

// deleteDomain refuses to delete a domain that has repositories.
func (c *call) deleteDomain(ctx context.Context, in *model.DeleteDomainRequest) (*model.DeleteDomainResult, error) {
	d, err := c.onDomain(ctx, in.DomainOwner, in.Domain)
	if err != nil {
		return nil, err
	}
	if n := len(d.Repositories()); n > 0 {
		return nil, conflict(fmt.Sprintf("Domain %s has repositories (%d); delete them first.", in.Domain, n))
	}
	out, err := describeDomain(ctx, d)
	if err != nil {
		return nil, err
	}
	out.Status = domainDeleted
	return &model.DeleteDomainResult{Domain: out}, c.declare(ctx, intent.Intent{Domain: d.Ref(), Base: baseOf(d), Delete: true, Spec: intent.Spec{Domain: &intent.Domain{}}})
}
