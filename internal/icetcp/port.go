package icetcp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/internal/packet"
	"github.com/earshot-audio/earshot/internal/reach"
)

const (
	// maxConns is how many connections there may be.
	maxConns = 4096
	// maxUnanswered is how many of one source may be open to which nothing was sent yet:
	// whoever can authenticate has an answer after a round trip.
	maxUnanswered = 64
	// answerTimeout is how long a connection may be unanswered, and unansweredBytes how much
	// it may send until then: a few checks.
	answerTimeout   = 10 * time.Second
	unansweredBytes = 4 << 10
	// idleTimeout is how long an answered connection may send nothing: its client checks
	// consent every few seconds.
	idleTimeout = 60 * time.Second
	// retryAccept is the wait after an error that may pass, such as too many open files.
	retryAccept = 50 * time.Millisecond
)

// A ReceiveFunc takes a datagram that a connection brought. It may change b, and keeps
// nothing of it. Each connection calls it from a goroutine of its own.
type ReceiveFunc func(b []byte, from netip.AddrPort, now time.Time)

// A Port is a server's passive candidates. Who connects is a stranger until something
// is sent to them: a server that answers nothing but authentic checks thereby says whom
// it knows. Strangers may hold few connections, for a short time. All methods are safe for
// concurrent use.
type Port struct {
	tcp     *net.TCPListener
	workers sync.WaitGroup

	mu         sync.RWMutex
	closed     bool
	number     uint64 // of the latest connection
	conns      map[netip.AddrPort]*client
	unanswered map[netip.Prefix]int // connections by source

	dropped, refused atomic.Uint64
}

// client is a connection of a listener.
type client struct {
	*Conn
	answered atomic.Bool
	source   netip.Prefix
}

// Stats are counts since the start, except Connections.
type Stats struct {
	Connections int    // that are open
	Dropped     uint64 // datagrams that a connection did not take in time
	Refused     uint64 // connections for which there was no place, or which did not send what they have to
}

// Listen opens the port. Serve accepts connections, and Close ends both.
func Listen(address string) (*Port, error) {
	l, err := new(net.ListenConfig).Listen(context.Background(), reach.TCPNetwork(address), address)
	if err != nil {
		return nil, err
	}
	return &Port{tcp: l.(*net.TCPListener), conns: map[netip.AddrPort]*client{}, unanswered: map[netip.Prefix]int{}}, nil
}

// Addr is the address that it listens on.
func (l *Port) Addr() netip.AddrPort {
	a := l.tcp.Addr().(*net.TCPAddr).AddrPort()
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// Serve accepts connections until the listener is closed, and gives receive what they
// bring.
func (l *Port) Serve(receive ReceiveFunc) {
	for {
		tcp, err := l.tcp.AcceptTCP()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			time.Sleep(retryAccept)
			continue
		}
		if !l.start(tcp, receive) {
			l.refused.Add(1)
			_ = tcp.SetLinger(0) // keeps nothing of it
			_ = tcp.Close()
		}
	}
}

// start starts a connection, if there is a place for it.
func (l *Port) start(tcp *net.TCPConn, receive ReceiveFunc) bool {
	remote := tcp.RemoteAddr().(*net.TCPAddr).AddrPort()
	source := sourceOf(remote.Addr())
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || len(l.conns) >= maxConns || l.unanswered[source] >= maxUnanswered {
		return false
	}
	l.number++
	at := connAddress(remote, l.number)
	c := &client{Conn: New(tcp, nil), source: source}
	l.conns[at] = c
	l.unanswered[source]++
	l.workers.Go(func() {
		if err := l.read(c, at, receive); err != nil {
			l.refused.Add(1)
		}
		c.Close()
		l.remove(c, at)
	})
	return true
}

// sourceOf is whom a connection counts for: an IPv4 address, or the 64 bits of an IPv6
// address that a site has.
func sourceOf(ip netip.Addr) netip.Prefix {
	ip = ip.WithZone("").Unmap()
	bits := 32
	if ip.Is6() {
		bits = 64
	}
	p, _ := ip.Prefix(bits) // never fails: an address has as many
	return p
}

// errStranger means that a connection was not answered in time.
var errStranger = errors.New("the connection has sent nothing that was answered")

// read gives receive what a connection brings, until it ends. It returns an error if that
// is the client's fault.
func (l *Port) read(c *client, from netip.AddrPort, receive ReceiveFunc) error {
	b := make([]byte, packet.Size)
	until, left := time.Now().Add(answerTimeout), unansweredBytes
	for {
		answered := c.answered.Load()
		if answered && c.reader.Buffered() == 0 {
			until = time.Now().Add(idleTimeout)
		}
		c.readUntil(until)
		n, err := c.Read(b)
		now := time.Now()
		switch {
		case errors.Is(err, ErrTooLong):
			return err
		case err != nil && answered:
			return nil
		case err != nil:
			return fmt.Errorf("%w: %w", errStranger, err)
		}
		if !answered {
			if left -= headerSize + n; left < 0 {
				return errStranger
			}
		}
		receive(b[:n:n], from, now)
	}
}

// readUntil sets when Read gives up.
func (c *Conn) readUntil(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		_ = c.tcp.SetReadDeadline(t) // if it fails, so does Read
	}
}

// answer notes that a connection is no stranger's.
func (l *Port) answer(c *client) {
	if !c.answered.Load() && !c.answered.Swap(true) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.release(c)
	}
}

// release counts a connection no longer as unanswered. l.mu is held.
func (l *Port) release(c *client) {
	if l.unanswered[c.source]--; l.unanswered[c.source] == 0 {
		delete(l.unanswered, c.source)
	}
}

func (l *Port) remove(c *client, at netip.AddrPort) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, at)
	if !c.answered.Swap(true) {
		l.release(c)
	}
}

// Send sends a datagram over a connection. It does not wait. What is lost, since too much
// waits already or the connection is gone, is counted, and Send reports false.
func (l *Port) Send(b []byte, to netip.AddrPort) bool {
	l.mu.RLock()
	c := l.conns[to]
	l.mu.RUnlock()
	if c == nil {
		l.dropped.Add(1)
		return false
	}
	l.answer(c)
	if !c.Conn.Send(b) {
		l.dropped.Add(1)
		return false
	}
	return true
}

// Stats returns the counts.
func (l *Port) Stats() Stats {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return Stats{Connections: len(l.conns), Dropped: l.dropped.Load(), Refused: l.refused.Load()}
}

// Close closes the port and the connections, and waits until they are closed.
func (l *Port) Close() error {
	err := l.tcp.Close()
	l.mu.Lock()
	l.closed = true
	for _, c := range l.conns {
		c.end()
	}
	l.mu.Unlock()
	l.workers.Wait()
	return err
}
