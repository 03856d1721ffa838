package liveroom

import (
	"math"
	"time"

	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// view shows a room in the messages of the protocol. All of its methods are called
// with the room's lock held.
type view struct {
	room *LiveRoom
}

// joined returns what a newcomer is sent: a snapshot of the room.
func (v view) joined(p *Participant) wire.Joined {
	l := v.room
	me, _ := l.rules.Member(p.ID)
	joined := wire.Joined{
		Room:    l.id,
		Member:  string(p.ID),
		Role:    WireRole(me.Role),
		Talker:  p.talker,
		Slots:   l.slots,
		Stage:   v.stage(),
		Talkers: l.announcer.talkers(),
		Rev:     l.log.Revision(),
		Rules:   wireRules(l.rules.Rules()),
		Resume:  v.ticket(p),
	}
	joined.Hall, joined.Audience, joined.Total = v.seats(p)
	if p.onStage {
		joined.Hands, joined.HandCount = v.hands()
	}
	l.pending.shown(p, l.rules.Halls(), joined.Talkers)
	return joined
}

// resumed returns what a participant is sent who reconnects and has seen the
// changes up to a revision: the later ones, or a snapshot if they are not known.
func (v view) resumed(p *Participant, revision uint64) wire.Resumed {
	l := v.room
	me, _ := l.rules.Member(p.ID)
	resumed := wire.Resumed{
		Room:    l.id,
		Member:  string(p.ID),
		Role:    WireRole(me.Role),
		Talker:  p.talker,
		Muted:   me.Muted,
		Slots:   l.slots,
		Rev:     l.log.Revision(),
		Talkers: l.announcer.talkers(),
		Rules:   wireRules(l.rules.Rules()),
		Ear:     p.ear != nil,
		Mic:     p.mic != nil,
		Invite:  v.invitation(me),
		Resume:  v.ticket(p),
	}
	resumed.Hall, resumed.Audience, resumed.Total = v.seats(p)
	if changes, ok := l.log.Since(revision); ok {
		resumed.StageChanges = changes
	} else {
		resumed.Stage = v.stage()
	}
	if p.onStage {
		resumed.Hands, resumed.HandCount = v.hands()
	}
	l.pending.shown(p, l.rules.Halls(), resumed.Talkers)
	return resumed
}

// ticket returns what a participant needs to resume.
func (v view) ticket(p *Participant) wire.Ticket {
	return wire.Ticket{
		Key:     resumeKey(v.room.registry.cfg.Key, v.room.id, string(p.ID)),
		WindowS: int(v.room.rules.Config().ReconnectWindow / time.Second),
	}
}

// seats returns the participant's hall, and the counts that they may know.
func (v view) seats(p *Participant) (hall, audience, total int) {
	halls := v.room.rules.Halls()
	if p.onStage {
		return 0, halls[0], v.room.rules.Audience()
	}
	return p.hall, halls[p.hall], 0
}

// stage returns everybody on stage. The list is never nil.
func (v view) stage() []wire.StageMember {
	members := v.room.rules.Stage()
	stage := make([]wire.StageMember, 0, len(members))
	for _, m := range members {
		stage = append(stage, v.stageMember(m))
	}
	return stage
}

func (v view) stageMember(m room.Member) wire.StageMember {
	member := wire.StageMember{
		Member: string(m.ID), Name: m.Name, Role: WireRole(m.Role), Muted: m.Muted, Away: !m.Connected(),
	}
	if p, ok := v.room.roster.participants[m.ID]; ok {
		member.Talker = p.talker
	}
	member.Profile, member.Picture = v.profile(m)
	return member
}

// audience returns people in the audience. The list is never nil.
func (v view) audience(members []room.Member) []wire.AudienceMember {
	list := make([]wire.AudienceMember, 0, len(members))
	for _, m := range members {
		member := wire.AudienceMember{Member: string(m.ID), Name: m.Name, Hand: m.HandUp(), Away: !m.Connected()}
		member.Profile, member.Picture = v.profile(m)
		list = append(list, member)
	}
	return list
}

// profile returns the id of what a member shows of themselves, and the name of their picture.
func (v view) profile(m room.Member) (id, picture string) {
	if a, err := v.room.registry.cfg.Store.Account(m.Account); err == nil && a.HasProfile() {
		return a.ID, a.Picture
	}
	return "", ""
}

// hands returns the oldest raised hands, and how many there are. The list is never
// nil.
func (v view) hands() ([]wire.Hand, int) {
	raised := v.room.rules.Hands()
	list := make([]wire.Hand, 0, min(len(raised), wire.MaxHands))
	for _, m := range raised[:min(len(raised), wire.MaxHands)] {
		list = append(list, wire.Hand{Member: string(m.ID), Name: m.Name})
	}
	return list, len(raised)
}

// invitation returns a member's open invitation to the stage; nil: none.
func (v view) invitation(m room.Member) *wire.StageInvite {
	if !m.HasInvitation() {
		return nil
	}
	left := m.Invitation.Until.Sub(v.room.registry.cfg.Clock())
	return &wire.StageInvite{
		Role: WireRole(m.Invitation.Role), By: string(m.Invitation.By), ExpiresS: max(0, int(math.Ceil(left.Seconds()))),
	}
}
