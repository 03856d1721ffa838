package rtc

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/internal/lite"
	"github.com/earshot-audio/earshot/internal/packet"
)

const (
	// datagramSize is the room for one received datagram.
	datagramSize = packet.Size
	// pionQueue is how many datagrams may wait for Pion: more than a hundred
	// mics send in 100 ms.
	pionQueue = 1024
	// pionQueuePerMic is how many of them may be one mic's: two seconds of speech.
	// A mic that floods the port leaves places to the others.
	pionQueuePerMic = 128
)

// datagram is a received datagram that waits for Pion.
type datagram struct {
	from netip.AddrPort
	n    int
	b    [datagramSize]byte
}

// pionQueues is what the queues of all of Pion's connections share: how many
// datagrams wait in them, how many were dropped, and the memory of those that no
// longer wait.
type pionQueues struct {
	waiting atomic.Int32
	dropped atomic.Uint64
	spare   sync.Pool // of *datagram
}

func newPionQueues() *pionQueues {
	return &pionQueues{spare: sync.Pool{New: func() any { return new(datagram) }}}
}

// pionConn is the media port as one of Pion's connections sees it: a
// net.PacketConn that reads what the demultiplexer gives it and writes to the
// port. Its methods may be called from any goroutine.
type pionConn struct {
	port   *port
	local  *net.UDPAddr
	agent  *atomic.Pointer[lite.External] // nil: it may send anything
	tcp    *tcpAddresses                  // nil: none
	queues *pionQueues
	queue  chan *datagram

	closing sync.Once
	closed  chan struct{}
}

func newPionConn(p *port, local *net.UDPAddr, queues *pionQueues) *pionConn {
	return &pionConn{
		port: p, local: local, queues: queues,
		queue: make(chan *datagram, pionQueuePerMic), closed: make(chan struct{}),
	}
}

// receive copies a datagram for Pion to read. If too many wait, on all
// connections or on this one, it is dropped and counted.
func (c *pionConn) receive(b []byte, from netip.AddrPort) {
	q := c.queues
	if q.waiting.Add(1) > pionQueue {
		q.waiting.Add(-1)
		q.dropped.Add(1)
		return
	}
	d := q.spare.Get().(*datagram)
	d.from, d.n = from, copy(d.b[:], b)
	select {
	case c.queue <- d:
	default:
		c.release(d)
		q.dropped.Add(1)
	}
	select {
	case <-c.closed:
		c.discard()
	default:
	}
}

// release returns the memory of a datagram that no longer waits.
func (c *pionConn) release(d *datagram) {
	c.queues.waiting.Add(-1)
	c.queues.spare.Put(d)
}

// ReadFromAddrPort implements ice.AddrPortReaderWriter.
func (c *pionConn) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	select {
	case d := <-c.queue:
		n, from := copy(b, d.b[:d.n]), d.from
		c.release(d)
		return n, from, nil
	case <-c.closed:
		return 0, netip.AddrPort{}, net.ErrClosed
	}
}

// WriteToAddrPort implements ice.AddrPortReaderWriter. What may not be sent is lost.
func (c *pionConn) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	if c.agent == nil {
		return c.write(b, to)
	}
	to = c.tcp.conn(to)
	agent := c.agent.Load() // nil until the demultiplexer knows it
	if agent == nil || !agent.MaySend(b, to) {
		return len(b), nil
	}
	n, err := c.write(b, to)
	agent.Answered(b, to, c)
	return n, err
}

func (c *pionConn) write(b []byte, to netip.AddrPort) (int, error) {
	if err := c.port.write(b, to); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Send implements lite.Sender.
func (c *pionConn) Send(b []byte, to netip.AddrPort) { _ = c.port.write(b, to) } // what can't be sent is lost

// ReadFrom implements net.PacketConn.
func (c *pionConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := c.ReadFromAddrPort(b)
	if err != nil {
		return 0, nil, err
	}
	return n, net.UDPAddrFromAddrPort(from), nil
}

// WriteTo implements net.PacketConn.
func (c *pionConn) WriteTo(b []byte, to net.Addr) (int, error) {
	u, ok := to.(*net.UDPAddr)
	if !ok {
		return 0, net.InvalidAddrError(to.String())
	}
	return c.WriteToAddrPort(b, u.AddrPort())
}

// LocalAddr implements net.PacketConn.
func (c *pionConn) LocalAddr() net.Addr { return c.local }

// SetDeadline implements net.PacketConn. It does nothing: Close ends a read, and
// writes do not wait.
func (c *pionConn) SetDeadline(time.Time) error { return nil }

// SetReadDeadline implements net.PacketConn as SetDeadline does.
func (c *pionConn) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements net.PacketConn as SetDeadline does.
func (c *pionConn) SetWriteDeadline(time.Time) error { return nil }

// Close implements net.PacketConn. The port stays open; what waits is discarded.
func (c *pionConn) Close() error {
	c.closing.Do(func() { close(c.closed) })
	c.discard()
	return nil
}

func (c *pionConn) discard() {
	for {
		select {
		case d := <-c.queue:
			c.release(d)
		default:
			return
		}
	}
}

// pionMux gives one of Pion's ICE agents its connections: it implements
// ice.UDPMux for that agent alone, with one connection for each address family.
// The demultiplexer of the port finds the agent's datagrams.
type pionMux struct {
	conns []*pionConn // the first of IPv4, if there are both
	agent atomic.Pointer[lite.External]
	tcp   tcpAddresses
}

// newPionMux makes the connections at the first of the port's host addresses of
// each family.
func newPionMux(p *port, hosts []netip.AddrPort, queues *pionQueues) *pionMux {
	m := &pionMux{}
	for _, v4 := range []bool{true, false} {
		for _, a := range hosts {
			if a.Addr().Is4() == v4 {
				c := newPionConn(p, net.UDPAddrFromAddrPort(a), queues)
				c.agent, c.tcp = &m.agent, &m.tcp
				m.conns = append(m.conns, c)
				break
			}
		}
	}
	return m
}

// receive takes a datagram from the demultiplexer. An agent can't be reached by a
// family that the port has no address of.
func (m *pionMux) receive(b []byte, from netip.AddrPort) {
	from = m.tcp.remote(from)
	for _, c := range m.conns {
		if (c.local.IP.To4() != nil) == from.Addr().Is4() {
			c.receive(b, from)
			return
		}
	}
}

// GetConn implements ice.UDPMux.
func (m *pionMux) GetConn(_ string, local net.Addr) (net.PacketConn, error) {
	for _, c := range m.conns {
		if c.local.String() == local.String() {
			return c, nil
		}
	}
	return nil, net.InvalidAddrError(local.String())
}

// RemoveConnByUfrag implements ice.UDPMux: the agent is the only one.
func (m *pionMux) RemoveConnByUfrag(string) { _ = m.Close() }

// GetListenAddresses implements ice.UDPMux.
func (m *pionMux) GetListenAddresses() []net.Addr {
	list := make([]net.Addr, len(m.conns))
	for i, c := range m.conns {
		list[i] = c.local
	}
	return list
}

// Close implements io.Closer.
func (m *pionMux) Close() error {
	for _, c := range m.conns {
		_ = c.Close() // never fails
	}
	return nil
}
