package compile

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"

	api "packhouse.dev/packhouse/api/v1alpha1"
	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/config"
)

func aKey(at string, age int, role string) api.AccessKey {
	return api.AccessKey{ObjectMeta: meta(at, age), Spec: api.AccessKeySpec{ServiceAccountName: role}}
}

// keyed is base with a key of a service account and one of another namespace's user.
func keyed() Objects {
	o := base()
	o.AccessKeys = []api.AccessKey{aKey("ci", 20, "builder"), aKey("team/bob", 10, "")}
	o.Keys = map[types.NamespacedName][]Key{
		{Namespace: "default", Name: "ci"}: {{Secret: "ci-1", ID: "AKIA1"}, {Secret: "ci-2", ID: "AKIA2"}},
		{Namespace: "team", Name: "bob"}:   {{Secret: "bob", ID: "AKIA3"}},
	}
	o.ServiceAccounts = []config.ServiceAccount{{Namespace: "team", Name: "a", UID: "u-3"}, {Namespace: "default", Name: "builder", UID: "u-1"}, {Namespace: "default", Name: "a", UID: "u-2"}}
	return o
}

func TestAccessKeys(t *testing.T) {
	team := registry.DeriveAccount("team")
	ci, bob := "default/ci 111122223333 builder [AKIA1 AKIA2]", "team/bob "+team+"  [AKIA3]"
	at := func(namespace, name string) types.NamespacedName {
		return types.NamespacedName{Namespace: namespace, Name: name}
	}
	second := func(o *Objects) {
		o.Registries = append(o.Registries, api.Registry{ObjectMeta: meta("team/mine", 1), Spec: api.RegistrySpec{AllowedNamespaces: &api.AllowedNamespaces{All: true}}})
	}
	for name, tt := range map[string]struct {
		before   func(*Objects) // of what was compiled before; nil: nothing was
		edit     func(*Objects)
		want     []string
		problems string
	}{
		"all is well": {nil, func(*Objects) {}, []string{ci, bob}, ""},
		"without a cluster every service account is one": {nil, func(o *Objects) { o.ServiceAccounts = nil }, []string{ci, bob}, ""},
		"a service account that is gone":                 {nil, func(o *Objects) { o.ServiceAccounts = o.ServiceAccounts[:1] }, []string{bob}, "AccessKey default/ci ResolvedRefs RefNotFound: there is no ServiceAccount builder in namespace default; the key is not taken"},
		"one Secret lacks something": {nil, func(o *Objects) {
			o.Keys[at("default", "ci")][1] = Key{Secret: "ci-2", Problem: "Secret ci-2 has no AWS_ACCESS_KEY_ID"}
		},
			[]string{"default/ci 111122223333 builder [AKIA1]", bob}, "AccessKey default/ci ResolvedRefs InvalidSecret: Secret ci-2 has no AWS_ACCESS_KEY_ID"},
		"the same key twice": {nil, func(o *Objects) { o.Keys[at("default", "ci")][1].ID = "AKIA1" },
			[]string{"default/ci 111122223333 builder [AKIA1]", bob}, "AccessKey default/ci ResolvedRefs InvalidSecret: Secret ci-2 has the same key as another of this object"},
		"another's key": {nil, func(o *Objects) { o.Keys[at("team", "bob")][0].ID = "AKIA1" },
			[]string{ci, "team/bob " + team + "  []"}, "AccessKey team/bob ResolvedRefs Conflicted: the key in Secret bob is another's already"},
		"another's key, by one that is older": {func(o *Objects) { o.AccessKeys[1].CreationTimestamp = meta("", 99).CreationTimestamp }, func(o *Objects) { o.Keys[at("team", "bob")][0].ID = "AKIA1" },
			[]string{ci, "team/bob " + team + "  []"}, "AccessKey team/bob ResolvedRefs Conflicted"},
		"another's key, that it has given up": {func(*Objects) {}, func(o *Objects) {
			o.Keys[at("team", "bob")][0].ID, o.Keys[at("default", "ci")] = "AKIA1", o.Keys[at("default", "ci")][1:]
		}, []string{"default/ci 111122223333 builder [AKIA2]", "team/bob " + team + "  [AKIA1]"}, ""},
		"an account of two namespaces": {nil, func(o *Objects) {
			o.Registries[0].Spec.Accounts = append(o.Registries[0].Spec.Accounts, api.Account{Namespace: "other", ID: team})
		}, []string{ci}, "AccessKey team/bob Accepted AccountConflict"},
		"two registries": {nil, second, nil, "AccessKey default/ci Accepted Ambiguous: there are 2 registries: name one in registryRef\nAccessKey team/bob Accepted Ambiguous"},
		"a second registry takes nothing": {nil, func(o *Objects) {
			second(o)
			o.AccessKeys[0].Status.Registry, o.AccessKeys[1].Spec.RegistryRef = "default/default", &api.Ref{Namespace: "default", Name: "default"}
		}, []string{ci, bob}, ""},
		"of another registry": {nil, func(o *Objects) { o.AccessKeys[1].Spec.RegistryRef = &api.Ref{Name: "mine"} }, []string{ci}, ""},
		"of one that is gone": {nil, func(o *Objects) { o.AccessKeys[0].Status.Registry = "gone/default" }, []string{bob}, ""},
	} {
		o, previous := keyed(), Documents{}
		if tt.before != nil {
			tt.before(&o)
			previous = Compile(o, Documents{}, options).Documents
		}
		tt.edit(&o)
		got := Compile(o, previous, options)
		var have []string
		for _, k := range got.Registry.AccessKeys {
			have = append(have, fmt.Sprint(k.Source.Namespace, "/", k.Source.Name, " ", k.Account, " ", k.Role, " ", k.IDs))
		}
		if diff := cmp.Diff(tt.want, have); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		got.Conditions = slices.DeleteFunc(got.Conditions, func(c Condition) bool { return c.Object.Kind != "AccessKey" })
		if said := problems(got); tt.problems == "" && said != "" || !strings.HasPrefix(said, tt.problems) {
			t.Errorf("%s: said %q, want %q", name, said, tt.problems)
		}
	}
}

