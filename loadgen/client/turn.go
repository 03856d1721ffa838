package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/pion/logging"
	"github.com/pion/turn/v5"
	"github.com/pion/webrtc/v4"

	"github.com/earshot-audio/earshot/loadgen/network"
	"github.com/earshot-audio/earshot/loadgen/stamp"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// TURN is the TURN server of those who go by one.
type TURN struct {
	Address              string // host:port, of UDP and TCP
	TLSAddress           string `json:",omitempty"` // host:port, of TLS over TCP
	Username, Credential string
	TLS                  *tls.Config `json:"-"` // whose certificates are trusted; nil: the system's
}

// ErrNoTURN means that somebody is to go by a TURN server, and none is known.
var ErrNoTURN = errors.New("a part of the cast goes by a TURN server: name one with --turn-url")

// ErrNoTURNTLS means that somebody is to go over TLS, and no server of that is known.
var ErrNoTURNTLS = errors.New("a part of the cast goes by a TURN server over TLS: name one with --turn-url turns:HOST:PORT")

// A RelayError is that of a client whom its TURN server gave no address. It says nothing of the server that the
// client is to connect to.
type RelayError struct {
	// Err says what went wrong, and with which TURN server.
	Err error
}

// Error implements error.
func (e RelayError) Error() string { return e.Err.Error() }

// Unwrap returns what went wrong.
func (e RelayError) Unwrap() error { return e.Err }

// Server is where the server is for a transport: host:port. The error is [ErrNoTURN] or
// [ErrNoTURNTLS].
func (t TURN) Server(via network.Transport) (string, error) {
	switch {
	case via == network.TURNTLS && t.TLSAddress == "":
		return "", ErrNoTURNTLS
	case via == network.TURNTLS:
		return t.TLSAddress, nil
	case t.Address == "":
		return "", ErrNoTURN
	}
	return t.Address, nil
}

// relaySends is how many datagrams may wait to be sent to a TURN server; more are lost.
const relaySends = 64

// servers is the TURN server as a Pion client that goes by it takes it.
func (t TURN) servers(via network.Transport) []webrtc.ICEServer {
	url := "turn:" + t.Address + "?transport=udp"
	switch via {
	case network.TURNTCP:
		url = "turn:" + t.Address + "?transport=tcp"
	case network.TURNTLS:
		url = "turns:" + t.TLSAddress + "?transport=tcp"
	}
	return []webrtc.ICEServer{{URLs: []string{url}, Username: t.Username, Credential: t.Credential}}
}

// encrypt does the TLS handshake with the server on a connection. If it fails, the
// connection is closed.
func (t TURN) encrypt(ctx context.Context, conn net.Conn) (*tls.Conn, error) {
	host, _, err := net.SplitHostPort(t.TLSAddress)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.TLS != nil {
		cfg = t.TLS.Clone()
	}
	cfg.ServerName = host
	secure := tls.Client(conn, cfg)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close() // the handshake may have closed it
		return nil, err
	}
	return secure, nil
}

// dialTURNTimeout is how long a Pion client waits for a TURN server over TLS.
const dialTURNTimeout = 5 * time.Second

// A turnDialer connects Pion clients to the server over TLS. Pion's own way trusts the
// system's certificates alone.
type turnDialer struct{ turn TURN }

// Dial implements proxy.Dialer.
func (d turnDialer) Dial(network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), dialTURNTimeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return d.turn.encrypt(ctx, conn)
}

// A turnLink is a client's allocation at a TURN server.
type turnLink struct {
	socket *turnSocket
	client *turn.Client
	relay  net.PacketConn
	sends  chan sentDatagram
	done   chan struct{}
	ended  chan struct{} // the sender has
}

type sentDatagram struct {
	b  []byte
	to netip.AddrPort
}

// allocate asks the server for an address to be reached at.
func (t TURN) allocate(ctx context.Context, clock *timebase.Clock, via network.Transport) (*turnLink, error) {
	address, err := t.Server(via)
	if err != nil {
		return nil, err
	}
	socket, err := t.dial(ctx, clock, via, address)
	if err != nil {
		return nil, RelayError{Err: fmt.Errorf("reach the TURN server %s: %w", address, err)}
	}
	quiet := logging.NewDefaultLoggerFactory()
	quiet.DefaultLogLevel = logging.LogLevelDisabled
	server := socket.server.String()
	client, err := turn.NewClient(&turn.ClientConfig{
		STUNServerAddr: server, TURNServerAddr: server, Conn: socket,
		Username: t.Username, Password: t.Credential, LoggerFactory: quiet,
	})
	if err != nil {
		return nil, errors.Join(err, socket.Close())
	}
	if err := client.Listen(); err != nil {
		client.Close()
		return nil, errors.Join(err, socket.Close())
	}
	relay, err := client.AllocateWithContext(ctx)
	if err != nil {
		client.Close()
		return nil, errors.Join(RelayError{Err: fmt.Errorf("ask the TURN server %s for an address: %w", address, err)}, socket.Close())
	}
	l := &turnLink{socket: socket, client: client, relay: relay, sends: make(chan sentDatagram, relaySends), done: make(chan struct{}), ended: make(chan struct{})}
	go l.write()
	return l, nil
}

