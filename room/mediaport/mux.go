package mediaport

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
	// datagramSize is the room for one received datagram, in bytes.
	datagramSize = packet.Size
	// maxWaiting is how many datagrams may wait for Pion: more than a hundred
	// mics send in 100 ms.
	maxWaiting = 1024
	// maxQueue is how many of them may be one mic's: two seconds of speech.
	// A mic that floods the port leaves places to the others.
	maxQueue = 128
)

// datagram is a received datagram that waits for Pion.
type datagram struct {
	from netip.AddrPort
	n    int
	b    [datagramSize]byte
}

// queues is what the queues of all of Pion's connections share: how many
// datagrams wait in them, how many were dropped, and the memory of those that no
// longer wait.
type queues struct {
	waiting atomic.Int32
	dropped atomic.Uint64
	spare   sync.Pool // of *datagram
}

func newQueues() *queues {
	return &queues{spare: sync.Pool{New: func() any { return new(datagram) }}}
}

// muxConn is the media port as one of Pion's connections sees it: a
// net.PacketConn that reads what the demultiplexer gives it and writes to the
// port. Its methods may be called from any goroutine.
type muxConn struct {
	port   *Port
	local  *net.UDPAddr
	agent  *atomic.Pointer[lite.External] // nil: it may send anything
	tcp    *tcpAddresses                  // nil: none
	queues *queues
	queue  chan *datagram

	closing sync.Once
	closed  chan struct{}
}

func newMuxConn(p *Port, local *net.UDPAddr) *muxConn {
	return &muxConn{
		port: p, local: local, queues: p.queues,
		queue: make(chan *datagram, maxQueue), closed: make(chan struct{}),
	}
}

// receive copies a datagram for Pion to read. If too many wait, on all
// connections or on this one, it is dropped and counted.
func (c *muxConn) receive(b []byte, from netip.AddrPort) {
	q := c.queues
	if q.waiting.Add(1) > maxWaiting {
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
func (c *muxConn) release(d *datagram) {
	c.queues.waiting.Add(-1)
	c.queues.spare.Put(d)
}

// ReadFromAddrPort implements ice.AddrPortReaderWriter.
func (c *muxConn) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
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
func (c *muxConn) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
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

func (c *muxConn) write(b []byte, to netip.AddrPort) (int, error) {
	if err := c.port.Write(b, to); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Send implements lite.Sender.
func (c *muxConn) Send(b []byte, to netip.AddrPort) { _ = c.port.Write(b, to) } // what can't be sent is lost

// ReadFrom implements net.PacketConn.
func (c *muxConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := c.ReadFromAddrPort(b)
	if err != nil {
		return 0, nil, err
	}
	return n, net.UDPAddrFromAddrPort(from), nil
}

// WriteTo implements net.PacketConn.
func (c *muxConn) WriteTo(b []byte, to net.Addr) (int, error) {
	u, ok := to.(*net.UDPAddr)
	if !ok {
		return 0, net.InvalidAddrError(to.String())
	}
	return c.WriteToAddrPort(b, u.AddrPort())
}

// LocalAddr implements net.PacketConn.
func (c *muxConn) LocalAddr() net.Addr { return c.local }

// SetDeadline implements net.PacketConn. It does nothing: Close ends a read, and
// writes do not wait.
func (c *muxConn) SetDeadline(time.Time) error { return nil }

// SetReadDeadline implements net.PacketConn as SetDeadline does.
func (c *muxConn) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements net.PacketConn as SetDeadline does.
func (c *muxConn) SetWriteDeadline(time.Time) error { return nil }

// Close implements net.PacketConn. The port stays open; what waits is discarded.
func (c *muxConn) Close() error {
	c.closing.Do(func() { close(c.closed) })
	c.discard()
	return nil
}

func (c *muxConn) discard() {
	for {
		select {
		case d := <-c.queue:
			c.release(d)
		default:
			return
		}
	}
}

// A Mux gives one of Pion's ICE agents its connections: it implements
// ice.UDPMux for that agent alone, with one connection for each address family.
// The demultiplexer of the port finds the agent's datagrams, and gives them to
// [Mux.Receive]. Its methods may be called from any goroutine.
type Mux struct {
	conns []*muxConn // the first of IPv4, if there are both
	agent atomic.Pointer[lite.External]
	tcp   tcpAddresses
}

// NewMux makes a mux with connections at the first of the port's addresses of each family.
func (p *Port) NewMux() *Mux { return newMux(p, p.hosts) }

func newMux(p *Port, hosts []netip.AddrPort) *Mux {
	m := &Mux{}
	for _, v4 := range []bool{true, false} {
		for _, a := range hosts {
			if a.Addr().Is4() == v4 {
				c := newMuxConn(p, net.UDPAddrFromAddrPort(a))
				c.agent, c.tcp = &m.agent, &m.tcp
				m.conns = append(m.conns, c)
				break
			}
		}
	}
	return m
}

// SetAgent says by which entry of the demultiplexer the agent is found: from then on it
// sends only what that allows.
func (m *Mux) SetAgent(agent *lite.External) { m.agent.Store(agent) }

// Agent is the agent's entry in the demultiplexer; nil before [Mux.SetAgent].
func (m *Mux) Agent() *lite.External { return m.agent.Load() }

// Receive takes a datagram from the demultiplexer. An agent can't be reached by a
// family that the port has no address of.
func (m *Mux) Receive(b []byte, from netip.AddrPort) {
	from = m.tcp.remote(from)
	for _, c := range m.conns {
		if (c.local.IP.To4() != nil) == from.Addr().Is4() {
			c.receive(b, from)
			return
		}
	}
}

// GetConn implements ice.UDPMux.
func (m *Mux) GetConn(_ string, local net.Addr) (net.PacketConn, error) {
	for _, c := range m.conns {
		if c.local.String() == local.String() {
			return c, nil
		}
	}
	return nil, net.InvalidAddrError(local.String())
}

// RemoveConnByUfrag implements ice.UDPMux: the agent is the only one.
func (m *Mux) RemoveConnByUfrag(string) { _ = m.Close() }

// GetListenAddresses implements ice.UDPMux.
func (m *Mux) GetListenAddresses() []net.Addr {
	list := make([]net.Addr, len(m.conns))
	for i, c := range m.conns {
		list[i] = c.local
	}
	return list
}

// Close implements io.Closer.
func (m *Mux) Close() error {
	for _, c := range m.conns {
		_ = c.Close() // never fails
	}
	return nil
}
