package lite

import "net/netip"

// Sender sends a datagram. It may not keep b after it returns, nor block for
// long, nor call back into the endpoint; what cannot be sent is lost, as
// datagrams are. Any goroutine may call it.
type Sender interface {
	Send(b []byte, to netip.AddrPort)
}

// SenderFunc is a function that is a Sender.
type SenderFunc func(b []byte, to netip.AddrPort)

// Send implements Sender.
func (f SenderFunc) Send(b []byte, to netip.AddrPort) { f(b, to) }

// datagramKind is the protocol of a datagram.
type datagramKind uint8

const (
	kindOther datagramKind = iota
	kindSTUN
	kindDTLS
	kindRTP
	kindRTCP
)

// classify classifies a datagram by its first byte (RFC 7983, section 7), and
// RTCP from RTP by the second (RFC 5761, section 4).
func classify(b []byte) datagramKind {
	switch {
	case len(b) < 2:
		return kindOther
	case b[0] < 4:
		return kindSTUN
	case b[0] >= 20 && b[0] < 64:
		return kindDTLS
	case b[0] >= 128 && b[0] < 192:
		if b[1] >= 192 && b[1] < 224 {
			return kindRTCP
		}
		return kindRTP
	}
	return kindOther
}

// IsDTLS reports whether a datagram is DTLS.
func IsDTLS(b []byte) bool { return classify(b) == kindDTLS }

// IsPeriodic reports whether a datagram is of those that endpoints send by the
// clock, STUN or RTCP, so that nobody waits for it.
func IsPeriodic(b []byte) bool {
	k := classify(b)
	return k == kindSTUN || k == kindRTCP
}

// unmap makes an IPv4 address look the same whatever socket it came from.
func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}
