// Package declare says which object a change that comes through the service API is about, and what that object is to say. It is pure:
// the operator keeps objects in a cluster, and "packhouse dev" in files beside the manifests.
package declare

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/intent"
)

// By is the annotation that says in whose name an object was declared: an ARN.
const By = "packhouse.dev/declared-by"

// rootPattern is the group that is the domain's own.
const rootPattern = "/*"

// Target is the object that a change is about.
type Target struct {
	Kind, Namespace, Name string
	Exists                bool // it is in force; else it is to be made
}

// String is Kind namespace/name.
func (t Target) String() string { return t.Kind + " " + t.Namespace + "/" + t.Name }

// World is what has to be known to find the object of a change.
type World struct {
	// Domain is the one of the change, as it is in force; nil if it is to be made.
	Domain *config.Domain
	// Namespace finds the namespace that is an account.
	Namespace func(account string) (string, error)
	// Taken says whether there is an object of that name that is another one.
	Taken func(Target) (bool, error)
}

// Find finds the object that declares the thing, or gives it a place. Errors: registry.ErrNotFound, registry.ErrConflict where what is to
// be made exists, registry.ErrInvalid, and those of the World.
func Find(in intent.Intent, w World) (Target, error) {
	if w.Domain == nil && (in.Spec.Domain == nil || !in.Create) {
		return Target{}, fmt.Errorf("domain %s: %w", in.Domain, registry.ErrNotFound)
	}
	t, what, err := locate(in, w)
	switch {
	case err != nil:
		return t, err
	case t.Exists && in.Create:
		return t, fmt.Errorf("%w: %s exists already", registry.ErrConflict, what)
	case !t.Exists && !in.Create:
		return t, fmt.Errorf("%s: %w", what, registry.ErrNotFound)
	}
	return t, nil
}

// locate is Find for all but whether the object must be there. what is the thing in words.
func locate(in intent.Intent, w World) (t Target, what string, err error) {
	switch s := in.Spec; {
	case s.Domain != nil:
		what = "domain " + in.Domain.Name
		if w.Domain != nil {
			return at(w.Domain.Source), what, nil
		}
		t, err = w.place("Domain", in.Domain.Owner, in.Domain.Name, in.Domain)
		return t, what, err
	case s.Repository != nil:
		what = "repository " + s.Repository.Name
		if r := repository(w.Domain, s.Repository.Name); r != nil {
			return at(r.Source), what, nil
		}
		t, err = w.place("Repository", in.Account, s.Repository.Name, in.Domain)
		return t, what, err
	case s.Group != nil && s.Group.Pattern == rootPattern:
		if in.Delete {
			return t, "", fmt.Errorf("%w: the root package group cannot be deleted", registry.ErrInvalid)
		}
		return at(w.Domain.Source), "package group /*", nil
	case s.Group != nil:
		what = "package group " + s.Group.Pattern
		if i := slices.IndexFunc(w.Domain.Groups, func(g config.PackageGroup) bool { return g.Pattern == s.Group.Pattern }); i >= 0 {
			return at(w.Domain.Groups[i].Source), what, nil
		}
		return beside(w.Domain, "PackageGroup", hashed("group", in.Domain, s.Group.Pattern)), what, nil
	case s.Policy != nil && s.Policy.Repository != "":
		r := repository(w.Domain, s.Policy.Repository)
		if r == nil {
			return t, "", fmt.Errorf("repository %s: %w", s.Policy.Repository, registry.ErrNotFound)
		}
		what = "the policy of repository " + r.Name
		if r.Policy != nil {
			return at(r.Policy.Source), what, nil
		}
		return beside(w.Domain, "RepositoryPolicy", hashed("repository-policy", in.Domain, r.Name)), what, nil
	case s.Policy != nil:
		what = "the policy of domain " + in.Domain.Name
		if w.Domain.Policy != nil {
			return at(w.Domain.Policy.Source), what, nil
		}
		return beside(w.Domain, "DomainPolicy", hashed("domain-policy", in.Domain, "")), what, nil
	}
	return t, "", fmt.Errorf("%w: the change is about nothing", registry.ErrInvalid)
}

// place gives an object a name in the namespace of an account: its own one, unless that is no name of an object or another object's.
func (w World) place(kind, account, name string, d registry.DomainRef) (Target, error) {
	namespace, err := w.Namespace(account)
	if err != nil {
		return Target{}, err
	}
	t := Target{Kind: kind, Namespace: namespace, Name: name}
	if objectName.MatchString(name) && len(name) <= maxName {
		taken, err := w.Taken(t)
		if err != nil || !taken {
			return t, err
		}
	}
	t.Name = hashed(notObjectName.ReplaceAllString(strings.ToLower(name), "-"), d, name)
	return t, nil
}

func at(s config.Source) Target {
	return Target{Kind: s.Kind, Namespace: s.Namespace, Name: s.Name, Exists: true}
}

func beside(d *config.Domain, kind, name string) Target {
	return Target{Kind: kind, Namespace: d.Source.Namespace, Name: name}
}

func repository(d *config.Domain, name string) *config.Repository {
	for i := range d.Repositories {
		if d.Repositories[i].Name == name {
			return &d.Repositories[i]
		}
	}
	return nil
}

// What names of objects are made of (RFC 1123).
var (
	objectName    = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)
	notObjectName = regexp.MustCompile(`[^a-z0-9]+`)
)

// maxName is the longest name that is taken over as it is, maxWord the longest that stands before a hash.
const (
	maxName = 63
	maxWord = 40
)

// hashed is the name of an object for something that has a name of its own, the same every time.
func hashed(word string, d registry.DomainRef, name string) string {
	sum := sha256.Sum256([]byte(d.String() + "\x00" + name))
	return strings.Trim(strings.Trim(word[:min(len(word), maxWord)], "-")+"-"+hex.EncodeToString(sum[:5]), "-")
}

// With are the objects that are about the thing that a change deletes and nothing else: a policy without its repository would be found
// again by the next one of that name.
func With(in intent.Intent, d *config.Domain) []Target {
	var out []Target
	if d == nil || !in.Delete {
		return nil
	}
	add := func(s config.Source) {
		if s.Kind != "Domain" { // the group of all packages is the domain's own
			out = append(out, at(s))
		}
	}
	switch s := in.Spec; {
	case s.Domain != nil:
		for _, g := range d.Groups {
			add(g.Source)
		}
		if d.Policy != nil {
			add(d.Policy.Source)
		}
	case s.Repository != nil:
		if r := repository(d, s.Repository.Name); r != nil && r.Policy != nil {
			add(r.Policy.Source)
		}
	}
	return out
}
