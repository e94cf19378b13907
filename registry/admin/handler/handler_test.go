package handler

import (
	"bytes"
	stdcmp "cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/access"
	"packhouse.dev/packhouse/registry/admin"
	"packhouse.dev/packhouse/registry/auth"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/metadata"
	"packhouse.dev/packhouse/registry/policy"
	"packhouse.dev/packhouse/registry/repository"
)

var start = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// fake is a registry with three domains, one of them detached.
type fake struct {
	applied repository.Documents
	fail    error
	revoked []metadata.Revocation
	removed []metadata.Removal
	secrets map[string][]byte
	empty   bool // nothing was ever declared
	log     bytes.Buffer
}

func (f *fake) Domains(context.Context) ([]metadata.Domain, error) {
	ref := func(name, owner string) registry.DomainRef { return registry.DomainRef{Owner: owner, Name: name} }
	return []metadata.Domain{
		{ID: 1, UID: "uid-1", Ref: ref("web", "111122223333"), State: metadata.Active, Holder: "ns", Epoch: 2, Generation: 7},
		{ID: 2, UID: "uid-2", Ref: ref("web", "444455556666"), State: metadata.Active},
		{ID: 3, UID: "uid-3", Ref: ref("old", "111122223333"), State: metadata.Detached},
		{ID: 4, UID: "uid-4", Ref: ref("tools", "111122223333"), State: metadata.Active},
	}, f.fail
}

func (f *fake) Repositories(_ context.Context, d metadata.DomainID) ([]metadata.Repository, error) {
	if d != 1 {
		return nil, nil
	}
	return []metadata.Repository{{Name: "npm-store", State: metadata.Active}, {Name: "gone", State: metadata.Detached}}, nil
}

func (f *fake) Document(_ context.Context, d metadata.DomainID) (*metadata.Document, error) {
	var body []byte
	var err error
	doc := &metadata.Document{Epoch: 2, Generation: 6}
	switch {
	case f.empty:
		return nil, nil
	case d == metadata.RegistryDomain:
		body, err = config.Encode(&config.Registry{Schema: config.Schema, Partition: "aws-cn"})
	case d == 4:
		return nil, nil // a domain without a document
	default:
		doc.Epoch, doc.Generation = 3-int64(d), 7
		body, err = config.Encode(&config.Domain{Schema: config.Schema, Name: fmt.Sprint(d)})
	}
	doc.Body = body
	return doc, err
}

func (f *fake) Remove(_ context.Context, r metadata.Removal) error {
	f.removed = append(f.removed, r)
	return f.fail
}

func (f *fake) Replace(_ context.Context, secrets map[string][]byte) error {
	if f.fail == nil {
		f.secrets = secrets
	}
	return f.fail
}

func (f *fake) Revoke(_ context.Context, r metadata.Revocation) error {
	f.revoked = append(f.revoked, r)
	return nil
}

func (f *fake) Apply(_ context.Context, d repository.Documents) (*repository.Applied, error) {
	f.applied = d
	return &repository.Applied{Changed: true, Problems: []repository.Problem{{Source: config.Source{Name: "r"}, Text: "bad"}}}, f.fail
}

func (f *fake) Ready(context.Context) error { return nil }
func (f *fake) Endpoints() []config.Endpoint {
	return []config.Endpoint{{URL: "http://127.0.0.1:4873/"}, {Host: "p.example.com"}}
}

func (f *fake) Principal(text, account string) (policy.Principal, error) {
	reg, _ := access.CompileRegistry(&config.Registry{Partition: "aws-cn", Accounts: []config.Account{{Namespace: "team-b", ID: "444455556666"}}})
	return reg.Principal(text, account)
}

func (f *fake) Enter(_ context.Context, ref registry.DomainRef) (*repository.Domain, error) {
	return nil, fmt.Errorf("domain %s: %w", ref, registry.ErrNotFound)
}

func (f *fake) collect(_ context.Context, q admin.CollectRequest) (*admin.Collected, error) {
	return &admin.Collected{Condemned: int(time.Duration(q.Grace) / time.Second), Swept: 2, Deleted: 1}, nil
}

// serve listens on the socket of a data directory, as packhouse does.
func serve(t *testing.T, dir string) (*fake, *admin.Client, *auth.Authenticator) {
	t.Helper()
	keys, err := auth.NewKeys(bytes.Repeat([]byte("k"), 32))
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{}
	now := func() time.Time { return start }
	l, err := admin.Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: New(Options{Catalog: f, Service: f, Secrets: f, Logger: slog.New(slog.NewTextHandler(&f.log, &slog.HandlerOptions{Level: slog.LevelDebug})), Issuer: auth.NewIssuer(keys, now), Collect: f.collect, Version: "v1", Now: now}), ReadHeaderTimeout: time.Second}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return f, admin.OpenDir(dir), auth.New(auth.Options{Keys: keys, Now: now})
}

