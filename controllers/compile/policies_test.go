package compile

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	api "packhouse.dev/packhouse/api/v1alpha1"
	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/group"
	"packhouse.dev/packhouse/registry/policy"
)

const version = `"Version":"2012-10-17"`

func statement(effect api.PolicyEffect, action string, principals ...api.PolicyPrincipal) api.ResourceStatement {
	return api.ResourceStatement{Principals: principals, PolicyStatement: api.PolicyStatement{Effect: effect, Actions: []api.PolicyAction{api.PolicyAction(action)}, Resources: []api.PolicyResource{"*"}}}
}

func aDomainPolicy(at string, age int, statements ...api.ResourceStatement) api.DomainPolicy {
	return api.DomainPolicy{ObjectMeta: meta(at, age), Spec: api.DomainPolicySpec{DomainRef: api.Ref{Name: "d1"}, ResourcePolicy: api.ResourcePolicy{Statements: statements}}}
}

func aRepositoryPolicy(at string, age int, repo, document string) api.RepositoryPolicy {
	return api.RepositoryPolicy{ObjectMeta: meta(at, age), Spec: api.RepositoryPolicySpec{RepositoryRef: api.Ref{Name: repo}, ResourcePolicy: api.ResourcePolicy{Document: document}}}
}

func anIdentityPolicy(at string, age int, document string, subjects ...api.PolicySubject) api.IdentityPolicy {
	return api.IdentityPolicy{ObjectMeta: meta(at, age), Spec: api.IdentityPolicySpec{Subjects: subjects, Document: document}}
}

func aGroup(at string, age int, pattern string, publish, external *api.GroupControl) api.PackageGroup {
	return api.PackageGroup{ObjectMeta: meta(at, age), Spec: api.PackageGroupSpec{DomainRef: api.Ref{Name: "d1"}, Pattern: pattern, OriginControls: api.GroupOriginControls{Publish: publish, ExternalUpstream: external}}}
}

func control(r api.GroupRestriction, repositories ...string) *api.GroupControl {
	return &api.GroupControl{Restriction: r, Repositories: repositories}
}

func readGrant(account string) string {
	return `{` + version + `,"Statement":[{"Effect":"Allow","Principal":{"AWS":"` + account + `"},"Action":"codeartifact:ReadFromRepository","Resource":"*"}]}`
}

func policyWorld() Objects {
	o := base()
	o.DomainPolicies = []api.DomainPolicy{aDomainPolicy("dp", 20,
		statement("Allow", "DescribeDomain", api.PolicyPrincipal{Namespace: "team"}),
		statement("Deny", "DeleteRepository", api.PolicyPrincipal{Everyone: true}))}
	o.RepositoryPolicies = []api.RepositoryPolicy{aRepositoryPolicy("rp", 20, "app", readGrant("999988887777"))}
	o.IdentityPolicies = []api.IdentityPolicy{
		anIdentityPolicy("ip", 20, `{`+version+`,"Statement":[{"Effect":"Allow","Action":"codeartifact:*","Resource":"*"},{"Effect":"Deny","Action":"codeartifact:DeleteDomain","Resource":"*"}]}`, api.PolicySubject{ServiceAccount: "ci"}),
	}
	o.Groups = []api.PackageGroup{
		aGroup("corp", 20, "/npm/corp/*", control("AllowSpecificRepositories", "app"), control("Block")),
		aGroup("npm", 20, "/npm/*", nil, control("AllowSpecificRepositories", "store")),
	}
	return o
}

// sketchPolicies writes policies and groups of documents in short.
func sketchPolicies(d Documents) string {
	var out []string
	for _, p := range d.Registry.Identities {
		out = append(out, fmt.Sprintf("%s %v %s%v", p.Account, p.Subjects, p.Document, p.Managed))
	}
	for _, dom := range d.Domains {
		if dom.Policy != nil {
			out = append(out, dom.Name+" "+dom.Policy.Document)
		}
		for _, r := range dom.Repositories {
			if r.Policy != nil {
				out = append(out, r.Name+" "+r.Policy.Document)
			}
		}
		for _, g := range dom.Groups {
			out = append(out, fmt.Sprintf("%s %s %s%v %s%v %s%v", dom.Name, g.Pattern, g.Publish.Mode, g.Publish.Repositories, g.ExternalUpstream.Mode, g.ExternalUpstream.Repositories, g.InternalUpstream.Mode, g.InternalUpstream.Repositories))
		}
	}
	return strings.Join(out, "\n")
}

