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
	l.media.Each(func(id string) {
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
		count((p.out == nil && !p.solo()) != (ok && !m.Present()))
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

// check checks all rooms and adds up what is wrong.
func (h *hub) check() {
	for _, l := range h.list() {
		if n := l.mismatches(); n > 0 {
			h.metrics.mismatches.Add(float64(n))
			h.log.Error("media, roster and rules do not agree", "room", l.id, "mismatches", n)
		}
	}
}
