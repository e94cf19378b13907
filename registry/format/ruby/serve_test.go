package ruby

import (
	"bytes"
	"context"
	"errors"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
	"packhouse.dev/packhouse/registry/format/ruby/rubytest"
)

func pushed(t *testing.T, repo *fakeRepository, gemspecs ...string) {
	t.Helper()
	for _, g := range gemspecs {
		if w := do(t, repo, "POST", "api/v1/gems", rubytest.Gem(g)); w.Code != 200 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
}

// TestTails: a client gets the end of a document only if what it has is the beginning, and never a 416.
func TestTails(t *testing.T) {
	t.Parallel()
	repo := newFake()
	pushed(t, repo, rubytest.Gemspec("a", "1.0", ""))
	old := do(t, repo, "GET", "info/a", nil)
	etag := old.Header().Get("Etag")
	if etag != `"`+md5Hex(old.Body.Bytes())+`"` || old.Header().Get("Repr-Digest") == "" || old.Header().Get("Accept-Ranges") != "bytes" {
		t.Errorf("headers %v", old.Header())
	}
	pushed(t, repo, rubytest.Gemspec("a", "2.0", ""))
	whole := do(t, repo, "GET", "info/a", nil)
	start := old.Body.Len() - 1
	for name, tt := range map[string]struct {
		ranges, etag string
		status       int
	}{
		"appended":       {"bytes=" + strconv.Itoa(start) + "-", etag, 206},
		"current":        {"bytes=" + strconv.Itoa(whole.Body.Len()-1) + "-", whole.Header().Get("Etag"), 304},
		"other content":  {"bytes=" + strconv.Itoa(start) + "-", `"00"`, 200},
		"no etag":        {"bytes=" + strconv.Itoa(start) + "-", "", 200},
		"past the end":   {"bytes=99999-", etag, 200},
		"several":        {"bytes=0-1,3-4", etag, 200},
		"from the end":   {"bytes=-5", etag, 200},
		"not of numbers": {"bytes=x-", etag, 200},
	} {
		r := httptest.NewRequest("GET", "/x", nil)
		r.Header.Set("Range", tt.ranges)
		r.Header.Set("If-None-Match", tt.etag)
		r.Header.Set("Accept-Encoding", "gzip")
		w := httptest.NewRecorder()
		if err := New().Serve(w, format.WithRest(r, "info/a"), repo); err != nil {
			t.Fatal(err)
		}
		want := map[int][]byte{200: whole.Body.Bytes(), 206: whole.Body.Bytes()[start:]}[tt.status]
		if w.Code != tt.status || !bytes.Equal(w.Body.Bytes(), want) || w.Header().Get("Etag") != whole.Header().Get("Etag") {
			t.Errorf("%s: %d %v\n%s", name, w.Code, w.Header(), w.Body)
		}
	}
}

// TestGzip: compressed or not, the ETag is that of the document.
func TestGzip(t *testing.T) {
	t.Parallel()
	repo := newFake()
	for _, v := range strings.Fields("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20") {
		pushed(t, repo, rubytest.Gemspec("a", v, ""))
	}
	plain := do(t, repo, "GET", "info/a", nil)
	r := httptest.NewRequest("GET", "/x", nil)
	r.Header.Set("Accept-Encoding", "gzip")
	w := httptest.NewRecorder()
	if err := New().Serve(w, format.WithRest(r, "info/a"), repo); err != nil {
		t.Fatal(err)
	}
	if w.Header().Get("Content-Encoding") != "gzip" || w.Header().Get("Etag") != plain.Header().Get("Etag") {
		t.Errorf("%v, without gzip %v", w.Header(), plain.Header())
	}
}

func TestIndexes(t *testing.T) {
	t.Parallel()
	repo := newFake()
	pushed(t, repo, rubytest.Gemspec("b", "1.0", ""), rubytest.Gemspec("a", "1.0", ""), rubytest.Gemspec("a", "1.1.pre", ""), rubytest.Gemspec("a", "1.0", "platform: java\n"))
	info := do(t, repo, "GET", "info/a", nil).Body.Bytes()
	versions := do(t, repo, "GET", "versions", nil).Body.String()
	if !strings.HasPrefix(versions, "created_at: ") || !strings.Contains(versions, "\na 1.0,1.0-java,1.1.pre "+md5Hex(info)+"\n") {
		t.Errorf("versions\n%s", versions)
	}
	if got := do(t, repo, "GET", "names", nil).Body.String(); got != "---\na\nb\n" {
		t.Errorf("names\n%s", got)
	}
	for name, want := range map[string][]specTuple{
		"specs": {{"a", "1.0"}, {"a", "1.0-java"}, {"b", "1.0"}}, "latest_specs": {{"a", "1.0-java"}, {"a", "1.0"}, {"b", "1.0"}}, "prerelease_specs": {{"a", "1.1.pre"}},
	} {
		stream, err := gunzip(do(t, repo, "GET", name+".4.8.gz", nil).Body.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		got, err := readTuples(stream)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(specTuple{})); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	for gems, want := range map[string]int{"": 0, "a": 3, "a,b,nothing,../x": 4} {
		got, err := unmarshal(do(t, repo, "GET", "api/v1/dependencies?gems="+gems, nil).Body.Bytes())
		if err != nil || len(asList(got)) != want {
			t.Errorf("dependencies of %q: %v %v", gems, got, err)
		}
	}
	if w := do(t, repo, "GET", "api/v1/dependencies?gems="+strings.Repeat("a,", maxGems), nil); w.Code != 400 {
		t.Errorf("too many gems: %d", w.Code)
	}
}

func TestPushRefusals(t *testing.T) {
	t.Parallel()
	repo := newFake()
	pushed(t, repo, rubytest.Gemspec("a-1", "2", ""))
	for name, tt := range map[string]struct {
		body   []byte
		status int
		want   string
	}{
		"again":           {rubytest.Gem(rubytest.Gemspec("a-1", "2", "")), 200, "nothing was changed"},
		"other bytes":     {rubytest.Gem(rubytest.Gemspec("a-1", "2", "description: x\n")), 409, ""},
		"same file":       {rubytest.Gem(rubytest.Gemspec("a", "1", "platform: '2'\n")), 409, "the same name"},
		"in capitals":     {rubytest.Gem(rubytest.Gemspec("A-1", "2", "")), 409, "the same name"},
		"rubbish":         {[]byte("rubbish"), 400, "is no gem"},
		"without gemspec": {rubytest.Tar(rubytest.Parts("")[1]), 400, "has no metadata.gz"},
	} {
		if w := do(t, repo, "POST", "api/v1/gems", tt.body); w.Code != tt.status || !strings.Contains(w.Body.String(), tt.want) {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

func TestYank(t *testing.T) {
	t.Parallel()
	repo := newFake()
	pushed(t, repo, rubytest.Gemspec("a", "1.0", ""), rubytest.Gemspec("a", "1.0", "platform: java\n"))
	form := url.Values{"gem_name": {"a"}, "version": {"1.0"}, "platform": {"java"}}.Encode()
	for range 2 {
		if w := do(t, repo, "DELETE", "api/v1/gems/yank", []byte(form)); w.Code != 200 || w.Body.String() != "Successfully deleted gem: a (1.0-java)\n" {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
	if got := do(t, repo, "GET", "info/a", nil).Body.String(); strings.Contains(got, "java") || !strings.Contains(got, "\n1.0 ") {
		t.Errorf("info\n%s", got)
	}
	if w := do(t, repo, "PUT", "api/v1/gems/unyank", []byte(form)); w.Code != 200 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	for body, status := range map[string]int{"": 400, "gem_name=a&version=9": 404, "gem_name=../a&version=1": 400, "gem_name=b&version=1.0": 404} {
		if w := do(t, repo, "DELETE", "api/v1/gems/yank", []byte(body)); w.Code != status {
			t.Errorf("%q: %d %s", body, w.Code, w.Body)
		}
	}
}

// fakeSource is an upstream of files. A file that is "unavailable" cannot be fetched.
type fakeSource map[string]string

func (s fakeSource) Document(_ context.Context, q format.SourceRequest) (*format.SourceDocument, error) {
	body, ok := s[q.Path]
	switch {
	case !ok:
		return nil, registry.ErrNotFound
	case body == "unavailable":
		return nil, registry.ErrUnavailable
	}
	return &format.SourceDocument{Body: []byte(body)}, nil
}

func TestRemote(t *testing.T) {
	t.Parallel()
	id := registry.PackageID{Format: Name, Name: "a"}
	src := fakeSource{"info/a": "---\n1.0 b:>= 1|checksum:" + sum + "\nrubbish line\n1.1-java |checksum:" + sum + "\n", "versions": versionsHead + "a 1.0,1.1-java " + sum[:32] + "\nz 1 " + sum[:32] + "\n"}
	p, err := New().Package(t.Context(), src, id)
	if err != nil || len(p.Versions) != 2 || p.Versions[1].ID.Version != "1.1-java" || p.Versions[0].Assets[0].Source != "gems/a-1.0.gem" || p.Versions[0].Assets[0].Digests.SHA256 != sum {
		t.Errorf("%+v %v", p, err)
	}
	if a, err := New().Asset(t.Context(), src, p.Versions[0].ID, "a-1.0.gem"); err != nil || a.Want.SHA256 != sum {
		t.Errorf("%+v %v", a, err)
	}
	list, err := New().List(t.Context(), src, versionsKind)
	if err != nil || len(list) != 2 || string(list[id]) != strings.Repeat("0", 20)+" a 1.0,1.1-java "+sum[:32]+"\n" {
		t.Errorf("%q %v", list, err)
	}
	for name, tt := range map[string]struct {
		src  fakeSource
		want error
	}{
		"no such gem":     {fakeSource{"versions": versionsHead}, registry.ErrNotFound},
		"no versions":     {fakeSource{"info/a": "---\n"}, registry.ErrNotFound},
		"a page":          {fakeSource{"info/a": "<html>"}, registry.ErrInvalid},
		"only bad lines":  {fakeSource{"info/a": "---\nx y\n"}, registry.ErrInvalid},
		"cannot be asked": {fakeSource{"info/a": "unavailable"}, registry.ErrUnavailable},
		"no source":       {fakeSource{}, registry.ErrInvalid},
		"bad specs":       {fakeSource{"specs.4.8.gz": "x"}, registry.ErrInvalid},
		"empty tree":      {fakeSource{"specs.4.8.gz": marshalHead + "[\x00"}, registry.ErrNotFound},
		"no gemspec":      {fakeSource{"specs.4.8.gz": marshalHead + "[\x06[\x08I\"\x06a\x06:\x06ETU:\x11Gem::Version[\x06I\"\x061\x06;\x00TI\"\x09ruby\x06;\x00T"}, registry.ErrInvalid},
	} {
		if p, err := New().Package(t.Context(), tt.src, id); !errors.Is(err, tt.want) {
			t.Errorf("%s: %+v %v", name, p, err)
		}
	}
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	repo := newFake()
	pushed(t, repo, whole)
	d, err := New().Describe(repo.own[registry.PackageID{Format: Name, Name: "acme"}].Versions[0])
	if err != nil {
		t.Fatal(err)
	}
	want := format.Description{
		DisplayName: "acme", Summary: "An example", HomePage: "https://example.com", SourceCodeRepository: "https://src.example", Licenses: []format.License{{Name: "MIT"}},
		Dependencies: []format.Dependency{{Package: "rack", Type: "runtime", Requirement: "< 3.1, >= 2"}, {Package: "rake", Type: "development", Requirement: ">= 0"}},
	}
	if diff := cmp.Diff(want, d); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
