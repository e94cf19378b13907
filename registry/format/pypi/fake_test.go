package pypi

import (
	"bytes"
	"context"
	"crypto/md5"
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
	"packhouse.dev/packhouse/registry/format/pypi/pypitest"
)

// fakeTime is when everything happens in a fakeRepository.
var fakeTime = time.Date(2026, 1, 2, 3, 4, 5, 678901234, time.UTC)

// fakeRepository is a format.Repository in memory. What a test does not need fails.
type fakeRepository struct {
	format.Index
	format.Editor
	versions map[registry.VersionID]*registry.Version
	bytes    map[string][]byte // by asset name; what is not there is announced and cannot be fetched
	staged   int               // files that were not closed
	denied   bool
	hints    []registry.PackageID
}

func newFake() *fakeRepository {
	return &fakeRepository{versions: map[registry.VersionID]*registry.Version{}, bytes: map[string][]byte{}}
}

func (f *fakeRepository) URL(path string) string {
	return "http://packhouse.test/d-111122223333/pypi/r/" + path
}

func (f *fakeRepository) Principal() string { return "somebody" }

func (f *fakeRepository) Document(ctx context.Context, id registry.PackageID, _ string, render func(*format.PackageView) (*format.Rendered, error)) (*format.Document, error) {
	view, err := f.Package(ctx, id)
	if err != nil {
		return nil, err
	}
	r, err := render(view)
	if err != nil {
		return nil, err
	}
	return format.NewDocument(r)
}

func (f *fakeRepository) Package(_ context.Context, id registry.PackageID) (*format.PackageView, error) {
	if f.denied {
		return nil, registry.ErrAccessDenied
	}
	view := &format.PackageView{ID: id, Display: id.Name, Modified: fakeTime, URL: f.URL}
	for _, v := range f.versions {
		if v.ID.Package == id && v.Status.Listed() {
			view.Versions = append(view.Versions, v)
		}
	}
	if len(view.Versions) == 0 {
		return nil, fmt.Errorf("package %s: %w", id, registry.ErrNotFound)
	}
	slices.SortFunc(view.Versions, func(a, b *registry.Version) int { return names{}.Compare(a.ID.Version, b.ID.Version) })
	return view, nil
}

func (f *fakeRepository) Own(ctx context.Context, id registry.PackageID) (*format.PackageView, error) {
	return f.Package(ctx, id)
}

func (f *fakeRepository) Find(context.Context, string, string) ([]registry.VersionID, error) {
	return nil, errors.ErrUnsupported
}

func (f *fakeRepository) Asset(_ context.Context, id registry.VersionID, name string, mode format.AssetMode) (*format.Asset, error) {
	v := f.versions[id]
	if v == nil || v.Asset(name) == nil {
		return nil, fmt.Errorf("%w: %s of %s", registry.ErrNotFound, name, id)
	}
	a := &format.Asset{Asset: *v.Asset(name), Version: v, Modified: fakeTime}
	if mode == format.Open {
		if !a.Stored {
			return nil, fmt.Errorf("%s: %w", name, registry.ErrUnavailable)
		}
		a.Body = memory{bytes.NewReader(f.bytes[name])}
	}
	return a, nil
}

func (f *fakeRepository) IndexDocument(_ context.Context, _ string, r format.IndexRenderer) (*format.Document, error) {
	var b bytes.Buffer
	ids := map[string]registry.PackageID{}
	for id := range f.versions {
		ids[id.Package.Name] = id.Package
	}
	var list []string
	for name := range ids {
		list = append(list, name)
	}
	slices.Sort(list)
	out, err := r.Assemble(&b, func(yield func(registry.PackageID, []byte) bool) {
		for _, name := range list {
			entry, err := r.Entry(&format.PackageView{ID: ids[name]})
			if err != nil || !yield(ids[name], entry) {
				return
			}
		}
	})
	if err != nil {
		return nil, err
	}
	out.Body = b.Bytes()
	return format.NewDocument(out)
}

type fakeStaged struct {
	*bytes.Reader
	b      []byte
	repo   *fakeRepository
	closed bool
}

func stagedBytes(b []byte) *fakeStaged {
	return &fakeStaged{Reader: bytes.NewReader(b), b: b, repo: newFake()}
}

