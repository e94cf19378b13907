package cargo

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/format/cargo/cargotest"
	"packhouse.dev/packhouse/registry/internal/archive"
)

func fileOf(b []byte, root string) crateFile {
	return crateFile{ReaderAt: bytes.NewReader(b), size: int64(len(b)), root: root}
}

func TestCrate(t *testing.T) {
	t.Parallel()
	toml := cargotest.Crate{Name: "a", Version: "1.0.0"}.TOML()
	file := func(name, text string) cargotest.Entry {
		return cargotest.Entry{Header: tar.Header{Name: name}, Text: text}
	}
	of := func(kind byte, name, link string) cargotest.Entry {
		return cargotest.Entry{Header: tar.Header{Name: name, Typeflag: kind, Linkname: link}}
	}
	manifest := file("a-1.0.0/Cargo.toml", toml)
	good := cargotest.Tar(manifest)
	unzipped, err := gzip.NewReader(bytes.NewReader(good))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(unzipped)
	if err != nil {
		t.Fatal(err)
	}
	zip := func(b []byte) []byte {
		var out bytes.Buffer
		zw := gzip.NewWriter(&out)
		_, _ = zw.Write(b) // to memory
		_ = zw.Close()
		return out.Bytes()
	}
	flipped := bytes.Clone(good)
	flipped[len(flipped)/2] ^= 0x40
	tests := map[string]struct {
		crate []byte
		err   string // "": fine
	}{
		"good":                {good, ""},
		"folders":             {cargotest.Tar(of(tar.TypeDir, "a-1.0.0/", ""), of(tar.TypeDir, "a-1.0.0/src/", ""), manifest), ""},
		"a long name":         {cargotest.Tar(manifest, file("a-1.0.0/"+strings.Repeat("long/", 60)+"x", "")), ""},
		"zeros after the end": {zip(append(bytes.Clone(plain), make([]byte, 5000)...)), ""},

		"empty":              {nil, "not compressed with gzip"},
		"not compressed":     {plain, "not compressed with gzip"},
		"cut":                {good[:len(good)-5], "the crate"},
		"damaged":            {flipped, "the crate"},
		"something after":    {zip(append(bytes.Clone(plain), 'x')), "goes on after its end"},
		"a second stream":    {append(bytes.Clone(good), zip(plain)...), "goes on after its end"},
		"bytes after":        {append(bytes.Clone(good), 0), "goes on after its end"},
		"no manifest":        {cargotest.Tar(file("a-1.0.0/cargo.lock", "")), "has no a-1.0.0/Cargo.toml"},
		"manifest elsewhere": {cargotest.Tar(file("a-1.0.0/x/Cargo.toml", toml)), "has no a-1.0.0/Cargo.toml"},
		"two manifests":      {cargotest.Tar(manifest, manifest), "more than one Cargo.toml"},
		"other letters":      {cargotest.Tar(manifest, file("a-1.0.0/CARGO.toml", toml)), "more than one Cargo.toml"},
		"huge manifest":      {cargotest.Tar(file("a-1.0.0/Cargo.toml", toml+strings.Repeat("#", maxTOML))), "larger than"},
		"no root":            {cargotest.Tar(file("Cargo.toml", toml)), "is not in the folder a-1.0.0"},
		"longer root":        {cargotest.Tar(file("a-1.0.0x/Cargo.toml", toml)), "is not in the folder a-1.0.0"},
		"root is a file":     {cargotest.Tar(file("a-1.0.0", "x"), manifest), "is not in the folder a-1.0.0"},
		"two dots":           {cargotest.Tar(manifest, file("a-1.0.0/../../x", "")), "leaves the folder"},
		"one dot":            {cargotest.Tar(manifest, file("a-1.0.0/./x", "")), "leaves the folder"},
		"two slashes":        {cargotest.Tar(manifest, file("a-1.0.0//x", "")), "leaves the folder"},
		"backslash":          {cargotest.Tar(manifest, file(`a-1.0.0/..\x`, "")), "leaves the folder"},
		"absolute":           {cargotest.Tar(manifest, file("/a-1.0.0/x", "")), "is not in the folder"},
		"symbolic link":      {cargotest.Tar(manifest, of(tar.TypeSymlink, "a-1.0.0/l", "x")), "neither a file nor a folder"},
		"hard link":          {cargotest.Tar(manifest, of(tar.TypeLink, "a-1.0.0/l", "a-1.0.0/Cargo.toml")), "neither a file nor a folder"},
		"device":             {cargotest.Tar(manifest, of(tar.TypeChar, "a-1.0.0/l", "")), "neither a file nor a folder"},
		"bomb":               {bomb(plain[:len(plain)-1024]), "unpacks to more than cargo unpacks"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, err := fileOf(tt.crate, "a-1.0.0").manifest()
			if tt.err == "" {
				if err != nil || m.name != "a" || m.version != "1.0.0" {
					t.Errorf("%+v %v", m, err)
				}
				return
			}
			if !errors.Is(err, registry.ErrInvalid) || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%v, want %q", err, tt.err)
			}
		})
	}
}

