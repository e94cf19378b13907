package external

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"
)

const dialLimit = 5 * time.Second

// checkAddress refuses addresses that no upstream may lead us to. With private, the administrator has said that the host is inside:
// then only what can be no registry is refused: link-local addresses (where clouds serve credentials), multicast, unspecified.
//
// The ranges reserved for documentation are not refused: nothing is there unless somebody put it there for such a purpose.
func checkAddress(a netip.Addr, private bool) error {
	if a.Zone() != "" || !a.IsValid() {
		return fmt.Errorf("%w: address %q", ErrRefused, a)
	}
	// What an IPv4 address is does not depend on how it is written.
	a = embedded(a.Unmap())
	never := a.IsUnspecified() || a.IsMulticast() || a.IsLinkLocalUnicast()
	inside := a.IsLoopback() || a.IsPrivate() || within(a, reserved()) || a.Is6() && !globalUnicast().Contains(a)
	if never || inside && (!private || !a.IsLoopback() && !a.IsPrivate() && !carrierNAT().Contains(a)) {
		return fmt.Errorf("%w: address %s is not public", ErrRefused, a)
	}
	return nil
}

// embedded returns the IPv4 address that a NAT64 (RFC 6052) or 6to4 (RFC 3056) address leads to, and other addresses as they are.
// A network with NAT64 has such addresses for every public IPv4 host, so they cannot be refused as such.
func embedded(a netip.Addr) netip.Addr {
	b := a.As16()
	switch {
	case a.Is4():
		return a
	case netip.MustParsePrefix("64:ff9b::/96").Contains(a):
		return netip.AddrFrom4([4]byte(b[12:16]))
	case netip.MustParsePrefix("2002::/16").Contains(a):
		return netip.AddrFrom4([4]byte(b[2:6]))
	default:
		return a
	}
}

// globalUnicast is all that IANA has assigned to hosts of the IPv6 Internet: ULA, site-local, v4-compatible addresses and the local
// NAT64 prefix are outside.
func globalUnicast() netip.Prefix { return netip.MustParsePrefix("2000::/3") }

// carrierNAT is shared address space (RFC 6598): private networks of providers and of many clouds.
func carrierNAT() netip.Prefix { return netip.MustParsePrefix("100.64.0.0/10") }

// reserved are further ranges of the IANA special-purpose registries that are not globally reachable.
func reserved() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("0.0.0.0/8"), // "this network": Linux takes it for itself
		carrierNAT(),
		netip.MustParsePrefix("192.0.0.0/24"), // protocol assignments
		netip.MustParsePrefix("192.88.99.0/24"),
		netip.MustParsePrefix("198.18.0.0/15"), // benchmarks, and what lies in laboratories
		netip.MustParsePrefix("240.0.0.0/4"),   // reserved, and broadcast
		netip.MustParsePrefix("2001::/23"),     // protocol assignments; Teredo embeds IPv4 addresses
	}
}

func within(a netip.Addr, prefixes []netip.Prefix) bool {
	for _, p := range prefixes {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// dialer returns the DialContext of a transport. The check runs on the address that is about to be connected to, after the name was
// resolved, so that a name that changes its mind between two look-ups gains nothing.
func (c *Client) dialer(private bool) func(ctx context.Context, network, addr string) (net.Conn, error) {
	if c.opt.Dial != nil {
		return func(ctx context.Context, network, addr string) (net.Conn, error) {
			if ap, err := netip.ParseAddrPort(addr); err == nil {
				if err := checkAddress(ap.Addr(), private); err != nil {
					return nil, err
				}
			}
			ctx, cancel := context.WithTimeout(ctx, dialLimit)
			defer cancel()
			return c.opt.Dial(ctx, network, addr)
		}
	}
	d := &net.Dialer{
		Timeout:  dialLimit,
		Resolver: c.names,
		ControlContext: func(_ context.Context, _, addr string, _ syscall.RawConn) error {
			ap, err := netip.ParseAddrPort(addr)
			if err != nil {
				return fmt.Errorf("%w: address %q", ErrRefused, addr)
			}
			return checkAddress(ap.Addr(), private)
		},
	}
	return d.DialContext
}
