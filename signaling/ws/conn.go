package ws

import (
	"bufio"
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"github.com/earshot-audio/earshot/signaling/wire"
)

// Handler handles what comes over one connection. Its methods are called one
// after the other, from changing goroutines.
type Handler interface {
	// HandleText handles a text message of up to [wire.MaxMessage]+1 bytes. A longer
	// one is cut to that, so that the handler can refuse it. The data is valid until
	// the method returns.
	HandleText(data []byte)
	// HandleBinary handles a binary message, whose content is dropped.
	HandleBinary()
	// HandleClose is called once, after the last message. clean reports whether the client
	// closed with the status code 1000, or with 1001, as a browser does whose page is closed
	// (RFC 6455, section 7.4.1).
	HandleClose(clean bool)
}

// Conn is one WebSocket connection. Its exported methods may be called from any
// goroutine, never block, and have no effect once the connection has ended.
type Conn struct {
	server  *Server
	id      string
	handler Handler
	opened  time.Time
	in      reader
	out     sender
	// established reports whether Established has been called.
	established atomic.Bool
	// halves is how many of the two have not ended.
	halves atomic.Int32
}

func newConn(s *Server, socket *websocket.Conn, buffer *bufio.Reader, id string) *Conn {
	c := &Conn{server: s, id: id, opened: time.Now()}
	c.in.socket, c.in.buffer = socket, buffer
	c.out.conn, c.out.socket, c.out.cfg = c, socket, &s.cfg
	c.halves.Store(2)
	return c
}

// start starts both halves. The connection ends by itself.
func (c *Conn) start() {
	c.out.startKeepalive()
	c.startReading()
}

// ID returns the connection's ID.
func (c *Conn) ID() string { return c.id }

// Established lifts the limit of [Config.HelloWait]: the client has said who it is.
func (c *Conn) Established() { c.established.Store(true) }

// Send queues a message. If the queue is full, the client is too slow and the
// connection ends: to wait for one client would hold up the whole room.
func (c *Conn) Send(m *wire.EncodedMessage) { c.out.push(m) }

// Finish ends the connection: what is queued is still sent, then a goodbye with
// the reason, then the closing handshake. Only the first end of a connection
// counts; Finish reports whether this was it.
func (c *Conn) Finish(reason wire.GoodbyeReason) bool { return c.out.finish(reason) }

// Abort ends the connection at once: the socket is reset.
func (c *Conn) Abort() { c.out.abort() }

// OnEnd makes cancel be called when the connection begins to end, instead of the
// function that was given before; nil: none. It is called at once if the
// connection is ending already.
func (c *Conn) OnEnd(cancel context.CancelFunc) { c.out.onEnd(cancel) }

// halfEnded notes that a half has ended, and after the second the connection.
func (c *Conn) halfEnded() {
	if c.halves.Add(-1) == 0 {
		c.server.release(c)
	}
}

// logger makes the connection's logger. It is rarely needed.
func (c *Conn) logger() *slog.Logger { return c.server.cfg.Log.With("connection", c.id) }

// heard notes that the client has sent something.
func (c *Conn) heard() { c.in.lastHeard.Store(int64(time.Since(c.opened))) }
