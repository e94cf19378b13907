package service

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/group"
	"packhouse.dev/packhouse/registry/intent"
	"packhouse.dev/packhouse/registry/repository"
	"packhouse.dev/packhouse/registry/service/model"
)

// packageGroup is a group with what is declared of it. The root is there even if nothing declares it.
type packageGroup struct {
	d    *repository.Domain
	node *group.Node
	doc  *config.PackageGroup // nil: nothing does
}

// groupOf finds the group of a pattern, nil if there is none.
func groupOf(d *repository.Domain, p group.Pattern) *packageGroup {
	node := d.Access().Groups().Get(p)
	if node == nil {
		return nil
	}
	g := &packageGroup{d: d, node: node}
	for i := range d.Declared().Groups {
		doc := &d.Declared().Groups[i]
		if known, err := group.Parse(doc.Pattern); err == nil && known == p {
			g.doc = doc
			break
		}
	}
	return g
}

func (g *packageGroup) reference(n *group.Node) *model.PackageGroupReference {
	ref, p := g.d.Ref(), n.Pattern()
	return &model.PackageGroupReference{Arn: g.d.Names().PackageGroup(ref.Owner, ref.Name, p.Encoded()), Pattern: p.String()}
}

func (g *packageGroup) description() *model.PackageGroupDescription {
	ref, self := g.d.Ref(), g.reference(g.node)
	out := &model.PackageGroupDescription{
		Arn: self.Arn, Pattern: self.Pattern, DomainName: ref.Name, DomainOwner: ref.Owner, CreatedTime: model.Time{Time: g.d.CreatedAt()},
		OriginConfiguration: &model.PackageGroupOriginConfiguration{Restrictions: map[string]model.PackageGroupOriginRestriction{}},
	}
	if g.doc != nil {
		out.ContactInfo, out.Description = g.doc.Contact, g.doc.Description
		if !g.doc.CreatedAt.IsZero() {
			out.CreatedTime.Time = g.doc.CreatedAt
		}
	}
	if parent := g.node.Parent(); parent != nil {
		out.Parent = g.reference(parent)
	}
	for _, w := range group.Ways() {
		effective := g.node.Effective(w)
		r := model.PackageGroupOriginRestriction{Mode: string(g.node.Controls()[w].Mode), EffectiveMode: string(effective.Mode)}
		if r.Mode == string(group.Inherit) {
			r.InheritedFrom = g.reference(effective.From)
		}
		if effective.Mode == group.AllowSpecific {
			n := int64(len(effective.Repositories))
			r.RepositoriesCount = &n
		}
		out.OriginConfiguration.Restrictions[w.String()] = r
	}
	return out
}

// spec is what is declared of the group.
func (g *packageGroup) spec() *intent.Group {
	s := &intent.Group{Pattern: g.node.Pattern().String(), Controls: map[string]intent.Control{}}
	if g.doc != nil {
		s.Description, s.Contact, s.Tags = g.doc.Description, g.doc.Contact, cloned(g.doc.Tags)
	}
	for _, w := range group.Ways() {
		control := g.node.Controls()[w]
		s.Controls[w.String()] = intent.Control{Mode: string(control.Mode), Repositories: slices.Clone(control.Repositories)}
	}
	return s
}

// pattern reads the pattern of a request. What can match no package is a ValidationException that says what to write.
func pattern(text string) (group.Pattern, error) { return group.Parse(text) }

// onGroup enters a domain, asks for the operation's own action on a group of it, and finds that.
func (c *call) onGroup(ctx context.Context, owner, domain, text string) (*packageGroup, error) {
	p, err := pattern(text)
	if err != nil {
		return nil, err
	}
	d, err := c.domain(ctx, owner, domain, c.op.Name)
	if err != nil {
		return nil, err
	}
	c.resource = d.Names().PackageGroup(d.Ref().Owner, domain, p.Encoded())
	if err := d.Authorize(d.Access().PackageGroup(&c.caller, c.action(), p)); err != nil {
		return nil, err
	}
	g := groupOf(d, p)
	if g == nil {
		return nil, d.NoGroup(p.String())
	}
	return g, nil
}

func (c *call) describePackageGroup(ctx context.Context, in *model.DescribePackageGroupRequest) (*model.DescribePackageGroupResult, error) {
	g, err := c.onGroup(ctx, in.DomainOwner, in.Domain, in.PackageGroup)
	if err != nil {
		return nil, err
	}
	return &model.DescribePackageGroupResult{PackageGroup: g.description()}, nil
}

