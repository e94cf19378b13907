package external

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"packhouse.dev/packhouse/registry/config"
)

// maxURL bounds addresses: longer ones are attacks or mistakes.
const maxURL = 8 << 10

// standing is what an address is to a connection. The doc comment of the package says what follows.
type standing int

const (
	foreign standing = iota
	named
	origin
)

// site is a connection with its address, parsed.
type site struct {
	conn *config.Connection
	base *url.URL
}

func newSite(conn *config.Connection) (*site, error) {
	base, err := parseURL(conn.URL)
	if err != nil {
		return nil, fmt.Errorf("connection %s: %w", conn.Name, err)
	}
	return &site{conn: conn, base: base}, nil
}

// resolve makes an absolute address of what a format asks for: "" is the connection's own address, an address with a scheme is taken
// as it is, anything else stands below the connection's address, which counts as a folder.
func (s *site) resolve(path string) (*url.URL, error) {
	switch {
	case path == "":
		return s.base, nil
	case hasScheme(path):
		return parseURL(path)
	}
	below, query, _ := strings.Cut(path, "?")
	if strings.HasPrefix(below, "/") || strings.Contains(below, `\`) || slices.ContainsFunc(strings.Split(below, "/"), isDots) {
		return nil, fmt.Errorf("%w: path %.200q leaves the connection", ErrRefused, path)
	}
	u := *s.base
	u.RawQuery, u.ForceQuery = query, false
	text := strings.TrimSuffix(u.EscapedPath(), "/") + "/" + below
	var err error
	if u.Path, err = url.PathUnescape(text); err != nil {
		return nil, fmt.Errorf("%w: path %.200q: %w", ErrRefused, path, err)
	}
	u.RawPath = text
	return parseURL(u.String())
}

// isDots says whether a path segment is "." or "..", however it is escaped.
func isDots(segment string) bool {
	s := strings.ReplaceAll(strings.ToLower(segment), "%2e", ".")
	return s == "." || s == ".."
}

func hasScheme(s string) bool {
	for _, p := range []string{"http://", "https://"} {
		if len(s) >= len(p) && strings.EqualFold(s[:len(p)], p) {
			return true
		}
	}
	return false
}

// parseURL reads an address that somebody else wrote. User information is refused rather than dropped: it is a secret in a place
// where it would be stored and shown.
func parseURL(s string) (*url.URL, error) {
	if len(s) > maxURL {
		return nil, fmt.Errorf("%w: address of %d bytes", ErrRefused, len(s))
	}
	u, err := url.Parse(s)
	if err != nil {
		// Not err itself: it quotes the address, which may hold a secret.
		return nil, fmt.Errorf("%w: address cannot be parsed", ErrRefused)
	}
	return u, checkURL(u)
}

func checkURL(u *url.URL) error {
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("%w: scheme %.20q", ErrRefused, u.Scheme)
	case u.User != nil:
		return fmt.Errorf("%w: address %s holds credentials", ErrRefused, redacted{u})
	case u.Opaque != "" || u.Hostname() == "":
		return fmt.Errorf("%w: address without a host", ErrRefused)
	case u.Fragment != "" || !printable(u.String()):
		return fmt.Errorf("%w: address %s is not well formed", ErrRefused, redacted{u})
	}
	return nil
}

// printable says whether s is printable ASCII without spaces, so that it is a safe header value, log value and row.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// standing tells what an address is to the connection.
func (s *site) standing(u *url.URL) standing {
	host, port := hostPort(u)
	baseHost, basePort := hostPort(s.base)
	switch {
	case u.Scheme == s.base.Scheme && host == baseHost && port == basePort:
		return origin
	case u.Scheme == "http" && s.base.Scheme == "https":
		return foreign // a named host is named for what the connection itself uses
	case u.Scheme == "https" && host == baseHost && port == "443":
		return named // the origin, secured
	case slices.ContainsFunc(s.conn.Hosts, func(h string) bool { return matchesHost(h, host, port, defaultPort(u.Scheme)) }):
		return named
	default:
		return foreign
	}
}

// matchesHost compares with an entry of the connection's hosts: a host, which stands for the scheme's own port, or host:port.
func matchesHost(entry, host, port, standard string) bool {
	h, p, err := net.SplitHostPort(entry)
	if err != nil {
		h, p = strings.Trim(entry, "[]"), standard
	}
	return strings.EqualFold(strings.TrimSuffix(h, "."), host) && p == port
}

// admit says what the first address of a request is to the connection, or refuses it.
func (s *site) admit(u *url.URL) (standing, error) {
	st := s.standing(u)
	if st == foreign && !(slices.Contains(s.conn.Hosts, "*") && publicForm(u)) {
		return st, fmt.Errorf("%w: %s is not on a host of connection %s; its hosts can name it", ErrRefused, redacted{u}, s.conn.Name)
	}
	return st, nil
}

// redirect says where an answer with a Location header leads, or refuses it. Files are often on a content delivery network that
// only the redirect names; what comes from there is checked against digests, so a file may follow to any public host. A document
// may not: nothing would tell a forged one.
func (s *site) redirect(from *url.URL, location string, file bool) (*url.URL, standing, error) {
	ref, err := url.Parse(location)
	if err != nil || location == "" || len(location) > maxURL {
		return nil, foreign, fmt.Errorf("%w: %s redirects to no address", ErrRefused, redacted{from})
	}
	to := from.ResolveReference(ref)
	to.Fragment, to.RawFragment = "", ""
	if err := checkURL(to); err != nil {
		return nil, foreign, err
	}
	if from.Scheme == "https" && to.Scheme != "https" {
		return nil, foreign, fmt.Errorf("%w: %s redirects to unencrypted %s", ErrRefused, redacted{from}, redacted{to})
	}
	st, err := s.admit(to)
	if err != nil && file && publicForm(to) {
		return to, st, nil
	}
	return to, st, err
}

// publicForm says whether an address has the form in which foreign hosts are used. That it is public is checked at dial time.
func publicForm(u *url.URL) bool {
	_, port := hostPort(u)
	return u.Scheme == "https" && port == "443"
}

func hostPort(u *url.URL) (host, port string) {
	if port = u.Port(); port == "" {
		port = defaultPort(u.Scheme)
	}
	return strings.TrimSuffix(strings.ToLower(u.Hostname()), "."), port
}

func defaultPort(scheme string) string {
	if scheme == "https" {
		return "443"
	}
	return "80"
}

// redacted writes an address without what may be secret in it: user information, query and fragment.
type redacted struct{ *url.URL }

// String implements fmt.Stringer.
func (r redacted) String() string {
	u := url.URL{Scheme: r.Scheme, Host: r.Host, Path: r.Path, RawPath: r.RawPath}
	s := u.String()
	if len(s) > 300 {
		s = s[:300] + "…"
	}
	return s
}
