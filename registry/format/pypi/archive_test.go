package pypi

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"packhouse.dev/packhouse/registry/format/pypi/pypitest"
)

// patched is b with one change; at counts from the end if negative.
func patched(b []byte, at int, with ...byte) []byte {
	out := bytes.Clone(b)
	if at < 0 {
		at += len(out)
	}
	copy(out[at:], with)
	return out
}

func concat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func read(b []byte, name string) ([]byte, error) {
	f, ok := parseFileName("x", name)
	if !ok {
		panic(name)
	}
	return readMetadata(stagedBytes(b), name, f)
}

// wheelOf is a wheel of x 1.0 with further files.
func wheelOf(build func(...pypitest.Entry) []byte, more ...pypitest.Entry) []byte {
	return build(append(more, pypitest.Entry{Name: "x-1.0.dist-info/METADATA", Text: "Name: x\nVersion: 1.0\n"},
		pypitest.Entry{Name: "x-1.0.dist-info/WHEEL", Text: "Wheel-Version: 1.0\n"}, pypitest.Entry{Name: "x-1.0.dist-info/RECORD"})...)
}

// TestWheels are the ways in which readers of ZIP archives differ (see archive), one by one.
func TestWheels(t *testing.T) {
	t.Parallel()
	good := wheelOf(pypitest.Zip)
	first := bytes.Index(good, []byte("x-1.0.dist-info/METADATA"))
	central := bytes.LastIndex(good, []byte("PK\x01\x02"))
	end := len(good) - endSize
	hidden := wheelOf(pypitest.Zip, pypitest.Entry{Name: "evil.py", Text: "x"})
	tests := map[string]struct {
		bytes []byte
		want  string // in the error; "": it is fine
	}{
		"good":                       {good, ""},
		"sizes behind the data":      {wheelOf(pypitest.ZipStreamed, pypitest.Entry{Name: "a/"}, pypitest.Entry{Name: "b.py", Text: "x"}), ""},
		"a name in UTF-8":            {wheelOf(pypitest.ZipStreamed, pypitest.Entry{Name: "ä.py", Text: "x"}), ""},
		"bytes before":               {concat([]byte("MZ"), good), "bytes that belong to nothing"},
		"bytes behind":               {concat(good, []byte{0}), "does not end with its directory"},
		"a comment":                  {concat(patched(good, -2, 1), []byte("!")), "comment"},
		"a second archive behind":    {concat(good, hidden), "bytes that belong to nothing"},
		"an archive before":          {concat(hidden, good), "bytes that belong to nothing"},
		"cut off":                    {good[:len(good)/2], "does not end"},
		"empty":                      {nil, "cut off"},
		"directory size 0":           {patched(good, end+12, 0, 0, 0, 0), "around its directory"},
		"fewer entries than there":   {patched(good, end+8, 2, 0, 2, 0), "more in its directory"},
		"more entries than there":    {patched(good, end+8, 9, 0, 9, 0), "damaged directory"},
		"several disks":              {patched(good, end+4, 1), "a part of several"},
		"local name differs":         {patched(good, first, 'y'), "two things"},
		"local method differs":       {patched(good, 8, 8), "two things"},
		"local checksum differs":     {patched(good, 14, 1, 2, 3, 4), "two things"},
		"local size differs":         {patched(good, 22, 1), "two things"},
		"encrypted":                  {patched(patched(good, 6, 1), central+8, 1), "encrypted"},
		"method unknown":             {patched(good, central+10, 99), "in a way that is not"},
		"offset elsewhere":           {patched(good, central+42, 1), "the ZIP archive"},
		"data damaged":               {patched(good, first+len("x-1.0.dist-info/METADATA"), 'n'), "damaged at"},
		"an entry twice":             {wheelOf(pypitest.Zip, pypitest.Entry{Name: "a.py"}, pypitest.Entry{Name: "a.py"}), "twice"},
		"a file and a folder":        {wheelOf(pypitest.Zip, pypitest.Entry{Name: "a"}, pypitest.Entry{Name: "a/"}), "twice"},
		"content in a folder":        {bytes.ReplaceAll(wheelOf(pypitest.Zip, pypitest.Entry{Name: "a_", Text: "x"}), []byte("a_"), []byte("a/")), "content in the folder"},
		"climbs out":                 {wheelOf(pypitest.Zip, pypitest.Entry{Name: "a/../../b"}), "entry named"},
		"absolute":                   {wheelOf(pypitest.Zip, pypitest.Entry{Name: "/a"}), "entry named"},
		"a drive":                    {wheelOf(pypitest.Zip, pypitest.Entry{Name: "C:/a"}), "entry named"},
		"backslash":                  {wheelOf(pypitest.Zip, pypitest.Entry{Name: `a\b`}), "entry named"},
		"NUL":                        {wheelOf(pypitest.Zip, pypitest.Entry{Name: "a\x00b"}), "entry named"},
		"no stated encoding":         {wheelOf(pypitest.Zip, pypitest.Entry{Name: "ä"}), "no stated encoding"},
		"no METADATA":                {pypitest.Zip(pypitest.Entry{Name: "x-1.0.dist-info/WHEEL"}, pypitest.Entry{Name: "x-1.0.dist-info/RECORD"}), "has no x-1.0.dist-info/METADATA"},
		"no RECORD":                  {pypitest.Zip(pypitest.Entry{Name: "x-1.0.dist-info/WHEEL"}, pypitest.Entry{Name: "x-1.0.dist-info/METADATA"}), "RECORD"},
		"no folder":                  {pypitest.Zip(pypitest.Entry{Name: "a.py"}), "no .dist-info folder"},
		"two metadata folders":       {wheelOf(pypitest.Zip, pypitest.Entry{Name: "y-1.0.dist-info/METADATA"}), "metadata folders"},
		"a folder in other letters":  {wheelOf(pypitest.Zip, pypitest.Entry{Name: "x-1.0.DIST-INFO/METADATA"}), "metadata folders"},
		"of another project":         {pypitest.Dist{Name: "y", Version: "1.0"}.Wheel(), "its metadata folder"},
		"of another version":         {pypitest.Dist{Name: "x", Version: "2.0"}.Wheel(), "its metadata folder"},
		"METADATA without end":       {pypitest.Dist{Name: "x", Version: "1.0", Description: strings.Repeat("x", maxMetadata)}.Wheel(), "more than 8 MB"},
		"a bomb":                     {wheelOf(pypitest.ZipStreamed, pypitest.Entry{Name: "zeros", Text: strings.Repeat("\x00", 70<<20)}), "times its size"},
		"a second name for an entry": {unicodePath(t), "a second name"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := read(tt.bytes, "x-1.0-py3-none-any.whl")
			if tt.want == "" && err != nil || tt.want != "" && (word(err) != "invalid" || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// unicodePath is a wheel with an Info-ZIP Unicode Path field.
func unicodePath(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	extra := binary.LittleEndian.AppendUint16(nil, extraUnicodePath)
	extra = append(extra, 6, 0, 1, 0, 0, 0, 0, 'y')
	if _, err := w.CreateHeader(&zip.FileHeader{Name: "a.py", Extra: extra}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestLargeZip has the records of archives beyond 4 GB, as Python's zipfile writes them.
func TestLargeZip(t *testing.T) {
	t.Parallel()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("SKIPPED: python3 is not installed")
	}
	path := filepath.Join(t.TempDir(), "x.whl")
	script := `
import sys, zipfile
z = zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED)
for n, t in [("x.py", "1"), ("x-1.0.dist-info/METADATA", "Name: x\nVersion: 1.0\n"), ("x-1.0.dist-info/WHEEL", ""), ("x-1.0.dist-info/RECORD", "")]:
    with z.open(n, "w", force_zip64=True) as f: f.write(t.encode())
if len(sys.argv) > 2: zipfile.ZIP_FILECOUNT_LIMIT = 1
z.close()
`
	for _, args := range [][]string{{path}, {path, "many"}} {
		if out, err := exec.CommandContext(t.Context(), python, append([]string{"-c", script}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := read(b, "x-1.0-py3-none-any.whl"); err != nil || string(got) != "Name: x\nVersion: 1.0\n" {
			t.Errorf("%q: %q, %v", args[1:], got, err)
		}
		if len(args) > 1 {
			at := bytes.LastIndex(b, []byte("PK\x06\x06"))
			if at < 0 {
				t.Fatal("no record of large archives")
			}
			if _, err := read(patched(b, at+48, 1), "x-1.0-py3-none-any.whl"); word(err) != "invalid" {
				t.Errorf("two ends that disagree: %v", err)
			}
		}
	}
}

// zeros compresses n of them.
func zeros(t *testing.T, n int) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(make([]byte, n)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestSources(t *testing.T) {
	t.Parallel()
	info := pypitest.Entry{Name: "x-1.0/PKG-INFO", Text: "Name: x\nVersion: 1.0\n"}
	good := pypitest.TarGz(info)
	tests := map[string]struct {
		bytes []byte
		name  string
		want  string
	}{
		"good":                      {good, "x-1.0.tar.gz", ""},
		"good, .tgz":                {good, "x-1.0.tgz", ""},
		"good, .zip":                {pypitest.Zip(info, pypitest.Entry{Name: "x-1.0/a.py"}), "x-1.0.zip", ""},
		"links inside":              {pypitest.TarGz(info, pypitest.Entry{Name: "x-1.0/a/l", Link: "../b"}, pypitest.Entry{Name: "x-1.0/h", Link: "x-1.0/PKG-INFO", Hard: true}), "x-1.0.tar.gz", ""},
		"a folder around":           {pypitest.TarGz(pypitest.Entry{Name: "./", Type: tar.TypeDir}, pypitest.Entry{Name: "./x-1.0/PKG-INFO", Text: "Name: x\n"}), "x-1.0.tar.gz", ""},
		"two members":               {concat(good, good), "x-1.0.tar.gz", "after its end"},
		"no PKG-INFO":               {pypitest.TarGz(pypitest.Entry{Name: "x-1.0/setup.py"}), "x-1.0.tar.gz", "has no x-1.0/PKG-INFO"},
		"no PKG-INFO, .zip":         {pypitest.Zip(pypitest.Entry{Name: "x-1.0/setup.py"}), "x-1.0.zip", "has no x-1.0/PKG-INFO"},
		"PKG-INFO further down":     {pypitest.TarGz(pypitest.Entry{Name: "x-1.0/x.egg-info/PKG-INFO"}), "x-1.0.tar.gz", "has no x-1.0/PKG-INFO"},
		"two folders":               {pypitest.TarGz(info, pypitest.Entry{Name: "y/a"}), "x-1.0.tar.gz", "more than one folder"},
		"two folders, .zip":         {pypitest.Zip(info, pypitest.Entry{Name: "y/a"}), "x-1.0.zip", "more than one folder"},
		"PKG-INFO twice":            {pypitest.TarGz(info, info), "x-1.0.tar.gz", "more than one PKG-INFO"},
		"PKG-INFO is a link":        {pypitest.TarGz(pypitest.Entry{Name: "x-1.0/PKG-INFO", Link: "a"}), "x-1.0.tar.gz", "or it is no file"},
		"a link outside":            {pypitest.TarGz(info, pypitest.Entry{Name: "x-1.0/l", Link: "../../etc/passwd"}), "x-1.0.tar.gz", "has the link"},
		"an absolute link":          {pypitest.TarGz(info, pypitest.Entry{Name: "x-1.0/l", Link: "/etc/passwd"}), "x-1.0.tar.gz", "has the link"},
		"a hard link outside":       {pypitest.TarGz(info, pypitest.Entry{Name: "x-1.0/l", Link: "../x", Hard: true}), "x-1.0.tar.gz", "has the link"},
		"a device":                  {pypitest.TarGz(info, pypitest.Entry{Name: "x-1.0/d", Type: tar.TypeChar}), "x-1.0.tar.gz", "neither file nor folder"},
		"climbs out":                {pypitest.TarGz(info, pypitest.Entry{Name: "x-1.0/../../a"}), "x-1.0.tar.gz", "entry named"},
		"absolute":                  {pypitest.TarGz(info, pypitest.Entry{Name: "/x-1.0/a"}), "x-1.0.tar.gz", "entry named"},
		"no gzip":                   {[]byte("x"), "x-1.0.tar.gz", "not compressed with gzip"},
		"cut off":                   {good[:len(good)-9], "x-1.0.tar.gz", "damaged"},
		"bytes behind":              {concat(good, []byte("x")), "x-1.0.tar.gz", "damaged"},
		"PKG-INFO without end":      {pypitest.TarGz(pypitest.Entry{Name: "x-1.0/PKG-INFO", Text: strings.Repeat("x", maxMetadata+1)}), "x-1.0.tar.gz", "more than 8 MB"},
		"a bomb":                    {pypitest.TarGz(info, pypitest.Entry{Name: "x-1.0/zeros", Text: strings.Repeat("\x00", 70<<20)}), "x-1.0.tar.gz", "times its size"},
		"a bomb behind the archive": {concat(good, zeros(t, 70<<20)), "x-1.0.tar.gz", "times its size"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := read(tt.bytes, tt.name)
			if tt.want == "" && err != nil || tt.want != "" && (word(err) != "invalid" || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// FuzzWheel holds our reading of a ZIP archive against that of the standard library: what we take, it reads alike.
func FuzzWheel(f *testing.F) {
	f.Add(wheelOf(pypitest.Zip))
	f.Add(wheelOf(pypitest.ZipStreamed, pypitest.Entry{Name: "a/"}, pypitest.Entry{Name: "b.py", Text: "x"}))
	f.Add(concat([]byte("MZ"), wheelOf(pypitest.Zip)))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := read(b, "x-1.0-py3-none-any.whl")
		if err != nil {
			if word(err) == "" {
				t.Fatalf("%v has no meaning", err)
			}
			return
		}
		z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatalf("the standard library cannot read it: %v", err)
		}
		a, err := openZip(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		if len(z.File) != len(a.entries) {
			t.Fatalf("%d entries, and %d for the standard library", len(a.entries), len(z.File))
		}
		for _, file := range z.File {
			e := a.entry(file.Name)
			if e == nil || e.size != file.UncompressedSize64 || e.crc != file.CRC32 {
				t.Fatalf("entry %q: %+v", file.Name, e)
			}
		}
		r, err := z.Open("x-1.0.dist-info/METADATA")
		if err != nil {
			t.Skip(err) // another spelling of the folder
		}
		defer r.Close()
		if want, err := io.ReadAll(r); err != nil || !bytes.Equal(want, got) {
			t.Fatalf("METADATA %q; for the standard library %q, %v", got, want, err)
		}
	})
}

func FuzzSource(f *testing.F) {
	f.Add(lib().Source())
	f.Add(pypitest.TarGz(pypitest.Entry{Name: "x-1.0/PKG-INFO", Text: "Name: x\n"}, pypitest.Entry{Name: "x-1.0/l", Link: "PKG-INFO"}))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, ext := range []string{".tar.gz", ".zip"} {
			if _, err := sourceMetadata(bytes.NewReader(b), int64(len(b)), ext); err != nil && word(err) == "" {
				t.Fatalf("%v has no meaning", err)
			}
		}
	})
}
