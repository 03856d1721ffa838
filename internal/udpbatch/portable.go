package udpbatch

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// A portable Conn waits for room in the send buffer, since package net can't just
// try. A deadline may also pass before the try is made, for no other reason than
// that the batch is long or the machine busy. So the buffer is full when
// fullAfter deadlines have passed in a row, which holds up one batch for that long.
const (
	writeTimeout = time.Millisecond
	fullAfter    = 4
)

// portable is a Conn on package net alone: a system call for each datagram, and
// batches of one when reading.
type portable struct {
	udp      *net.UDPConn
	platform *platform
	addr     netip.AddrPort
	refused  atomic.Uint64

	rmu  sync.Mutex // guards roob, and lets one reader in at a time
	roob []byte

	wmu  sync.Mutex // guards woob and the write deadline
	woob []byte
}

func newPortable(u *net.UDPConn, o Options) (*portable, error) {
	p, err := newPlatform(u, o)
	if err != nil {
		return nil, err
	}
	if o.OnUnsegmented != nil {
		o.OnUnsegmented(fmt.Errorf("messages of several datagrams: %w", errors.ErrUnsupported))
	}
	return &portable{
		udp:      u,
		platform: p,
		addr:     plain(u.LocalAddr().(*net.UDPAddr).AddrPort()),
		roob:     make([]byte, controlSize),
		woob:     make([]byte, controlSize),
	}, nil
}

func (c *portable) ReadBatch(ms []Message) (int, error) {
	if len(ms) == 0 {
		return 0, nil
	}
	c.rmu.Lock()
	defer c.rmu.Unlock()
	m := &ms[0]
	n, oobn, flags, addr, err := c.udp.ReadMsgUDPAddrPort(m.Buf, c.roob)
	if truncated(flags, err) {
		n, err = 0, nil
	}
	if err != nil {
		return 0, err
	}
	m.N, m.Addr = n, plain(addr)
	c.platform.read(c.roob[:oobn], m)
	return 1, nil
}

func (c *portable) WriteBatch(ms []Message) (int, error) {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	if err := c.setDeadline(); err != nil {
		return 0, err
	}
	for i := range ms {
		if err := c.writeAll(&ms[i]); err != nil {
			return i, err
		}
	}
	return len(ms), nil
}

// writeAll sends the datagrams of one message. It fails if the rest can't be sent now.
func (c *portable) writeAll(m *Message) error {
	step := m.Segment
	if step <= 0 {
		step = len(m.Buf)
	}
	m.N = 0
	refused := 0
	for at := 0; ; {
		b := m.Buf[at:min(at+step, len(m.Buf))]
		switch err := c.write(b, m); {
		case err == nil:
			m.N += len(b)
		case errors.Is(err, net.ErrClosed), errors.Is(err, ErrFull):
			return err
		default:
			c.refused.Add(1)
			refused++
		}
		if at += len(b); at >= len(m.Buf) {
			break
		}
	}
	if refused == m.datagrams() {
		m.N = -1
	}
	return nil
}

// write sends one datagram of a message.
func (c *portable) write(b []byte, m *Message) error {
	oob, err := c.source(m)
	if err != nil {
		return err
	}
	for passed := 0; ; {
		_, _, err = c.udp.WriteMsgUDPAddrPort(b, oob, plain(m.Addr))
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if passed++; passed == fullAfter {
			return ErrFull
		}
		if err := c.setDeadline(); err != nil {
			return err
		}
	}
	if err == nil {
		return nil
	}
	if errno := syscall.Errno(0); errors.As(err, &errno) && full(errno) {
		return ErrFull
	}
	return err
}

// source is the control message that sets a message's source address.
func (c *portable) source(m *Message) ([]byte, error) {
	n, err := c.platform.source(c.woob, m.Local)
	return c.woob[:n], err
}

func (c *portable) setDeadline() error { return c.udp.SetWriteDeadline(time.Now().Add(writeTimeout)) }

func (c *portable) Drops() (uint64, bool)             { return c.platform.drops() }
func (c *portable) Refused() uint64                   { return c.refused.Load() }
func (c *portable) LocalAddr() netip.AddrPort         { return c.addr }
func (c *portable) SetGather(time.Duration)           {}
func (c *portable) SetReadDeadline(t time.Time) error { return c.udp.SetReadDeadline(t) }

func (c *portable) Close() error {
	c.platform.drops() // the last figure, kept
	return c.udp.Close()
}
