package signaling

import (
	"bufio"
	"cmp"
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/room/rtc"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// session is one WebSocket: a reading half, which runs the requests in order, and
// a writing half. Neither has a goroutine while there is nothing to do. The fields
// belong to the reading half, but for out and those that never change.
type session struct {
	server *Server
	from   origin
	id     string
	start  time.Time
	in     reader
	out    sender
	// greeted tells that hello has been said.
	greeted atomic.Bool
	// halves is how many of the two have not ended.
	halves atomic.Int32

	token string
	name  string
	me    *person
	live  *live
	// parted tells that the client has closed the WebSocket in good order, or has
	// been put out for what it sent: it will not come back.
	parted    bool
	malformed int
}

// newSession makes a session of a connection, which begin starts.
func newSession(s *Server, conn *websocket.Conn, buffer *bufio.Reader, from origin) *session {
	session := &session{server: s, from: from, id: newID(), start: time.Now()}
	session.in.conn, session.in.buffer = conn, buffer
	session.out.session, session.out.conn, session.out.cfg = session, conn, &s.cfg
	session.halves.Store(2)
	return session
}

// begin starts both halves. The session ends by itself.
func (s *session) begin() {
	s.out.begin()
	s.read()
}

// halfOver notes that a half has ended, and after the second the session.
func (s *session) halfOver() {
	if s.halves.Add(-1) == 0 {
		s.server.sessionOver(s)
	}
}

// logger is made when it is needed, which is seldom.
func (s *session) logger() *slog.Logger { return s.server.log.With("session", s.id) }

// alive notes that the client has said something.
func (s *session) alive() { s.in.heard.Store(int64(time.Since(s.start))) }

// request carries out one message. What it was read into is not kept.
func (s *session) request(kind int, data []byte) {
	if kind == websocket.BinaryMessage {
		s.server.metrics.received(typeBinary)
		s.refuseMalformed(wire.NewError(wire.CodeBadRequest, "messages must be text"))
		return
	}
	m, err := wire.DecodeClient(data)
	if err != nil {
		s.server.metrics.received(typeMalformed)
		s.refuseMalformed(refuse(s.logger(), err))
		return
	}
	s.server.metrics.received(wire.TypeOf(m))
	if err := s.server.limits.message(s.from, s.id); err != nil {
		refusal := refuse(s.logger(), err)
		refusal.ID = wire.RequestID(m)
		s.refuseMalformed(refusal) // who goes on regardless is not listened to
		return
	}
	s.malformed = 0
	if err := s.handle(m); err != nil {
		refusal := refuse(s.logger(), err)
		refusal.ID = wire.RequestID(m)
		s.reply(refusal)
	}
}

// refuseMalformed answers what could not be read as a message. A client that
// sends nothing else is not worth listening to.
func (s *session) refuseMalformed(refusal wire.Error) {
	s.reply(refusal)
	s.malformed++
	if s.malformed >= s.out.cfg.MaxMalformed {
		s.parted = true
		s.out.finish(wire.GoodbyeProtocol)
	}
}

// reply queues one message for this client.
func (s *session) reply(m wire.ServerMessage) {
	p, err := pack(m)
	if err != nil {
		s.logger().Error("encode a reply", "type", wire.TypeOf(m), "err", err)
		return
	}
	s.out.push(p)
}

// handle carries out one request. It queues the answer, or returns the refusal.
func (s *session) handle(m wire.ClientMessage) error {
	if hello, ok := m.(wire.Hello); ok {
		return s.hello(hello)
	}
	if !s.greeted.Load() {
		return wire.NewError(wire.CodeConflict, "say hello first")
	}
	if join, ok := m.(wire.Join); ok {
		return s.join(join)
	}
	if resume, ok := m.(wire.Resume); ok {
		return s.resume(resume)
	}
	if s.live == nil {
		return wire.NewError(wire.CodeConflict, "join a room first")
	}

	ok := func() { s.reply(wire.OK{ID: wire.RequestID(m)}) }
	switch m := m.(type) {
	case wire.Offer:
		return s.offer(m)
	case wire.Hangup:
		s.live.hangUp(s.me, m.Media)
		ok()
		return nil
	case wire.Leave:
		return s.live.leave(s.me, false, ok)
	case wire.End:
		return s.live.end(s.me.id, ok)
	}
	return s.live.act(func(now time.Time) ([]room.Event, error) { return s.change(m, now) }, ok)
}

// offer opens the ear or the mic, for as long as the session does not end.
func (s *session) offer(m wire.Offer) error {
	if err := s.server.limits.offer(s.from, cmp.Or(s.me.Account, s.id)); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s.out.onEnd(cancel)
	defer s.out.onEnd(nil)
	_, err := s.live.open(ctx, s.me, m.Media, m.SDP, func(session rtc.Session) {
		s.reply(wire.Answer{ID: m.ID, Media: m.Media, SDP: session.Answer()})
	})
	return err
}

// change applies a request that is a matter of the rules alone.
func (s *session) change(m wire.ClientMessage, now time.Time) ([]room.Event, error) {
	rules, me := s.live.rules, s.me.id
	switch m := m.(type) {
	case wire.Mute:
		if m.Muted {
			return rules.Mute(me, s.whom(m.Member), now)
		}
		return rules.Unmute(me, s.whom(m.Member), now)
	case wire.Promote:
		return rules.Promote(me, s.whom(m.Member), stageRole(m.Role), now)
	case wire.Demote:
		return rules.Demote(me, s.whom(m.Member), now)
	case wire.Remove:
		return rules.Remove(me, s.whom(m.Member), now)
	case wire.RaiseHand:
		return rules.RaiseHand(me, now)
	case wire.LowerHand:
		return rules.LowerHand(me, s.whom(m.Member), now)
	case wire.InviteToStage:
		return rules.InviteToStage(me, s.whom(m.Member), stageRole(m.Role), now)
	case wire.AcceptStage:
		return rules.AcceptStage(me, now)
	case wire.DeclineStage:
		return rules.DeclineStage(me, s.whom(m.Member), now)
	case wire.PassHost:
		return rules.TransferHost(me, s.whom(m.Member), now)
	case wire.SetRules:
		return rules.SetRules(me, changed(rules.Rules(), m), now)
	case wire.Ban:
		return rules.Ban(me, s.whom(m.Member), now)
	case wire.Unban:
		return rules.Unban(me, s.whom(m.Member), now)
	}
	return nil, wire.NewError(wire.CodeUnknownType, "")
}

// whom returns the member a request is about: oneself, if it names nobody.
func (s *session) whom(member string) room.MemberID {
	if member == "" {
		return s.me.id
	}
	return room.MemberID(member)
}

func (s *session) hello(m wire.Hello) error {
	if s.greeted.Load() {
		return wire.NewError(wire.CodeConflict, "hello has been said")
	}
	if _, err := s.server.gate.check(m.Token); err != nil {
		return err
	}
	s.token, s.name = m.Token, m.Name
	s.greeted.Store(true)
	s.reply(wire.Welcome{ID: m.ID, Session: s.id, Version: wire.Version, Server: "earshot/" + s.out.cfg.Version})
	return nil
}

var errJoined = wire.NewError(wire.CodeConflict, "this session has joined a room; open another for another")

// admitted tells what the session's token allows now: since hello it may have
// expired, or been revoked.
func (s *session) admitted(id string, want wire.Role) (grant, wire.Role, error) {
	have, err := s.server.gate.check(s.token)
	if err != nil {
		return grant{}, "", err
	}
	role, have, err := s.server.admit(have, id, want)
	return have, role, err
}

func (s *session) join(m wire.Join) error {
	if s.live != nil {
		return errJoined
	}
	have, role, err := s.admitted(m.Room, m.Role)
	if err != nil {
		s.server.metrics.joined("ws", err)
		return err
	}
	p := newPerson(have)
	p.out = &s.out
	l, me, err := s.server.hub.join(m.Room, p, newcomer(have, m.Room, cmp.Or(m.Name, s.name), role), "ws", func(joined wire.Joined) {
		joined.ID = m.ID
		s.reply(joined)
	})
	if err != nil {
		return err
	}
	s.live, s.me = l, me
	return nil
}

func (s *session) resume(m wire.Resume) error {
	if s.live != nil {
		return errJoined
	}
	have, err := s.server.gate.check(s.token)
	if err != nil {
		return err
	}
	l, err := s.server.hub.find(m.Room)
	if err != nil || !fits(s.out.cfg.Key, m) {
		return errNothingToResume
	}
	me, err := l.resume(m, identity(have), &s.out, func(resumed wire.Resumed) {
		resumed.ID = m.ID
		s.reply(resumed)
	})
	if err != nil {
		return err
	}
	s.live, s.me = l, me
	return nil
}
