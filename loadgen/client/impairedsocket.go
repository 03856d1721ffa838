package client

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/pion/transport/v5/deadline"

	"github.com/earshot-audio/earshot/loadgen/netem"
)

// readQueueLength is how many packets wait for the socket's reader; more are dropped.
const readQueueLength = 512

// An impairedSocket is a Pion client's UDP socket behind an emulated network. When the
// network rebinds, it continues on another socket but keeps its local address, as a
// client behind a NAT does.
//
// It is safe for concurrent use as a *net.UDPConn is. Methods that it does not implement
// itself bypass the network; an ICE agent uses none of them.
type impairedSocket struct {
	*net.UDPConn // as it was opened
	net          *clientNet
	impairment   *netem.Impairment
	readDeadline *deadline.Deadline
	arrivals     chan datagram
	closing      chan struct{}
	readers      sync.WaitGroup
	rebinds      int // so far; only the impairment's queue uses it

	mu      sync.Mutex
	current *udpSocket // the socket in use
	closed  bool
}

type datagram struct {
	body []byte
	from netip.AddrPort
}

func newImpairedSocket(n *clientNet, s *udpSocket) *impairedSocket {
	l := &impairedSocket{
		UDPConn: s.UDPConn.UDPConn, net: n, impairment: n.impairment, current: s, readDeadline: deadline.New(),
		arrivals: make(chan datagram, readQueueLength), closing: make(chan struct{}),
	}
	l.readers.Go(func() { l.read(s) })
	return l
}

// read passes what a socket receives to the impairment until the socket is closed.
func (l *impairedSocket) read(s *udpSocket) {
	b := make([]byte, packetSize)
	for {
		n, from, at, err := s.receive(b)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			l.impairment.Receive(b[:n], from, at, l)
		}
	}
}

// Deliver implements netem.Endpoint.
func (l *impairedSocket) Deliver(p *netem.DelayedPacket) {
	for ; l.rebinds < l.impairment.Rebinds(); l.rebinds++ {
		l.impairment.ReportRebind(l.rebind())
	}
	if p.Up {
		l.mu.Lock()
		s := l.current
		l.mu.Unlock()
		_, _ = s.WriteToAddrPort(p.Body, p.Peer) // lost, as datagrams are
		return
	}
	if ssrc, sequence, ok := rtpID(p.Body); ok {
		l.net.times.note(ssrc, sequence, p.At)
	}
	select {
	case l.arrivals <- datagram{append([]byte(nil), p.Body...), p.Peer}:
	default:
		l.net.times.dropped.Add(1)
	}
}

// rebind continues on another port. Packets to the old one are lost.
func (l *impairedSocket) rebind() error {
	at := l.UDPConn.LocalAddr().(*net.UDPAddr)
	s, err := l.net.listen("udp", &net.UDPAddr{IP: at.IP, Zone: at.Zone})
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return s.Close()
	}
	old := l.current
	l.current = s
	l.readers.Go(func() { l.read(s) })
	return old.Close()
}

// ReadFromAddrPort implements ice.AddrPortReaderWriter.
func (l *impairedSocket) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	select {
	case <-l.closing:
		return 0, netip.AddrPort{}, net.ErrClosed
	case <-l.readDeadline.Done():
		return 0, netip.AddrPort{}, os.ErrDeadlineExceeded
	case d := <-l.arrivals:
		l.net.nominator.read(d.body, d.from)
		return copy(b, d.body), d.from, nil
	}
}

// WriteToAddrPort implements ice.AddrPortReaderWriter.
func (l *impairedSocket) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	select {
	case <-l.closing:
		return 0, net.ErrClosed
	default:
	}
	l.impairment.Send(b, to, l)
	return len(b), nil
}

// ReadFrom implements net.PacketConn.
func (l *impairedSocket) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := l.ReadFromAddrPort(b)
	return n, net.UDPAddrFromAddrPort(from), err
}

// WriteTo implements net.PacketConn.
func (l *impairedSocket) WriteTo(b []byte, to net.Addr) (int, error) {
	at, ok := to.(*net.UDPAddr)
	if !ok {
		return 0, &net.OpError{Op: "write", Net: "udp", Addr: to, Err: net.InvalidAddrError("no UDP address")}
	}
	return l.WriteToAddrPort(b, at.AddrPort())
}

// SetDeadline implements net.PacketConn: writes do not block.
func (l *impairedSocket) SetDeadline(t time.Time) error { return l.SetReadDeadline(t) }

// SetReadDeadline implements net.PacketConn.
func (l *impairedSocket) SetReadDeadline(t time.Time) error {
	l.readDeadline.Set(t)
	return nil
}

// SetWriteDeadline implements net.PacketConn: writes do not block.
func (l *impairedSocket) SetWriteDeadline(time.Time) error { return nil }

// Close closes the socket and waits for its readers. Packets in flight are lost.
func (l *impairedSocket) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return net.ErrClosed
	}
	l.closed = true
	err := l.current.Close()
	l.mu.Unlock()
	close(l.closing)
	l.readDeadline.Set(time.Time{})
	l.readers.Wait()
	return err
}