func TestAccessKeyStatus(t *testing.T) {
	got := Compile(keyed(), Documents{}, options).Keys
	want := []KeyState{
		{Object{"AccessKey", "default", "ci"}, "arn:aws:sts::111122223333:assumed-role/builder/ci", []api.ActiveKey{{Secret: "ci-1", ID: "AKIA1"}, {Secret: "ci-2", ID: "AKIA2"}}},
		{Object{"AccessKey", "team", "bob"}, "arn:aws:iam::" + registry.DeriveAccount("team") + ":user/bob", []api.ActiveKey{{Secret: "bob", ID: "AKIA3"}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Service accounts stand in the document where a policy could let them have tokens, and only there.
func TestServiceAccounts(t *testing.T) {
	o := keyed()
	if got := Compile(o, Documents{}, options).Registry.ServiceAccounts; len(got) != 0 {
		t.Errorf("without a policy: %v", got)
	}
	o.IdentityPolicies = []api.IdentityPolicy{{ObjectMeta: meta("p", 1), Spec: api.IdentityPolicySpec{Subjects: []api.PolicySubject{{Everyone: true}}, ManagedPolicies: []api.ManagedPolicy{"AWSCodeArtifactReadOnlyAccess"}}}}
	want := []config.ServiceAccount{{Namespace: "default", Name: "a", UID: "u-2"}, {Namespace: "default", Name: "builder", UID: "u-1"}}
	first := Compile(o, Documents{}, options)
	if got := first.Registry.ServiceAccounts; !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
	o.ServiceAccounts = o.ServiceAccounts[2:] // one that is gone does not stay
	if got := Compile(o, first.Documents, options).Registry.ServiceAccounts; !slices.Equal(got, want[:1]) {
		t.Errorf("got %v", got)
	}
}
