package icetcp

import (
	"net/netip"
	"strconv"
	"strings"
)

// zonePrefix begins the zone of a connection's address. No network interface is called so.
const zonePrefix = "tcp/"

// connAddress returns the address of one connection: that of its other side, with the
// connection's number as a zone. So it is nobody else's, neither on UDP nor of a later
// connection. It is an IPv6 address, since others have no zone.
func connAddress(remote netip.AddrPort, number uint64) netip.AddrPort {
	ip := netip.AddrFrom16(remote.Addr().WithZone("").As16())
	return netip.AddrPortFrom(ip.WithZone(zonePrefix+strconv.FormatUint(number, 10)), remote.Port())
}

// IsConn reports whether an address is that of a [Port]'s connection.
func IsConn(a netip.AddrPort) bool {
	return a.Addr().Is6() && strings.HasPrefix(a.Addr().Zone(), zonePrefix)
}

// Remote returns the IP address and the port of a connection's other side; of an address
// that is no connection's, the address itself.
func Remote(a netip.AddrPort) netip.AddrPort {
	if !IsConn(a) {
		return a
	}
	return netip.AddrPortFrom(a.Addr().WithZone("").Unmap(), a.Port())
}
