package ledger

import (
	"slices"
	"time"

	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// A reopening is that a listener's ear was lost, and another is being opened.
type reopening struct {
	from  time.Duration // when the last packet of the lost one came
	done  chan struct{} // closed with the first packet of the other, which sets at and quiet
	at    time.Duration
	quiet time.Duration
}

// A Reopening is how a listener's ear is replaced by another.
type Reopening struct {
	listener *Listener
	state    *reopening
}

// Reopen begins the account of another ear of the listener, whose sections begin anew: the one
// that they had is lost, and closed. What is owed goes on. now counts for a listener who has heard
// nothing yet, and for people on stage, who may be the only ones who speak.
func (l *Listener) Reopen(now time.Duration) Reopening {
	l.mu.Lock()
	defer l.mu.Unlock()
	from := now
	switch {
	case l.again != nil && !l.again.over(): // the one that should have replaced it is lost, too
		from = l.again.from
	case l.latest > 0 && l.own < 0:
		from = l.latest
	}
	l.again = &reopening{from: from, done: make(chan struct{})}
	for i := range l.sections {
		s := &l.sections[i]
		l.abandon(s)
		s.open, s.paced, s.places = false, false, s.places[:0]
	}
	return Reopening{l, l.again}
}

// over reports whether the other ear is heard.
func (r *reopening) over() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// reopened enters the first packet of the other ear. The listener's lock is held.
func (l *Listener) reopened(at time.Duration) {
	if r := l.again; !r.over() {
		r.at, r.quiet = at, l.quietSince(r.from, at)
		close(r.done)
	}
}

// heardBefore reports whether a frame that is heard again was sent by when another ear of the listener was heard last: an
// ear that replaces one that is still heard has the same frames, and may have them later.
func (l *Listener) heardBefore(sent time.Duration) bool {
	return l.again != nil && sent <= l.again.from
}

// quietSince is for how long nobody else spoke since a moment within the present silence.
func (l *Listener) quietSince(from, until time.Duration) time.Duration {
	first, last := timebase.BinAt(max(from, 0))+1, timebase.BinAt(max(until, 0))
	if l.own >= 0 {
		return time.Duration(quiet(slices.Delete(slices.Clone(l.ledger.list()), l.own, l.own+1), first, last)) * timebase.BinLength
	}
	return time.Duration(l.quietBins+l.ledger.quiet(max(first, l.quietTo), last)) * timebase.BinLength
}

// Heard is closed when the other ear has had its first packet.
func (r Reopening) Heard() <-chan struct{} { return r.state.done }

// Over reports whether the other ear has had its first packet.
func (r Reopening) Over() bool { return r.state.over() }

// Times returns from when until when nothing was heard, and for how much of that nobody spoke:
// until the first packet of the other ear, or if there is none until now.
func (r Reopening) Times(now time.Duration) (from, until, quiet time.Duration) {
	r.listener.mu.Lock()
	defer r.listener.mu.Unlock()
	if r.state.over() {
		return r.state.from, r.state.at, r.state.quiet
	}
	return r.state.from, now, r.listener.quietSince(r.state.from, now)
}
