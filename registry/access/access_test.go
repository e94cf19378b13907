package access

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/group"
	"packhouse.dev/packhouse/registry/policy"
)

const (
	owner = "111122223333"
	other = "123456789012"
)

func source(kind, name string) config.Source {
	return config.Source{Kind: kind, Namespace: "team", Name: name}
}

func grant(action string) *config.Policy {
	return &config.Policy{Source: source("DomainPolicy", "p"), Document: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"codeartifact:` + action + `","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-1"}}}}`}
}

func documents() (*config.Registry, *config.Domain) {
	reg := &config.Registry{
		Partition: "aws", Region: "local", Accounts: []config.Account{{Namespace: "b", ID: other, Organization: "o-1"}, {Namespace: "a", ID: owner, Organization: "o-2"}},
		Identities: []config.IdentityPolicy{
			{Source: source("IdentityPolicy", "i"), Account: other, Subjects: []config.Subject{{Kind: "role", Name: "ci"}}, Managed: []string{"AWSCodeArtifactReadOnlyAccess"}},
			{Source: source("IdentityPolicy", "j"), Account: owner, Subjects: []config.Subject{{Kind: "*"}}, Document: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"codeartifact:*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/team":"web"}}}}`},
		},
	}
	dom := &config.Domain{
		Owner: owner, Name: "d1", Tags: map[string]string{"team": "web"}, Policy: grant("Describe*"),
		Repositories: []config.Repository{{Name: "r1", Administrator: owner, Tags: map[string]string{"team": "web"}, Policy: grant("ReadFromRepository")}, {Name: "r2", Administrator: owner}},
		Groups: []config.PackageGroup{
			{Pattern: "/npm/corp/*", Tags: map[string]string{"team": "web"}, Publish: config.GroupControl{Mode: "ALLOW_SPECIFIC_REPOSITORIES", Repositories: []string{"r1"}}, ExternalUpstream: config.GroupControl{Mode: "BLOCK"}, InternalUpstream: config.GroupControl{Mode: "INHERIT"}},
		},
	}
	return reg, dom
}

func compiled(t *testing.T, reg *config.Registry, dom *config.Domain, problems int) (*Registry, *Domain) {
	t.Helper()
	r, ps := CompileRegistry(reg)
	d, more := CompileDomain(r, dom)
	if got := append(ps, more...); len(got) != problems {
		t.Fatalf("problems = %v", got)
	}
	return r, d
}

func TestRequests(t *testing.T) {
	reg, dom := documents()
	r, d := compiled(t, reg, dom, 0)
	role := func(account, name string) *Caller {
		return &Caller{Principal: policy.Principal{ARN: r.Names().Session(account, name, "x"), Account: account}}
	}
	id := registry.PackageID{Format: "npm", Namespace: "corp", Name: "x"}
	corp, err := group.Parse("/npm/corp/*")
	if err != nil {
		t.Fatal(err)
	}
	const ca = "codeartifact:"
	for name, tt := range map[string]struct {
		request policy.Request
		want    policy.Effect
	}{
		"another account by the repository's policy":   {d.Repository(role(other, "ci"), ca+"ReadFromRepository", "r1"), policy.Allow},
		"which is that of one repository":              {d.Repository(role(other, "ci"), ca+"ReadFromRepository", "r2"), policy.ImplicitDeny},
		"another account by the domain's policy":       {d.Domain(role(other, "ci"), ca+"DescribeDomain", ""), policy.Allow},
		"another principal of it":                      {d.Domain(role(other, "x"), ca+"DescribeDomain", ""), policy.ImplicitDeny},
		"an account of another organization":           {d.Domain(role("999999999999", "ci"), ca+"DescribeDomain", ""), policy.ImplicitDeny},
		"tags of the domain":                           {d.Domain(role(owner, "ci"), ca+"UpdateDomain", ""), policy.Allow},
		"tags of a repository":                         {d.Repository(role(owner, "ci"), ca+"UpdateRepository", "r1"), policy.Allow},
		"a repository without tags":                    {d.Repository(role(owner, "ci"), ca+"UpdateRepository", "r2"), policy.ImplicitDeny},
		"packages have none (readings 3.15)":           {d.Package(role(owner, "ci"), ca+"PublishPackageVersion", "r1", id), policy.ImplicitDeny},
		"tags of a package group":                      {d.PackageGroup(role(owner, "ci"), ca+"UpdatePackageGroup", corp), policy.Allow},
		"the root group has none here":                 {d.PackageGroup(role(owner, "ci"), ca+"UpdatePackageGroup", group.Root()), policy.ImplicitDeny},
		"a repository that is not there":               {d.Repository(role(other, "ci"), ca+"DescribeRepository", "gone"), policy.Allow},
		"the account":                                  {r.Account(role(other, "ci"), ca+"ListDomains", "*"), policy.Allow},
		"a bearer token":                               {r.Account(role(other, "ci"), "sts:GetServiceBearerToken", "*"), policy.Allow},
		"a tag that the caller claims of the resource": {d.Repository(&Caller{Principal: role(owner, "ci").Principal, Context: policy.Context{ResourceTags: map[string]string{"team": "web"}}}, ca+"UpdateRepository", "r2"), policy.ImplicitDeny},
	} {
		t.Run(name, func(t *testing.T) {
			if got := policy.Evaluate(tt.request); got.Effect != tt.want {
				t.Errorf("%s: %s", got.Effect, got.Reason())
			}
		})
	}
	q := d.Package(role(owner, "ci"), ca+"PublishPackageVersion", "r1", id)
	if d := cmp.Diff("arn:aws:codeartifact:local:111122223333:package/d1/r1/npm/corp/x", q.Resource); d != "" {
		t.Error(d)
	}
	m := d.Groups().Find(id)
	if !m.Allows(group.Publish, "r1") || m.Allows(group.Publish, "r2") || m.Allows(group.ExternalUpstream, "r1") || !m.Allows(group.InternalUpstream, "r2") {
		t.Error(m.Group.Name())
	}
}

