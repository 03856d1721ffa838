package janus

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/earshot-audio/earshot/loadgen/driver"
)

const (
	// maxMessage bounds a message of the server's, in bytes. The answer to join has everybody in
	// the room.
	maxMessage = 16 << 20
	// keepaliveInterval is what Janus' own client has. A server forgets a session by default after
	// 60 s without a request.
	keepaliveInterval = 25 * time.Second

	subprotocol = "janus-protocol"
	plugin      = "janus.plugin.audiobridge"
)

// A connection is one WebSocket with one session and one handle of the AudioBridge. One
// goroutine reads it; close ends it.
type connection struct {
	driver *Driver
	conn   *driver.Socket
	// Set before anybody else has the connection.
	session, handle uint64

	state   driver.Signaling // guards what follows; it ends with the presence
	calls   uint64
	pending map[string]chan message // by transaction

	done chan struct{} // closed when nobody reads it any more
}

// open opens a connection, with a session and a handle. lost is called when the presence that it is for
// has ended.
func open(ctx context.Context, d *Driver, lost func()) (*connection, error) {
	turn := driver.TurnOf(ctx)
	turn.Take(ctx)
	conn, resp, err := d.dialer.Dial(ctx, driver.SocketURL(d.base, ""), nil)
	turn.End() // what the reader does is not the join's
	switch {
	case err != nil && resp == nil:
		return nil, fmt.Errorf("open the WebSocket: %w", err)
	case err != nil:
		return nil, fmt.Errorf("open the WebSocket: %w: --%s is to be that of Janus' WebSocket transport, like ws://127.0.0.1:8188", err, urlFlag)
	case conn.Subprotocol() != subprotocol:
		return nil, errors.Join(fmt.Errorf("%s is no Janus: its WebSocket does not speak %s", d.Target(), subprotocol), conn.Close())
	}
	c := &connection{driver: d, conn: conn, pending: map[string]chan message{}, done: make(chan struct{})}
	go c.read(lost)
	if err := c.begin(ctx); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

// begin begins the session, and attaches it to the plugin.
func (c *connection) begin(ctx context.Context) error {
	m, err := c.call(ctx, request{Janus: create})
	if err != nil {
		return err
	}
	c.session = m.Data.ID
	if m, err = c.call(ctx, request{Janus: attach, Plugin: plugin}); err != nil {
		return err
	}
	c.handle = m.Data.ID
	// The server is to remember the session. Its answers are read like any other.
	c.state.Every(c.driver.keepalive, func() error { return c.write(c.number(request{Janus: keepalive})) })
	return nil
}

// ask makes a request to the AudioBridge, with a description or nil, and returns its answer.
func (c *connection) ask(ctx context.Context, b *body, jsep *description) (message, error) {
	m, err := c.call(ctx, request{Janus: bridge, Body: b, JSEP: jsep})
	if e := m.PluginData.Data; err == nil && e.Code != 0 {
		return m, failure{bridge: true, code: e.Code, reason: e.Error, asked: b.Request}
	}
	return m, err
}

// number gives a request its transaction, and what lets it in.
func (c *connection) number(r request) request {
	c.state.Lock()
	defer c.state.Unlock()
	c.calls++
	r.Transaction = strconv.FormatUint(c.calls, 36)
	r.Session, r.Handle = c.session, c.handle
	switch r.Janus {
	case keepalive, destroy: // for the session
		r.Handle = 0
	case information:
		r.Session, r.Handle = 0, 0
	}
	r.APISecret, r.Token = c.driver.secret, c.driver.token
	return r
}

// call makes a request and returns the answer to it.
func (c *connection) call(ctx context.Context, r request) (message, error) {
	r = c.number(r)
	answers := make(chan message, 2) // that it was taken, and what came of it
	c.state.Lock()
	c.pending[r.Transaction] = answers
	c.state.Unlock()
	defer func() {
		c.state.Lock()
		defer c.state.Unlock()
		delete(c.pending, r.Transaction)
	}()
	if err := c.write(r); err != nil {
		return message{}, fmt.Errorf("%s: %w", r.name(), err)
	}
	for {
		select {
		case m := <-answers:
			switch {
			case m.Error != nil:
				return m, failure{code: m.Error.Code, reason: m.Error.Reason, asked: r.name()}
			case m.Janus != "ack":
				return m, nil
			}
		case <-ctx.Done():
			return message{}, fmt.Errorf("wait for Janus' answer to %s: %w", r.name(), ctx.Err())
		case <-c.done:
			return message{}, fmt.Errorf("wait for Janus' answer to %s: %w", r.name(), c.state.Ended())
		}
	}
}

// name says what a request is.
func (r request) name() string {
	if r.Body != nil {
		return r.Body.Request
	}
	return r.Janus + " a session"
}

func (c *connection) write(r request) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return c.conn.Write(text)
}

