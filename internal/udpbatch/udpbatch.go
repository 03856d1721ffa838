// Package udpbatch sends and receives UDP datagrams many at a time.
//
// On Linux a batch is one system call (sendmmsg, recvmmsg); a blocked read costs
// no thread. Elsewhere, and where a sandbox refuses those calls, the same
// contract is kept one datagram at a time.
package udpbatch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// ErrFull is what WriteBatch returns when the socket's send buffer has no room:
// the rest of the batch was not sent, and is the caller's to drop and count.
var ErrFull = errors.New("send buffer of the socket is full")

// A Message is one datagram, or several of one length for or from one peer.
//
// IPv4 addresses may be given as such or mapped into IPv6, and are reported as
// such. The zone of a link-local address is an interface's name or number.
type Message struct {
	// Buf is the datagram to send, all of it, or the room to receive one. It
	// belongs to the Conn during the call and to the caller otherwise; the Conn
	// may keep it from being garbage collected until a later call.
	Buf []byte
	// N is how many bytes of Buf were received. A datagram longer than Buf is
	// reported as an empty one: no part of it can be mistaken for a whole.
	// WriteBatch sets N to how many bytes were sent, or to -1 if the kernel
	// refused the datagram, or each of several. If the send buffer fills up after
	// some of several, N of the first message that WriteBatch is not done with is
	// how many bytes of it were sent.
	N int
	// Segment, if it is not 0, is the length of the datagrams that lie end to end in
	// Buf; only the last may be shorter. Where the kernel can do so, it takes
	// them as one (UDP_SEGMENT), which costs hardly more than one datagram. ReadBatch
	// sets it if [Options.Segments] asks.
	Segment int
	// Addr is the other end.
	Addr netip.AddrPort
	// Local is this end's address. ReadBatch sets it if [Options.PacketInfo]
	// asks; WriteBatch sends from it if it is valid.
	Local netip.Addr
	// At is when the datagram was received, in nanoseconds since 1970, if
	// [Options.Timestamps] asks. On Linux it is the kernel's time
	// (SO_TIMESTAMPNS), elsewhere that of the read.
	At int64
}

// MaxMessage is the room that a message of several datagrams may need.
const MaxMessage = 64 << 10

// MaxBundle is how many packets for one peer a server sends as one message at most.
const MaxBundle = 10

// Datagrams returns how many datagrams were received or sent: what N bytes are.
func (m *Message) Datagrams() int {
	if m.N <= 0 {
		return 0
	}
	return m.count(m.N)
}

// datagrams is how many datagrams a message to send is.
func (m *Message) datagrams() int { return m.count(len(m.Buf)) }

// count is how many datagrams so many bytes of the message are.
func (m *Message) count(size int) int {
	if m.Segment <= 0 || m.Segment >= size {
		return 1
	}
	return (size + m.Segment - 1) / m.Segment
}

// A Conn is a UDP socket. All its methods are safe for concurrent use, and none
// of them allocates in the steady state.
type Conn interface {
	// ReadBatch waits until there is at least one datagram and returns how many
	// of ms it has filled, from the first on. Concurrent calls take turns. It
	// fails with [net.ErrClosed] once the Conn is closed, and with
	// [os.ErrDeadlineExceeded] after the read deadline.
	ReadBatch(ms []Message) (int, error)

	// WriteBatch sends ms in their order and returns how many it is done with.
	// It does not wait: if the send buffer is full it returns n < len(ms) and
	// [ErrFull]. A datagram that the kernel refuses for itself (no route, a
	// firewall, an address of the wrong family, too long) is passed over and
	// counted, and does not keep the rest from going out. Any other error means
	// that the socket is of no use any more: [net.ErrClosed] once it is closed.
	WriteBatch(ms []Message) (int, error)

	// Drops is how many messages the kernel has dropped because the receive
	// buffer was full, up to now, including those after the last one read: with
	// [Options.Segments], each may have been several datagrams. It is
	// not known on every system. After Close it stands still.
	Drops() (n uint64, known bool)

	// Refused is how many datagrams WriteBatch has passed over.
	Refused() uint64

	// LocalAddr is the address that the socket is bound to.
	LocalAddr() netip.AddrPort

	// SetGather changes [Options.Gather], which was not 0, from the next wait on.
	// A Conn that does not gather has nothing to change.
	SetGather(time.Duration)

	// SetReadDeadline sets when waiting reads give up; zero means never.
	SetReadDeadline(time.Time) error

	// Close frees the port and makes waiting and later calls fail.
	Close() error
}

