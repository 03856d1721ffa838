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

// kind is what a datagram is by its first bytes.
type kind uint8

const (
	kindOther kind = iota
	kindSTUN
	kindDTLS
	kindRTP
	kindRTCP
)

// kindOf tells a datagram's kind by its first byte (RFC 7983 section 7), and
// RTCP from RTP by the second (RFC 5761 section 4).
func kindOf(b []byte) kind {
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

// IsDTLS tells a datagram of a handshake, or of its end, from the rest.
func IsDTLS(b []byte) bool { return kindOf(b) == kindDTLS }

// IsPeriodic tells what endpoints send by the clock, STUN and RTCP, from what
// somebody waits for.
func IsPeriodic(b []byte) bool {
	k := kindOf(b)
	return k == kindSTUN || k == kindRTCP
}

// unmap makes an IPv4 address look the same whatever socket it came from.
func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}
