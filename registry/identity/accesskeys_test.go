package identity

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/policy"
)

func source(kind, name, uid string) config.Source {
	return config.Source{Kind: kind, Namespace: "team", Name: name, UID: uid}
}

func TestAccessKeys(t *testing.T) {
	trusted := compile(t, &config.Registry{AccessKeys: []config.AccessKey{
		{Source: source("AccessKey", "ci-key", "k-1"), Account: account, Role: "ci", IDs: []string{"AKIA1", "AKIA2"}},
		{Source: source("AccessKey", "bob", "k-2"), Account: account, IDs: []string{"AKIA3", "AKIA4"}},
		{Source: source("AccessKey", "eve", "k-3"), Account: "999999999999", IDs: []string{"AKIA4", "AKIA5"}},
		{Source: source("AccessKey", "later", "k-4"), Account: "999999999999", IDs: []string{"AKIA4"}},
	}})
	ci := &AccessKey{Principal: policy.Principal{ARN: "arn:aws:sts::" + account + ":assumed-role/ci/ci-key", Account: account, UserID: "k-1:ci-key"}, Source: "AccessKey k-1"}
	for id, want := range map[string]*AccessKey{
		"AKIA1": ci, "AKIA2": ci,
		"AKIA3": {Principal: policy.Principal{ARN: "arn:aws:iam::" + account + ":user/bob", Account: account, UserID: "k-2"}, Source: "AccessKey k-2"},
		"AKIA4": nil, // two have it: nobody can tell whose it is
		"AKIA5": {Principal: policy.Principal{ARN: "arn:aws:iam::999999999999:user/eve", Account: "999999999999", UserID: "k-3"}, Source: "AccessKey k-3"},
		"AKIA6": nil, "": nil,
	} {
		if diff := cmp.Diff(want, trusted.AccessKey(id)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", id, diff)
		}
	}
}

// Tokens live as long as what they were issued for, and those that were issued for something else are not asked about.
func TestVouches(t *testing.T) {
	broken := github("", nil)
	trusted, _ := Compile(&config.Registry{
		Providers:       []config.IdentityProvider{broken},
		AccessKeys:      []config.AccessKey{{Source: source("AccessKey", "ci", "k-1"), Account: account}},
		ServiceAccounts: []config.ServiceAccount{{Namespace: "team", Name: "ci", UID: "u-1"}},
	}, accountOf)
	for source, want := range map[string]bool{
		"IdentityProvider uid-1": true, "AccessKey k-1": true, "ServiceAccount u-1": true, "packhouse dev": true, "packhouse login": true, "": true,
		"IdentityProvider k-1": false, "AccessKey u-1": false, "ServiceAccount u-2": false, "ServiceAccount": false, "AccessKey ": false,
	} {
		if got := trusted.Vouches(source); got != want {
			t.Errorf("%q: %v", source, got)
		}
	}
}

func TestCheckKey(t *testing.T) {
	for id, ok := range map[string]bool{"AKIAIOSFODNN7EXAMPLE": true, "": false, "AKIA": false, strings.Repeat("A", 129): false, "AKIAIOSFODNN7EXAM/LE": false, "AKIAIOSFODNN7EXAMPL\n": false} {
		if err := CheckKeyID(id); (err == nil) != ok {
			t.Errorf("%q: %v", id, err)
		}
	}
	for secret, ok := range map[string]bool{"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY": true, "": false, "short": false, strings.Repeat("x", 257): false, strings.Repeat("x", 40) + "\n": false, strings.Repeat("ä", 40): false} {
		err := CheckKeySecret(secret)
		if (err == nil) != ok || err != nil && secret != "" && strings.Contains(err.Error(), secret) {
			t.Errorf("%q: %v", secret, err)
		}
	}
}
