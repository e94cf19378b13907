package repository

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/access"
	"packhouse.dev/packhouse/registry/group"
	"packhouse.dev/packhouse/registry/metadata"
	"packhouse.dev/packhouse/registry/policy"
	"packhouse.dev/packhouse/registry/upstream"
)

// Permission is the answer to "who may do what", with every statement that was looked at.
type Permission struct {
	Principal, Action, Resource string
	Allowed                     bool
	Volatile                    bool // another address, time or tag of the request could give another answer
	Reason                      string
	Statements                  []Statement
}

// Statement is one statement of a policy and what it has to do with the question.
type Statement struct {
	Policy  string // "DomainPolicy team/my-domain"
	Name    string // "statement 2 (Sid)"
	Effect  string // "Allow" or "Deny"
	Outcome string
	Decides bool
}

// Why says who decides whether a caller may do something, and how. It asks what the way of a request asks.
func (d *Domain) Why(c *access.Caller, action string, r access.Resource) (*Permission, error) {
	if f, ok := d.s.formats[r.Package.Format]; ok {
		if id, err := f.Names().Package(r.Package.Namespace, r.Package.Name); err == nil {
			r.Package = id
		}
	}
	q, err := d.cfg.access.On(c, action, r)
	if err != nil {
		return nil, err
	}
	decision, steps := policy.Explain(q)
	out := &Permission{
		Principal: q.Principal.ARN, Action: q.Action, Resource: q.Resource,
		Allowed: decision.Allowed(), Volatile: decision.Volatile, Reason: decision.Reason(),
	}
	for _, s := range steps {
		effect := "Allow"
		if s.Deny {
			effect = "Deny"
		}
		name, _ := strings.CutSuffix(s.By.String(), " of "+s.By.Policy.Name())
		out.Statements = append(out.Statements, Statement{
			Policy: s.By.Policy.Name(), Name: name, Effect: effect, Outcome: string(s.Result), Decides: s.By == decision.By,
		})
	}
	return out, nil
}

// Trace is the answer to "where does this package come from".
type Trace struct {
	Package, Version, Repository string
	Group                        string // "/npm/acme/* (PackageGroup team/acme)"
	Strong                       bool
	Places                       []Place // in search order, also those that are not asked
	Publish                      string  // what decides about publishing it here
	Result                       string
}

// Place is a repository or an external connection of the search.
type Place struct {
	Repository string
	Connection string // of Repository; "": the repository itself
	Asked      bool
	Decides    bool   // it has the version, and no place before it
	Note       string // what it has, or why it is not asked
}

// WhyPackage says where a read looks for a version of a package, and what is found. Without a version it is about the package. Names
// are normalised. It asks upstreams like a read.
func (d *Domain) WhyPackage(ctx context.Context, repository string, id registry.PackageID, version string) (*Trace, error) {
	rc := d.cfg.repos[repository]
	if rc == nil {
		return nil, fmt.Errorf("%w: repository %s in domain %s", registry.ErrNotFound, repository, d.cfg.doc.Name)
	}
	f, ok := d.s.formats[id.Format]
	if !ok {
		return nil, fmt.Errorf("%w: there is no package format %q", registry.ErrInvalid, id.Format)
	}
	id, err := f.Names().Package(id.Namespace, id.Name)
	if err != nil {
		return nil, err
	}
	if version != "" {
		if version, err = f.Names().Version(version); err != nil {
			return nil, err
		}
	}
	l, err := d.s.locate(ctx, rc, id)
	if err != nil {
		return nil, err
	}
	out := &Trace{Package: id.String(), Version: version, Repository: repository, Group: l.group.Group.Name(), Strong: l.group.Strong, Publish: whyPublish(l)}
	rows, err := d.s.store.Versions(ctx, l.packageRows(), nil)
	if err != nil {
		return nil, err
	}
	rc.plan.Search(func(int) bool { return false }, func(st upstream.Step) bool {
		if isConnection(st) && l.connection(st).Format != id.Format {
			return true
		}
		p := Place{Repository: rc.members[st.Repository].doc.Name, Connection: st.Connection, Asked: slices.Contains(l.steps, st)}
		var has *registry.Version
		if p.Asked {
			has, p.Note = d.s.whatIsThere(ctx, l, st, rows, version)
		} else {
			p.Note = d.s.whyNotAsked(l, st)
		}
		if has != nil && out.Result == "" {
			p.Decides = true
			out.Result = whyServed(&p, has)
		}
		out.Places = append(out.Places, p)
		return true
	})
	if out.Result == "" && version != "" {
		out.Result = fmt.Sprintf("version %s is in none of the places that are asked", version)
		if why := l.keptAway(); why != "" {
			out.Result += ", and " + why
		}
	}
	return out, nil
}

