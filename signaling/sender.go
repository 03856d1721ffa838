package signaling

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/earshot-audio/earshot/signaling/wire"
)

// parcel is one encoded message on its way out. It is immutable and may wait in
// many queues at once: its WebSocket frame is made once for all of them.
type parcel struct {
	kind  wire.Type
	frame *websocket.PreparedMessage
}

// pack encodes a message.
func pack(m wire.ServerMessage) (*parcel, error) {
	data, err := wire.Encode(m)
	if err != nil {
		return nil, err
	}
	frame, err := websocket.NewPreparedMessage(websocket.TextMessage, data)
	if err != nil {
		return nil, err
	}
	return &parcel{kind: m.Type(), frame: frame}, nil
}

// sender is the writing half of a session: a bounded queue, and one goroutine
// that empties it into the socket. push and finish never block.
type sender struct {
	conn    *websocket.Conn
	cfg     *Config
	metrics *metrics

	queue chan *parcel
	// stop is closed by the first finish or abort, which also sets farewell: nil
	// for none.
	stop     chan struct{}
	cancel   context.CancelFunc
	once     sync.Once
	farewell *wire.Goodbye
	// read is closed when the reading half has ended.
	read chan struct{}
	// done is closed when the writer has ended and the socket is closed.
	done chan struct{}
}

// newSender makes the writing half. cancel is called when the session begins to
// end.
func newSender(conn *websocket.Conn, cfg *Config, m *metrics, cancel context.CancelFunc) *sender {
	return &sender{
		conn:    conn,
		cancel:  cancel,
		cfg:     cfg,
		metrics: m,
		queue:   make(chan *parcel, cfg.SendQueue),
		stop:    make(chan struct{}),
		read:    make(chan struct{}),
		done:    make(chan struct{}),
	}
}

// push queues a message. If there is no room for it the client is too slow, and
// the session ends: waiting for it would make the whole room wait.
func (s *sender) push(p *parcel) {
	select {
	case <-s.stop:
		return
	default:
	}
	select {
	case s.queue <- p:
	default:
		s.overflow()
	}
}

// finish ends the session: what is queued is still sent, then the goodbye, then
// the closing handshake. Only the first call counts; the result tells whether
// this was it.
func (s *sender) finish(reason wire.GoodbyeReason) bool {
	return s.end(&wire.Goodbye{Reason: reason})
}

func (s *sender) end(farewell *wire.Goodbye) bool {
	first := false
	s.once.Do(func() {
		first = true
		s.farewell = farewell
		close(s.stop)
		s.cancel()
	})
	return first
}

func (s *sender) overflow() {
	if !s.finish(wire.GoodbyeSlow) {
		return
	}
	s.metrics.slow.Inc()
	// The writer probably sits in a write. It gets a little longer to end it and
	// say goodbye. (net.Conn deadlines may be set from any goroutine.)
	_ = s.conn.NetConn().SetWriteDeadline(time.Now().Add(s.cfg.CloseWait))
}

// abort ends the session without a word: the connection is dead, or has to be.
func (s *sender) abort() {
	s.end(nil)
	s.reset()
	_ = s.conn.Close()
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
func (s *sender) stopped() bool {
	select {
	case <-s.stop:
		return true
	default:
		return false
	}
}

// run writes until the session ends, then closes the socket.
func (s *sender) run() {
	defer close(s.done)
	defer s.conn.Close()
	ping := time.NewTicker(s.cfg.PingEvery)
	defer ping.Stop()
	for {
		select {
		case <-s.stop:
			s.close()
			return
		case p := <-s.queue:
			if s.write(p) != nil {
				s.abort()
				return
			}
		case <-ping.C:
			if s.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(s.cfg.WriteWait)) != nil {
				s.abort()
				return
			}
		}
	}
}

func (s *sender) write(p *parcel) error {
	if err := s.conn.SetWriteDeadline(time.Now().Add(s.cfg.WriteWait)); err != nil {
		return err
	}
	if err := s.conn.WritePreparedMessage(p.frame); err != nil {
		return err
	}
	s.metrics.sent(p.kind)
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
		select {
		case p := <-s.queue:
			if s.write(p) != nil {
				s.reset()
				return
			}
			continue
		default:
		}
		break
	}
	if p, err := pack(*s.farewell); err == nil {
		_ = s.conn.SetWriteDeadline(deadline)
		if s.conn.WritePreparedMessage(p.frame) != nil {
			s.reset()
			return
		}
		s.metrics.sent(p.kind)
	}
	code := closeCode(s.farewell.Reason)
	text := websocket.FormatCloseMessage(code, string(s.farewell.Reason))
	if s.conn.WriteControl(websocket.CloseMessage, text, deadline) != nil {
		return
	}
	// Closing the socket while the client's last messages are unread would make
	// the kernel reset it, and the goodbye could be lost with that. So the reader
	// reads on until the client closes.
	wait := time.NewTimer(time.Until(deadline))
	defer wait.Stop()
	select {
	case <-s.read:
	case <-wait.C:
		if s.farewell.Reason == wire.GoodbyeSlow {
			s.reset()
		}
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
