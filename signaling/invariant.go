package signaling

import (
	"time"

	"github.com/earshot-audio/earshot/room"
)

// checkEvery is how often all rooms are checked.
const checkEvery = time.Second

// mismatches counts what must not be: that a room's media, its roster and its
// rules tell different stories. Nobody is heard or hears who is not in the room,
// and nobody is heard who is not on stage or is muted.
//
// What is being opened or closed at this moment is nobody's, and no mismatch.
func (l *live) mismatches() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rules.Ended() {
		return 0 // all of its media is being closed
	}
	count := func(wrong bool) { n += one(wrong) }

	// Media without a person: a ghost.
	strays := 0
	l.media.EachSession(func(id string) {
		p, ok := l.sessions[id]
		if !ok {
			strays++
			return
		}
		count(!p.member || l.people[p.id] != p)
	})
	n += max(0, strays-l.opening-l.closing)

	mics, ears := 0, 0
	for id, p := range l.people {
		m, ok := l.rules.Member(id)
		count(!ok || !p.member || p.onStage != m.Role.OnStage() || p.hall != m.Hall)
		count((p.out == nil && !p.solo()) != (ok && !m.Connected()))
		mics += one(p.mic != nil)
		ears += one(p.ear != nil)
		count(p.mic != nil && m.Role == room.Listener)
		if p.onStage {
			count(l.media.Muted(p.talker) != m.Muted)
		}
	}
	count(len(l.people) != l.rules.Len())

	// What the fan-out serves, counted there.
	served := l.media.Stats()
	n += max(0, served.Mics-mics-l.opening-l.closing)
	n += max(0, served.Ears-ears-l.opening-l.closing)
	return n
}

// looked is what a room looked like when it was last looked through.
type looked struct {
	mics, ears int // that the fan-out serves
	wrong      int
	// passed is how often it has been passed by since.
	passed int
}

// mostPassed is how often a room is passed by at most, whatever it looks like:
// what the check is there for is that something was forgotten.
const mostPassed = 9

// recheck is mismatches for a room that is checked again and again. One in which
// nothing has been touched, and nothing was wrong, is mostly passed by: to look
// through thousands of people takes milliseconds.
func (l *live) recheck() int {
	served := l.media.Stats()
	l.mu.Lock()
	last := &l.looked
	if !l.touched && last.mics == served.Mics && last.ears == served.Ears && last.wrong == 0 && last.passed < mostPassed {
		last.passed++
		l.mu.Unlock()
		return 0
	}
	l.touched = false
	l.mu.Unlock()
	wrong := l.mismatches()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.looked = looked{mics: served.Mics, ears: served.Ears, wrong: wrong}
	return wrong
}

// check checks all rooms and adds up what is wrong.
func (h *hub) check() {
	for _, l := range h.list() {
		if n := l.recheck(); n > 0 {
			h.metrics.mismatches.Add(float64(n))
			h.log.Error("media, roster and rules do not agree", "room", l.id, "mismatches", n)
		}
	}
}
