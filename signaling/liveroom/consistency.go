package liveroom

import (
	"time"

	"github.com/earshot-audio/earshot/room"
)

// checkEvery is how often all rooms are checked.
const checkEvery = time.Second

// maxSkips is how many checks in a row a room is skipped for at most, in case a
// change has not been noted.
const maxSkips = 9

// checker checks that a room's media, its roster and its rules agree. The room's
// lock guards it.
type checker struct {
	// touched reports that anything of this may have changed since the last check.
	touched bool
	last    checkResult
}

// checkResult is what a room looked like at the last full check.
type checkResult struct {
	mics, ears int // that the fan-out serves
	mismatches int
	// skips is how many checks have been skipped since.
	skips int
}

// Mismatches counts the places where a room's media, its roster and its rules
// disagree; it must always be 0. Nobody is heard or hears who is not in the room,
// and nobody is heard who is not on stage or is muted. A session that is being
// opened or closed belongs to nobody and is no mismatch.
func (l *LiveRoom) Mismatches() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rules.Ended() {
		return 0 // all of its media is being closed
	}
	count := func(wrong bool) { n += one(wrong) }
	media := l.Media

	strays := 0 // sessions without a participant
	media.room.EachSession(func(id string) {
		p, ok := media.byID[id]
		if !ok {
			strays++
			return
		}
		count(!p.joined || l.roster.participants[p.ID] != p)
	})
	n += max(0, strays-media.opening-media.closing)

	mics, ears := 0, 0
	for id, p := range l.roster.participants {
		m, ok := l.rules.Member(id)
		count(!ok || !p.joined || p.onStage != m.Role.OnStage() || p.hall != m.Hall)
		count(p.disconnected() != (ok && !m.Connected()))
		mics += one(p.mic != nil)
		ears += one(p.ear != nil)
		count(p.mic != nil && m.Role == room.Listener)
		if p.onStage {
			count(media.room.Muted(p.talker) != m.Muted)
		}
	}
	count(len(l.roster.participants) != l.rules.Len())

	served := media.stats() // counted by the fan-out
	n += max(0, served.Mics-mics-media.opening-media.closing)
	n += max(0, served.Ears-ears-media.opening-media.closing)
	return n
}

// check is Mismatches for a room that is checked again and again. It skips most
// checks of a room in which nothing was touched and nothing was wrong, because to
// go through thousands of people takes milliseconds.
func (l *LiveRoom) check() int {
	served := l.Media.stats()
	l.mu.Lock()
	last := &l.checker.last
	if !l.checker.touched && last.mics == served.Mics && last.ears == served.Ears && last.mismatches == 0 && last.skips < maxSkips {
		last.skips++
		l.mu.Unlock()
		return 0
	}
	l.checker.touched = false
	l.mu.Unlock()
	wrong := l.Mismatches()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.checker.last = checkResult{mics: served.Mics, ears: served.Ears, mismatches: wrong}
	return wrong
}
