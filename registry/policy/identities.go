package policy

import "strings"

// Subject is to whom an identity policy is attached, in an account.
type Subject struct {
	Account string
	Kind    SubjectKind
	Name    string // "" with Everybody
}

// SubjectKind is a kind of principals.
type SubjectKind string

// The kinds of subjects.
const (
	RoleSubject  SubjectKind = "role"  // a service account; its tokens are sessions of the role
	UserSubject  SubjectKind = "user"  // the user of an access key
	GroupSubject SubjectKind = "group" // a group that an identity provider tells
	Everybody    SubjectKind = "*"     // every principal of the account
)

// Attached is an identity policy with those to whom it is attached.
type Attached struct {
	Policy   *Policy
	Subjects []Subject
}

// Identities finds the identity policies of principals. It is immutable.
type Identities struct {
	by map[Subject][]*Policy
}

// NewIdentities makes the table.
func NewIdentities(list []Attached) *Identities {
	out := &Identities{by: map[Subject][]*Policy{}}
	for _, a := range list {
		for _, s := range a.Subjects {
			out.by[s] = append(out.by[s], a.Policy)
		}
	}
	return out
}

// Of returns the policies of a principal and of the groups that it is in. A policy can be there twice, which changes no decision. The
// root of an account has none: it needs none and cannot be restricted by one.
func (t *Identities) Of(p Principal, groups ...string) []*Policy {
	if t == nil || p.Root || p.Anonymous() {
		return nil
	}
	service, account, resource, ok := splitARN(p.ARN)
	if !ok || account != p.Account {
		return nil
	}
	out := t.by[Subject{Account: account, Kind: Everybody}]
	own := Subject{Account: account, Kind: RoleSubject, Name: roleOf(service, resource)}
	if name, ok := strings.CutPrefix(resource, "user/"); ok && service == "iam" {
		own.Kind, own.Name = UserSubject, name
	} else if name, ok := strings.CutPrefix(resource, "role/"); ok && service == "iam" {
		own.Name = name
	}
	out = joined(out, t.by[own])
	for _, g := range groups {
		out = joined(out, t.by[Subject{Account: account, Kind: GroupSubject, Name: g}])
	}
	return out
}

// joined never writes into what the table holds.
func joined(a, b []*Policy) []*Policy {
	switch {
	case len(a) == 0:
		return b
	case len(b) == 0:
		return a
	}
	return append(a[:len(a):len(a)], b...)
}