func (s *fakeStaged) Digests() registry.Digests {
	m, c := md5.Sum(s.b), sha256.Sum256(s.b)
	return registry.Digests{MD5: hex.EncodeToString(m[:]), SHA256: hex.EncodeToString(c[:])}
}

func (s *fakeStaged) Close() error {
	if !s.closed {
		s.repo.staged--
	}
	s.closed = true
	return nil
}

func (f *fakeRepository) Stage(_ context.Context, hint registry.PackageID, r io.Reader) (format.Staged, error) {
	f.hints = append(f.hints, hint)
	if f.denied {
		return nil, registry.ErrAccessDenied
	}
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, errors.New("spool: " + err.Error()) // like a driver that does not wrap
	}
	f.staged++
	return &fakeStaged{Reader: bytes.NewReader(b), b: b, repo: f}, nil
}

func (f *fakeRepository) Publish(_ context.Context, p format.Publication) (*format.Published, error) {
	v := f.versions[p.ID]
	created := v == nil
	if created {
		v = &registry.Version{
			ID: p.ID, Display: p.VersionDisplay, Status: registry.Published, Document: p.Document, Flags: p.Flags, PublishedAt: fakeTime, ArrivedAt: fakeTime,
			Origin: registry.Origin{Type: registry.Internal},
		}
	}
	for _, a := range p.Assets {
		b, err := io.ReadAll(io.NewSectionReader(a.Staged, 0, a.Staged.Size()))
		if err != nil {
			return nil, err
		}
		if old := v.Asset(a.Name); old != nil {
			if old.Digests != a.Staged.Digests() {
				return nil, fmt.Errorf("%w: other bytes of %s", registry.ErrAlreadyExists, a.Name)
			}
			continue
		}
		f.bytes[a.Name] = b
		v.Assets = append(v.Assets, registry.Asset{Name: a.Name, Size: int64(len(b)), Digests: a.Staged.Digests(), Listed: !a.Hidden, Stored: true, Info: a.Info})
	}
	f.versions[p.ID] = v
	return &format.Published{Version: v, Created: created}, nil
}

var _ format.Repository = (*fakeRepository)(nil)

// word is the sentinel that an error wraps, "" for none.
func word(err error) string {
	for _, s := range []error{
		registry.ErrUnavailable, registry.ErrAccessDenied, registry.ErrBlocked, registry.ErrTooLarge, registry.ErrAlreadyExists, registry.ErrConflict,
		registry.ErrUnsupported, registry.ErrNotFound, registry.ErrInvalid,
	} {
		if errors.Is(err, s) {
			return s.Error()
		}
	}
	return ""
}

// status is the server's table, as far as these tests need it.
func status(err error) int {
	code := map[string]int{
		"unavailable": 503, "access denied": 403, "blocked": 403, "too large": 413, "already exists": 409, "conflict": 409, "not supported": 405, "not found": 404, "invalid": 400,
	}[word(err)]
	if code == 0 {
		return http.StatusInternalServerError
	}
	return code
}

// do sends one request to the format as the server does. Headers are pairs.
func do(t testing.TB, repo format.Repository, method, path string, body io.Reader, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, "/"+path, body)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	r = format.WithRest(r, strings.TrimPrefix(r.URL.EscapedPath(), "/"))
	if err := (Format{now: func() time.Time { return fakeTime }}).Serve(w, r, repo); err != nil {
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(status(err))
		_, _ = io.WriteString(w, err.Error())
	}
	return w
}

// post sends an upload form.
func post(t testing.TB, repo format.Repository, fields ...pypitest.Field) *httptest.ResponseRecorder {
	t.Helper()
	contentType, body := pypitest.Form(fields...)
	return do(t, repo, http.MethodPost, "", bytes.NewReader(body), "Content-Type", contentType)
}

// hosted is a repository that a distribution's wheel and source archive were uploaded to.
func hosted(t testing.TB, dists ...pypitest.Dist) *fakeRepository {
	t.Helper()
	f := newFake()
	for _, d := range dists {
		for _, form := range [][]pypitest.Field{d.WheelForm(), d.SourceForm()} {
			if w := post(t, f, form...); w.Code != http.StatusOK {
				t.Fatalf("upload: %d %s", w.Code, w.Body)
			}
		}
	}
	if f.staged != 0 {
		t.Errorf("%d spool files are left", f.staged)
	}
	return f
}
