package signaling

import (
	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/room/rtc"
	"github.com/earshot-audio/earshot/signaling/whip"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// person is a member of a live room together with what connects it: a WebSocket
// session, or a single media session over WHIP or WHEP. Its room's lock guards
// all of it but the first fields, which never change once the person is in.
type person struct {
	id     room.MemberID
	talker uint32
	room.Identity
	// kind is how someone without a WebSocket came; zero with one.
	kind whip.Kind

	// out is the session's queue; nil for someone who came over WHIP or WHEP, and
	// while the WebSocket is lost.
	out *sender
	// restored tells that the person was on stage before a restart, and has not
	// come back yet.
	restored bool

	onStage bool
	// hall is where the person sits, in the audience.
	hall int
	// member tells that the person is in the room: false before the join and
	// after the leave.
	member bool
	mic    *rtc.Mic
	ear    *rtc.Ear
}

// newPerson makes the person whom a grant is for.
func newPerson(have grant) *person {
	return &person{id: room.MemberID(newID()), Identity: identity(have)}
}

func identity(have grant) room.Identity {
	return room.Identity{Account: have.account, TokenFamily: have.pass}
}

// newcomer is how the rules of a room know the holder of a grant.
func newcomer(have grant, id, name string, role wire.Role) room.JoinRequest {
	if name == "" {
		name = have.name
	}
	return room.JoinRequest{
		Name: name, Role: ruleRole(role),
		ClubMember:  have.member,
		Invited:     have.operator || (have.room == id && have.invited),
		Reservation: have.reservation,
	}
}

// solo tells that the person came over WHIP or WHEP.
func (p *person) solo() bool { return p.kind != 0 }

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
