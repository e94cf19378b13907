package ruby

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

// fakeRepository is a format.Repository in memory, without upstreams. What it does not have is not used.
type fakeRepository struct {
	format.Repository
	own     map[registry.PackageID]*format.PackageView
	bytes   map[string][]byte // by asset name
	staged  int               // files that were not closed
	denied  bool
	lookups map[string][]registry.VersionID
}

func newFake() *fakeRepository {
	return &fakeRepository{own: map[registry.PackageID]*format.PackageView{}, bytes: map[string][]byte{}, lookups: map[string][]registry.VersionID{}}
}

func (f *fakeRepository) allowed() error {
	if f.denied {
		return registry.ErrAccessDenied
	}
	return nil
}

func (f *fakeRepository) URL(path string) string { return "http://h/d-111122223333/ruby/r/" + path }

func (f *fakeRepository) External(context.Context, []registry.PackageID) ([]registry.PackageID, error) {
	return nil, f.allowed()
}

func (f *fakeRepository) Package(_ context.Context, id registry.PackageID) (*format.PackageView, error) {
	if err := f.allowed(); err != nil {
		return nil, err
	}
	if f.own[id] == nil {
		return nil, fmt.Errorf("package %s: %w", id, registry.ErrNotFound)
	}
	return visible(f.own[id]), nil
}

func (f *fakeRepository) Find(_ context.Context, _, key string) ([]registry.VersionID, error) {
	return f.lookups[key], f.allowed()
}

func (f *fakeRepository) Own(_ context.Context, id registry.PackageID) (*format.PackageView, error) {
	return f.own[id], f.allowed()
}

// visible are the versions that lists have.
func visible(v *format.PackageView) *format.PackageView {
	out := *v
	out.Versions = slices.DeleteFunc(slices.Clone(v.Versions), func(v *registry.Version) bool { return !v.Status.Listed() })
	return &out
}

func (f *fakeRepository) Document(_ context.Context, id registry.PackageID, _ string, render func(*format.PackageView) (*format.Rendered, error)) (*format.Document, error) {
	if err := f.allowed(); err != nil {
		return nil, err
	}
	if f.own[id] == nil {
		return nil, fmt.Errorf("package %s: %w", id, registry.ErrNotFound)
	}
	r, err := render(visible(f.own[id]))
	if err != nil {
		return nil, err
	}
	return format.NewDocument(r)
}

func (f *fakeRepository) IndexDocument(_ context.Context, _ string, r format.IndexRenderer) (*format.Document, error) {
	if err := f.allowed(); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	out, err := r.Assemble(&b, func(yield func(registry.PackageID, []byte) bool) {
		ids := []registry.PackageID{}
		for id := range f.own {
			ids = append(ids, id)
		}
		slices.SortFunc(ids, func(a, b registry.PackageID) int { return strings.Compare(a.Name, b.Name) })
		for _, id := range ids {
			e, err := r.Entry(visible(f.own[id]))
			if err != nil {
				panic(err)
			}
			if !yield(id, e) {
				return
			}
		}
	})
	if err != nil {
		return nil, err
	}
	if out.Body == nil {
		out.Body = b.Bytes()
	}
	return format.NewDocument(out)
}

func (f *fakeRepository) version(id registry.VersionID) *registry.Version {
	if p := f.own[id.Package]; p != nil {
		for _, v := range p.Versions {
			if v.ID == id {
				return v
			}
		}
	}
	return nil
}

type memory struct{ *bytes.Reader }

func (memory) Close() error { return nil }

func (f *fakeRepository) Asset(_ context.Context, id registry.VersionID, name string, mode format.AssetMode) (*format.Asset, error) {
	if err := f.allowed(); err != nil {
		return nil, err
	}
	v := f.version(id)
	if v == nil || v.Asset(name) == nil {
		return nil, fmt.Errorf("%w: %s", registry.ErrNotFound, name)
	}
	if !v.Status.Served() {
		return nil, fmt.Errorf("%w: version %s is archived", registry.ErrBlocked, id)
	}
	a := &format.Asset{Asset: *v.Asset(name), Version: v}
	if mode == format.Open {
		a.Body = memory{bytes.NewReader(f.bytes[name])}
	}
	return a, nil
}

