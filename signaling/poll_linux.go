package signaling

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// poller tells when connections have something to read, so that thousands of
// them wait without a goroutine each. It is an epoll instance of its own (epoll(7))
// beside the runtime's, which wakes only goroutines that sit in a read. Its
// methods may be called from any goroutine; one goroutine of its own waits, and
// close ends it.
type poller struct {
	file *os.File
	raw  syscall.RawConn
	done chan struct{}

	mu      sync.Mutex
	last    uint64
	waiting map[uint64]*polled
}

// polled is a connection that a poller knows.
type polled struct {
	poller *poller
	conn   syscall.RawConn
	key    uint64
	ready  func()
	// known tells that the kernel knows the connection. It belongs to who arms.
	known bool
}

func newPoller() (*poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make a poller: %w", err)
	}
	// An epoll descriptor can be polled itself, which the runtime does with those
	// that do not block: waiting for it takes no thread.
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

// add makes a connection known; it has to be armed, and forgotten in the end.
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

// arm has ready called once, from the poller's goroutine, when there is something
// to read or the other side has closed, which may be at once. ready must not
// block. It fails if the connection is closed. One goroutine at a time may arm.
func (c *polled) arm() error {
	op := unix.EPOLL_CTL_MOD
	if !c.known {
		op, c.known = unix.EPOLL_CTL_ADD, true
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

// forget lets go of a connection: ready may still be called once, if it was about
// to. The kernel has forgotten it when it was closed.
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

// close ends the poller. Connections that it still knows are not called any more.
func (p *poller) close() {
	_ = p.file.Close()
	<-p.done
}
