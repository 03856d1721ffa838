package protocol

import (
	"cmp"
	"context"
	"log/slog"

	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/room/rtc"
	"github.com/earshot-audio/earshot/signaling/access"
	"github.com/earshot-audio/earshot/signaling/apierr"
	"github.com/earshot-audio/earshot/signaling/auth"
	"github.com/earshot-audio/earshot/signaling/liveroom"
	"github.com/earshot-audio/earshot/signaling/wire"
	"github.com/earshot-audio/earshot/signaling/ws"
)

// client handles the messages of one connection, as its [ws.Handler]: its methods
// are called one after the other.
type client struct {
	service *Service
	conn    *ws.Conn
	from    auth.Origin

	greeted bool
	token   string
	name    string
	// room and me are nil until the client has joined a room.
	room *liveroom.LiveRoom
	me   *liveroom.Participant
	// malformed counts the messages in a row that could not be read. expelled reports
	// that they were too many: the client will not come back.
	malformed int
	expelled  bool
}

// logger makes the connection's logger. It is rarely needed.
func (c *client) logger() *slog.Logger { return c.service.Log.With("connection", c.conn.ID()) }

// HandleText carries out one message.
func (c *client) HandleText(data []byte) {
	m, err := wire.DecodeClient(data)
	if err != nil {
		c.service.Metrics.Received(ws.TypeMalformed)
		c.refuseMalformed(apierr.Convert(c.logger(), err))
		return
	}
	c.service.Metrics.Received(wire.TypeOf(m))
	if err := c.service.Limiter.Message(c.from, c.conn.ID()); err != nil {
		// A client that goes on regardless is disconnected like one that sends nonsense.
		refusal := apierr.Convert(c.logger(), err)
		refusal.ID = wire.RequestID(m)
		c.refuseMalformed(refusal)
		return
	}
	c.malformed = 0
	if err := c.handle(m); err != nil {
		refusal := apierr.Convert(c.logger(), err)
		refusal.ID = wire.RequestID(m)
		c.reply(refusal)
	}
}

// HandleBinary refuses a binary message.
func (c *client) HandleBinary() {
	c.service.Metrics.Received(ws.TypeBinary)
	c.refuseMalformed(wire.NewError(wire.CodeBadRequest, "messages must be text"))
}

// HandleClose tells the room that the WebSocket is gone.
func (c *client) HandleClose(clean bool) {
	if c.room != nil {
		c.room.Membership.Disconnect(c.me, c.conn, clean || c.expelled)
	}
}

// refuseMalformed refuses a message, and disconnects a client that has sent nothing
// else for a while.
func (c *client) refuseMalformed(refusal wire.Error) {
	c.reply(refusal)
	c.malformed++
	if c.malformed >= c.service.MaxMalformed {
		c.expelled = true
		c.conn.Finish(wire.GoodbyeProtocol)
	}
}

// reply queues a message for this client.
func (c *client) reply(m wire.ServerMessage) {
	encoded, err := wire.NewEncoded(m)
	if err != nil {
		c.logger().Error("encode a reply", "type", wire.TypeOf(m), "error", err)
		return
	}
	c.conn.Send(encoded)
}

// handle carries out one request. It queues the answer, or returns an error.
func (c *client) handle(m wire.ClientMessage) error {
	if hello, ok := m.(wire.Hello); ok {
		return c.hello(hello)
	}
	if !c.greeted {
		return wire.NewError(wire.CodeConflict, "say hello first")
	}
	if join, ok := m.(wire.Join); ok {
		return c.join(join)
	}
	if resume, ok := m.(wire.Resume); ok {
		return c.resume(resume)
	}
	if c.room == nil {
		return wire.NewError(wire.CodeConflict, "join a room first")
	}

	ok := func() { c.reply(wire.OK{ID: wire.RequestID(m)}) }
	switch m := m.(type) {
	case wire.Offer:
		return c.offer(m)
	case wire.ListAudience:
		audience, err := c.room.Audience(c.me.ID, m)
		if err == nil {
			c.reply(audience)
		}
		return err
	case wire.RestartICE:
		return c.restart(m)
	case wire.Hangup:
		c.room.Media.HangUp(c.me, m.Media)
		ok()
		return nil
	case wire.Leave:
		return c.room.Membership.Leave(c.me, ok)
	case wire.End:
		return c.room.End(c.me.ID, ok)
	case wire.Remove:
		return c.room.Moderate(room.MemberID(m.Member), changeOf(c.me.ID, m), ok)
	case wire.Ban:
		return c.room.Moderate(room.MemberID(m.Member), changeOf(c.me.ID, m), ok)
	}
	return c.room.Change(changeOf(c.me.ID, m), ok)
}