// whatIsThere looks at one place that is asked.
func (s *Service) whatIsThere(ctx context.Context, l *located, st upstream.Step, rows []*metadata.Version, version string) (*registry.Version, string) {
	var versions []*registry.Version
	if isConnection(st) {
		rem, err := s.remote(ctx, l.rc.domain, l.connection(st), l.id, askCached)
		switch {
		case errors.Is(err, registry.ErrUnavailable):
			return nil, "cannot be asked now"
		case err != nil:
			return nil, err.Error()
		case rem.pkg == nil:
			return nil, "does not have the package"
		}
		versions = rem.pkg.Versions
	} else {
		for _, v := range rows {
			if v.Repository == l.rc.ids[st.Repository] {
				versions = append(versions, &v.Version)
			}
		}
		if l.rows[st.Repository] == nil {
			return nil, "does not have the package"
		}
	}
	at := slices.IndexFunc(versions, func(v *registry.Version) bool { return v.ID.Version == version })
	switch {
	case version == "":
		return nil, fmt.Sprintf("has %d versions", len(versions))
	case at < 0:
		return nil, fmt.Sprintf("has %d versions, not this one", len(versions))
	case isConnection(st):
		return versions[at], "has it"
	}
	v := versions[at]
	return v, fmt.Sprintf("has it: %s, origin %s (%s)", v.Status, v.Origin.Type, v.Origin.Entry)
}

func whyServed(p *Place, v *registry.Version) string {
	where := "repository " + p.Repository
	if p.Connection != "" {
		where = "external connection " + p.Connection + " of repository " + p.Repository
	}
	if !v.Status.Served() {
		return fmt.Sprintf("%s is the first place that has it, where it is %s: it is not served, and no place behind is asked", where, strings.ToLower(string(v.Status)))
	}
	return "served from " + where
}

// whyNotAsked says what keeps the search from a place.
func (s *Service) whyNotAsked(l *located, st upstream.Step) string {
	if s.formats[l.id.Format].Traits().NoUpstream {
		return fmt.Sprintf("%s packages do not come from upstream", l.id.Format)
	}
	for i := range l.rc.members {
		if l.cut(i) && (isConnection(st) && st.Repository == i || st.Repository != i && l.reaches(i, st.Repository, new(uint64))) {
			return fmt.Sprintf("the origin controls of the package in repository %s block upstream versions (%s)", l.rc.members[i].doc.Name, l.saidBy(i))
		}
	}
	if st.Repository != 0 && !l.group.Allows(group.InternalUpstream, l.rc.doc.Name) {
		return l.group.Explain(l.id, group.InternalUpstream, l.rc.doc.Name)
	}
	if !l.open(st) {
		return l.group.Explain(l.id, group.ExternalUpstream, l.rc.members[st.Repository].doc.Name)
	}
	return "a repository of the search owns the name: it was published there"
}

// reaches says whether a repository of the plan is searched through another.
func (l *located) reaches(from, to int, seen *uint64) bool {
	*seen |= 1 << from
	return slices.ContainsFunc(l.rc.plan.Children(from), func(c int) bool {
		return c == to || *seen&(1<<c) == 0 && l.reaches(c, to, seen)
	})
}

// saidBy is where the upstream control of a package in a repository comes from.
func (l *located) saidBy(i int) string {
	if o := l.rc.members[i].override(l.id); o.upstream != "" {
		return o.by
	}
	return "set when its first version came in"
}

// whyPublish says what decides about publishing into the repository, of origin controls alone.
func whyPublish(l *located) string {
	name := l.rc.doc.Name
	if !l.group.Allows(group.Publish, name) {
		return l.group.Explain(l.id, group.Publish, name)
	}
	declared := l.rc.override(l.id)
	switch c := declared.effective(l.own()); {
	case c.MayPublish() && l.own() == nil && declared.publish == "":
		return "the first version may be published; " + l.group.Explain(l.id, group.Publish, name)
	case c.MayPublish():
		return "the origin controls of the package allow it; " + l.group.Explain(l.id, group.Publish, name)
	case declared.publish != "":
		return "the origin controls of the package block publishing: " + declared.by + " says so"
	}
	return "the origin controls of the package block publishing: its first version came from upstream"
}
