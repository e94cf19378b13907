package npm

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/klauspost/compress/gzip"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/internal/archive"
)

// Limits of a tarball. They are far beyond any real package; what they stop is an archive that is made to be read for ever.
const (
	maxEntries     = 200_000
	maxManifest    = 4 << 20  // package.json
	freeUnpacked   = 64 << 20 // what may be unpacked whatever the ratio
	maxRatio       = 200
	manifestFile   = "package.json"
	shrinkwrapFile = "npm-shrinkwrap.json"
	gypFile        = "binding.gyp"
)

// contents is what a tarball says about itself.
type contents struct {
	manifest       []byte // package.json, valid JSON
	readme         string
	readmeFilename string
	files          int
	unpacked       int64
	shrinkwrap     bool
	gyp            bool
}

// readTarball reads a package tarball of size bytes. Clients strip the first segment of every name, whatever it is, skip links, and
// where two files have one name the last wins; but they differ in what they do with names that are not clean, with archives that
// go on after their end, and with letter case. An archive that could be read in two ways is refused, so that what is shown here is
// what everybody installs. Errors wrap ErrInvalid, but for those of reading r.
func readTarball(r io.Reader, size int64) (*contents, error) {
	c := &contents{}
	err := walkTarball(r, size, c.add)
	if err != nil {
		return nil, err
	}
	if c.manifest == nil {
		return nil, fmt.Errorf("%w: the tarball has no package.json", registry.ErrInvalid)
	}
	return c, nil
}

// binFiles lists the files below a directory of the package, for directories.bin.
func binFiles(r io.Reader, size int64, dir string) ([]string, error) {
	var out []string
	dir = strings.TrimPrefix(path.Clean("/"+dir), "/")
	err := walkTarball(r, size, func(name string, h *tar.Header, _ io.Reader) error {
		if h.Typeflag == tar.TypeReg && len(out) < 1000 && path.Dir(name) == dir {
			out = append(out, name)
		}
		return nil
	})
	return out, err
}

// walkTarball calls fn for every entry, with the name it is unpacked under.
func walkTarball(r io.Reader, size int64, fn func(name string, h *tar.Header, body io.Reader) error) error {
	src := archive.NewSource(r, "tarball")
	zr, err := gzip.NewReader(src)
	if err != nil {
		return src.Explain(err, "the tarball is not compressed with gzip")
	}
	tooMuch := fmt.Errorf("%w: the tarball unpacks to more than %d times its size", registry.ErrInvalid, maxRatio)
	return walkTar(archive.AtMost(max(freeUnpacked, maxRatio*size), zr, tooMuch), src, fn)
}

// walkTar walks the archive itself.
func walkTar(unpacked io.Reader, src *archive.Source, fn func(name string, h *tar.Header, body io.Reader) error) error {
	tr := tar.NewReader(unpacked)
	for n := 0; ; n++ {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return src.Explain(err, "the tarball is damaged")
		}
		if n >= maxEntries {
			return fmt.Errorf("%w: the tarball has more than %d entries", registry.ErrInvalid, maxEntries)
		}
		name, err := checkEntry(h)
		if err != nil {
			return err
		}
		if err := fn(name, h, tr); err != nil {
			return src.Explain(err, "the tarball is damaged")
		}
	}
	// Some clients go on reading after the end mark, others do not.
	if err := archive.OnlyPadding(unpacked); err != nil {
		return src.Explain(err, "the tarball is damaged")
	}
	return nil
}

