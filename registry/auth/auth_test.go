package auth

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/policy"
)

const (
	domainA = "domain-uid-a"
	domainB = "domain-uid-b"
)

var (
	root    = policy.Principal{ARN: "arn:aws:iam::111122223333:root", Account: "111122223333", Root: true}
	sealing = []byte(strings.Repeat("sealing key ", 3))
	start   = time.Date(2026, 11, 23, 12, 0, 0, 123456789, time.UTC)
)

// world is an issuer and an authenticator over one clock.
type world struct {
	*Issuer
	*Authenticator
	mu      sync.Mutex
	time    time.Time
	revoked []Revocation
	reads   int
	broken  error
}

func (w *world) clock() time.Time { w.mu.Lock(); defer w.mu.Unlock(); return w.time }

func (w *world) sleep(d time.Duration) { w.mu.Lock(); defer w.mu.Unlock(); w.time = w.time.Add(d) }

func (w *world) Revocations(context.Context, string) ([]Revocation, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reads++
	return w.revoked, w.broken
}

func (w *world) revoke(r Revocation) {
	w.mu.Lock()
	w.revoked = append(w.revoked, r)
	w.mu.Unlock()
	w.RevocationsChanged()
}

func newWorld(t testing.TB) *world {
	t.Helper()
	keys, err := NewKeys(sealing)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{time: start}
	w.Issuer = NewIssuer(keys, w.clock)
	w.Authenticator = New(Options{Keys: keys, Revocations: w, Now: w.clock})
	return w
}

