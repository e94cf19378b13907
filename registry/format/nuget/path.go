package nuget

import (
	"fmt"
	"net/url"
	"strings"

	"packhouse.dev/packhouse/registry"
)

// operation is what an address means, before the method is looked at.
type operation int

const (
	opServiceIndex operation = iota
	opVersions               // id
	opFile                   // id, version, file
	opRegistration           // hive, id
	opPage                   // hive, id, from, to
	opLeaf                   // hive, id, version
	opEntry                  // id, version
	opSearch
	opAutocomplete
	opVulnerabilityIndex
	opVulnerabilities
	opPush
	opVersion // id, version: unlist and list again
	opPushSymbols
)

// target is a parsed path.
type target struct {
	op       operation
	id       registry.PackageID
	version  string // key
	file     file
	hive     string // one of hives
	from, to string // keys
}

// file is what can be read of a version.
type file int

const (
	filePackage file = iota
	fileSymbols
	fileNuspec
	fileReadme
	fileIcon
	fileLicense
)

// The folders of the three registrations (registration-base-url-resource#versioning): for clients that know neither gzip nor Semantic
// Versioning 2, for those that know the first, and for those that know both.
const (
	hivePlain   = "registration"
	hiveGzip    = "registration-gz"
	hiveSemVer2 = "registration-semver2"
)

// maxPath bounds addresses, in bytes.
const maxPath = 1024

// parsePath reads the escaped path below the repository. Every segment is unescaped exactly once, after splitting. What cannot be the
// address of anything is ErrNotFound.
func parsePath(rest string) (target, error) {
	missing := fmt.Errorf("%w: there is nothing at this address of a NuGet source; the address of the source ends in /v3/index.json", registry.ErrNotFound)
	if len(rest) > maxPath {
		return target{}, missing
	}
	s := strings.Split(rest, "/")
	for i := range s {
		u, err := url.PathUnescape(s[i])
		if err != nil || strings.Contains(u, "/") {
			return target{}, fmt.Errorf("%w: the address is not escaped correctly", registry.ErrNotFound)
		}
		s[i] = u
	}
	if len(s) > 2 && s[len(s)-1] == "" { // dotnet nuget push writes a slash behind the address
		s = s[:len(s)-1]
	}
	if len(s) < 2 || s[0] != "v3" {
		return target{}, missing
	}
	t, err := parse(s[1], s[2:])
	if err != nil {
		return target{}, err
	}
	if t == nil {
		return target{}, missing
	}
	return *t, nil
}

// parse reads what follows "v3"; nil if it is nothing.
func parse(resource string, s []string) (*target, error) {
	switch resource {
	case "index.json", "search", "autocomplete", "symbolpackage":
		if len(s) > 0 {
			return nil, nil
		}
		return &target{op: map[string]operation{"index.json": opServiceIndex, "search": opSearch, "autocomplete": opAutocomplete, "symbolpackage": opPushSymbols}[resource]}, nil
	case "vulnerabilities":
		switch {
		case len(s) == 1 && s[0] == "index.json":
			return &target{op: opVulnerabilityIndex}, nil
		case len(s) == 1 && s[0] == vulnerabilityPage+".json":
			return &target{op: opVulnerabilities}, nil
		}
		return nil, nil
	case "package":
		if len(s) == 0 {
			return &target{op: opPush}, nil
		}
		if len(s) != 2 {
			return nil, nil
		}
		return identified(target{op: opVersion}, s[0], s[1])
	case "flatcontainer":
		return parseContainer(s)
	case "catalog":
		if len(s) != 2 || !strings.HasSuffix(s[1], ".json") {
			return nil, nil
		}
		return identified(target{op: opEntry}, s[0], strings.TrimSuffix(s[1], ".json"))
	case hivePlain, hiveGzip, hiveSemVer2:
		return parseRegistration(resource, s)
	}
	return nil, nil
}

// identified adds a package, and a version unless it is "".
func identified(t target, id, version string) (*target, error) {
	var err error
	if t.id, err = (names{}).Package("", id); err != nil {
		return nil, fmt.Errorf("%w: %q is not a package id", registry.ErrNotFound, registry.Clip(id))
	}
	if version == "" {
		return &t, nil
	}
	if t.version, err = (names{}).Version(version); err != nil {
		return nil, fmt.Errorf("%w: %q is not a NuGet version", registry.ErrNotFound, registry.Clip(version))
	}
	return &t, nil
}

func parseContainer(s []string) (*target, error) {
	if len(s) == 2 && s[1] == "index.json" {
		return identified(target{op: opVersions}, s[0], "")
	}
	if len(s) != 3 || s[1] == "" {
		return nil, nil
	}
	t, err := identified(target{op: opFile}, s[0], s[1])
	if err != nil {
		return nil, err
	}
	name := strings.ToLower(s[2])
	base := strings.ToLower(s[0] + "." + s[1]) // the client repeats what it wrote before, normalised or not
	switch name {
	case base + packageExtension:
		t.file = filePackage
	case base + symbolExtension:
		t.file = fileSymbols
	case t.id.Name + nuspecExtension:
		t.file = fileNuspec
	case "readme":
		t.file = fileReadme
	case "icon":
		t.file = fileIcon
	case "license":
		t.file = fileLicense
	default:
		return nil, nil
	}
	return t, nil
}

func parseRegistration(hive string, s []string) (*target, error) {
	switch {
	case len(s) == 2 && s[1] == "index.json":
		return identified(target{op: opRegistration, hive: hive}, s[0], "")
	case len(s) == 2 && strings.HasSuffix(s[1], ".json") && s[1] != ".json":
		return identified(target{op: opLeaf, hive: hive}, s[0], strings.TrimSuffix(s[1], ".json"))
	case len(s) == 4 && s[1] == "page" && strings.HasSuffix(s[3], ".json"):
		t, err := identified(target{op: opPage, hive: hive}, s[0], "")
		if err != nil {
			return nil, err
		}
		from, errFrom := names{}.Version(s[2])
		to, errTo := names{}.Version(strings.TrimSuffix(s[3], ".json"))
		if errFrom != nil || errTo != nil {
			return nil, nil
		}
		t.from, t.to = from, to
		return t, nil
	}
	return nil, nil
}

// containerPath and the others are addresses below the repository, escaped.
func containerPath(id registry.PackageID, rest string) string {
	return "v3/flatcontainer/" + id.Name + "/" + rest
}

func packagePath(id registry.VersionID) string {
	return containerPath(id.Package, id.Version+"/"+assetName(id, packageExtension))
}

func registrationPath(hive string, id registry.PackageID, rest string) string {
	return "v3/" + hive + "/" + id.Name + "/" + rest
}

func leafPath(hive string, id registry.VersionID) string {
	return registrationPath(hive, id.Package, id.Version+".json")
}

func entryPath(id registry.VersionID) string {
	return "v3/catalog/" + id.Package.Name + "/" + id.Version + ".json"
}
