package mediaport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/earshot-audio/earshot/internal/icetcp"
	"github.com/earshot-audio/earshot/internal/sdp"
	"github.com/earshot-audio/earshot/internal/udpbatch"
)

const (
	// socketBuffer is what the media socket's buffers are asked to hold, in
	// bytes each, and smallestBuffer what is asked for at least; below that it
	// is the system's default.
	socketBuffer   = 8 << 20
	smallestBuffer = 128 << 10
	// maxSockets bounds the sockets on the port.
	maxSockets = 64
)

// Config configures a port.
type Config struct {
	// Address is the UDP address to listen on, as "127.0.0.1:7081". Port 0 takes any free
	// one. An unspecified address (0.0.0.0) stands for every address of the machine.
	Address string
	// Sockets is how many sockets the port has at most; 64 are the most there may be.
	Sockets int
	// Portable has the port work as on systems that have neither batches nor several
	// sockets on a port.
	Portable bool
	// OnUnsegmented is called once, with the reason, if packets can't leave as bundles,
	// now or from some time on; nil: nobody asks.
	OnUnsegmented func(reason error)
}

// Port is the media port: one socket or, where the system spreads what comes in
// over several, one for each shard. Its methods may be called from any
// goroutine, but [Port.ListenTCP] before all others. Close frees it.
type Port struct {
	conns []udpbatch.Conn
	hosts []netip.AddrPort // where clients can reach it by UDP
	// single is true once a socket sends packets one by one, whatever it is given.
	single atomic.Bool
	ones   sync.Pool // of *[1]udpbatch.Message: batches of one
	// tcp is for those whom UDP does not reach; nil: there is no such port.
	tcp    *icetcp.Port
	queues *queues // of what waits for ICE agents of Pion
	closed chan struct{}
}

// Open binds the port.
func Open(cfg Config) (*Port, error) {
	address := cfg.Address
	want, err := net.ResolveUDPAddr("udp", address)
	if err != nil {
		return nil, fmt.Errorf("media address %q: %w; give it as 127.0.0.1:7081", address, err)
	}
	if want.IP != nil {
		address = want.AddrPort().String()
	}
	p := &Port{
		ones:   sync.Pool{New: func() any { return new([1]udpbatch.Message) }},
		queues: newQueues(), closed: make(chan struct{}),
	}
	o := udpbatch.Options{Gather: busyGather, Portable: cfg.Portable, OnUnsegmented: func(reason error) {
		if !p.single.Swap(true) && cfg.OnUnsegmented != nil {
			cfg.OnUnsegmented(reason)
		}
	}}
	p.conns, err = listen(address, min(cfg.Sockets, maxSockets), o)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("listen for media on UDP port %d: %w; another server has it: stop that one or choose another port", want.Port, err)
	case err != nil:
		return nil, fmt.Errorf("listen for media on UDP %s: %w", address, err)
	}
	if p.hosts, err = hostAddresses(p.Addr()); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// listen opens the sockets with the largest buffers that the system grants.
func listen(address string, sockets int, o udpbatch.Options) ([]udpbatch.Conn, error) {
	if o.Portable {
		sockets = 1
	}
	for size := socketBuffer; ; size /= 2 {
		if size < smallestBuffer {
			size = 0
		}
		o.ReadBuffer, o.WriteBuffer = size, size
		conns, err := udpbatch.ListenGroup(context.Background(), address, sockets, o)
		if errors.Is(err, errors.ErrUnsupported) && sockets > 1 {
			conns, err = udpbatch.ListenGroup(context.Background(), address, 1, o)
		}
		if err == nil || size == 0 || errors.Is(err, syscall.EADDRINUSE) {
			return conns, err
		}
	}
}

// of returns the socket of a shard. Whichever socket a packet leaves by, it comes
// from the same address.
func (p *Port) of(shard int) udpbatch.Conn { return p.conns[shard%len(p.conns)] }

// isOverTCP reports whether an address is that of a connection of a TCP side, which may be nil.
func isOverTCP(tcp *icetcp.Port, to netip.AddrPort) bool { return tcp != nil && icetcp.IsConn(to) }

// Single reports that a bundle saves nothing: the system sends its packets one by one.
func (p *Port) Single() bool { return p.single.Load() }