func (c *client) hello(m wire.Hello) error {
	if c.greeted {
		return wire.NewError(wire.CodeConflict, "hello has been said")
	}
	if _, err := c.service.Auth.Authenticate(m.Token); err != nil {
		return err
	}
	c.token, c.name, c.greeted = m.Token, m.Name, true
	c.conn.Established()
	c.reply(wire.Welcome{ID: m.ID, Session: c.conn.ID(), Version: wire.Version, Server: "earshot/" + c.service.Version})
	return nil
}

var errJoined = wire.NewError(wire.CodeConflict, "this session has joined a room; open another for another")

func (c *client) join(m wire.Join) error {
	if c.room != nil {
		return errJoined
	}
	// The token may have expired or been revoked since hello.
	who, err := c.service.Auth.Authenticate(c.token)
	if err == nil {
		var away bool
		if away, err = c.redirect(m.ID, m.Room); away {
			return nil
		}
	}
	var admitted access.Admission
	if err == nil {
		admitted, err = c.service.Access.Admit(who, m.Room, m.Role)
	}
	if err != nil {
		c.service.Rooms.CountJoin("ws", err)
		return err
	}
	p := liveroom.NewParticipant(auth.NewID(), access.Identity(admitted.Who), c.conn)
	request := admitted.JoinRequest(cmp.Or(m.Name, c.name))
	l, me, err := c.service.Rooms.Join(m.Room, p, request, "ws", func(joined wire.Joined) {
		joined.ID = m.ID
		c.reply(joined)
	})
	if err != nil {
		return err
	}
	c.room, c.me = l, me
	return nil
}

func (c *client) resume(m wire.Resume) error {
	if c.room != nil {
		return errJoined
	}
	who, err := c.service.Auth.Authenticate(c.token)
	if err != nil {
		return err
	}
	if away, err := c.redirect(m.ID, m.Room); away || err != nil {
		return err
	}
	l, err := c.service.Rooms.Find(m.Room)
	if err != nil {
		return liveroom.ErrNothingToResume
	}
	me, err := l.Membership.Resume(m, access.Identity(who), c.conn, func(resumed wire.Resumed) {
		resumed.ID = m.ID
		c.reply(resumed)
	})
	if err != nil {
		return err
	}
	c.room, c.me = l, me
	return nil
}

// redirect sends the client to the server that has a room, and reports whether that is
// another.
func (c *client) redirect(id, room string) (away bool, err error) {
	if c.service.Elsewhere == nil {
		return false, nil
	}
	url, err := c.service.Elsewhere(room, c.token)
	if url == "" || err != nil {
		return false, err
	}
	c.reply(wire.Redirect{ID: id, URL: url, Reason: wire.RedirectPlace})
	return true, nil
}

// offer opens the ear or the mic. It is given up when the connection ends.
func (c *client) offer(m wire.Offer) error {
	if err := c.service.Limiter.Offer(c.from, cmp.Or(c.me.Account, c.conn.ID())); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	c.conn.OnEnd(cancel)
	defer c.conn.OnEnd(nil)
	_, err := c.room.Media.Open(ctx, c.me, m.Media, liveroom.Offer{SDP: m.SDP, Node: m.Node}, func(session rtc.Session) {
		c.reply(wire.Answer{ID: m.ID, Media: m.Media, SDP: session.Answer()})
	})
	return err
}

// restart begins another ICE session of the ear or the mic. It counts as an offer.
func (c *client) restart(m wire.RestartICE) error {
	if err := c.service.Limiter.Offer(c.from, cmp.Or(c.me.Account, c.conn.ID())); err != nil {
		return err
	}
	fragment, err := c.room.Media.Restart(c.me, m.Media, m.Fragment)
	if err != nil {
		return err
	}
	c.reply(wire.ICERestarted{ID: m.ID, Media: m.Media, Fragment: fragment})
	return nil
}
