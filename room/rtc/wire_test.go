package rtc

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/sdp"
)

// wire is a network between a client and an engine, on which a test decides what
// arrives, and in which order.
type wire struct {
	near   *net.UDPConn // what the client takes for the engine
	engine netip.AddrPort
	works  sync.WaitGroup

	mu     sync.Mutex
	closed bool
	ways   map[netip.AddrPort]*net.UDPConn // one for each address of the client
	// up and down say what goes on in place of a datagram; nil: it does itself.
	up, down func(b []byte) [][]byte
}

func newWire(t *testing.T, e *Engine) *wire {
	t.Helper()
	near, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	w := &wire{near: near, engine: e.Addr(), ways: map[netip.AddrPort]*net.UDPConn{}}
	w.works.Go(w.carry)
	t.Cleanup(func() {
		w.mu.Lock()
		w.closed = true
		_ = w.near.Close()
		for _, way := range w.ways {
			_ = way.Close()
		}
		w.mu.Unlock()
		w.works.Wait()
	})
	return w
}

// over gives an answer whose only candidate is the near end.
func (w *wire) over(answer string) string {
	var lines []string
	for line := range strings.SplitSeq(answer, "\r\n") {
		if strings.HasPrefix(line, "a=candidate:") {
			line = "a=candidate:" + sdp.HostCandidate(0, w.near.LocalAddr().(*net.UDPAddr).AddrPort())
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\r\n")
}

// passing sets what passes in both directions.
func (w *wire) passing(up, down func(b []byte) [][]byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.up, w.down = up, down
}

// alerts passes DTLS alerts and nothing else.
func alerts(b []byte) [][]byte {
	if b[0] == 21 {
		return [][]byte{b}
	}
	return nil
}

// nothing passes nothing.
func nothing([]byte) [][]byte { return nil }

func through(f func(b []byte) [][]byte, b []byte) [][]byte {
	if f == nil || len(b) == 0 {
		return [][]byte{b}
	}
	return f(slices.Clone(b))
}

// carry takes what comes from the client to the engine.
func (w *wire) carry() {
	b := make([]byte, 2048)
	for {
		n, from, err := w.near.ReadFromUDPAddrPort(b)
		if errors.Is(err, net.ErrClosed) {
			return
		} else if err != nil {
			continue // an ICMP error of another packet
		}
		w.mu.Lock()
		way := w.ways[from]
		if way == nil && !w.closed {
			if way, err = net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(w.engine)); err == nil {
				w.ways[from] = way
				w.works.Go(func() { w.back(way, from) })
			}
		}
		if way != nil {
			for _, d := range through(w.up, b[:n]) {
				_, _ = way.Write(d)
			}
		}
		w.mu.Unlock()
	}
}

// back takes what comes from the engine to one of the client's addresses.
func (w *wire) back(way *net.UDPConn, to netip.AddrPort) {
	b := make([]byte, 2048)
	for {
		n, err := way.Read(b)
		if errors.Is(err, net.ErrClosed) {
			return
		} else if err != nil {
			continue
		}
		w.mu.Lock()
		for _, d := range through(w.down, b[:n]) {
			_, _ = w.near.WriteToUDPAddrPort(d, to)
		}
		w.mu.Unlock()
	}
}
