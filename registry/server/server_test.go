package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/access"
	"packhouse.dev/packhouse/registry/audit"
	"packhouse.dev/packhouse/registry/auth"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/format"
	"packhouse.dev/packhouse/registry/format/npm"
	"packhouse.dev/packhouse/registry/identity"
	"packhouse.dev/packhouse/registry/policy"
	"packhouse.dev/packhouse/registry/repository"
)

var (
	root   = policy.Principal{ARN: "arn:aws:iam::111122223333:root", Account: "111122223333", Root: true}
	nobody = policy.Principal{ARN: "arn:aws:iam::111122223333:user/nobody", Account: "111122223333"}
)

// fakeService is one domain with one repository. It counts how far requests come.
type fakeService struct {
	endpoints       []config.Endpoint
	trusted         []netip.Prefix
	providers       *identity.Providers
	may             string // ARN of who may have a token
	caller          *access.Caller
	duration        time.Duration
	limits          config.Limits
	notReady        error
	entered, opened atomic.Int64
	asked           atomic.Pointer[repository.Request] // the last one that was opened
	keep            bool                               // set asked
	view            fakeView
}

func (s *fakeService) Endpoints() []config.Endpoint { return s.endpoints }

func (s *fakeService) TrustedProxies() []netip.Prefix { return s.trusted }

func (s *fakeService) Providers() *identity.Providers { return s.providers }

func (s *fakeService) AuthorizeToken(_ context.Context, ref registry.DomainRef, c *access.Caller, duration time.Duration) (Domain, error) {
	s.caller, s.duration = c, duration
	if ref != myDomain || c.Principal.ARN != s.may {
		return nil, &repository.DeniedError{Principal: c.Principal.ARN, Action: "codeartifact:GetAuthorizationToken", Resource: ref.String()}
	}
	return s, nil
}

func (s *fakeService) Names() policy.Names {
	return policy.Names{Partition: "aws", Region: "eu-central-1"}
}

func (s *fakeService) Limits() config.Limits { return s.limits.WithDefaults() }

func (s *fakeService) Ready(context.Context) error { return s.notReady }

func (s *fakeService) Enter(_ context.Context, ref registry.DomainRef) (Domain, error) {
	s.entered.Add(1)
	if ref != myDomain {
		return nil, fmt.Errorf("domain %s: %w", ref, registry.ErrNotFound)
	}
	return s, nil
}

func (s *fakeService) UID() string { return "uid-1" }

func (s *fakeService) Open(_ context.Context, q repository.Request) (format.Repository, error) {
	s.opened.Add(1)
	if s.keep {
		s.asked.Store(new(q))
	}
	if !q.Principal.Root {
		return nil, &repository.DeniedError{Principal: q.Principal.ARN, Action: "codeartifact:ReadFromRepository", Resource: "arn:…"}
	}
	if q.Repository != "my-repo" {
		return nil, fmt.Errorf("repository %s: %w", q.Repository, registry.ErrNotFound)
	}
	return &fakeView{base: q.Base, touched: &s.view.count}, nil
}

// fakeView panics when it is touched, which is counted.
type fakeView struct {
	format.Repository
	base    string
	touched *atomic.Int64
	count   atomic.Int64
}

func (v *fakeView) URL(path string) string { return v.base + "/" + path }

func (v *fakeView) Find(context.Context, string, string) ([]registry.VersionID, error) {
	v.touched.Add(1)
	return nil, registry.ErrNotFound
}

// toy is a format whose rest chooses what happens.
type toy struct {
	document *format.Document
	file     string
	serve    func(http.ResponseWriter, *http.Request, format.Repository) error
}

func (t *toy) Traits() format.Traits { return format.Traits{Name: "toy"} }

func (t *toy) Names() format.Names { return nil }

func (t *toy) Serve(w http.ResponseWriter, r *http.Request, repo format.Repository) error {
	switch rest := format.Rest(r); rest {
	case "document":
		return format.ServeDocument(w, r, t.document)
	case "file":
		f, err := os.Open(t.file)
		if err != nil {
			return err
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return err
		}
		a := &format.Asset{Asset: registry.Asset{Name: "file", Size: info.Size()}, Body: f}
		return format.ServeAsset(w, r, a, "application/octet-stream")
	case "address":
		_, err := io.WriteString(w, repo.URL("x"))
		return err
	case "panic":
		panic("a bug")
	case "torn":
		_, _ = io.WriteString(w, "half of ")
		return errors.New("disk is gone")
	case "upload":
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			return err
		}
		_, err = fmt.Fprint(w, n)
		return err
	default:
		if t.serve != nil {
			return t.serve(w, r, repo)
		}
		return fmt.Errorf("%w: no %q", registry.ErrNotFound, rest)
	}
}

