package liveroom

import (
	"maps"
	"slices"
	"time"

	"github.com/earshot-audio/earshot/room/rtc"
	"github.com/earshot-audio/earshot/signaling/wire"
)

const (
	// moveOverlap is how long the media of a room that has moved plays on at most, and overlapLook how often it
	// is looked whether anybody still has some.
	moveOverlap = 3 * time.Second
	overlapLook = 20 * time.Millisecond
	// cutWait is how long another server waits for that to end.
	cutWait = time.Second
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
	end := time.NewTimer(moveOverlap)
	defer end.Stop()
	look := time.NewTicker(overlapLook)
	defer look.Stop()
	for l.hasMedia() {
		select {
		case <-l.cut:
			return
		case <-end.C:
			return
		case <-look.C:
		}
	}
}

// CutEarlier ends what people with the given accounts still have here of a room that has moved to another server, and
// returns when they hear nothing of it any more, and are not heard. Somebody without an account is anybody: then all of it ends.
func (r *Registry) CutEarlier(id string, accounts []string) {
	for _, l := range r.moved() {
		switch {
		case l.id != id:
		case slices.Contains(accounts, ""):
			l.cutting.Do(func() { close(l.cut) })
			select {
			case <-l.down:
			case <-time.After(cutWait):
			}
		default:
			l.cutMedia(func(p *Participant) bool { return slices.Contains(accounts, p.Account) })
		}
	}
}

// moved returns the rooms that have moved and of which something is left.
func (r *Registry) moved() []*LiveRoom {
	r.mu.Lock()
	standing := slices.Collect(maps.Keys(r.standing))
	r.mu.Unlock()
	return slices.DeleteFunc(standing, func(l *LiveRoom) bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.movedTo == ""
	})
}

// cutMedia ends people's sessions.
func (l *LiveRoom) cutMedia(whose func(*Participant) bool) {
	l.mu.Lock()
	var detached []rtc.Session
	for _, p := range l.Media.byID {
		if whose(p) {
			detached = append(detached, l.Media.detach(p, wire.MediaMic, wire.MediaEar)...)
		}
	}
	l.mu.Unlock()
	l.Media.relay.Settle()
	l.Media.close(detached...)
}

// hasMedia reports whether anybody has a session.
func (l *LiveRoom) hasMedia() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.Media.byID) > 0
}