func TestToken(t *testing.T) {
	t.Parallel()
	_, c, a := serve(t, t.TempDir())
	tests := map[string]struct {
		ask  admin.TokenRequest
		uid  string
		who  string // "": the owner's root
		err  error
		says string
	}{
		"by name":            {ask: admin.TokenRequest{Domain: "tools"}, uid: "uid-4"},
		"by name and owner":  {ask: admin.TokenRequest{Domain: "web", Owner: "444455556666"}, uid: "uid-2"},
		"by owner":           {ask: admin.TokenRequest{Owner: "444455556666"}, uid: "uid-2"},
		"short":              {ask: admin.TokenRequest{Domain: "tools", Duration: config.Duration(15 * time.Minute)}, uid: "uid-4"},
		"a service account":  {ask: admin.TokenRequest{Domain: "tools", As: "serviceaccount:team-b/ci"}, uid: "uid-4", who: "arn:aws-cn:sts::444455556666:assumed-role/ci/packhouse"},
		"a role":             {ask: admin.TokenRequest{Domain: "tools", As: "role:ci", Groups: []string{"devs"}}, uid: "uid-4", who: "arn:aws-cn:sts::111122223333:assumed-role/ci/packhouse"},
		"a user":             {ask: admin.TokenRequest{Domain: "tools", As: "user:bob"}, uid: "uid-4", who: "arn:aws-cn:iam::111122223333:user/bob"},
		"an ARN":             {ask: admin.TokenRequest{Domain: "tools", As: "arn:aws:iam::999999999999:user/eve"}, uid: "uid-4", who: "arn:aws:iam::999999999999:user/eve"},
		"nobody":             {ask: admin.TokenRequest{Domain: "tools", As: "ci"}, err: registry.ErrInvalid, says: "serviceaccount:NAMESPACE/NAME"},
		"two of that name":   {ask: admin.TokenRequest{Domain: "web"}, err: registry.ErrInvalid, says: "web-111122223333, web-444455556666"},
		"nothing said":       {err: registry.ErrInvalid, says: "which domain"},
		"detached":           {ask: admin.TokenRequest{Domain: "old"}, err: registry.ErrNotFound, says: "there are"},
		"unknown":            {ask: admin.TokenRequest{Domain: "x"}, err: registry.ErrNotFound, says: "tools-111122223333"},
		"a minute":           {ask: admin.TokenRequest{Domain: "tools", Duration: config.Duration(time.Minute)}, err: registry.ErrInvalid, says: "15 minutes"},
		"thirteen hours":     {ask: admin.TokenRequest{Domain: "tools", Duration: config.Duration(13 * time.Hour)}, err: registry.ErrInvalid, says: "12 hours"},
		"unknown owner only": {ask: admin.TokenRequest{Owner: "999999999999"}, err: registry.ErrNotFound},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tok, err := c.Token(t.Context(), tt.ask)
			if tt.err != nil {
				if !errors.Is(err, tt.err) || !strings.Contains(err.Error(), tt.says) {
					t.Errorf("got %v; want %v with %q", err, tt.err, tt.says)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			id, err := a.Verify(tok.Token)
			if err != nil {
				t.Fatal(err)
			}
			who := stdcmp.Or(tt.who, "arn:aws-cn:iam::"+tok.Owner+":root")
			if id.Domain != tt.uid || id.Principal.ARN != who || id.Principal.Root != (tt.who == "") || id.TokenID != tok.ID || tok.Principal != who || !slices.Equal(id.Groups, tt.ask.Groups) {
				t.Errorf("got %+v %+v", tok, id)
			}
		})
	}
}

