package repository_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/format"
	"packhouse.dev/packhouse/registry/format/formattest"
	"packhouse.dev/packhouse/registry/policy"
	"packhouse.dev/packhouse/registry/repository"
)

const foreign = "123456789012"

// ci is a session of the role of a service account.
func ci(account string) policy.Principal {
	return policy.Principal{ARN: "arn:aws:sts::" + account + ":assumed-role/ci/pod-1", Account: account}
}

// statement writes a document of one statement; more are further elements.
func statement(effect, principal, action, resource string, more ...string) string {
	who := ""
	if principal != "" {
		who = fmt.Sprintf(`"Principal":{"AWS":%q},`, principal)
	}
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":{"Sid":"S1","Effect":%q,%s"Action":"codeartifact:%s","Resource":%q%s}}`,
		effect, who, action, resource, strings.Join(append([]string{""}, more...), ","))
}

func policyOf(kind, name, document string) *config.Policy {
	return &config.Policy{Source: config.Source{Kind: kind, Namespace: "team", Name: name}, Document: document}
}

func domainPolicy(document string) func(*config.Domain) {
	return func(d *config.Domain) { d.Policy = policyOf("DomainPolicy", "d", document) }
}

func repositoryPolicy(name, document string) func(*config.Domain) {
	return repo(name, func(r *config.Repository) { r.Policy = policyOf("RepositoryPolicy", name, document) })
}

func identityPolicy(account, kind, name, document string) config.IdentityPolicy {
	return config.IdentityPolicy{
		Source: config.Source{Kind: "IdentityPolicy", Namespace: "team", Name: name}, Account: account, Subjects: []config.Subject{{Kind: kind, Name: name}}, Document: document,
	}
}

// from opens a repository as a caller does from somewhere.
func (w *world) from(name string, q repository.Request) *repository.View {
	w.t.Helper()
	d, err := w.svc.Enter(w.t.Context(), domain)
	if err != nil {
		w.t.Fatal(err)
	}
	q.Repository, q.Format, q.Base = name, "toy", "http://h/d/toy/"+name
	v, err := d.Open(w.t.Context(), q)
	if err != nil {
		w.t.Fatal(err)
	}
	return v
}

func (w *world) reads(name string, q repository.Request) string {
	_, err := list(w.t, w.from(name, q), "pad")
	return denial(err)
}

func (w *world) publishes(repo, name string, q repository.Request) string {
	_, err := formattest.Publish(w.t.Context(), w.from(repo, q), name, "9.0.0", "a", false, strings.NewReader("x"))
	return denial(err)
}

// denial is what is said beyond the sentence of the service API, or the error's sentinel.
func denial(err error) string {
	if denied, ok := errors.AsType[*repository.DeniedError](err); ok {
		return denied.Decision.Reason()
	}
	return sentinel(err)
}

