package browser_test

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A link is a network between a browser and a server that can lose packets and
// go down: an address of its own on the loopback that passes everything on. The
// server must advertise [linkHost].
type link struct {
	t    *testing.T
	url  string
	tcp  net.Listener
	udp  *net.UDPConn
	from string // the server's HTTP address
	to   netip.AddrPort

	running sync.WaitGroup
	mu      sync.Mutex
	closed  bool
	down    bool // nothing passes
	noUDP   bool // no audio passes
	conns   map[net.Conn]struct{}
	ways    map[netip.AddrPort]*net.UDPConn

	// dropEvery is which of the audio packets to a browser are lost: one in so
	// many; 0: none. lost are those that were, by SSRC and number, and resent
	// those of them that came again.
	dropEvery, seen int
	lost            map[[6]byte]bool
	resent          int
}

// linkHost is the address of the far end of a link.
const linkHost = "127.0.0.2"

// connect lays a link to a server.
func connect(t *testing.T, s *server) *link {
	t.Helper()
	to := netip.MustParseAddrPort(s.media)
	tcp, err := net.Listen("tcp", linkHost+":0")
	require.NoError(t, err)
	udp, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(linkHost), to.Port())))
	require.NoError(t, err)
	l := &link{t: t, url: "http://" + tcp.Addr().String(), tcp: tcp, udp: udp, from: strings.TrimPrefix(s.url, "http://"), to: to,
		conns: map[net.Conn]struct{}{}, ways: map[netip.AddrPort]*net.UDPConn{}, lost: map[[6]byte]bool{}}
	l.running.Add(2)
	go l.accept()
	go l.carry()
	t.Cleanup(l.close)
	return l
}

func (l *link) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.cut()
	assert.NoError(l.t, errors.Join(l.tcp.Close(), l.udp.Close()))
	l.mu.Lock()
	for _, way := range l.ways {
		_ = way.Close()
	}
	l.mu.Unlock()
	l.running.Wait()
}

// set changes the link.
func (l *link) set(change func(*link)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(l)
}

// cut takes the link down: what is open breaks, and nothing new gets through.
func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = true
	for c := range l.conns {
		_ = c.Close()
	}
}

func (l *link) mend() { l.set(func(l *link) { l.down = false }) }

// losses are how many audio packets were lost on purpose, and how many of them
// came again.
func (l *link) losses() (lost, resent int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.lost), l.resent
}

func (l *link) accept() {
	defer l.running.Done()
	for {
		near, err := l.tcp.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", l.from)
		l.mu.Lock()
		if err != nil || l.down || l.closed {
			_ = near.Close()
			if far != nil {
				_ = far.Close()
			}
			l.mu.Unlock()
			continue
		}
		l.conns[near], l.conns[far] = struct{}{}, struct{}{}
		l.mu.Unlock()
		l.running.Add(2)
		go l.pump(near, far)
		go l.pump(far, near)
	}
}

func (l *link) pump(to, from net.Conn) {
	defer l.running.Done()
	_, _ = io.Copy(to, from)
	_, _ = to.Close(), from.Close()
	l.set(func(l *link) { delete(l.conns, to) })
}

// carry passes on what comes from browsers, each by a socket of its own.
func (l *link) carry() {
	defer l.running.Done()
	b := make([]byte, 2048)
	for {
		n, from, err := l.udp.ReadFromUDPAddrPort(b)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // an ICMP error of another packet
		}
		l.mu.Lock()
		way := l.ways[from]
		if way == nil && !l.closed {
			if way, err = net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(l.to)); err == nil {
				l.ways[from] = way
				l.running.Add(1)
				go l.back(way, from)
			}
		}
		blocked := l.down || l.noUDP || way == nil
		l.mu.Unlock()
		if !blocked {
			_, _ = way.Write(b[:n])
		}
	}
}

// back passes on what comes for one browser.
func (l *link) back(way *net.UDPConn, to netip.AddrPort) {
	defer l.running.Done()
	b := make([]byte, 2048)
	for {
		n, err := way.Read(b)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil && !l.drops(b[:n]) {
			_, _ = l.udp.WriteToUDPAddrPort(b[:n], to)
		}
	}
}

// drops tells whether a packet to a browser is lost.
func (l *link) drops(b []byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down || l.noUDP {
		return true
	}
	rtp := len(b) > 12 && b[0]>>6 == 2 && (b[1] < 192 || b[1] > 223) // RFC 5761 section 4
	if !rtp {
		return false
	}
	id := [6]byte{b[8], b[9], b[10], b[11], b[2], b[3]}
	if l.lost[id] {
		l.resent++
		return false
	}
	l.seen++
	if l.dropEvery == 0 || l.seen%l.dropEvery != 0 {
		return false
	}
	l.lost[id] = true
	return true
}