func TestStatusCollectRevokeApply(t *testing.T) {
	t.Parallel()
	f, c, _ := serve(t, t.TempDir())
	st, err := c.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, other, _ := serve(t, t.TempDir()); len(st.Instance) < 10 {
		t.Errorf("instance %q", st.Instance)
	} else if o, err := other.Status(t.Context()); err != nil || o.Instance == st.Instance {
		t.Errorf("another start has the same instance, %v", err)
	}
	want := &admin.Status{
		Version: "v1", Schema: config.Schema, Instance: st.Instance, StartedAt: start, Ready: true, Endpoints: []string{"http://127.0.0.1:4873"},
		Epoch: 2, Generation: 6,
		Domains: []admin.DomainStatus{
			{
				Name: "web", Owner: "111122223333", State: "Active", Holder: "ns", Epoch: 2, Generation: 7,
				Repositories: []string{"npm-store"}, Retained: []string{"gone"},
			},
			{Name: "web", Owner: "444455556666", State: "Active"}, {Name: "old", Owner: "111122223333", State: "Detached"},
			{Name: "tools", Owner: "111122223333", State: "Active"},
		},
	}
	if diff := cmp.Diff(want, st, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
	got, err := c.Collect(t.Context(), admin.CollectRequest{Grace: config.Duration(3 * time.Second)})
	if diff := cmp.Diff(&admin.Collected{Condemned: 3, Swept: 2, Deleted: 1}, got); err != nil || diff != "" {
		t.Errorf("collect: %v (-want +got):\n%s", err, diff)
	}
	for kind, wantErr := range map[string]error{"principal": nil, "domain": nil, "nonsense": registry.ErrInvalid} {
		if err := c.Revoke(t.Context(), admin.Revocation{Domain: "tools", Kind: kind, Value: "v"}); !errors.Is(err, wantErr) {
			t.Errorf("revoke %s: %v, want %v", kind, err, wantErr)
		}
	}
	if err := c.Revoke(t.Context(), admin.Revocation{Domain: "tools", Kind: "token"}); !errors.Is(err, registry.ErrInvalid) {
		t.Errorf("revoke without a value: %v", err)
	}
	if len(f.revoked) != 2 || f.revoked[0].Domain != 4 || !f.revoked[0].IssuedBefore.Equal(start) || f.revoked[0].ExpiresAt.Sub(start) < auth.MaxLifetime {
		t.Errorf("revoked: %+v", f.revoked)
	}
	docs := admin.Configuration{Epoch: 1, Generation: 2, Registry: &config.Registry{Schema: 1, Region: "local"}, Domains: []config.Domain{{Schema: 1, Name: "web"}}}
	ap, err := c.Apply(t.Context(), docs)
	if err != nil || !ap.Changed || len(ap.Problems) != 1 || ap.Problems[0].Text != "bad" {
		t.Errorf("apply: %+v, %v", ap, err)
	}
	if f.applied.Generation != 2 || f.applied.Epoch != 1 || len(f.applied.Domains) != 1 || f.applied.Registry.Region != "local" {
		t.Errorf("applied: %+v", f.applied)
	}
	if _, err := c.Apply(t.Context(), admin.Configuration{}); !errors.Is(err, registry.ErrInvalid) {
		t.Errorf("apply nothing: %v", err)
	}
	for _, sentinel := range []error{registry.ErrStale, registry.ErrConflict, registry.ErrUnavailable} {
		f.fail = fmt.Errorf("%w: because", sentinel)
		if _, err := c.Apply(t.Context(), docs); !errors.Is(err, sentinel) || !strings.Contains(err.Error(), "because") {
			t.Errorf("%v came over as %v", sentinel, err)
		}
	}
}

func TestHostileRequests(t *testing.T) {
	t.Parallel()
	f := &fake{}
	h := New(Options{Catalog: f, Service: f})
	for name, tt := range map[string]struct {
		method, path, body string
		status             int
	}{
		"unknown field":  {"POST", admin.PathTokens, `{"domain":"tools","principal":"root"}`, 400},
		"two documents":  {"POST", admin.PathTokens, `{} {}`, 400},
		"no document":    {"POST", admin.PathTokens, ``, 400},
		"too large":      {"POST", admin.PathTokens, `{"domain":"` + strings.Repeat("x", maxRequest) + `"}`, 400},
		"other method":   {"GET", admin.PathTokens, ``, 405},
		"unknown path":   {"GET", "/v1/domains", ``, 404},
		"read secrets":   {"GET", admin.PathSecrets, ``, 405},
		"no collection":  {"POST", admin.PathCollect, `{"grace":"0s"}`, 404},
		"not a duration": {"POST", admin.PathCollect, `{"grace":"soon"}`, 400},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, httptest.NewRequest(tt.method, tt.path, strings.NewReader(tt.body)))
			if rec.Code != tt.status {
				b, _ := io.ReadAll(rec.Body)
				t.Errorf("got %d %s, want %d", rec.Code, b, tt.status)
			}
		})
	}
}

// TestSocket: only the owner may connect, what is left over is replaced, a long path works, and nothing stays behind.
func TestSocket(t *testing.T) {
	t.Parallel()
	for name, dir := range map[string]string{"short": "d", "long": strings.Repeat("long/", 40)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), filepath.FromSlash(dir))
			if err := os.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, admin.SocketName)
			if _, err := admin.OpenDir(dir).Status(t.Context()); !errors.Is(err, admin.ErrNotRunning) {
				t.Errorf("without a registry: %v", err)
			}
			if err := os.WriteFile(path, nil, 0o644); err != nil { // left over
				t.Fatal(err)
			}
			l, err := admin.Listen(dir)
			if err != nil {
				t.Fatal(err)
			}
			info, err := os.Stat(path)
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("mode %v, %v", info, err)
			}
			s := &http.Server{Handler: http.NotFoundHandler(), ReadHeaderTimeout: time.Second}
			go func() { _ = s.Serve(l) }()
			if _, err := admin.OpenDir(dir).Status(t.Context()); !errors.Is(err, registry.ErrNotFound) {
				t.Errorf("through the socket: %v", err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if _, err := os.Lstat(path); !os.IsNotExist(err) {
				t.Errorf("the socket is left behind: %v", err)
			}
		})
	}
}
