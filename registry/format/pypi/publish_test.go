package pypi

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format"
	"packhouse.dev/packhouse/registry/format/pypi/pypitest"
)

// TestPublish: what is stored was read from the file, whatever the form says beside it.
func TestPublish(t *testing.T) {
	t.Parallel()
	d := lib()
	d.Description = "# My library\n"
	f := hosted(t, d)
	v := f.versions[registry.VersionID{Package: registry.PackageID{Format: Name, Name: "my-lib"}, Version: "1"}]
	if v == nil || v.Display != "1.0.0" {
		t.Fatalf("version %+v of %v", v, f.versions)
	}
	var got []string
	for _, a := range v.Assets {
		got = append(got, a.Name)
	}
	if diff := cmp.Diff([]string{"My_Lib-1.0.0-py3-none-any.whl", "My_Lib-1.0.0-py3-none-any.whl.metadata", "My_Lib-1.0.0.tar.gz"}, got); diff != "" {
		t.Error(diff)
	}
	if v.Assets[1].Listed || !bytes.Equal(f.bytes[v.Assets[1].Name], []byte(d.Metadata())) {
		t.Errorf("core metadata: %q", f.bytes[v.Assets[1].Name])
	}
	desc, err := Format{}.Describe(v)
	want := format.Description{DisplayName: "My.Lib", Summary: "ours", Readme: "# My library"}
	if diff := cmp.Diff(want, desc); err != nil || diff != "" {
		t.Error(err, diff)
	}
	if w := post(t, f, d.WheelForm()...); w.Code != http.StatusOK {
		t.Errorf("the same file again: %d %s", w.Code, w.Body)
	}
	d.Code = "other = 1\n"
	if w := post(t, f, d.WheelForm()...); w.Code != http.StatusConflict || !strings.HasPrefix(w.Body.String(), "File already exists (My_Lib-1.0.0-py3-none-any.whl)") {
		t.Errorf("other bytes: %d %s", w.Code, w.Body)
	}
	if f.staged != 0 {
		t.Errorf("%d spool files are left", f.staged)
	}
	if f.hints[0].Name != "my-lib" {
		t.Errorf("hints %v", f.hints)
	}
}

// set changes a field, "" removes it.
func set(fields []pypitest.Field, name, value string) []pypitest.Field {
	out := slices.Clone(fields)
	for i := range out {
		if out[i].Name == name {
			if value == "" {
				return slices.Delete(out, i, i+1)
			}
			out[i].Value = value
			return out
		}
	}
	return append(out, pypitest.Field{Name: name, Value: value})
}

// content replaces the file and its digests.
func content(fields []pypitest.Field, file string, b []byte) []pypitest.Field {
	out := set(set(fields, "md5_digest", ""), "sha256_digest", pypitest.SHA256(b))
	for i := range out {
		if out[i].Name == "content" {
			out[i].File, out[i].Value = file, string(b)
		}
	}
	return out
}

