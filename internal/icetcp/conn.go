package icetcp

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"sync"
	"time"
)

const (
	// headerSize is the length before each datagram (RFC 4571, section 2).
	headerSize = 2
	// queueSize is how many bytes may wait to be written, while as many again are being
	// written: a second of three voices.
	queueSize = 16 << 10
	// kernelBuffer is what the kernel is asked to keep of what was written, in bytes. Its
	// own choice would grow to megabytes, which is minutes of speech that nobody wants
	// to hear any more.
	kernelBuffer = 32 << 10
	// writeTimeout is how long the other side may take nothing before the connection ends.
	writeTimeout = 10 * time.Second
	// closeTimeout is how long it has for what still waits when the connection is closed.
	closeTimeout = time.Second
	// readBuffer holds a few datagrams.
	readBuffer = 4 << 10
)

// ErrTooLong means that a frame is longer than any datagram that the reader takes. What
// follows it can't be read.
var ErrTooLong = errors.New("a frame is longer than a datagram may be")

// A Conn is a TCP connection that carries datagrams. One goroutine at a time may call Read;
// the other methods are safe for concurrent use. Close ends it.
type Conn struct {
	tcp    net.Conn
	reader *bufio.Reader
	wake   chan struct{}
	done   chan struct{}
	writer sync.WaitGroup

	mu     sync.Mutex
	queue  []byte
	closed bool
}

// New makes a connection of a TCP connection, which from then on is its own. What comes in
// is read from r, or if that is nil from tcp.
func New(tcp net.Conn, r io.Reader) *Conn {
	if t, ok := tcp.(*net.TCPConn); ok {
		_ = t.SetWriteBuffer(kernelBuffer) // or it has the system's
	}
	if r == nil {
		r = tcp
	}
	c := &Conn{tcp: tcp, reader: bufio.NewReaderSize(r, readBuffer), wake: make(chan struct{}, 1), done: make(chan struct{})}
	c.writer.Go(c.write)
	return c
}

// Send sends a datagram. It copies b, does not wait, and reports false if the datagram is
// lost: too much waits already, or the connection is closed.
func (c *Conn) Send(b []byte) bool {
	c.mu.Lock()
	if c.closed || len(b) > math.MaxUint16 || len(c.queue)+headerSize+len(b) > queueSize {
		c.mu.Unlock()
		return false
	}
	c.queue = binary.BigEndian.AppendUint16(c.queue, uint16(len(b)))
	c.queue = append(c.queue, b...)
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
	return true
}

// write writes what waits, until the connection is closed.
func (c *Conn) write() {
	defer c.tcp.Close() // an error of it says nothing new
	var writing []byte
	for last := false; !last; {
		select {
		case <-c.wake:
		case <-c.done:
			last = true
		}
		c.mu.Lock()
		writing, c.queue = c.queue, writing[:0]
		if !c.closed {
			_ = c.tcp.SetWriteDeadline(time.Now().Add(writeTimeout)) // if it fails, so does Write
		}
		c.mu.Unlock()
		if len(writing) == 0 {
			continue
		}
		if _, err := c.tcp.Write(writing); err != nil {
			c.end()
			return
		}
	}
}

// Read reads the next datagram into b. It returns [ErrTooLong] for one that is longer.
func (c *Conn) Read(b []byte) (int, error) {
	var header [headerSize]byte
	if _, err := io.ReadFull(c.reader, header[:]); err != nil {
		return 0, err
	}
	n := int(binary.BigEndian.Uint16(header[:]))
	if n > len(b) {
		return 0, fmt.Errorf("%w: %d bytes", ErrTooLong, n)
	}
	return io.ReadFull(c.reader, b[:n])
}

// end has the goroutines end.
func (c *Conn) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	c.closed = true
	now := time.Now()
	// On a connection that is broken these fail, and there is nothing to wait for.
	_ = c.tcp.SetReadDeadline(now)
	_ = c.tcp.SetWriteDeadline(now.Add(closeTimeout))
	close(c.done)
}

// Close writes what still waits, closes the connection and waits for that. A Read that is
// waiting fails.
func (c *Conn) Close() {
	c.end()
	c.writer.Wait()
}
