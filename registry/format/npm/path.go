package npm

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"packhouse.dev/packhouse/registry"
)

// operation is what an address means, before the method is looked at.
type operation int

const (
	opPackument operation = iota // id
	opVersion                    // id, spec
	opFile                       // id, version, file
	opRevision                   // id: CouchDB's way of changing and deleting, used by unpublish and owner
	opTags                       // id
	opTag                        // id, spec
	opPing
	opWhoami
	opSearch
	opAudit
	opLegacyAudit
	opCommand // command: an address of a command that is not supported
)

// address is a parsed path.
type address struct {
	op      operation
	id      registry.PackageID
	version string // key
	spec    string // version or tag as written
	file    string // asset name
	command string // word for refuse
}

// parsePath reads the escaped path below the repository. Every segment is unescaped exactly once, after splitting: a slash that was
// escaped never makes a new segment, but for the one of a scoped name. Errors wrap ErrInvalid or ErrNotFound.
func parsePath(rest string) (address, error) {
	segments, err := split(rest)
	if err != nil {
		return address{}, err
	}
	if segments[0] == "-" {
		return parseAPI(segments[1:])
	}
	id, segments, err := cutName(segments)
	if err != nil {
		return address{}, err
	}
	a := address{id: id}
	switch {
	case len(segments) == 0:
		return a, nil
	case segments[0] == "-rev" && len(segments) == 2:
		a.op = opRevision
		return a, nil
	case segments[0] == "-":
		return parseFile(a, segments[1:])
	case len(segments) == 1:
		a.op, a.spec = opVersion, segments[0]
		return a, nil
	}
	return address{}, fmt.Errorf("%w: no such address", registry.ErrNotFound)
}

// split cuts and unescapes. One slash at the end is tolerated.
func split(rest string) ([]string, error) {
	if len(rest) > 4096 {
		return nil, fmt.Errorf("%w: the address is too long", registry.ErrInvalid)
	}
	if rest == "" {
		return nil, fmt.Errorf("%w: this is the address of a repository, not of a package", registry.ErrNotFound)
	}
	segments := strings.Split(strings.TrimSuffix(rest, "/"), "/")
	for i, s := range segments {
		u, err := url.PathUnescape(s)
		if err != nil {
			return nil, fmt.Errorf("%w: the address is not escaped correctly", registry.ErrInvalid)
		}
		bad := func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' || r == '%' || r == '�' }
		if u == "" || u == "." || u == ".." || strings.ContainsFunc(u, bad) {
			return nil, fmt.Errorf("%w: the address has a segment %q", registry.ErrInvalid, registry.Clip(u))
		}
		segments[i] = u
	}
	return segments, nil
}

// cutName takes a package name from the front: "name", "@scope/name" in one segment or in two.
func cutName(segments []string) (registry.PackageID, []string, error) {
	full, segments := segments[0], segments[1:]
	if full[0] == '@' && !strings.Contains(full, "/") {
		if len(segments) == 0 {
			return registry.PackageID{}, nil, fmt.Errorf("%w: %q is a scope, not a package", registry.ErrNotFound, registry.Clip(full))
		}
		full, segments = full+"/"+segments[0], segments[1:]
	}
	id, err := parseName(full)
	return id, segments, err
}

// parseFile reads what follows "<name>/-/": a file name, also below the scope as some registries write it.
func parseFile(a address, segments []string) (address, error) {
	if len(segments) == 2 && a.id.Namespace != "" && segments[0] == "@"+a.id.Namespace {
		segments = segments[1:]
	}
	switch {
	case len(segments) == 1:
	case len(segments) == 3 && segments[1] == "-rev":
		a.op = opRevision
		return a, nil
	default:
		return address{}, fmt.Errorf("%w: no such address", registry.ErrNotFound)
	}
	file := segments[0]
	if a.id.Namespace != "" {
		file = strings.TrimPrefix(file, "@"+a.id.Namespace+"/")
	}
	raw, ok := strings.CutPrefix(file, a.id.Name+"-")
	if !ok {
		return address{}, fmt.Errorf("%w: %s has no file %q", registry.ErrNotFound, fullName(a.id), registry.Clip(file))
	}
	for _, ext := range []string{tarballExtension, provenanceExtension} {
		display, found := strings.CutSuffix(raw, ext)
		if v, ok := parseVersion(display); found && ok {
			a.op, a.file, a.version = opFile, file, v.Key()
			return a, nil
		}
	}
	return address{}, fmt.Errorf("%w: %s has no file %q", registry.ErrNotFound, fullName(a.id), registry.Clip(file))
}

// parseAPI reads what follows "-/".
func parseAPI(s []string) (address, error) {
	is := func(words ...string) bool { return slices.Equal(s, words) }
	begins := func(words ...string) bool { return len(s) >= len(words) && slices.Equal(s[:len(words)], words) }
	switch {
	case is("ping"):
		return address{op: opPing}, nil
	case is("whoami"):
		return address{op: opWhoami}, nil
	case is("v1", "search"):
		return address{op: opSearch}, nil
	case is("npm", "v1", "security", "advisories", "bulk"):
		return address{op: opAudit}, nil
	case is("npm", "v1", "security", "audits"), is("npm", "v1", "security", "audits", "quick"):
		return address{op: opLegacyAudit}, nil
	case begins("package") && len(s) > 1:
		return parsePackageAPI(s[1:])
	case begins("v1", "login"):
		return address{op: opCommand, command: "login"}, nil
	case begins("user", "token"):
		return address{op: opCommand, command: "logout"}, nil
	case begins("user") && len(s) == 3 && s[2] == "package", begins("org") && len(s) == 3 && s[2] == "package":
		return address{op: opCommand, command: "access"}, nil
	case begins("user"):
		return address{op: opCommand, command: "user"}, nil
	case begins("team"), begins("org"):
		return address{op: opCommand, command: "team"}, nil
	case begins("npm", "v1", "user"):
		return address{op: opCommand, command: "profile"}, nil
	case begins("npm", "v1", "tokens"):
		return address{op: opCommand, command: "token"}, nil
	case begins("npm", "v1", "hooks"):
		return address{op: opCommand, command: "hook"}, nil
	case is("_view", "starredByUser"):
		return address{op: opCommand, command: "stars"}, nil
	}
	return address{}, fmt.Errorf("%w: no such address", registry.ErrNotFound)
}

// parsePackageAPI reads what follows "-/package/".
func parsePackageAPI(segments []string) (address, error) {
	id, s, err := cutName(segments)
	if err != nil {
		return address{}, err
	}
	switch {
	case len(s) == 1 && s[0] == "dist-tags":
		return address{op: opTags, id: id}, nil
	case len(s) == 2 && s[0] == "dist-tags":
		return address{op: opTag, id: id, spec: s[1]}, nil
	case len(s) > 0 && slices.Contains([]string{"access", "visibility", "collaborators"}, s[0]):
		return address{op: opCommand, command: "access"}, nil
	}
	return address{}, fmt.Errorf("%w: no such address", registry.ErrNotFound)
}