type fakeStaged struct {
	*bytes.Reader
	sum    string
	repo   *fakeRepository
	closed bool
}

func (s *fakeStaged) Digests() registry.Digests { return registry.Digests{SHA256: s.sum} }

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
	sum := sha256.Sum256(b)
	return &fakeStaged{Reader: bytes.NewReader(b), sum: hex.EncodeToString(sum[:]), repo: f}, nil
}

func (f *fakeRepository) Publish(_ context.Context, p format.Publication) (*format.Published, error) {
	pkg := f.own[p.ID.Package]
	if pkg == nil {
		pkg = &format.PackageView{ID: p.ID.Package, Display: p.Display}
		f.own[p.ID.Package] = pkg
	}
	a := p.Assets[0]
	if old := f.version(p.ID); old != nil {
		if old.Assets[0].Digests != a.Staged.Digests() {
			return nil, registry.ErrAlreadyExists
		}
		return &format.Published{Version: old}, nil
	}
	b, err := io.ReadAll(io.NewSectionReader(a.Staged, 0, a.Staged.Size()))
	if err != nil {
		return nil, err
	}
	f.bytes[a.Name] = b
	v := &registry.Version{
		ID: p.ID, Display: p.VersionDisplay, Status: registry.Published, Document: p.Document, Origin: registry.Origin{Type: registry.Internal},
		PublishedAt: time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC),
		Assets:      []registry.Asset{{Name: a.Name, Size: int64(len(b)), Digests: a.Staged.Digests(), Listed: true, Stored: true, Info: a.Info}},
	}
	pkg.Versions = append(pkg.Versions, v)
	for _, l := range p.Lookups {
		f.lookups[l.Key] = append(f.lookups[l.Key], p.ID)
	}
	slices.SortFunc(pkg.Versions, func(a, b *registry.Version) int { return names{}.Compare(a.ID.Version, b.ID.Version) })
	return &format.Published{Version: v, Created: true}, nil
}

func (f *fakeRepository) Edit(_ context.Context, id registry.PackageID, edits []format.Edit) error {
	if err := f.allowed(); err != nil {
		return err
	}
	for _, e := range edits {
		v := f.version(registry.VersionID{Package: id, Version: e.Version})
		if v == nil {
			return registry.ErrNotFound
		}
		if v.Status != e.IfStatus {
			return fmt.Errorf("%w: version %s is %s", registry.ErrStale, e.Version, v.Status)
		}
		v.Status = e.Status
	}
	return nil
}

// do sends a request as the server would, errors included.
func do(t *testing.T, repo *fakeRepository, method, target string, body []byte) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, "/d-111122223333/ruby/r/"+target, bytes.NewReader(body))
	rest, _, _ := strings.Cut(target, "?")
	w := httptest.NewRecorder()
	if err := New().Serve(w, format.WithRest(r, rest), repo); err != nil {
		status := http.StatusInternalServerError
		for _, s := range []struct {
			err    error
			status int
		}{
			{registry.ErrAccessDenied, 403}, {registry.ErrBlocked, 403}, {registry.ErrTooLarge, 413}, {registry.ErrAlreadyExists, 409}, {registry.ErrConflict, 409},
			{registry.ErrStale, 409}, {registry.ErrUnsupported, 405}, {registry.ErrInvalid, 400}, {registry.ErrNotFound, 404},
		} {
			if errors.Is(err, s.err) {
				status = s.status
				break
			}
		}
		New().WriteError(w, r, status, err.Error())
	}
	if repo.staged != 0 {
		t.Errorf("%s %s: %d staged files were not closed", method, target, repo.staged)
	}
	return w
}