// declareGroup declares a group and shows what is served then.
func (c *call) declareGroup(ctx context.Context, d *repository.Domain, in intent.Intent) (*model.PackageGroupDescription, error) {
	in.Domain = d.Ref()
	if err := c.declare(ctx, in); err != nil {
		return nil, err
	}
	d, err := c.api.door.Enter(ctx, d.Ref())
	if err != nil {
		return nil, err
	}
	p, err := pattern(in.Spec.Group.Pattern)
	if err != nil {
		return nil, err
	}
	g := groupOf(d, p)
	if g == nil {
		return nil, d.NoGroup(p.String()) // deleted by somebody at the same time
	}
	return g.description(), nil
}

// createPackageGroup makes a group that inherits everything (user guide, "Create a package group").
func (c *call) createPackageGroup(ctx context.Context, in *model.CreatePackageGroupRequest) (*model.CreatePackageGroupResult, error) {
	p, err := pattern(in.PackageGroup)
	if err != nil {
		return nil, err
	}
	d, err := c.domain(ctx, in.DomainOwner, in.Domain, c.op.Name)
	if err != nil {
		return nil, err
	}
	c.resource = d.Names().PackageGroup(d.Ref().Owner, in.Domain, p.Encoded())
	tagged := withTags(c.caller, tagsOf(in.Tags))
	if err := d.Authorize(d.Access().Domain(&tagged, c.action(), c.resource)); err != nil {
		return nil, err
	}
	if len(in.Tags) > 0 {
		if err := d.Authorize(d.Access().PackageGroup(&tagged, "codeartifact:TagResource", p)); err != nil {
			return nil, err
		}
	}
	if groupOf(d, p) != nil {
		return nil, &Exception{
			Type: "ConflictException", Status: http.StatusConflict, ResourceID: p.String(), ResourceType: string(repository.MissingGroup),
			Message: "Package group " + p.String() + " already exists in domain " + in.Domain + ".",
		}
	}
	if err := c.checkTags(in.Tags, len(in.Tags)); err != nil {
		return nil, err
	}
	spec := &intent.Group{Pattern: p.String(), Tags: tagsOf(in.Tags), Controls: map[string]intent.Control{}}
	for _, w := range group.Ways() {
		spec.Controls[w.String()] = intent.Control{Mode: string(group.Inherit)}
	}
	set(&spec.Description, in.Description)
	set(&spec.Contact, in.ContactInfo)
	out, err := c.declareGroup(ctx, d, intent.Intent{Create: true, Spec: intent.Spec{Group: spec}})
	return &model.CreatePackageGroupResult{PackageGroup: out}, err
}

func (c *call) updatePackageGroup(ctx context.Context, in *model.UpdatePackageGroupRequest) (*model.UpdatePackageGroupResult, error) {
	g, err := c.onGroup(ctx, in.DomainOwner, in.Domain, in.PackageGroup)
	if err != nil {
		return nil, err
	}
	spec := g.spec()
	set(&spec.Description, in.Description)
	set(&spec.Contact, in.ContactInfo)
	out, err := c.declareGroup(ctx, g.d, intent.Intent{Base: baseOf(g.d), Spec: intent.Spec{Group: spec}})
	return &model.UpdatePackageGroupResult{PackageGroup: out}, err
}

func (c *call) deletePackageGroup(ctx context.Context, in *model.DeletePackageGroupRequest) (*model.DeletePackageGroupResult, error) {
	g, err := c.onGroup(ctx, in.DomainOwner, in.Domain, in.PackageGroup)
	if err != nil {
		return nil, err
	}
	if g.node.Parent() == nil {
		return nil, validation(reasonOther, "The root package group /* cannot be deleted.")
	}
	out := g.description()
	change := intent.Intent{Domain: g.d.Ref(), Base: baseOf(g.d), Delete: true, Spec: intent.Spec{Group: &intent.Group{Pattern: out.Pattern}}}
	return &model.DeletePackageGroupResult{PackageGroup: out}, c.declare(ctx, change)
}

// The words for what became of a list of allowed repositories.
const (
	listAdded   = "ADDED"
	listRemoved = "REMOVED"
)

