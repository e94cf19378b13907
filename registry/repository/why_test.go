package repository_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/access"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/policy"
	"packhouse.dev/packhouse/registry/repository"
)

func (w *world) why(c *access.Caller, action, resource string) (*repository.Permission, error) {
	w.t.Helper()
	r, err := access.ParseResource(resource)
	if err != nil {
		return nil, err
	}
	d, err := w.svc.Enter(w.t.Context(), domain)
	if err != nil {
		w.t.Fatal(err)
	}
	return d.Why(c, action, r)
}

func TestWhy(t *testing.T) {
	w := newWorld(t)
	w.identities = []config.IdentityPolicy{
		identityPolicy(account, "role", "ci", statement("Allow", "", "Read*", "*", `"Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`)),
		identityPolicy(account, "role", "other", statement("Allow", "", "*", "*")),
	}
	w.apply(
		domainPolicy(statement("Allow", "arn:aws:iam::"+account+":user/bob", "*", "*")),
		repositoryPolicy("app", statement("Deny", "*", "Publish*", "arn:aws:codeartifact:*:*:package/d/app/toy//pad")),
	)
	caller := &access.Caller{Principal: ci(account), Context: policy.Context{SourceIP: netip.MustParseAddr("10.0.0.1")}}
	const ca = "codeartifact:"
	text := func(action, resource string) string {
		p, err := w.why(caller, action, resource)
		if err != nil {
			return err.Error()
		}
		var b strings.Builder
		fmt.Fprintf(&b, "%v %v %s\n%s\n", p.Allowed, p.Volatile, p.Resource, p.Reason)
		for _, s := range p.Statements {
			fmt.Fprintf(&b, "%v %s, %s: %s %s\n", s.Decides, s.Policy, s.Name, s.Effect, s.Outcome)
		}
		return b.String()
	}
	for name, tt := range map[string]struct{ action, resource, want string }{
		"reading": {ca + "ReadFromRepository", "d/app", `true true arn:aws:codeartifact:local:111122223333:repository/d/app
allowed by statement 1 (S1) of IdentityPolicy team/ci
true IdentityPolicy team/ci, statement 1 (S1): Allow holds
false DomainPolicy team/d, statement 1 (S1): Allow is about other principals
false RepositoryPolicy team/app, statement 1 (S1): Deny is about other actions
`},
		"publishing, by an ARN": {ca + "PublishPackageVersion", "arn:aws:codeartifact:x:111122223333:package/d/app/toy//PAD", `false false arn:aws:codeartifact:local:111122223333:package/d/app/toy//pad
explicitly denied by statement 1 (S1) of RepositoryPolicy team/app
false IdentityPolicy team/ci, statement 1 (S1): Allow is about other actions
false DomainPolicy team/d, statement 1 (S1): Allow is about other principals
true RepositoryPolicy team/app, statement 1 (S1): Deny holds
`},
		"an action on the domain":          {ca + "GetAuthorizationToken", "d", "false false arn:aws:codeartifact:local:111122223333:domain/d\nno identity policy and no resource policy allows it\nfalse IdentityPolicy team/ci, statement 1 (S1): Allow is about other actions\nfalse DomainPolicy team/d, statement 1 (S1): Allow is about other principals\n"},
		"an action on the account":         {"sts:GetServiceBearerToken", "*", "false false *\nno identity policy and no resource policy allows it\nfalse IdentityPolicy team/ci, statement 1 (S1): Allow is about other actions\n"},
		"an action on something else":      {ca + "ReadFromRepository", "d/app/toy//pad", "invalid: codeartifact:ReadFromRepository is asked on a repository, not on a package"},
		"an account's action on something": {ca + "ListDomains", "d", "invalid: codeartifact:ListDomains is asked on the account as a whole (*), not on a domain"},
		"no action":                        {ca + "Read", "d/app", `invalid: there is no action "codeartifact:Read"`},
		"no resource":                      {ca + "ReadFromRepository", "d/app/toy", `invalid: "d/app/toy" is no resource: write DOMAIN, DOMAIN/REPOSITORY, DOMAIN/REPOSITORY/FORMAT/NAMESPACE/NAME, * or an ARN`},
	} {
		if diff := cmp.Diff(tt.want, text(tt.action, tt.resource)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestWhyPackage(t *testing.T) {
	w := newWorld(t)
	w.up.put("pad", nil, "1.0.0", "2.0.0")
	if err := w.publishCrate("mid", "tool", "1.0.0"); err != nil {
		t.Fatal(err)
	}
	if err := w.fetch("mid", "pad", "1.0.0"); err != nil {
		t.Fatal(err)
	}
	w.apply(groupOf("/cargo//corp~", "app", "BLOCK", "ALLOW"), repo("app", crateControls("left", "", "BLOCK")))
	trace := func(name, version string) string {
		t.Helper()
		d, err := w.svc.Enter(t.Context(), domain)
		if err != nil {
			t.Fatal(err)
		}
		got, err := d.WhyPackage(t.Context(), "app", crate(name, "").Package, version)
		if err != nil {
			return err.Error()
		}
		var b strings.Builder
		fmt.Fprintf(&b, "%s %s: %s\n%s %v\n%s\n", got.Package, got.Version, got.Result, got.Group, got.Strong, got.Publish)
		for _, p := range got.Places {
			fmt.Fprintf(&b, "%s %s %v %v %s\n", p.Repository, p.Connection, p.Asked, p.Decides, p.Note)
		}
		return b.String()
	}
	for name, tt := range map[string]struct{ name, version, want string }{
		"retained": {"pad", "1.0.0", `cargo/pad 1.0.0: served from repository mid
/* true
the first version may be published; package group /* allows PUBLISH
app  true false does not have the package
mid  true true has it: Published, origin EXTERNAL (public:cargo)
store  true false has it: Published, origin EXTERNAL (public:cargo)
store public:cargo true false has it
`},
		"upstream only": {"pad", "2.0.0", `cargo/pad 2.0.0: served from external connection public:cargo of repository store
/* true
the first version may be published; package group /* allows PUBLISH
app  true false does not have the package
mid  true false has 1 versions, not this one
store  true false has 1 versions, not this one
store public:cargo true true has it
`},
		"owned": {"tool", "2.0.0", `cargo/tool 2.0.0: version 2.0.0 is in none of the places that are asked
/* true
the first version may be published; package group /* allows PUBLISH
app  true false does not have the package
mid  true false has 1 versions, not this one
store  false false the origin controls of the package in repository mid block upstream versions (set when its first version came in)
store public:cargo false false the origin controls of the package in repository mid block upstream versions (set when its first version came in)
`},
		"blocked by its group": {"corp-x", "1.0.0", `cargo/corp-x 1.0.0: version 1.0.0 is in none of the places that are asked, and package group /cargo//corp~ (PackageGroup team/g) blocks EXTERNAL_UPSTREAM
/cargo//corp~ (PackageGroup team/g) true
the first version may be published; package group /cargo//corp~ (PackageGroup team/g) allows PUBLISH for repository app
app  true false does not have the package
mid  true false does not have the package
store  true false does not have the package
store public:cargo false false package group /cargo//corp~ (PackageGroup team/g) blocks EXTERNAL_UPSTREAM
`},
		"a variation, without a version": {"c0rp-x", "", `cargo/c0rp-x : 
/cargo//corp~ (PackageGroup team/g) false
package cargo/c0rp-x is a variation of package group /cargo//corp~ (PackageGroup team/g) and blocked (weak match); a group of its own lifts that
app  true false does not have the package
mid  false false package cargo/c0rp-x is a variation of package group /cargo//corp~ (PackageGroup team/g) and blocked (weak match); a group of its own lifts that
store  false false package cargo/c0rp-x is a variation of package group /cargo//corp~ (PackageGroup team/g) and blocked (weak match); a group of its own lifts that
store public:cargo false false package cargo/c0rp-x is a variation of package group /cargo//corp~ (PackageGroup team/g) and blocked (weak match); a group of its own lifts that
`},
		"declared": {"left", "1.0.0", `cargo/left 1.0.0: version 1.0.0 is in none of the places that are asked, and the origin controls of the package in repository app block upstream versions
/* true
the first version may be published; package group /* allows PUBLISH
app  true false does not have the package
mid  false false the origin controls of the package in repository app block upstream versions (PackageOriginConfiguration team/left)
store  false false the origin controls of the package in repository app block upstream versions (PackageOriginConfiguration team/left)
store public:cargo false false the origin controls of the package in repository app block upstream versions (PackageOriginConfiguration team/left)
`},
		"no name": {"a b", "", `invalid: package name "a b"`},
	} {
		if diff := cmp.Diff(tt.want, trace(tt.name, tt.version)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	d, err := w.svc.Enter(t.Context(), domain)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.WhyPackage(t.Context(), "nothing", crate("pad", "").Package, ""); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("unknown repository: %v", err)
	}
}
