package maven

import (
	"fmt"
	"net/url"
	"strings"

	"packhouse.dev/packhouse/registry"
)

// op is what an address names.
type op int

const (
	opFile     op = iota
	opMetadata    // of an artifact or of a group, which only the contents tell
	opSnapshot    // metadata of a snapshot
)

// address is a parsed path.
type address struct {
	op       op
	id       registry.PackageID // zero for metadata at a path of one segment
	group    string             // opMetadata: the group that the whole path would be
	version  string             // of the file: the build, in a folder of a snapshot; opSnapshot: the snapshot
	file     string             // name of the asset, without the extension of a checksum
	checksum algorithm          // asked for instead of the file itself; "" for the file
	literal  bool               // the file is named for the snapshot and not for a build
}

// algorithm of a checksum file, as its extension.
type algorithm string

func algorithms() []algorithm { return []algorithm{"md5", "sha1", "sha256", "sha512"} }

// of picks the digest; "" if it is not known.
func (a algorithm) of(d registry.Digests) string {
	switch a {
	case "md5":
		return d.MD5
	case "sha1":
		return d.SHA1
	case "sha256":
		return d.SHA256
	default:
		return d.SHA512
	}
}

// cutChecksum splits the extension of a checksum from a file name.
func cutChecksum(file string) (string, algorithm) {
	for _, a := range algorithms() {
		if base, ok := strings.CutSuffix(file, "."+string(a)); ok && base != "" {
			return base, a
		}
	}
	return file, ""
}

// maxPath bounds an address, in bytes.
const maxPath = 2048

// parsePath reads an escaped path below the repository. What cannot be an address of the layout is ErrNotFound: clients probe for
// files that some repositories have, such as .meta/prefixes.txt, which must never be answered from elsewhere.
func parsePath(rest string) (address, error) {
	notFound := fmt.Errorf("%w: this is no address of a Maven repository", registry.ErrNotFound)
	if len(rest) > maxPath {
		return address{}, notFound
	}
	var segments []string
	for escaped := range strings.SplitSeq(rest, "/") {
		s, err := url.PathUnescape(escaped)
		if err != nil || checkFile("", s) != nil || len(segments) == 0 && s[0] == '.' {
			return address{}, notFound
		}
		segments = append(segments, s)
	}
	last := len(segments) - 1
	file, sum := cutChecksum(segments[last])
	if file == metadataFile {
		return parseMetadataPath(segments[:last], sum)
	}
	if last < 3 {
		return address{}, notFound
	}
	id, err := names{}.Package(strings.Join(segments[:last-2], "."), segments[last-2])
	if err != nil || !isGroup(segments[:last-2]) {
		return address{}, notFound
	}
	a := address{op: opFile, id: id, version: segments[last-1], file: file, checksum: sum}
	base, snapshot := strings.CutSuffix(a.version, snapshotSuffix)
	if !snapshot {
		return a, nil
	}
	rest, named := strings.CutPrefix(file, id.Name+"-"+base)
	if !named {
		return address{}, notFound
	}
	if tail, ok := strings.CutPrefix(rest, snapshotSuffix); ok && endsName(tail) {
		a.literal = true
		return a, nil
	}
	b, ok := cutBuild(base, rest)
	if !ok {
		return address{}, notFound
	}
	a.version = b.version()
	return a, nil
}

func parseMetadataPath(dir []string, sum algorithm) (address, error) {
	notFound := fmt.Errorf("%w: there is no %s here", registry.ErrNotFound, metadataFile)
	n := len(dir)
	if n == 0 {
		return address{}, notFound
	}
	if n >= 3 && strings.HasSuffix(dir[n-1], snapshotSuffix) {
		id, err := names{}.Package(strings.Join(dir[:n-2], "."), dir[n-2])
		if err != nil || !isGroup(dir[:n-2]) {
			return address{}, notFound
		}
		return address{op: opSnapshot, id: id, version: dir[n-1], checksum: sum}, nil
	}
	a := address{op: opMetadata, checksum: sum}
	if isGroup(dir) {
		a.group = strings.Join(dir, ".")
	}
	if n > 1 && isGroup(dir[:n-1]) {
		if id, err := (names{}).Package(strings.Join(dir[:n-1], "."), dir[n-1]); err == nil {
			a.id = id
		}
	}
	if a.group == "" && a.id == (registry.PackageID{}) {
		return address{}, notFound
	}
	return a, nil
}

// isGroup says whether segments are those of a group id: a dot within one would make two paths one group.
func isGroup(segments []string) bool {
	for _, s := range segments {
		if strings.Contains(s, ".") || checkName("", s, s) != nil {
			return false
		}
	}
	return len(segments) > 0
}

// cutBuild reads "-20210728.194552-1" at the beginning of what follows the base of a snapshot in a file name.
func cutBuild(base, rest string) (build, bool) {
	const stamp = len("-20060102.150405-")
	if len(rest) <= stamp {
		return build{}, false
	}
	end := stamp
	for end < len(rest) && isDigit(rest[end]) {
		end++
	}
	b, ok := parseBuild(base + rest[:end])
	return b, ok && b.base == base && endsName(rest[end:])
}

// endsName says whether a version may end before tail: at the end, a classifier or an extension.
func endsName(tail string) bool { return tail == "" || tail[0] == '-' || tail[0] == '.' }

// folder is the path of a package, escaped.
func folder(id registry.PackageID) string {
	return strings.ReplaceAll(id.Namespace, ".", "/") + "/" + id.Name + "/"
}

// filePath is the path of a file of a version, escaped: everything in it was checked, and all of it may stand in a path.
func filePath(id registry.VersionID, file string) string {
	version := id.Version
	if b, ok := parseBuild(version); ok {
		version = b.snapshot()
	}
	return folder(id.Package) + url.PathEscape(version) + "/" + url.PathEscape(file)
}
