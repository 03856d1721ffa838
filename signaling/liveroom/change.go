package liveroom

import (
	"errors"
	"time"

	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/room/rtc"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// change carries out one change of a room's rules: first under the room's lock,
// then, by finish, what is left without it.
type change struct {
	room *LiveRoom

	// detached are the media sessions that have to be closed.
	detached []rtc.Session
	// cutOff reports that somebody is not to hear any more, or not to be heard. cut are the people (see personOf) who
	// are to have nothing any more where the room was before, and cutMics those who are to have no mic there; an
	// empty one is everybody.
	cutOff       bool
	cut, cutMics []string
	ended        bool
	// broadcasts are sent to all of to.
	broadcasts []wire.ServerMessage
	to         []Connection
}

// Change makes one change of the rules. change gets the rules and returns the
// events that followed, or an error, which means that nothing has changed.
//
// Before reply is called, everybody who loses their media by the change has lost
// it, and what must outlive the process has been saved: what is acknowledged has
// happened. reply, if not nil, is called with the lock held and before any message
// that follows from the change is queued, so that a client gets the answer to its
// request first. It is not called if there is an error.
func (l *LiveRoom) Change(apply func(rules *room.Room, now time.Time) ([]room.Event, error), reply func()) error {
	l.mu.Lock()
	now := l.registry.cfg.Clock()
	events, err := apply(l.rules, now)
	if err != nil {
		l.mu.Unlock()
		return err
	}
	l.checker.touched = true
	c := change{room: l}
	c.detachMedia(events)
	if len(c.cut) > 0 {
		l.Media.relay.CutEarlier(c.cut, wire.MediaMic, wire.MediaEar)
	}
	if len(c.cutMics) > 0 {
		l.Media.relay.CutEarlier(c.cutMics, wire.MediaMic)
	}
	if !l.letGo() {
		err = l.saver.save(l.rules, events)
	}
	if err == nil && reply != nil {
		if c.cutOff {
			l.Media.relay.Settle()
		}
		reply()
	}
	c.apply(events)
	l.setTimer(now)
	l.mu.Unlock()
	c.finish()
	return err
}

// Moderate is [LiveRoom.Change] for what is done to a member. If the room was on another server a moment ago, it
// may be somebody who was in it there and has not come here.
func (l *LiveRoom) Moderate(id room.MemberID, apply func(rules *room.Room, now time.Time) ([]room.Event, error), reply func()) error {
	err := l.Change(apply, reply)
	if !errors.Is(err, room.ErrNotMember) {
		return err
	}
	earlier, there := l.Media.relay.Earlier(id)
	if !there {
		return err
	}
	return l.Change(func(rules *room.Room, now time.Time) ([]room.Event, error) {
		rules.Recall(earlier)
		return apply(rules, now)
	}, reply)
}

// detachMedia lets no more packets pass to and from those who lose their media.
func (c *change) detachMedia(events []room.Event) {
	if c.room.movedTo != "" {
		return // see playOn
	}
	media := c.room.Media
	for _, e := range events {
		switch e.Kind {
		case room.Ended:
			c.cut = append(c.cut, "")
		case room.Blocked:
			c.cut = append(c.cut, personOf(e.Member.Identity))
		}
		p, ok := c.room.roster.participants[e.Member.ID]
		if !ok {
			continue
		}
		switch e.Kind {
		case room.Left:
			c.cutOff = true
			c.cut = append(c.cut, personOf(p.Identity))
			c.detached = append(c.detached, media.detach(p, wire.MediaMic, wire.MediaEar)...)
		case room.Demoted:
			c.cutMics = append(c.cutMics, personOf(p.Identity))
			c.detached = append(c.detached, media.detach(p, wire.MediaMic)...)
		case room.Muted:
			c.cutOff = true
			c.cutMics = append(c.cutMics, personOf(p.Identity))
			media.mute(p.talker, true)
		}
	}
}

// apply carries out the events on participants, connections and pending presence.
func (c *change) apply(events []room.Event) {
	l := c.room
	for _, e := range events {
		l.registry.audit(e)
		switch e.Kind {
		case room.Ended:
			l.registry.cfg.Log.Info("room ended", "room", l.id, "reason", e.Reason)
			c.ended = true
			// Counted here and not where the goroutine starts: a shutdown that finds the
			// room ended must wait for its teardown.
			l.registry.teardowns.Add(1)
		case room.RulesSet:
			l.pending.rules = true
			l.Media.setAudienceHold(e.Rules.AudienceHold)
			for _, m := range l.rules.Stage() { // whether they may undo a mute may have changed
				c.tellMuted(m)
			}
		case room.ReservationExpired:
			l.roster.sendHosts(l.rules, wire.GuestLapsed{Name: e.Reservation.Name, Role: WireRole(e.Reservation.Role)})
		default:
			if p, ok := l.roster.participants[e.Member.ID]; ok {
				c.applyTo(p, e)
			}
		}
	}
	if len(events) == 0 {
		return
	}
	if !c.ended {
		l.announcer.presence.Trigger()
	}
	if l.rules.Len() == 0 {
		l.emptySince = events[len(events)-1].At
	}
}

// applyTo carries out an event about one participant.
func (c *change) applyTo(p *Participant, e room.Event) {
	l := c.room
	switch e.Kind {
	case room.Joined:
		l.registry.cfg.Log.Debug("joined", "room", l.id, "member", p.ID, "role", e.Member.Role, "hall", e.Member.Hall)
		if p.onStage {
			c.tellMuted(e.Member)
			c.stageChanged(e.Member, false)
		}
	case room.Left:
		c.left(p, e)
	case room.Promoted, room.Demoted, room.SteppedDown:
		c.roleChanged(p, e)
	case room.Muted, room.Unmuted:
		l.Media.mute(p.talker, e.Member.Muted)
		p.send(wire.Muted{Muted: e.Member.Muted, MayUnmute: l.rules.MayUnmute(p.ID), By: string(e.By)})
		c.stageChanged(e.Member, false)
	case room.Disconnected, room.Reconnected:
		if p.onStage {
			c.stageChanged(e.Member, false)
		}
	case room.HandRaised, room.HandLowered:
		l.pending.hands = true
	case room.Applauded:
		l.pending.applauded(e.Member.ID)
	case room.StageInvited:
		p.send(*view{l}.invitation(e.Member))
	case room.StageInviteClosed:
		closed := wire.StageInviteClosed{
			Member: string(e.Member.ID), Name: e.Member.Name, Outcome: wire.StageOutcome(e.Outcome.String()),
		}
		l.roster.sendHosts(l.rules, closed)
		p.send(closed)
	}
}

// stageChanged notes the new state of somebody who is on stage, or leaves it.
func (c *change) stageChanged(m room.Member, gone bool) {
	state := wire.StageChange{StageMember: view{c.room}.stageMember(m), Gone: gone}
	c.room.log.Add(state)
	c.room.pending.stageChanged(state)
}

// left removes a participant who has left.
func (c *change) left(p *Participant, e room.Event) {
	l := c.room
	l.registry.cfg.Log.Debug("left", "room", l.id, "member", p.ID, "reason", e.Reason)
	if p.onStage {
		c.stageChanged(e.Member, true)
		if l.movedTo == "" {
			// Talker numbers are not reused, but the media remembers which are muted.
			l.Media.mute(p.talker, false)
		}
	}
	if e.Member.HandUp() {
		l.pending.hands = true
	}
	l.roster.remove(p)
	if l.movedTo != "" {
		l.registry.earlier.add(p.Account, seat{l, p})
	}
	l.registry.accounts.remove(p.Account, p) // after that, so that p is always found
	if p.conn == nil {
		return
	}
	if e.Reason == room.ReasonEnded {
		if l.movedTo != "" {
			p.send(wire.Redirect{URL: l.movedTo, Reason: wire.RedirectMoved})
		}
		p.conn.Finish(l.endReason)
	} else if reason, ok := goodbyes[e.Reason]; ok {
		p.conn.Finish(reason)
	}
}

// roleChanged carries out a change of role.
func (c *change) roleChanged(p *Participant, e room.Event) {
	l := c.room
	wasOnStage := p.onStage
	p.onStage, p.hall = e.Member.Role.OnStage(), e.Member.Hall
	if !e.Was.OnStage() || !p.onStage {
		// Only the stage is sent hands. A newcomer there has seen none, and the change
		// may have lowered a hand.
		l.pending.hands = true
	}
	p.send(wire.RoleChanged{Role: WireRole(e.Member.Role), By: string(e.By)})
	if wasOnStage && !p.onStage {
		// A later mic of this participant must not start muted.
		l.Media.mute(p.talker, false)
		if len(c.detached) > 0 {
			p.send(wire.MediaClosed{Media: wire.MediaMic, Reason: wire.CloseDemoted})
		}
	}
	if wasOnStage != p.onStage {
		p.setEarOwner()
	}
	c.tellMuted(e.Member)
	c.stageChanged(e.Member, !p.onStage)
	if e.Reason == room.ReasonTransferred || e.Reason == room.ReasonSucceeded {
		c.broadcasts = append(c.broadcasts, wire.HostChanged{
			Member: string(p.ID), Name: e.Member.Name, Reason: wire.HostReason(e.Reason.String()), By: string(e.By),
		})
		c.to = l.roster.connections()
	}
}

// tellMuted tells a member who is muted that they are, and whether they may undo it.
func (c *change) tellMuted(m room.Member) {
	if p, ok := c.room.roster.participants[m.ID]; ok && m.Muted {
		p.send(wire.Muted{Muted: true, MayUnmute: c.room.rules.MayUnmute(m.ID), By: string(m.MutedBy)})
	}
}

// finish does what is left without the lock.
func (c *change) finish() {
	l := c.room
	for _, m := range c.broadcasts {
		l.announcer.broadcast(m, c.to)
	}
	if !c.ended {
		if len(c.detached) > 0 {
			l.Media.close(c.detached...)
		}
		return
	}
	l.registry.remove(l)
	// In a goroutine of its own, because it closes all media and waits for the end of
	// each, which is a change, too.
	go l.tearDown()
}
