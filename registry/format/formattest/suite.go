package formattest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
)

// Examples are what Run needs to know of a format.
type Examples struct {
	Packages [][2]string // namespace and name, normalised
	Versions []string    // keys in ascending order, no two alike
	Assets   []string
	// Reads are paths below the repository, escaped, each of which reads something of a package, a list or the repository.
	Reads []string
	// Writes are requests that change something: "PUT path".
	Writes []string
}

// Run holds a format against what every format promises: pure names, a door that nothing gets around, failures that stay failures.
func Run(t *testing.T, f format.Format, x Examples) {
	t.Run("traits", func(t *testing.T) { traits(t, f) })
	t.Run("names", func(t *testing.T) { names(t, f, x) })
	t.Run("order", func(t *testing.T) { order(t, f, x) })
	t.Run("denied", func(t *testing.T) { denied(t, f, x) })
	t.Run("unavailable", func(t *testing.T) { unavailable(t, f, x) })
	t.Run("hostile", func(t *testing.T) { hostile(t, f, x) })
}

func traits(t *testing.T, f format.Format) {
	tr := f.Traits()
	_, remote := f.(format.Remote)
	for what, ok := range map[string]bool{
		"a name for addresses":                        regexp.MustCompile(`^[a-z]{2,10}$`).MatchString(string(tr.Name)),
		"an action for publishing":                    len(tr.PublishActions) > 0 && !slices.ContainsFunc(tr.PublishActions, func(a string) bool { return !strings.HasPrefix(a, "codeartifact:") }),
		"Unfinished versions grow":                    !tr.Unfinished || tr.Grows != format.GrowsNever,
		"presets only with a way to read them":        len(tr.Presets) == 0 || remote,
		"NoUpstream only without one":                 !tr.NoUpstream || !remote && len(tr.Presets) == 0,
		"something to show in the service API":        is[format.Describer](f),
		"the same traits every time":                  fmt.Sprint(tr) == fmt.Sprint(f.Traits()),
		"versions that follow have somewhere to look": !tr.Follows || remote && tr.Grows == format.GrowsAlways,
	} {
		if !ok {
			t.Errorf("%s: not so", what)
		}
	}
	for _, p := range tr.Presets {
		if u, err := url.Parse(p.URL); !strings.HasPrefix(p.Name, "public:") || err != nil || u.Scheme != "https" || u.Host == "" {
			t.Errorf("preset %+v", p)
		}
	}
}

func is[T any](f format.Format) bool { _, ok := f.(T); return ok }

// hostileNames is what somebody may put where a name belongs.
func hostileNames() []string {
	return []string{
		"", " ", ".", "..", "...", "/", "a/b", "../a", "a/../b", `a\b`, "%2e%2e", "%2f", "a%00", "\x00", "a\x00b", "a\nb", "a\r\nSet-Cookie: x", "\t", "\x7f", "\xff\xfe", "a\u202eb",
		"\u200b", "-", "--", "-rf", "a?b", "a#b", "a:b", "a*b", "a;b", "a|b", "$(a)", "`a`", "<script>", `"`, "'", "con", "nul", "__proto__", "constructor", "node_modules",
		"ａ", "İ", "ß", "e\u0301", strings.Repeat("a", 300), strings.Repeat("a.", 5000), strings.Repeat("é", 300), "1", "1.0", "v1", "1.0.0-", "1..0", "9" + strings.Repeat("9", 400), "1.0+", "1!1",
	}
}

func names(t *testing.T, f format.Format, x Examples) {
	n := f.Names()
	for _, p := range x.Packages {
		id, err := n.Package(p[0], p[1])
		if err != nil || id != (registry.PackageID{Format: f.Traits().Name, Namespace: p[0], Name: p[1]}) {
			t.Errorf("package %q is %+v, %v; examples are normalised", p, id, err)
		}
	}
	for _, v := range x.Versions {
		if key, err := n.Version(v); err != nil || key != v {
			t.Errorf("version %q is %q, %v; examples are normalised", v, key, err)
		}
	}
	for _, a := range x.Assets {
		if name, err := n.Asset(a); err != nil || name != a {
			t.Errorf("asset %q is %q, %v", a, name, err)
		}
	}
	for _, s := range hostileNames() {
		for _, ns := range []string{"", x.Packages[0][0], s} {
			if id, err := n.Package(ns, s); sound(t, "name", s, id.Name, err) && sound(t, "namespace", ns, id.Namespace, nil) {
				if again, err := n.Package(id.Namespace, id.Name); err != nil || again != id {
					t.Errorf("package %q %q is %+v, and that is %+v, %v", ns, s, id, again, err)
				}
			}
		}
		if key, err := n.Version(s); sound(t, "version", s, key, err) {
			if again, err := n.Version(key); err != nil || again != key {
				t.Errorf("version %q is %q, and that is %q, %v", s, key, again, err)
			}
		}
		if name, err := n.Asset(s); sound(t, "asset", s, name, err) {
			if again, err := n.Asset(name); err != nil || again != name {
				t.Errorf("asset %q is %q, and that is %q, %v", s, name, again, err)
			}
		}
	}
}

