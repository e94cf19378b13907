package metadatatest

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/metadata"
)

// served are the names of the Active repositories.
func (f *fixture) served(t *testing.T) string {
	t.Helper()
	all, err := f.Repositories(t.Context(), f.domain)
	must(t, err)
	var out []string
	for _, r := range all {
		if r.State == metadata.Active {
			out = append(out, r.Name)
		}
	}
	return strings.Join(out, " ")
}

func testDeclare(t *testing.T, f *fixture) {
	must(t, f.put(t.Context(), f.repos[0], pkg, "1.0.0", "x"))
	got, err := f.Declare(t.Context(), f.declaration(1, "a", "b", "c"))
	if err != nil || got.Changed {
		t.Errorf("the same again: changed %v, %v", got.Changed, err)
	}
	got, err = f.Declare(t.Context(), f.declaration(2, "b", "d"))
	if err != nil || !got.Changed || len(got.Repositories) != 2 || f.served(t) != "b d" {
		t.Errorf("declared %+v, %v; served %q", got, err, f.served(t))
	}
	got, err = f.Declare(t.Context(), f.declaration(3, "a", "b"))
	if err != nil || f.served(t) != "a b" || got.Repositories[0].ID != f.repos[0] {
		t.Errorf("declared %+v, %v", got, err)
	}
	if len(f.versions(t, f.repos[0], pkg)) != 1 {
		t.Error("content of a detached repository was lost")
	}
	doc, err := f.Document(t.Context(), f.domain)
	if err != nil || doc.Generation != 3 || string(doc.Body) != `{"generation":3}` {
		t.Errorf("document = %+v, %v", doc, err)
	}
	reg, err := f.Declare(t.Context(), metadata.Declaration{Generation: 1, Schema: 1, Body: []byte("{}")})
	if err != nil || !reg.Changed {
		t.Errorf("registry document: %+v, %v", reg, err)
	}
	if doc, err = f.Document(t.Context(), metadata.RegistryDomain); err != nil || string(doc.Body) != "{}" {
		t.Errorf("registry document = %+v, %v", doc, err)
	}
	all, err := f.Domains(t.Context())
	if err != nil || len(all) != 1 || all[0].Ref != f.ref || all[0].UID == "" || all[0].Generation != 3 {
		t.Errorf("domains = %+v, %v", all, err)
	}
}

// Content never goes to another namespace.
func testDeclareConflicts(t *testing.T, f *fixture) {
	must(t, f.put(t.Context(), f.repos[0], pkg, "1.0.0", "x"))
	other := f.declaration(2, "a")
	other.Holder = "ns-2"
	if _, err := f.Declare(t.Context(), other); !errors.Is(err, registry.ErrConflict) {
		t.Errorf("another holder: %v", err)
	}
	d := f.declaration(2, "a", "b")
	d.Repositories[0].Administrator = "ns-2"
	got, err := f.Declare(t.Context(), d)
	must(t, err)
	if diff := cmp.Diff([]string{"a"}, got.Conflicts); diff != "" || f.served(t) != "b" {
		t.Errorf("conflicts %v; served %q", got.Conflicts, f.served(t))
	}
	if _, err = f.Declare(t.Context(), f.declaration(3, "a", "b")); err != nil || f.served(t) != "a b" {
		t.Errorf("the old administrator again: %v; served %q", err, f.served(t))
	}
}

func testDeclareOrder(t *testing.T, f *fixture) {
	_, err := f.Declare(t.Context(), f.declaration(5, "a"))
	must(t, err)
	for _, g := range []int64{4, 1} {
		if _, err := f.Declare(t.Context(), f.declaration(g, "a", "b")); !errors.Is(err, registry.ErrStale) {
			t.Errorf("generation %d after 5: %v", g, err)
		}
	}
	changed := f.declaration(5, "b")
	changed.Body = []byte("{}")
	if _, err := f.Declare(t.Context(), changed); !errors.Is(err, registry.ErrStale) {
		t.Errorf("other content under the same numbers: %v", err)
	}
	next := f.declaration(1, "b")
	next.Epoch = 1
	if _, err := f.Declare(t.Context(), next); err != nil || f.served(t) != "b" {
		t.Errorf("first generation of the next epoch: %v", err)
	}
	if _, err := f.Declare(t.Context(), f.declaration(6, "a")); !errors.Is(err, registry.ErrStale) {
		t.Errorf("old epoch: %v", err)
	}
	// The same document under higher numbers: they are in force, and nothing changed.
	same := next
	same.Generation = 8
	if got, err := f.Declare(t.Context(), same); err != nil || got.Changed || got.Domain.Epoch != 1 || got.Domain.Generation != 8 {
		t.Errorf("the same under higher numbers: %+v, %v", got, err)
	}
	if doc, err := f.Document(t.Context(), f.domain); err != nil || doc.Epoch != 1 || doc.Generation != 8 {
		t.Errorf("its document: %+v, %v", doc, err)
	}
	old := f.declaration(7, "a")
	old.Epoch = 1
	if _, err := f.Declare(t.Context(), old); !errors.Is(err, registry.ErrStale) {
		t.Errorf("older than numbers without a change: %v", err)
	}
}