func TestPolicies(t *testing.T) {
	const (
		nothing  = "no identity policy and no resource policy allows it"
		neither  = "the resource is of another account, and neither an identity policy nor a resource policy allows it"
		readIt   = "ReadFromRepository"
		allowRef = "arn:aws:iam::" + account + ":role/ci"
	)
	own, other := repository.Request{Principal: ci(account)}, repository.Request{Principal: ci(foreign)}
	tests := map[string]struct {
		identities []config.IdentityPolicy
		edits      []func(*config.Domain)
		ask        repository.Request
		read, mid  string // of app and mid
		publish    string // into app
	}{
		"the root of the account": {ask: repository.Request{Principal: root}, read: "nil", mid: "nil", publish: "nil"},
		"nothing is said":         {ask: own, read: nothing, mid: nothing, publish: nothing},
		"a repository's policy is for that repository": {
			edits: []func(*config.Domain){repositoryPolicy("app", statement("Allow", allowRef, readIt, "*"))},
			ask:   own, read: "nil", mid: nothing, publish: nothing,
		},
		"a domain's for all": {
			edits: []func(*config.Domain){domainPolicy(statement("Allow", allowRef, readIt, "*"))},
			ask:   own, read: "nil", mid: "nil", publish: nothing,
		},
		"an identity policy for its role": {
			identities: []config.IdentityPolicy{identityPolicy(account, "role", "ci", statement("Allow", "", "*", "arn:aws:codeartifact:*:*:*/d/app*"))},
			ask:        own, read: "nil", mid: nothing, publish: "nil",
		},
		"another account needs both": {
			identities: []config.IdentityPolicy{identityPolicy(foreign, "role", "ci", statement("Allow", "", "*", "*"))},
			ask:        other, read: "the resource is of another account, and no policy of its domain or repository allows it",
			mid: "the resource is of another account, and no policy of its domain or repository allows it", publish: "the resource is of another account, and no policy of its domain or repository allows it",
		},
		"another account with one of two": {
			edits: []func(*config.Domain){repositoryPolicy("app", statement("Allow", foreign, readIt, "*"))},
			ask:   other, read: "statement 1 (S1) of RepositoryPolicy team/app allows it, but the resource is of another account and no identity policy of the caller allows it",
			mid: neither, publish: neither,
		},
		"another account with both": {
			identities: []config.IdentityPolicy{identityPolicy(foreign, "role", "ci", statement("Allow", "", "*", "*"))},
			edits:      []func(*config.Domain){domainPolicy(statement("Allow", foreign, readIt, "*"))},
			ask:        other, read: "nil", mid: "nil", publish: "the resource is of another account, and no policy of its domain or repository allows it",
		},
		"a deny wins, also over the root": {
			edits: []func(*config.Domain){domainPolicy(statement("Deny", "*", "Publish*", "*"))},
			ask:   repository.Request{Principal: root}, read: "nil", mid: "nil", publish: "explicitly denied by statement 1 (S1) of DomainPolicy team/d",
		},
		"permissions are for packages": {
			identities: []config.IdentityPolicy{identityPolicy(account, "role", "ci", statement("Allow", "", "Publish*", "arn:aws:codeartifact:*:*:package/d/app/toy//new"))},
			ask:        own, read: nothing, mid: nothing, publish: "nil",
		},
		"other packages": {
			identities: []config.IdentityPolicy{identityPolicy(account, "role", "ci", statement("Allow", "", "Publish*", "arn:aws:codeartifact:*:*:package/d/app/toy//old"))},
			ask:        own, read: nothing, mid: nothing, publish: nothing,
		},
		"tags of the repository": {
			identities: []config.IdentityPolicy{identityPolicy(account, "*", "", statement("Allow", "", readIt, "*", `"Condition":{"StringEquals":{"aws:ResourceTag/team":"web"}}`))},
			edits:      []func(*config.Domain){repo("app", func(r *config.Repository) { r.Tags = map[string]string{"team": "web"} })},
			ask:        own, read: "nil", mid: nothing, publish: nothing,
		},
		"groups that a token tells": {
			identities: []config.IdentityPolicy{identityPolicy(account, "group", "devs", statement("Allow", "", readIt, "*"))},
			ask:        repository.Request{Principal: ci(account), Groups: []string{"ops", "devs"}}, read: "nil", mid: "nil", publish: nothing,
		},
		"tags of a principal": {
			identities: []config.IdentityPolicy{identityPolicy(account, "*", "", statement("Allow", "", readIt, "*", `"Condition":{"StringEquals":{"aws:PrincipalTag/team":"web"}}`))},
			ask:        repository.Request{Principal: ci(account), Context: policy.Context{PrincipalTags: map[string]string{"team": "web"}}}, read: "nil", mid: "nil", publish: nothing,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.up.put("pad", nil, "1.0.0")
			w.identities = tt.identities
			w.apply(tt.edits...)
			for range 2 { // decisions are remembered
				want(t, "read app", w.reads("app", tt.ask), tt.read)
				want(t, "read mid", w.reads("mid", tt.ask), tt.mid)
			}
			want(t, "publish", w.publishes("app", "new", tt.ask), tt.publish)
		})
	}
}