func TestForms(t *testing.T) {
	t.Parallel()
	d := lib()
	good := d.WheelForm()
	reversed := slices.Clone(good)
	slices.Reverse(reversed)
	many := slices.Clone(good)
	for range 1000 {
		many = append(many, pypitest.Field{Name: "classifiers", Value: "Topic :: x"})
	}
	tooMany := slices.Clone(many)
	for range 1000 {
		tooMany = append(tooMany, pypitest.Field{Name: "classifiers", Value: "Topic :: x"})
	}
	tests := map[string]struct {
		fields []pypitest.Field
		status int
		says   string
	}{
		"the file first":            {reversed, 200, "OK"},
		"a thousand classifiers":    {many, 200, "OK"},
		"two thousand":              {tooMany, 400, "more than 2000 fields"},
		"an old client registers":   {[]pypitest.Field{{Name: ":action", Value: "submit"}, {Name: "name", Value: "x"}}, 200, "nothing has to be registered"},
		"no action":                 {set(good, ":action", ""), 400, "file_upload"},
		"another action":            {set(good, ":action", "remove_pkg"), 400, `"remove_pkg"`},
		"another protocol":          {set(good, "protocol_version", "2"), 400, "version 1"},
		"no digest":                 {set(set(good, "md5_digest", ""), "sha256_digest", ""), 400, "sha256_digest"},
		"only MD5":                  {set(good, "sha256_digest", ""), 200, "OK"},
		"digests in capitals":       {set(good, "sha256_digest", strings.ToUpper(pypitest.SHA256(d.Wheel()))), 200, "OK"},
		"wrong SHA-256":             {set(good, "sha256_digest", strings.Repeat("0", 64)), 400, "the sha256 of the file is not what the form says"},
		"wrong MD5":                 {set(good, "md5_digest", strings.Repeat("0", 32)), 400, "the md5"},
		"no hexadecimal":            {set(good, "sha256_digest", "zz"), 400, "sha256_digest is not hexadecimal"},
		"no file":                   {set(good, "content", ""), 400, `"content" is missing`},
		"no name":                   {set(good, "name", ""), 400, "no name"},
		"name twice":                {append(slices.Clone(good), pypitest.Field{Name: "name", Value: "evil"}), 400, "twice"},
		"two files":                 {append(slices.Clone(good), good[len(good)-1]), 400, "two files"},
		"another name":              {set(good, "name", "evil"), 400, "is not the name of a file of evil"},
		"the name in other letters": {set(good, "name", "my_LIB"), 200, "OK"},
		"another version":           {set(good, "version", "2.0"), 400, `the form says version "2.0"`},
		"another spelling":          {set(good, "version", "1.0"), 200, "OK"},
		"filetype of another":       {set(good, "filetype", "sdist"), 400, "filetype"},
		"a path":                    {content(good, "../"+d.WheelName(), d.Wheel()), 400, "is not a file name"},
		"a path of Windows":         {content(good, `x\`+d.WheelName(), d.Wheel()), 400, "is not a file name"},
		"an egg":                    {content(set(good, "filetype", ""), "My_Lib-1.0.0-py3.egg", d.Wheel()), 400, "neither a wheel"},
		"a source in another form":  {content(set(good, "filetype", ""), "My_Lib-1.0.0.tar.bz2", d.Wheel()), 400, "neither a wheel"},
		"a wheel named as a source": {content(set(good, "filetype", "sdist"), d.SourceName(), d.Wheel()), 400, "not compressed with gzip"},
		"a source named as a wheel": {content(good, d.WheelName(), d.Source()), 400, "ZIP"},
		"an empty file":             {content(good, d.WheelName(), []byte{}), 400, ""},
		"a field without end":       {set(good, "summary", strings.Repeat("x", maxFormField+1)), 413, "too long"},
		"a name without end":        {set(good, "name", strings.Repeat("x", 10_000)), 400, "too long"},
		"metadata of another": {content(good, d.WheelName(), pypitest.Zip(pypitest.Entry{Name: "My_Lib-1.0.0.dist-info/METADATA", Text: "Name: evil\nVersion: 1.0.0\n"},
			pypitest.Entry{Name: "My_Lib-1.0.0.dist-info/WHEEL"}, pypitest.Entry{Name: "My_Lib-1.0.0.dist-info/RECORD"})), 400, `the metadata in the file for "evil"`},
		"two names in the metadata": {content(good, d.WheelName(), pypitest.Dist{Name: "My.Lib", Version: "1.0.0", Fields: []string{"Name: evil"}}.Wheel()), 400, `2 fields "name"`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			w := post(t, f, tt.fields...)
			if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.says) {
				t.Errorf("got %d %q; want %d %q", w.Code, w.Body, tt.status, tt.says)
			}
			if f.staged != 0 {
				t.Errorf("%d spool files are left", f.staged)
			}
			if tt.status != http.StatusOK && len(f.versions) > 0 {
				t.Error("something was stored")
			}
		})
	}
}

// TestAbort: a request that breaks off leaves nothing, and is not called a wrong form.
func TestAbort(t *testing.T) {
	t.Parallel()
	contentType, body := pypitest.Form(lib().WheelForm()...)
	broken := errors.New("connection reset")
	for at := 0; at < len(body); at += 97 {
		for _, end := range []error{io.EOF, broken} {
			f := newFake()
			r, err := http.NewRequest(http.MethodPost, "/", io.MultiReader(bytes.NewReader(body[:at]), &failing{end}))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", contentType)
			u, err := readUpload(context.Background(), f, r)
			u.close()
			if err == nil {
				err = u.check()
			}
			if err == nil || f.staged != 0 || errors.Is(end, io.EOF) && word(err) == "" || errors.Is(end, broken) && !errors.Is(err, broken) {
				t.Fatalf("at %d, %v: %v, %d spool files", at, end, err, f.staged)
			}
		}
	}
}

type failing struct{ err error }

func (f *failing) Read([]byte) (int, error) { return 0, f.err }

func TestUploadDenied(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.denied = true
	if w := post(t, f, lib().WheelForm()...); w.Code != http.StatusForbidden {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

func FuzzForm(f *testing.F) {
	contentType, body := pypitest.Form(lib().WheelForm()...)
	f.Add(contentType, body)
	contentType, body = pypitest.Form(lib().SourceForm()...)
	f.Add(contentType, body)
	f.Add("multipart/form-data; boundary=x", []byte("--x\r\nContent-Disposition: form-data; name=content; filename*=utf-8''a%2fb\r\n\r\nx\r\n--x--"))
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		repo := newFake()
		w := do(t, repo, http.MethodPost, "", bytes.NewReader(body), "Content-Type", contentType)
		if w.Code == http.StatusInternalServerError {
			t.Fatalf("got %d %s", w.Code, w.Body)
		}
		if repo.staged != 0 {
			t.Fatalf("%d spool files are left", repo.staged)
		}
	})
}