func (w *world) token(t testing.TB, g Grant) *Token {
	t.Helper()
	tok, err := w.Issue(g)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func TestTokenSaysWhatWasGranted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tok := w.token(t, Grant{Principal: root, Domain: domainA, Source: "access-token-uid", Lifetime: time.Hour})
	got, err := w.Verify(tok.Value)
	if err != nil {
		t.Fatal(err)
	}
	want := &Identity{
		Principal: root, Domain: domainA, TokenID: tok.ID, Source: "access-token-uid",
		IssuedAt: start.Truncate(time.Microsecond), ExpiresAt: start.Add(time.Hour).Truncate(time.Microsecond),
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Identity{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if again, err := w.Verify(tok.Value); err != nil || again != got {
		t.Errorf("the second time: %p, %v; want the remembered %p", again, err, got)
	}
	for i := range len(tok.Value) {
		if tok.Value[i] >= 0x7f {
			t.Fatal("the token is not ASCII, which Java clients need")
		}
	}
}

// A token dies with what it was issued for, at once, and lives again with it: nothing was written down.
func TestTokensDieWithTheirSource(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	gone := false
	w.vouch = func(source string) bool { return source != "ServiceAccount u-1" || !gone }
	account, other := w.token(t, Grant{Principal: root, Domain: domainA, Source: "ServiceAccount u-1"}), w.token(t, Grant{Principal: root, Domain: domainA})
	for i, step := range []struct{ gone, dead bool }{{false, false}, {true, true}, {false, false}} {
		gone = step.gone
		for _, tok := range []*Token{account, other} {
			id, err := w.Verify(tok.Value)
			if err != nil {
				t.Fatal(err)
			}
			err = w.Admit(t.Context(), id, domainA)
			if dead := step.dead && tok == account; dead != errors.Is(err, registry.ErrUnauthenticated) {
				t.Errorf("step %d: %v", i, err)
			}
		}
	}
}

func TestIssueBounds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tests := map[string]struct {
		grant Grant
		ok    bool
	}{
		"default":          {Grant{Principal: root, Domain: domainA}, true},
		"shortest":         {Grant{Principal: root, Domain: domainA, Lifetime: 15 * time.Minute}, true},
		"longest":          {Grant{Principal: root, Domain: domainA, Lifetime: 12 * time.Hour}, true},
		"too short":        {Grant{Principal: root, Domain: domainA, Lifetime: 15*time.Minute - 1}, false},
		"too long":         {Grant{Principal: root, Domain: domainA, Lifetime: 12*time.Hour + 1}, false},
		"negative":         {Grant{Principal: root, Domain: domainA, Lifetime: -time.Hour}, false},
		"no principal":     {Grant{Domain: domainA}, false},
		"no domain":        {Grant{Principal: root}, false},
		"no account":       {Grant{Principal: policy.Principal{ARN: "arn:x"}, Domain: domainA}, false},
		"no valid account": {Grant{Principal: policy.Principal{ARN: "arn:x", Account: "12"}, Domain: domainA}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := w.Issue(tt.grant); (err == nil) != tt.ok || err != nil && !errors.Is(err, registry.ErrInvalid) {
				t.Errorf("got %v, want ok = %v", err, tt.ok)
			}
		})
	}
	if _, err := NewKeys(sealing[:MinSealingKey-1]); err == nil {
		t.Error("a short sealing key was taken")
	}
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tok := w.token(t, Grant{Principal: root, Domain: domainA, Lifetime: time.Hour})
	warm := w.token(t, Grant{Principal: root, Domain: domainA, Lifetime: time.Hour})
	if _, err := w.Verify(warm.Value); err != nil {
		t.Fatal(err)
	}
	w.sleep(time.Hour)
	for name, v := range map[string]string{"never seen": tok.Value, "remembered": warm.Value} {
		_, err := w.Verify(v)
		if !errors.Is(err, registry.ErrUnauthenticated) || !strings.Contains(err.Error(), "expired at 2026-11-23T13:00:00Z") || !strings.Contains(err.Error(), "packhouse login") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(w.verified) != 0 {
		t.Error("an expired token is remembered")
	}
}

// TestForgedTokens are the vectors of attacks on JWT libraries and of near misses.
func TestForgedTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	good := w.token(t, Grant{Principal: root, Domain: domainA}).Value
	parts := strings.Split(good, ".")
	encode := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	signed := func(m jwt.SigningMethod, key any, change func(map[string]any)) string {
		c := map[string]any{
			"iss": issuer, "jti": "x", "sub": root.ARN, "account": root.Account, "root": true, "aud": domainA,
			"iat": start.Unix(), "exp": start.Add(time.Hour).Unix(),
		}
		if change != nil {
			change(c)
		}
		s, err := jwt.NewWithClaims(m, jwt.MapClaims(c)).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	key := w.Issuer.keys.signing
	without := func(claim string) func(map[string]any) { return func(m map[string]any) { delete(m, claim) } }
	with := func(claim string, v any) func(map[string]any) { return func(m map[string]any) { m[claim] = v } }
	if _, err := w.Verify(signed(jwt.SigningMethodHS256, key, nil)); err != nil {
		t.Fatalf("the base of the forgeries is not valid: %v", err)
	}
	tests := map[string]string{
		"empty":                 "",
		"garbage":               "garbage",
		"dots":                  "..",
		"algorithm none":        encode(map[string]string{"alg": "none", "typ": "JWT"}) + "." + parts[1] + ".",
		"algorithm None":        encode(map[string]string{"alg": "None", "typ": "JWT"}) + "." + parts[1] + ".",
		"no signature":          parts[0] + "." + parts[1] + ".",
		"other signature":       parts[0] + "." + parts[1] + "." + strings.Repeat("A", len(parts[2])),
		"other body":            parts[0] + "." + encode(map[string]string{"sub": "root"}) + "." + parts[2],
		"HS384 with our key":    signed(jwt.SigningMethodHS384, key, nil),
		"HS512 with our key":    signed(jwt.SigningMethodHS512, key, nil),
		"another key":           signed(jwt.SigningMethodHS256, []byte("another key of thirty-two bytes!"), nil),
		"the sealing key":       signed(jwt.SigningMethodHS256, sealing, nil),
		"an empty key":          signed(jwt.SigningMethodHS256, []byte{}, nil),
		"another issuer":        signed(jwt.SigningMethodHS256, key, with("iss", "packhouse.dev")),
		"no issuer":             signed(jwt.SigningMethodHS256, key, without("iss")),
		"no expiry":             signed(jwt.SigningMethodHS256, key, without("exp")),
		"no time of issue":      signed(jwt.SigningMethodHS256, key, without("iat")),
		"no principal":          signed(jwt.SigningMethodHS256, key, without("sub")),
		"no account":            signed(jwt.SigningMethodHS256, key, without("account")),
		"no domain":             signed(jwt.SigningMethodHS256, key, without("aud")),
		"two domains":           signed(jwt.SigningMethodHS256, key, with("aud", []string{domainA, domainB})),
		"no id":                 signed(jwt.SigningMethodHS256, key, without("jti")),
		"expiry is a word":      signed(jwt.SigningMethodHS256, key, with("exp", "never")),
		"expiry beyond time":    signed(jwt.SigningMethodHS256, key, with("exp", 1e300)),
		"expiry before 1970":    signed(jwt.SigningMethodHS256, key, with("exp", -1)),
		"white space behind":    good + " ",
		"padding behind":        good + "=",
		"trailing bits":         good[:len(good)-1] + flip(good[len(good)-1]),
		"beyond the size limit": good + strings.Repeat("A", maxToken),
	}
	for name, forged := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			id, err := w.Verify(forged)
			if id != nil || !errors.Is(err, registry.ErrUnauthenticated) {
				t.Fatalf("got %+v, %v", id, err)
			}
			if forged != "" && len(forged) > 8 && strings.Contains(err.Error(), forged[len(forged)-8:]) {
				t.Errorf("the error repeats the token: %v", err)
			}
		})
	}
}