// updatePackageGroupOrigins sets modes and changes lists. A repository that is added and removed in one request is an error (readings
// A16), and so is a list of a way that has none: nothing is guessed.
func (c *call) updatePackageGroupOrigins(ctx context.Context, in *model.UpdatePackageGroupOriginConfigurationRequest) (*model.UpdatePackageGroupOriginConfigurationResult, error) {
	g, err := c.onGroup(ctx, in.DomainOwner, in.Domain, in.PackageGroup)
	if err != nil {
		return nil, err
	}
	spec := g.spec()
	for way, mode := range in.Restrictions {
		if mode == string(group.Inherit) && g.node.Parent() == nil {
			return nil, validation(reasonField, "The root package group has no parent that it could inherit "+way+" from.")
		}
		control := intent.Control{Mode: mode}
		if mode == string(group.AllowSpecific) {
			control.Repositories = spec.Controls[way].Repositories
		}
		spec.Controls[way] = control
	}
	updates, err := changeLists(g.d, spec, in.AddAllowedRepositories, in.RemoveAllowedRepositories)
	if err != nil {
		return nil, err
	}
	out, err := c.declareGroup(ctx, g.d, intent.Intent{Base: baseOf(g.d), Spec: intent.Spec{Group: spec}})
	return &model.UpdatePackageGroupOriginConfigurationResult{PackageGroup: out, AllowedRepositoryUpdates: updates}, err
}

// changeLists adds repositories to the lists of a group and removes some, and tells what it did.
func changeLists(d *repository.Domain, spec *intent.Group, add, remove []model.PackageGroupAllowedRepository) (map[string]map[string][]string, error) {
	updates := map[string]map[string][]string{}
	note := func(r model.PackageGroupAllowedRepository, what string) {
		if updates[r.OriginRestrictionType] == nil {
			updates[r.OriginRestrictionType] = map[string][]string{}
		}
		updates[r.OriginRestrictionType][what] = append(updates[r.OriginRestrictionType][what], r.RepositoryName)
	}
	for _, r := range slices.Concat(add, remove) {
		switch mode := spec.Controls[r.OriginRestrictionType].Mode; {
		case r.OriginRestrictionType == "" || r.RepositoryName == "":
			return nil, validation(reasonField, "An allowed repository needs originRestrictionType and repositoryName.")
		case mode != string(group.AllowSpecific):
			return nil, validation(reasonField, fmt.Sprintf("%s of the package group is %s: only ALLOW_SPECIFIC_REPOSITORIES has a list of repositories.", r.OriginRestrictionType, mode))
		}
	}
	for _, r := range remove {
		if slices.Contains(add, r) {
			return nil, validation(reasonField, "Repository "+r.RepositoryName+" is added to and removed from the list of "+r.OriginRestrictionType+" at once.")
		}
		control := spec.Controls[r.OriginRestrictionType]
		if at := slices.Index(control.Repositories, r.RepositoryName); at >= 0 {
			control.Repositories = slices.Delete(control.Repositories, at, at+1)
			spec.Controls[r.OriginRestrictionType] = control
			note(r, listRemoved)
		}
	}
	for _, r := range add {
		if _, err := d.Repository(r.RepositoryName); err != nil {
			return nil, err
		}
		control := spec.Controls[r.OriginRestrictionType]
		if !slices.Contains(control.Repositories, r.RepositoryName) {
			control.Repositories = append(control.Repositories, r.RepositoryName)
			spec.Controls[r.OriginRestrictionType] = control
			note(r, listAdded)
		}
	}
	return updates, nil
}

func (c *call) listPackageGroups(ctx context.Context, in *model.ListPackageGroupsRequest) (*model.ListPackageGroupsResult, error) {
	d, err := c.onDomain(ctx, in.DomainOwner, in.Domain)
	if err != nil {
		return nil, err
	}
	prefix := ""
	set(&prefix, in.Prefix)
	nodes := slices.DeleteFunc(slices.Clone(d.Access().Groups().Groups()), func(n *group.Node) bool { return !strings.HasPrefix(n.Pattern().String(), prefix) })
	list, next, err := c.groups(d, nodes, in.NextToken, in.MaxResults, c.query(in.Domain, prefix))
	return &model.ListPackageGroupsResult{PackageGroups: list, NextToken: next}, err
}

// listSubPackageGroups lists the direct children.
func (c *call) listSubPackageGroups(ctx context.Context, in *model.ListSubPackageGroupsRequest) (*model.ListSubPackageGroupsResult, error) {
	g, err := c.onGroup(ctx, in.DomainOwner, in.Domain, in.PackageGroup)
	if err != nil {
		return nil, err
	}
	list, next, err := c.groups(g.d, g.node.Children(), in.NextToken, in.MaxResults, c.query(in.Domain, g.node.Pattern().String()))
	return &model.ListSubPackageGroupsResult{PackageGroups: list, NextToken: next}, err
}

