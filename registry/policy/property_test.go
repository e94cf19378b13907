package policy

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// world makes random policies and requests over few names, so that much of it meets.
type world struct{ *rand.Rand }

func pick[T any](w world, from ...T) T { return from[w.IntN(len(from))] }

func (w world) document(kind Kind) *Document {
	doc := &Document{Version: Version}
	for range 1 + w.IntN(4) {
		s := Statement{Effect: pick(w, "Allow", "Allow", "Deny")}
		actions := []string{pick(w, "*", "codeartifact:*", "codeartifact:Read*", "codeartifact:PublishPackageVersion", "codeartifact:PutDomainPermissionsPolicy")}
		resources := []string{pick(w, "*", repoARN("a"), repoARN("*"), packageARN("a", "npm", "*", "*"), domainARN())}
		who := []string{pick(w, "*", owner, other, names().User(owner, "bob"), names().Role(other, "ci"))}
		s.Actions, s.Resources = actions, resources
		if w.IntN(5) == 0 {
			s.Actions, s.NotActions = nil, actions
		}
		if w.IntN(5) == 0 {
			s.Resources, s.NotResources = nil, resources
		}
		if kind == Resource {
			s.Principals = who
			if w.IntN(5) == 0 {
				s.Principals, s.NotPrincipals = nil, who
			}
		}
		for i := range w.IntN(3) {
			c := pick(w, Condition{"IpAddress", "aws:SourceIp", []string{"10.0.0.0/8"}}, Condition{"StringEquals", "aws:PrincipalOrgID", []string{"o-1"}},
				Condition{"Null", "aws:RequestTag/x", []string{"true"}}, Condition{"StringNotEquals", "aws:ResourceTag/t", []string{"1", "2"}})
			if i == 0 || c.Key != s.Conditions[0].Key {
				s.Conditions = append(s.Conditions, c)
			}
		}
		doc.Statements = append(doc.Statements, s)
	}
	return doc
}

