package ledger

import (
	"time"

	"github.com/earshot-audio/earshot/loadgen/doubt"
	"github.com/earshot-audio/earshot/loadgen/record"
)

// stepTimes are when the steps of one join began and ended.
type stepTimes struct {
	began, ended bool
	from, until  time.Duration
}

// StepBegan enters when a step of the listener's join began. Only the first call for a
// step counts.
func (l *Listener) StepBegan(s record.Step, at time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.beginStep(s, at)
}

func (l *Listener) beginStep(s record.Step, at time.Duration) {
	if t := &l.steps[s]; !t.began {
		t.began, t.from = true, at
	}
}

// StepEnded enters when a step ended, if it has begun. Only the first call for a step
// counts. A step that fails does not end.
func (l *Listener) StepEnded(s record.Step, at time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.endStep(s, at)
}

func (l *Listener) endStep(s record.Step, at time.Duration) {
	if t := &l.steps[s]; t.began && !t.ended {
		t.ended, t.until = true, max(at, t.from)
	}
}

// ConnectionShared enters that the listener's signaling took a connection that was open
// already: it had no step of its own for it.
func (l *Listener) ConnectionShared() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for s := record.StepDNS; s < record.StepSignaling; s++ {
		l.steps[s] = stepTimes{}
	}
}

// joinSteps returns how long the steps of the listener's join took. A step in which the
// join failed took at least as long as the listener had for it: otherwise figures would
// get better by failing. Of the steps after it there is nothing.
func (l *Listener) joinSteps(doubts *doubt.Register, now time.Duration) (d record.StepDurations) {
	times := *l.steps
	if dtls := times[record.StepDTLS]; dtls.ended {
		from := dtls.until
		if s := &times[record.StepSubscription]; s.began {
			// It goes on beside the steps before, and only what is left of it is a step.
			s.from = max(s.from, from)
			s.until = max(s.until, s.from)
			from = s.until
		}
		times[record.StepFirstPacket] = stepTimes{true, l.joined, from, max(from, l.firstAt)}
	}
	if l.joined {
		times[record.StepFirstAudio] = stepTimes{true, l.recognised, l.firstAt, max(l.firstAt, l.recognisedAt)}
	}
	// Nothing but the connection is opened at the same time as something else.
	inner, innerStalled := time.Duration(0), time.Duration(0)
	failed := false
	for s := range record.JoinSteps {
		t := &times[s]
		if !t.began || failed {
			continue
		}
		if !t.ended {
			t.until, failed = l.gaveUp(s, t.from, now), true
		}
		took, stalled := t.until-t.from, time.Duration(0)
		if t.ended {
			if stalled = l.ownTime(t.from, t.until, doubts.HeldBackToHear); s >= record.StepFirstPacket {
				stalled = max(stalled, l.sentLate)
			}
		} else if l.timedOut() {
			tried := max(t.from, min(t.until, l.triedUntil))
			if l.hinderedMuch() || doubts.ToBlame(t.from, tried, 0, l.waited(t.from, tried, doubts.Hindered)) {
				stalled = took - max(0, tried-t.from-l.ownTime(t.from, tried, doubts.Hindered))
			}
			if l.ledger.silencedItself() {
				stalled = took
			}
		}
		switch {
		case s < record.StepSignaling:
			inner += took
			innerStalled += stalled
		case s == record.StepSignaling:
			took, stalled = max(0, took-inner), max(0, stalled-innerStalled)
		}
		d.Took[s], d.Worst[s], d.Best[s] = true, took, max(0, took-stalled)
	}
	return d
}

// gaveUp returns until when a step lasted at least that has begun at a time and not ended.
func (l *Listener) gaveUp(s record.Step, from, now time.Duration) time.Duration {
	switch {
	case l.joined && l.firstAt > from && s != record.StepSubscription: // one voice is not all
		return l.firstAt // it was over by then, and nobody saw when
	case l.deadline > from:
		return min(l.deadline, max(now, from))
	}
	return max(from, min(now, l.until.Start()))
}
