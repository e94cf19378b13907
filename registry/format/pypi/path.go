package pypi

import (
	"fmt"
	"net/url"
	"strings"

	"packhouse.dev/packhouse/registry"
)

// op is what an address stands for.
type op int

const (
	opUpload   op = iota // where clients post the form
	opProjects           // list of projects
	opProject            // page of a project
	opFile
	opMoved // another spelling of path
)

// address is a parsed path below a repository.
type address struct {
	op      op
	id      registry.PackageID
	version string // key
	file    string
	path    string // of opMoved, escaped
}

// parsePath reads the escaped path below a repository.
func parsePath(rest string) (address, error) {
	segments := strings.Split(rest, "/")
	for i, s := range segments {
		text, err := url.PathUnescape(s)
		if err != nil || strings.ContainsAny(text, "/\x00") {
			return address{}, fmt.Errorf("%w: the address is not well formed", registry.ErrInvalid)
		}
		segments[i] = text
	}
	switch {
	case rest == "", rest == "legacy", rest == "legacy/":
		return address{op: opUpload}, nil
	case rest == "simple":
		return address{op: opMoved, path: "simple/"}, nil
	case rest == "simple/":
		return address{op: opProjects}, nil
	case segments[0] != "simple":
		return address{}, fmt.Errorf("%w: no such address: projects are below simple/", registry.ErrNotFound)
	}
	id, err := names{}.Package("", segments[1])
	if err != nil {
		return address{}, notAProject(err)
	}
	switch n := len(segments); {
	case n == 2, n == 3 && segments[2] == "" && segments[1] != id.Name:
		return address{op: opMoved, path: "simple/" + id.Name + "/"}, nil
	case n == 3 && segments[2] == "":
		return address{op: opProject, id: id}, nil
	case n != 4:
		return address{}, fmt.Errorf("%w: no such address", registry.ErrNotFound)
	}
	key, err := names{}.Version(segments[2])
	if err != nil {
		return address{}, err
	}
	name, err := names{}.Asset(segments[3])
	if err != nil {
		return address{}, err
	}
	return address{op: opFile, id: id, version: key, file: name}, nil
}

// notAProject: whoever asks an index for something that cannot be a project has to hear "not there", or would not look further.
func notAProject(err error) error {
	return fmt.Errorf("%w: %w", registry.ErrNotFound, err)
}

// filePath is the escaped address of a file below the repository. Its last segment is the file's name, which clients take from it.
func filePath(id registry.VersionID, name string) string {
	return "simple/" + id.Package.Name + "/" + escaped(id.Version) + "/" + escaped(name)
}

// escaped writes a path segment. A "+" is escaped, because some clients read it as a space.
func escaped(segment string) string {
	return strings.ReplaceAll(url.PathEscape(segment), "+", "%2B")
}