// sound says whether a name was taken; if it was, it must be fit for addresses, headers and rows.
func sound(t *testing.T, what, raw, got string, err error) bool {
	t.Helper()
	if err != nil {
		if !errors.Is(err, registry.ErrInvalid) {
			t.Errorf("%s %.40q: error %v is not ErrInvalid", what, raw, err)
		}
		return false
	}
	bad := func(r rune) bool { return r == '\\' || unicode.IsControl(r) || r == utf8.RuneError }
	switch {
	case !utf8.ValidString(got), strings.ContainsFunc(got, bad), got == ".", got == "..", strings.Contains(got, "/") && what != "asset":
		t.Errorf("%s %.40q was taken as %.40q", what, raw, got)
		return false
	case what == "asset" && slices.ContainsFunc(strings.Split(got, "/"), func(s string) bool { return s == ".." || s == "." }):
		t.Errorf("asset %.40q was taken as the path %.40q", raw, got)
		return false
	case len(got) > 4096:
		t.Errorf("%s of %d bytes was taken", what, len(got))
		return false
	}
	return true
}

func order(t *testing.T, f format.Format, x Examples) {
	compare := f.Names().Compare
	for i, a := range x.Versions {
		for j, b := range x.Versions {
			if got := compare(a, b); sign(got) != sign(i-j) {
				t.Errorf("%q against %q is %d", a, b, got)
			}
		}
	}
	all := append(slices.Clone(x.Versions), hostileNames()...)
	for _, a := range all {
		if compare(a, a) != 0 {
			t.Errorf("%.40q is not like itself", a)
		}
		for _, b := range all {
			if sign(compare(a, b)) != -sign(compare(b, a)) {
				t.Errorf("%.40q against %.40q depends on the side", a, b)
			}
			for _, c := range all {
				if compare(a, b) < 0 && compare(b, c) < 0 && compare(a, c) >= 0 {
					t.Fatalf("%.40q < %.40q < %.40q, but not the first and the last", a, b, c)
				}
			}
		}
	}
}

func sign(n int) int { return max(-1, min(1, n)) }

// request sends one to the format as the server would, and returns what it said and wrote.
func request(t *testing.T, f format.Format, repo format.Repository, method, path string) (rec *httptest.ResponseRecorder, err error) {
	t.Helper()
	rest, query, _ := strings.Cut(path, "?")
	r := httptest.NewRequestWithContext(context.Background(), method, "/x", strings.NewReader("{}"))
	r.URL.RawQuery = query
	rec = httptest.NewRecorder()
	defer func() {
		if p := recover(); p != nil && p != http.ErrAbortHandler { //nolint:errorlint // a panic value
			t.Errorf("%s %.80q: panic %v", method, path, p)
		}
	}()
	return rec, f.Serve(rec, format.WithRest(r, rest), repo)
}

// denied: whoever may nothing gets nothing, by any address, not even a document that is the same for all.
func denied(t *testing.T, f format.Format, x Examples) {
	ask := func(method, path string, must bool) {
		rec, err := request(t, f, &failing{err: registry.ErrAccessDenied}, method, path)
		switch {
		case err == nil && rec.Code < 300:
			t.Errorf("%s %s: %d %.80s for somebody who may nothing", method, path, rec.Code, rec.Body)
		case must && !errors.Is(err, registry.ErrAccessDenied):
			t.Errorf("%s %s: status %d, error %v; want access denied", method, path, rec.Code, err)
		}
	}
	for _, path := range x.Reads {
		ask(http.MethodGet, path, true)
		ask(http.MethodHead, path, true)
	}
	for _, w := range x.Writes {
		method, path, _ := strings.Cut(w, " ")
		ask(method, path, false) // the body of an example is nothing that could be published; that may be said first
	}
	for _, path := range hostilePaths(x) {
		ask(http.MethodGet, path, false)
	}
}

// unavailable: a failure of the store or of an upstream never looks like an absence.
func unavailable(t *testing.T, f format.Format, x Examples) {
	for _, path := range x.Reads {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			if rec, err := request(t, f, &failing{err: registry.ErrUnavailable}, method, path); !errors.Is(err, registry.ErrUnavailable) {
				t.Errorf("%s %s: status %d, error %v; want unavailable", method, path, rec.Code, err)
			}
		}
	}
}

