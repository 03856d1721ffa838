package front

import (
	"bufio"
	"container/list"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/pires/go-proxyproto"
)

// state is where a connection is counted.
type state int

const (
	isNew state = iota // not counted
	waits
	isHeld
	isHijacked
	isClosed
)

// conn is a connection of a client. Its state and place belong to the front.
type conn struct {
	net.Conn
	tcp   *net.TCPConn
	front *Front
	state state
	place *list.Element

	// header reads what a proxy says about the connection, once; nil if none is expected.
	header func() error
	// buffer has what was read behind the header, and is nil when that has been taken. It
	// belongs to the goroutine that reads.
	buffer *bufio.Reader
	client net.Addr
}

// acceptor accepts connections for a front.
type acceptor struct {
	*net.TCPListener
	front *Front
}

// Accept returns the next connection that there is place for.
func (l *acceptor) Accept() (net.Conn, error) {
	for {
		tcp, err := l.AcceptTCP()
		if err != nil {
			return nil, err
		}
		c := &conn{Conn: tcp, tcp: tcp, front: l.front}
		if !l.front.add(c) {
			l.front.refuse(forLimit)
			_ = tcp.Close()
			continue
		}
		if peer, ok := tcp.RemoteAddr().(*net.TCPAddr); ok && l.front.cfg.ProxyProtocol && l.front.cfg.Proxies.Trusts(peer.AddrPort().Addr()) {
			c.buffer = bufio.NewReaderSize(tcp, headerBuffer)
			c.header = sync.OnceValue(c.readHeader)
		}
		return c, nil
	}
}

// headerBuffer holds the longest header of version 1, and one of version 2 in most cases.
const headerBuffer = 256

// Read implements net.Conn. It fails if a trusted proxy does not say who the client is.
func (c *conn) Read(b []byte) (int, error) {
	if c.header != nil {
		if err := c.header(); err != nil {
			return 0, err
		}
	}
	if c.buffer != nil {
		if c.buffer.Buffered() > 0 {
			return c.buffer.Read(b)
		}
		c.buffer = nil
	}
	return c.Conn.Read(b)
}

// RemoteAddr implements net.Conn: the address of the client. It waits for the proxy's
// header, so nobody calls it but the goroutine that serves the connection.
func (c *conn) RemoteAddr() net.Addr {
	if c.header != nil && c.header() == nil && c.client != nil {
		return c.client
	}
	return c.Conn.RemoteAddr()
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.front.closed(c)
	return c.Conn.Close()
}

// CloseWrite lets the client read an answer to a request that has not been read.
func (c *conn) CloseWrite() error { return c.tcp.CloseWrite() }

// SyscallConn lets WebSockets wait without a goroutine.
func (c *conn) SyscallConn() (syscall.RawConn, error) { return c.tcp.SyscallConn() }

// readHeader reads a header of the PROXY protocol.
func (c *conn) readHeader() error {
	if err := c.SetReadDeadline(time.Now().Add(c.front.cfg.HeaderWait)); err != nil {
		return err
	}
	if _, err := c.buffer.Peek(1); errors.Is(err, io.EOF) {
		return io.EOF // a check of whether the port is open
	}
	client, err := readClient(c.buffer)
	if err != nil {
		c.front.refuse(forHeader)
		c.front.noHeader.Do(func() {
			c.front.cfg.Log.Warn("a connection of a trusted proxy does not begin with a header of the PROXY protocol: let the proxy send it, or leave out --proxy-protocol",
				"proxy", c.Conn.RemoteAddr(), "error", err)
		})
		return err
	}
	if client.IsValid() {
		c.client = net.TCPAddrFromAddrPort(client)
	}
	return c.SetReadDeadline(time.Time{})
}

// errNoTCP refuses a header for something else than a TCP connection.
var errNoTCP = errors.New("the header of the PROXY protocol is not about a TCP connection")

// readClient reads a header of the PROXY protocol, version 1 or 2, and returns who the
// client is; zero if the connection is the proxy's own (LOCAL, UNKNOWN), as for its checks
// of the server.
func readClient(from *bufio.Reader) (netip.AddrPort, error) {
	header, err := proxyproto.Read(from)
	if err != nil {
		return netip.AddrPort{}, err
	}
	if header.Command.IsLocal() {
		return netip.AddrPort{}, nil
	}
	source, _, ok := header.TCPAddrs()
	if !ok {
		return netip.AddrPort{}, errNoTCP
	}
	at := source.AddrPort()
	return netip.AddrPortFrom(at.Addr().Unmap(), at.Port()), nil
}
