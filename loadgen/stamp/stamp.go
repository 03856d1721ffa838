package stamp

import (
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// reading is what one goroutine needs to tell when what it reads was received.
type reading struct {
	clock *timebase.Clock
	steps uint64 // of the wall clock, when it was read last
	oob   []byte
}

func newReading(clock *timebase.Clock) reading {
	_, steps := clock.Look()
	return reading{clock: clock, steps: steps, oob: make([]byte, controlSize)}
}

// at returns the time of a stamp (nanoseconds since 1970, or 0) on the run's clock. If the
// wall clock was stepped, nobody knows by which one it was stamped: then it is now.
func (r *reading) at(wall int64) time.Duration {
	at, steps := r.clock.Look()
	if wall != 0 && steps == r.steps {
		at = r.clock.FromWall(wall)
	}
	r.steps = steps
	return at
}

// A UDPConn is a UDP socket. It is safe for concurrent use as a *net.UDPConn is, but only one
// goroutine at a time may receive.
type UDPConn struct {
	*net.UDPConn
	reading reading
	dropped uint32 // by the kernel, since the socket was opened
}

// ListenUDP opens a socket, as [net.ListenUDP] does.
func ListenUDP(network string, at *net.UDPAddr, clock *timebase.Clock) (*UDPConn, error) {
	c, err := net.ListenUDP(network, at)
	if err != nil {
		return nil, err
	}
	if err := enableTimestamps(c); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return &UDPConn{UDPConn: c, reading: newReading(clock)}, nil
}

// A Datagram is what is known of one that was received.
type Datagram struct {
	From netip.AddrPort
	At   time.Duration // when the kernel received it, on the run's clock
	// Dropped is how many the kernel dropped between the one received before and this one.
	Dropped uint32
}

// Receive reads a datagram, and returns its length.
func (c *UDPConn) Receive(b []byte) (n int, d Datagram, err error) {
	n, oobn, _, addr, err := c.ReadMsgUDPAddrPort(b, c.reading.oob)
	d.From = addr
	if err != nil {
		return n, d, err
	}
	wall, dropped := readControl(c.reading.oob[:oobn])
	d.From, d.At = netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port()), c.reading.at(wall)
	if dropped > c.dropped {
		d.Dropped, c.dropped = dropped-c.dropped, dropped
	}
	return n, d, nil
}

// A TCPConn is a TCP connection. One goroutine reads it.
type TCPConn struct {
	*net.TCPConn
	reading reading
	read    func(b, oob []byte) (n, oobn int, err error)
	at      time.Duration
}

// NewTCPConn makes one of a connection, which belongs to it then.
func NewTCPConn(conn *net.TCPConn, clock *timebase.Clock) (*TCPConn, error) {
	read, err := readStamped(conn)
	if err != nil {
		return nil, err
	}
	return &TCPConn{TCPConn: conn, reading: newReading(clock), read: read}, nil
}

// Read implements net.Conn.
func (c *TCPConn) Read(b []byte) (int, error) {
	n, oobn, err := c.read(b, c.reading.oob)
	if err != nil {
		return n, err
	}
	wall, _ := readControl(c.reading.oob[:oobn])
	c.at = c.reading.at(wall)
	return n, nil
}

// At is when the kernel received the last segment of what was read last, on the run's clock.
func (c *TCPConn) At() time.Duration { return c.at }
