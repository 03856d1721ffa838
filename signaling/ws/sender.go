package ws

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"github.com/earshot-audio/earshot/signaling/wire"
)

// sender is the writing half of a connection: a bounded queue, and a job of the
// worker pool that writes it to the socket whenever there is something in it.
// push and finish never block.
type sender struct {
	conn   *Conn
	socket *websocket.Conn
	cfg    *Config

	// ended is set by the first finish, abort or quit, with the lock held.
	ended atomic.Bool

	mu sync.Mutex
	// queue holds the messages that wait to be written; nil while there are none.
	queue []*wire.EncodedMessage
	// writing reports that a worker runs the half, until it finds nothing to do. The
	// one that finds the connection ending is the last.
	writing bool
	// goodbye is what the connection ends with; nil: nothing.
	goodbye *wire.Goodbye
	// cancel, if set, is called when the connection begins to end.
	cancel context.CancelFunc
	// keepalive is the timer of the pings. The next ping is at nextPing, counted from
	// Conn.opened.
	keepalive *time.Timer
	nextPing  time.Duration
	// readerEnded reports that the reading half has ended; readerDone, if set, is
	// closed then.
	readerEnded bool
	readerDone  chan struct{}
}

// onEnd sets the function that is called when the connection begins to end.
func (s *sender) onEnd(cancel context.CancelFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cancel = cancel
	if cancel != nil && s.ended.Load() {
		cancel()
	}
}

// push queues a message, or ends a connection whose queue is full.
func (s *sender) push(m *wire.EncodedMessage) {
	s.mu.Lock()
	switch {
	case s.ended.Load():
		s.mu.Unlock()
	case len(s.queue) >= s.cfg.SendQueue:
		s.mu.Unlock()
		s.overflow()
	default:
		s.queue = append(s.queue, m)
		s.wake()
		s.mu.Unlock()
	}
}

// wake has a worker run the half, if none does. The caller holds the lock.
func (s *sender) wake() {
	if !s.writing {
		s.writing = true
		s.conn.server.workers.run(s.writeLoop)
	}
}

// finish ends the connection with a goodbye, and reports whether it was the first
// to end it.
func (s *sender) finish(reason wire.GoodbyeReason) bool {
	return s.end(&wire.Goodbye{Reason: reason})
}

func (s *sender) end(goodbye *wire.Goodbye) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended.Load() {
		return false
	}
	s.goodbye = goodbye
	s.ended.Store(true)
	if s.keepalive != nil {
		s.keepalive.Stop()
	}
	if s.cancel != nil {
		s.cancel()
	}
	s.wake()
	return true
}

func (s *sender) overflow() {
	if !s.finish(wire.GoodbyeSlow) {
		return
	}
	s.cfg.Metrics.slow.Inc()
	// The writer is probably blocked in a write. It gets a little longer to complete
	// it and say goodbye. (Deadlines of a net.Conn may be set from any goroutine.)
	_ = s.socket.NetConn().SetWriteDeadline(time.Now().Add(s.cfg.CloseWait))
}

// abort ends the connection without a goodbye.
func (s *sender) abort() {
	s.reset()
	s.end(nil)
	_ = s.socket.Close()
	s.conn.readable()
}

// reset makes the socket drop what the client has not taken when it is closed.
// Otherwise the kernel would offer that, up to megabytes, to a client that does
// not read, for minutes after the connection has ended.
func (s *sender) reset() {
	conn := s.socket.NetConn()
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // if it fails, the socket lingers for those minutes
	}
}

// quit ends the connection without a goodbye, unless it is ending already: then
// its writer completes that.
func (s *sender) quit() { s.end(nil) }

// stopped reports whether the connection is ending.
func (s *sender) stopped() bool { return s.ended.Load() }

// readingEnded tells the writer that nothing more is read: the client has closed,
// or is gone. It is called once.
func (s *sender) readingEnded() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readerEnded = true
	if s.readerDone != nil {
		close(s.readerDone)
	}
}

