package ws

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// poller reports which sockets have something to read, so that thousands of
// connections wait without a goroutine each. It is an epoll instance (epoll(7))
// beside the runtime's, which only wakes goroutines that are blocked in a read.
// Its methods may be called from any goroutine. It has one goroutine, which close
// ends.
type poller struct {
	file *os.File
	raw  syscall.RawConn
	done chan struct{}

	mu      sync.Mutex
	last    uint64
	waiting map[uint64]*polled
}

// polled is a socket that a poller watches.
type polled struct {
	poller *poller
	conn   syscall.RawConn
	key    uint64
	ready  func()
	// added reports whether the socket is in the epoll instance. It belongs to the
	// goroutine that arms.
	added bool
}

func newPoller() (*poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make a poller: %w", err)
	}
	// An epoll descriptor can itself be polled, and the runtime polls non-blocking
	// descriptors: waiting for it takes no thread.
	if err := unix.SetNonblock(fd, true); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("make a poller: %w", err)
	}
	p := &poller{file: os.NewFile(uintptr(fd), "epoll"), done: make(chan struct{}), waiting: make(map[uint64]*polled)}
	if p.raw, err = p.file.SyscallConn(); err != nil {
		_ = p.file.Close()
		return nil, fmt.Errorf("make a poller: %w", err)
	}
	go p.run()
	return p, nil
}

// add registers a socket. The caller arms it, and calls forget in the end.
func (p *poller) add(conn syscall.Conn, ready func()) (*polled, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last++
	c := &polled{poller: p, conn: raw, key: p.last, ready: ready}
	p.waiting[c.key] = c
	return c, nil
}

// arm makes ready be called once, from the poller's goroutine, when there is
// something to read or the peer has closed, which may be at once. ready must not
// block. arm fails if the socket is closed. One goroutine at a time may arm.
func (c *polled) arm() error {
	op := unix.EPOLL_CTL_MOD
	if !c.added {
		op, c.added = unix.EPOLL_CTL_ADD, true
	}
	return c.control(op)
}

func (c *polled) control(op int) error {
	event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLONESHOT, Fd: int32(c.key), Pad: int32(c.key >> 32)}
	var failed error
	err := c.poller.raw.Control(func(epoll uintptr) {
		closed := c.conn.Control(func(fd uintptr) {
			failed = unix.EpollCtl(int(epoll), op, int(fd), &event)
		})
		failed = errors.Join(failed, closed)
	})
	return errors.Join(err, failed)
}

// forget removes the socket. ready may still be called once, if it was about to
// be. The kernel removes a socket from epoll when it is closed.
func (c *polled) forget() {
	c.poller.mu.Lock()
	defer c.poller.mu.Unlock()
	delete(c.poller.waiting, c.key)
}

func (p *poller) run() {
	defer close(p.done)
	var events [128]unix.EpollEvent
	for {
		n := 0
		err := p.raw.Read(func(fd uintptr) bool {
			for {
				var err error
				if n, err = unix.EpollWait(int(fd), events[:], 0); !errors.Is(err, unix.EINTR) {
					return n > 0
				}
			}
		})
		if err != nil {
			return // closed
		}
		for _, e := range events[:n] {
			key := uint64(uint32(e.Fd)) | uint64(uint32(e.Pad))<<32
			p.mu.Lock()
			c := p.waiting[key]
			p.mu.Unlock()
			if c != nil {
				c.ready()
			}
		}
	}
}

// close ends the poller. It may be called more than once; no ready is called
// afterwards.
func (p *poller) close() {
	_ = p.file.Close()
	<-p.done
}
