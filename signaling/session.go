package signaling

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"time"

	"github.com/gorilla/websocket"

	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/room/rtc"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// readSlack is how many times the longest message the socket reads at all: what
// is longer than a message gets an error, what is longer than this ends the
// connection (close code 1009) without being read.
const readSlack = 8

// session is one WebSocket: one reader, which is the HTTP handler's goroutine
// and runs the requests in order, and one writer. All fields but out belong to
// the reader.
type session struct {
	server *Server
	conn   *websocket.Conn
	from   origin
	id     string
	out    *sender
	log    *slog.Logger

	greeted bool
	token   string
	name    string
	me      *person
	live    *live
	// parted tells that the client has closed the WebSocket in good order, or has
	// been put out for what it sent: it will not come back.
	parted    bool
	malformed int
	buf       bytes.Buffer
}

// serve runs the session until it ends.
func (s *session) serve(ctx context.Context) {
	go s.out.run()
	s.read(ctx)
	close(s.out.read)
	if s.live != nil {
		s.live.hangUpOn(s.me, s.out, s.parted)
	}
	<-s.out.done
}

// read takes messages until the connection fails or is closed. When the session
// is ending it reads on, and drops what it reads, for the closing handshake.
func (s *session) read(ctx context.Context) {
	cfg := s.out.cfg
	s.conn.SetReadLimit(readSlack * wire.MaxMessage)
	_ = s.conn.SetReadDeadline(time.Now().Add(cfg.HelloWait))
	alive := func() {
		if s.greeted {
			_ = s.conn.SetReadDeadline(time.Now().Add(cfg.PongWait))
		}
	}
	s.conn.SetPongHandler(func(string) error { alive(); return nil })
	answerPing := s.conn.PingHandler()
	s.conn.SetPingHandler(func(data string) error { alive(); return answerPing(data) })

	for {
		kind, r, err := s.conn.NextReader()
		if err == nil && !s.out.stopped() {
			err = s.take(ctx, kind, r)
		}
		if err != nil {
			s.lost(err)
			return
		}
		alive()
	}
}

// lost ends the session after the socket gave no more.
func (s *session) lost(err error) {
	var timeout net.Error
	if !s.greeted && errors.As(err, &timeout) && timeout.Timeout() {
		s.out.finish(wire.GoodbyeTimeout)
		return
	}
	s.parted = s.parted || websocket.IsCloseError(err, websocket.CloseNormalClosure)
	if !s.out.stopped() {
		s.log.Debug("session lost", "err", err)
	}
	if errors.As(err, &timeout) && timeout.Timeout() {
		s.out.reset() // it says nothing any more, or does not read its pongs
	}
	// A session that is ending is left to its writer.
	s.out.quit()
}

// keptBuffer is how much memory a session keeps for what it reads: most of it is
// short.
const keptBuffer = 512

// take reads and handles one message. An error means that the socket is dead.
func (s *session) take(ctx context.Context, kind int, r io.Reader) error {
	s.buf.Reset()
	defer func() {
		if s.buf.Cap() > keptBuffer {
			s.buf = bytes.Buffer{} // an offer's, for which nothing more may come for hours
		}
	}()
	if _, err := s.buf.ReadFrom(io.LimitReader(r, wire.MaxMessage+1)); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, r); err != nil {
		return err
	}
	if kind == websocket.BinaryMessage {
		s.server.metrics.received(typeBinary)
		s.refuseMalformed(wire.NewError(wire.CodeBadRequest, "messages must be text"))
		return nil
	}
	m, err := wire.DecodeClient(s.buf.Bytes())
	if err != nil {
		s.server.metrics.received(typeMalformed)
		s.refuseMalformed(refuse(s.log, err))
		return nil
	}
	s.server.metrics.received(m.Type())
	if err := s.server.limits.message(s.from, s.id); err != nil {
		refusal := refuse(s.log, err)
		refusal.ID = m.RequestID()
		s.refuseMalformed(refusal) // who goes on regardless is not listened to
		return nil
	}
	s.malformed = 0
	if err := s.handle(ctx, m); err != nil {
		refusal := refuse(s.log, err)
		refusal.ID = m.RequestID()
		s.reply(refusal)
	}
	return nil
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
		s.log.Error("encode a reply", "type", m.Type(), "err", err)
		return
	}
	s.out.push(p)
}

// handle carries out one request. It queues the answer, or returns the refusal.
func (s *session) handle(ctx context.Context, m wire.ClientMessage) error {
	if hello, ok := m.(wire.Hello); ok {
		return s.hello(hello)
	}
	if !s.greeted {
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

	ok := func() { s.reply(wire.OK{ID: m.RequestID()}) }
	switch m := m.(type) {
	case wire.Offer:
		if err := s.server.limits.offer(s.from, cmp.Or(s.me.Account, s.id)); err != nil {
			return err
		}
		_, err := s.live.open(ctx, s.me, m.Media, m.SDP, func(session rtc.Session) {
			s.reply(wire.Answer{ID: m.ID, Media: m.Media, SDP: session.Answer()})
		})
		return err
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
		return rules.PassHost(me, s.whom(m.Member), now)
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
	if s.greeted {
		return wire.NewError(wire.CodeConflict, "hello has been said")
	}
	if _, err := s.server.gate.check(m.Token); err != nil {
		return err
	}
	s.greeted, s.token, s.name = true, m.Token, m.Name
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
	p.out = s.out
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
	me, err := l.resume(m, identity(have), s.out, func(resumed wire.Resumed) {
		resumed.ID = m.ID
		s.reply(resumed)
	})
	if err != nil {
		return err
	}
	s.live, s.me = l, me
	return nil
}
