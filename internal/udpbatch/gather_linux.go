package udpbatch

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// handle is a batching Conn's way to its socket, and to wait for it.
type handle interface {
	// Control calls f with the descriptor.
	Control(f func(fd uintptr)) error
	// Read calls f until it is true, waiting for a datagram before each further
	// call. It has one caller at a time.
	Read(f func(fd uintptr) bool) error
	SetReadDeadline(time.Time) error
	Close() error
}

// woken is a socket in the hands of Go's poller, which the kernel wakes for
// every datagram that comes in, and for every one that leaves.
type woken struct {
	syscall.RawConn
	udp *net.UDPConn
}

func (w *woken) SetReadDeadline(t time.Time) error { return w.udp.SetReadDeadline(t) }
func (w *woken) Close() error                      { return w.udp.Close() }

// gathering is a socket that Go's poller does not know. The kernel has nobody to
// wake while packets flow: whoever reads looks again after a while, and only
// when there is nothing for that long has itself woken by the next.
//
// That is worth it. A wake-up a datagram costs whoever sends it several times
// what the datagram itself does, and Go's poller is woken as well by each that
// leaves, since the send buffer has room again.
type gathering struct {
	every  atomic.Int64 // ns
	file   *os.File     // the socket, in blocking mode, which keeps the poller away
	socket syscall.RawConn
	epoll  *os.File // an epoll of one socket, which Go's poller waits for
	waiter syscall.RawConn

	closed   atomic.Bool
	deadline atomic.Int64 // ns since 1970; 0: none

	// What follows is the reader's. The functions are made once, as a closure a call would be
	// an allocation a call.
	more   bool                  // the last look left some: no need to wait
	call   func(fd uintptr) bool // what Read was given
	done   bool                  // what it said
	failed error
	look   func(fd uintptr)
	arm    func(fd uintptr)
	wait   func(fd uintptr) bool
	adding int // EPOLL_CTL_ADD or EPOLL_CTL_DEL
}

// newGathering takes the socket over from package net.
func newGathering(u *net.UDPConn, every time.Duration) (*gathering, error) {
	raw, err := u.SyscallConn()
	if err != nil {
		return nil, err
	}
	fd, epoll := -1, -1
	var failed error
	err = raw.Control(func(old uintptr) {
		if fd, failed = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0); failed != nil {
			return
		}
		if epoll, failed = unix.EpollCreate1(unix.EPOLL_CLOEXEC); failed != nil {
			return
		}
		// Calls say MSG_DONTWAIT themselves.
		failed = errors.Join(unix.SetNonblock(fd, false), unix.SetNonblock(epoll, true))
	})
	if err = errors.Join(err, os.NewSyscallError("set the socket up to be polled", failed)); err != nil {
		return nil, errors.Join(err, closeAll(fd, epoll))
	}
	g := &gathering{file: os.NewFile(uintptr(fd), "udp"), epoll: os.NewFile(uintptr(epoll), "epoll")}
	g.every.Store(int64(every))
	g.socket, err = g.file.SyscallConn()
	if err == nil {
		g.waiter, err = g.epoll.SyscallConn()
	}
	if err == nil {
		err = g.epoll.SetReadDeadline(time.Time{}) // fails if Go can't wait for it
	}
	if err != nil {
		return nil, errors.Join(err, g.file.Close(), g.epoll.Close())
	}
	g.look = func(fd uintptr) { g.done = g.call(fd) }
	g.wait = func(uintptr) bool {
		g.failed = g.socket.Control(g.look)
		return g.done || g.failed != nil
	}
	g.arm = func(fd uintptr) {
		event := unix.EpollEvent{Events: unix.EPOLLIN}
		if err := g.waiter.Control(func(epoll uintptr) {
			g.failed = unix.EpollCtl(int(epoll), g.adding, int(fd), &event)
		}); err != nil {
			g.failed = err
		}
	}
	return g, u.Close()
}

func closeAll(fds ...int) (err error) {
	for _, fd := range fds {
		if fd >= 0 {
			err = errors.Join(err, unix.Close(fd))
		}
	}
	return err
}

func (g *gathering) Control(f func(fd uintptr)) error { return g.told(g.socket.Control(f)) }

// Read implements handle.
func (g *gathering) Read(f func(fd uintptr) bool) error {
	g.call, g.done, g.failed = f, false, nil
	for rested := false; ; {
		if at := g.deadline.Load(); at != 0 && time.Now().UnixNano() >= at {
			return os.ErrDeadlineExceeded
		}
		if g.more || rested {
			if err := g.socket.Control(g.look); err != nil || g.done {
				return g.told(err)
			}
		}
		if rested {
			break
		}
		time.Sleep(time.Duration(g.every.Load()))
		rested = true
	}
	g.adding = unix.EPOLL_CTL_ADD
	if err := g.control(); err != nil {
		return err
	}
	err := g.told(errors.Join(g.waiter.Read(g.wait), g.failed))
	g.adding = unix.EPOLL_CTL_DEL
	return errors.Join(err, g.control())
}

func (g *gathering) control() error {
	if err := errors.Join(g.socket.Control(g.arm), g.failed); err != nil {
		return g.told(os.NewSyscallError("epoll_ctl", err))
	}
	return nil
}

// told is an error in the terms of package net.
func (g *gathering) told(err error) error {
	switch {
	case err == nil:
		return nil
	case g.closed.Load():
		return net.ErrClosed
	}
	return err
}

func (g *gathering) SetReadDeadline(t time.Time) error {
	var at int64
	if !t.IsZero() {
		at = t.UnixNano()
	}
	g.deadline.Store(at)
	return g.told(g.epoll.SetReadDeadline(t))
}

func (g *gathering) Close() error {
	if g.closed.Swap(true) {
		return net.ErrClosed
	}
	return errors.Join(g.file.Close(), g.epoll.Close())
}
