package declare

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/intent"
)

const (
	owner = "111122223333"
	guest = "444455556666"
)

// shop is a domain of namespace packages, with a repository of another namespace.
func shop() *config.Domain {
	source := func(kind, namespace, name string) config.Source {
		return config.Source{Kind: kind, Namespace: namespace, Name: name}
	}
	return &config.Domain{
		Owner: owner, Name: "shop", Source: source("Domain", "packages", "shop-object"),
		Groups: []config.PackageGroup{
			{Source: source("Domain", "packages", "shop-object"), Pattern: "/*"}, {Source: source("PackageGroup", "packages", "corp"), Pattern: "/npm/corp/*"},
		},
		Policy: &config.Policy{Source: source("DomainPolicy", "packages", "shop")},
		Repositories: []config.Repository{
			{Source: source("Repository", "packages", "a"), Name: "a", Policy: &config.Policy{Source: source("RepositoryPolicy", "packages", "on-a")}},
			{Source: source("Repository", "team-b", "b-object"), Name: "B"},
		},
	}
}

func world(d *config.Domain, taken ...string) World {
	return World{
		Domain: d,
		Namespace: func(account string) (string, error) {
			switch account {
			case owner:
				return "packages", nil
			case guest:
				return "team-b", nil
			}
			return "", fmt.Errorf("%w: no such account", registry.ErrAccessDenied)
		},
		Taken: func(t Target) (bool, error) { return slices.Contains(taken, t.String()), nil },
	}
}

func repositoryOf(name string) intent.Spec {
	return intent.Spec{Repository: &intent.Repository{Name: name}}
}
func groupOf(pattern string) intent.Spec { return intent.Spec{Group: &intent.Group{Pattern: pattern}} }
func policyOn(repository string) intent.Spec {
	return intent.Spec{Policy: &intent.Policy{Repository: repository, Document: "{}"}}
}

func TestFind(t *testing.T) {
	t.Parallel()
	bare := shop()
	bare.Policy, bare.Repositories[0].Policy = nil, nil
	domain := intent.Spec{Domain: &intent.Domain{}}
	for name, tt := range map[string]struct {
		in    intent.Intent
		w     World
		want  string
		fails error
	}{
		"a new domain":                      {intent.Intent{Create: true, Spec: domain}, world(nil), "Domain packages/shop", nil},
		"a new domain, its name taken":      {intent.Intent{Create: true, Spec: domain}, world(nil, "Domain packages/shop"), "Domain packages/shop-87ac265bfa", nil},
		"a domain":                          {intent.Intent{Spec: domain}, world(shop()), "Domain packages/shop-object there", nil},
		"a domain that is there":            {intent.Intent{Create: true, Spec: domain}, world(shop()), "", registry.ErrConflict},
		"no domain":                         {intent.Intent{Spec: domain}, world(nil), "", registry.ErrNotFound},
		"in no domain":                      {intent.Intent{Create: true, Spec: repositoryOf("r")}, world(nil), "", registry.ErrNotFound},
		"a repository":                      {intent.Intent{Spec: repositoryOf("B")}, world(shop()), "Repository team-b/b-object there", nil},
		"a new repository":                  {intent.Intent{Create: true, Spec: repositoryOf("new")}, world(shop()), "Repository packages/new", nil},
		"of another account":                {intent.Intent{Account: guest, Create: true, Spec: repositoryOf("new")}, world(shop()), "Repository team-b/new", nil},
		"of no account":                     {intent.Intent{Account: "000000000000", Create: true, Spec: repositoryOf("new")}, world(shop()), "", registry.ErrAccessDenied},
		"a repository of another domain":    {intent.Intent{Create: true, Spec: repositoryOf("new")}, world(shop(), "Repository packages/new"), "Repository packages/new-a26a244fab", nil},
		"a name that no object has":         {intent.Intent{Create: true, Spec: repositoryOf("New_One.x")}, world(shop()), "Repository packages/new-one-x-aa14204571", nil},
		"a repository that is there":        {intent.Intent{Create: true, Spec: repositoryOf("a")}, world(shop()), "", registry.ErrConflict},
		"no repository":                     {intent.Intent{Delete: true, Spec: repositoryOf("new")}, world(shop()), "", registry.ErrNotFound},
		"a group":                           {intent.Intent{Spec: groupOf("/npm/corp/*")}, world(shop()), "PackageGroup packages/corp there", nil},
		"a new group":                       {intent.Intent{Create: true, Account: guest, Spec: groupOf("/npm/*")}, world(shop()), "PackageGroup packages/group-5a1f96d0e8", nil},
		"the root group":                    {intent.Intent{Spec: groupOf("/*")}, world(shop()), "Domain packages/shop-object there", nil},
		"the root group, to delete":         {intent.Intent{Delete: true, Spec: groupOf("/*")}, world(shop()), "", registry.ErrInvalid},
		"a policy":                          {intent.Intent{Spec: policyOn("a")}, world(shop()), "RepositoryPolicy packages/on-a there", nil},
		"a new policy":                      {intent.Intent{Create: true, Spec: policyOn("a")}, world(bare), "RepositoryPolicy packages/repository-policy-515326e56b", nil},
		"a policy on nothing":               {intent.Intent{Create: true, Spec: policyOn("new")}, world(shop()), "", registry.ErrNotFound},
		"the policy of the domain":          {intent.Intent{Spec: policyOn("")}, world(shop()), "DomainPolicy packages/shop there", nil},
		"a new policy of the domain":        {intent.Intent{Create: true, Spec: policyOn("")}, world(bare), "DomainPolicy packages/domain-policy-517099b2ab", nil},
		"no policy of the domain to delete": {intent.Intent{Delete: true, Spec: policyOn("")}, world(bare), "", registry.ErrNotFound},
		"nothing":                           {intent.Intent{Create: true}, world(shop()), "", registry.ErrInvalid},
	} {
		tt.in.Domain = registry.DomainRef{Owner: owner, Name: "shop"}
		if tt.in.Account == "" {
			tt.in.Account = owner
		}
		got, err := Find(tt.in, tt.w)
		text := got.String()
		if got.Exists {
			text += " there"
		}
		if !errors.Is(err, tt.fails) || err == nil && text != tt.want {
			t.Errorf("%s: %s, %v; want %s, %v", name, text, err, tt.want, tt.fails)
		}
	}
}

