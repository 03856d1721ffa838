package signaling

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

// parcel is one encoded message on its way out. It is immutable and may wait in
// many queues at once.
type parcel struct {
	kind wire.Type
	data []byte
}

// pack encodes a message.
func pack(m wire.ServerMessage) (*parcel, error) {
	data, err := wire.Encode(m)
	if err != nil {
		return nil, err
	}
	return &parcel{kind: wire.TypeOf(m), data: data}, nil
}

// sender is the writing half of a session: a bounded queue, and a goroutine of
// the crew that empties it into the socket whenever there is something in it.
// push and finish never block.
type sender struct {
	session *session
	conn    *websocket.Conn
	cfg     *Config

	// ended is set by the first finish, abort or quit, with the lock held.
	ended atomic.Bool

	mu sync.Mutex
	// queue is what waits to be written; nil while nothing does.
	queue []*parcel
	// writing tells that a goroutine is at it, until it finds nothing to do. The
	// one that finds the session ending is the last.
	writing bool
	// farewell is what the session ends with: nil for none.
	farewell *wire.Goodbye
	// cancel, if there is one, is called when the session begins to end.
	cancel context.CancelFunc
	// pulse is the timer of beat, which pings next at ping by the session's clock.
	pulse *time.Timer
	ping  time.Duration
	// unread tells that the reading half has ended; closing, if there is one, is
	// closed then.
	unread  bool
	closing chan struct{}
}

// onEnd has f called when the session begins to end, in the place of what was
// given before; nil: nothing. If it is ending already, f is called at once.
func (s *sender) onEnd(f context.CancelFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cancel = f
	if f != nil && s.ended.Load() {
		f()
	}
}

// push queues a message. If there is no room for it the client is too slow, and
// the session ends: waiting for it would make the whole room wait.
func (s *sender) push(p *parcel) {
	s.mu.Lock()
	switch {
	case s.ended.Load():
		s.mu.Unlock()
	case len(s.queue) >= s.cfg.SendQueue:
		s.mu.Unlock()
		s.overflow()
	default:
		s.queue = append(s.queue, p)
		s.wake()
		s.mu.Unlock()
	}
}

// wake has somebody write, if nobody does. The caller holds the lock.
func (s *sender) wake() {
	if !s.writing {
		s.writing = true
		s.session.server.crew.do(s.run)
	}
}

// finish ends the session: what is queued is still sent, then the goodbye, then
// the closing handshake. Only the first call counts; the result tells whether
// this was it.
func (s *sender) finish(reason wire.GoodbyeReason) bool {
	return s.end(&wire.Goodbye{Reason: reason})
}

func (s *sender) end(farewell *wire.Goodbye) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended.Load() {
		return false
	}
	s.farewell = farewell
	s.ended.Store(true)
	if s.pulse != nil {
		s.pulse.Stop()
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
	s.session.server.metrics.slow.Inc()
	// The writer probably sits in a write. It gets a little longer to end it and
	// say goodbye. (net.Conn deadlines may be set from any goroutine.)
	_ = s.conn.NetConn().SetWriteDeadline(time.Now().Add(s.cfg.CloseWait))
}

// abort ends the session without a word: the connection is dead, or has to be.
func (s *sender) abort() {
	s.reset()
	s.end(nil)
	_ = s.conn.Close()
	s.session.readable()
}

// reset makes the socket, when it is closed, drop what the client has not taken.
// Otherwise the kernel would offer that, up to megabytes, to a client that does
// not read for minutes after the session has ended.
func (s *sender) reset() {
	conn := s.conn.NetConn()
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	if socket, ok := conn.(*net.TCPConn); ok {
		_ = socket.SetLinger(0) // if it fails, it takes those minutes
	}
}

// quit ends the session without a word if it is not ending yet. One that is
// ending is left to its writer.
func (s *sender) quit() { s.end(nil) }

// stopped tells whether the session is ending.
func (s *sender) stopped() bool { return s.ended.Load() }