// TestEndpoints: the policy of the address that a request came in by must allow it, too, and one that cannot be read allows nothing.
func TestEndpoints(t *testing.T) {
	reg, dom := documents()
	reg.Endpoints = []config.Endpoint{
		{Name: "inside"}, {Name: "public", Policy: &config.Policy{Source: source("Registry", "r"), Document: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"codeartifact:Describe*","Resource":"*"}}`}},
		{Name: "broken", Policy: &config.Policy{Source: source("Registry", "r"), Document: "{"}},
	}
	r, d := compiled(t, reg, dom, 1)
	root := policy.Principal{ARN: r.Names().Root(owner), Account: owner, Root: true}
	for name, want := range map[string]policy.Effect{"inside": policy.Allow, "": policy.Allow, "public": policy.ImplicitDeny, "broken": policy.ExplicitDeny} {
		c := &Caller{Principal: root, Context: policy.Context{Listener: name}}
		if got := policy.Evaluate(d.Repository(c, "codeartifact:ReadFromRepository", "r1")); got.Effect != want {
			t.Errorf("%q: %s: %s", name, got.Effect, got.Reason())
		}
		if got := policy.Evaluate(d.Domain(c, "codeartifact:DescribeDomain", "")); (got.Effect == policy.Allow) != (name != "broken") {
			t.Errorf("%q, which it allows: %s", name, got.Reason())
		}
		if got := policy.Evaluate(r.Account(c, "codeartifact:ListDomains", "*")); got.Effect != want {
			t.Errorf("%q, on the account: %s", name, got.Reason())
		}
	}
}

// Documents of another build, or damaged ones, deny and block.
func TestDamage(t *testing.T) {
	everybody := policy.Principal{ARN: "arn:aws:iam::" + other + ":role/ci", Account: other}
	for name, tt := range map[string]struct {
		edit   func(*config.Registry, *config.Domain)
		denied string
	}{
		"identity policy":   {func(r *config.Registry, _ *config.Domain) { r.Identities[0].Document = "{" }, "all"},
		"managed policy":    {func(r *config.Registry, _ *config.Domain) { r.Identities[0].Managed[0] = "AdministratorAccess" }, "all"},
		"domain policy":     {func(_ *config.Registry, d *config.Domain) { d.Policy.Document = `{"Statement":[]}` }, "all"},
		"repository policy": {func(_ *config.Registry, d *config.Domain) { d.Repositories[0].Policy.Document = "null" }, "read"},
		"pattern":           {func(_ *config.Registry, d *config.Domain) { d.Groups[0].Pattern = "/rpm/*" }, "packages"},
		"mode":              {func(_ *config.Registry, d *config.Domain) { d.Groups[0].Publish.Mode = "PERHAPS" }, "corp"},
	} {
		t.Run(name, func(t *testing.T) {
			reg, dom := documents()
			tt.edit(reg, dom)
			problems := 1
			if tt.denied == "corp" {
				problems = 0
			}
			_, d := compiled(t, reg, dom, problems)
			var got []string
			if !policy.Evaluate(d.Domain(&Caller{Principal: everybody}, "codeartifact:DescribeDomain", "")).Allowed() {
				got = append(got, "describe")
			}
			if !policy.Evaluate(d.Repository(&Caller{Principal: everybody}, "codeartifact:ReadFromRepository", "r1")).Allowed() {
				got = append(got, "read")
			}
			for _, namespace := range []string{"corp", "other"} {
				if !d.Groups().Find(registry.PackageID{Format: "npm", Namespace: namespace, Name: "x"}).Allows(group.Publish, "r1") {
					got = append(got, namespace)
				}
			}
			want := map[string]string{"all": "[describe read]", "read": "[read]", "packages": "[corp other]", "corp": "[corp]"}[tt.denied]
			if fmt.Sprint(got) != want {
				t.Errorf("denied: %v, want %s", got, want)
			}
		})
	}
	_, problems := CompileRegistry(&config.Registry{Identities: []config.IdentityPolicy{{Source: source("IdentityPolicy", "i"), Document: "{"}}})
	if len(problems) != 1 || !strings.Contains(problems[0].Text, "line 1") || problems[0].Source.Name != "i" {
		t.Errorf("problems = %v", problems)
	}
}
