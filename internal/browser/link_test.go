package browser_test

import (
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/udpproxy"
)

// A link is a network between a browser and a server that can lose packets and
// go down: an address of its own on the loopback that passes everything on. The
// server must advertise [linkHost].
type link struct {
	t    *testing.T
	url  string
	tcp  net.Listener
	from string // the server's HTTP address

	running sync.WaitGroup
	mu      sync.Mutex
	closed  bool
	down    bool // nothing passes
	noUDP   bool // no audio passes
	conns   map[net.Conn]struct{}

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
	l := &link{t: t, url: "http://" + tcp.Addr().String(), tcp: tcp, from: strings.TrimPrefix(s.url, "http://"),
		conns: map[net.Conn]struct{}{}, lost: map[[6]byte]bool{}}
	udpproxy.Start(t, netip.AddrPortFrom(netip.MustParseAddr(linkHost), to.Port()), to).Filter(l.up, l.toBrowser)
	l.running.Go(l.accept)
	t.Cleanup(l.close)
	return l
}

func (l *link) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.cut()
	assert.NoError(l.t, l.tcp.Close())
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

// up filters what browsers send.
func (l *link) up(_ netip.AddrPort, b []byte) [][]byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down || l.noUDP {
		return nil
	}
	return [][]byte{b}
}

// toBrowser filters what the server sends.
func (l *link) toBrowser(_ netip.AddrPort, b []byte) [][]byte {
	if l.drops(b) {
		return nil
	}
	return [][]byte{b}
}

// drops reports whether a packet to a browser is lost.
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
