package compile

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	api "packhouse.dev/packhouse/api/v1alpha1"
	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/config"
)

var options = Options{
	Registry:       types.NamespacedName{Namespace: "default", Name: "default"},
	Presets:        []Preset{{Name: "public:npmjs", Format: "npm", URL: "https://registry.yarnpkg.com"}, {Name: "public:pypi", Format: "pypi", URL: "https://pypi.org/simple/"}},
	DefaultAccount: "111122223333",
}

// meta makes the metadata of "namespace/name" that is as many seconds old as age says.
func meta(at string, age int) metav1.ObjectMeta {
	namespace, name, ok := strings.Cut(at, "/")
	if !ok {
		namespace, name = "default", at
	}
	return metav1.ObjectMeta{
		Namespace: namespace, Name: name, UID: types.UID("uid-" + at), Generation: 1,
		CreationTimestamp: metav1.NewTime(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(-time.Duration(age) * time.Second)),
	}
}

func aDomain(at string, age int, edits ...func(*api.Domain)) api.Domain {
	d := api.Domain{ObjectMeta: meta(at, age)}
	for _, e := range edits {
		e(&d)
	}
	return d
}

func aRepository(at string, age int, edits ...func(*api.Repository)) api.Repository {
	r := api.Repository{ObjectMeta: meta(at, age), Spec: api.RepositorySpec{DomainRef: api.Ref{Name: "d1"}}}
	for _, e := range edits {
		e(&r)
	}
	return r
}

func upstreams(names ...string) func(*api.Repository) {
	return func(r *api.Repository) {
		for _, n := range names {
			r.Spec.Upstreams = append(r.Spec.Upstreams, api.Upstream{Name: n})
		}
	}
}

func connections(names ...string) func(*api.Repository) {
	return func(r *api.Repository) {
		for _, n := range names {
			r.Spec.ExternalConnections = append(r.Spec.ExternalConnections, api.ConnectionRef{Name: n})
		}
	}
}

func anOrigin(at string, age int, repo, pkg string, publish, upstream api.Restriction) api.PackageOriginConfiguration {
	return api.PackageOriginConfiguration{ObjectMeta: meta(at, age), Spec: api.PackageOriginConfigurationSpec{
		RepositoryRef: api.Ref{Name: repo}, Package: api.PackageName{Format: "npm", Name: pkg}, Publish: publish, Upstream: upstream,
	}}
}

func base() Objects {
	return Objects{
		Registries:   []api.Registry{{ObjectMeta: meta("default", 99)}},
		Domains:      []api.Domain{aDomain("d1", 50)},
		Repositories: []api.Repository{aRepository("app", 40, upstreams("store")), aRepository("store", 41, connections("public:npmjs"))},
		Origins:      []api.PackageOriginConfiguration{anOrigin("p1", 30, "app", "lodash", "Block", "Allow")},
	}
}

// sketch writes documents in short: "d1: app<store {npm/lodash BLOCK ALLOW}; store<public:npmjs".
func sketch(d Documents) string {
	var out []string
	for _, dom := range d.Domains {
		var repos []string
		for _, r := range dom.Repositories {
			s := r.Name + "<" + strings.Join(append(slices.Clone(r.Upstreams), r.Connections...), ",")
			for _, p := range r.Packages {
				s += fmt.Sprintf(" {%s/%s %s %s}", p.Format, p.Name, p.Publish, p.Upstream)
			}
			repos = append(repos, s)
		}
		out = append(out, fmt.Sprintf("%s %s: %s", dom.Owner, dom.Name, strings.Join(repos, "; ")))
	}
	return strings.Join(out, "\n")
}

func problems(r *Result) string {
	var out []string
	for _, c := range r.Problems() {
		out = append(out, fmt.Sprintf("%s %s %s: %s", c.Object, c.Type, c.Reason, c.Message))
	}
	return strings.Join(out, "\n")
}

