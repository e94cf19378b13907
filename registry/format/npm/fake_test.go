package npm

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

// fakeTime is when everything happens in a fakeRepository.
var fakeTime = time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)

// fakeRepository is a format.Repository in memory: what it holds itself, and what one upstream has.
type fakeRepository struct {
	mu       sync.Mutex
	own      map[registry.PackageID]*fakePackage
	upstream map[registry.PackageID]*format.RemotePackage
	external map[string]bool // full names that may be told outside
	forward  func(format.PassThrough) (*format.SourceDocument, error)
	staged   int // files that were not closed
	denied   bool
	base     string
	renders  int
}

type fakePackage struct {
	versions map[string]*registry.Version
	bytes    map[string][]byte // by asset name
	tags     map[string]string
	revision int64
}

func newFake() *fakeRepository {
	return &fakeRepository{
		own: map[registry.PackageID]*fakePackage{}, upstream: map[registry.PackageID]*format.RemotePackage{}, external: map[string]bool{},
		base: "http://packhouse.test/d-111122223333/npm/r/",
	}
}

func (f *fakeRepository) allowed() error {
	if f.denied {
		return registry.ErrAccessDenied
	}
	return nil
}

func (f *fakeRepository) URL(path string) string { return f.base + path }

func (f *fakeRepository) Principal() string { return "arn:aws:iam::111122223333:root" }

func (f *fakeRepository) Document(ctx context.Context, id registry.PackageID, _ string, render func(*format.PackageView) (*format.Rendered, error)) (*format.Document, error) {
	view, err := f.Package(ctx, id)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	f.renders++
	f.mu.Unlock()
	r, err := render(view)
	if err != nil {
		return nil, err
	}
	return format.NewDocument(r)
}

func (f *fakeRepository) Package(ctx context.Context, id registry.PackageID) (*format.PackageView, error) {
	if err := f.allowed(); err != nil {
		return nil, err
	}
	view, err := f.Own(ctx, id)
	if err != nil {
		return nil, err
	}
	if view == nil {
		view = &format.PackageView{ID: id, Tags: map[string]string{}, URL: f.URL}
	}
	view.Versions = slices.DeleteFunc(view.Versions, func(v *registry.Version) bool { return !v.Status.Listed() })
	if up := f.upstream[id]; up != nil {
		for _, v := range up.Versions {
			if !slices.ContainsFunc(view.Versions, func(o *registry.Version) bool { return o.ID == v.ID }) {
				view.Versions = append(view.Versions, v)
			}
		}
		maps.Copy(view.Tags, up.Tags)
		if up.Modified.After(view.Modified) {
			view.Modified = up.Modified
		}
	}
	if len(view.Versions) == 0 {
		return nil, fmt.Errorf("package %s: %w", id, registry.ErrNotFound)
	}
	sortVersions(view.Versions)
	return view, nil
}

func sortVersions(list []*registry.Version) {
	slices.SortFunc(list, func(a, b *registry.Version) int { return names{}.Compare(a.ID.Version, b.ID.Version) })
}

func (f *fakeRepository) Own(_ context.Context, id registry.PackageID) (*format.PackageView, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.own[id]
	if p == nil {
		return nil, nil
	}
	view := &format.PackageView{ID: id, Display: fullName(id), Tags: maps.Clone(p.tags), Revision: p.revision, Modified: fakeTime, URL: f.URL}
	for _, v := range p.versions {
		c := *v
		view.Versions = append(view.Versions, &c)
	}
	sortVersions(view.Versions)
	return view, nil
}

type memory struct{ *bytes.Reader }

func (memory) Close() error { return nil }

func (f *fakeRepository) Asset(_ context.Context, id registry.VersionID, name string, mode format.AssetMode) (*format.Asset, error) {
	if err := f.allowed(); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.own[id.Package]
	if p == nil || p.versions[id.Version] == nil || p.versions[id.Version].Asset(name) == nil {
		return nil, fmt.Errorf("%w: %s of %s", registry.ErrNotFound, name, id)
	}
	v := p.versions[id.Version]
	if !v.Status.Served() {
		return nil, fmt.Errorf("%w: %s is %s", registry.ErrBlocked, id, v.Status)
	}
	a := &format.Asset{Asset: *v.Asset(name), Version: v, Modified: fakeTime}
	if mode == format.Open {
		a.Body = memory{bytes.NewReader(p.bytes[name])}
	}
	return a, nil
}

func (f *fakeRepository) Find(context.Context, string, string) ([]registry.VersionID, error) {
	return nil, f.allowed()
}

func (f *fakeRepository) Packages(_ context.Context, q format.Query) iter.Seq2[*registry.Package, error] {
	return func(yield func(*registry.Package, error) bool) {
		if err := f.allowed(); err != nil {
			yield(nil, err)
			return
		}
		ids := slices.SortedFunc(maps.Keys(f.own), func(a, b registry.PackageID) int { return strings.Compare(fullName(a), fullName(b)) })
		n := 0
		for _, id := range ids {
			p := f.own[id]
			if q.HasNamespace && id.Namespace != q.Namespace || !strings.Contains(id.Name, q.Text) || q.Limit > 0 && n == q.Limit {
				continue
			}
			n++
			if !yield(&registry.Package{ID: id, Display: fullName(id), Summary: "about " + id.Name, Tags: p.tags}, nil) {
				return
			}
		}
	}
}

func (f *fakeRepository) IndexDocument(context.Context, string, format.IndexRenderer) (*format.Document, error) {
	return nil, errors.ErrUnsupported
}

func (f *fakeRepository) External(_ context.Context, ids []registry.PackageID) ([]registry.PackageID, error) {
	if err := f.allowed(); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(ids), func(id registry.PackageID) bool { return !f.external[fullName(id)] }), nil
}

