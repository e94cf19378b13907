package cargo

import (
	"archive/tar"
	"bufio"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/klauspost/compress/gzip"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/internal/archive"
)

// Limits of a crate file. The first two are cargo's own: it unpacks nothing larger, so that such a crate could be used by nobody.
const (
	freeUnpacked = 512 << 20
	maxRatio     = 20
	maxEntries   = 200_000
	manifestFile = "Cargo.toml"
)

// crateFile is a crate file, to be walked as often as needed.
type crateFile struct {
	io.ReaderAt
	size int64
	root string // the folder that everything in it is in: "<name>-<version>"
}

// read returns the bytes of one file of the crate, at most limit of them; nil if it is not there.
func (c crateFile) read(name string, limit int64) ([]byte, error) {
	var out []byte
	err := c.walk(func(n string, body io.Reader) error {
		if n != name {
			return nil
		}
		var err error
		out, err = io.ReadAll(io.LimitReader(body, limit))
		return err
	})
	return out, err
}

// manifest checks the whole crate and reads its Cargo.toml. Errors wrap registry.ErrInvalid, but for those of reading the file.
func (c crateFile) manifest() (*manifest, error) {
	var text []byte
	err := c.walk(func(name string, body io.Reader) error {
		if !strings.EqualFold(name, manifestFile) {
			return nil
		}
		if name != manifestFile || text != nil {
			return fmt.Errorf("%w: the crate has more than one Cargo.toml, or one in other letters; systems would take different ones", registry.ErrInvalid)
		}
		var err error
		text, err = io.ReadAll(io.LimitReader(body, maxTOML+1))
		return err
	})
	if err != nil {
		return nil, err
	}
	if text == nil {
		return nil, fmt.Errorf("%w: the crate has no %s/Cargo.toml", registry.ErrInvalid, c.root)
	}
	return parseManifest(text)
}

// readme returns the readme that the manifest names, or the one that cargo finds by itself; "" if there is none.
func (c crateFile) readme(m *manifest) (string, error) {
	name := m.pkg.text("readme")
	switch said := m.pkg["readme"]; {
	case said == false:
		return "", nil
	case name == "":
		name = "README.md"
	}
	b, err := c.read(path.Clean(name), maxReadme)
	return strings.ToValidUTF8(string(b), "\uFFFD"), err
}

// walk calls fn for every file, with its name below the root. Cargo unpacks files and folders only, all of them below the root, and
// stops at the end of the first compressed stream; a file that could be read in two ways is refused.
func (c crateFile) walk(fn func(name string, body io.Reader) error) error {
	src := archive.NewSource(io.NewSectionReader(c, 0, c.size), "crate")
	compressed := bufio.NewReaderSize(src, 64<<10)
	zr, err := gzip.NewReader(compressed)
	if err != nil {
		return src.Explain(err, "the crate is not compressed with gzip")
	}
	zr.Multistream(false)
	tooMuch := fmt.Errorf("%w: the crate unpacks to more than cargo unpacks, %d times its size", registry.ErrInvalid, maxRatio)
	unpacked := archive.AtMost(max(freeUnpacked, maxRatio*c.size), zr, tooMuch)
	if err := c.walkTar(tar.NewReader(unpacked), src, fn); err != nil {
		return err
	}
	// Some readers go on after the end mark, others do not.
	if err := archive.OnlyPadding(unpacked); err != nil {
		return src.Explain(err, "the crate is damaged")
	}
	if _, err := compressed.ReadByte(); !errors.Is(err, io.EOF) {
		return src.Explain(errors.New("a second stream"), "the crate goes on after its end")
	}
	return nil
}

func (c crateFile) walkTar(tr *tar.Reader, src *archive.Source, fn func(name string, body io.Reader) error) error {
	for n := 0; ; n++ {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return src.Explain(err, "the crate is damaged")
		}
		if n >= maxEntries {
			return fmt.Errorf("%w: the crate has more than %d entries", registry.ErrInvalid, maxEntries)
		}
		name, err := c.checkEntry(h)
		if err != nil {
			return err
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		if err := fn(name, tr); err != nil {
			return src.Explain(err, "the crate is damaged")
		}
	}
}

// checkEntry returns the name of an entry below the root.
func (c crateFile) checkEntry(h *tar.Header) (string, error) {
	refuse := func(why string) (string, error) {
		return "", fmt.Errorf("%w: the crate's entry %q %s", registry.ErrInvalid, registry.Clip(h.Name), why)
	}
	if archive.AmbiguousSize(h) {
		return refuse("has a size that readers take differently")
	}
	if h.Typeflag != tar.TypeReg && h.Typeflag != tar.TypeDir {
		return refuse("is neither a file nor a folder")
	}
	name, inside := strings.CutPrefix(strings.TrimSuffix(h.Name, "/"), c.root)
	if !inside || name != "" && name[0] != '/' || name == "" && h.Typeflag == tar.TypeReg {
		return refuse("is not in the folder " + c.root)
	}
	name = strings.TrimPrefix(name, "/")
	if name != "" && (path.Clean("/"+name) != "/"+name || strings.ContainsAny(name, "\\\x00")) {
		return refuse("leaves the folder " + c.root)
	}
	return name, nil
}
