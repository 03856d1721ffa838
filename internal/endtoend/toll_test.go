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

// tollHost is where a toll stands.
const tollHost = "127.0.0.2"

// A toll stands between clients and a server's media port, passes everything on,
// and counts what each client sends.
type toll struct {
	near   *net.UDPConn
	server netip.AddrPort
	works  sync.WaitGroup

	mu     sync.Mutex
	closed bool
	passed map[netip.AddrPort]*passage
}

// passage is what one address has sent.
type passage struct {
	way             *net.UDPConn
	checks, reports []time.Time
}

// serveBehindToll starts an open server that can be reached by a toll alone.
func serveBehindToll(t *testing.T) (string, *toll) {
	t.Helper()
	url, media := serveMedia(t, rtc.Config{Media: "127.0.0.1:0", Advertise: netip.MustParseAddr(tollHost)}, signaling.Config{Open: true})
	near, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(tollHost), media.Port())))
	require.NoError(t, err)
	_ = near.SetReadBuffer(4 << 20) // as much as the system gives
	toll := &toll{near: near, server: media, passed: map[netip.AddrPort]*passage{}}
	toll.works.Go(toll.in)
	t.Cleanup(func() {
		toll.mu.Lock()
		toll.closed = true
		_ = near.Close()
		for _, p := range toll.passed {
			_ = p.way.Close()
		}
		toll.mu.Unlock()
		toll.works.Wait()
	})
	return url, toll
}

func (l *toll) in() {
	b := make([]byte, 2048)
	for {
		n, from, err := l.near.ReadFromUDPAddrPort(b)
		if errors.Is(err, net.ErrClosed) {
			return
		} else if err != nil {
			continue // an ICMP error of another packet
		}
		if way := l.note(b[:n], from); way != nil {
			_, _ = way.Write(b[:n])
		}
	}
}

// note counts a datagram, and gives the client's way on.
func (l *toll) note(b []byte, from netip.AddrPort) *net.UDPConn {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.passed[from]
	if p == nil && !l.closed {
		way, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(l.server))
		if err != nil {
			return nil
		}
		p = &passage{way: way}
		l.passed[from] = p
		l.works.Go(func() { l.out(way, from) })
	}
	switch {
	case p == nil:
		return nil
	case isCheck(b):
		p.checks = append(p.checks, time.Now())
	case isReport(b):
		p.reports = append(p.reports, time.Now())
	}
	return p.way
}

func (l *toll) out(way *net.UDPConn, to netip.AddrPort) {
	b := make([]byte, 2048)
	for {
		n, err := way.Read(b)
		if errors.Is(err, net.ErrClosed) {
			return
		} else if err == nil {
			_, _ = l.near.WriteToUDPAddrPort(b[:n], to)
		}
	}
}

// all is what has come so far, by where it came from.
func (l *toll) all() map[netip.AddrPort]passage {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := map[netip.AddrPort]passage{}
	for from, p := range l.passed {
		all[from] = *p
	}
	return all
}
