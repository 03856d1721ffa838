package loadgen

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/pion/transport/v5/deadline"
)

// waitingPackets is how many packets wait for a linked socket's reader.
const waitingPackets = 512

// A linkedSocket is a client's UDP socket behind a simulated network. When the
// network gives it another address it goes on from there, and goes by its old
// one: a client behind a NAT does not see it change.
//
// It is safe for concurrent use as a *net.UDPConn is. Of its methods those that
// are not its own bypass the network; an ICE agent uses none of them.
type linkedSocket struct {
	*net.UDPConn // as it was opened
	machine      *machine
	link         *link
	expiry       *deadline.Deadline
	arrivals     chan datagram
	closing      chan struct{}
	readers      sync.WaitGroup
	moves        int // rebinds so far; the link's relay's

	mu     sync.Mutex
	now    *socket // where it is now
	closed bool
}

type datagram struct {
	body []byte
	from netip.AddrPort
}

func newLinkedSocket(n *machine, s *socket) *linkedSocket {
	l := &linkedSocket{
		UDPConn: s.UDPConn, machine: n, link: n.link, now: s, expiry: deadline.New(),
		arrivals: make(chan datagram, waitingPackets), closing: make(chan struct{}),
	}
	l.readers.Go(func() { l.read(s) })
	return l
}

// read sends what a socket receives on its way, until it is closed.
func (l *linkedSocket) read(s *socket) {
	b := make([]byte, packetSize)
	for {
		n, from, at, err := s.receive(b)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			l.link.receive(b[:n], from, at, l)
		}
	}
}

// arrive implements addressee.
func (l *linkedSocket) arrive(p *parcel) {
	for ; l.moves < l.link.rebinds(); l.moves++ {
		l.link.links.problems.add("rebind", l.move())
	}
	if p.up {
		l.mu.Lock()
		s := l.now
		l.mu.Unlock()
		_, _ = s.WriteToAddrPort(p.body, p.peer) // lost, as datagrams are
		return
	}
	if ssrc, sequence, ok := rtpName(p.body); ok {
		l.machine.arrived.note(ssrc, sequence, p.at)
	}
	select {
	case l.arrivals <- datagram{append([]byte(nil), p.body...), p.peer}:
	default:
		l.machine.arrived.dropped.Add(1)
	}
}

// move goes on from another port. What is sent to the old one is lost.
func (l *linkedSocket) move() error {
	at := l.UDPConn.LocalAddr().(*net.UDPAddr)
	s, err := l.machine.listen("udp", &net.UDPAddr{IP: at.IP, Zone: at.Zone})
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return s.Close()
	}
	old := l.now
	l.now = s
	l.readers.Go(func() { l.read(s) })
	return old.Close()
}

// ReadFromAddrPort implements ice.AddrPortReaderWriter.
func (l *linkedSocket) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	select {
	case <-l.closing:
		return 0, netip.AddrPort{}, net.ErrClosed
	case <-l.expiry.Done():
		return 0, netip.AddrPort{}, os.ErrDeadlineExceeded
	case d := <-l.arrivals:
		return copy(b, d.body), d.from, nil
	}
}

// WriteToAddrPort implements ice.AddrPortReaderWriter.
func (l *linkedSocket) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	select {
	case <-l.closing:
		return 0, net.ErrClosed
	default:
	}
	l.link.send(b, to, l)
	return len(b), nil
}

// ReadFrom implements net.PacketConn.
func (l *linkedSocket) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := l.ReadFromAddrPort(b)
	return n, net.UDPAddrFromAddrPort(from), err
}

// WriteTo implements net.PacketConn.
func (l *linkedSocket) WriteTo(b []byte, to net.Addr) (int, error) {
	at, ok := to.(*net.UDPAddr)
	if !ok {
		return 0, &net.OpError{Op: "write", Net: "udp", Addr: to, Err: net.InvalidAddrError("no UDP address")}
	}
	return l.WriteToAddrPort(b, at.AddrPort())
}

// SetDeadline implements net.PacketConn: writes do not block.
func (l *linkedSocket) SetDeadline(t time.Time) error { return l.SetReadDeadline(t) }

// SetReadDeadline implements net.PacketConn.
func (l *linkedSocket) SetReadDeadline(t time.Time) error {
	l.expiry.Set(t)
	return nil
}

// SetWriteDeadline implements net.PacketConn: writes do not block.
func (l *linkedSocket) SetWriteDeadline(time.Time) error { return nil }

// Close closes the socket and waits for its readers. What is on its way is lost.
func (l *linkedSocket) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return net.ErrClosed
	}
	l.closed = true
	err := l.now.Close()
	l.mu.Unlock()
	close(l.closing)
	l.expiry.Set(time.Time{})
	l.readers.Wait()
	return err
}