func (w world) policy(t *testing.T, kind Kind) *Policy {
	p, err := Compile("p", kind, w.document(kind))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (w world) request(t *testing.T) Request {
	r := Request{
		Principal: pick(w, user(owner, "bob"), user(other, "bob"), session(other, "ci"), root(owner), root(other)),
		Action:    pick(w, "codeartifact:ReadFromRepository", "codeartifact:PublishPackageVersion", "codeartifact:PutDomainPermissionsPolicy", "codeartifact:PutRepositoryPermissionsPolicy", "codeartifact:DescribeDomain"),
		Owner:     owner, Administrator: pick(w, owner, other),
	}
	switch types, _ := On(r.Action); types {
	case OnDomain:
		r.Resource = domainARN()
	case OnPackage:
		r.Resource = packageARN(pick(w, "a", "b"), "npm", "", "x")
	default:
		r.Resource = repoARN(pick(w, "a", "b"))
	}
	w.context(&r)
	for range w.IntN(3) {
		r.Policies.Identity = append(r.Policies.Identity, w.policy(t, Identity))
	}
	if w.IntN(2) == 0 {
		r.Policies.Domain = w.policy(t, Resource)
	}
	if w.IntN(2) == 0 {
		r.Policies.Repository = w.policy(t, Resource)
	}
	return r
}

// context changes what a memo must not depend on.
func (w world) context(r *Request) {
	r.Context.SourceIP = pick(w, netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("11.0.0.1"), netip.Addr{})
	r.Context.RequestTags = pick(w, nil, map[string]string{"x": "1"})
}

func (w world) repeat(t *testing.T, n int, f func(r Request)) {
	for range n {
		r := w.request(t)
		r.Context.Organization = pick(w, "", "o-1")
		r.Context.ResourceTags = pick(w, nil, map[string]string{"t": "1"})
		f(r)
	}
}

func newWorld(t *testing.T) world {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return world{rand.New(rand.NewPCG(seed, 0))}
}

// shuffled is a policy with its statements in another order.
func (w world) shuffled(p *Policy) *Policy {
	if p == nil {
		return nil
	}
	out := *p
	out.statements = slices.Clone(p.statements)
	w.Shuffle(len(out.statements), func(i, j int) { out.statements[i], out.statements[j] = out.statements[j], out.statements[i] })
	return &out
}

func TestOrderDoesNotMatter(t *testing.T) {
	w := newWorld(t)
	effects := map[Effect]int{}
	w.repeat(t, 20_000, func(r Request) {
		want := Evaluate(r)
		effects[want.Effect]++
		q := r
		q.Policies.Domain, q.Policies.Repository = w.shuffled(r.Policies.Domain), w.shuffled(r.Policies.Repository)
		q.Policies.Identity = nil
		for _, i := range w.Perm(len(r.Policies.Identity)) {
			q.Policies.Identity = append(q.Policies.Identity, w.shuffled(r.Policies.Identity[i]))
		}
		if got := Evaluate(q); got.Effect != want.Effect || got.Volatile != want.Volatile {
			t.Fatalf("%s %v, in another order %s %v", want.Effect, want.Volatile, got.Effect, got.Volatile)
		}
	})
	if len(effects) != 3 {
		t.Errorf("the worlds are too plain: %v", effects)
	}
}

// A further deny never allows more, a further allow never less, and whatever is denied explicitly stays so.
func TestMonotone(t *testing.T) {
	w := newWorld(t)
	all := func(effect string) *Policy {
		return mustRead(t, Identity, `{"Statement": {"Effect": "`+effect+`", "Action": "*", "Resource": "*"}}`)
	}
	w.repeat(t, 20_000, func(r Request) {
		was := Evaluate(r)
		q := r
		extra := w.policy(t, Identity)
		q.Policies.Identity = append(slices.Clone(r.Policies.Identity), extra)
		got := Evaluate(q)
		denies := slices.ContainsFunc(extra.statements, func(s statement) bool { return s.deny })
		allows := slices.ContainsFunc(extra.statements, func(s statement) bool { return !s.deny })
		switch {
		case !allows && got.Allowed() && !was.Allowed():
			t.Fatal("a deny allowed more")
		case !denies && !got.Allowed() && was.Allowed():
			t.Fatal("an allow allowed less")
		case was.Effect == ExplicitDeny && got.Effect != ExplicitDeny:
			t.Fatal("an explicit deny was lifted")
		}
		q.Policies.Identity = append(slices.Clone(r.Policies.Identity), all("Deny"))
		if Evaluate(q).Effect != ExplicitDeny {
			t.Fatal("denying everything did not")
		}
		q.Policies.Identity = append(slices.Clone(r.Policies.Identity), all("Allow"))
		if d := Evaluate(q); d.Effect == ImplicitDeny && r.Principal.Account == owner {
			t.Fatal("allowing everything did not, in the own account")
		}
	})
}

// A decision that is not volatile is the same from every address and with all tags: it can be memoised.
func TestMemoIsSafe(t *testing.T) {
	w := newWorld(t)
	volatile := 0
	w.repeat(t, 20_000, func(r Request) {
		d := Evaluate(r)
		if d.Volatile {
			volatile++
			return
		}
		for range 5 {
			w.context(&r)
			if got := Evaluate(r); got.Allowed() != d.Allowed() || got.Volatile {
				t.Fatalf("%s became %s (volatile %v)", d.Effect, got.Effect, got.Volatile)
			}
		}
	})
	if volatile == 0 {
		t.Error("no decision was volatile")
	}
}

// The trace says which statement decided, and its effect is the decision's.
func TestTrace(t *testing.T) {
	w := newWorld(t)
	w.repeat(t, 5_000, func(r Request) {
		d, steps := Explain(r)
		if d != Evaluate(r) {
			t.Fatal("the explanation is of another decision")
		}
		if d.Reason() == "" {
			t.Fatal("no reason")
		}
		if d.Effect == ExplicitDeny || d.Why == IdentityStatement || d.Why == ResourceStatement {
			at := slices.IndexFunc(steps, func(s Step) bool { return s.By == d.By })
			if at < 0 || steps[at].Result != Holds || steps[at].Deny != (d.Effect == ExplicitDeny) {
				t.Fatalf("%s by %v, but %v", d.Effect, d.By, steps)
			}
		}
	})
	r := ask(user(other, "bob"), "codeartifact:ReadFromRepository", repoARN("r"), func(r *Request) {
		r.Policies.Domain, _ = Read("DomainPolicy team/my-domain", Resource, []byte(strings.Replace(protectAll, "DeleteRepository", "Read*", 1)))
	})
	if got, want := Evaluate(r).Reason(), "explicitly denied by statement 1 (DenyRepositoryDeletion) of DomainPolicy team/my-domain"; got != want {
		t.Errorf("reason = %q", got)
	}
}

func TestActions(t *testing.T) {
	seen := map[string]bool{}
	for _, a := range Actions() {
		if seen[a] {
			t.Errorf("%s is there twice", a)
		}
		seen[a] = true
		if _, known := On(a); !known {
			t.Errorf("%s is listed and not known", a)
		}
	}
	if len(seen) != 52 { // 48 operations, 3 permissions without one, and sts:GetServiceBearerToken
		t.Errorf("%d actions", len(seen))
	}
	for action, want := range map[string]ResourceTypes{
		"codeartifact:ReadFromRepository": OnRepository, "codeartifact:CopyPackageVersions": OnPackage | OnRepository, "codeartifact:PutPackageMetadata": OnPackage,
		"codeartifact:TagResource": OnDomain | OnRepository | OnPackageGroup, "codeartifact:ListDomains": OnNothing, "codeartifact:UpdatePackageGroup": OnPackageGroup,
	} {
		if got, _ := On(action); got != want {
			t.Errorf("%s is on %b", action, got)
		}
	}
	if _, known := On("codeartifact:GetWidget"); known {
		t.Error("GetWidget is known")
	}
}

func TestTypeOf(t *testing.T) {
	for arn, want := range map[string]ResourceTypes{
		domainARN(): OnDomain, repoARN("r"): OnRepository, packageARN("r", "npm", "", "react"): OnPackage, groupARN("/npm/%2a"): OnPackageGroup,
		"*": OnNothing, "": OnNothing, "arn:aws:codeartifact:r": OnNothing, "arn:aws:s3:::codeartifact": OnNothing,
	} {
		if got := TypeOf(arn); got != want {
			t.Errorf("TypeOf(%q) = %b", arn, got)
		}
	}
	// The forms of the guide ("AWS CodeArtifact resources and operations", "Grant write access to packages", "Package group ARNs").
	for got, want := range map[string]string{
		packageARN("my_repo", "npm", "parity", "ui"): "arn:aws:codeartifact:region-id:111122223333:package/my_domain/my_repo/npm/parity/ui",
		packageARN("my_repo", "npm", "", "react"):    "arn:aws:codeartifact:region-id:111122223333:package/my_domain/my_repo/npm//react",
		groupARN("/%2a"):                    "arn:aws:codeartifact:region-id:111122223333:package-group/my_domain/%2a",
		repoARN("my_repo"):                  "arn:aws:codeartifact:region-id:111122223333:repository/my_domain/my_repo",
		domainARN():                         "arn:aws:codeartifact:region-id:111122223333:domain/my_domain",
		names().Session(owner, "ci", "pod"): "arn:aws:sts::111122223333:assumed-role/ci/pod",
		names().Root(owner) + names().Role(owner, "ci"):                  "arn:aws:iam::111122223333:rootarn:aws:iam::111122223333:role/ci",
		names().User(owner, "bob"):                                       "arn:aws:iam::111122223333:user/bob",
		session(owner, "ci").identityARN() + user(owner, "b").kind():     "arn:aws:iam::111122223333:role/ciUser",
		fmt.Sprint(root(owner).kind(), user(owner, "team/b").userName()): "Accountb",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestIdentities(t *testing.T) {
	named := func(name string) *Policy {
		p, err := Read(name, Identity, []byte(readOnlyAccess))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	all, ci, bob, devs := named("all"), named("ci"), named("bob"), named("devs")
	table := NewIdentities([]Attached{
		{all, []Subject{{owner, Everybody, ""}}}, {ci, []Subject{{owner, RoleSubject, "ci"}, {other, RoleSubject, "ci"}}},
		{bob, []Subject{{owner, UserSubject, "bob"}}}, {devs, []Subject{{owner, GroupSubject, "devs"}}},
	})
	for _, tt := range []struct {
		who    Principal
		groups []string
		want   string
	}{
		{session(owner, "ci"), nil, "all ci"}, {session(other, "ci"), nil, "ci"}, {user(owner, "bob"), []string{"devs", "ops"}, "all bob devs"},
		{user(other, "bob"), nil, ""}, {user(owner, "ci"), nil, "all"}, {root(owner), nil, ""}, {Principal{}, nil, ""},
		{Principal{ARN: names().User(owner, "bob"), Account: other}, nil, ""}, // an ARN of another account proves nothing
		{Principal{ARN: "arn:aws:iam::" + owner + ":assumed-role/ci/x", Account: owner}, nil, "all"},
	} {
		var got []string
		for _, p := range table.Of(tt.who, tt.groups...) {
			got = append(got, p.Name())
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: %v, want %s", tt.who.ARN, got, tt.want)
		}
	}
	if (*Identities)(nil).Of(user(owner, "bob")) != nil {
		t.Error("no table has policies")
	}
}

// A substituted value is text, never a pattern.
func TestVariablesAreLiteral(t *testing.T) {
	p := allowOn(t, "codeartifact:ReadFromRepository", "arn:aws:codeartifact:*:*:repository/my_domain/${aws:username}")
	for name, want := range map[string]bool{"bob": true, "alice": false, "*": false, "b?b": false} {
		r := ask(user(owner, name), "codeartifact:ReadFromRepository", repoARN("bob"), func(r *Request) { r.Policies.Identity = []*Policy{p} })
		if got := Evaluate(r).Allowed(); got != want {
			t.Errorf("user %q: %v", name, got)
		}
	}
	r := ask(session(owner, "bob"), "codeartifact:ReadFromRepository", repoARN(""), func(r *Request) { r.Policies.Identity = []*Policy{p} })
	if Evaluate(r).Allowed() {
		t.Error("a variable without a value is taken for empty")
	}
}

func benchRequest(tb testing.TB) Request {
	return ask(session(other, "ci"), "codeartifact:ReadFromRepository", repoARN("unit-test"), func(r *Request) {
		r.Context.SourceIP = netip.MustParseAddr("10.0.0.1")
		r.Policies = Policies{
			Identity: []*Policy{mustRead(tb, Identity, someRepositories), mustRead(tb, Identity, tagsExample2)},
			Domain:   mustRead(tb, Resource, organization), Repository: mustRead(tb, Resource, grantReadAndList),
		}
	})
}

func TestEvaluateDoesNotAllocate(t *testing.T) {
	r := benchRequest(t)
	if !Evaluate(r).Allowed() {
		t.Fatal("denied")
	}
	if n := testing.AllocsPerRun(100, func() { Evaluate(r) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkEvaluate(b *testing.B) {
	r := benchRequest(b)
	b.ReportAllocs()
	for b.Loop() {
		Evaluate(r)
	}
}
