package compile

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	api "packhouse.dev/packhouse/api/v1alpha1"
	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/config"
)

func aProvider(at string, edit func(*api.IdentityProviderSpec)) api.IdentityProvider {
	p := api.IdentityProvider{ObjectMeta: meta(at, 20), Spec: api.IdentityProviderSpec{
		Issuer: "https://token.example.com", Audiences: []string{"b", "a"}, Keys: api.IssuerKeys{URL: "https://token.example.com/keys"},
		Condition: "claims.owner == 'acme'", Principal: api.ProvidedPrincipal{Role: "'ci'", Session: "claims.run"}, Groups: "claims.groups",
	}}
	if edit != nil {
		edit(&p.Spec)
	}
	return p
}

// A provider maps to principals of its own namespace; one that is broken trusts nobody it did not trust before.
func TestProviders(t *testing.T) {
	team := registry.DeriveAccount("team")
	want := []string{"111122223333 default/gh https://token.example.com [a b] https://token.example.com/keys claims.owner == 'acme' 'ci' claims.run claims.groups", team + " team/gh https://token.example.com [a b] https://token.example.com/keys claims.owner == 'acme' 'ci' claims.run claims.groups"}
	for name, tt := range map[string]struct {
		edit     func(*Objects)
		previous bool
		want     []string
		problems string
	}{
		"all is well": {func(*Objects) {}, false, want, ""},
		"a broken expression keeps its last good form": {
			func(o *Objects) { o.IdentityProviders[0].Spec.Condition = "claims.owner ==" }, true, want, "IdentityProvider default/gh Accepted Invalid: invalid: condition: ERROR: <input>:1:16",
		},
		"or trusts nobody": {
			func(o *Objects) { o.IdentityProviders[0].Spec.Principal.Role = "1" }, false, want[1:], "IdentityProvider default/gh Accepted Invalid: invalid: role: gives int, not string; no token of it is accepted",
		},
		"one that takes the same tokens": {func(o *Objects) {
			twin := aProvider("twin", nil)
			twin.CreationTimestamp, twin.Spec.Audiences = meta("", 1).CreationTimestamp, []string{"b", "c"}
			o.IdentityProviders = append(o.IdentityProviders, twin)
		}, false, want, "IdentityProvider default/twin Accepted Conflicted: IdentityProvider gh is older"},
		"one that is gone": {func(o *Objects) { o.IdentityProviders = o.IdentityProviders[1:] }, true, want[1:], ""},
		"an account of two namespaces": {
			func(o *Objects) {
				o.Registries[0].Spec.Accounts = append(o.Registries[0].Spec.Accounts, api.Account{Namespace: "other", ID: team})
			}, true, want[:1], "IdentityProvider team/gh Accepted AccountConflict",
		},
	} {
		o := base()
		o.IdentityProviders = []api.IdentityProvider{aProvider("gh", nil), aProvider("team/gh", nil)}
		var previous Documents
		if tt.previous {
			previous = Compile(o, Documents{}, options).Documents
		}
		tt.edit(&o)
		got := Compile(o, previous, options)
		var have []string
		for _, p := range got.Registry.Providers {
			have = append(have, fmt.Sprint(p.Account, " ", p.Source.Namespace, "/", p.Source.Name, " ", p.Issuer, " ", p.Audiences, " ", p.KeysURL, " ", p.Condition, " ", p.Role, " ", p.Session, " ", p.Groups))
		}
		if diff := cmp.Diff(tt.want, have); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		said := ""
		for _, c := range got.Problems() {
			if c.Object.Kind == "IdentityProvider" {
				said += fmt.Sprintf("%s %s %s: %s", c.Object, c.Type, c.Reason, c.Message)
			}
		}
		if tt.problems == "" && said != "" || !strings.Contains(said, tt.problems) {
			t.Errorf("%s: said %q, want %q", name, said, tt.problems)
		}
	}
}

// The cluster's issuer stays as it was while nobody can tell, and accounts of namespaces stand in the document.
func TestClusterAndAccounts(t *testing.T) {
	opt := options
	opt.Cluster = &config.ClusterIssuer{Issuer: "https://kubernetes.default.svc", Keys: "{}"}
	first := Compile(base(), Documents{}, opt)
	second := Compile(base(), first.Documents, options)
	for i, got := range []*Result{first, second} {
		if got.Registry.Cluster == nil || got.Registry.Cluster.Issuer != opt.Cluster.Issuer {
			t.Errorf("%d: %+v", i, got.Registry.Cluster)
		}
		if !slices.Contains(got.Registry.Accounts, config.Account{Namespace: "default", ID: "111122223333"}) {
			t.Errorf("%d: accounts %+v", i, got.Registry.Accounts)
		}
	}
	if diff := cmp.Diff(first.Documents, second.Documents); diff != "" {
		t.Errorf("the second time (-want +got):\n%s", diff)
	}
	o := base()
	o.Registries[0].Spec.Accounts = []api.Account{{Namespace: "x", ID: "000000000001"}, {Namespace: "y", ID: "000000000001"}}
	if got := Compile(o, Documents{}, options).Registry.ClosedAccounts; !slices.Equal(got, []string{"000000000001"}) {
		t.Errorf("closed: %v", got)
	}
}
