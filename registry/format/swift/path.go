package swift

import (
	"fmt"
	"net/url"
	"strings"

	"packhouse.dev/packhouse/registry"
)

// operation is what an address means, before the method is looked at.
type operation int

const (
	opLogin operation = iota
	opAvailability
	opIdentifiers
	opReleases // id
	opRelease  // id, version
	opManifest // id, version
	opArchive  // id, version
)

// address is a parsed path.
type address struct {
	op          operation
	id          registry.PackageID
	scope, name string // as written
	version     string
}

func (a address) versionID() registry.VersionID {
	return registry.VersionID{Package: a.id, Version: a.version}
}

// parsePath reads the escaped path below the repository. Every segment is unescaped exactly once, after splitting. An address of which
// a name or a version is none wraps ErrInvalid, one that means nothing ErrNotFound.
func parsePath(rest string) (address, error) {
	missing := fmt.Errorf("%w: there is nothing at this address of a Swift package registry", registry.ErrNotFound)
	s, err := split(rest)
	if err != nil {
		return address{}, err
	}
	switch {
	case len(s) == 0, len(s) == 1 && s[0] == "login":
		return address{op: opLogin}, nil
	case len(s) == 1 && s[0] == "availability":
		return address{op: opAvailability}, nil
	case len(s) == 1 && s[0] == "identifiers":
		return address{op: opIdentifiers}, nil
	case len(s) == 2:
		return address{op: opReleases, scope: s[0], name: strings.TrimSuffix(s[1], ".json")}.identify()
	case len(s) == 3:
		a := address{op: opRelease, scope: s[0], name: s[1], version: strings.TrimSuffix(s[2], ".json")}
		if version, ok := strings.CutSuffix(s[2], ".zip"); ok {
			a.op, a.version = opArchive, version
		}
		return a.identify()
	case len(s) == 4 && s[3] == manifestFile:
		return address{op: opManifest, scope: s[0], name: s[1], version: s[2]}.identify()
	}
	return address{}, missing
}

// split cuts and unescapes. One slash at the end is tolerated.
func split(rest string) ([]string, error) {
	if len(rest) > 2048 {
		return nil, fmt.Errorf("%w: the address is too long", registry.ErrInvalid)
	}
	rest = strings.TrimSuffix(rest, "/")
	if rest == "" {
		return nil, nil
	}
	segments := strings.Split(rest, "/")
	for i, s := range segments {
		u, err := url.PathUnescape(s)
		if err != nil || u == "" || strings.Contains(u, "/") {
			return nil, fmt.Errorf("%w: the address is not escaped correctly", registry.ErrInvalid)
		}
		segments[i] = u
	}
	return segments, nil
}

func (a address) identify() (address, error) {
	var err error
	if a.id, err = (names{}).Package(a.scope, a.name); err != nil {
		return address{}, err
	}
	if a.op != opReleases {
		if a.version, err = (names{}).Version(a.version); err != nil {
			return address{}, err
		}
	}
	return a, nil
}

// packagePath and releasePath are addresses below the repository. Version numbers may have "+", which means itself in a path.
func packagePath(id string) string { return strings.Replace(id, ".", "/", 1) }

func releasePath(id, version string) string { return packagePath(id) + "/" + version }
