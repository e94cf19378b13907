package compile

import (
	"strings"
	"testing"

	api "packhouse.dev/packhouse/api/v1alpha1"
	"packhouse.dev/packhouse/registry"
)

// TestEndpointPolicies: an address has a policy in either form; a broken one keeps its last good form, and closes the address if there
// is none. Other addresses have none.
func TestEndpointPolicies(t *testing.T) {
	typed := &api.ResourcePolicy{Statements: []api.ResourceStatement{{
		Principals: []api.PolicyPrincipal{{Namespace: "team"}}, PolicyStatement: api.PolicyStatement{Effect: "Allow", Actions: []api.PolicyAction{"ReadFromRepository"}, Resources: []api.PolicyResource{"*"}},
	}}}
	good := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["arn:aws:iam::` + registry.DeriveAccount("team") + `:root"]},"Action":["codeartifact:ReadFromRepository"],"Resource":["*"]}]}`
	broken := &api.ResourcePolicy{Document: `{"Statement":[{"Effect":"Alow"}]}`}
	const why = `Registry default/default Accepted Invalid: policy of endpoint public: statement 1: Effect: "Alow" is neither Allow nor Deny; `
	world := func(p *api.ResourcePolicy) Objects {
		o := base()
		o.Registries[0].Spec.Endpoints = []api.Endpoint{{Name: "inside", URL: "http://inside/"}, {Name: "public", URL: "https://packages.example.com", Policy: p}}
		return o
	}
	for name, tt := range map[string]struct {
		policy, before *api.ResourcePolicy
		want, problems string
	}{
		"none":                {nil, typed, "", ""},
		"statements":          {typed, nil, good, ""},
		"a document":          {&api.ResourcePolicy{Document: good}, nil, good, ""},
		"broken":              {broken, nil, denyAll, why + "there is no earlier form, so nothing may be done through it"},
		"broken, it was good": {broken, typed, good, why + "its last good form stays in force"},
		"nobody named":        {&api.ResourcePolicy{Statements: []api.ResourceStatement{{PolicyStatement: typed.Statements[0].PolicyStatement}}}, nil, denyAll, "Registry default/default Accepted Invalid: policy of endpoint public: "},
	} {
		t.Run(name, func(t *testing.T) {
			got := Compile(world(tt.policy), Compile(world(tt.before), Documents{}, options).Documents, options)
			inside, public := got.Registry.Endpoints[0], got.Registry.Endpoints[1]
			text := ""
			if public.Policy != nil {
				text = public.Policy.Document
			}
			if text != tt.want || inside.Policy != nil {
				t.Errorf("got %s and %+v, want %s", text, inside.Policy, tt.want)
			}
			if said := problems(got); !strings.HasPrefix(said, tt.problems) || tt.problems == "" && said != "" {
				t.Errorf("said %q, want %q", said, tt.problems)
			}
		})
	}
}
