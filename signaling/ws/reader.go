package ws

import (
	"bufio"
	"bytes"
	"io"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/gorilla/websocket"

	"github.com/earshot-audio/earshot/signaling/wire"
)

// readLimitFactor times [wire.MaxMessage] is the socket's read limit. A message
// over MaxMessage is refused; one over this limit ends the connection unread, with
// the close code 1009 (RFC 6455, section 7.4.1).
const readLimitFactor = 8

// readBuffer is the size of the read buffer in bytes. Each connection has one all
// the time. Longer messages are read past it.
const readBuffer = 512

// reader is the reading half of a connection. While nothing comes it is an entry
// in the server's poller. Otherwise, or where the poller cannot watch the socket
// (TLS, other systems than Linux), it is a job of the worker pool. All fields but
// the first two belong to the goroutine that runs it.
type reader struct {
	// waiting reports that no goroutine runs the half. Whoever resets it is the next.
	waiting atomic.Bool
	// lastHeard is when the client last sent something, counted from Conn.opened.
	lastHeard atomic.Int64

	socket *websocket.Conn
	buffer *bufio.Reader
	// poll is nil for a half that blocks.
	poll *polled
}

// startReading starts the reading half.
func (c *Conn) startReading() {
	socket := c.in.socket
	socket.SetReadLimit(readLimitFactor * wire.MaxMessage)
	socket.SetPongHandler(func(string) error { c.heard(); return nil })
	answer := socket.PingHandler()
	socket.SetPingHandler(func(data string) error { c.heard(); return answer(data) })

	if raw, ok := socket.NetConn().(syscall.Conn); ok && c.server.poller != nil {
		if poll, err := c.server.poller.add(raw, c.readable); err == nil {
			c.in.poll = poll
			if c.in.pause() {
				return
			}
		}
	}
	c.server.workers.run(c.readLoop)
}

// readable is called when a reading half that waits has something to read, or its
// socket has been closed.
func (c *Conn) readable() {
	if c.in.waiting.CompareAndSwap(true, false) {
		c.server.workers.run(c.readLoop)
	}
}

// pause makes the reading half wait without a goroutine. If it returns true, the
// caller must not touch the half any more: another goroutine may run it already.
func (r *reader) pause() bool {
	r.waiting.Store(true)
	if r.poll.arm() == nil {
		return true
	}
	// The socket has been closed. Whoever closed it may have seen that we wait.
	return !r.waiting.CompareAndSwap(true, false)
}

// readLoop reads until nothing is left for now, or the socket gives no more. While
// the connection is ending it reads on, for the closing handshake, and drops what
// it reads.
func (c *Conn) readLoop() {
	for {
		if err := c.readNext(); err != nil {
			c.readingEnded(err)
			return
		}
		if c.in.poll != nil && c.in.buffer.Buffered() == 0 && c.in.pause() {
			return
		}
	}
}

// readNext reads one message, or one ping or pong. After an error there is nothing
// more to read.
func (c *Conn) readNext() error {
	if done, err := c.in.readControl(); done {
		return err
	}
	kind, r, err := c.in.socket.NextReader()
	if err != nil {
		return err
	}
	if c.out.stopped() {
		_, err = io.Copy(io.Discard, r)
		return err
	}
	if err = c.receive(kind, r); err == nil {
		c.heard()
	}
	return err
}

// Ping and pong frames as clients may send them between messages: final, without
// extensions, masked, and of at most 125 bytes (RFC 6455, sections 5.2 and 5.5).
const (
	finalPing     = 0x80 | websocket.PingMessage
	finalPong     = 0x80 | websocket.PongMessage
	masked        = 0x80
	maxControl    = 125
	frameHeadSize = 2
	frameMaskSize = 4
)

// readControl reads and handles a ping or pong, if that is what comes next. The
// websocket package would go on to wait for a message after it. Everything else,
// malformed frames included, is left to that package.
func (r *reader) readControl() (done bool, err error) {
	head, err := r.buffer.Peek(frameHeadSize)
	if err != nil || (head[0] != finalPing && head[0] != finalPong) || head[1]&masked == 0 || head[1]&^masked > maxControl {
		return false, nil
	}
	kind, size := head[0], int(head[1]&^masked)
	frame, err := r.buffer.Peek(frameHeadSize + frameMaskSize + size)
	if err != nil {
		return false, nil
	}
	mask, data := frame[frameHeadSize:frameHeadSize+frameMaskSize], bytes.Clone(frame[frameHeadSize+frameMaskSize:])
	for i := range data {
		data[i] ^= mask[i%frameMaskSize]
	}
	_, _ = r.buffer.Discard(len(frame)) // it is in the buffer
	if kind == finalPong {
		return true, r.socket.PongHandler()(string(data))
	}
	return true, r.socket.PingHandler()(string(data))
}

// readingEnded ends the connection after the socket gave no more.
func (c *Conn) readingEnded(err error) {
	if !c.out.stopped() {
		c.logger().Debug("connection lost", "error", err)
	}
	c.out.quit()
	if c.in.poll != nil {
		c.in.poll.forget()
	}
	c.out.readingEnded()
	c.handler.HandleClose(websocket.IsCloseError(err, websocket.CloseNormalClosure, websocket.CloseGoingAway))
	c.halfEnded()
}

// messages are the buffers that messages are read into.
var messages = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// receive reads and handles one message. An error means that the socket is dead.
func (c *Conn) receive(kind int, r io.Reader) error {
	message := messages.Get().(*bytes.Buffer)
	defer messages.Put(message)
	message.Reset()
	if _, err := message.ReadFrom(io.LimitReader(r, wire.MaxMessage+1)); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, r); err != nil {
		return err
	}
	if kind == websocket.BinaryMessage {
		c.handler.HandleBinary()
	} else {
		c.handler.HandleText(message.Bytes())
	}
	return nil
}
