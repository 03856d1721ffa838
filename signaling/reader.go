package signaling

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/gorilla/websocket"

	"github.com/earshot-audio/earshot/signaling/wire"
)

// readSlack is how many times the longest message the socket reads at all: what
// is longer than a message gets an error, what is longer than this ends the
// connection (close code 1009) without being read.
const readSlack = 8

// readBuffer is how much is read ahead from a WebSocket, in bytes. Each session
// has it all the time. A longer message is read past it.
const readBuffer = 512

// hijacker gives the upgrader of WebSockets a small read buffer that we know, too.
type hijacker struct {
	http.ResponseWriter
	buffer *bufio.Reader
}

// Hijack implements http.Hijacker.
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil || rw.Reader.Buffered() > 0 {
		return conn, rw, err // the upgrader refuses a client that was too quick
	}
	h.buffer = bufio.NewReaderSize(conn, readBuffer)
	return conn, bufio.NewReadWriter(h.buffer, rw.Writer), nil
}

// reader is the reading half of a session. While nothing comes it is an entry in
// the server's poller; otherwise, or where there is no poller for the connection
// (TLS, other systems than Linux), a goroutine of the crew. What it is made of
// belongs to that goroutine, but for the first two fields.
type reader struct {
	// waiting tells that there is no goroutine. Who takes that back is the next.
	waiting atomic.Bool
	// heard is when the client last said anything, by the session's clock.
	heard atomic.Int64

	conn   *websocket.Conn
	buffer *bufio.Reader
	// poll is nil for a reading half that blocks.
	poll *polled
}

// read starts the reading half.
func (s *session) read() {
	conn := s.in.conn
	conn.SetReadLimit(readSlack * wire.MaxMessage)
	conn.SetPongHandler(func(string) error { s.alive(); return nil })
	answer := conn.PingHandler()
	conn.SetPingHandler(func(data string) error { s.alive(); return answer(data) })

	if socket, ok := conn.NetConn().(syscall.Conn); ok && s.server.poller != nil {
		if poll, err := s.server.poller.add(socket, s.readable); err == nil {
			s.in.poll = poll
			if s.in.pause() {
				return
			}
		}
	}
	s.server.crew.do(s.readOn)
}

// readable is called when a reading half that waits has something to read, or its
// socket has been closed.
func (s *session) readable() {
	if s.in.waiting.CompareAndSwap(true, false) {
		s.server.crew.do(s.readOn)
	}
}

// pause lets the reading half wait without a goroutine, and tells if it does: then
// it may be another's already.
func (r *reader) pause() bool {
	r.waiting.Store(true)
	if r.poll.arm() == nil {
		return true
	}
	// The socket has been closed. Whoever did that may have noticed that we wait.
	return !r.waiting.CompareAndSwap(true, false)
}

// readOn reads until nothing is left for now, or for ever. When the session is
// ending it reads on, and drops what it reads, for the closing handshake.
func (s *session) readOn() {
	for {
		if err := s.next(); err != nil {
			s.lost(err)
			return
		}
		if s.in.poll != nil && s.in.buffer.Buffered() == 0 && s.in.pause() {
			return
		}
	}
}

// next reads one message, or one ping or pong. An error means that there is
// nothing more to read.
func (s *session) next() error {
	if done, err := s.in.control(); done {
		return err
	}
	kind, r, err := s.in.conn.NextReader()
	if err != nil {
		return err
	}
	if s.out.stopped() {
		_, err = io.Copy(io.Discard, r)
		return err
	}
	if err = s.take(kind, r); err == nil {
		s.alive()
	}
	return err
}

// Ping and pong frames as clients may send them between messages: whole, without
// extensions, masked, and of at most 125 bytes (RFC 6455 sections 5.2 and 5.5).
const (
	finalPing   = 0x80 | websocket.PingMessage
	finalPong   = 0x80 | websocket.PongMessage
	masked      = 0x80
	mostControl = 125
	frameHead   = 2
	frameMask   = 4
)

// control reads a ping or pong, if that is what comes, and has it handled. The
// websocket package would go on to wait for a message after it. It leaves
// everything else to that package, whatever is wrong with it.
func (r *reader) control() (done bool, err error) {
	head, err := r.buffer.Peek(frameHead)
	if err != nil || (head[0] != finalPing && head[0] != finalPong) || head[1]&masked == 0 || head[1]&^masked > mostControl {
		return false, nil
	}
	kind, size := head[0], int(head[1]&^masked)
	frame, err := r.buffer.Peek(frameHead + frameMask + size)
	if err != nil {
		return false, nil
	}
	mask, data := frame[frameHead:frameHead+frameMask], bytes.Clone(frame[frameHead+frameMask:])
	for i := range data {
		data[i] ^= mask[i%frameMask]
	}
	_, _ = r.buffer.Discard(len(frame)) // it is in the buffer
	if kind == finalPong {
		return true, r.conn.PongHandler()(string(data))
	}
	return true, r.conn.PingHandler()(string(data))
}

// lost ends the session after the socket gave no more.
func (s *session) lost(err error) {
	s.parted = s.parted || websocket.IsCloseError(err, websocket.CloseNormalClosure)
	if !s.out.stopped() {
		s.logger().Debug("session lost", "err", err)
	}
	// A session that is ending is left to its writer.
	s.out.quit()
	if s.in.poll != nil {
		s.in.poll.forget()
	}
	s.out.readingOver()
	if s.live != nil {
		s.live.hangUpOn(s.me, &s.out, s.parted)
	}
	s.halfOver()
}

// messages are the buffers that messages are read into.
var messages = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// take reads and handles one message. An error means that the socket is dead.
func (s *session) take(kind int, r io.Reader) error {
	message := messages.Get().(*bytes.Buffer)
	defer messages.Put(message)
	message.Reset()
	if _, err := message.ReadFrom(io.LimitReader(r, wire.MaxMessage+1)); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, r); err != nil {
		return err
	}
	s.request(kind, message.Bytes())
	return nil
}