// groups cuts a page out of groups in order of their patterns.
func (c *call) groups(d *repository.Domain, nodes []*group.Node, token string, size int64, query []string) ([]model.PackageGroupSummary, string, error) {
	p, err := paged(c, nodes, func(n *group.Node) []string { return []string{n.Pattern().String()} }, token, size, query)
	if err != nil {
		return nil, "", err
	}
	out := []model.PackageGroupSummary{}
	for _, n := range p.items {
		out = append(out, model.PackageGroupSummary(*groupOf(d, n.Pattern()).description()))
	}
	return out, p.next, nil
}

// listAllowedRepositories shows the list that is in force, also one that the group inherits.
func (c *call) listAllowedRepositories(ctx context.Context, in *model.ListAllowedRepositoriesForGroupRequest) (*model.ListAllowedRepositoriesForGroupResult, error) {
	g, err := c.onGroup(ctx, in.DomainOwner, in.Domain, in.PackageGroup)
	if err != nil {
		return nil, err
	}
	var list []string
	for _, w := range group.Ways() {
		if w.String() == in.OriginRestrictionType {
			list = slices.Sorted(slices.Values(g.node.Effective(w).Repositories))
		}
	}
	bound := c.query(in.Domain, g.node.Pattern().String(), in.OriginRestrictionType)
	p, err := paged(c, list, func(name string) []string { return []string{name} }, in.NextToken, in.MaxResults, bound)
	return &model.ListAllowedRepositoriesForGroupResult{AllowedRepositories: some(p.items), NextToken: p.next}, err
}

// listAssociatedPackages lists the packages of a group; with preview also those that a group would have.
func (c *call) listAssociatedPackages(ctx context.Context, in *model.ListAssociatedPackagesRequest) (*model.ListAssociatedPackagesResult, error) {
	p, err := pattern(in.PackageGroup)
	if err != nil {
		return nil, err
	}
	d, err := c.domain(ctx, in.DomainOwner, in.Domain, c.op.Name)
	if err != nil {
		return nil, err
	}
	c.resource = d.Names().PackageGroup(d.Ref().Owner, in.Domain, p.Encoded())
	if err := d.Authorize(d.Access().PackageGroup(&c.caller, c.action(), p)); err != nil {
		return nil, err
	}
	q := repository.AssociatedQuery{Pattern: p, Preview: in.Preview, Limit: int(cmp.Or(in.MaxResults, packagesPage))}
	bound := c.query(in.Domain, p.String())
	if in.NextToken != "" {
		q.After = &registry.PackageID{}
		if err := c.api.pages.read(in.NextToken, bound, q.After); err != nil {
			return nil, err
		}
	}
	list, after, err := d.Associated(ctx, q)
	if err != nil {
		return nil, err
	}
	out := &model.ListAssociatedPackagesResult{Packages: []model.AssociatedPackage{}}
	for _, a := range list {
		out.Packages = append(out.Packages, model.AssociatedPackage{
			AssociationType: association(a.Strong), Format: string(a.ID.Format), Namespace: a.ID.Namespace, Package: a.ID.Name,
		})
	}
	if after != nil {
		out.NextToken, err = c.api.pages.next(bound, after)
	}
	return out, err
}

func association(strong bool) string {
	if strong {
		return "STRONG"
	}
	return "WEAK"
}

// getAssociatedPackageGroup does not ask whether there is such a package.
func (c *call) getAssociatedPackageGroup(ctx context.Context, in *model.GetAssociatedPackageGroupRequest) (*model.GetAssociatedPackageGroupResult, error) {
	id, err := c.packageID(in.Format, in.Namespace, in.Package)
	if err != nil {
		return nil, err
	}
	d, err := c.domain(ctx, in.DomainOwner, in.Domain, c.op.Name)
	if err != nil {
		return nil, err
	}
	m := d.Access().Groups().Find(id)
	p := m.Group.Pattern()
	c.resource = d.Names().PackageGroup(d.Ref().Owner, in.Domain, p.Encoded())
	if err := d.Authorize(d.Access().PackageGroup(&c.caller, c.action(), p)); err != nil {
		return nil, err
	}
	return &model.GetAssociatedPackageGroupResult{AssociationType: association(m.Strong), PackageGroup: groupOf(d, p).description()}, nil
}
