package pypi

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"packhouse.dev/packhouse/registry"
)

// Bounds of ZIP archives.
const (
	maxDirectory = 64 << 20 // bytes of the central directory
	maxEntries   = 200_000
	freeRatio    = 64 << 20 // unpacked bytes that are not looked at
	maxRatio     = 50       // unpacked to packed beyond that
)

// The records of a ZIP file (APPNOTE.TXT 4.3).
const (
	localSignature     = 0x04034b50
	centralSignature   = 0x02014b50
	endSignature       = 0x06054b50
	end64Signature     = 0x06064b50
	locator64Signature = 0x07064b50
	dataSignature      = 0x08074b50

	localSize   = 30
	centralSize = 46
	endSize     = 22
	end64Size   = 56
	locatorSize = 20

	flagEncrypted = 1 << 0
	flagDataAfter = 1 << 3 // sizes follow the data
	flagUTF8      = 1 << 11

	extraZip64       = 0x0001
	extraUnicodePath = 0x7075

	stored   = 0
	deflated = 8
)

// zipEntry is one file as central directory and local header agree on it.
type zipEntry struct {
	name          string
	flags, method uint16
	crc           uint32
	packed, size  uint64
	header, data  int64 // offsets of its local header and its data
}

// zipFile is a ZIP file that every tool unpacks alike: the records follow each other without a gap, from the first byte to the last,
// and the central directory says of each entry what its local header says. Readers differ in which of the two they believe, in what
// they do about bytes before, between and behind, and about two entries of one name; that is how code is hidden from scanners
// (https://blog.pypi.org/posts/2025-08-07-wheel-archive-confusion-attacks/).
type zipFile struct {
	r       io.ReaderAt
	entries []zipEntry
}

func badZip(reason string, args ...any) error {
	return fmt.Errorf("%w: the ZIP archive %s", registry.ErrInvalid, fmt.Sprintf(reason, args...))
}

// openZip reads and checks the directory of a ZIP file. It does not unpack.
func openZip(r io.ReaderAt, size int64) (*zipFile, error) {
	d, err := findDirectory(r, size)
	if err != nil {
		return nil, err
	}
	raw := make([]byte, d.size)
	if _, err := r.ReadAt(raw, d.offset); err != nil {
		return nil, fmt.Errorf("read ZIP directory: %w", err)
	}
	a := &zipFile{r: r, entries: make([]zipEntry, 0, min(d.count, 1024))}
	for range d.count {
		e, rest, err := centralEntry(raw)
		if err != nil {
			return nil, err
		}
		a.entries, raw = append(a.entries, e), rest
	}
	if len(raw) > 0 {
		return nil, badZip("has more in its directory than it says")
	}
	if err := a.check(d.offset); err != nil {
		return nil, err
	}
	return a, nil
}

// directory says where the central directory is.
type directory struct {
	offset, size, count int64
}

// findDirectory reads the records at the end. Nothing may follow them, not even a comment, which may look like another end.
func findDirectory(r io.ReaderAt, size int64) (directory, error) {
	var end [endSize]byte
	if size < endSize {
		return directory{}, badZip("is cut off")
	}
	at := size - endSize
	if _, err := r.ReadAt(end[:], at); err != nil {
		return directory{}, fmt.Errorf("read end of ZIP: %w", err)
	}
	le := binary.LittleEndian
	if le.Uint32(end[:]) != endSignature || le.Uint16(end[20:]) != 0 {
		return directory{}, badZip("does not end with its directory: it is cut off, or has a comment or other bytes behind")
	}
	if le.Uint32(end[4:]) != 0 || le.Uint16(end[8:]) != le.Uint16(end[10:]) {
		return directory{}, badZip("is a part of several")
	}
	d := directory{offset: int64(le.Uint32(end[16:])), size: int64(le.Uint32(end[12:])), count: int64(le.Uint16(end[10:]))}
	large, begin, err := findDirectory64(r, at)
	switch {
	case err != nil:
		return directory{}, err
	case large != nil:
		if d.offset != math.MaxUint32 && d.offset != large.offset || d.size != math.MaxUint32 && d.size != large.size || d.count != math.MaxUint16 && d.count != large.count {
			return directory{}, badZip("has two ends that disagree")
		}
		d, at = *large, begin
	}
	switch {
	case d.offset < 0 || d.size < 0 || d.offset > at || d.size != at-d.offset:
		return directory{}, badZip("has bytes that belong to nothing around its directory")
	case d.size > maxDirectory || d.count > maxEntries || d.count < 0:
		return directory{}, fmt.Errorf("%w: the ZIP archive has too many entries", registry.ErrTooLarge)
	}
	return d, nil
}