// Write sends one datagram. What can't be sent now is lost.
func (p *Port) Write(b []byte, to netip.AddrPort) error {
	if isOverTCP(p.tcp, to) {
		p.tcp.Send(b, to)
		return nil
	}
	one := p.ones.Get().(*[1]udpbatch.Message)
	one[0] = udpbatch.Message{Buf: b, Addr: to}
	_, err := p.conns[0].WriteBatch(one[:])
	one[0] = udpbatch.Message{}
	p.ones.Put(one)
	return err
}

// Addr is the address that the port listens on.
func (p *Port) Addr() netip.AddrPort { return p.conns[0].LocalAddr() }

// TCPAddr is the address of the TCP side; invalid without one.
func (p *Port) TCPAddr() netip.AddrPort {
	if p.tcp == nil {
		return netip.AddrPort{}
	}
	return p.tcp.Addr()
}

// TCPStats are the figures of the TCP side; zero without one.
func (p *Port) TCPStats() icetcp.Stats {
	if p.tcp == nil {
		return icetcp.Stats{}
	}
	return p.tcp.Stats()
}

// Overrun counts the datagrams for Pion's ICE agents that came faster than they could be
// taken.
func (p *Port) Overrun() uint64 { return p.queues.dropped.Load() }

// ListenTCP opens the port's TCP side (RFC 6544).
func (p *Port) ListenTCP(address string) (err error) {
	p.tcp, err = icetcp.Listen(address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("listen for media on TCP %s: %w; another server has it: stop that one or choose another port", address, err)
	case err != nil:
		return fmt.Errorf("listen for media on TCP %s: %w; give it as 127.0.0.1:7081", address, err)
	}
	return nil
}

// Close frees the port, and ends [Port.Serve]. It must be called only once.
func (p *Port) Close() error {
	close(p.closed)
	var err error
	if p.tcp != nil {
		err = p.tcp.Close()
	}
	for _, c := range p.conns {
		err = errors.Join(err, c.Close())
	}
	return err
}

// hostAddresses lists the addresses that clients can reach a port at: its own, or
// every address of the machine's interfaces that it listens on.
func hostAddresses(port netip.AddrPort) ([]netip.AddrPort, error) {
	if !port.Addr().IsUnspecified() {
		return []netip.AddrPort{port}, nil
	}
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("list the network interfaces: %w", err)
	}
	var list []netip.AddrPort
	for _, i := range interfaces {
		if i.Flags&net.FlagUp == 0 {
			continue
		}
		addresses, err := i.Addrs()
		if err != nil {
			continue // it is gone
		}
		for _, a := range addresses {
			prefix, err := netip.ParsePrefix(a.String())
			if err != nil {
				continue
			}
			if ip := prefix.Addr().Unmap(); isCandidate(ip) && (ip.Is4() || port.Addr().Is6()) {
				list = append(list, netip.AddrPortFrom(ip, port.Port()))
			}
		}
	}
	return list, nil
}

var (
	ipv4Compatible = netip.MustParsePrefix("::/96")
	siteLocal      = netip.MustParsePrefix("fec0::/10")
)

// isCandidate reports whether an address may stand in a candidate (RFC 8445,
// section 5.1.1.1): a link-local one needs a zone, which clients don't know.
func isCandidate(ip netip.Addr) bool {
	return ip.Is4() || !ip.IsLinkLocalUnicast() && !siteLocal.Contains(ip) && !ipv4Compatible.Contains(ip)
}

// Candidates describes for an answer where clients reach the port: at its addresses, or at
// the one that is advertised instead of them, if it is valid.
func (p *Port) Candidates(advertise netip.Addr) ([]string, error) {
	hosts := p.hosts
	if advertise.IsValid() {
		hosts = []netip.AddrPort{netip.AddrPortFrom(advertise, p.Addr().Port())}
	}
	list := hostCandidates(hosts)
	if p.tcp == nil {
		return list, nil
	}
	hosts, err := hostAddresses(p.tcp.Addr())
	if advertise.IsValid() {
		hosts = []netip.AddrPort{netip.AddrPortFrom(advertise, p.tcp.Addr().Port())}
	}
	return append(list, passiveCandidates(hosts)...), err
}

// passiveCandidates describes addresses of the TCP side for the answers.
func passiveCandidates(addresses []netip.AddrPort) []string {
	list := make([]string, len(addresses))
	for i, a := range addresses {
		list[i] = sdp.PassiveTCPCandidate(i, a)
	}
	return list
}

// hostCandidates describes addresses for the answers.
func hostCandidates(addresses []netip.AddrPort) []string {
	list := make([]string, len(addresses))
	for i, a := range addresses {
		list[i] = sdp.HostCandidate(i, a)
	}
	return list
}
