package liveroom

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/room/rtc"
	"github.com/earshot-audio/earshot/signaling/wire"
)

const (
	// moveOverlap is how long the media of a room that has moved plays on at most, and overlapLook how often it
	// is looked whether anybody still has some.
	moveOverlap = 3 * time.Second
	overlapLook = 20 * time.Millisecond
)

// playOn lets the media of a room that has moved go on, while its people open others at the server that has it
// now. Nothing of the room changes here any more; what is decided there is told to [Registry.CutEarlier].
func (l *LiveRoom) playOn() {
	l.mu.Lock()
	moved := l.movedTo != ""
	l.mu.Unlock()
	if !moved {
		return
	}
	// A mic that came over WHIP can't be told to go: it comes again at once, for those who are there.
	l.cutMedia(func(p *Participant) bool { return p.mediaOnly == wire.MediaMic }, wire.MediaMic)
	end := time.NewTimer(moveOverlap)
	defer end.Stop()
	look := time.NewTicker(overlapLook)
	defer look.Stop()
	for l.hasMedia() {
		select {
		case <-end.C:
			return
		case <-look.C:
		}
	}
}

// personOf is what somebody is known by on all servers: their account, or else their token's family. It is empty for who
// came without a token.
func personOf(who room.Identity) string { return cmp.Or(who.Account, who.TokenFamily) }

// CutEarlier ends the media of these kinds that people (see personOf) still have here of a room that has moved to another
// server, and returns when they hear nothing of it any more, or are not heard. Who came without a token may be anybody:
// then all of it ends.
func (r *Registry) CutEarlier(id string, people []string, media ...wire.Media) {
	all := slices.Contains(people, "")
	if all {
		media = []wire.Media{wire.MediaMic, wire.MediaEar}
	}
	for _, l := range r.moved() {
		if l.id == id {
			l.cutMedia(func(p *Participant) bool { return all || slices.Contains(people, personOf(p.Identity)) }, media...)
		}
	}
}

// Earlier returns who somebody is that was in a room when it moved from here, while something of it is left here.
func (r *Registry) Earlier(id string, member room.MemberID) (m room.Member, there bool) {
	for _, l := range r.moved() {
		if l.id != id {
			continue
		}
		l.mu.Lock()
		i := slices.IndexFunc(l.movedFrom, func(m room.Member) bool { return m.ID == member })
		if there = i >= 0; there {
			m = l.movedFrom[i]
		}
		l.mu.Unlock()
		if there {
			break
		}
	}
	return m, there
}

// Moved reports whether the room has moved to another server, and is no more than what is left of it here.
func (l *LiveRoom) Moved() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.movedTo != ""
}

// FindEarlier returns the WHIP or WHEP session with an ID that is left here of a room that has moved.
func (r *Registry) FindEarlier(id, session string, media wire.Media) (l *LiveRoom, p *Participant, open rtc.Session, there bool) {
	for _, l := range r.moved() {
		if l.id != id {
			continue
		}
		if p, open, there := l.Media.Find(session, media); there {
			return l, p, open, true
		}
	}
	return nil, nil, nil, false
}

// EndMoved ends what is left here of all rooms that have moved: the server may have missed what was decided about their
// people.
func (r *Registry) EndMoved() {
	for _, l := range r.moved() {
		l.Media.close(l.detachMedia(func(*Participant) bool { return true }, wire.MediaMic, wire.MediaEar)...)
	}
}

// cutMoved ends what an account still has here of rooms that have moved, but for the one that it comes into now: it takes
// over from what it has here. If it comes into that a second time, that is another device.
func (r *Registry) cutMoved(account, into string, a Arrival) {
	for _, s := range r.earlier.find(account) {
		s.room.mu.Lock()
		cut := s.participant.arrival.before(a)
		if p := s.participant; cut && s.room.id == into {
			cut = p.follower != Arrival{} && p.follower != a
			p.follower = a
		}
		s.room.mu.Unlock()
		if cut {
			s.room.CutMediaOf(s.participant)
		}
	}
}

// moved returns the rooms that have moved, or are about to, and of which something is left.
func (r *Registry) moved() []*LiveRoom {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Collect(maps.Keys(r.moving))
}

// CutMediaOf ends what a participant has in a room that has moved, and returns when they hear nothing any more and are not heard.
func (l *LiveRoom) CutMediaOf(who *Participant) {
	l.mu.Lock()
	detached := l.Media.detach(who, wire.MediaMic, wire.MediaEar)
	l.mu.Unlock()
	l.closeCut(detached)
}

// cutMedia ends people's sessions of these kinds, and returns when they hear nothing any more, or are not heard.
func (l *LiveRoom) cutMedia(whose func(*Participant) bool, media ...wire.Media) {
	l.closeCut(l.detachMedia(whose, media...))
}

// closeCut closes detached sessions when other servers have carried out that they are.
func (l *LiveRoom) closeCut(detached []rtc.Session) {
	if len(detached) > 0 {
		l.Media.relay.Settle()
		l.Media.close(detached...)
	}
}

// detachMedia takes people's sessions of these kinds off the packet path. The caller closes them.
func (l *LiveRoom) detachMedia(whose func(*Participant) bool, media ...wire.Media) (detached []rtc.Session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.Media.byID {
		if whose(p) {
			detached = append(detached, l.Media.detach(p, media...)...)
		}
	}
	return detached
}

// hasMedia reports whether anybody has a session.
func (l *LiveRoom) hasMedia() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.Media.byID) > 0
}