// writeLoop writes what is queued. When the connection is ending it closes the
// socket, as the last writer.
func (s *sender) writeLoop() {
	for {
		m, ended := s.next()
		switch {
		case ended:
			s.closeHandshake()
			_ = s.socket.Close()
			s.conn.readable()
			s.conn.halfEnded()
			return
		case m == nil:
			return
		}
		if s.write(m) != nil {
			s.abort()
		}
	}
}

// next takes the next message from the queue; nil: there is none, and the next
// push wakes a worker. ended reports that the connection is ending instead.
func (s *sender) next() (m *wire.EncodedMessage, ended bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended.Load() {
		return nil, true
	}
	m = s.shift()
	s.writing = m != nil
	return m, false
}

// shift removes and returns the first message in the queue; nil if it is empty.
// The caller holds the lock.
func (s *sender) shift() *wire.EncodedMessage {
	if len(s.queue) == 0 {
		return nil
	}
	m := s.queue[0]
	if s.queue = s.queue[1:]; len(s.queue) == 0 {
		s.queue = nil
	}
	return m
}

func (s *sender) write(m *wire.EncodedMessage) error {
	if err := s.socket.SetWriteDeadline(time.Now().Add(s.cfg.WriteWait)); err != nil {
		return err
	}
	if err := s.socket.WriteMessage(websocket.TextMessage, m.Data); err != nil {
		return err
	}
	s.cfg.Metrics.sent(m.Type)
	return nil
}

// closeHandshake writes the rest of the queue and the goodbye, if there is one,
// and goes through the closing handshake within CloseWait.
func (s *sender) closeHandshake() {
	if s.goodbye == nil {
		return
	}
	deadline := time.Now().Add(s.cfg.CloseWait)
	// The queue of a slow client is dropped.
	for s.goodbye.Reason != wire.GoodbyeSlow {
		s.mu.Lock()
		m := s.shift()
		s.mu.Unlock()
		if m == nil {
			break
		}
		if s.write(m) != nil {
			s.reset()
			return
		}
	}
	if m, err := wire.NewEncoded(*s.goodbye); err == nil {
		_ = s.socket.SetWriteDeadline(deadline)
		if s.socket.WriteMessage(websocket.TextMessage, m.Data) != nil {
			s.reset()
			return
		}
		s.cfg.Metrics.sent(m.Type)
	}
	text := websocket.FormatCloseMessage(CloseCode(s.goodbye.Reason), string(s.goodbye.Reason))
	if s.socket.WriteControl(websocket.CloseMessage, text, deadline) != nil {
		return
	}
	if !s.awaitReader(deadline) && s.goodbye.Reason == wire.GoodbyeSlow {
		s.reset()
	}
}

// awaitReader waits for the end of the reading half, and reports whether it came
// by the deadline. If the socket were closed with messages of the client unread,
// the kernel would reset it, and the client could lose the goodbye.
func (s *sender) awaitReader(deadline time.Time) bool {
	s.mu.Lock()
	done := make(chan struct{})
	if s.readerEnded {
		close(done)
	}
	s.readerDone = done
	s.mu.Unlock()
	wait := time.NewTimer(time.Until(deadline))
	defer wait.Stop()
	select {
	case <-done:
		return true
	case <-wait.C:
		return false
	}
}

// CloseCode returns the WebSocket close code (RFC 6455, section 7.4.1) for a
// reason.
func CloseCode(reason wire.GoodbyeReason) int {
	switch reason {
	case wire.GoodbyeShutdown, wire.GoodbyeMoved:
		return websocket.CloseGoingAway
	case wire.GoodbyeSlow, wire.GoodbyeTimeout, wire.GoodbyeRemoved, wire.GoodbyeBanned, wire.GoodbyeReplaced:
		return websocket.ClosePolicyViolation
	case wire.GoodbyeProtocol:
		return websocket.CloseUnsupportedData
	default:
		return websocket.CloseNormalClosure
	}
}