// checkEntry returns the name that an entry is unpacked under, "" for none.
func checkEntry(h *tar.Header) (string, error) {
	refuse := func(why string) (string, error) {
		return "", fmt.Errorf("%w: the tarball's entry %q %s", registry.ErrInvalid, registry.Clip(h.Name), why)
	}
	if archive.AmbiguousSize(h) {
		return refuse("has a size that clients read differently")
	}
	switch h.Typeflag {
	case tar.TypeXGlobalHeader:
		if h.PAXRecords["path"] != "" || h.PAXRecords["linkpath"] != "" {
			return refuse("renames all others")
		}
		return "", nil
	case tar.TypeReg, tar.TypeCont, tar.TypeDir, tar.TypeSymlink, tar.TypeLink:
	default:
		return refuse("is neither a file nor a directory")
	}
	name := strings.ReplaceAll(h.Name, `\`, "/") // as on Windows
	if strings.HasPrefix(name, "/") || len(name) > 1 && name[1] == ':' || hasDotDot(name) || strings.ContainsRune(name, 0) {
		return refuse("leaves the package")
	}
	_, name, _ = strings.Cut(name, "/")
	name = strings.TrimPrefix(path.Clean("/"+name), "/")
	if h.Typeflag == tar.TypeSymlink || h.Typeflag == tar.TypeLink {
		target := strings.ReplaceAll(h.Linkname, `\`, "/")
		if strings.HasPrefix(target, "/") || len(target) > 1 && target[1] == ':' {
			return refuse("is a link that leaves the package")
		}
		if h.Typeflag == tar.TypeLink { // relative to the archive
			_, target, _ = strings.Cut(target, "/")
		} else {
			target = path.Join(path.Dir(name), target)
		}
		if target = path.Clean(target); target == ".." || strings.HasPrefix(target, "../") {
			return refuse("is a link that leaves the package")
		}
		if strings.EqualFold(name, manifestFile) {
			return refuse("is a link")
		}
	}
	return name, nil
}

func hasDotDot(name string) bool {
	for s := range strings.SplitSeq(name, "/") {
		if s == ".." {
			return true
		}
	}
	return false
}

// add notes one entry.
func (c *contents) add(name string, h *tar.Header, body io.Reader) error {
	if h.Typeflag != tar.TypeReg && h.Typeflag != tar.TypeCont {
		if strings.EqualFold(name, manifestFile) {
			return fmt.Errorf("%w: package.json in the tarball is no file", registry.ErrInvalid)
		}
		return nil
	}
	c.files++
	c.unpacked += h.Size
	switch {
	case strings.EqualFold(name, manifestFile):
		return c.addManifest(name, body)
	case name == shrinkwrapFile:
		c.shrinkwrap = true
	case name == gypFile:
		c.gyp = true
	case isReadme(name) && !strings.EqualFold(c.readmeFilename, "readme.md"):
		b, err := io.ReadAll(io.LimitReader(body, maxReadme))
		if err != nil {
			return err
		}
		for cut := 0; h.Size > maxReadme && cut < utf8.UTFMax; cut++ { // do not end within a character
			if r, n := utf8.DecodeLastRune(b); r != utf8.RuneError || n != 1 {
				break
			}
			b = b[:len(b)-1]
		}
		c.readme, c.readmeFilename = strings.ToValidUTF8(string(b), "�"), name
	}
	return nil
}

func (c *contents) addManifest(name string, body io.Reader) error {
	b, err := io.ReadAll(io.LimitReader(body, maxManifest+1))
	if err != nil {
		return err
	}
	if len(b) > maxManifest {
		return fmt.Errorf("%w: package.json is larger than %d MB", registry.ErrInvalid, maxManifest>>20)
	}
	b, err = parseJSON(b)
	if err != nil {
		return fmt.Errorf("package.json in the tarball: %w", err)
	}
	if name != manifestFile || c.manifest != nil && !bytes.Equal(b, c.manifest) {
		return fmt.Errorf("%w: the tarball has more than one package.json, or one in other letters; clients would take different ones", registry.ErrInvalid)
	}
	if !isObject(b) {
		return fmt.Errorf("%w: package.json in the tarball is no object", registry.ErrInvalid)
	}
	c.manifest = b
	return nil
}

// isReadme says whether a file of the package's root is its readme.
func isReadme(name string) bool {
	base, _, _ := strings.Cut(name, ".")
	return strings.EqualFold(base, "readme") && !strings.Contains(name, "/")
}