// What depends on the request is decided for each, in whatever order they come.
func TestVolatileDecisionsAreNotRemembered(t *testing.T) {
	w := newWorld(t)
	w.up.put("pad", nil, "1.0.0")
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	at := func(ip string, secure bool, now, issued time.Time) repository.Request {
		return repository.Request{Principal: ci(account), Context: policy.Context{SourceIP: netip.MustParseAddr(ip), SecureTransport: secure, Time: now, TokenIssued: issued}}
	}
	good := at("10.1.1.1", true, noon, noon.Add(-time.Hour))
	w.identities = []config.IdentityPolicy{
		identityPolicy(account, "role", "ci", statement("Allow", "", "ReadFromRepository", "*", `"Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"},"DateLessThan":{"aws:CurrentTime":"2026-02-01T00:00:00Z"}}`)),
		identityPolicy(account, "*", "", statement("Deny", "", "*", "*", `"Condition":{"Bool":{"aws:SecureTransport":"false"}}`)),
		identityPolicy(account, "*", "", strings.Replace(statement("Deny", "", "*", "*", `"Condition":{"DateLessThan":{"aws:TokenIssueTime":"2026-01-01T10:00:00Z"}}`), "S1", "S2", 1)),
	}
	w.apply()
	for range 3 {
		want(t, "good", w.reads("app", good), "nil")
		want(t, "another address", w.reads("app", at("192.0.2.1", true, noon, noon)), "no identity policy and no resource policy allows it")
		want(t, "later", w.reads("app", at("10.1.1.1", true, noon.AddDate(0, 2, 0), noon)), "no identity policy and no resource policy allows it")
		want(t, "in the clear", w.reads("app", at("10.1.1.1", false, noon, noon)), "explicitly denied by statement 1 (S1) of IdentityPolicy team/")
		want(t, "an old token", w.reads("app", at("10.1.1.1", true, noon, noon.Add(-3*time.Hour))), "explicitly denied by statement 1 (S2) of IdentityPolicy team/")
	}
}

// What was allowed is denied at the next request after a change, on every replica and in spite of every cache.
// TestEndpointPolicies: what one address lets through is not remembered for another one.
func TestEndpointPolicies(t *testing.T) {
	w := newWorld(t)
	w.endpoints = []config.Endpoint{{Name: "inside"}, {Name: "public", Policy: policyOf("Registry", "r", statement("Allow", "*", "PublishPackageVersion", "*"))}}
	w.apply()
	w.up.put("pad", nil, "1.0.0")
	inside, public := repository.Request{Principal: root}, repository.Request{Principal: root}
	inside.Context.Listener, public.Context.Listener = "inside", "public"
	const closed = "the policy of the endpoint does not allow it"
	for range 2 {
		want(t, "inside", w.reads("app", inside), "nil")
		want(t, "public", w.reads("app", public), closed)
	}
	want(t, "what it allows", w.publishes("app", "own", public), "nil")
}

func TestPolicyChangesHoldAtOnce(t *testing.T) {
	w := newWorld(t)
	b := w.service()
	w.up.put("pad", nil, "1.0.0")
	w.identities = []config.IdentityPolicy{identityPolicy(account, "role", "ci", statement("Allow", "", "*", "*"))}
	w.apply()
	read := func() string {
		_, err := list(t, open(t, b, "app", ci(account)), "pad")
		return denial(err)
	}
	asset := func() string {
		_, err := readAsset(t.Context(), open(t, b, "app", ci(account)), "pad", "1.0.0", "a")
		return denial(err)
	}
	for range 2 {
		want(t, "read", read(), "nil")
		want(t, "asset", asset(), "nil")
	}
	w.apply(repositoryPolicy("app", statement("Deny", "*", "ReadFromRepository", "*")))
	want(t, "denied", read(), "explicitly denied by statement 1 (S1) of RepositoryPolicy team/app")
	want(t, "denied asset", asset(), "explicitly denied by statement 1 (S1) of RepositoryPolicy team/app")
	w.apply()
	want(t, "again", read(), "nil")
	w.identities = nil
	w.apply()
	want(t, "without the identity policy", read(), "no identity policy and no resource policy allows it")
	want(t, "asset without it", asset(), "no identity policy and no resource policy allows it")
}

