package client

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/loadgen/stamp"
)

// A udpSocket is a Pion client's UDP socket. It records when the kernel received each
// RTP packet. SRTP leaves the header in the clear (RFC 3711, section 3.1), so the time
// is found by SSRC and sequence number after Pion has decrypted the packet.
//
// It is safe for concurrent use as a *net.UDPConn is, but only one goroutine at a time
// may read.
type udpSocket struct {
	*stamp.UDPConn
	times     *receiveTimes
	nominator *nominator // of the client
}

// ReadFrom implements net.PacketConn.
func (s *udpSocket) ReadFrom(b []byte) (int, net.Addr, error) {
	n, addr, err := s.ReadFromAddrPort(b)
	return n, net.UDPAddrFromAddrPort(addr), err
}

// ReadFromAddrPort implements ice.AddrPortReaderWriter.
func (s *udpSocket) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	n, addr, at, err := s.receive(b)
	if err != nil {
		return n, addr, err
	}
	if ssrc, sequence, ok := rtpID(b[:n]); ok {
		s.times.note(ssrc, sequence, at)
	}
	s.nominator.read(b[:n], addr)
	return n, addr, nil
}

// receive reads a packet with its receive time, without recording the time.
func (s *udpSocket) receive(b []byte) (int, netip.AddrPort, time.Duration, error) {
	n, d, err := s.Receive(b)
	if d.Dropped > 0 {
		s.times.dropped.Add(uint64(d.Dropped))
	}
	return n, d.From, d.At, err
}

// WriteToAddrPort implements ice.AddrPortReaderWriter.
func (s *udpSocket) WriteToAddrPort(b []byte, addr netip.AddrPort) (int, error) {
	return s.WriteToUDPAddrPort(b, addr)
}

// rtpID returns the SSRC and sequence number of an RTP packet. It reports false for
// STUN, DTLS and RTCP, by the first two bytes (RFC 7983, section 7; RFC 5761, section
// 4).
func rtpID(b []byte) (ssrc uint32, sequence uint16, ok bool) {
	if len(b) < 12 || b[0] < 128 || b[0] > 191 {
		return 0, 0, false
	}
	if kind := b[1] & 0x7f; kind >= 64 && kind <= 95 {
		return 0, 0, false
	}
	return uint32(b[8])<<24 | uint32(b[9])<<16 | uint32(b[10])<<8 | uint32(b[11]), uint16(b[2])<<8 | uint16(b[3]), true
}

const (
	// timesPerSSRC is how many receive times of an SSRC are kept until Pion has
	// decrypted the packets: 2.5 seconds of speech.
	timesPerSSRC = 128
	// maxSSRCs is how many SSRCs are kept.
	maxSSRCs = 16
)

// receiveTimes holds the receive times of a client's latest packets. It is safe for
// concurrent use.
type receiveTimes struct {
	mu      sync.Mutex
	rings   []ssrcTimes
	oldest  int           // replaced when there are more than maxSSRCs
	dropped atomic.Uint64 // by full socket buffers
}

// ssrcTimes holds the latest receive times of one SSRC.
type ssrcTimes struct {
	ssrc  uint32
	times [timesPerSSRC]struct {
		sequence uint16
		at       time.Duration
	}
}

func (a *receiveTimes) ring(ssrc uint32) *ssrcTimes {
	for i := range a.rings {
		if a.rings[i].ssrc == ssrc {
			return &a.rings[i]
		}
	}
	return nil
}

func (a *receiveTimes) note(ssrc uint32, sequence uint16, at time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.ring(ssrc)
	switch {
	case r != nil:
	case len(a.rings) < maxSSRCs:
		a.rings = append(a.rings, ssrcTimes{ssrc: ssrc})
		r = &a.rings[len(a.rings)-1]
	default:
		r = &a.rings[a.oldest]
		*r = ssrcTimes{ssrc: ssrc}
		a.oldest = (a.oldest + 1) % maxSSRCs
	}
	n := &r.times[sequence%timesPerSSRC]
	n.sequence, n.at = sequence, at
}

// find returns when a packet was received.
func (a *receiveTimes) find(ssrc uint32, sequence uint16) (time.Duration, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.ring(ssrc)
	if r == nil {
		return 0, false
	}
	n := r.times[sequence%timesPerSSRC]
	return n.at, n.sequence == sequence && n.at != 0
}
