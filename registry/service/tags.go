package service

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/access"
	"packhouse.dev/packhouse/registry/intent"
	"packhouse.dev/packhouse/registry/policy"
	"packhouse.dev/packhouse/registry/repository"
	"packhouse.dev/packhouse/registry/service/model"
)

// set takes over what a request has.
func set(p, value *string) {
	if value != nil {
		*p = *value
	}
}

// cloned is a copy that can be written to.
func cloned(tags map[string]string) map[string]string {
	out := maps.Clone(tags)
	if out == nil {
		out = map[string]string{}
	}
	return out
}

// tagged is a resource with its tags: a domain, a repository or a package group. Nothing else has any.
type tagged struct {
	d    *repository.Domain
	tags map[string]string
	// spec declares the resource with other tags.
	spec func(tags map[string]string) intent.Spec
}

// onTagged enters the domain of a resource, asks for the operation's own action on the resource, and finds that.
func (c *call) onTagged(ctx context.Context, arn string, by *access.Caller) (*tagged, error) {
	at, err := access.ParseResource(arn)
	if err != nil || at.Domain.Owner == "" {
		return nil, validation(reasonField, fmt.Sprintf("%q is no ARN of a domain, a repository or a package group.", arn))
	}
	d, err := c.domain(ctx, at.Domain.Owner, at.Domain.Name, c.op.Name)
	if err != nil {
		return nil, err
	}
	q, err := d.Access().On(by, c.action(), at)
	if err != nil {
		return nil, err
	}
	if q.Resource != arn {
		return nil, validation(reasonField, fmt.Sprintf("%q is no ARN of this registry: write %s.", arn, q.Resource))
	}
	c.resource = arn
	if err := d.Authorize(q); err != nil {
		return nil, err
	}
	switch at.Type {
	case policy.OnRepository:
		r, err := d.Repository(at.Repository)
		if err != nil {
			return nil, err
		}
		return &tagged{d, r.Tags, func(tags map[string]string) intent.Spec {
			s := specOf(r)
			s.Tags = tags
			return intent.Spec{Repository: s}
		}}, nil
	case policy.OnPackageGroup:
		g := groupOf(d, at.Group)
		if g == nil {
			return nil, d.NoGroup(at.Group.String())
		}
		s := g.spec()
		return &tagged{d, s.Tags, func(tags map[string]string) intent.Spec {
			s.Tags = tags
			return intent.Spec{Group: s}
		}}, nil
	default:
		return &tagged{d, d.Declared().Tags, func(tags map[string]string) intent.Spec {
			return intent.Spec{Domain: &intent.Domain{Tags: tags}}
		}}, nil
	}
}

func (c *call) listTags(ctx context.Context, in *model.ListTagsForResourceRequest) (*model.ListTagsForResourceResult, error) {
	t, err := c.onTagged(ctx, in.ResourceArn, &c.caller)
	if err != nil {
		return nil, err
	}
	out := &model.ListTagsForResourceResult{Tags: []model.Tag{}}
	for _, key := range slices.Sorted(maps.Keys(t.tags)) {
		value := t.tags[key]
		out.Tags = append(out.Tags, model.Tag{Key: key, Value: &value})
	}
	return out, nil
}

func (c *call) tagResource(ctx context.Context, in *model.TagResourceRequest) (*model.TagResourceResult, error) {
	by := withTags(c.caller, tagsOf(in.Tags))
	t, err := c.onTagged(ctx, in.ResourceArn, &by)
	if err != nil {
		return nil, err
	}
	tags := cloned(t.tags)
	maps.Copy(tags, tagsOf(in.Tags))
	if err := c.checkTags(in.Tags, len(tags)); err != nil {
		return nil, err
	}
	return &model.TagResourceResult{}, c.retag(ctx, t, tags)
}

func (c *call) untagResource(ctx context.Context, in *model.UntagResourceRequest) (*model.UntagResourceResult, error) {
	by := c.caller
	by.Context.TagKeys = in.TagKeys
	t, err := c.onTagged(ctx, in.ResourceArn, &by)
	if err != nil {
		return nil, err
	}
	tags := cloned(t.tags)
	for _, key := range in.TagKeys {
		delete(tags, key)
	}
	return &model.UntagResourceResult{}, c.retag(ctx, t, tags)
}

func (c *call) retag(ctx context.Context, t *tagged, tags map[string]string) error {
	if maps.Equal(tags, t.tags) {
		return nil
	}
	return c.declare(ctx, intent.Intent{Domain: t.d.Ref(), Base: baseOf(t.d), Spec: t.spec(tags)})
}

// checkTags holds a resource that would have n tags against the limits that the model does not know.
func (c *call) checkTags(tags []model.Tag, n int) error {
	seen := map[string]bool{}
	for _, t := range tags {
		if seen[t.Key] {
			return validation(reasonField, "The tag '"+t.Key+"' is there twice.")
		}
		seen[t.Key] = true
	}
	if limit := c.api.door.Limits().TagsPerResource; n > limit {
		return fmt.Errorf("%w: a resource may have %d tags", registry.ErrQuotaExceeded, limit)
	}
	return nil
}
