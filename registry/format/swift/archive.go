package swift

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"packhouse.dev/packhouse/registry"
)

// Limits of a source archive. They are far beyond any real package.
const (
	maxDirectory = 16 << 20 // bytes that are read to list what is in it
	maxEntries   = 100_000
	maxManifest  = 1 << 20
	maxVariants  = 50
	maxReadme    = 64 << 10
	freeUnpacked = 1 << 30
	maxRatio     = 200
)

// sources is an open source archive: a ZIP file of one folder, which has the package (specification, 4.6.1).
type sources struct {
	files []*zip.File
	root  string // name of the folder
}

// openArchive checks an archive. Errors wrap ErrInvalid or ErrTooLarge, but for those of reading.
func openArchive(r io.ReaderAt, size int64) (*sources, error) {
	src := &meter{r: r, left: maxDirectory}
	z, err := zip.NewReader(src, size)
	switch {
	case src.err != nil:
		return nil, fmt.Errorf("read source archive: %w", src.err)
	case err != nil:
		return nil, fmt.Errorf("%w: the source archive is no ZIP file: %s", registry.ErrInvalid, registry.Clip(err.Error()))
	}
	src.left = 1 << 62 // the list is read; from here on every read has a bound of its own
	s := &sources{files: z.File}
	if len(z.File) > maxEntries {
		return nil, fmt.Errorf("%w: the source archive has more than %d entries", registry.ErrTooLarge, maxEntries)
	}
	return s, s.check(size)
}

// meter bounds what is read, and tells errors of reading from errors of what was read.
type meter struct {
	r    io.ReaderAt
	left int64
	err  error
}

func (m *meter) ReadAt(p []byte, off int64) (int, error) {
	if m.left -= int64(len(p)); m.left < 0 {
		m.err = fmt.Errorf("%w: the source archive has too many entries", registry.ErrTooLarge)
		return 0, m.err
	}
	n, err := m.r.ReadAt(p, off)
	if err != nil && !errors.Is(err, io.EOF) {
		m.err = err
	}
	return n, err
}

// check refuses what unpacks to anything but one folder. The client unpacks with whatever its system has, strips the first folder, and
// fails over a link that leaves it.
func (s *sources) check(size int64) error {
	refuse := func(f *zip.File, why string) error {
		return fmt.Errorf("%w: the source archive's entry %q %s", registry.ErrInvalid, registry.Clip(f.Name), why)
	}
	seen := make(map[string]bool, len(s.files))
	left := uint64(max(freeUnpacked, maxRatio*size))
	for _, f := range s.files {
		name := strings.TrimSuffix(f.Name, "/")
		if name == "" || path.Clean("/"+name) != "/"+name || strings.ContainsAny(name, "\\\x00") || len(name) > 1 && name[1] == ':' {
			return refuse(f, "leaves the package")
		}
		if seen[name] {
			return refuse(f, "is there twice")
		}
		seen[name] = true
		root, below, inside := strings.Cut(name, "/")
		switch {
		case s.root == "":
			s.root = root
		case root != s.root:
			return refuse(f, "is beside the one folder that the package has to be in")
		}
		if !inside && !f.Mode().IsDir() {
			return refuse(f, "is not in a folder")
		}
		if mode := f.Mode(); !mode.IsRegular() && !mode.IsDir() {
			if err := s.checkLink(f, below); err != nil {
				return err
			}
		}
		if f.UncompressedSize64 > left {
			return fmt.Errorf("%w: the source archive unpacks to more than %d times its size", registry.ErrInvalid, maxRatio)
		}
		left -= f.UncompressedSize64
	}
	if s.root == "" {
		return fmt.Errorf("%w: the source archive is empty", registry.ErrInvalid)
	}
	return nil
}