// hostilePaths are the examples, bent.
func hostilePaths(x Examples) []string {
	out := []string{"", "/", "//", "..", "../..", "%2e%2e", "%2e%2e%2f", "a%2fb", "%00", "%", "%zz", "%ff", "-", "-/", "-/-/-", "@", "@/", "@a", "a@b", strings.Repeat("a/", 200), strings.Repeat("a", 9000)}
	for _, path := range x.Reads {
		out = append(out, path+"/..", path+"/", path+"//", "/"+path, path+"%00", path+"%2f..", path+"%2e%2e", strings.Replace(path, "/", "%2f", 1), strings.Replace(path, "/", "//", 1),
			strings.ToUpper(path), path+"?a=%zz&b", path+"/"+path)
		for _, bad := range []string{"..", "%2e%2e", "%5c", "%0d%0a", "%C0%AF", "%E2%80%AE"} {
			segments := strings.Split(path, "/")
			for i := range segments {
				bent := slices.Clone(segments)
				bent[i] = bad
				out = append(out, strings.Join(bent, "/"))
			}
		}
	}
	return out
}

// hostile: over an empty repository whatever is asked is an error that a client can be told, or an honest answer.
func hostile(t *testing.T, f format.Format, x Examples) {
	for _, path := range hostilePaths(x) {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPut, http.MethodPost, http.MethodDelete, http.MethodPatch, "PROPFIND"} {
			rec, err := request(t, f, &failing{err: fmt.Errorf("%w: nothing is here", registry.ErrNotFound)}, method, path)
			if err == nil {
				if rec.Code >= 500 {
					t.Errorf("%s %.80q: %d %.80s", method, path, rec.Code, rec.Body)
				}
				continue
			}
			if !slices.ContainsFunc(told(), func(s error) bool { return errors.Is(err, s) }) {
				t.Errorf("%s %.80q: %v is no error that a client can be told", method, path, err)
			}
		}
	}
}

// told are the sentinels that have a status below 500.
func told() []error {
	return []error{
		registry.ErrInvalid, registry.ErrUnauthenticated, registry.ErrAccessDenied, registry.ErrBlocked, registry.ErrNotFound, registry.ErrUnsupported, registry.ErrConflict,
		registry.ErrAlreadyExists, registry.ErrStale, registry.ErrTooLarge, registry.ErrQuotaExceeded,
	}
}

// failing is a repository in which everything fails in one way.
type failing struct{ err error }

var _ format.Repository = (*failing)(nil)

func (f *failing) URL(path string) string { return "http://packhouse.test/d-111122223333/f/r/" + path }
func (f *failing) Principal() string      { return "arn:aws:iam::111122223333:root" }

func (f *failing) Document(context.Context, registry.PackageID, string, func(*format.PackageView) (*format.Rendered, error)) (*format.Document, error) {
	return nil, f.err
}

func (f *failing) Package(context.Context, registry.PackageID) (*format.PackageView, error) {
	return nil, f.err
}

func (f *failing) Asset(context.Context, registry.VersionID, string, format.AssetMode) (*format.Asset, error) {
	return nil, f.err
}

func (f *failing) Find(context.Context, string, string) ([]registry.VersionID, error) {
	return nil, f.err
}

// Own is nil for what is not there.
func (f *failing) Own(context.Context, registry.PackageID) (*format.PackageView, error) {
	if errors.Is(f.err, registry.ErrNotFound) {
		return nil, nil
	}
	return nil, f.err
}

func (f *failing) Packages(context.Context, format.Query) iter.Seq2[*registry.Package, error] {
	return func(yield func(*registry.Package, error) bool) {
		if !errors.Is(f.err, registry.ErrNotFound) { // an empty list is no error
			yield(nil, f.err)
		}
	}
}

func (f *failing) IndexDocument(context.Context, string, format.IndexRenderer) (*format.Document, error) {
	return nil, f.err
}

func (f *failing) External(context.Context, []registry.PackageID) ([]registry.PackageID, error) {
	return nil, f.err
}

func (f *failing) Forward(context.Context, format.PassThrough) (*format.SourceDocument, error) {
	return nil, f.err
}

func (f *failing) Stage(context.Context, registry.PackageID, io.Reader) (format.Staged, error) {
	return nil, f.err
}

func (f *failing) Publish(context.Context, format.Publication) (*format.Published, error) {
	return nil, f.err
}

func (f *failing) Edit(context.Context, registry.PackageID, []format.Edit) error { return f.err }

func (f *failing) SetTags(context.Context, registry.PackageID, map[string]string, []string) ([]string, error) {
	return nil, f.err
}

func (f *failing) Delete(context.Context, registry.VersionID) error { return f.err }