// Options configures a socket.
type Options struct {
	// ReadBuffer and WriteBuffer are the sizes of the kernel's buffers in bytes
	// as setsockopt counts them; 0 leaves the system's default. If the system
	// allows less, opening fails and the error names what to raise.
	ReadBuffer, WriteBuffer int
	// Timestamps asks for [Message.At].
	Timestamps bool
	// PacketInfo asks for [Message.Local], for sockets bound to an unspecified
	// address. Only on Linux.
	PacketInfo bool
	// Gather, if it is not 0, is how long ReadBatch lets datagrams gather when it
	// finds none, before it looks again: for a socket that thousands come in at
	// or leave by each second. While they do, the kernel wakes nobody for them,
	// which costs their senders more than all the rest; a datagram may wait in
	// the socket for so long. When none has come for that long, the next one ends
	// the wait at once. Only Linux has such a socket, and others read as ever.
	Gather time.Duration
	// Segments lets ReadBatch report datagrams that the system has received
	// together as one message (UDP_GRO, Linux 5.0), with [Message.Segment]. They
	// have one time stamp. Each Buf should have room for MaxMessage bytes: a
	// message that is longer is lost whole.
	Segments bool
	// OnUnsegmented, if there is one, is called with the reason once messages of
	// several datagrams cost as much as the datagrams do: when the socket is opened,
	// because the system can do no better, or when the kernel first refuses such a
	// message for what it is, since it is not tried again. It is called at most once
	// for each socket, and must not use it.
	OnUnsegmented func(reason error)
	// Portable asks for the code path of other systems, to test it on Linux. It
	// can still do what the options ask.
	Portable bool
}

// Listen opens a socket bound to address, "host:port": an IPv4 address listens
// to IPv4 alone, "[::]" or no host to both. Port 0 is a free port. The port is
// exclusively the socket's.
func Listen(ctx context.Context, address string, o Options) (Conn, error) {
	u, err := open(ctx, address, o, false)
	if err != nil {
		return nil, err
	}
	return newConn(u, o)
}

// ListenGroup opens n ≥ 1 sockets on one port, so that each core can have its
// own. Only Linux spreads datagrams over them; elsewhere n > 1 fails with
// [errors.ErrUnsupported], and the caller shares one Conn.
//
// Linux picks the socket by a hash of both addresses and both ports
// (SO_REUSEPORT): one peer's datagrams all arrive at one socket, a socket's
// share is only roughly 1/n, and which one a peer will get can't be foretold.
// The choice holds while the group is complete: when one of its sockets is
// closed, peers move to others, so close all or none. Sending is free: any socket
// of the group reaches any peer, from the same address.
//
// The port is locked: once it is open, by Listen or by ListenGroup, in this or
// another process, it can't be opened again. The first socket
// of the group is bound *without* SO_REUSEPORT, which fails if anything is bound
// to the port, and is opened to its siblings only then. A lock so made needs no
// file and no privilege, has no window in which two that start at once both
// succeed, covers 0.0.0.0 against 127.0.0.1, and goes with its process however
// that ends. It does not hold against a foreign program of the same user that
// sets SO_REUSEPORT before its first bind.
func ListenGroup(ctx context.Context, address string, n int, o Options) ([]Conn, error) {
	if n < 1 {
		return nil, fmt.Errorf("open %d sockets on %s: at least one is needed", n, address)
	}
	first, err := open(ctx, address, o, false)
	if err != nil {
		return nil, err
	}
	sockets := []*net.UDPConn{first}
	fail := func(err error) ([]Conn, error) {
		for _, u := range sockets {
			err = errors.Join(err, u.Close())
		}
		return nil, err
	}
	if n > 1 {
		if err := share(first); err != nil {
			return fail(fmt.Errorf("share %s among %d sockets: %w", address, n, err))
		}
	}
	for len(sockets) < n {
		u, err := open(ctx, first.LocalAddr().String(), o, true)
		if err != nil {
			return fail(err)
		}
		sockets = append(sockets, u)
	}
	group := make([]Conn, 0, n)
	for i, u := range sockets {
		c, err := newConn(u, o)
		if err != nil {
			for _, c := range group {
				err = errors.Join(err, c.Close())
			}
			sockets = sockets[i+1:]
			return fail(err)
		}
		group = append(group, c)
	}
	return group, nil
}

// newConn makes a Conn of a socket, or closes it.
func newConn(u *net.UDPConn, o Options) (Conn, error) {
	if !o.Portable {
		if c, ok, err := newBatching(u, o); err != nil {
			return nil, errors.Join(err, u.Close())
		} else if ok {
			return c, nil
		}
	}
	c, err := newPortable(u, o)
	if err != nil {
		return nil, errors.Join(err, u.Close())
	}
	return c, nil
}

// family is the network to listen on for an address: package net takes
// "0.0.0.0" to mean IPv6 too.
func family(address string) string {
	if a, err := netip.ParseAddrPort(address); err == nil && a.Addr().Is4() {
		return "udp4"
	}
	return "udp"
}

// plain returns an address as a Message has it.
func plain(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}