// checkLink allows symbolic links within the package, which git has.
func (s *sources) checkLink(f *zip.File, below string) error {
	const symlink = 0o12 << 12 // S_IFLNK in the attributes of a Unix file
	if f.ExternalAttrs>>16&(0o17<<12) != symlink {
		return fmt.Errorf("%w: the source archive's entry %q is neither a file nor a folder", registry.ErrInvalid, registry.Clip(f.Name))
	}
	target, err := content(f, 4096)
	if err != nil {
		return err
	}
	to := string(target)
	if path.IsAbs(to) || strings.ContainsAny(to, "\\\x00") || !local(path.Join(path.Dir(below), to)) {
		return fmt.Errorf("%w: the source archive's entry %q is a link that leaves the package", registry.ErrInvalid, registry.Clip(f.Name))
	}
	return nil
}

func local(name string) bool { return name != ".." && !strings.HasPrefix(name, "../") }

// content reads a whole entry of at most limit bytes.
func content(f *zip.File, limit int64) ([]byte, error) {
	damaged := func(err error) error {
		return fmt.Errorf("%w: the source archive's entry %q is damaged: %s", registry.ErrInvalid, registry.Clip(f.Name), registry.Clip(err.Error()))
	}
	r, err := f.Open()
	if err != nil {
		return nil, damaged(err)
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, damaged(err)
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("%w: %s in the source archive has more than %d KB", registry.ErrInvalid, registry.Clip(f.Name), limit>>10)
	}
	return b, nil
}

// manifests reads Package.swift and its variants, which lie beside it and nowhere else: those of packages further down are not ours.
// Package.swift comes first.
func (s *sources) manifests() ([]variant, error) {
	var out []variant
	for _, f := range s.files {
		name, ok := strings.CutPrefix(f.Name, s.root+"/")
		m := variantName.FindStringSubmatch(name)
		if !ok || name != manifestFile && m == nil || !f.Mode().IsRegular() {
			continue
		}
		v := variant{name: name}
		if m != nil {
			v.suffix = m[1]
			if v.version, ok = parseTools(v.suffix); !ok {
				continue
			}
		}
		text, err := content(f, maxManifest)
		if err != nil {
			return nil, err
		}
		if v.text = string(text); !utf8.ValidString(v.text) {
			return nil, fmt.Errorf("%w: %s is not in UTF-8", registry.ErrInvalid, name)
		}
		if v.tools, ok = declaredTools(v.text); !ok {
			return nil, fmt.Errorf("%w: %s does not begin with a line \"// swift-tools-version:…\"", registry.ErrInvalid, name)
		}
		if out = append(out, v); len(out) > maxVariants {
			return nil, fmt.Errorf("%w: the package has more than %d manifests", registry.ErrInvalid, maxVariants)
		}
	}
	slices.SortStableFunc(out, func(a, b variant) int { return len(a.suffix) - len(b.suffix) })
	if len(out) == 0 || out[0].name != manifestFile {
		return nil, fmt.Errorf("%w: the source archive has no %s/%s", registry.ErrInvalid, s.root, manifestFile)
	}
	return out, nil
}

// readme returns the readme beside the manifest, cut to what is shown; "" if there is none.
func (s *sources) readme() (string, error) {
	for _, f := range s.files {
		name, ok := strings.CutPrefix(f.Name, s.root+"/")
		if !ok || !strings.EqualFold(name, "readme.md") || !f.Mode().IsRegular() {
			continue
		}
		r, err := f.Open()
		if err != nil {
			return "", fmt.Errorf("%w: the source archive's entry %q is damaged", registry.ErrInvalid, registry.Clip(f.Name))
		}
		defer r.Close()
		b, err := io.ReadAll(io.LimitReader(r, maxReadme))
		if err != nil {
			return "", fmt.Errorf("%w: the source archive's entry %q is damaged", registry.ErrInvalid, registry.Clip(f.Name))
		}
		return strings.ToValidUTF8(string(b), "\uFFFD"), nil
	}
	return "", nil
}
