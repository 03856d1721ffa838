package signaling

import (
	"math"

	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// What people are shown of a room when they come in. All of it is called with the
// room's lock held.

// picture returns what a newcomer is told.
func (l *live) picture(p *person) wire.Joined {
	me, _ := l.rules.Member(p.id)
	joined := wire.Joined{
		Room:    l.id,
		Member:  string(p.id),
		Role:    wireRole(me.Role),
		Talker:  p.talker,
		Slots:   l.slots,
		Stage:   l.stage(),
		Talkers: l.talkers.now(),
		Rev:     l.journal.rev,
		Rules:   wireRules(l.rules.Rules()),
		Resume:  l.ticket(p),
	}
	joined.Hall, joined.Audience, joined.Total = l.seats(p)
	if p.onStage {
		joined.Hands, joined.HandCount = l.hands()
	}
	l.news.shown(p, l.rules.Halls(), joined.Talkers)
	return joined
}

// missed returns what somebody is told who comes back and has seen the changes up
// to a number.
func (l *live) missed(p *person, rev uint64) wire.Resumed {
	me, _ := l.rules.Member(p.id)
	resumed := wire.Resumed{
		Room:    l.id,
		Member:  string(p.id),
		Role:    wireRole(me.Role),
		Talker:  p.talker,
		Muted:   me.Muted,
		Slots:   l.slots,
		Rev:     l.journal.rev,
		Talkers: l.talkers.now(),
		Rules:   wireRules(l.rules.Rules()),
		Ear:     p.ear != nil,
		Mic:     p.mic != nil,
		Invite:  l.inviteOf(me),
		Resume:  l.ticket(p),
	}
	resumed.Hall, resumed.Audience, resumed.Total = l.seats(p)
	if changes, ok := l.journal.since(rev); ok {
		resumed.StageChanges = changes
	} else {
		resumed.Stage = l.stage()
	}
	if p.onStage {
		resumed.Hands, resumed.HandCount = l.hands()
	}
	l.news.shown(p, l.rules.Halls(), resumed.Talkers)
	return resumed
}

// seats returns where a person sits, and the counts that they may know.
func (l *live) seats(p *person) (hall, audience, total int) {
	halls := l.rules.Halls()
	if p.onStage {
		return 0, halls[0], l.rules.Audience()
	}
	return p.hall, halls[p.hall], 0
}

// stage returns who is on stage.
func (l *live) stage() []wire.StageMember {
	members := l.rules.Stage()
	stage := make([]wire.StageMember, 0, len(members))
	for _, m := range members {
		stage = append(stage, l.stageMember(m))
	}
	return stage
}

func (l *live) stageMember(m room.Member) wire.StageMember {
	member := wire.StageMember{
		Member: string(m.ID), Name: m.Name, Role: wireRole(m.Role), Muted: m.Muted, Away: !m.Connected(),
	}
	if p, ok := l.people[m.ID]; ok {
		member.Talker = p.talker
	}
	return member
}

// hands returns the oldest raised hands, and how many there are. The list is
// never nil.
func (l *live) hands() ([]wire.Hand, int) {
	up := l.rules.Hands()
	list := make([]wire.Hand, 0, min(len(up), wire.MaxHands))
	for _, m := range up[:min(len(up), wire.MaxHands)] {
		list = append(list, wire.Hand{Member: string(m.ID), Name: m.Name})
	}
	return list, len(up)
}

// inviteOf returns the invitation that waits for a member's answer; nil: none.
func (l *live) inviteOf(m room.Member) *wire.StageInvite {
	if !m.HasInvitation() {
		return nil
	}
	left := m.Invitation.Until.Sub(l.hub.cfg.Clock())
	return &wire.StageInvite{
		Role: wireRole(m.Invitation.Role), By: string(m.Invitation.By), ExpiresS: max(0, int(math.Ceil(left.Seconds()))),
	}
}
