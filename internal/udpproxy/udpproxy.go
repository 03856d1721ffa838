// Package udpproxy stands between clients and a server's UDP port in tests. It
// passes datagrams on, and a test decides which, in which order, and what else.
// Nothing but tests imports it.
package udpproxy

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// A Filter returns what is passed on in place of a datagram, in this order. It
// owns the datagram. client is the client's address. Filters of a proxy are called
// one at a time.
type Filter func(client netip.AddrPort, datagram []byte) [][]byte

// Drop passes nothing on.
func Drop(netip.AddrPort, []byte) [][]byte { return nil }

// A Proxy relays each client's datagrams through a socket of its own, so that the
// server sees as many addresses as there are. All methods are safe for concurrent
// use.
type Proxy struct {
	near    *net.UDPConn // what clients take for the server
	server  netip.AddrPort
	running sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	clients  map[netip.AddrPort]*net.UDPConn // the sockets towards the server
	up, down Filter
}

// Start starts a proxy at an address, whose port may be 0. It ends with the test.
func Start(t testing.TB, at, server netip.AddrPort) *Proxy {
	t.Helper()
	near, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(at))
	require.NoError(t, err)
	_ = near.SetReadBuffer(4 << 20) // as much as the system gives
	p := &Proxy{near: near, server: server, clients: map[netip.AddrPort]*net.UDPConn{}}
	p.running.Go(p.relayUp)
	t.Cleanup(p.close)
	return p
}

func (p *Proxy) close() {
	p.mu.Lock()
	p.closed = true
	_ = p.near.Close()
	for _, c := range p.clients {
		_ = c.Close()
	}
	p.mu.Unlock()
	p.running.Wait()
}

// Addr is the address that clients send to.
func (p *Proxy) Addr() netip.AddrPort { return p.near.LocalAddr().(*net.UDPAddr).AddrPort() }

// Filter sets the filters of both directions; with nil, everything is passed on.
func (p *Proxy) Filter(up, down Filter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.up, p.down = up, down
}

func apply(f Filter, client netip.AddrPort, b []byte) [][]byte {
	if f == nil || len(b) == 0 {
		return [][]byte{b}
	}
	return f(client, slices.Clone(b))
}

// relayUp relays what clients send.
func (p *Proxy) relayUp() {
	b := make([]byte, 2048)
	for {
		n, from, err := p.near.ReadFromUDPAddrPort(b)
		if errors.Is(err, net.ErrClosed) {
			return
		} else if err != nil {
			continue // an ICMP error of another packet
		}
		p.mu.Lock()
		if far := p.socket(from); far != nil {
			for _, d := range apply(p.up, from, b[:n]) {
				_, _ = far.Write(d)
			}
		}
		p.mu.Unlock()
	}
}

// socket is a client's socket towards the server. It is called with mu held.
func (p *Proxy) socket(client netip.AddrPort) *net.UDPConn {
	if far := p.clients[client]; far != nil || p.closed {
		return far
	}
	far, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(p.server))
	if err != nil {
		return nil
	}
	p.clients[client] = far
	p.running.Go(func() { p.relayDown(far, client) })
	return far
}

// relayDown relays what the server sends to one client.
func (p *Proxy) relayDown(far *net.UDPConn, client netip.AddrPort) {
	b := make([]byte, 2048)
	for {
		n, err := far.Read(b)
		if errors.Is(err, net.ErrClosed) {
			return
		} else if err != nil {
			continue
		}
		p.mu.Lock()
		for _, d := range apply(p.down, client, b[:n]) {
			_, _ = p.near.WriteToUDPAddrPort(d, client)
		}
		p.mu.Unlock()
	}
}