// findDirectory64 reads the records of large files before the end at "at", nil if there are none. begin is where they start.
func findDirectory64(r io.ReaderAt, at int64) (d *directory, begin int64, err error) {
	begin = at - locatorSize - end64Size
	if begin < 0 {
		return nil, 0, nil
	}
	var b [end64Size + locatorSize]byte
	if _, err := r.ReadAt(b[:], begin); err != nil {
		return nil, 0, fmt.Errorf("read end of ZIP: %w", err)
	}
	le := binary.LittleEndian
	locator := b[end64Size:]
	if le.Uint32(locator) != locator64Signature {
		return nil, 0, nil
	}
	if le.Uint32(b[:]) != end64Signature || le.Uint64(b[4:]) != end64Size-12 || le.Uint64(locator[8:]) != uint64(begin) ||
		le.Uint32(locator[4:]) != 0 || le.Uint32(locator[16:]) != 1 || le.Uint64(b[24:]) != le.Uint64(b[32:]) {
		return nil, 0, badZip("has a damaged end")
	}
	large := directory{offset: int64(le.Uint64(b[48:])), size: int64(le.Uint64(b[40:])), count: int64(le.Uint64(b[32:]))}
	return &large, begin, nil
}

// centralEntry reads one record of the central directory.
func centralEntry(raw []byte) (zipEntry, []byte, error) {
	le := binary.LittleEndian
	if len(raw) < centralSize || le.Uint32(raw) != centralSignature {
		return zipEntry{}, nil, badZip("has a damaged directory")
	}
	n, m, k := int(le.Uint16(raw[28:])), int(le.Uint16(raw[30:])), int(le.Uint16(raw[32:]))
	if len(raw) < centralSize+n+m+k {
		return zipEntry{}, nil, badZip("has a damaged directory")
	}
	e := zipEntry{
		name: string(raw[centralSize : centralSize+n]), flags: le.Uint16(raw[8:]), method: le.Uint16(raw[10:]), crc: le.Uint32(raw[16:]),
		packed: uint64(le.Uint32(raw[20:])), size: uint64(le.Uint32(raw[24:])),
	}
	header := uint64(le.Uint32(raw[42:]))
	if err := e.extra(raw[centralSize+n:centralSize+n+m], &e.size, &e.packed, &header); err != nil {
		return zipEntry{}, nil, err
	}
	if header > math.MaxInt64/2 || e.packed > math.MaxInt64/2 || e.size > math.MaxInt64/2 {
		return zipEntry{}, nil, badZip("has an entry of impossible size")
	}
	e.header = int64(header)
	return e, raw[centralSize+n+m+k:], e.checkForm()
}

// extra reads extra fields. Of the values, those that are at their maximum stand in the ZIP64 field, in this order.
func (e *zipEntry) extra(b []byte, values ...*uint64) error {
	le := binary.LittleEndian
	for len(b) >= 4 {
		id, n := le.Uint16(b), int(le.Uint16(b[2:]))
		if len(b) < 4+n {
			return badZip("has a damaged extra field at %q", registry.Clip(e.name))
		}
		f := b[4 : 4+n]
		b = b[4+n:]
		switch id {
		case extraUnicodePath:
			return badZip("gives %q a second name", registry.Clip(e.name))
		case extraZip64:
			for _, v := range values {
				if *v != math.MaxUint32 {
					continue
				}
				if len(f) < 8 {
					return badZip("has a damaged extra field at %q", registry.Clip(e.name))
				}
				*v, f = le.Uint64(f), f[8:]
			}
		}
	}
	return nil
}

// checkForm refuses names and forms that unpackers treat differently.
func (e *zipEntry) checkForm() error {
	name := e.name
	switch {
	case e.flags&flagEncrypted != 0:
		return badZip("has the encrypted entry %q", registry.Clip(name))
	case e.method != stored && e.method != deflated:
		return badZip("compresses %q in a way that is not stored or deflate", registry.Clip(name))
	case e.method == stored && e.packed != e.size:
		return badZip("has two sizes for %q", registry.Clip(name))
	case !safePath(strings.TrimSuffix(name, "/")):
		return badZip("has an entry named %q", registry.Clip(name))
	case e.flags&flagUTF8 == 0 && strings.ContainsFunc(name, func(r rune) bool { return r > '~' }):
		return badZip("has the entry %q in no stated encoding", registry.Clip(name))
	case strings.HasSuffix(name, "/") && e.size != 0:
		return badZip("has content in the folder %q", registry.Clip(name))
	}
	return nil
}

// safePath says whether a path of an archive stays below where it is unpacked, on every system.
func safePath(path string) bool {
	if path == "" || !utf8.ValidString(path) || strings.ContainsFunc(path, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' }) {
		return false
	}
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "" || segment == "." || segment == ".." {
			return false
		}
	}
	return len(path) < 2 || path[1] != ':'
}