// Generation 0 takes the next number when there is something new.
func testDeclareUnnumbered(t *testing.T, f *fixture) {
	d := f.declaration(5, "a")
	d.Epoch = 3
	_, err := f.Declare(t.Context(), d)
	must(t, err)
	d.Epoch, d.Generation = 0, 0
	if got, err := f.Declare(t.Context(), d); err != nil || got.Changed || got.Domain.Generation != 5 {
		t.Errorf("the same: %+v, %v", got, err)
	}
	d.Body = []byte("{}")
	if got, err := f.Declare(t.Context(), d); err != nil || !got.Changed || got.Domain.Epoch != 3 || got.Domain.Generation != 6 {
		t.Errorf("another: %+v, %v", got, err)
	}
	must(t, f.Undeclare(t.Context(), f.ref, 0, 0))
	all, err := f.Domains(t.Context())
	if err != nil || all[0].State != metadata.Detached || all[0].Epoch != 3 || all[0].Generation != 7 {
		t.Errorf("undeclared: %+v, %v", all, err)
	}
}

func testUndeclare(t *testing.T, f *fixture) {
	later := f.declaration(1, "a")
	later.Generation = 2
	_, err := f.Declare(t.Context(), later)
	must(t, err)
	if err := f.Undeclare(t.Context(), f.ref, 0, 1); !errors.Is(err, registry.ErrStale) {
		t.Errorf("older than what is in force: %v", err)
	}
	must(t, f.Undeclare(t.Context(), f.ref, 0, 2))
	must(t, f.Undeclare(t.Context(), f.ref, 0, 2))
	all, err := f.Domains(t.Context())
	if err != nil || all[0].State != metadata.Detached || f.served(t) != "" {
		t.Errorf("domains %+v, %v; served %q", all, err, f.served(t))
	}
	got, err := f.Declare(t.Context(), f.declaration(3, "a"))
	if err != nil || got.Domain.ID != f.domain || got.Domain.State != metadata.Active || got.Domain.UID != all[0].UID {
		t.Errorf("declared again: %+v, %v", got, err)
	}
	if err := f.Undeclare(t.Context(), registry.DomainRef{Owner: "111122223333", Name: "unknown"}, 0, 9); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("unknown domain: %v", err)
	}
}

func testSecrets(t *testing.T, f *fixture) {
	is := func(name, want string) {
		t.Helper()
		if got, err := f.Secret(t.Context(), name); err != nil || string(got) != want {
			t.Errorf("secret %s = %q, %v; want %q", name, got, err, want)
		}
	}
	is("s", "")
	for _, v := range []string{"one\x00\xff", "two"} {
		if kept, err := f.KeepSecret(t.Context(), "s", []byte(v)); err != nil || string(kept) != "one\x00\xff" {
			t.Errorf("kept %q, %v", kept, err)
		}
	}
	is("s", "one\x00\xff")
	must(t, f.ReplaceSecrets(t.Context(), "c/", map[string][]byte{"c/a": []byte("1"), "c/é%_": []byte("2")}))
	must(t, f.ReplaceSecrets(t.Context(), "d/", map[string][]byte{"d/a": []byte("3")}))
	must(t, f.ReplaceSecrets(t.Context(), "c/", map[string][]byte{"c/a": []byte("4"), "c/b": []byte("5")}))
	for name, want := range map[string]string{"s": "one\x00\xff", "c/a": "4", "c/b": "5", "c/é%_": "", "d/a": "3"} {
		is(name, want)
	}
	if err := f.ReplaceSecrets(t.Context(), "c/", map[string][]byte{"c/a": nil, "d/a": []byte("x")}); !errors.Is(err, registry.ErrInvalid) {
		t.Errorf("a name without the prefix: %v", err)
	}
	is("c/a", "4")
	must(t, f.ReplaceSecrets(t.Context(), "c/", nil))
	is("c/a", "")
	is("d/a", "3")
}

