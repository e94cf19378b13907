package access

import (
	"fmt"
	"strings"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/group"
	"packhouse.dev/packhouse/registry/policy"
)

// Resource is what permission is asked for.
type Resource struct {
	Type       policy.ResourceTypes // OnNothing: "*"
	Domain     registry.DomainRef
	Repository string
	Package    registry.PackageID // as it is written
	Group      group.Pattern
}

// ParseResource reads an ARN of this registry, "*", or the short form DOMAIN, DOMAIN/REPOSITORY or
// DOMAIN/REPOSITORY/FORMAT/NAMESPACE/NAME, which has no account. Errors wrap registry.ErrInvalid.
func ParseResource(text string) (Resource, error) {
	if text == "*" {
		return Resource{}, nil
	}
	bad := func() (Resource, error) {
		return Resource{}, fmt.Errorf("%w: %.300q is no resource: write DOMAIN, DOMAIN/REPOSITORY, DOMAIN/REPOSITORY/FORMAT/NAMESPACE/NAME, * or an ARN", registry.ErrInvalid, text)
	}
	rest, kind, owner := text, policy.OnNothing, ""
	if strings.HasPrefix(text, "arn:") {
		part := strings.SplitN(text, ":", 6)
		kind = policy.TypeOf(text)
		if len(part) < 6 || kind == policy.OnNothing || !registry.IsAccount(part[4]) {
			return bad()
		}
		owner = part[4]
		_, rest, _ = strings.Cut(part[5], "/")
	}
	name, rest, _ := strings.Cut(rest, "/")
	r := Resource{Type: kind, Domain: registry.DomainRef{Owner: owner, Name: name}}
	if kind == policy.OnPackageGroup {
		p, err := group.Decode("/" + rest)
		r.Group = p
		return r, err
	}
	parts := strings.SplitN(rest, "/", 4)
	n := len(parts)
	if rest == "" {
		n = 0
	}
	types := map[int]policy.ResourceTypes{0: policy.OnDomain, 1: policy.OnRepository, 4: policy.OnPackage}
	if kind == policy.OnNothing {
		r.Type = types[n]
	}
	if name == "" || r.Type == policy.OnNothing || types[n] != r.Type {
		return bad()
	}
	if n > 0 {
		r.Repository = parts[0]
	}
	if n == 4 {
		r.Package = registry.PackageID{Format: registry.Format(parts[1]), Namespace: parts[2], Name: parts[3]}
	}
	return r, nil
}

// On begins the request that an action on a resource of the domain is. It is registry.ErrInvalid if the action is never asked on what
// the resource is.
func (d *Domain) On(c *Caller, action string, r Resource) (policy.Request, error) {
	types, known := policy.On(action)
	if !known {
		return policy.Request{}, fmt.Errorf("%w: there is no action %.100q", registry.ErrInvalid, action)
	}
	creates := action == "codeartifact:CreateRepository" || action == "codeartifact:CreatePackageGroup"
	switch {
	case creates && r.Type == policy.OnRepository:
		return d.Domain(c, action, d.registry.names.Repository(d.doc.Owner, d.doc.Name, r.Repository)), nil
	case creates && r.Type == policy.OnPackageGroup:
		return d.Domain(c, action, d.registry.names.PackageGroup(d.doc.Owner, d.doc.Name, r.Group.Encoded())), nil
	case creates && r.Type == policy.OnDomain:
		return d.Domain(c, action, ""), nil
	case types == policy.OnNothing && r.Type == policy.OnNothing && !creates:
		return d.registry.Account(c, action, "*"), nil
	case !types.Has(r.Type):
		return policy.Request{}, fmt.Errorf("%w: %s is asked on %s, not on %s", registry.ErrInvalid, action, nouns(types), nouns(r.Type))
	}
	switch r.Type {
	case policy.OnRepository:
		return d.Repository(c, action, r.Repository), nil
	case policy.OnPackage:
		return d.Package(c, action, r.Repository, r.Package), nil
	case policy.OnPackageGroup:
		return d.PackageGroup(c, action, r.Group), nil
	}
	return d.Domain(c, action, ""), nil
}

func nouns(types policy.ResourceTypes) string {
	var out []string
	for _, t := range []struct {
		of   policy.ResourceTypes
		noun string
	}{{policy.OnDomain, "a domain"}, {policy.OnRepository, "a repository"}, {policy.OnPackage, "a package"}, {policy.OnPackageGroup, "a package group"}} {
		if types.Has(t.of) {
			out = append(out, t.noun)
		}
	}
	if out == nil {
		return "the account as a whole (*)"
	}
	return strings.Join(out, " or ")
}