func (f *fakeRepository) Forward(_ context.Context, q format.PassThrough) (*format.SourceDocument, error) {
	if f.forward == nil {
		return nil, registry.ErrNotFound
	}
	return f.forward(q)
}

type fakeStaged struct {
	*bytes.Reader
	b      []byte
	repo   *fakeRepository
	closed bool
}

func (s *fakeStaged) Digests() registry.Digests {
	m, a, b, c := md5.Sum(s.b), sha1.Sum(s.b), sha256.Sum256(s.b), sha512.Sum512(s.b)
	return registry.Digests{MD5: hex.EncodeToString(m[:]), SHA1: hex.EncodeToString(a[:]), SHA256: hex.EncodeToString(b[:]), SHA512: hex.EncodeToString(c[:])}
}

func (s *fakeStaged) Close() error {
	if !s.closed {
		s.repo.staged--
	}
	s.closed = true
	return nil
}

func (f *fakeRepository) Stage(_ context.Context, _ registry.PackageID, r io.Reader) (format.Staged, error) {
	if err := f.allowed(); err != nil {
		return nil, err
	}
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, errors.New("spool: " + err.Error()) // like a driver that does not wrap
	}
	f.staged++
	return &fakeStaged{Reader: bytes.NewReader(b), b: b, repo: f}, nil
}

func (f *fakeRepository) Publish(_ context.Context, p format.Publication) (*format.Published, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	id := p.ID.Package
	pkg := f.own[id]
	if pkg == nil {
		pkg = &fakePackage{versions: map[string]*registry.Version{}, bytes: map[string][]byte{}, tags: map[string]string{}}
	}
	if up := f.upstream[id]; up != nil && slices.ContainsFunc(up.Versions, func(v *registry.Version) bool { return v.ID == p.ID }) {
		return nil, fmt.Errorf("%w: %s is in an upstream", registry.ErrConflict, p.ID)
	}
	created := true
	if old := pkg.versions[p.ID.Version]; old != nil {
		if old.Assets[0].Digests != p.Assets[0].Staged.Digests() {
			return nil, fmt.Errorf("%w: %s", registry.ErrAlreadyExists, p.ID)
		}
		created = false
	}
	v := &registry.Version{
		ID: p.ID, Display: p.VersionDisplay, Status: registry.Published, Document: p.Document, Flags: p.Flags, PublishedAt: fakeTime, ArrivedAt: fakeTime,
	}
	for _, a := range p.Assets {
		b, err := io.ReadAll(io.NewSectionReader(a.Staged, 0, a.Staged.Size()))
		if err != nil {
			return nil, err
		}
		pkg.bytes[a.Name] = b
		v.Assets = append(v.Assets, registry.Asset{Name: a.Name, Size: int64(len(b)), Digests: a.Staged.Digests(), Listed: !a.Hidden, Stored: true})
	}
	pkg.versions[p.ID.Version] = v
	maps.Copy(pkg.tags, p.Tags)
	pkg.revision++
	f.own[id] = pkg
	return &format.Published{Version: v, Created: created, ShadowedTags: f.shadowed(id, p.Tags)}, nil
}

func (f *fakeRepository) shadowed(id registry.PackageID, set map[string]string) []string {
	var out []string
	if up := f.upstream[id]; up != nil {
		for tag := range set {
			if _, has := up.Tags[tag]; has {
				out = append(out, tag)
			}
		}
	}
	return out
}

func (f *fakeRepository) Edit(_ context.Context, id registry.PackageID, edits []format.Edit) error {
	for _, e := range edits {
		v := f.own[id].versions[e.Version]
		if v == nil {
			return registry.ErrNotFound
		}
		flags, err := e.Flags(v.Flags)
		if err != nil {
			return err
		}
		v.Flags = flags
	}
	return nil
}

func (f *fakeRepository) SetTags(ctx context.Context, id registry.PackageID, set map[string]string, remove []string) ([]string, error) {
	view, err := f.Package(ctx, id)
	if err != nil {
		return nil, err
	}
	for _, key := range set {
		if index(view.Versions)[key] == nil {
			return nil, fmt.Errorf("%w: version %s of %s", registry.ErrNotFound, key, id)
		}
	}
	p := f.own[id]
	maps.Copy(p.tags, set)
	for _, tag := range remove {
		delete(p.tags, tag)
	}
	return f.shadowed(id, set), nil
}

func (f *fakeRepository) Delete(context.Context, registry.VersionID) error {
	return errors.ErrUnsupported
}

var _ format.Repository = (*fakeRepository)(nil)

// status is the server's table, as far as these tests need it.
func status(err error) int {
	for _, s := range []struct {
		err    error
		status int
	}{
		{registry.ErrInvalid, 400}, {registry.ErrAccessDenied, 403}, {registry.ErrBlocked, 403}, {registry.ErrNotFound, 404}, {registry.ErrUnsupported, 405},
		{registry.ErrConflict, 409}, {registry.ErrAlreadyExists, 409}, {registry.ErrTooLarge, 413}, {registry.ErrUnavailable, 503},
	} {
		if errors.Is(err, s.err) {
			return s.status
		}
	}
	return 500
}

// handler serves the format like the server does, below /r/.
func handler(repo format.Repository) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f := New()
		r = format.WithRest(r, strings.TrimPrefix(r.URL.EscapedPath(), "/r/"))
		if err := f.Serve(w, r, repo); err != nil {
			f.WriteError(w, r, status(err), err.Error())
		}
	})
}

// do sends one request. Headers are pairs.
func do(t *testing.T, repo format.Repository, method, path string, body io.Reader, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, "/r/"+path, body)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	handler(repo).ServeHTTP(w, r)
	return w
}
