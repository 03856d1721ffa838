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

// socket is what a batching Conn needs of its socket.
type socket interface {
	// Control calls f with the descriptor.
	Control(f func(fd uintptr)) error
	// Read calls f until it is true, waiting for a datagram before each further
	// call. It has one caller at a time.
	Read(f func(fd uintptr) bool) error
	SetReadDeadline(time.Time) error
	Close() error
}

// polledSocket is a socket that Go's poller waits for: the kernel wakes the poller
// for every datagram that comes in, and for every one that leaves.
type polledSocket struct {
	syscall.RawConn
	udp *net.UDPConn
}

func (s *polledSocket) SetReadDeadline(t time.Time) error { return s.udp.SetReadDeadline(t) }
func (s *polledSocket) Close() error                      { return s.udp.Close() }

// gatheringSocket is a socket that Go's poller does not wait for. While packets flow
// the kernel wakes nobody: the reader looks again after a while, and only if there
// is nothing for that long does it ask to be woken by the next datagram.
//
// A wake-up for each datagram would cost its sender several times what the datagram
// itself does, and Go's poller is woken by each datagram that leaves too, since the
// send buffer has room again.
type gatheringSocket struct {
	every  atomic.Int64 // ns
	file   *os.File     // the socket, in blocking mode, which keeps the poller away
	socket syscall.RawConn
	epoll  *os.File // an epoll of one socket, which Go's poller waits for
	waiter syscall.RawConn

	closed   atomic.Bool
	deadline atomic.Int64 // ns since 1970; 0: none

	// What follows belongs to the reader. The functions are made once, because a
	// closure for each call would be an allocation for each call.
	more   bool                  // the last look left some: no need to wait
	call   func(fd uintptr) bool // what Read was given
	done   bool                  // what it returned
	failed error
	look   func(fd uintptr)
	arm    func(fd uintptr)
	wait   func(fd uintptr) bool
	adding int // EPOLL_CTL_ADD or EPOLL_CTL_DEL
}

// newGatheringSocket takes the socket over from package net.
func newGatheringSocket(u *net.UDPConn, every time.Duration) (*gatheringSocket, error) {
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
		// Calls pass MSG_DONTWAIT themselves.
		failed = errors.Join(unix.SetNonblock(fd, false), unix.SetNonblock(epoll, true))
	})
	if err = errors.Join(err, os.NewSyscallError("set the socket up to be polled", failed)); err != nil {
		return nil, errors.Join(err, closeAll(fd, epoll))
	}
	g := &gatheringSocket{file: os.NewFile(uintptr(fd), "udp"), epoll: os.NewFile(uintptr(epoll), "epoll")}
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

func (g *gatheringSocket) Control(f func(fd uintptr)) error { return g.netError(g.socket.Control(f)) }

// Read implements socket.
func (g *gatheringSocket) Read(f func(fd uintptr) bool) error {
	g.call, g.done, g.failed = f, false, nil
	for waited := false; ; {
		if at := g.deadline.Load(); at != 0 && time.Now().UnixNano() >= at {
			return os.ErrDeadlineExceeded
		}
		if g.more || waited {
			if err := g.socket.Control(g.look); err != nil || g.done {
				return g.netError(err)
			}
		}
		if waited {
			break
		}
		time.Sleep(time.Duration(g.every.Load()))
		waited = true
	}
	g.adding = unix.EPOLL_CTL_ADD
	if err := g.control(); err != nil {
		return err
	}
	err := g.netError(errors.Join(g.waiter.Read(g.wait), g.failed))
	g.adding = unix.EPOLL_CTL_DEL
	return errors.Join(err, g.control())
}

func (g *gatheringSocket) control() error {
	if err := errors.Join(g.socket.Control(g.arm), g.failed); err != nil {
		return g.netError(os.NewSyscallError("epoll_ctl", err))
	}
	return nil
}

// netError translates an error into the terms of package net.
func (g *gatheringSocket) netError(err error) error {
	switch {
	case err == nil:
		return nil
	case g.closed.Load():
		return net.ErrClosed
	}
	return err
}

func (g *gatheringSocket) SetReadDeadline(t time.Time) error {
	var at int64
	if !t.IsZero() {
		at = t.UnixNano()
	}
	g.deadline.Store(at)
	return g.netError(g.epoll.SetReadDeadline(t))
}

func (g *gatheringSocket) Close() error {
	if g.closed.Swap(true) {
		return net.ErrClosed
	}
	return errors.Join(g.file.Close(), g.epoll.Close())
}