func TestCompile(t *testing.T) {
	const good = "111122223333 d1: app<store {npm/lodash BLOCK ALLOW}; store<public:npmjs"
	for name, tt := range map[string]struct {
		edit     func(*Objects)
		want     string
		problems string
	}{
		"samples": {func(*Objects) {}, good, ""},
		"unknown upstream": {
			func(o *Objects) { upstreams("gone")(&o.Repositories[0]) }, good,
			"Repository default/app ResolvedRefs RefNotFound: upstream gone is no repository of domain d1",
		},
		"deleted upstream": {
			func(o *Objects) { o.Repositories = o.Repositories[:1] }, "111122223333 d1: app< {npm/lodash BLOCK ALLOW}",
			"Repository default/app ResolvedRefs RefNotFound: upstream store is no repository of domain d1",
		},
		"unknown connection": {
			func(o *Objects) { o.Repositories[1].Spec.ExternalConnections[0].Name = "public:nothing" },
			"111122223333 d1: app<store {npm/lodash BLOCK ALLOW}; store<", "Repository default/store ResolvedRefs RefNotFound: there is no preset public:nothing",
		},
		"mixed sources": {
			func(o *Objects) { connections("public:npmjs")(&o.Repositories[0]) }, good,
			"Repository default/app Accepted Invalid: public:npmjs is not asked: a repository has either upstreams or an external connection (mixedSources)",
		},
		"mixed sources allowed": {
			func(o *Objects) {
				connections("public:npmjs")(&o.Repositories[0])
				o.Registries[0].Spec.Limits.MixedSources = true
			}, "111122223333 d1: app<store,public:npmjs {npm/lodash BLOCK ALLOW}; store<public:npmjs", "",
		},
		"two connections": {
			func(o *Objects) { connections("public:pypi")(&o.Repositories[1]) }, good,
			"Repository default/store Accepted Invalid: public:pypi is beyond the limit of 1 (externalConnectionsPerRepository) and is not asked",
		},
		"two objects of one name": {
			func(o *Objects) {
				o.Repositories = append(o.Repositories, aRepository("a-younger", 1, func(r *api.Repository) { r.Spec.Name = "app" }))
			}, good, `Repository default/a-younger Accepted NameConflict: Repository default/app is older and has the name "app"`,
		},
		"another namespace's domain": {
			func(o *Objects) {
				o.Repositories = append(o.Repositories, aRepository("team/x1", 1, func(r *api.Repository) { r.Spec.DomainRef.Namespace = "default" }))
			}, good, "Repository team/x1 Accepted RefNotPermitted: Domain default/d1 is of another namespace, and no policy of it grants CreateRepository",
		},
		"namespace that is not allowed": {
			func(o *Objects) {
				o.Domains = append(o.Domains, aDomain("team/d1", 1, func(d *api.Domain) { d.Spec.RegistryRef = &api.Ref{Name: "default", Namespace: "default"} }))
			}, good, "Domain team/d1 Accepted RefNotPermitted: Registry default/default does not allow domains of namespace team (allowedNamespaces)",
		},
		"namespace allowed by label": {
			func(o *Objects) {
				o.Registries[0].Spec.AllowedNamespaces = &api.AllowedNamespaces{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"packages": "yes"}}}
				o.Namespaces = map[string]Namespace{"team": {Labels: map[string]string{"packages": "yes"}}}
				o.Domains = append(o.Domains, aDomain("team/d1", 1))
			}, good + "\n" + registry.DeriveAccount("team") + " d1: ", "",
		},
		"empty selector selects nothing": {
			func(o *Objects) {
				o.Registries[0].Spec.AllowedNamespaces = &api.AllowedNamespaces{Selector: &metav1.LabelSelector{}}
				o.Domains = append(o.Domains, aDomain("team/d1", 1))
			}, good, "Domain team/d1 Accepted RefNotPermitted: Registry default/default does not allow domains of namespace team (allowedNamespaces)",
		},
		"account that two namespaces claim": {
			func(o *Objects) {
				o.Registries[0].Spec.Accounts = []api.Account{{Namespace: "evil", ID: "111122223333"}}
			}, "",
			"Domain default/d1 Accepted AccountConflict: namespaces default, evil would all be account 111122223333: give each an account of its own in the Registry\n" +
				"PackageOriginConfiguration default/p1 ResolvedRefs RefNotFound: Repository default/app does not exist or is not accepted\n" +
				"Repository default/app ResolvedRefs RefNotFound: Domain default/d1 does not exist or is not accepted\n" +
				"Repository default/store ResolvedRefs RefNotFound: Domain default/d1 does not exist or is not accepted",
		},
		"account of the registry's choice": {
			func(o *Objects) {
				o.Registries[0].Spec.Accounts = []api.Account{{Namespace: "default", ID: "999988887777"}}
			},
			"999988887777 d1: app<store {npm/lodash BLOCK ALLOW}; store<public:npmjs", "",
		},
		"two about one package": {
			func(o *Objects) { o.Origins = append(o.Origins, anOrigin("a0", 1, "app", "lodash", "Allow", "Allow")) }, good,
			"PackageOriginConfiguration default/a0 Accepted Conflicted: PackageOriginConfiguration p1 is older and about the same package",
		},
		"origin that cannot be read blocks": {
			func(o *Objects) { o.Origins[0].Spec.Upstream = "Perhaps" }, "111122223333 d1: app<store {npm/lodash BLOCK BLOCK}; store<public:npmjs",
			"PackageOriginConfiguration default/p1 Accepted Invalid: publish and upstream are Allow or Block",
		},
		"too many upstreams": {
			func(o *Objects) {
				o.Registries[0].Spec.Limits.SearchedUpstreams = 1
				upstreams("last")(&o.Repositories[1])
				o.Repositories[1].Spec.ExternalConnections = nil
				o.Repositories = append(o.Repositories, aRepository("last", 1))
			},
			"111122223333 d1: app<store {npm/lodash BLOCK ALLOW}; last<; store<last",
			"Repository default/app ResolvedRefs SearchTruncated: only the first 1 upstreams are searched (searchedUpstreams)",
		},
		"domain of another registry": {
			func(o *Objects) {
				o.Registries = append(o.Registries, api.Registry{ObjectMeta: meta("other", 1)})
				o.Domains[0].Spec.RegistryRef = &api.Ref{Name: "other"}
			}, "", "",
		},
		"which registry": {
			func(o *Objects) {
				o.Registries = append(o.Registries, api.Registry{ObjectMeta: meta("other", 1)})
				o.Repositories, o.Origins = nil, nil
			}, "",
			"Domain default/d1 Accepted Ambiguous: there are 2 registries: name one in registryRef",
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := base()
			tt.edit(&o)
			got := Compile(o, Documents{}, options)
			if d := cmp.Diff(tt.want, sketch(got.Documents)); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(tt.problems, problems(got)); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestConnections(t *testing.T) {
	custom := func(at string, edit func(*api.ExternalConnection)) api.ExternalConnection {
		x := api.ExternalConnection{ObjectMeta: meta(at, 10), Spec: api.ExternalConnectionSpec{Format: "npm", URL: "https://npm.example.com/", Retain: "All"}}
		edit(&x)
		return x
	}
	none := func(*api.ExternalConnection) {}
	overrides := func(x *api.ExternalConnection) { x.Spec.Overrides = "public:npmjs" }
	for name, tt := range map[string]struct {
		have []api.ExternalConnection
		ask  string
		opt  func(*Options)
		want string // name and address of the connection
		fail string
	}{
		"preset":              {nil, "public:npmjs", nil, "public:npmjs https://registry.yarnpkg.com", ""},
		"address by option":   {nil, "public:npmjs", func(o *Options) { o.URLs = map[string]string{"public:npmjs": "http://127.0.0.1:1/"} }, "public:npmjs http://127.0.0.1:1/", ""},
		"own":                 {[]api.ExternalConnection{custom("mine", none)}, "mine", nil, "default:mine https://npm.example.com/", ""},
		"another namespace's": {[]api.ExternalConnection{custom("team/mine", none)}, "mine", nil, "", "there is no external connection mine"},
		"override":            {[]api.ExternalConnection{custom("mirror", overrides)}, "public:npmjs", nil, "public:npmjs https://npm.example.com/", ""},
		"a tenant's override": {[]api.ExternalConnection{custom("team/mirror", overrides)}, "public:npmjs", nil, "public:npmjs https://registry.yarnpkg.com", "only an ExternalConnection in the namespace of the Registry"},
		"override with another format": {
			[]api.ExternalConnection{custom("mirror", func(x *api.ExternalConnection) { overrides(x); x.Spec.Format = "pypi" })}, "public:npmjs", nil, "", "with another format",
		},
		"credentials in the address": {[]api.ExternalConnection{custom("mine", func(x *api.ExternalConnection) { x.Spec.URL = "https://u:p@h/" })}, "mine", nil, "", "without credentials"},
		"bad lifetime":               {[]api.ExternalConnection{custom("mine", func(x *api.ExternalConnection) { x.Spec.Cache.Index = "-1s" })}, "mine", nil, "", "is not above zero"},
	} {
		t.Run(name, func(t *testing.T) {
			o := base()
			o.Connections = tt.have
			o.Repositories[1].Spec.ExternalConnections[0].Name = tt.ask
			opt := options
			if tt.opt != nil {
				tt.opt(&opt)
			}
			got := Compile(o, Documents{}, opt)
			have := ""
			for _, c := range got.Domains[0].Connections {
				have = c.Identity()
			}
			if have != tt.want || !strings.Contains(problems(got), tt.fail) || tt.fail == "" && problems(got) != "" {
				t.Errorf("connection %q; problems %q", have, problems(got))
			}
		})
	}
}

// encoded is what the data plane would be given.
func encoded(t *testing.T, d Documents) string {
	t.Helper()
	b, err := config.Encode(d.Registry)
	if err != nil {
		t.Fatal(err)
	}
	out := string(b)
	for i := range d.Domains {
		if b, err = config.Encode(&d.Domains[i]); err != nil {
			t.Fatal(err)
		}
		out += "\n" + string(b)
	}
	return out
}

func shuffled[T any](rng *rand.Rand, list []T) []T {
	out := slices.Clone(list)
	rng.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

func TestOrderDoesNotMatter(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	o := base()
	for i := range 5 {
		o.Repositories = append(o.Repositories, aRepository(fmt.Sprintf("r%d", i), 7, upstreams("store", "app")))
		o.Origins = append(o.Origins, anOrigin(fmt.Sprintf("o%d", i), 7, "app", fmt.Sprintf("p%d", i/2), "Allow", "Block"))
	}
	want := Compile(o, Documents{}, options)
	for range 50 {
		p := Objects{
			Registries: o.Registries, Domains: shuffled(rng, o.Domains), Repositories: shuffled(rng, o.Repositories), Origins: shuffled(rng, o.Origins),
		}
		got := Compile(p, Documents{}, options)
		if d := cmp.Diff(encoded(t, want.Documents), encoded(t, got.Documents)); d != "" {
			t.Fatal(d)
		}
		if d := cmp.Diff(want.Conditions, got.Conditions); d != "" {
			t.Fatal(d)
		}
	}
}

// allowed is the set of what documents permit: what is asked of whom, and what may come in by which way.
func allowed(d Documents, packages []string) map[string]bool {
	out := map[string]bool{}
	for _, dom := range d.Domains {
		for _, r := range dom.Repositories {
			for _, s := range append(slices.Clone(r.Upstreams), r.Connections...) {
				out[dom.Name+"/"+r.Name+" asks "+s] = true
			}
			for _, name := range packages {
				publish, upstream := registry.Restriction(""), registry.Restriction("")
				for _, p := range r.Packages {
					if p.Name == name {
						publish, upstream = p.Publish, p.Upstream
						break
					}
				}
				if publish != registry.Block {
					out[dom.Name+"/"+r.Name+" publishes "+name] = true
				}
				if upstream != registry.Block {
					out[dom.Name+"/"+r.Name+" fetches "+name] = true
				}
			}
		}
	}
	return out
}

// Damage to objects, as by another build's schema or a half-read cache, never widens what is allowed (design, 4).
func TestDamageNeverAllowsMore(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	packages := []string{"lodash", "left-pad"}
	for range 500 {
		o := base()
		o.Origins = append(o.Origins, anOrigin("p2", 20, "app", "left-pad", "Allow", "Block"), anOrigin("p3", 20, "store", "left-pad", "Block", "Block"))
		before := Compile(o, Documents{}, options)
		for range 1 + rng.IntN(3) {
			damage(rng, &o)
		}
		for _, previous := range []Documents{before.Documents, {}} {
			after := Compile(o, previous, options)
			was := allowed(before.Documents, packages)
			for what := range allowed(after.Documents, packages) {
				if !was[what] {
					t.Fatalf("after damage it %s:\n%s\n%s", what, sketch(after.Documents), problems(after))
				}
			}
		}
	}
}

func damage(rng *rand.Rand, o *Objects) {
	junk := []string{"", "\x00", "UPPER CASE!", strings.Repeat("x", 300), "public:pypi"}[rng.IntN(5)]
	switch rng.IntN(7) {
	case 0:
		o.Origins[rng.IntN(len(o.Origins))].Spec.Publish = api.Restriction("allow")
	case 1:
		o.Origins[rng.IntN(len(o.Origins))].Spec.Upstream = api.Restriction("ALLOW")
	case 2:
		r := &o.Repositories[rng.IntN(len(o.Repositories))]
		for i := range r.Spec.Upstreams {
			r.Spec.Upstreams[i].Name = junk
		}
	case 3:
		o.Repositories[1].Spec.ExternalConnections[0].Name = "public:" + junk
	case 4:
		o.Domains[0].Spec.RegistryRef = &api.Ref{Name: junk, Namespace: "default"}
	case 5:
		for i := range o.Registries {
			o.Registries[i].Spec.Accounts = append(o.Registries[i].Spec.Accounts, api.Account{Namespace: "default", ID: junk})
		}
	case 6:
		o.Registries = nil
	}
}

func TestUpstreamsThatLeadBack(t *testing.T) {
	got := Compile(Objects{
		Domains: []api.Domain{aDomain("d1", 9)},
		Repositories: []api.Repository{
			aRepository("aa", 8, upstreams("bb")), aRepository("bb", 7, upstreams("cc", "dd")), aRepository("cc", 6, upstreams("aa")),
			aRepository("dd", 5), aRepository("ee", 4, upstreams("aa")),
		},
	}, Documents{}, options)
	want := map[string]string{
		"aa": "its upstreams lead back to it (aa → bb → cc → aa)", "bb": "its upstreams lead back to it (bb → cc → aa → bb)",
		"cc": "its upstreams lead back to it (cc → aa → bb → cc)", "dd": "", "ee": "",
	}
	for _, c := range got.Conditions {
		if c.Object.Kind != "Repository" || c.Type != api.ConditionResolvedRefs {
			continue
		}
		if text := want[c.Object.Name]; c.Status != (text == "") || !strings.HasPrefix(c.Message, text) {
			t.Errorf("%s: %v %s %q, want %q", c.Object.Name, c.Status, c.Reason, c.Message, text)
		}
		delete(want, c.Object.Name)
	}
	if len(want) > 0 {
		t.Errorf("nothing is said of %v", want)
	}
	if s := got.Served[Object{"Repository", "default", "ee"}]; strings.Join(s.Search, " ") != "ee aa bb cc dd" {
		t.Errorf("ee looks in %v", s.Search)
	}
}
