package maven

import (
	"fmt"
	"strings"

	"packhouse.dev/packhouse/registry"
)

// Name of the format.
const Name registry.Format = "maven"

// maxName bounds group ids, artifact ids, versions and file names, in bytes: file systems of clients end there.
const maxName = 255

// metadataFile is the name that no asset has in an address.
const metadataFile = "maven-metadata.xml"

const snapshotSuffix = "-SNAPSHOT"

// names implements format.Names. Everything is case-sensitive and kept as it is written.
type names struct{}

// Package implements format.Names: the namespace is the group id, the name the artifact id. They stay two: joined by any character,
// different packages would meet.
func (names) Package(namespace, name string) (registry.PackageID, error) {
	for segment := range strings.SplitSeq(namespace, ".") {
		if err := checkName("group id", segment, namespace); err != nil {
			return registry.PackageID{}, err
		}
	}
	if err := checkName("artifact id", name, name); err != nil {
		return registry.PackageID{}, err
	}
	return registry.PackageID{Format: Name, Namespace: namespace, Name: name}, nil
}

// checkName checks one part of whole, which is shown.
func checkName(what, part, whole string) error {
	ok := part != "" && part != "." && part != ".." && len(whole) <= maxName && part != metadataFile
	for i := 0; i < len(part) && ok; i++ {
		c := part[i]
		ok = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || isDigit(c) || c == '.' || c == '-' || c == '_'
	}
	if !ok {
		return fmt.Errorf("%w: %s %q", registry.ErrInvalid, what, registry.Clip(whole))
	}
	return nil
}

// Version implements format.Names: versions are compared by their bytes, "1.0" and "1" are two.
func (names) Version(raw string) (string, error) { return raw, checkFile("version", raw) }

// Asset implements format.Names.
func (names) Asset(raw string) (string, error) { return raw, checkFile("file name", raw) }

// checkFile refuses what some client's file system or shell would not take. Maven itself refuses much of it, too.
func checkFile(what, s string) error {
	ok := s != "" && len(s) <= maxName && s != "." && s != ".."
	for i := 0; i < len(s) && ok; i++ {
		ok = s[i] > ' ' && s[i] < 0x7f && !strings.ContainsRune(`\/:"<>|?*[](){},%`+"`", rune(s[i]))
	}
	if !ok {
		return fmt.Errorf("%w: %s %q", registry.ErrInvalid, what, registry.Clip(s))
	}
	return nil
}

// coordinates is how people write a package.
func coordinates(id registry.PackageID) string { return id.Namespace + ":" + id.Name }

// build is a build of a snapshot.
type build struct{ base, timestamp, number string }

// parseBuild reads the version of a build: base, time and number, such as "1.0-20210728.194552-1". It is on the way of every comparison.
func parseBuild(version string) (build, bool) {
	const stamp = len("20060102.150405")
	at := strings.LastIndexByte(version, '-')
	if at < stamp+2 || len(version)-at-1 < 1 || len(version)-at-1 > 9 || version[at-stamp-1] != '-' {
		return build{}, false
	}
	b := build{version[:at-stamp-1], version[at-stamp : at], version[at+1:]}
	return b, b.timestamp[8] == '.' && digits(b.timestamp[:8]) && digits(b.timestamp[9:]) && digits(b.number)
}

func digits(s string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return false
		}
	}
	return true
}

func (b build) version() string { return b.base + "-" + b.timestamp + "-" + b.number }

// snapshot is the version that stands for the newest build.
func (b build) snapshot() string { return b.base + snapshotSuffix }

// updated is the time of the build in the form of metadata.
func (b build) updated() string { return strings.Replace(b.timestamp, ".", "", 1) }

// newer orders builds of one snapshot: by time, and then by number.
func (b build) newer(o build) bool {
	if b.timestamp != o.timestamp {
		return b.timestamp > o.timestamp
	}
	return compareNumbers(trimZeros(b.number), trimZeros(o.number)) > 0
}