// flip changes the last character of a base64 text in bits that a lax decoder ignores: 32 bytes end in a character with two of them.
func flip(c byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(alphabet[strings.IndexByte(alphabet, c)^1])
}

func TestAdmit(t *testing.T) {
	t.Parallel()
	grant := Grant{Principal: root, Domain: domainA, Source: "source-1"}
	other := policy.Principal{ARN: "arn:aws:iam::111122223333:role/ci", Account: "111122223333"}
	now := start.Add(time.Second)
	tests := map[string]struct {
		revocation func(*Token) Revocation
		dead       bool
	}{
		"its id":            {func(t *Token) Revocation { return Revocation{RevokeToken, t.ID, now} }, true},
		"another id":        {func(*Token) Revocation { return Revocation{RevokeToken, "other", now} }, false},
		"its principal":     {func(*Token) Revocation { return Revocation{RevokePrincipal, root.ARN, now} }, true},
		"another principal": {func(*Token) Revocation { return Revocation{RevokePrincipal, other.ARN, now} }, false},
		"its source":        {func(*Token) Revocation { return Revocation{RevokeSource, "source-1", now} }, true},
		"no source":         {func(*Token) Revocation { return Revocation{RevokeSource, "", now} }, false},
		"the domain":        {func(*Token) Revocation { return Revocation{RevokeDomain, domainA, now} }, true},
		"earlier tokens":    {func(*Token) Revocation { return Revocation{RevokeDomain, "", start.Add(-time.Second)} }, false},
		"at the very time":  {func(*Token) Revocation { return Revocation{RevokeDomain, "", start.Truncate(time.Microsecond)} }, false},
		"a microsecond":     {func(*Token) Revocation { return Revocation{RevokeDomain, "", start.Add(time.Microsecond)} }, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			tok := w.token(t, grant)
			id, err := w.Verify(tok.Value)
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Admit(t.Context(), id, domainA); err != nil {
				t.Fatalf("before: %v", err)
			}
			w.revoke(tt.revocation(tok))
			if err := w.Admit(t.Context(), id, domainA); (err != nil) != tt.dead || tt.dead && !errors.Is(err, registry.ErrUnauthenticated) {
				t.Errorf("after: %v, want dead = %v", err, tt.dead)
			}
		})
	}
}

