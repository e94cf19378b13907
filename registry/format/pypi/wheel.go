package pypi

import (
	"compress/flate"
	"fmt"
	"hash/crc32"
	"io"
	"strings"

	"packhouse.dev/packhouse/registry"
)

// read unpacks one entry of at most limit bytes.
func (a *zipFile) read(e *zipEntry, limit int64) ([]byte, error) {
	if e.size > uint64(limit) {
		return nil, fmt.Errorf("%w: %q in the archive has more than %d MB", registry.ErrInvalid, registry.Clip(e.name), limit>>20)
	}
	var r io.Reader = io.NewSectionReader(a.r, e.data, int64(e.packed))
	if e.method == deflated {
		z := flate.NewReader(r)
		defer z.Close()
		r = z
	}
	b, err := io.ReadAll(io.LimitReader(r, int64(e.size)+1))
	if err != nil || uint64(len(b)) != e.size || crc32.ChecksumIEEE(b) != e.crc {
		return nil, badZip("is damaged at %q", registry.Clip(e.name))
	}
	return b, nil
}

// entry finds an entry by its name, nil if there is none.
func (a *zipFile) entry(name string) *zipEntry {
	for i := range a.entries {
		if a.entries[i].name == name {
			return &a.entries[i]
		}
	}
	return nil
}

// wheelMetadata checks a wheel and returns its METADATA, byte for byte (binary distribution format, "File contents"). f is what its
// file name says: the folder with the metadata must be that of the same project and version.
func wheelMetadata(r io.ReaderAt, size int64, f fileName) ([]byte, error) {
	a, err := openZip(r, size)
	if err != nil {
		return nil, err
	}
	folder := ""
	for _, e := range a.entries {
		top, _, below := strings.Cut(e.name, "/")
		if !below || !strings.HasSuffix(strings.ToLower(top), ".dist-info") || top == folder {
			continue
		}
		if folder != "" {
			return nil, fmt.Errorf("%w: the wheel has the metadata folders %q and %q, and tools differ in which one they take", registry.ErrInvalid, registry.Clip(folder), registry.Clip(top))
		}
		folder = top
	}
	stem, ok := strings.CutSuffix(folder, ".dist-info")
	if !ok {
		return nil, fmt.Errorf("%w: the wheel has no .dist-info folder", registry.ErrInvalid)
	}
	name, version, _ := strings.Cut(stem, "-")
	if normalised(name) != normalised(f.name) || !sameVersion(version, f.version) {
		return nil, fmt.Errorf("%w: the wheel is named %s %s, and its metadata folder %q", registry.ErrInvalid, f.name, f.version, registry.Clip(folder))
	}
	for _, file := range []string{"METADATA", "WHEEL", "RECORD"} {
		if a.entry(folder+"/"+file) == nil {
			return nil, fmt.Errorf("%w: the wheel has no %s/%s", registry.ErrInvalid, registry.Clip(folder), file)
		}
	}
	return a.read(a.entry(folder+"/METADATA"), maxMetadata)
}

// sameVersion compares two spellings.
func sameVersion(a, b string) bool {
	ka, errA := names{}.Version(a)
	kb, errB := names{}.Version(b)
	return errA == nil && errB == nil && ka == kb
}

// zipSourceMetadata is sourceMetadata for a source archive in ZIP form.
func zipSourceMetadata(r io.ReaderAt, size int64) ([]byte, error) {
	a, err := openZip(r, size)
	if err != nil {
		return nil, err
	}
	var s sourceTree
	for i := range a.entries {
		if err := s.add(a.entries[i].name); err != nil {
			return nil, err
		}
	}
	e := a.entry(s.top + "/PKG-INFO")
	if e == nil {
		return nil, errNoPackageInfo(s.top)
	}
	return a.read(e, maxMetadata)
}
