package server

import (
	"fmt"
	"net/url"
	"strings"

	"packhouse.dev/packhouse/registry"
	"packhouse.dev/packhouse/registry/config"
)

// endpoints is the closed list of base addresses, ready for requests. The Host header chooses from it and is never copied, but for
// loopback names: who is told to come back to its own machine asked for it (kubectl port-forward).
type endpoints struct {
	from  []config.Endpoint // what it was made of
	list  []endpoint
	wilds []wildcard
}

// endpoint is a base address.
type endpoint struct {
	name   string
	base   string // scheme://host/prefix, without a slash at the end
	scheme string
	host   string // in lower case, without the default port
	prefix string // escaped, "" or "/prefix"
}

// wildcard is a host below which every domain has one of its own.
type wildcard struct {
	name   string
	scheme string
	suffix string // ".d.host"
	port   string // ":8443" or ""
}

// newEndpoints leaves out addresses that are none: what is declared has been validated, and one bad line must not stop the others.
func newEndpoints(from []config.Endpoint) *endpoints {
	e := &endpoints{from: from}
	for _, c := range from {
		u, err := url.Parse(c.URL)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			continue
		}
		host := canonicalHost(u.Host, u.Scheme)
		prefix := strings.TrimRight(u.EscapedPath(), "/")
		e.list = append(e.list, endpoint{name: c.Name, base: u.Scheme + "://" + host + prefix, scheme: u.Scheme, host: host, prefix: prefix})
	}
	for _, c := range from {
		if c.Host == "" {
			continue
		}
		w := wildcard{name: c.Name, scheme: "https"} // unless the host itself is declared with another scheme
		name, port := splitPort(canonicalHost(c.Host, w.scheme))
		for _, p := range e.list {
			if other, otherPort := splitPort(p.host); other == name {
				w.scheme = p.scheme
				if port == "" {
					port = otherPort
				}
				break
			}
		}
		w.suffix, w.port = ".d."+name, port
		e.wilds = append(e.wilds, w)
	}
	return e
}

// madeOf says whether the list is still the one in force. A snapshot never changes its slice, so its first element identifies it.
func (e *endpoints) madeOf(now []config.Endpoint) bool {
	return e != nil && len(e.from) == len(now) && (len(now) == 0 || &e.from[0] == &now[0])
}

// location is where a request came in.
type location struct {
	base   string             // address that documents are given
	left   string             // escaped path below it
	domain registry.DomainRef // not zero if the host names it
	name   string             // of the endpoint; "" for an address that nobody declared, and for loopback names
	// listener is the endpoint whose policy holds: the one itself, and for other addresses the one whose paths they have, so that
	// another Host does not lead around it; "" if there is none.
	listener string
}

// locate finds the base address for a request and cuts its prefix from the escaped path.
func (e *endpoints) locate(host string, tls bool, path string) (location, error) {
	scheme := "http"
	if tls {
		scheme = "https"
	}
	host = canonicalHost(host, scheme)
	if w, label, ok := e.wildcard(host); ok {
		ref, err := registry.ParseDomainRef(label)
		if err != nil {
			return location{}, fmt.Errorf("%w: the host does not begin with {domain}-{account}", registry.ErrNotFound)
		}
		return location{base: w.scheme + "://" + label + w.suffix + w.port, left: path, domain: ref, name: w.name, listener: w.name}, nil
	}
	match := func(p *endpoint) bool { return p.host == host }
	if p := e.longest(path, match); p != nil {
		return location{base: p.base, left: path[len(p.prefix):], name: p.name, listener: p.name}, nil
	}
	p := e.longest(path, anyEndpoint) // an address that nobody declared: a Service's, a proxy's
	switch {
	case isLoopback(host) && p == nil:
		return location{base: scheme + "://" + host, left: path}, nil
	case isLoopback(host):
		return location{base: scheme + "://" + host + p.prefix, left: path[len(p.prefix):], listener: p.name}, nil
	case p == nil:
		return location{}, fmt.Errorf("%w: no endpoint is declared for this address", registry.ErrNotFound)
	}
	return location{base: p.base, left: path[len(p.prefix):], listener: p.name}, nil
}

// isLoopback is strict about the port: this host is copied.
func isLoopback(host string) bool {
	name, port := splitPort(host)
	for i := 1; i < len(port); i++ {
		if port[i] < '0' || port[i] > '9' {
			return false
		}
	}
	return len(port) != 1 && len(port) <= len(":65535") && (name == "localhost" || name == "127.0.0.1" || name == "[::1]")
}

func anyEndpoint(*endpoint) bool { return true }

// longest finds the endpoint with the longest prefix of path among those that match; of several the first.
func (e *endpoints) longest(path string, match func(*endpoint) bool) *endpoint {
	var found *endpoint
	for i := range e.list {
		p := &e.list[i]
		under := strings.HasPrefix(path, p.prefix) && (len(path) == len(p.prefix) || path[len(p.prefix)] == '/')
		if under && match(p) && (found == nil || len(p.prefix) > len(found.prefix)) {
			found = p
		}
	}
	return found
}

func (e *endpoints) wildcard(host string) (w *wildcard, label string, ok bool) {
	if len(e.wilds) == 0 {
		return nil, "", false
	}
	name, _ := splitPort(host)
	for i := range e.wilds {
		if label, ok := strings.CutSuffix(name, e.wilds[i].suffix); ok && !strings.Contains(label, ".") {
			return &e.wilds[i], label, true
		}
	}
	return nil, "", false
}

// canonicalHost makes hosts comparable: lower case, without the port that the scheme implies. It allocates nothing for most.
func canonicalHost(host, scheme string) string {
	host = strings.ToLower(host)
	if scheme == "https" {
		return strings.TrimSuffix(host, ":443")
	}
	return strings.TrimSuffix(host, ":80")
}

// splitPort cuts ":port" from a host; brackets of IPv6 addresses stay.
func splitPort(host string) (name, port string) {
	i := strings.LastIndexByte(host, ':')
	if i < 0 || strings.IndexByte(host[i:], ']') >= 0 {
		return host, ""
	}
	return host[:i], host[i:]
}
