package server

import (
	"fmt"
	"net/url"
	"strings"

	"packhouse.dev/packhouse/registry"
)

// form is how an address names a repository. What is written into documents has the form of the request.
type form int

const (
	formPath  form = iota // /{domain}-{owner}/{format}/{repository}/…
	formHost              // {domain}-{owner}.d.{host}: /{format}/{repository}/…
	formGuide             // /{format}/d/{domain}-{owner}/{repository}/…
)

// route is what the path of a request names.
type route struct {
	form       form
	domain     registry.DomainRef
	format     registry.Format
	repository string
	rest       string // escaped, below the repository, without a leading slash
}

// Bounds of names in addresses. Domains have at most 50 characters, repositories 100 (service model); a domain's segment has the
// account behind it.
const maxSegment = 128

// addressHelp is said about every address that names no repository.
const addressHelp = "addresses look like /{domain}-{account}/{format}/{repository}/"

// parseRoute reads the escaped path below the base address. domain is not zero if the host names it. Segments are cut first and
// unescaped once afterwards, so that no escaped slash ever makes a segment. Errors wrap ErrInvalid or ErrNotFound.
func parseRoute(path string, domain registry.DomainRef) (route, error) {
	r := route{domain: domain, form: formHost}
	first, path, err := segment(path)
	if err != nil {
		return route{}, err
	}
	second, path, err := segment(path)
	if err != nil {
		return route{}, err
	}
	switch ref, refErr := registry.ParseDomainRef(first); {
	case domain != (registry.DomainRef{}):
		r.format, r.repository = registry.Format(first), second
	case refErr == nil:
		r.form, r.domain, r.format = formPath, ref, registry.Format(second)
		if r.repository, path, err = segment(path); err != nil {
			return route{}, err
		}
	case second == "d":
		r.form, r.format = formGuide, registry.Format(first)
		var name string
		if name, path, err = segment(path); err != nil {
			return route{}, err
		}
		if r.domain, err = registry.ParseDomainRef(name); err != nil {
			return route{}, err
		}
		if r.repository, path, err = segment(path); err != nil {
			return route{}, err
		}
	default:
		return route{}, fmt.Errorf("%w: no such address; %s", registry.ErrNotFound, addressHelp)
	}
	r.rest, err = rest(path)
	return r, err
}

// segment cuts the next segment from "/segment/…" and unescapes it. What is left begins with a slash or is empty.
func segment(path string) (name, left string, err error) {
	if len(path) < 2 || path[0] != '/' {
		return "", "", fmt.Errorf("%w: no such address; %s", registry.ErrNotFound, addressHelp)
	}
	name, left = path[1:], ""
	if i := strings.IndexByte(name, '/'); i >= 0 {
		name, left = name[:i], name[i:]
	}
	if strings.IndexByte(name, '%') >= 0 {
		if name, err = url.PathUnescape(name); err != nil {
			return "", "", fmt.Errorf("%w: the address is not escaped correctly", registry.ErrInvalid)
		}
	}
	switch {
	case name == "":
		return "", "", fmt.Errorf("%w: the address has an empty segment; %s", registry.ErrNotFound, addressHelp)
	case len(name) > maxSegment || name == "." || name == ".." || !plain(name):
		return "", "", fmt.Errorf("%w: the address has a segment that is no name; %s", registry.ErrInvalid, addressHelp)
	}
	return name, left, nil
}

// plain says whether a name has only characters that domains, formats and repositories can have.
func plain(name string) bool {
	for i := range len(name) {
		switch c := name[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return true
}

// rest checks what follows the repository, for all formats alike. One empty segment right after the repository is tolerated: clients
// join "…/repository/" and "/path" (readings 5.2). What is escaped stays so; the format unescapes it once.
func rest(path string) (string, error) {
	path = strings.TrimPrefix(path, "/")
	path = strings.TrimPrefix(path, "/")
	if path == "" {
		return "", nil
	}
	for left, more := path, true; more; {
		var s string
		s, left, more = strings.Cut(left, "/")
		if s == "" && (more || left != "") {
			return "", fmt.Errorf("%w: the address has an empty segment", registry.ErrInvalid)
		}
		if err := checkSegment(s); err != nil {
			return "", err
		}
	}
	return path, nil
}

// checkSegment refuses what could climb or hide: dot segments, also between escaped slashes, backslashes and control characters.
func checkSegment(s string) error {
	if strings.IndexByte(s, '%') >= 0 {
		u, err := url.PathUnescape(s)
		if err != nil {
			return fmt.Errorf("%w: the address is not escaped correctly", registry.ErrInvalid)
		}
		s = u
	}
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == 0x7f || c == '\\' {
			return fmt.Errorf("%w: the address has a control character or a backslash", registry.ErrInvalid)
		}
	}
	for part, more := "", true; more; {
		if part, s, more = strings.Cut(s, "/"); part == "." || part == ".." {
			return fmt.Errorf("%w: the address has a dot segment", registry.ErrInvalid)
		}
	}
	return nil
}

// address is the absolute address of the repository in the form of the request, without a slash at the end.
func (r *route) address(base string) string {
	switch r.form {
	case formHost:
		return base + "/" + string(r.format) + "/" + r.repository
	case formGuide:
		return base + "/" + string(r.format) + "/d/" + r.domain.String() + "/" + r.repository
	default:
		return base + "/" + r.domain.String() + "/" + string(r.format) + "/" + r.repository
	}
}
