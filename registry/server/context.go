package server

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"packhouse.dev/packhouse/registry/policy"
)

// context is what policies may ask of a request beside who makes it.
func (s *Server) context(x *exchange, at location) policy.Context {
	source, secure := origin(x.request, s.service.TrustedProxies())
	c := policy.Context{Time: x.start, SourceIP: source, SecureTransport: secure, Endpoint: at.name, Listener: at.listener}
	if x.identity != nil {
		c.TokenIssued, c.PrincipalTags = x.identity.IssuedAt, x.identity.Tags
	}
	return c
}

// origin is the address that a request came from and whether it came encrypted. Both are those of the connection, unless that is a
// trusted proxy's: then the nearest address in X-Forwarded-For that is none of a trusted proxy is the client's, and X-Forwarded-Proto
// tells how it came. What clients write into these headers stands left of what proxies write, and is not believed.
func origin(r *http.Request, trusted []netip.Prefix) (source netip.Addr, secure bool) {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil { // a socket without an address
		return netip.Addr{}, r.TLS != nil
	}
	source, secure = plainAddr(peer.Addr()), r.TLS != nil
	if !within(trusted, source) {
		return source, secure
	}
	if proto := lastOf(r.Header["X-Forwarded-Proto"]); proto != "" {
		secure = strings.EqualFold(proto, "https")
	}
	hops := strings.Split(strings.Join(r.Header["X-Forwarded-For"], ","), ",")
	for _, hop := range slices.Backward(hops) {
		hop = strings.TrimSpace(hop)
		addr, err := netip.ParseAddr(hop)
		if err != nil {
			if with, err := netip.ParseAddrPort(hop); err == nil { // some proxies write the port
				addr = with.Addr()
			} else {
				return source, secure
			}
		}
		if source = plainAddr(addr); !within(trusted, source) {
			return source, secure
		}
	}
	return source, secure
}

func plainAddr(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

func within(list []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Contains(a) })
}

// lastOf is the last item of a header that is a list.
func lastOf(values []string) string {
	if len(values) == 0 {
		return ""
	}
	last := values[len(values)-1]
	return strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:])
}