// read handles messages until the connection ends.
func (c *connection) read(lost func()) {
	defer close(c.done)
	defer lost()
	var err error
	for err == nil {
		err = c.conn.Read(func(text []byte) error { return c.takeText(text, lost) })
	}
	c.state.End(fmt.Errorf("the connection to Janus ended: %w", err))
}

// takeText reads and takes a message.
func (c *connection) takeText(text []byte, lost func()) error {
	if ofOthers(text) {
		return nil
	}
	var m message
	if err := json.Unmarshal(text, &m); err != nil {
		return fmt.Errorf("a message can't be read: %w", err)
	}
	c.take(m, lost)
	return nil
}

// ofOthers reports whether a message tells of other people in the room, of which everybody is
// told: as many as people times people, which are not worth to be read.
func ofOthers(text []byte) bool {
	return !bytes.Contains(text, []byte(`"transaction"`)) && bytes.Contains(text, []byte(`"participants"`))
}

// take takes a message.
func (c *connection) take(m message, lost func()) {
	c.state.Lock()
	answers := c.pending[m.Transaction]
	c.state.Unlock()
	if answers != nil && m.Transaction != "" {
		select {
		case answers <- m:
		default: // nobody waits for so many
		}
		return
	}
	switch {
	case m.Janus == "trickle":
		c.state.AddCandidate(strings.TrimPrefix(m.Candidate.Value, "a="), m.Candidate.Completed)
	case m.Janus == "event" && m.PluginData.Data.AudioBridge == "destroyed":
		c.over(errRoomEnded, lost)
	case m.Janus == "hangup": // also of somebody who was kicked
		// A slowlink says that packets are lost, and no more: the connection goes on.
		c.over(driver.Declined("the server ended the media connection: "+driver.Beginning(m.Reason)), lost)
	case m.Janus == "timeout":
		c.over(driver.Declined("the server has forgotten the session, since it got no keepalive in time"), lost)
	case m.Error != nil && m.Error.Code == sessionUnknown: // the answer to a keepalive
		c.over(failure{code: m.Error.Code, reason: m.Error.Reason, asked: keepalive}, lost)
	}
}

var errRoomEnded = driver.Declined("the room was destroyed")

// over ends the presence, while the WebSocket goes on.
func (c *connection) over(why error, lost func()) {
	c.state.End(why)
	lost()
}

// leave ends the session, and closes the connection.
func (c *connection) leave(ctx context.Context) error {
	var err error
	select {
	case <-c.done: // the server has ended it
	default:
		_, err = c.call(ctx, request{Janus: destroy})
	}
	var said failure
	select {
	case <-c.done:
		err = nil // it may have ended before the goodbye was written
	default:
		if errors.As(err, &said) && said.code == sessionUnknown {
			err = nil // it was forgotten before
		}
	}
	return errors.Join(err, c.close())
}

// close closes the connection and waits for its reader.
func (c *connection) close() error {
	c.state.End(driver.ErrLeft)
	err := c.conn.Close()
	<-c.done
	return err
}
