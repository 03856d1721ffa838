package rtc

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

// port is the media port: one socket or, where the system spreads what comes in
// over several, one for each shard. Its methods may be called from any
// goroutine.
type port struct {
	conns []udpbatch.Conn
	// single is true once a socket sends packets one by one, whatever it is given.
	single atomic.Bool
	ones   sync.Pool // of *[1]udpbatch.Message: batches of one
	// tcp is for those whom UDP does not reach; nil: there is no such port.
	tcp *icetcp.Port
}

// openPort binds the media port with up to so many sockets. If portable is true
// it does as on systems that have neither batches nor several sockets on a port.
// unsegmented is called once with the reason if packets can't leave as bundles, now or
// from some time on.
func openPort(address string, sockets int, portable bool, unsegmented func(error)) (*port, error) {
	want, err := net.ResolveUDPAddr("udp", address)
	if err != nil {
		return nil, fmt.Errorf("media address %q: %w; give it as 127.0.0.1:7081", address, err)
	}
	if want.IP != nil {
		address = want.AddrPort().String()
	}
	p := &port{ones: sync.Pool{New: func() any { return new([1]udpbatch.Message) }}}
	o := udpbatch.Options{Gather: busyGather, Portable: portable, OnUnsegmented: func(reason error) {
		if !p.single.Swap(true) {
			unsegmented(reason)
		}
	}}
	p.conns, err = listen(address, sockets, o)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("listen for media on UDP port %d: %w; another server has it: stop that one or choose another port", want.Port, err)
	case err != nil:
		return nil, fmt.Errorf("listen for media on UDP %s: %w", address, err)
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
func (p *port) of(shard int) udpbatch.Conn { return p.conns[shard%len(p.conns)] }

// isOverTCP reports whether an address is that of a connection of a TCP side, which may be nil.
func isOverTCP(tcp *icetcp.Port, to netip.AddrPort) bool { return tcp != nil && icetcp.IsConn(to) }

// write sends one datagram. What can't be sent now is lost.
func (p *port) write(b []byte, to netip.AddrPort) error {
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

// addr is the address that the port listens on.
func (p *port) addr() netip.AddrPort { return p.conns[0].LocalAddr() }

// listenTCP opens the port's TCP side.
func (p *port) listenTCP(address string) (err error) {
	p.tcp, err = icetcp.Listen(address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("listen for media on TCP %s: %w; another server has it: stop that one or choose another port", address, err)
	case err != nil:
		return fmt.Errorf("listen for media on TCP %s: %w; give it as 127.0.0.1:7081", address, err)
	}
	return nil
}

// close frees the port.
func (p *port) close() error {
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

// candidates describes where clients reach the port: at its hosts, or at an address that
// is advertised instead of them.
func (p *port) candidates(hosts []netip.AddrPort, advertise netip.Addr) ([]string, error) {
	if advertise.IsValid() {
		hosts = []netip.AddrPort{netip.AddrPortFrom(advertise, p.addr().Port())}
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