func TestPolicies(t *testing.T) {
	team := registry.DeriveAccount("team")
	identity := `111122223333 [{role ci}] {"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"codeartifact:*","Resource":"*"},{"Effect":"Deny","Action":"codeartifact:DeleteDomain","Resource":"*"}]}[]`
	domain := `d1 {"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["arn:aws:iam::` + team + `:root"]},"Action":["codeartifact:DescribeDomain"],"Resource":["*"]},` +
		`{"Effect":"Deny","Principal":"*","Action":["codeartifact:DeleteRepository"],"Resource":["*"]}]}`
	repository := "app " + readGrant("999988887777")
	groups := "d1 /* ALLOW[] ALLOW[] ALLOW[]\nd1 /npm/* INHERIT[] ALLOW_SPECIFIC_REPOSITORIES[store] INHERIT[]\nd1 /npm/corp/* ALLOW_SPECIFIC_REPOSITORIES[app] BLOCK[] INHERIT[]"
	good := []string{identity, domain, repository, groups}
	with := func(at int, text string) []string {
		out := slices.Clone(good)
		out[at] = text
		return slices.DeleteFunc(out, func(s string) bool { return s == "" })
	}
	broken := func(o *Objects) { o.RepositoryPolicies[0].Spec.Document = `{"Statement":[{"Effect":"Alow"}]}` }
	for name, tt := range map[string]struct {
		edit     func(*Objects)
		previous bool
		want     []string
		problems string
	}{
		"all is well": {func(*Objects) {}, false, good, ""},
		"the document and typed statements are one thing": {
			func(o *Objects) {
				o.RepositoryPolicies[0].Spec.Document = ""
				o.RepositoryPolicies[0].Spec.Statements = []api.ResourceStatement{{
					NotPrincipals:   []api.PolicyPrincipal{{ServiceAccount: &api.PrincipalRef{Name: "ci"}}, {User: &api.PrincipalRef{Namespace: "team", Name: "bob"}}, {Account: "999988887777"}, {AWS: "arn:aws:sts::999988887777:assumed-role/a/b"}},
					PolicyStatement: api.PolicyStatement{Sid: "S", Effect: "Deny", NotActions: []api.PolicyAction{"List*", "sts:*"}, NotResources: []api.PolicyResource{"arn:x"}, Conditions: []api.PolicyCondition{{Operator: "IpAddress", Key: "aws:SourceIp", Values: []string{"10.0.0.0/8"}}}},
				}}
			}, false,
			with(2, `app {"Version":"2012-10-17","Statement":[{"Sid":"S","Effect":"Deny","NotPrincipal":{"AWS":["arn:aws:iam::111122223333:role/ci","arn:aws:iam::`+team+`:user/bob","arn:aws:iam::999988887777:root","arn:aws:sts::999988887777:assumed-role/a/b"]},`+
				`"NotAction":["codeartifact:List*","sts:*"],"NotResource":["arn:x"],"Condition":{"IpAddress":{"aws:SourceIp":["10.0.0.0/8"]}}}]}`), "",
		},
		"a broken policy keeps its last good form": {
			broken, true, good, `RepositoryPolicy default/rp Accepted Invalid: statement 1: Effect: "Alow" is neither Allow nor Deny; its last good form stays in force`,
		},
		"a policy that was never good denies everything": {
			broken, false, with(2, "app "+denyAll), `RepositoryPolicy default/rp Accepted Invalid: statement 1: Effect: "Alow" is neither Allow nor Deny; there is no earlier form, so everything is denied`,
		},
		"another object of the name inherits nothing": {
			func(o *Objects) { broken(o); o.RepositoryPolicies[0].UID = "another" }, true, with(2, "app "+denyAll),
			`RepositoryPolicy default/rp Accepted Invalid: statement 1: Effect: "Alow" is neither Allow nor Deny; there is no earlier form, so everything is denied`,
		},
		"a broken typed statement": {
			func(o *Objects) { o.DomainPolicies[0].Spec.Statements[1].Principals = []api.PolicyPrincipal{{}} }, true, good,
			"DomainPolicy default/dp Accepted Invalid: statement 2: principals: invalid policy: a principal names nobody; its last good form stays in force",
		},
		"a reference that went astray": {
			func(o *Objects) { o.DomainPolicies[0].Spec.DomainRef.Name = "gone" }, true, good,
			"DomainPolicy default/dp ResolvedRefs RefNotFound: Domain default/gone does not exist or is not accepted",
		},
		"a broken identity policy": {
			func(o *Objects) { o.IdentityPolicies[0].Spec.Document = "{" }, true, good,
			"IdentityPolicy default/ip Accepted Invalid: line 1: unexpected end of JSON input; its last good form stays in force",
		},
		"an identity policy that was never good": {
			func(o *Objects) { o.IdentityPolicies[0].Spec.Document = "{" }, false, with(0, "111122223333 [{role ci}] "+denySubjects+"[]"),
			"IdentityPolicy default/ip Accepted Invalid: line 1: unexpected end of JSON input; there is no earlier form, so its subjects are denied everything",
		},
		"subjects that were never good": {
			func(o *Objects) { o.IdentityPolicies[0].Spec.Subjects = []api.PolicySubject{{}} }, false, with(0, "111122223333 [{* }] "+denySubjects+"[]"),
			"IdentityPolicy default/ip Accepted Invalid: invalid policy: a subject names nobody; there is no earlier form, so its subjects are denied everything",
		},
		"managed policies": {
			func(o *Objects) {
				o.IdentityPolicies[0].Spec.Document = ""
				o.IdentityPolicies[0].Spec.ManagedPolicies = []api.ManagedPolicy{"AWSCodeArtifactReadOnlyAccess"}
				o.IdentityPolicies[0].Spec.Subjects = []api.PolicySubject{{Everyone: true}, {User: "bob"}, {Group: "devs"}}
			}, false, with(0, "111122223333 [{* } {user bob} {group devs}] [AWSCodeArtifactReadOnlyAccess]"), "",
		},
		"two policies of one domain": {
			func(o *Objects) {
				o.DomainPolicies = append(o.DomainPolicies, aDomainPolicy("a0", 1, statement("Allow", "*", api.PolicyPrincipal{Everyone: true})))
			}, false, good,
			"DomainPolicy default/a0 Accepted Conflicted: DomainPolicy dp is older and about the same domain",
		},
		"a policy of another namespace": {
			func(o *Objects) {
				p := aDomainPolicy("team/dp", 99, statement("Allow", "*", api.PolicyPrincipal{Everyone: true}))
				p.Spec.DomainRef.Namespace = "default"
				o.DomainPolicies = append(o.DomainPolicies, p)
				q := aRepositoryPolicy("team/rp", 99, "app", readGrant("*"))
				q.Spec.RepositoryRef.Namespace = "default"
				o.RepositoryPolicies = append(o.RepositoryPolicies, q)
			}, false, good,
			"DomainPolicy team/dp ResolvedRefs RefNotPermitted: Domain default/d1 is of another namespace and cannot be configured from here\n" +
				"RepositoryPolicy team/rp ResolvedRefs RefNotPermitted: Repository default/app is of another namespace and cannot be configured from here",
		},
		"two groups of one pattern": {
			func(o *Objects) {
				o.Groups = append(o.Groups, aGroup("a0", 1, "/npm/corp/*", control("Allow"), control("Allow")))
			}, false, good,
			"PackageGroup default/a0 Accepted Conflicted: PackageGroup default/corp has the pattern /npm/corp/* already",
		},
		"the group of all packages is the domain's": {
			func(o *Objects) { o.Groups = append(o.Groups, aGroup("a0", 1, "/*", control("Block"), nil)) }, false, good,
			"PackageGroup default/a0 Accepted Conflicted: Domain default/d1 has the pattern /* already",
		},
		"a pattern that matches nothing": {
			func(o *Objects) { o.Groups = append(o.Groups, aGroup("a0", 1, "/pypi/x~", control("Block"), nil)) }, false, good,
			`PackageGroup default/a0 Accepted Invalid: invalid: pattern "/pypi/x~": pypi packages have no namespace: write /pypi//x~`,
		},
		"a pattern that broke": {
			func(o *Objects) { o.Groups[0].Spec.Pattern = "nonsense" }, true, good,
			`PackageGroup default/corp Accepted Invalid: invalid: pattern "nonsense": it begins with a slash and ends with $, ~ or *; its last good pattern stays in force`,
		},
		"the alias of pypi": {
			func(o *Objects) { o.Groups[1].Spec.Pattern = "/python//x~" }, false,
			with(3, "d1 /* ALLOW[] ALLOW[] ALLOW[]\nd1 /npm/corp/* ALLOW_SPECIFIC_REPOSITORIES[app] BLOCK[] INHERIT[]\nd1 /pypi//x~ INHERIT[] ALLOW_SPECIFIC_REPOSITORIES[store] INHERIT[]"), "",
		},
		"a group of a domain that is not there": {
			func(o *Objects) {
				g := aGroup("a0", 1, "/pypi/*", nil, nil)
				g.Spec.DomainRef.Name = "other"
				o.Groups = append(o.Groups, g)
			}, false, good, "PackageGroup default/a0 ResolvedRefs RefNotFound: Domain default/other does not exist or is not accepted",
		},
		"repositories that are not there": {
			func(o *Objects) { o.Groups[0].Spec.OriginControls.Publish.Repositories = []string{"later", "app"} }, false,
			with(3, strings.Replace(groups, "[app]", "[app later]", 1)), "PackageGroup default/corp ResolvedRefs RefNotFound: later is no repository of domain d1",
		},
		"a control that broke": {
			func(o *Objects) { o.Groups[0].Spec.OriginControls.Publish.Restriction = "allow" }, true, good,
			"PackageGroup default/corp Accepted Invalid: publish is Allow, Block, AllowSpecificRepositories with repositories, or, in a group with a parent, Inherit",
		},
		"a control that was never good": {
			func(o *Objects) { o.Groups[0].Spec.OriginControls.Publish.Restriction = "allow" }, false,
			with(3, strings.Replace(groups, "ALLOW_SPECIFIC_REPOSITORIES[app]", "BLOCK[]", 1)),
			"PackageGroup default/corp Accepted Invalid: publish is Allow, Block, AllowSpecificRepositories with repositories, or, in a group with a parent, Inherit",
		},
		"root controls": {
			func(o *Objects) {
				o.Domains[0].Spec.OriginControls = api.GroupOriginControls{Publish: control("Block"), ExternalUpstream: control("Inherit")}
			}, false, with(3, strings.Replace(groups, "/* ALLOW[] ALLOW[]", "/* BLOCK[] BLOCK[]", 1)),
			"Domain default/d1 Accepted Invalid: originControls: externalUpstream is Allow, Block, AllowSpecificRepositories with repositories, or, in a group with a parent, Inherit",
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := policyWorld()
			var previous Documents
			if tt.previous {
				previous = Compile(o, Documents{}, options).Documents
			}
			tt.edit(&o)
			got := Compile(o, previous, options)
			if d := cmp.Diff(strings.Join(tt.want, "\n"), sketchPolicies(got.Documents)); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(tt.problems, problems(got)); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestGroupStates(t *testing.T) {
	got := Compile(policyWorld(), Documents{}, options).Groups
	want := []GroupState{
		{
			Object: Object{"PackageGroup", "default", "corp"}, Domain: registry.DomainRef{Owner: "111122223333", Name: "d1"}, Pattern: "/npm/corp/*", Parent: "/npm/*",
			Publish: api.EffectiveControl{Restriction: "AllowSpecificRepositories", Repositories: 1}, ExternalUpstream: api.EffectiveControl{Restriction: "Block"},
			InternalUpstream: api.EffectiveControl{Restriction: "Allow", InheritedFrom: "/*"},
		},
		{
			Object: Object{"PackageGroup", "default", "npm"}, Domain: registry.DomainRef{Owner: "111122223333", Name: "d1"}, Pattern: "/npm/*", Parent: "/*", Subgroups: 1,
			Publish: api.EffectiveControl{Restriction: "Allow", InheritedFrom: "/*"}, ExternalUpstream: api.EffectiveControl{Restriction: "AllowSpecificRepositories", Repositories: 1},
			InternalUpstream: api.EffectiveControl{Restriction: "Allow", InheritedFrom: "/*"},
		},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// Repositories of other namespaces need grants: CreateRepository once, AssociateWithDownstreamRepository always (guide, "Enable
// cross-account access to a domain"; readings K2 and K4).
func TestGrants(t *testing.T) {
	team := api.PolicyPrincipal{Namespace: "team"}
	world := func(statements ...api.ResourceStatement) Objects {
		o := base()
		o.Registries[0].Spec.AllowedNamespaces = &api.AllowedNamespaces{All: true}
		r := aRepository("team/x1", 10, upstreams("app"))
		r.Spec.DomainRef.Namespace = "default"
		o.Repositories = append(o.Repositories, r)
		if statements != nil {
			o.DomainPolicies = []api.DomainPolicy{aDomainPolicy("dp", 20, statements...)}
		}
		return o
	}
	const without, with, asking = "app<store {npm/lodash BLOCK ALLOW}; store<public:npmjs", "app<store {npm/lodash BLOCK ALLOW}; store<public:npmjs; x1<", "app<store {npm/lodash BLOCK ALLOW}; store<public:npmjs; x1<app"
	const notGranted = "Repository team/x1 ResolvedRefs RefNotPermitted: upstream app is not asked: AssociateWithDownstreamRepository on it is not granted"
	for name, tt := range map[string]struct {
		objects  Objects
		want     string
		problems string
	}{
		"no grant":            {world(), without, "Repository team/x1 Accepted RefNotPermitted: Domain default/d1 is of another namespace, and no policy of it grants CreateRepository"},
		"CreateRepository":    {world(statement("Allow", "CreateRepository", team)), with, notGranted},
		"both":                {world(statement("Allow", "CreateRepository", team), statement("Allow", "AssociateWith*", team)), asking, ""},
		"another namespace's": {world(statement("Allow", "CreateRepository", api.PolicyPrincipal{Namespace: "others"})), without, "Repository team/x1 Accepted RefNotPermitted: Domain default/d1 is of another namespace, and no policy of it grants CreateRepository"},
		"the upstream's own word": {func() Objects {
			o := world(statement("Allow", "CreateRepository", team))
			o.RepositoryPolicies = []api.RepositoryPolicy{aRepositoryPolicy("rp", 1, "app", strings.Replace(readGrant(registry.DeriveAccount("team")), "ReadFromRepository", "AssociateWithDownstreamRepository", 1))}
			return o
		}(), asking, ""},
		"tags need TagResource": {func() Objects {
			o := world(statement("Allow", "CreateRepository", team))
			o.Repositories[2].Spec.Tags = map[string]api.TagValue{"a": "b"}
			return o
		}(), without, "Repository team/x1 Accepted RefNotPermitted: Domain default/d1 is of another namespace, and no policy of it grants CreateRepository"},
		"a denied connection": {
			world(statement("Deny", "AssociateExternalConnection", api.PolicyPrincipal{Everyone: true}), statement("Allow", "*", team)), "app<store {npm/lodash BLOCK ALLOW}; store<; x1<app",
			"Repository default/store Accepted Invalid: public:npmjs is not asked: codeartifact:AssociateExternalConnection is explicitly denied by statement 1 of DomainPolicy default/dp",
		},
		"a repository without the tag that a policy wants": {func() Objects {
			s := statement("Deny", "CreateRepository", api.PolicyPrincipal{Everyone: true})
			s.Conditions = []api.PolicyCondition{{Operator: "Null", Key: "aws:RequestTag/costcenter", Values: []string{"true"}}}
			o := world(s)
			o.Repositories = o.Repositories[:2]
			o.Repositories[1].Spec.Tags = map[string]api.TagValue{"costcenter": "1"}
			return o
		}(), "store<public:npmjs", "PackageOriginConfiguration default/p1 ResolvedRefs RefNotFound: Repository default/app does not exist or is not accepted\n" +
			"Repository default/app Accepted DeniedByPolicy: it may not be created: codeartifact:CreateRepository is explicitly denied by statement 1 of DomainPolicy default/dp"},
	} {
		t.Run(name, func(t *testing.T) {
			got := Compile(tt.objects, Documents{}, options)
			if d := cmp.Diff("111122223333 d1: "+tt.want, sketch(got.Documents)); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(tt.problems, problems(got)); d != "" {
				t.Error(d)
			}
		})
	}
	// A grant that goes takes no repository away, but what it may ask.
	before := Compile(world(statement("Allow", "CreateRepository", team), statement("Allow", "AssociateWith*", team)), Documents{}, options)
	after := Compile(world(), before.Documents, options)
	if d := cmp.Diff("111122223333 d1: "+with, sketch(after.Documents)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(notGranted, problems(after)); d != "" {
		t.Error(d)
	}
}

// may is the set of what policies and groups of documents permit: by principals of three accounts, and by the ways into repositories.
func may(t *testing.T, d Documents) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	names := policy.Names{Partition: "aws", Region: "local"}
	read := func(kind policy.Kind, p *config.Policy) *policy.Policy {
		if p == nil {
			return nil
		}
		c, err := policy.Read(p.Source.Name, kind, []byte(p.Document))
		if err != nil {
			t.Fatalf("a document has a policy that cannot be read: %v", err)
		}
		return c
	}
	var attached []policy.Attached
	for _, i := range d.Registry.Identities {
		a := policy.Attached{Policy: read(policy.Identity, &config.Policy{Source: i.Source, Document: i.Document})}
		for _, s := range i.Subjects {
			a.Subjects = append(a.Subjects, policy.Subject{Account: i.Account, Kind: policy.SubjectKind(s.Kind), Name: s.Name})
		}
		attached = append(attached, a)
	}
	identities := policy.NewIdentities(attached)
	who := []policy.Principal{{ARN: names.Root("111122223333"), Account: "111122223333", Root: true}}
	for _, account := range []string{"111122223333", "999988887777", registry.DeriveAccount("team")} {
		for _, role := range []string{"ci", "other"} {
			who = append(who, policy.Principal{ARN: names.Session(account, role, "x"), Account: account})
		}
	}
	for i := range d.Domains {
		dom := &d.Domains[i]
		for _, p := range who {
			q := policy.Request{Principal: p, Owner: dom.Owner, Policies: policy.Policies{Identity: identities.Of(p), Domain: read(policy.Resource, dom.Policy)}}
			ask := func(actions ...string) {
				for _, a := range actions {
					if q.Action = "codeartifact:" + a; policy.Evaluate(q).Allowed() {
						out[p.ARN+" "+a+" "+q.Resource] = true
					}
				}
			}
			q.Resource = names.Domain(dom.Owner, dom.Name)
			ask("DescribeDomain", "DeleteDomain", "GetAuthorizationToken")
			for _, r := range dom.Repositories {
				q.Resource, q.Administrator, q.Policies.Repository = names.Repository(dom.Owner, dom.Name, r.Name), r.Administrator, read(policy.Resource, r.Policy)
				ask("ReadFromRepository", "DeleteRepository", "ListPackages")
			}
		}
		index := group.New(groupsOf(dom))
		for _, id := range []registry.PackageID{{Format: "npm", Namespace: "corp", Name: "x"}, {Format: "npm", Name: "x"}, {Format: "pypi", Name: "x"}, {Format: "npm", Namespace: "Corp", Name: "x"}} {
			for _, w := range group.Ways() {
				for _, r := range []string{"app", "store"} {
					if index.Find(id).Allows(w, r) {
						out[fmt.Sprint(dom.Name, id, w, r)] = true
					}
				}
			}
		}
	}
	return out
}

func TestDamageOfPoliciesNeverAllowsMore(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 300 {
		o := policyWorld()
		before := Compile(o, Documents{}, options)
		was := may(t, before.Documents)
		if len(was) < 20 {
			t.Fatalf("the world is too plain: %v", was)
		}
		previous, lost := before.Documents, false
		for range 1 + rng.IntN(3) {
			lost = damagePolicies(rng, &o) || lost
		}
		if rng.IntN(2) == 0 && !lost {
			previous = Documents{}
		}
		after := Compile(o, previous, options)
		for what := range may(t, after.Documents) {
			if !was[what] {
				t.Fatalf("after damage %s\n%s\n%s", what, sketchPolicies(after.Documents), problems(after))
			}
		}
	}
}

// damagePolicies says whether what an object is about can be known from its earlier form only.
func damagePolicies(rng *rand.Rand, o *Objects) (lost bool) {
	junk := []string{"", "{", "\x00", "Allow!", strings.Repeat("x", 9000), `{"Statement":[]}`, `null`}[rng.IntN(7)]
	switch rng.IntN(12) {
	case 0:
		o.DomainPolicies[0].Spec.Statements[rng.IntN(2)].Effect = api.PolicyEffect(junk)
	case 1:
		o.DomainPolicies[0].Spec.Statements[1].Actions = []api.PolicyAction{api.PolicyAction(junk + " ")}
	case 2:
		o.DomainPolicies[0].Spec.Statements[rng.IntN(2)].Principals = nil
	case 3:
		o.DomainPolicies[0].Spec.Document = junk + " "
	case 4:
		o.RepositoryPolicies[0].Spec.Document = junk
	case 5:
		o.IdentityPolicies[0].Spec.Document = junk
	case 6:
		o.IdentityPolicies[0].Spec.Subjects = []api.PolicySubject{{}}
	case 7:
		o.Groups[rng.IntN(2)].Spec.OriginControls.ExternalUpstream.Restriction = api.GroupRestriction(junk)
	case 8:
		o.Groups[0].Spec.OriginControls.Publish.Repositories = []string{junk}
	case 9:
		o.DomainPolicies[0].Spec.DomainRef.Name = junk
		return true
	case 10:
		o.Groups[rng.IntN(2)].Spec.Pattern = junk
		return true
	case 11:
		o.Domains[0].Spec.OriginControls.ExternalUpstream = control(api.GroupRestriction(junk), "app")
	}
	return false
}

func TestOrderOfPoliciesDoesNotMatter(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	o := policyWorld()
	for i := range 4 {
		o.DomainPolicies = append(o.DomainPolicies, aDomainPolicy(fmt.Sprintf("dp%d", i), 20, statement("Allow", "*", api.PolicyPrincipal{Everyone: true})))
		o.RepositoryPolicies = append(o.RepositoryPolicies, aRepositoryPolicy(fmt.Sprintf("rp%d", i), 20, "store", readGrant(fmt.Sprintf("%012d", i))))
		o.IdentityPolicies = append(o.IdentityPolicies, anIdentityPolicy(fmt.Sprintf("ip%d", i), 20, "{", api.PolicySubject{Everyone: true}))
		o.Groups = append(o.Groups, aGroup(fmt.Sprintf("g%d", i), 20, fmt.Sprintf("/npm/a%d/*", i/2), control("Block"), nil))
	}
	want := Compile(o, Documents{}, options)
	for range 30 {
		p := o
		p.DomainPolicies, p.RepositoryPolicies = shuffled(rng, o.DomainPolicies), shuffled(rng, o.RepositoryPolicies)
		p.IdentityPolicies, p.Groups = shuffled(rng, o.IdentityPolicies), shuffled(rng, o.Groups)
		got := Compile(p, Documents{}, options)
		if d := cmp.Diff(encoded(t, want.Documents), encoded(t, got.Documents)); d != "" {
			t.Fatal(d)
		}
		if d := cmp.Diff(want.Conditions, got.Conditions); d != "" {
			t.Fatal(d)
		}
		if d := cmp.Diff(want.Groups, got.Groups); d != "" {
			t.Fatal(d)
		}
	}
}
