package client

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/earshot-audio/earshot/internal/icetcp"
	"github.com/earshot-audio/earshot/loadgen/network"
	"github.com/earshot-audio/earshot/loadgen/stamp"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// A link is what a client has in place of a UDP socket: a TCP connection, or the client's
// place at a TURN server. One goroutine reads it.
type link interface {
	// send sends a datagram. It does not wait; what the link does not take is lost.
	send(b []byte, to netip.AddrPort)
	// receive reads the next datagram, with when it was received.
	receive(b []byte) (n int, from netip.AddrPort, at time.Duration, err error)
	// local is where the server sees the datagrams come from, unless that is behind a NAT.
	local() string
	// close makes receive fail.
	close() error
}

// openLink opens the link of a client that does not go by UDP alone.
func (c *Crowd) openLink(ctx context.Context, via network.Transport, to netip.AddrPort) (link, error) {
	if via == network.TCP {
		return dialTCP(ctx, c.clock, to)
	}
	return c.turn.allocate(ctx, c.clock, via)
}

// linkPath gives a client a link to reach the server by.
func (c *Crowd) linkPath(ctx context.Context, to netip.AddrPort, e *LeanClient) (*clientPath, error) {
	l, err := c.openLink(ctx, e.via, to)
	if err != nil {
		return nil, err
	}
	w := &clientPath{crowd: c, link: l, exclusive: true, client: e}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.addPath(w)
	c.workers.Go(w.readLink)
	return w, nil
}

// readLink gives the client what its link receives, until that is closed. One that ends
// before leaves its client to find out, as all others do.
func (w *clientPath) readLink() {
	b := make([]byte, packetSize)
	for {
		n, from, at, err := w.link.receive(b)
		if err != nil {
			return
		}
		if n > 0 {
			w.crowd.delayed(w.crowd.clock.Now()-at, 1)
			w.handle(b[:n:n], from, at)
		}
	}
}

// A tcpLink is a connection to the server.
type tcpLink struct {
	*icetcp.Conn
	stamped *stamp.TCPConn
	server  netip.AddrPort
}

func dialTCP(ctx context.Context, clock *timebase.Clock, to netip.AddrPort) (*tcpLink, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", to.String())
	if err != nil {
		return nil, fmt.Errorf("connect to the server's TCP candidate: %w", err)
	}
	stamped, err := stamp.NewTCPConn(conn.(*net.TCPConn), clock)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return &tcpLink{Conn: icetcp.New(conn, stamped), stamped: stamped, server: to}, nil
}

func (l *tcpLink) send(b []byte, _ netip.AddrPort) { l.Send(b) }

func (l *tcpLink) receive(b []byte) (int, netip.AddrPort, time.Duration, error) {
	n, err := l.Read(b)
	return n, l.server, l.stamped.At(), err
}

func (l *tcpLink) local() string { return l.stamped.LocalAddr().String() }

func (l *tcpLink) close() error {
	l.Close()
	return nil
}
