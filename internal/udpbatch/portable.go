package udpbatch

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// writeTimeout is how long a portable Conn waits for room in the send buffer:
// package net can't just try. So a full buffer costs a batch two of these, and no
// other batch.
const writeTimeout = time.Millisecond

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
	waited := false // for the message at hand, with a deadline of its own
	for i := 0; i < len(ms); {
		switch err := c.write(&ms[i]); {
		case err == nil:
		case errors.Is(err, net.ErrClosed):
			return i, err
		case errors.Is(err, os.ErrDeadlineExceeded):
			if waited {
				return i, ErrFull
			}
			// The deadline may have passed for no other reason than that the
			// batch is long or the machine busy.
			if err := c.setDeadline(); err != nil {
				return i, err
			}
			waited = true
			continue
		default:
			if errno := syscall.Errno(0); errors.As(err, &errno) && full(errno) {
				return i, ErrFull
			}
			ms[i].N = -1
			c.refused.Add(1)
		}
		i, waited = i+1, false
	}
	return len(ms), nil
}

func (c *portable) setDeadline() error { return c.udp.SetWriteDeadline(time.Now().Add(writeTimeout)) }

func (c *portable) write(m *Message) error {
	oob, err := c.platform.source(c.woob, m.Local)
	if err != nil {
		return err
	}
	n, _, err := c.udp.WriteMsgUDPAddrPort(m.Buf, oob, plain(m.Addr))
	m.N = n
	return err
}

func (c *portable) Drops() (uint64, bool)             { return c.platform.drops() }
func (c *portable) Refused() uint64                   { return c.refused.Load() }
func (c *portable) LocalAddr() netip.AddrPort         { return c.addr }
func (c *portable) SetGather(time.Duration)           {}
func (c *portable) SetReadDeadline(t time.Time) error { return c.udp.SetReadDeadline(t) }

func (c *portable) Close() error {
	c.platform.drops() // the last figure, kept
	return c.udp.Close()
}
