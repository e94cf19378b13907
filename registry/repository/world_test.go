package repository_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/blob/fs"
	"packhouse.dev/packhouse/registry/config"
	"packhouse.dev/packhouse/registry/content"
	"packhouse.dev/packhouse/registry/external"
	"packhouse.dev/packhouse/registry/format"
	"packhouse.dev/packhouse/registry/format/formattest"
	"packhouse.dev/packhouse/registry/metadata"
	"packhouse.dev/packhouse/registry/metadata/sql"
	"packhouse.dev/packhouse/registry/policy"
	"packhouse.dev/packhouse/registry/repository"
)

const account = "111122223333"

var (
	root     = policy.Principal{ARN: "arn:aws:iam::" + account + ":root", Account: account, Root: true}
	stranger = policy.Principal{ARN: "arn:aws:iam::999999999999:root", Account: "999999999999", Root: true}
	domain   = registry.DomainRef{Owner: account, Name: "d"}
)

// world is one or two Services over one store, with an upstream that a test writes.
type world struct {
	t     *testing.T
	store *counting
	svc   *repository.Service
	up    *upstreamServer
	log   *lockedBuffer
	clock *clock
	dir   string
	toy   format.Format

	identities []config.IdentityPolicy // for apply
	endpoints  []config.Endpoint       // likewise
}

// clock is the time of freshness, moved by tests.
type clock struct {
	mu  sync.Mutex
	off time.Duration
}

func (c *clock) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return time.Now().Add(c.off) }

func (c *clock) move(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.off += d }

// counting counts what reaches the store beside the barrier.
type counting struct {
	metadata.Store
	reads, writes atomic.Int64
	hold          atomic.Pointer[func()] // called before the domains are read
}

func (c *counting) Domains(ctx context.Context) ([]metadata.Domain, error) {
	if hold := c.hold.Load(); hold != nil {
		(*hold)()
	}
	return c.Store.Domains(ctx)
}

func (c *counting) Packages(ctx context.Context, r []metadata.RepositoryID, id registry.PackageID) ([]*metadata.Package, error) {
	c.reads.Add(1)
	return c.Store.Packages(ctx, r, id)
}

func (c *counting) Versions(ctx context.Context, p []metadata.PackageRow, keys []string) ([]*metadata.Version, error) {
	c.reads.Add(1)
	return c.Store.Versions(ctx, p, keys)
}

func (c *counting) Find(ctx context.Context, r []metadata.RepositoryID, f registry.Format, kind, key string) ([]*metadata.Version, error) {
	c.reads.Add(1)
	return c.Store.Find(ctx, r, f, kind, key)
}

func (c *counting) List(ctx context.Context, r []metadata.RepositoryID, q metadata.ListQuery) ([]*metadata.Package, *metadata.ListCursor, error) {
	c.reads.Add(1)
	return c.Store.List(ctx, r, q)
}

func (c *counting) Derived(ctx context.Context, r metadata.RepositoryID, f registry.Format, kind string) ([]metadata.Derived, error) {
	c.reads.Add(1)
	return c.Store.Derived(ctx, r, f, kind)
}

func (c *counting) Upstream(ctx context.Context, d metadata.DomainID, connection, key string) (*metadata.Upstream, error) {
	c.reads.Add(1)
	return c.Store.Upstream(ctx, d, connection, key)
}

