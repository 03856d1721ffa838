package endtoend_test

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/room/rtc"
	"github.com/earshot-audio/earshot/signaling"
)

// udpProxyIP is the address of a udpProxy.
const udpProxyIP = "127.0.0.2"

// A udpProxy is between clients and the media port of a server, forwards everything,
// and counts what each client sends.
type udpProxy struct {
	near   *net.UDPConn
	server netip.AddrPort
	tasks  sync.WaitGroup

	mu     sync.Mutex
	closed bool
	flows  map[netip.AddrPort]*flow
}

// A flow is what one client has sent.
type flow struct {
	upstream        *net.UDPConn
	checks, reports []time.Time
}

// serveBehindUDPProxy starts an open server that clients can reach only through a udpProxy.
func serveBehindUDPProxy(t *testing.T) (string, *udpProxy) {
	t.Helper()
	url, media := serveMedia(t, rtc.Config{Media: "127.0.0.1:0", Advertise: netip.MustParseAddr(udpProxyIP)}, signaling.Config{Open: true})
	near, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(udpProxyIP), media.Port())))
	require.NoError(t, err)
	_ = near.SetReadBuffer(4 << 20) // as much as the system gives
	proxy := &udpProxy{near: near, server: media, flows: map[netip.AddrPort]*flow{}}
	proxy.tasks.Go(proxy.forward)
	t.Cleanup(func() {
		proxy.mu.Lock()
		proxy.closed = true
		_ = near.Close()
		for _, f := range proxy.flows {
			_ = f.upstream.Close()
		}
		proxy.mu.Unlock()
		proxy.tasks.Wait()
	})
	return url, proxy
}

func (p *udpProxy) forward() {
	b := make([]byte, 2048)
	for {
		n, from, err := p.near.ReadFromUDPAddrPort(b)
		if errors.Is(err, net.ErrClosed) {
			return
		} else if err != nil {
			continue // an ICMP error of another packet
		}
		if upstream := p.record(b[:n], from); upstream != nil {
			_, _ = upstream.Write(b[:n])
		}
	}
}

// record counts a datagram and returns the client's socket to the server; nil after
// the proxy has been closed.
func (p *udpProxy) record(b []byte, from netip.AddrPort) *net.UDPConn {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.flows[from]
	if f == nil && !p.closed {
		upstream, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(p.server))
		if err != nil {
			return nil
		}
		f = &flow{upstream: upstream}
		p.flows[from] = f
		p.tasks.Go(func() { p.backward(upstream, from) })
	}
	switch {
	case f == nil:
		return nil
	case isCheck(b):
		f.checks = append(f.checks, time.Now())
	case isReport(b):
		f.reports = append(f.reports, time.Now())
	}
	return f.upstream
}

func (p *udpProxy) backward(upstream *net.UDPConn, to netip.AddrPort) {
	b := make([]byte, 2048)
	for {
		n, err := upstream.Read(b)
		if errors.Is(err, net.ErrClosed) {
			return
		} else if err == nil {
			_, _ = p.near.WriteToUDPAddrPort(b[:n], to)
		}
	}
}

// all returns the flows so far, by the client's address.
func (p *udpProxy) all() map[netip.AddrPort]flow {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := map[netip.AddrPort]flow{}
	for from, f := range p.flows {
		all[from] = *f
	}
	return all
}