// Nothing is allowed because it did not parse.
func TestPolicyThatCannotBeRead(t *testing.T) {
	w := newWorld(t)
	w.up.put("pad", nil, "1.0.0")
	problems := w.declare(repositoryPolicy("app", `{"Version":"2012-10-17","Statement":{"Effect":"Alow"`))
	if len(problems) != 1 || problems[0].Source.Name != "app" {
		t.Errorf("problems: %v", problems)
	}
	want(t, "the repository", w.reads("app", repository.Request{Principal: root}), "explicitly denied by statement 1 (PolicyCannotBeRead) of RepositoryPolicy team/app")
	want(t, "another one", w.reads("mid", repository.Request{Principal: root}), "nil")
	if again := w.declare(repositoryPolicy("app", `{"Version":"2012-10-17","Statement":{"Effect":"Alow"`)); len(again) != 1 {
		t.Errorf("the second time: %v", again)
	}
}

// A file without a name may be uploaded by who may publish something; what it is, is asked again.
func TestStageBeforeTheNameIsKnown(t *testing.T) {
	w := newWorld(t)
	w.identities = []config.IdentityPolicy{identityPolicy(account, "role", "ci", statement("Allow", "", "Publish*", "arn:aws:codeartifact:*:*:package/d/app/toy//new"))}
	w.apply(domainPolicy(statement("Deny", "arn:aws:iam::"+account+":user/eve", "*", "*")))
	stage := func(p policy.Principal) string {
		s, err := open(t, w.svc, "app", p).Stage(t.Context(), registry.PackageID{}, strings.NewReader("x"))
		if err == nil {
			err = s.Close()
		}
		return denial(err)
	}
	want(t, "some", stage(ci(account)), "nil")
	want(t, "none", stage(policy.Principal{ARN: "arn:aws:iam::" + account + ":user/bob", Account: account}), "no identity policy and no resource policy allows it")
	want(t, "denied", stage(policy.Principal{ARN: "arn:aws:iam::" + account + ":user/eve", Account: account}), "explicitly denied by statement 1 (S1) of DomainPolicy team/d")
	want(t, "publishes it", w.publishes("app", "new", repository.Request{Principal: ci(account)}), "nil")
	want(t, "and nothing else", w.publishes("app", "old", repository.Request{Principal: ci(account)}), "no identity policy and no resource policy allows it")
}

// A read that policies allow, rather than that the caller is root, costs no more.
func TestWarmReadByPolicy(t *testing.T) {
	w := newWorld(t)
	w.mustPublish("app", "pad", "1.0.0", "x")
	for i := range 50 {
		w.identities = append(w.identities, identityPolicy(account, "role", "ci", statement("Allow", "", "ReadFromRepository", fmt.Sprintf("arn:aws:codeartifact:*:*:repository/d/app%d", i))))
	}
	w.identities = append(w.identities, identityPolicy(account, "*", "", statement("Allow", "", "ReadFromRepository", "*")))
	w.apply()
	v := open(t, w.svc, "app", ci(account))
	read := func() {
		if _, err := v.Document(t.Context(), formattest.ID("pad", "1.0.0").Package, "list", formattest.RenderList); err != nil {
			t.Fatal(err)
		}
	}
	read()
	w.store.reads.Store(0)
	if n := testing.AllocsPerRun(100, read); n > 3 || w.store.reads.Load() > 0 {
		t.Errorf("%v allocations, %d statements", n, w.store.reads.Load())
	}
	if _, err := v.Asset(t.Context(), formattest.ID("pad", "1.0.0"), "a", format.Stat); err != nil {
		t.Error(err)
	}
}