func (c *counting) Update(ctx context.Context, d metadata.DomainID, fn func(metadata.Tx) error) (int64, error) {
	c.writes.Add(1)
	return c.Store.Update(ctx, d, fn)
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

func newWorld(t *testing.T) *world {
	t.Helper()
	return newWorldOf(t, formattest.Toy{})
}

// newWorldOf makes a world whose format "toy" is another.
func newWorldOf(t *testing.T, toy format.Format) *world {
	t.Helper()
	w := &world{t: t, log: &lockedBuffer{}, clock: &clock{}, dir: t.TempDir(), toy: toy}
	s, err := sql.OpenSQLite(t.Context(), filepath.Join(w.dir, "db"), sql.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w.store = &counting{Store: s}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	w.up = newUpstream(t)
	w.svc = w.service()
	w.apply()
	return w
}

// service makes a Service over the world's store.
func (w *world) service() *repository.Service {
	w.t.Helper()
	blobs, err := fs.New(filepath.Join(w.dir, "blobs"))
	if err != nil {
		w.t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(w.log, nil))
	keeper := content.New(w.store, blobs, log)
	client, err := external.New(external.Options{Store: w.store, Keeper: repository.Bodies(keeper), SpoolDir: w.t.TempDir(), Now: w.clock.now, Logger: log})
	if err != nil {
		w.t.Fatal(err)
	}
	s, err := repository.New(w.t.Context(), repository.Options{
		Store: w.store, Keeper: keeper, External: client, Formats: []format.Format{w.toy, formattest.Toy{As: "cargo"}}, SpoolDir: w.t.TempDir(), Logger: log,
		Now: w.clock.now, AskTimeout: 300 * time.Millisecond,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		s.Close()
		if err := client.Close(); err != nil {
			w.t.Error(err)
		}
	})
	return s
}

// apply declares app → mid → store → upstream, as changed by edits. Nothing in it may be wrong.
func (w *world) apply(edits ...func(*config.Domain)) {
	w.t.Helper()
	if problems := w.declare(edits...); len(problems) > 0 {
		w.t.Fatal(problems)
	}
}

func (w *world) declare(edits ...func(*config.Domain)) []repository.Problem {
	w.t.Helper()
	d := config.Domain{Schema: config.Schema, Owner: account, Name: "d", Holder: "ns", Connections: []config.Connection{{
		Name: "public:toy", Format: "toy", URL: w.up.URL + "/", AllowPrivateAddresses: true, RetainAll: true,
	}, {
		Name: "public:cargo", Format: "cargo", URL: w.up.URL + "/", AllowPrivateAddresses: true,
	}}}
	for _, r := range []config.Repository{
		{Name: "app", Upstreams: []string{"mid"}}, {Name: "mid", Upstreams: []string{"store"}}, {Name: "store", Connections: []string{"public:toy", "public:cargo"}}, {Name: "other"},
	} {
		r.Administrator, r.AdministratorUID = account, "ns"
		d.Repositories = append(d.Repositories, r)
	}
	for _, e := range edits {
		e(&d)
	}
	reg := &config.Registry{Schema: config.Schema, Partition: "aws", Region: "local", Identities: w.identities, Endpoints: w.endpoints}
	got, err := w.svc.Apply(w.t.Context(), repository.Documents{Registry: reg, Domains: []config.Domain{d}})
	if err != nil {
		w.t.Fatal(err)
	}
	return got.Problems
}

// repo changes one repository of the declaration.
func repo(name string, edit func(*config.Repository)) func(*config.Domain) {
	return func(d *config.Domain) {
		for i := range d.Repositories {
			if d.Repositories[i].Name == name {
				edit(&d.Repositories[i])
			}
		}
	}
}

func controls(name string, publish, upstream registry.Restriction) func(*config.Repository) {
	return func(r *config.Repository) {
		r.Packages = append(r.Packages, config.PackageOrigin{Format: "toy", Name: name, Publish: publish, Upstream: upstream})
	}
}

// view begins a request.
func (w *world) view(repository string) *repository.View { return open(w.t, w.svc, repository, root) }

func open(t *testing.T, s *repository.Service, name string, p policy.Principal) *repository.View {
	t.Helper()
	d, err := s.Enter(t.Context(), domain)
	if err != nil {
		t.Fatal(err)
	}
	v, err := d.Open(t.Context(), repository.Request{Repository: name, Format: "toy", Principal: p, Base: "http://h/d/toy/" + name})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (w *world) publish(repository, name, version, asset, content string) (*format.Published, error) {
	return formattest.Publish(w.t.Context(), w.view(repository), name, version, asset, false, strings.NewReader(content))
}

func (w *world) mustPublish(repository, name, version, content string) {
	w.t.Helper()
	if _, err := w.publish(repository, name, version, "a", content); err != nil {
		w.t.Fatal(err)
	}
}

// list returns the rendered list without its last line, which is an address.
func list(t *testing.T, v *repository.View, name string) (string, error) {
	t.Helper()
	doc, err := v.Document(t.Context(), formattest.ID(name, "").Package, "list", formattest.RenderList)
	if err != nil {
		return "", err
	}
	body := strings.TrimSuffix(string(doc.Body), v.URL("end")+"\n")
	if doc.Stale {
		body += "STALE\n"
	}
	if doc.Partial {
		body += "PARTIAL\n"
	}
	return body, nil
}

func (w *world) list(repository, name string) string {
	w.t.Helper()
	got, err := list(w.t, w.view(repository), name)
	if err != nil {
		return "error: " + sentinel(err)
	}
	return got
}

// read returns the bytes of asset "a".
func (w *world) read(repository, name, version string) (string, error) {
	return readAsset(w.t.Context(), w.view(repository), name, version, "a")
}

func readAsset(ctx context.Context, v *repository.View, name, version, asset string) (string, error) {
	a, err := v.Asset(ctx, formattest.ID(name, version), asset, format.Open)
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(a.Body)
	if e := a.Body.Close(); err == nil {
		err = e
	}
	return string(b), err
}

// holds returns what the very repositories hold of a package: "app: 1.0.0[ab] store: …", with stored assets in capitals.
func (w *world) holds(name string) string {
	w.t.Helper()
	var out []string
	for _, r := range []string{"app", "mid", "store", "other"} {
		own, err := w.view(r).Own(w.t.Context(), formattest.ID(name, "").Package)
		if err != nil {
			w.t.Fatal(err)
		}
		if own == nil {
			continue
		}
		s := r + ":"
		for _, v := range own.Versions {
			s += " " + v.ID.Version + "["
			for _, a := range v.Assets {
				n := a.Name
				if a.Stored {
					n = strings.ToUpper(n)
				}
				s += n
			}
			s += "]"
		}
		out = append(out, s)
	}
	return strings.Join(out, "; ")
}

func sentinel(err error) string {
	for _, s := range []error{
		registry.ErrInvalid, registry.ErrAccessDenied, registry.ErrBlocked, registry.ErrUnavailable, registry.ErrNotFound, registry.ErrAlreadyExists, registry.ErrConflict,
		registry.ErrStale, registry.ErrTooLarge, registry.ErrQuotaExceeded,
	} {
		if errors.Is(err, s) {
			return s.Error()
		}
	}
	if err == nil {
		return "nil"
	}
	return err.Error()
}

// upstreamServer is a toy registry.
type upstreamServer struct {
	*httptest.Server
	mu    sync.Mutex
	files map[string]string // by path
	log   []string
	down  atomic.Bool
	hang  chan struct{} // files wait for it, if not nil
	stuck chan struct{} // everything waits for it, if not nil
}

func newUpstream(t *testing.T) *upstreamServer {
	u := &upstreamServer{files: map[string]string{"/toy.json": `{"Lists":"lists/"}`}}
	u.Server = httptest.NewServer(u)
	t.Cleanup(u.Close)
	return u
}

func (u *upstreamServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	u.mu.Lock()
	u.log = append(u.log, r.URL.Path)
	body, ok := u.files[r.URL.Path]
	hang, stuck := u.hang, u.stuck
	u.mu.Unlock()
	if stuck != nil {
		<-stuck
	}
	switch {
	case u.down.Load():
		w.WriteHeader(http.StatusInternalServerError)
	case !ok:
		w.WriteHeader(http.StatusNotFound)
	case strings.HasSuffix(r.URL.Path, ".json"):
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, body)
	default:
		if hang != nil {
			<-hang
		}
		_, _ = io.WriteString(w, body)
	}
}

func sha(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:])
}

// put makes the upstream have a package with versions whose asset "a" has the content "<name> <version>", and "b" beside it.
func (u *upstreamServer) put(name string, tags map[string]string, versions ...string) {
	page := formattest.Page{Tags: tags}
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, v := range versions {
		files := map[string]string{}
		for _, asset := range []string{"a", "b"} {
			content := remoteContent(name, v, asset)
			u.files["/files/"+name+"/"+v+"/"+asset] = content
			files[asset] = sha(content)
		}
		u.files["/files/"+name+"/"+v+"/extra"] = "extra of " + v
		page.Versions = append(page.Versions, formattest.RemoteVersion{Version: v, Files: files})
	}
	b, err := json.Marshal(page)
	if err != nil {
		panic(err)
	}
	u.files["/pages/"+name+".json"] = string(b)
	u.files["/lists/"+name+".json"] = fmt.Sprintf(`["pages/%s.json"]`, name)
}

func remoteContent(name, version, asset string) string {
	return strings.Repeat(name+" "+version+" "+asset+"\n", 5000)
}

// asked returns how often a path with the given part was asked for.
func (u *upstreamServer) asked(part string) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(slices.DeleteFunc(slices.Clone(u.log), func(p string) bool { return !strings.Contains(p, part) }))
}