// bomb is an archive with an entry larger than all that cargo unpacks, after others.
func bomb(others []byte) []byte {
	var out bytes.Buffer
	zw := gzip.NewWriter(&out)
	_, _ = zw.Write(others) // here and below: to memory
	const size, chunk = freeUnpacked + 1, 1 << 20
	_ = tar.NewWriter(zw).WriteHeader(&tar.Header{Name: "a-1.0.0/zeros", Typeflag: tar.TypeReg, Mode: 0o644, Size: size})
	zeros := make([]byte, chunk)
	for range size/chunk + 1 {
		_, _ = zw.Write(zeros)
	}
	_ = zw.Close()
	return out.Bytes()
}

func TestReadme(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		pkg   string
		files map[string]string
		want  string
	}{
		"found":    {"", map[string]string{"README.md": "# a"}, "# a"},
		"named":    {`readme = "docs/./About.txt"`, map[string]string{"README.md": "# a", "docs/About.txt": "about"}, "about"},
		"none":     {"", nil, ""},
		"refused":  {"readme = false", map[string]string{"README.md": "# a"}, ""},
		"outside":  {`readme = "../README.md"`, map[string]string{"README.md": "# a"}, ""},
		"long":     {"", map[string]string{"README.md": strings.Repeat("r", maxReadme+1)}, strings.Repeat("r", maxReadme)},
		"not text": {"", map[string]string{"README.md": "a\xffb"}, "a\uFFFDb"},
	} {
		c := cargotest.Crate{Name: "a", Version: "1.0.0", Package: tt.pkg, Files: tt.files}
		file := fileOf(c.File(), c.Root())
		m, err := file.manifest()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := file.readme(m); err != nil || got != tt.want {
			t.Errorf("%s: %.40q %v, want %.40q", name, got, err, tt.want)
		}
	}
}

// brokenFile fails to be read.
type brokenFile struct{}

func (brokenFile) ReadAt([]byte, int64) (int, error) { return 0, fmt.Errorf("disk is gone") }

// TestCrateUnreadable: that our own disk fails is not the client's fault.
func TestCrateUnreadable(t *testing.T) {
	t.Parallel()
	if _, err := (crateFile{ReaderAt: brokenFile{}, size: 100, root: "a"}).manifest(); err == nil || errors.Is(err, registry.ErrInvalid) {
		t.Errorf("%v", err)
	}
}

func FuzzCrate(f *testing.F) {
	good := cargotest.Crate{Name: "a", Version: "1.0.0", Files: map[string]string{"README.md": "# a"}}.File()
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add(cargotest.Tar(cargotest.Entry{Header: tar.Header{Name: "a-1.0.0/../x"}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		file := fileOf(b, "a-1.0.0")
		m, err := file.manifest()
		if err != nil {
			if !errors.Is(err, registry.ErrInvalid) {
				t.Errorf("%v", err)
			}
			return
		}
		if _, err := file.readme(m); err != nil {
			t.Errorf("readme of a crate that was read before: %v", err)
		}
	})
}

// FuzzTar is FuzzCrate without the compression, which fuzzing hardly gets through.
func FuzzTar(f *testing.F) {
	zr, err := gzip.NewReader(bytes.NewReader(cargotest.Crate{Name: "a", Version: "1.0.0"}.File()))
	if err != nil {
		f.Fatal(err)
	}
	plain, err := io.ReadAll(zr)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(plain)
	f.Fuzz(func(t *testing.T, b []byte) {
		src := archive.NewSource(bytes.NewReader(b), "crate")
		c := crateFile{root: "a-1.0.0"}
		err := c.walkTar(tar.NewReader(src), src, func(name string, body io.Reader) error {
			if name == "" || strings.HasPrefix(name, "/") || strings.Contains("/"+name+"/", "/../") {
				t.Errorf("entry %q", name)
			}
			_, err := io.Copy(io.Discard, body)
			return err
		})
		if err != nil && !errors.Is(err, registry.ErrInvalid) {
			t.Errorf("%v", err)
		}
	})
}
