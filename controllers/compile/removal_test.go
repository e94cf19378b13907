package compile

import (
	"slices"
	"strings"
	"testing"

	api "packhouse.dev/packhouse/api/v1alpha1"
	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/config"
)

func TestRemovalDenied(t *testing.T) {
	everyone := api.PolicyPrincipal{Everyone: true}
	of := func(effect api.PolicyEffect, action, resource string, who ...api.PolicyPrincipal) api.DomainPolicy {
		s := statement(effect, action, who...)
		s.Resources = []api.PolicyResource{api.PolicyResource(resource)}
		return aDomainPolicy("dp", 20, s)
	}
	const noDelete = `{` + version + `,"Statement":[{"Effect":"Deny","Principal":"*","Action":"codeartifact:DeleteRepository","Resource":"*"}]}`
	tests := map[string]struct {
		domain     []api.DomainPolicy
		repository []api.RepositoryPolicy
		retained   []string
		denied     string // the objects that keep their content
		because    string
	}{
		"no policy":                         {},
		"allowed is not needed":             {domain: []api.DomainPolicy{of("Allow", "ReadFromRepository", "*", everyone)}},
		"the domain's policy":               {domain: []api.DomainPolicy{of("Deny", "DeleteRepository", "*", everyone)}, denied: "app d1 store", because: "codeartifact:DeleteRepository"},
		"one repository, and so its domain": {domain: []api.DomainPolicy{of("Deny", "DeleteRepository", "arn:aws:codeartifact:*:*:repository/d1/app", everyone)}, denied: "app d1"},
		"a repository's policy":             {repository: []api.RepositoryPolicy{aRepositoryPolicy("rp", 20, "app", noDelete)}, denied: "app d1"},
		"the domain only":                   {domain: []api.DomainPolicy{of("Deny", "DeleteDomain", "*", everyone)}, denied: "d1", because: "codeartifact:DeleteDomain"},
		"somebody else":                     {domain: []api.DomainPolicy{of("Deny", "DeleteRepository", "*", api.PolicyPrincipal{Namespace: "team"})}},
		"another action":                    {domain: []api.DomainPolicy{of("Deny", "CreateRepository", "*", everyone)}},
		"one that is kept already":          {domain: []api.DomainPolicy{of("Deny", "DeleteRepository", "arn:aws:codeartifact:*:*:repository/d1/old", everyone)}, retained: []string{"old"}, denied: "d1"},
		"one that is not":                   {domain: []api.DomainPolicy{of("Deny", "DeleteRepository", "arn:aws:codeartifact:*:*:repository/d1/old", everyone)}, retained: []string{"new"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			o := base()
			o.DomainPolicies, o.RepositoryPolicies = tt.domain, tt.repository
			d := Compile(o, Documents{}, options).Documents
			retained := func(registry.DomainRef) []string { return tt.retained }
			var denied []string
			ask := func(name string, s config.Source) {
				because := RemovalDenied(d, s, retained)
				if because == "" {
					return
				}
				denied = append(denied, name)
				if !strings.Contains(because, tt.because) {
					t.Errorf("%s: %s", name, because)
				}
				s.UID += "another"
				if because := RemovalDenied(d, s, retained); because != "" {
					t.Errorf("another object of the name %s: %s", name, because)
				}
			}
			for _, dom := range d.Domains {
				ask(dom.Name, dom.Source)
				for _, r := range dom.Repositories {
					ask(r.Name, r.Source)
				}
			}
			slices.Sort(denied)
			if got := strings.Join(denied, " "); got != tt.denied {
				t.Errorf("denied %q, want %q", got, tt.denied)
			}
		})
	}
}