// world is a server over the fake service.
type world struct {
	*Server
	service *fakeService
	toy     *toy
	issuer  *auth.Issuer
	log     *lockedBuffer
	record  *lockedBuffer // of the audit log
	url     string
	skew    atomic.Int64 // of the clock of tokens, in nanoseconds
	revoked []auth.Revocation
}

func (w *world) Revocations(context.Context, string) ([]auth.Revocation, error) {
	return w.revoked, nil
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string { b.mu.Lock(); defer b.mu.Unlock(); return b.b.String() }

func newWorld(t testing.TB) *world {
	t.Helper()
	keys, err := auth.NewKeys(bytes.Repeat([]byte("k"), 32))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{service: &fakeService{}, toy: &toy{}, log: &lockedBuffer{}, record: &lockedBuffer{}}
	now := func() time.Time { return time.Now().Add(time.Duration(w.skew.Load())) }
	w.issuer = auth.NewIssuer(keys, now)
	if w.toy.document, err = format.NewDocument(&format.Rendered{ContentType: "application/json", Body: bytes.Repeat([]byte("0123456789"), 1000)}); err != nil {
		t.Fatal(err)
	}
	w.Server, err = New(Options{
		Issuer: w.issuer, Foreign: identity.NewVerifier(nil, nil), Service: w.service, Auth: auth.New(auth.Options{Keys: keys, Revocations: w, Now: now}),
		Formats: []format.Format{w.toy, npm.New()}, Audit: audit.New(w.record, 0, slog.New(slog.DiscardHandler)), Logger: slog.New(slog.NewTextHandler(w.log, nil)), Metrics: prometheus.NewRegistry(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// start serves on a free port, with the limits of production.
func (w *world) start(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Run(ctx, HTTP(w.Server, w.Server.log), time.Second, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	w.url = "http://" + l.Addr().String()
	return w.url
}

func (w *world) token(t testing.TB, p policy.Principal, domain string) string {
	t.Helper()
	tok, err := w.issuer.Issue(auth.Grant{Principal: p, Domain: domain, Lifetime: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	return tok.Value
}

const base = "/my-domain-111122223333/toy/my-repo/"

func (w *world) do(method, target, authorization string, body io.Reader) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, body)
	r.Host = "127.0.0.1:4873"
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	rec := httptest.NewRecorder()
	w.ServeHTTP(rec, r)
	return rec
}

func (w *world) bearer(t testing.TB) string { return "Bearer " + w.token(t, root, "uid-1") }

// TestAddressForms: addresses in documents have the form of the request.
func TestAddressForms(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.service.endpoints = []config.Endpoint{{URL: "https://packages.example.com/tools", Host: "packages.example.com"}}
	tests := map[string]struct{ host, path, want string }{
		"path":               {"127.0.0.1:4873", base + "address", "http://127.0.0.1:4873" + base + "x"},
		"guide's":            {"127.0.0.1:4873", "/toy/d/my-domain-111122223333/my-repo/address", "http://127.0.0.1:4873/toy/d/my-domain-111122223333/my-repo/x"},
		"host":               {"my-domain-111122223333.d.packages.example.com", "/toy/my-repo/address", "https://my-domain-111122223333.d.packages.example.com/toy/my-repo/x"},
		"prefix":             {"packages.example.com", "/tools" + base + "address", "https://packages.example.com/tools" + base + "x"},
		"forged host":        {"evil.example.org", "/tools" + base + "address", "https://packages.example.com/tools" + base + "x"},
		"one empty segment":  {"127.0.0.1:4873", base + "/address", "http://127.0.0.1:4873" + base + "x"},
		"escaped repository": {"127.0.0.1:4873", "/my-domain-111122223333/toy/my%2Drepo/address", "http://127.0.0.1:4873" + base + "x"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodGet, tt.path, nil)
			r.Host = tt.host
			r.Header.Set("X-Forwarded-Host", "evil.example.org")
			r.Header.Set("Authorization", w.bearer(t))
			rec := httptest.NewRecorder()
			w.ServeHTTP(rec, r)
			if rec.Code != http.StatusOK || rec.Body.String() != tt.want {
				t.Errorf("got %d %s, want %s", rec.Code, rec.Body, tt.want)
			}
		})
	}
}

func TestOperations(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.Operations(prometheus.NewRegistry())
	get := func(path string) int {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, path, nil))
		return rec.Code
	}
	if h, r, m := get("/-/healthz"), get("/-/readyz"), get("/metrics"); h != 200 || r != 200 || m != 200 {
		t.Errorf("healthz %d, readyz %d, metrics %d", h, r, m)
	}
	w.service.notReady = errors.New("database is gone")
	if h, r := get("/-/healthz"), get("/-/readyz"); h != 200 || r != 503 {
		t.Errorf("without database: healthz %d, readyz %d", h, r)
	}
	w.service.notReady = nil
	w.Drain()
	if h, r := get("/-/healthz"), get("/-/readyz"); h != 200 || r != 503 {
		t.Errorf("stopping: healthz %d, readyz %d", h, r)
	}
}