// check walks from the first byte to the directory: local headers agree with it, and nothing lies between.
func (a *zipFile) check(end int64) error {
	slices.SortFunc(a.entries, func(x, y zipEntry) int { return int(min(1, max(-1, x.header-y.header))) })
	seen := make(map[string]bool, len(a.entries))
	at, packed, size := int64(0), uint64(0), uint64(0)
	for i := range a.entries {
		e := &a.entries[i]
		key := strings.TrimSuffix(e.name, "/") // a folder and a file of one name are two entries of one name
		if seen[key] {
			return badZip("has the entry %q twice", registry.Clip(e.name))
		}
		seen[key] = true
		if e.header != at {
			return badZip("has bytes that belong to nothing, or to two entries, before %q", registry.Clip(e.name))
		}
		next := end
		if i+1 < len(a.entries) {
			next = a.entries[i+1].header
		}
		if next > end {
			return badZip("has an entry behind its directory")
		}
		if err := a.checkLocal(e, next); err != nil {
			return err
		}
		at, packed, size = next, packed+e.packed, size+e.size
		if size > math.MaxInt64/2 {
			return badZip("has an impossible size")
		}
	}
	if at != end {
		return badZip("has bytes that belong to nothing")
	}
	if size > freeRatio && size/max(packed, 1) > maxRatio {
		return badZip("would unpack to %d times its size", size/max(packed, 1))
	}
	return nil
}

// checkLocal compares an entry with its local header, which lies at e.header and whose data must end at next.
func (a *zipFile) checkLocal(e *zipEntry, next int64) error {
	var h [localSize]byte
	if next-e.header < localSize {
		return badZip("has a damaged header at %q", registry.Clip(e.name))
	}
	if _, err := a.r.ReadAt(h[:], e.header); err != nil {
		return fmt.Errorf("read ZIP header: %w", err)
	}
	le := binary.LittleEndian
	n, m := int64(le.Uint16(h[26:])), int64(le.Uint16(h[28:]))
	e.data = e.header + localSize + n + m
	if le.Uint32(h[:]) != localSignature || n != int64(len(e.name)) || e.data > next {
		return badZip("has a damaged header at %q", registry.Clip(e.name))
	}
	variable := make([]byte, n+m)
	if _, err := a.r.ReadAt(variable, e.header+localSize); err != nil {
		return fmt.Errorf("read ZIP header: %w", err)
	}
	l := zipEntry{name: string(variable[:n]), flags: le.Uint16(h[6:]), method: le.Uint16(h[8:]), crc: le.Uint32(h[14:]),
		packed: uint64(le.Uint32(h[18:])), size: uint64(le.Uint32(h[22:]))}
	if err := l.extra(variable[n:], &l.size, &l.packed); err != nil {
		return err
	}
	const same = flagEncrypted | flagDataAfter | flagUTF8
	if l.name != e.name || l.method != e.method || l.flags&same != e.flags&same {
		return badZip("says two things about %q", registry.Clip(e.name))
	}
	after := e.data + int64(e.packed)
	if e.flags&flagDataAfter != 0 {
		return a.checkDescriptor(e, after, next)
	}
	if l.crc != e.crc || l.packed != e.packed || l.size != e.size {
		return badZip("says two things about %q", registry.Clip(e.name))
	}
	if after != next {
		return badZip("has bytes that belong to nothing after %q", registry.Clip(e.name))
	}
	return nil
}

// checkDescriptor compares what follows the data of an entry that was written before its size was known: an optional signature, the
// checksum and both sizes, of 4 or 8 bytes.
func (a *zipFile) checkDescriptor(e *zipEntry, at, next int64) error {
	if n := next - at; n != 12 && n != 16 && n != 20 && n != 24 {
		return badZip("has bytes that belong to nothing after %q", registry.Clip(e.name))
	}
	b := make([]byte, next-at)
	if _, err := a.r.ReadAt(b, at); err != nil {
		return fmt.Errorf("read ZIP: %w", err)
	}
	le := binary.LittleEndian
	if len(b)%8 == 0 { // 16 or 24: with a signature
		if le.Uint32(b) != dataSignature {
			return badZip("has bytes that belong to nothing after %q", registry.Clip(e.name))
		}
		b = b[4:]
	}
	crc, packed, size := le.Uint32(b), uint64(le.Uint32(b[4:])), uint64(le.Uint32(b[8:]))
	if len(b) == 20 {
		packed, size = le.Uint64(b[4:]), le.Uint64(b[12:])
	}
	if crc != e.crc || packed != e.packed || size != e.size {
		return badZip("says two things about %q", registry.Clip(e.name))
	}
	return nil
}