func testRevocations(t *testing.T, f *fixture) {
	at := time.UnixMicro(1_700_000_000_000_000).UTC()
	r := metadata.Revocation{Domain: f.domain, Kind: "token", Value: "jti", IssuedBefore: at, ExpiresAt: at.Add(time.Hour)}
	must(t, f.Barrier(t.Context(), f.domain)) // of what was before a follower may know nothing
	var told []metadata.Change
	f.Follow(func(_ metadata.DomainID, c []metadata.Change) { told = append(told, c...) })
	must(t, f.Revoke(t.Context(), r))
	if len(told) != 1 || told[0].Kind != metadata.TokensRevoked {
		t.Errorf("told %+v", told)
	}
	narrower := r
	narrower.IssuedBefore = at.Add(-time.Hour)
	must(t, f.Revoke(t.Context(), narrower))
	got, err := f.Revocations(t.Context(), f.domain)
	if diff := cmp.Diff([]metadata.Revocation{r}, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	if got, err := f.Revocations(t.Context(), metadata.RegistryDomain); err != nil || len(got) != 0 {
		t.Errorf("revocations of another domain: %v, %v", got, err)
	}
}

func testDerived(t *testing.T, f *fixture) {
	rows := []metadata.Derived{{Key: "\x00a", Inputs: []byte("1"), Value: []byte("v1")}, {Key: "b\x00", Inputs: []byte("1")}}
	must(t, f.PutDerived(t.Context(), f.repos[0], "npm", "index", rows))
	rows[0].Inputs, rows[0].Value = []byte("2"), []byte("v2")
	must(t, f.PutDerived(t.Context(), f.repos[0], "npm", "index", rows[:1]))
	got, err := f.Derived(t.Context(), f.repos[0], "npm", "index")
	if diff := cmp.Diff(rows, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
}

func testUpstream(t *testing.T, f *fixture) {
	now := time.UnixMicro(1_700_000_000_000_000).UTC()
	put := func(content string, absent bool) (revision, change int64) {
		change, err := f.Update(t.Context(), f.domain, func(tx metadata.Tx) error {
			u := metadata.Upstream{
				Connection: "public:npmjs https://r", Key: "left-pad", Absent: absent, URL: "https://r/left-pad", ContentType: "application/json",
				ETag: `"x"`, LastModified: "yesterday", FetchedAt: now, FreshUntil: now.Add(time.Minute),
			}
			if !absent {
				b, err := tx.Blob(newBlob(content))
				if err != nil {
					return err
				}
				u.Blob, u.Size = b, int64(len(content))
			}
			var err error
			revision, err = tx.PutUpstream(u)
			return err
		})
		must(t, err)
		return revision, change
	}
	r1, c1 := put("one", false)
	r2, c2 := put("one", false)
	r3, _ := put("two", false)
	r4, _ := put("", true)
	if r1 == 0 || c1 == 0 || r1 != r2 || c2 != 0 || r3 == r1 || r4 == r3 {
		t.Errorf("revisions %d %d %d %d; changes %d %d", r1, r2, r3, r4, c1, c2)
	}
	put("three", false)
	must(t, f.RenewUpstream(t.Context(), f.domain, "public:npmjs https://r", "left-pad", now.Add(time.Hour), now.Add(2*time.Hour)))
	got, err := f.Upstream(t.Context(), f.domain, "public:npmjs https://r", "left-pad")
	if err != nil || got.ETag != `"x"` || got.URL != "https://r/left-pad" || !got.FreshUntil.Equal(now.Add(2*time.Hour)) || got.File.Object == "" || got.Size != 5 {
		t.Errorf("upstream = %+v, %v", got, err)
	}
	if got, err := f.Upstream(t.Context(), f.domain, "public:npmjs https://other", "left-pad"); err != nil || got != nil {
		t.Errorf("another address is another cache: %+v, %v", got, err)
	}
}

func testLeases(t *testing.T, f *fixture) {
	l, err := f.Acquire(t.Context(), "x", time.Minute)
	must(t, err)
	if _, err := f.Acquire(t.Context(), "x", time.Minute); !errors.Is(err, metadata.ErrHeld) {
		t.Errorf("second holder: %v", err)
	}
	fence := func(l metadata.Lease) error {
		_, err := f.Update(t.Context(), f.domain, func(tx metadata.Tx) error { return tx.Fence(l) })
		return err
	}
	must(t, fence(l))
	must(t, f.Release(t.Context(), l))
	next, err := f.Acquire(t.Context(), "x", 20*time.Millisecond)
	if err != nil || next.Token <= l.Token {
		t.Errorf("next lease = %+v, %v", next, err)
	}
	if err := fence(l); !errors.Is(err, metadata.ErrFenced) {
		t.Errorf("a lease that was given back: %v", err)
	}
	time.Sleep(40 * time.Millisecond)
	if err := fence(next); !errors.Is(err, metadata.ErrFenced) {
		t.Errorf("a lease that ran out: %v", err)
	}
	last, err := f.Acquire(t.Context(), "x", time.Minute)
	if err != nil || last.Token <= next.Token {
		t.Errorf("lease after one that ran out = %+v, %v", last, err)
	}
	must(t, f.Release(t.Context(), next)) // a former holder releases nothing
	must(t, fence(last))
}
