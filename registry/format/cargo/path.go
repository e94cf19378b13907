package cargo

import (
	"fmt"
	"net/url"
	"strings"

	"packhouse.dev/packhouse/registry"
)

// operation is what an address means, before the method is looked at.
type operation int

const (
	opConfig   operation = iota
	opIndex              // id, name
	opDownload           // id, name, version
	opPublish
	opYank   // id, name, version
	opUnyank // id, name, version
	opOwners // id, name
	opSearch
	opMe
)

// address is a parsed path.
type address struct {
	op      operation
	id      registry.PackageID
	name    string // as written; in the index, in lower case
	version string // as written, a semantic version
}

// parsePath reads the escaped path below the repository. Every segment is unescaped exactly once, after splitting. What cannot be the
// address of anything is ErrNotFound, for names as well: cargo goes on after a 404, and gives up after anything else.
func parsePath(rest string) (address, error) {
	segments, err := split(rest)
	if err != nil {
		return address{}, err
	}
	switch {
	case rest == "config.json":
		return address{op: opConfig}, nil
	case rest == "me":
		return address{op: opMe}, nil
	case segments[0] == "api" && len(segments) > 2 && segments[1] == "v1" && segments[2] == "crates":
		return parseAPI(segments[3:])
	}
	name := segments[len(segments)-1]
	id, err := names{}.Package("", name)
	if err != nil || strings.Join(segments, "/") != indexPath(name) || name != strings.ToLower(name) {
		return address{}, fmt.Errorf("%w: there is nothing at this address of a Cargo registry", registry.ErrNotFound)
	}
	return address{op: opIndex, id: id, name: name}, nil
}

func split(rest string) ([]string, error) {
	if len(rest) > 1024 {
		return nil, fmt.Errorf("%w: the address is too long", registry.ErrNotFound)
	}
	segments := strings.Split(rest, "/")
	for i, s := range segments {
		u, err := url.PathUnescape(s)
		if err != nil || strings.Contains(u, "/") {
			return nil, fmt.Errorf("%w: the address is not escaped correctly", registry.ErrNotFound)
		}
		segments[i] = u
	}
	return segments, nil
}

// parseAPI reads what follows "api/v1/crates".
func parseAPI(s []string) (address, error) {
	missing := fmt.Errorf("%w: there is nothing at this address of a Cargo registry", registry.ErrNotFound)
	switch {
	case len(s) == 0 || len(s) == 1 && s[0] == "":
		return address{op: opSearch}, nil
	case len(s) == 1 && s[0] == "new":
		return address{op: opPublish}, nil
	case len(s) < 2:
		return address{}, missing
	}
	a := address{name: s[0]}
	var err error
	if a.id, err = (names{}).Package("", s[0]); err != nil {
		return address{}, fmt.Errorf("%w: %q is not a crate name", registry.ErrNotFound, registry.Clip(s[0]))
	}
	if len(s) == 2 && s[1] == "owners" {
		a.op = opOwners
		return a, nil
	}
	if len(s) != 3 {
		return address{}, missing
	}
	if _, err := (names{}).Version(s[1]); err != nil {
		return address{}, fmt.Errorf("%w: %q is not a semantic version", registry.ErrNotFound, registry.Clip(s[1]))
	}
	a.version = s[1]
	switch s[2] {
	case "download":
		a.op = opDownload
	case "yank":
		a.op = opYank
	case "unyank":
		a.op = opUnyank
	default:
		return address{}, missing
	}
	return a, nil
}

// versionID is the identity that the address names.
func (a address) versionID() (registry.VersionID, error) {
	key, err := names{}.Version(a.version)
	return registry.VersionID{Package: a.id, Version: key}, err
}
