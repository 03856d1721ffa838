package signaling

import (
	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/room/rtc"
	"github.com/earshot-audio/earshot/signaling/whip"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// person is a member of a live room together with what connects it: a WebSocket
// session, or a single media session over WHIP or WHEP. Its room's lock guards
// all of it but the first four fields, which never change.
type person struct {
	id     room.MemberID
	talker uint32
	// out is the session's queue; nil for someone who came over WHIP or WHEP.
	out *sender
	// kind is how someone without a WebSocket came; zero with one.
	kind whip.Kind

	onStage bool
	// member tells that the person is in the room: false before the join and
	// after the leave.
	member bool
	mic    *rtc.Mic
	ear    *rtc.Ear
}

// tell queues a message for a person with a WebSocket. It never blocks. (Packing
// cannot fail: what is told was made here, or was validated on its way in.)
func (p *person) tell(m wire.ServerMessage) {
	if p.out == nil {
		return
	}
	if parcel, err := pack(m); err == nil {
		p.out.push(parcel)
	}
}

// medium returns the open mic or ear; nil if there is none.
func (p *person) medium(kind wire.Media) rtc.Session {
	switch {
	case kind == wire.MediaMic && p.mic != nil:
		return p.mic
	case kind == wire.MediaEar && p.ear != nil:
		return p.ear
	}
	return nil
}

// take removes the open mic or ear and returns it; nil if there was none.
func (p *person) take(kind wire.Media) rtc.Session {
	open := p.medium(kind)
	if kind == wire.MediaMic {
		p.mic = nil
	} else {
		p.ear = nil
	}
	return open
}

// owner returns the talker that the person's ear must not carry: their own, on
// stage; 0 in the audience.
func (p *person) owner() uint32 {
	if p.onStage {
		return p.talker
	}
	return 0
}

// wireRole returns the protocol's word for a role. They are the same words.
func wireRole(role room.Role) wire.Role { return wire.Role(role.String()) }

// ruleRole returns the rules' value for a role of the protocol, which has been
// validated; the zero value for none.
func ruleRole(role wire.Role) room.Role {
	switch role {
	case wire.RoleListener:
		return room.Listener
	case wire.RoleSpeaker:
		return room.Speaker
	case wire.RoleHost:
		return room.Host
	}
	return 0
}
