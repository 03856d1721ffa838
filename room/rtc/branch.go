package rtc

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/internal/packet"
)

const (
	// datagramSize is the room for one received datagram.
	datagramSize = packet.Size
	// branchQueue is how many datagrams may wait for Pion: more than a hundred
	// mics send in 100 ms.
	branchQueue = 1024
	// branchShare is how many of them may be one mic's: two seconds of speech.
	// What one floods the port with, the others still have places.
	branchShare = 128
)

// datagram is a received datagram that waits for Pion.
type datagram struct {
	to   *connection
	from netip.AddrPort
	n    int
	b    [datagramSize]byte
}

// branch is the part of the media port that Pion gets to see, as a socket of
// its own: it reads what is put into it and writes to the port.
type branch struct {
	port    *port
	local   *net.UDPAddr
	queue   chan *datagram
	spare   sync.Pool // of *datagram
	dropped atomic.Uint64

	closing sync.Once
	closed  chan struct{}
}

func newBranch(p *port) *branch {
	return &branch{
		port: p, local: net.UDPAddrFromAddrPort(p.addr()), queue: make(chan *datagram, branchQueue),
		spare: sync.Pool{New: func() any { return new(datagram) }}, closed: make(chan struct{}),
	}
}

// put copies a datagram for Pion to read. If too many wait, in all or for that
// connection, it is dropped and counted.
func (br *branch) put(b []byte, from netip.AddrPort, to *connection) {
	if to.waiting.Add(1) > branchShare {
		to.waiting.Add(-1)
		br.dropped.Add(1)
		return
	}
	d := br.spare.Get().(*datagram)
	d.to, d.from, d.n = to, from, copy(d.b[:], b)
	select {
	case br.queue <- d:
	default:
		br.take(d)
		br.dropped.Add(1)
	}
}

// take gives a datagram that does not wait any more back.
func (br *branch) take(d *datagram) {
	d.to.waiting.Add(-1)
	d.to = nil
	br.spare.Put(d)
}

// ReadFromAddrPort implements ice.AddrPortReaderWriter.
func (br *branch) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	select {
	case d := <-br.queue:
		n, from := copy(b, d.b[:d.n]), d.from
		br.take(d)
		return n, from, nil
	case <-br.closed:
		return 0, netip.AddrPort{}, net.ErrClosed
	}
}

// WriteToAddrPort implements ice.AddrPortReaderWriter.
func (br *branch) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	if err := br.port.write(b, to); err != nil {
		return 0, err
	}
	return len(b), nil
}

// ReadFrom implements net.PacketConn.
func (br *branch) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := br.ReadFromAddrPort(b)
	if err != nil {
		return 0, nil, err
	}
	return n, net.UDPAddrFromAddrPort(from), nil
}

// WriteTo implements net.PacketConn.
func (br *branch) WriteTo(b []byte, to net.Addr) (int, error) {
	u, ok := to.(*net.UDPAddr)
	if !ok {
		return 0, net.InvalidAddrError(to.String())
	}
	return br.WriteToAddrPort(b, u.AddrPort())
}

// LocalAddr implements net.PacketConn.
func (br *branch) LocalAddr() net.Addr { return br.local }

// SetDeadline implements net.PacketConn. Nothing here waits for long: reads end
// with Close, writes never wait.
func (br *branch) SetDeadline(time.Time) error { return nil }

// SetReadDeadline implements net.PacketConn as SetDeadline does.
func (br *branch) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements net.PacketConn as SetDeadline does.
func (br *branch) SetWriteDeadline(time.Time) error { return nil }

// Close implements net.PacketConn. The port stays open.
func (br *branch) Close() error {
	br.closing.Do(func() { close(br.closed) })
	return nil
}
