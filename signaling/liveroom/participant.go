package liveroom

import (
	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/room/rtc"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// Connection is a participant's WebSocket, as a room uses it. Its methods are
// called with the room's lock held and must not block. Two connections are the same
// if they are equal (==).
type Connection interface {
	// Send queues a message.
	Send(*wire.EncodedMessage)
	// Finish ends the connection with a goodbye. Only the first end counts.
	Finish(wire.GoodbyeReason) bool
}

// Participant is a member of a live room with what connects them: a WebSocket and
// the mic and ear that were opened over it, or a single media session over WHIP or
// WHEP. ID and Identity never change; the room's lock guards all else.
type Participant struct {
	ID room.MemberID
	room.Identity
	// mediaOnly is the only media of somebody who came over WHIP or WHEP; empty for
	// somebody with a WebSocket.
	mediaOnly wire.Media

	// arrival orders the arrivals of an account at the servers of a cluster.
	arrival Arrival
	// follower is the arrival that takes over from what they still have here of a room that has moved.
	follower Arrival

	talker uint32
	// conn is nil for somebody who came over WHIP or WHEP, and while the WebSocket is
	// lost.
	conn Connection
	// restored reports that the participant was on stage before a restart, and has
	// not come back yet.
	restored bool

	onStage bool
	// hall is the index of the hall in which the participant sits, in the audience.
	hall int
	// joined reports that the participant is in the room: false before the join and
	// after the leave.
	joined bool
	mic    *rtc.Mic
	ear    EarSession
	// moving reports that the server which has the ear will stop. leaving is such an ear that plays
	// on after another has been opened.
	moving  bool
	leaving EarSession
}

// NewParticipant returns a participant with a WebSocket, to join a room.
func NewParticipant(id string, who room.Identity, conn Connection) *Participant {
	return &Participant{ID: room.MemberID(id), Identity: who, conn: conn}
}

// NewMediaParticipant returns a participant who has nothing but a mic or an ear, to
// join a room.
func NewMediaParticipant(id string, who room.Identity, media wire.Media) *Participant {
	return &Participant{ID: room.MemberID(id), Identity: who, mediaOnly: media}
}

// disconnected reports whether the participant's WebSocket is lost.
func (p *Participant) disconnected() bool { return p.conn == nil && p.mediaOnly == "" }

// send queues a message for a participant with a WebSocket. (Encoding cannot fail:
// what is sent was made here, or was validated when it was received.)
func (p *Participant) send(m wire.ServerMessage) {
	if p.conn == nil {
		return
	}
	if encoded, err := wire.NewEncoded(m); err == nil {
		p.conn.Send(encoded)
	}
}

// session returns the open mic or ear; nil if there is none.
func (p *Participant) session(media wire.Media) rtc.Session {
	switch {
	case media == wire.MediaMic && p.mic != nil:
		return p.mic
	case media == wire.MediaEar && p.ear != nil:
		return p.ear
	}
	return nil
}

// setSession sets the open mic or ear.
func (p *Participant) setSession(session rtc.Session) {
	switch opened := session.(type) {
	case *rtc.Mic:
		p.mic = opened
	case EarSession:
		p.ear, p.moving = opened, false
	}
}

// earLeaves has the open ear play on beside the one that will be set.
func (p *Participant) earLeaves() { p.leaving, p.ear = p.ear, nil }

// takeLeaving removes the ear that plays on beside another and returns it; nil if there is none.
func (p *Participant) takeLeaving() EarSession {
	open := p.leaving
	p.leaving = nil
	return open
}

// setEarOwner sets the talker who is left out of what the participant hears.
func (p *Participant) setEarOwner() {
	for _, ear := range []EarSession{p.ear, p.leaving} {
		if ear != nil {
			ear.SetOwner(p.ownTalker())
		}
	}
}

// takeSession removes the open mic or ear and returns it; nil if there was none.
func (p *Participant) takeSession(media wire.Media) rtc.Session {
	open := p.session(media)
	if media == wire.MediaMic {
		p.mic = nil
	} else {
		p.ear = nil
	}
	return open
}

// ownTalker returns the talker that the participant's ear must not carry: their
// own, on stage; 0 in the audience.
func (p *Participant) ownTalker() uint32 {
	if p.onStage {
		return p.talker
	}
	return 0
}