// readingOver tells the writer that nothing more is read: the client has closed,
// or is gone. It is called once.
func (s *sender) readingOver() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unread = true
	if s.closing != nil {
		close(s.closing)
	}
}

// run writes what is queued. When the session is ending it closes the socket and
// is the last to write.
func (s *sender) run() {
	for {
		p, ended := s.next()
		switch {
		case ended:
			s.close()
			_ = s.conn.Close()
			s.session.readable()
			s.session.halfOver()
			return
		case p == nil:
			return
		}
		if s.write(p) != nil {
			s.abort()
		}
	}
}

// next takes the next message off the queue; nil: there is none, and whoever
// queues one has to wake somebody. It tells if the session is ending instead.
func (s *sender) next() (p *parcel, ended bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended.Load() {
		return nil, true
	}
	p = s.shift()
	s.writing = p != nil
	return p, false
}

// shift takes the first message off the queue; nil if it is empty. The caller
// holds the lock.
func (s *sender) shift() *parcel {
	if len(s.queue) == 0 {
		return nil
	}
	p := s.queue[0]
	if s.queue = s.queue[1:]; len(s.queue) == 0 {
		s.queue = nil
	}
	return p
}

func (s *sender) write(p *parcel) error {
	if err := s.conn.SetWriteDeadline(time.Now().Add(s.cfg.WriteWait)); err != nil {
		return err
	}
	if err := s.conn.WriteMessage(websocket.TextMessage, p.data); err != nil {
		return err
	}
	s.session.server.metrics.sent(p.kind)
	return nil
}

// close says goodbye, if there is one to say, and goes through the closing
// handshake for as long as CloseWait.
func (s *sender) close() {
	if s.farewell == nil {
		return
	}
	deadline := time.Now().Add(s.cfg.CloseWait)
	// A slow client's queue is dropped: it had its chance.
	for s.farewell.Reason != wire.GoodbyeSlow {
		s.mu.Lock()
		p := s.shift()
		s.mu.Unlock()
		if p == nil {
			break
		}
		if s.write(p) != nil {
			s.reset()
			return
		}
	}
	if p, err := pack(*s.farewell); err == nil {
		_ = s.conn.SetWriteDeadline(deadline)
		if s.conn.WriteMessage(websocket.TextMessage, p.data) != nil {
			s.reset()
			return
		}
		s.session.server.metrics.sent(p.kind)
	}
	code := closeCode(s.farewell.Reason)
	text := websocket.FormatCloseMessage(code, string(s.farewell.Reason))
	if s.conn.WriteControl(websocket.CloseMessage, text, deadline) != nil {
		return
	}
	if !s.awaitClose(deadline) && s.farewell.Reason == wire.GoodbyeSlow {
		s.reset()
	}
}

// awaitClose waits for the client to close, and tells if it did by the deadline.
// Closing the socket while the client's last messages are unread would make the
// kernel reset it, and the goodbye could be lost with that. So the reader reads on
// until then.
func (s *sender) awaitClose(deadline time.Time) bool {
	s.mu.Lock()
	closing := make(chan struct{})
	if s.unread {
		close(closing)
	}
	s.closing = closing
	s.mu.Unlock()
	wait := time.NewTimer(time.Until(deadline))
	defer wait.Stop()
	select {
	case <-closing:
		return true
	case <-wait.C:
		return false
	}
}

// closeCode returns the WebSocket close code (RFC 6455 §7.4.1) for a reason.
func closeCode(reason wire.GoodbyeReason) int {
	switch reason {
	case wire.GoodbyeShutdown:
		return websocket.CloseGoingAway
	case wire.GoodbyeSlow, wire.GoodbyeTimeout, wire.GoodbyeRemoved, wire.GoodbyeBanned, wire.GoodbyeReplaced:
		return websocket.ClosePolicyViolation
	case wire.GoodbyeProtocol:
		return websocket.CloseUnsupportedData
	default:
		return websocket.CloseNormalClosure
	}
}
