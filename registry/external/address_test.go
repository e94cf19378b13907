package external

import (
	"errors"
	"net/netip"
	"testing"

	"packhouse.dev/packhouse/registry"
)

func TestCheckAddress(t *testing.T) {
	t.Parallel()
	const never, inside, public = 0, 1, 2 // allowed: not at all; with AllowPrivateAddresses; always
	tests := map[string]int{
		"93.184.216.34":                 public,
		"203.0.113.80":                  public, // documentation
		"2606:4700::1":                  public,
		"2001:db8::1":                   public, // documentation
		"::ffff:93.184.216.34":          public,
		"64:ff9b::5db8:d822":            public, // NAT64 of 93.184.216.34
		"2002:5db8:d822::1":             public, // 6to4 of it
		"127.0.0.1":                     inside,
		"127.255.255.254":               inside,
		"10.0.0.1":                      inside,
		"172.16.0.1":                    inside,
		"172.31.255.255":                inside,
		"192.168.1.1":                   inside,
		"100.64.0.1":                    inside,
		"::1":                           inside,
		"fd00:ec2::254":                 inside,
		"fc00::1":                       inside,
		"::ffff:10.0.0.1":               inside,
		"::ffff:127.0.0.1":              inside,
		"64:ff9b::a00:1":                inside, // NAT64 of 10.0.0.1
		"64:ff9b::7f00:1":               inside,
		"2002:a00:1::1":                 inside, // 6to4 of 10.0.0.1
		"2002:7f00:1::":                 inside,
		"169.254.169.254":               never,
		"::ffff:169.254.169.254":        never,
		"64:ff9b::a9fe:a9fe":            never,
		"2002:a9fe:a9fe::":              never,
		"fe80::1":                       never,
		"fe80::1%eth0":                  never,
		"fd00::1%eth0":                  never,
		"0.0.0.0":                       never,
		"0.1.2.3":                       never,
		"::":                            never,
		"::7f00:1":                      never, // v4-compatible
		"64:ff9b:1::a00:1":              never, // NAT64 of a local prefix
		"2001:0:4136:e378:8000:63bf::1": never, // Teredo
		"fec0::1":                       never, // site-local
		"224.0.0.1":                     never,
		"255.255.255.255":               never,
		"240.0.0.1":                     never,
		"198.18.0.1":                    never,
		"192.0.0.8":                     never,
		"ff02::1":                       never,
		"ff0e::1":                       never,
	}
	for addr, want := range tests {
		t.Run(addr, func(t *testing.T) {
			t.Parallel()
			a := netip.MustParseAddr(addr)
			for _, private := range []bool{false, true} {
				err := checkAddress(a, private)
				ok := want == public || want == inside && private
				if (err == nil) != ok || err != nil && !errors.Is(err, registry.ErrUnavailable) {
					t.Errorf("checkAddress(%s, %t) = %v, want allowed = %t", a, private, err, ok)
				}
			}
		})
	}
}

// FuzzCheckAddress: however an IPv4 address is dressed, the answer is the same; and no dress opens what is closed.
func FuzzCheckAddress(f *testing.F) {
	for _, s := range []string{"127.0.0.1", "10.1.2.3", "169.254.169.254", "8.8.8.8", "fe80::1", "2001:db8::", "::ffff:1.2.3.4"} {
		f.Add(netip.MustParseAddr(s).AsSlice())
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, ok := netip.AddrFromSlice(raw)
		if !ok {
			return
		}
		plain, inside := checkAddress(a, false), checkAddress(a, true)
		if plain == nil && inside != nil {
			t.Fatalf("%s is allowed without permission and refused with it: %v", a, inside)
		}
		if u := a.Unmap(); plain == nil && (u.IsLoopback() || u.IsPrivate() || u.IsLinkLocalUnicast() || u.IsUnspecified() || u.IsMulticast()) {
			t.Fatalf("%s is allowed", a)
		}
		if !a.Is4() {
			return
		}
		v4 := a.As4()
		nat := netip.AddrFrom16([16]byte{0, 0x64, 0xff, 0x9b, 12: v4[0], 13: v4[1], 14: v4[2], 15: v4[3]})
		to4 := netip.AddrFrom16([16]byte{0x20, 0x02, v4[0], v4[1], v4[2], v4[3]})
		mapped := netip.AddrFrom16(a.As16())
		for _, dressed := range []netip.Addr{nat, to4, mapped} {
			if got := checkAddress(dressed, false); (got == nil) != (plain == nil) {
				t.Fatalf("%s: %v, but as %s: %v", a, plain, dressed, got)
			}
		}
	})
}
