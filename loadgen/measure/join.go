package measure

import "time"

// lostJoinShare is for which share of a listener's time to join the generator has to have
// held it up, so that it may be to blame if the listener never got in.
const lostJoinShare = 0.5

// Connected starts the counting of what the listener is owed, with the first bin that
// begins at or after t: when its DTLS completed or the server refused it, or at its join
// deadline if that comes first. Only the first call of Connected and Failed counts.
func (l *Listener) Connected(t time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answered = l.answered || !l.counting && t < l.deadline
	l.count(t)
}

// Failed starts the counting, too, of a listener whose connection came to nothing at t
// without a word from the server: a generator that was too slow may be to blame.
func (l *Listener) Failed(t time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count(t)
}

func (l *Listener) count(t time.Duration) {
	if l.counting {
		return
	}
	l.counting = true
	l.from = BinAt(t + BinLength - 1)
	l.latest = t
	l.forget(int64(l.from / wordBins))
}

// heldUp reports whether the listener was not in by its deadline, and the generator held
// it up for so much of its time that it may be to blame.
func (l *Listener) heldUp(now time.Duration) bool {
	if l.answered || !l.counting || now < l.deadline || l.joined && l.firstAt <= l.deadline {
		return false
	}
	lost := l.began - l.intended + l.ledger.aggregator.doubts.hindered(l.began, l.deadline)
	return float64(lost) >= lostJoinShare*float64(l.deadline-l.intended)
}

// countLostJoin has the cell know whether the listener is not in and the generator may be
// to blame.
func (l *Listener) countLostJoin(now time.Duration) {
	if is := !l.joined && l.heldUp(now); is != l.lostJoin {
		l.lostJoin = is
		l.cell.lostJoin(is)
	}
}

// closeJoin enters how long the join took at best; of one that never came in, at
// least how long it had.
func (l *Listener) closeJoin(doubts *doubts, now time.Duration) {
	l.cell.joinSteps(l.joinSteps(doubts, now))
	if !l.joined {
		if l.counting {
			waited := min(l.deadline, now) - l.intended
			l.cell.joins.Record(ms(waited))
			if l.lostJoin {
				waited -= min(waited, l.began-l.intended+doubts.hindered(l.began, l.deadline))
			}
			l.cell.join(waited, l.lostJoin)
		}
		return
	}
	took := l.firstAt - l.intended
	own := l.began - l.intended + doubts.stalled(l.began, l.firstAt)
	inDoubt := own > joinDoubt
	if inDoubt {
		doubts.lateJoins.Add(1)
	}
	l.cell.join(max(0, took-own), inDoubt)
}
