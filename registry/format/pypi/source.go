package pypi

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/internal/archive"
)

// sourceTree checks the names in a source archive: everything lies in one folder (source distribution format).
type sourceTree struct{ top string }

func (s *sourceTree) add(name string) error {
	trimmed := strings.TrimSuffix(strings.TrimPrefix(name, "./"), "/")
	if trimmed == "" || trimmed == "." {
		return nil // the folder that everything is in
	}
	if !safePath(trimmed) {
		return fmt.Errorf("%w: the source archive has an entry named %q", registry.ErrInvalid, registry.Clip(name))
	}
	top, _, _ := strings.Cut(trimmed, "/")
	if s.top == "" {
		s.top = top
	}
	if top != s.top {
		return fmt.Errorf("%w: the source archive has more than one folder at its top: %q and %q", registry.ErrInvalid, registry.Clip(s.top), registry.Clip(top))
	}
	return nil
}

func errNoPackageInfo(top string) error {
	return fmt.Errorf("%w: the source archive has no %s/PKG-INFO", registry.ErrInvalid, registry.Clip(top))
}

// sourceMetadata checks a source archive and returns its PKG-INFO. extension says how it is packed.
func sourceMetadata(r io.ReaderAt, size int64, extension string) ([]byte, error) {
	if extension == ".zip" {
		return zipSourceMetadata(r, size)
	}
	src := archive.NewSource(io.NewSectionReader(r, 0, size), "source archive")
	z, err := gzip.NewReader(src)
	if err != nil {
		return nil, src.Explain(err, "the source archive is not compressed with gzip")
	}
	tooMuch := fmt.Errorf("%w: the source archive would unpack to more than %d times its size", registry.ErrInvalid, maxRatio)
	unpacked := archive.AtMost(max(freeRatio, maxRatio*size), z, tooMuch)
	info, err := tarMetadata(tar.NewReader(unpacked))
	if err != nil {
		return nil, src.Explain(err, "the source archive is damaged")
	}
	if err := archive.OnlyPadding(unpacked); err != nil {
		return nil, src.Explain(err, "the source archive is damaged")
	}
	return info, nil
}

// tarMetadata walks through a source archive and returns its PKG-INFO.
func tarMetadata(tr *tar.Reader) ([]byte, error) {
	var s sourceTree
	var info []byte
	found := false
	for n := 0; ; n++ {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if n > maxEntries {
			return nil, fmt.Errorf("%w: the source archive has more than %d entries", registry.ErrInvalid, maxEntries)
		}
		if h.Typeflag == tar.TypeXGlobalHeader {
			continue
		}
		if err := checkTar(h); err != nil {
			return nil, err
		}
		if err := s.add(h.Name); err != nil {
			return nil, err
		}
		if strings.TrimPrefix(h.Name, "./") != s.top+"/PKG-INFO" {
			continue
		}
		if found || h.Typeflag != tar.TypeReg {
			return nil, fmt.Errorf("%w: the source archive has more than one PKG-INFO, or it is no file", registry.ErrInvalid)
		}
		found = true
		if h.Size > maxMetadata {
			return nil, fmt.Errorf("%w: PKG-INFO has more than %d MB", registry.ErrInvalid, maxMetadata>>20)
		}
		if info, err = io.ReadAll(tr); err != nil {
			return nil, err
		}
	}
	if !found {
		return nil, errNoPackageInfo(s.top)
	}
	return info, nil
}

// checkTar refuses entries that no source archive needs and that unpackers treat differently. Links are fine as long as they stay
// inside (PEP 721).
func checkTar(h *tar.Header) error {
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeDir:
	case tar.TypeSymlink, tar.TypeLink:
		target := h.Linkname
		if h.Typeflag == tar.TypeSymlink {
			target = path.Join(path.Dir(h.Name), target) //nolint:gosec // it is judged, and nothing is unpacked
		}
		target = path.Clean(target)
		if path.IsAbs(h.Linkname) || target == ".." || strings.HasPrefix(target, "../") || strings.Contains(target, `\`) {
			return fmt.Errorf("%w: the source archive has the link %q to %q", registry.ErrInvalid, registry.Clip(h.Name), registry.Clip(h.Linkname))
		}
	default:
		return fmt.Errorf("%w: the source archive has %q, which is neither file nor folder nor link", registry.ErrInvalid, registry.Clip(h.Name))
	}
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse") {
			return fmt.Errorf("%w: the source archive has the sparse file %q", registry.ErrInvalid, registry.Clip(h.Name))
		}
	}
	return nil
}