// Two things that have the same words in their names have objects of different names.
func TestHashed(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, d := range []registry.DomainRef{{Owner: owner, Name: "shop"}, {Owner: guest, Name: "shop"}, {Owner: owner, Name: "shop2"}} {
		for _, name := range []string{"A_b", "a.b", "a-b", "A-B", "----", "", string(make([]byte, 200))} {
			got, err := world(nil).place("Repository", owner, name, d)
			if err != nil {
				t.Fatal(err)
			}
			at := got.Name
			if objectName.MatchString(name) {
				at = hashed(name, d, name)
			}
			if other, ok := seen[at]; ok || !objectName.MatchString(at) || len(at) > maxName {
				t.Errorf("%q of %s is %q, as %s", name, d, at, other)
			}
			seen[at] = d.String() + " " + name
		}
	}
}

func TestSpec(t *testing.T) {
	t.Parallel()
	full := &intent.Repository{Name: "R", Description: "d", Upstreams: []string{"a", "B"}, Connections: []string{"public:npmjs"}, Tags: map[string]string{"k": "v"}}
	specific := map[string]intent.Control{
		"PUBLISH": {Mode: "ALLOW_SPECIFIC_REPOSITORIES", Repositories: []string{"a"}}, "EXTERNAL_UPSTREAM": {Mode: "ALLOW_SPECIFIC_REPOSITORIES"}, "INTERNAL_UPSTREAM": {Mode: "INHERIT"},
	}
	controls := map[string]any{
		"publish":          map[string]any{"restriction": "AllowSpecificRepositories", "repositories": []any{"a"}},
		"externalUpstream": map[string]any{"restriction": "AllowSpecificRepositories", "repositories": []any{}}, "internalUpstream": map[string]any{"restriction": "Inherit"},
	}
	for name, tt := range map[string]struct {
		in    intent.Spec
		at    Target
		had   map[string]any
		want  map[string]any
		fails error
	}{
		"a new repository in another namespace": {intent.Spec{Repository: full}, Target{"Repository", "team-b", "r-1", false}, nil, map[string]any{
			"name": "R", "domainRef": map[string]any{"name": "shop-object", "namespace": "packages"}, "description": "d",
			"upstreams": []any{map[string]any{"name": "a"}, map[string]any{"name": "B"}}, "externalConnections": []any{map[string]any{"name": "public:npmjs"}}, "tags": map[string]any{"k": "v"},
		}, nil},
		"what is left out goes, and what the API does not know stays": {repositoryOf("r"), Target{"Repository", "packages", "r", true}, map[string]any{
			"name": "r", "domainRef": map[string]any{"name": "shop-object", "namespace": "packages"}, "description": "d", "tags": map[string]any{"k": "v"}, "upstreams": []any{}, "deletionPolicy": "Delete",
		}, map[string]any{"name": "r", "domainRef": map[string]any{"name": "shop-object", "namespace": "packages"}, "deletionPolicy": "Delete"}, nil},
		"a new domain under another name": {intent.Spec{Domain: &intent.Domain{Tags: map[string]string{"k": "v"}}}, Target{"Domain", "packages", "shop-1", false}, nil,
			map[string]any{"name": "shop", "tags": map[string]any{"k": "v"}}, nil},
		"tags of a domain beside its controls": {intent.Spec{Domain: &intent.Domain{}}, Target{"Domain", "packages", "shop-object", true},
			map[string]any{"name": "shop", "tags": map[string]any{"k": "v"}, "originControls": "c"}, map[string]any{"name": "shop", "originControls": "c"}, nil},
		"controls of a domain beside its tags": {intent.Spec{Group: &intent.Group{Pattern: "/*", Controls: specific}}, Target{"Domain", "packages", "shop-object", true},
			map[string]any{"tags": "t"}, map[string]any{"tags": "t", "originControls": controls}, nil},
		"a root group with tags": {intent.Spec{Group: &intent.Group{Pattern: "/*", Tags: map[string]string{"k": "v"}}}, Target{"Domain", "packages", "shop-object", true}, nil, nil, registry.ErrInvalid},
		"a group": {intent.Spec{Group: &intent.Group{Pattern: "/npm/*", Description: "d", Contact: "c", Controls: specific}}, Target{"PackageGroup", "packages", "g", false}, nil,
			map[string]any{"domainRef": map[string]any{"name": "shop-object"}, "pattern": "/npm/*", "description": "d", "contact": "c", "originControls": controls}, nil},
		"a policy on a repository of another namespace": {policyOn("B"), Target{"RepositoryPolicy", "packages", "p", false}, nil,
			map[string]any{"repositoryRef": map[string]any{"name": "b-object", "namespace": "team-b"}, "document": "{}"}, nil},
		"a policy of the domain": {policyOn(""), Target{"DomainPolicy", "packages", "p", false}, nil, map[string]any{"domainRef": map[string]any{"name": "shop-object"}, "document": "{}"}, nil},
		"a policy on nothing":    {policyOn("new"), Target{"RepositoryPolicy", "packages", "p", false}, nil, nil, registry.ErrNotFound},
	} {
		had := maps.Clone(tt.had)
		got, err := Spec(intent.Intent{Domain: registry.DomainRef{Owner: owner, Name: "shop"}, Spec: tt.in}, tt.at, shop(), tt.had)
		if diff := cmp.Diff(tt.want, got); diff != "" || !errors.Is(err, tt.fails) {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
		if diff := cmp.Diff(had, tt.had); diff != "" {
			t.Errorf("%s: what it was made from was changed:\n%s", name, diff)
		}
	}
}

func TestWith(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		in   intent.Intent
		want []string
	}{
		"a domain":                      {intent.Intent{Delete: true, Spec: intent.Spec{Domain: &intent.Domain{}}}, []string{"PackageGroup packages/corp", "DomainPolicy packages/shop"}},
		"a repository":                  {intent.Intent{Delete: true, Spec: repositoryOf("a")}, []string{"RepositoryPolicy packages/on-a"}},
		"a repository without a policy": {intent.Intent{Delete: true, Spec: repositoryOf("B")}, nil},
		"a group":                       {intent.Intent{Delete: true, Spec: groupOf("/npm/corp/*")}, nil},
		"a change":                      {intent.Intent{Spec: repositoryOf("a")}, nil},
	} {
		var got []string
		for _, x := range With(tt.in, shop()) {
			got = append(got, x.String())
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if got := With(intent.Intent{Delete: true, Spec: repositoryOf("a")}, nil); got != nil {
		t.Errorf("without a domain: %v", got)
	}
}
