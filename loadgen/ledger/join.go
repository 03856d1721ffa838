package ledger

import (
	"slices"
	"time"

	"github.com/earshot-audio/earshot/loadgen/doubt"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

const (
	// joinDoubt is how much of a join's duration has to be the generator's before
	// the duration is in doubt.
	joinDoubt = time.Millisecond
	// leastWait is the least time that a join waits for the generator that is worth an entry.
	leastWait = joinDoubt / 10
)

// Connected starts the counting of what the listener is owed, with the first bin that
// begins at or after t: when its DTLS completed, or at its join deadline if that comes
// first. Only the first call of Connected, Refused and Failed counts.
func (l *Listener) Connected(t time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.connected = l.connected || !l.counting && t < l.deadline
	l.count(t)
}

// Refused starts the counting, too, of a listener to whom the server said no at t.
// Nothing that happens on the generator's side is an excuse for what it does not hear.
func (l *Listener) Refused(t time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refused = l.refused || !l.counting
	l.count(t)
}

// Failed starts the counting, too, of a listener whose connection came to nothing at t
// without a word from the server: a generator that was too slow may be to blame.
func (l *Listener) Failed(t time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count(t)
}

// timedOut reports whether the listener's time ran out, as far as is known now.
func (l *Listener) timedOut() bool {
	return !l.refused && (!l.connected || l.cutOff(l.deadline) || l.ledger.silencedItself())
}

// A span is a time.
type span struct{ from, until time.Duration }

// Unanswered enters that a mic was to open in a time, and came to nothing without a word from the server. It is
// called before anybody listens.
func (r *Ledger) Unanswered(from, until time.Duration) {
	r.unanswered = append(r.unanswered, span{from, until})
}

// silencedItself reports whether nobody has a mic in the room, perhaps by the generator's doing: then who hears
// nothing may owe that to it, too.
func (r *Ledger) silencedItself() bool {
	d := &r.aggregator.Doubts
	return len(r.unanswered) > 0 && len(r.list()) == 0 && slices.ContainsFunc(r.unanswered, func(s span) bool {
		return d.ToBlame(s.from, max(s.until, s.from+doubt.LeastTimeout), 0, 0)
	})
}

func (l *Listener) count(t time.Duration) {
	if l.counting {
		return
	}
	l.counting = true
	l.triedUntil = min(max(t, l.intended+doubt.LeastTimeout), l.deadline)
	if l.connected {
		l.triedUntil = l.deadline // by which it has to have heard something
	}
	l.from = timebase.BinAt(t + timebase.BinLength - 1)
	l.latest = t
	l.forget(int64(l.from / timebase.WordBins))
}

// heldUp reports whether the listener was not in by its deadline, and the generator held
// it up for so much of its time that it may be to blame.
func (l *Listener) heldUp(now time.Duration) bool {
	return l.timedOut() && l.late(now) && l.hinderedMuch()
}

// keptOut reports whether the listener is not in, by the server's doing whatever else
// is in doubt: it said no, or the listener's time passed and the generator was not in the
// way for much of it.
func (l *Listener) keptOut(now time.Duration) bool {
	return l.refused || !l.joined && l.late(now) && !l.hinderedMuch()
}

// late reports whether the listener was not in by its deadline.
func (l *Listener) late(now time.Duration) bool {
	return l.counting && now >= l.deadline && !(l.joined && l.firstAt <= l.deadline)
}

// hinderedMuch reports whether the generator held the join up for much of the time until
// it was given up, which may be long before the deadline.
func (l *Listener) hinderedMuch() bool {
	if l.cutOff(l.triedUntil) || l.ledger.book.limited.Load() || l.ledger.silencedItself() {
		return true
	}
	d := &l.ledger.aggregator.Doubts
	return d.ToBlame(l.intended, l.triedUntil, l.began-l.intended, l.waited(l.began, l.triedUntil, d.Hindered))
}

// A wait is a time in which a join that had begun waited for the generator.
type wait struct{ from, until time.Duration }

// HeldUp enters that the generator itself held the join up for a while.
func (l *Listener) HeldUp(from, until time.Duration) {
	if until-from < leastWait {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waits = append(l.waits, wait{from, until})
}

// waited returns for how long of a time the join waited for the generator, except for what
// is booked otherwise.
func (l *Listener) waited(from, until time.Duration, booked func(from, until time.Duration) time.Duration) (sum time.Duration) {
	for _, w := range l.waits {
		if a, b := max(w.from, from), min(w.until, until); a < b {
			sum += max(0, b-a-booked(a, b))
		}
	}
	return sum
}

// ownTime returns how much of a time was the generator's doing: what is booked, and the
// join's waits beside it.
func (l *Listener) ownTime(from, until time.Duration, booked func(from, until time.Duration) time.Duration) time.Duration {
	return booked(from, until) + l.waited(from, until, booked)
}

// countLostJoin has the cell know whether the listener is not in and the generator may be
// to blame.
func (l *Listener) countLostJoin(now time.Duration) {
	if is := !l.joined && l.heldUp(now); is != l.lostJoin {
		l.lostJoin = is
		l.cell.LostJoin(is)
	}
}

// closeJoin enters how long the join took at best; of one that never came in, at
// least how long it had.
func (l *Listener) closeJoin(doubts *doubt.Register, now time.Duration) {
	l.cell.JoinSteps(l.joinSteps(doubts, now))
	if !l.joined {
		if l.counting {
			waited := min(l.deadline, now) - l.intended
			l.cell.JoinFailed(waited)
			if l.lostJoin {
				waited = max(0, l.triedUntil-l.began-l.ownTime(l.began, l.triedUntil, doubts.Hindered))
			}
			if l.lostJoin && l.ledger.silencedItself() {
				waited = 0 // it may have been in at once
			}
			l.cell.Join(waited, l.lostJoin)
		}
		return
	}
	took := l.firstAt - l.intended
	own := l.began - l.intended + max(l.ownTime(l.began, l.firstAt, doubts.HeldBackToHear), l.sentLate)
	inDoubt := own > joinDoubt
	if inDoubt {
		l.ledger.aggregator.JoinedLate()
	}
	l.cell.Join(max(0, took-own), inDoubt)
}