func TestAdmitForeignDomain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, err := w.Verify(w.token(t, Grant{Principal: root, Domain: domainA}).Value)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // also when it has been admitted elsewhere
		if err := w.Admit(t.Context(), id, domainB); !errors.Is(err, registry.ErrUnauthenticated) {
			t.Errorf("a token of another domain: %v", err)
		}
		if err := w.Admit(t.Context(), id, domainA); err != nil {
			t.Error(err)
		}
	}
}

// TestNewTokenAfterRevocation: who is given a new token right after a revocation can use it.
func TestNewTokenAfterRevocation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.revoke(Revocation{RevokePrincipal, root.ARN, w.clock()})
	w.sleep(time.Microsecond)
	id, err := w.Verify(w.token(t, Grant{Principal: root, Domain: domainA}).Value)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Admit(t.Context(), id, domainA); err != nil {
		t.Error(err)
	}
}

// TestRevocationsUnreadable: not knowing is not allowing.
func TestRevocationsUnreadable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.broken = errors.New("disk on fire")
	id, err := w.Verify(w.token(t, Grant{Principal: root, Domain: domainA}).Value)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Admit(t.Context(), id, domainA); !errors.Is(err, registry.ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
	w.broken = nil
	if err := w.Admit(t.Context(), id, domainA); err != nil {
		t.Errorf("when they can be read again: %v", err)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.limit = 32
	for i := range 100 {
		tok := w.token(t, Grant{Principal: root, Domain: domainA, Source: fmt.Sprint(i)})
		for range 2 {
			if _, err := w.Verify(tok.Value); err != nil {
				t.Fatal(err)
			}
		}
		if len(w.verified) > w.limit {
			t.Fatalf("%d tokens are remembered", len(w.verified))
		}
	}
}

// TestWarmVerifyIsCheap: no signature, no store, no garbage.
func TestWarmVerifyIsCheap(t *testing.T) {
	w := newWorld(t)
	tok := w.token(t, Grant{Principal: root, Domain: domainA})
	allocs := testing.AllocsPerRun(100, func() {
		id, err := w.Verify(tok.Value)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Admit(context.Background(), id, domainA); err != nil {
			t.Fatal(err)
		}
	})
	if allocs > 0 || w.reads != 1 {
		t.Errorf("%v allocations and %d reads of revocations; want 0 and 1", allocs, w.reads)
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.limit = 4
	var wg sync.WaitGroup
	for i := range 8 {
		tok := w.token(t, Grant{Principal: root, Domain: domainA, Source: fmt.Sprint(i % 4)})
		wg.Go(func() {
			for j := range 50 {
				id, err := w.Verify(tok.Value)
				if err == nil {
					err = w.Admit(t.Context(), id, domainA)
				}
				if err != nil {
					t.Error(err)
				}
				if j%10 == 0 {
					w.revoke(Revocation{RevokeToken, "nobody", start})
				}
			}
		})
	}
	wg.Wait()
}

// FuzzVerify: no text is taken that Issue did not make, and none makes the parser panic.
func FuzzVerify(f *testing.F) {
	w := newWorld(f)
	good := w.token(f, Grant{Principal: root, Domain: domainA}).Value
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add("a.b.c")
	f.Fuzz(func(t *testing.T, token string) {
		id, err := w.Verify(token)
		if (id == nil) == (err == nil) {
			t.Fatalf("%v, %v", id, err)
		}
		if err == nil && (id.Principal != root || id.Domain != domainA) { // another process of the fuzzer issued one of these, too
			t.Fatalf("%q was taken for %+v", token, id.Principal)
		}
		if err != nil && !errors.Is(err, registry.ErrUnauthenticated) {
			t.Fatalf("%v is not ErrUnauthenticated", err)
		}
	})
}

func BenchmarkWarm(b *testing.B) {
	w := newWorld(b)
	tok := w.token(b, Grant{Principal: root, Domain: domainA})
	for b.Loop() {
		id, err := w.Verify(tok.Value)
		if err != nil {
			b.Fatal(err)
		}
		if err := w.Admit(b.Context(), id, domainA); err != nil {
			b.Fatal(err)
		}
	}
}
