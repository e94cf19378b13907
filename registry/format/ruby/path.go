package ruby

import (
	"fmt"
	"net/url"
	"strings"

	"packhouse.dev/packhouse/registry"
)

// operation is what an address means, before the method is looked at.
type operation int

const (
	opHome operation = iota
	opVersions
	opInfo // id
	opNames
	opDependencies
	opSpecs // name: "specs", "latest_specs", "prerelease_specs"
	opQuick // full
	opGem   // full
	opPush
	opYank
	opUnyank
	opAccount // owners and API keys
)

// address is a parsed path.
type address struct {
	op   operation
	id   registry.PackageID
	name string
	full string // name and version as in file names
}

// marshalVersion is the one of the format in which indexes are written; it stands in their addresses.
const marshalVersion = "4.8"

// parsePath reads the escaped path below the repository. What cannot be the address of anything is ErrNotFound, for names as well:
// clients go on after a 404.
func parsePath(rest string) (address, error) {
	missing := fmt.Errorf("%w: there is nothing at this address of a RubyGems registry", registry.ErrNotFound)
	path, err := url.PathUnescape(rest)
	if err != nil || len(rest) > 2048 {
		return address{}, missing
	}
	switch path {
	case "":
		return address{op: opHome}, nil
	case "versions":
		return address{op: opVersions}, nil
	case "names":
		return address{op: opNames}, nil
	case "api/v1/dependencies":
		return address{op: opDependencies}, nil
	case "api/v1/gems":
		return address{op: opPush}, nil
	case "api/v1/gems/yank":
		return address{op: opYank}, nil
	case "api/v1/gems/unyank":
		return address{op: opUnyank}, nil
	case "api/v1/api_key":
		return address{op: opAccount}, nil
	case "specs." + marshalVersion + ".gz", "latest_specs." + marshalVersion + ".gz", "prerelease_specs." + marshalVersion + ".gz":
		name, _, _ := strings.Cut(path, ".")
		return address{op: opSpecs, name: name}, nil
	}
	if name, ok := strings.CutPrefix(path, "info/"); ok {
		id, err := names{}.Package("", name)
		if err != nil {
			return address{}, fmt.Errorf("%w: %q is not a gem name", registry.ErrNotFound, registry.Clip(name))
		}
		return address{op: opInfo, id: id, name: name}, nil
	}
	if name, ok := strings.CutPrefix(path, "api/v1/gems/"); ok && strings.HasPrefix(name[strings.IndexByte(name, '/')+1:], "owners") {
		return address{op: opAccount}, nil
	}
	for _, file := range []struct {
		op             operation
		before, behind string
	}{
		{opQuick, "quick/Marshal." + marshalVersion + "/", ".gemspec.rz"},
		{opGem, "gems/", gemExtension},
	} {
		name, ok := strings.CutPrefix(path, file.before)
		if full, isFile := strings.CutSuffix(name, file.behind); ok && isFile && !strings.Contains(full, "/") {
			return address{op: file.op, full: full}, nil
		}
	}
	return address{}, missing
}