// send implements link. The first datagram to an address waits for the server's permission
// in write.
func (l *turnLink) send(b []byte, to netip.AddrPort) {
	select {
	case l.sends <- sentDatagram{append([]byte(nil), b...), to}:
	default:
	}
}

// write sends what waits, until the link is closed.
func (l *turnLink) write() {
	defer close(l.ended)
	for {
		select {
		case d := <-l.sends:
			_, _ = l.relay.WriteTo(d.b, net.UDPAddrFromAddrPort(d.to)) // lost, as datagrams are
		case <-l.done:
			return
		}
	}
}

// receive implements link.
func (l *turnLink) receive(b []byte) (int, netip.AddrPort, time.Duration, error) {
	n, from, err := l.relay.ReadFrom(b)
	if err != nil {
		return n, netip.AddrPort{}, 0, err
	}
	at := l.socket.clock.Now()
	if ssrc, sequence, ok := rtpID(b[:n]); ok {
		if stamped, ok := l.socket.times.find(ssrc, sequence); ok {
			at = stamped
		}
	}
	u, ok := from.(*net.UDPAddr)
	if !ok {
		return 0, netip.AddrPort{}, 0, net.InvalidAddrError(from.String())
	}
	return n, u.AddrPort(), at, nil
}

// local implements link: it is the address at the TURN server.
func (l *turnLink) local() string { return l.relay.LocalAddr().String() }

// close implements link. It tells the server so, and waits for no answer.
func (l *turnLink) close() error {
	close(l.done)
	err := l.relay.Close()
	l.client.Close()
	err = errors.Join(err, l.socket.Close())
	<-l.ended
	if errors.Is(err, net.ErrClosed) {
		return nil // the server has closed it
	}
	return err
}

// A turnSocket is what a TURN client reads. It notes when the RTP packets were received
// that come in channels (RFC 8656, section 12.4).
type turnSocket struct {
	net.PacketConn
	server net.Addr
	clock  *timebase.Clock
	times  *receiveTimes
	// at is when what was read last was received.
	at func() time.Duration
}

// dial opens a socket, or a connection, to the server.
func (t TURN) dial(ctx context.Context, clock *timebase.Clock, via network.Transport, address string) (*turnSocket, error) {
	s := &turnSocket{clock: clock, times: &receiveTimes{}}
	if via != network.TURNUDP {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err != nil {
			return nil, err
		}
		stamped, err := stamp.NewTCPConn(conn.(*net.TCPConn), clock)
		if err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		s.server, s.at = conn.RemoteAddr(), stamped.At
		if via == network.TURNTCP {
			s.PacketConn = turn.NewSTUNConn(stamped)
			return s, nil
		}
		secure, err := t.encrypt(ctx, stamped)
		if err != nil {
			return nil, err
		}
		s.PacketConn = turn.NewSTUNConn(farewellConn{secure})
		return s, nil
	}
	conn, err := new(net.Dialer).DialContext(ctx, "udp", address) // finds the address, and the way there
	if err != nil {
		return nil, err
	}
	local, server := conn.LocalAddr().(*net.UDPAddr), conn.RemoteAddr().(*net.UDPAddr)
	if err := conn.Close(); err != nil {
		return nil, err
	}
	socket, err := (&clientNet{clock: clock, times: &receiveTimes{}}).listen("udp", &net.UDPAddr{IP: local.IP, Zone: local.Zone})
	if err != nil {
		return nil, err
	}
	udp := &turnUDP{udpSocket: socket}
	s.PacketConn, s.server, s.at = udp, server, func() time.Duration { return udp.at }
	return s, nil
}

// A farewellConn is a TLS connection whose Close says so to the server, if that still
// listens.
type farewellConn struct{ *tls.Conn }

// Close implements net.Conn.
func (c farewellConn) Close() error {
	_ = c.Conn.Close() // the server may be gone; the socket is closed anyway
	return nil
}

// turnUDP is a UDP socket that knows when it received what was read last.
type turnUDP struct {
	*udpSocket
	at time.Duration
}

// ReadFrom implements net.PacketConn.
func (s *turnUDP) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, at, err := s.receive(b)
	s.at = at
	return n, net.UDPAddrFromAddrPort(from), err
}

// channelHeader is how long the header of a channel's message is.
const channelHeader = 4

// ReadFrom implements net.PacketConn.
func (s *turnSocket) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := s.PacketConn.ReadFrom(b)
	if err == nil && n > channelHeader && b[0]>>6 == 1 { // RFC 7983, section 7
		if ssrc, sequence, ok := rtpID(b[channelHeader:n]); ok {
			s.times.note(ssrc, sequence, s.at())
		}
	}
	return n, from, err
}
