package npm

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/internal/archive"
)

// entry of a test tarball; type 0 is a file.
type entry struct {
	name, body string
	kind       byte
	link       string
	pax        map[string]string
}

func rawTar(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Typeflag: e.kind, Linkname: e.link, Mode: 0o644, PAXRecords: e.pax}
		if e.kind == tar.TypeXGlobalHeader {
			h.Mode = 0
		}
		if e.kind == 0 {
			h.Typeflag, h.Size = tar.TypeReg, int64(len(e.body))
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, e.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gz(t testing.TB, parts ...[]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	for _, p := range parts {
		if _, err := w.Write(p); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func tgz(t testing.TB, entries ...entry) []byte { return gz(t, rawTar(t, entries...)) }

func packageJSON(name, version string) entry {
	return entry{name: "package/package.json", body: fmt.Sprintf(`{"name":%q,"version":%q}`, name, version)}
}

func TestReadTarball(t *testing.T) {
	t.Parallel()
	b := tgz(t,
		entry{name: "pkg/", kind: tar.TypeDir},
		entry{name: "pkg/README", body: "plain"},
		entry{name: "pkg/README.md", body: "# Hello"},
		entry{name: "pkg/docs/readme.md", body: "no"},
		entry{name: "pkg/package.json", body: "\xef\xbb\xbf{\n  \"name\": \"a\"\n}\n"},
		entry{name: "pkg/npm-shrinkwrap.json", body: "{}"},
		entry{name: "pkg/binding.gyp", body: "{}"},
		entry{name: "pkg/sub/package.json", body: "{}"},
		entry{name: "pkg/link", kind: tar.TypeSymlink, link: "docs/readme.md"},
	)
	c, err := readTarball(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(string(c.manifest), " ", c.readme, " ", c.readmeFilename, " ", c.files, " ", c.unpacked, " ", c.shrinkwrap, " ", c.gyp)
	if want := `{"name":"a"} # Hello README.md 7 41 true true`; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestLongReadmeIsCut(t *testing.T) {
	t.Parallel()
	b := tgz(t, packageJSON("a", "1.0.0"), entry{name: "package/readme.txt", body: "x" + strings.Repeat("ä", maxReadme)})
	c, err := readTarball(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.readme) != maxReadme-1 || strings.ContainsRune(c.readme, '�') {
		t.Errorf("readme has %d bytes, broken: %v", len(c.readme), strings.ContainsRune(c.readme, '�'))
	}
}

// paxPath is the extended header that gives the next entry another name, as no honest writer would.
func paxPath(t testing.TB, path string) []byte {
	t.Helper()
	record := "path=" + path + "\n"
	record = fmt.Sprintf("%d %s", len(record)+3, record)
	b := rawTar(t, entry{name: "PaxHeaders/x", body: record})[:1024]
	b[156] = tar.TypeXHeader
	sum := 8 * int(' ') // the checksum counts itself as spaces
	for i, c := range b[:512] {
		if i < 148 || i >= 156 {
			sum += int(c)
		}
	}
	copy(b[148:156], fmt.Sprintf("%06o\x00 ", sum))
	return b
}

// Abuse cases A4. What is accepted must be read by every client alike.
func TestTarballAbuse(t *testing.T) {
	t.Parallel()
	good := packageJSON("a", "1.0.0")
	other := packageJSON("a", "6.6.6")
	raw := rawTar(t, good)
	whole := gz(t, raw)
	manyEmpty := make([]entry, 0, 3000)
	for i := range 3000 {
		manyEmpty = append(manyEmpty, entry{name: fmt.Sprintf("package/%d", i)})
	}
	tests := map[string]struct {
		tgz []byte
		ok  bool
	}{
		"good":                           {whole, true},
		"another first directory":        {tgz(t, entry{name: "anything/package.json", body: good.body}), true},
		"the same package.json twice":    {tgz(t, good, good), true},
		"two package.json":               {tgz(t, good, other), false},
		"package.json in two roots":      {tgz(t, good, entry{name: "other/package.json", body: other.body}), false},
		"package.json in other letters":  {tgz(t, good, entry{name: "package/Package.json", body: other.body}), false},
		"package.json behind ./":         {tgz(t, good, entry{name: "package/./package.json", body: other.body}), false},
		"package.json behind //":         {tgz(t, good, entry{name: "package//package.json", body: other.body}), false},
		"package.json behind \\":         {tgz(t, good, entry{name: `package\package.json`, body: other.body}), false},
		"package.json by a PAX path":     {gz(t, rawTar(t, good)[:1024], paxPath(t, "package/package.json"), rawTar(t, entry{name: "package/x", body: other.body})), false},
		"package.json is a link":         {tgz(t, entry{name: "package/package.json", kind: tar.TypeSymlink, link: "x"}, entry{name: "package/x", body: good.body}), false},
		"package.json is a directory":    {tgz(t, good, entry{name: "package/package.json/", kind: tar.TypeDir}), false},
		"no package.json":                {tgz(t, entry{name: "package/index.js"}), false},
		"package.json without directory": {tgz(t, entry{name: "package.json", body: good.body}), false},
		"package.json is no object":      {tgz(t, entry{name: "package/package.json", body: "[]"}), false},
		"package.json is no JSON":        {tgz(t, entry{name: "package/package.json", body: "{"}), false},
		"package.json of 5 MB":           {tgz(t, entry{name: "package/package.json", body: `{"a":"` + strings.Repeat("a", 5<<20) + `"}`}), false},
		"dot dot":                        {tgz(t, good, entry{name: "package/../../etc/passwd"}), false},
		"dot dot within":                 {tgz(t, good, entry{name: "package/x/../package.json", body: other.body}), false},
		"absolute":                       {tgz(t, good, entry{name: "/etc/passwd"}), false},
		"drive":                          {tgz(t, good, entry{name: `C:\x`}), false},
		"symlink out":                    {tgz(t, good, entry{name: "package/x", kind: tar.TypeSymlink, link: "../../x"}), false},
		"symlink to root":                {tgz(t, good, entry{name: "package/x", kind: tar.TypeSymlink, link: "/etc"}), false},
		"symlink within":                 {tgz(t, good, entry{name: "package/lib/x", kind: tar.TypeSymlink, link: "../y"}), true},
		"hard link out":                  {tgz(t, good, entry{name: "package/x", kind: tar.TypeLink, link: "package/../../x"}), false},
		"hard link within":               {tgz(t, good, entry{name: "package/x", kind: tar.TypeLink, link: "package/package.json"}), true},
		"device":                         {tgz(t, good, entry{name: "package/x", kind: tar.TypeChar}), false},
		"pipe":                           {tgz(t, good, entry{name: "package/x", kind: tar.TypeFifo}), false},
		"comment for all":                {tgz(t, entry{kind: tar.TypeXGlobalHeader, pax: map[string]string{"comment": "a commit"}}, good), true},
		"size for all":                   {tgz(t, entry{kind: tar.TypeXGlobalHeader, pax: map[string]string{"size": "0"}}, good), false},
		"path for all":                   {tgz(t, entry{kind: tar.TypeXGlobalHeader, pax: map[string]string{"path": "package/package.json"}}, good), false},
		"goes on after its end":          {gz(t, raw, rawTar(t, other)), false},
		"goes on with zeros":             {gz(t, raw, make([]byte, 100<<10)), true},
		"goes on in another gzip member": {append(bytes.Clone(whole), gz(t, rawTar(t, other))...), false},
		"zeros in another gzip member":   {append(bytes.Clone(whole), gz(t, make([]byte, 1024))...), true},
		"garbage after gzip":             {append(bytes.Clone(whole), "garbage"...), false},
		"truncated":                      {whole[:len(whole)/2], false},
		"not gzip":                       {raw, false},
		"empty":                          {nil, false},
		"no tar":                         {gz(t, []byte("hello")), false},
		"80 MB of zeros":                 {tgz(t, good, entry{name: "package/zeros", body: strings.Repeat("\x00", 80<<20)}), false},
		"many empty files":               {tgz(t, append(manyEmpty, good)...), true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := readTarball(bytes.NewReader(tt.tgz), int64(len(tt.tgz)))
			if tt.ok {
				if err != nil || string(c.manifest) != good.body {
					t.Errorf("got %+v, %v", c, err)
				}
				return
			}
			if !errors.Is(err, registry.ErrInvalid) {
				t.Errorf("got %v, want ErrInvalid", err)
			}
		})
	}
}

func TestTooManyEntries(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("writes 200,000 entries")
	}
	entries := make([]entry, maxEntries+1)
	for i := range entries {
		entries[i].name = "package/x"
	}
	b := tgz(t, append([]entry{packageJSON("a", "1.0.0")}, entries...)...)
	if _, err := readTarball(bytes.NewReader(b), int64(len(b))); !errors.Is(err, registry.ErrInvalid) {
		t.Errorf("got %v, want ErrInvalid", err)
	}
}

// A failing disk is not the client's fault.
func TestTarballReadError(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	b := tgz(t, packageJSON("a", "1.0.0"))
	for cut := range len(b) {
		_, err := readTarball(io.MultiReader(bytes.NewReader(b[:cut]), iotest.ErrReader(boom)), int64(len(b)))
		if !errors.Is(err, boom) || errors.Is(err, registry.ErrInvalid) {
			t.Fatalf("after %d bytes: got %v, want boom", cut, err)
		}
	}
}

func FuzzTarball(f *testing.F) {
	f.Add(rawTar(f, packageJSON("a", "1.0.0"), entry{name: "package/README.md", body: "x"}))
	f.Add(rawTar(f, entry{name: "package/x", kind: tar.TypeSymlink, link: "y"}, entry{name: strings.Repeat("long/", 60) + "package.json", body: "{}"}))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c := &contents{}
		unpacked := bytes.NewReader(raw) // fuzzing gzip itself finds nothing of ours
		err := walkTar(unpacked, archive.NewSource(unpacked, "tarball"), c.add)
		if err != nil {
			if !errors.Is(err, registry.ErrInvalid) {
				t.Fatalf("unexpected error %v", err)
			}
			return
		}
		if c.manifest != nil && !isObject(c.manifest) || len(c.readme) > 3*maxReadme {
			t.Fatalf("accepted %+v", c)
		}
	})
}
