package measure

import (
	"time"

	"github.com/earshot-audio/earshot/loadgen/doubt"
	"github.com/earshot-audio/earshot/loadgen/metric"
)

// A Step is one of the steps of a join, which follow one another: the numbers of
// [metric.JoinSteps].
type Step int

const (
	StepDNS Step = iota
	StepTCP
	StepTLS
	// StepSignaling is all that is exchanged until the client has the server's answer,
	// less the steps before.
	StepSignaling
	StepICE
	StepDTLS
	// StepSubscription lasts until the server has said that it sends every voice of the
	// room. Only some kinds of server subscribe people to voices.
	StepSubscription
	// StepFirstPacket lasts until the first media packet has come, and StepFirstAudio
	// until one has whose audio is recognised. The listener sees both itself.
	StepFirstPacket
	StepFirstAudio
	joinSteps
)

// String is the step's name in [metric.JoinSteps].
func (s Step) String() string { return metric.JoinSteps[s] }

// stepTimes are when the steps of one join began and ended.
type stepTimes struct {
	began, ended bool
	from, until  time.Duration
}

// StepBegan enters when a step of the listener's join began. Only the first call for a
// step counts.
func (l *Listener) StepBegan(s Step, at time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.beginStep(s, at)
}

func (l *Listener) beginStep(s Step, at time.Duration) {
	if t := &l.steps[s]; !t.began {
		t.began, t.from = true, at
	}
}

// StepEnded enters when a step ended, if it has begun. Only the first call for a step
// counts. A step that fails does not end.
func (l *Listener) StepEnded(s Step, at time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.endStep(s, at)
}

func (l *Listener) endStep(s Step, at time.Duration) {
	if t := &l.steps[s]; t.began && !t.ended {
		t.ended, t.until = true, max(at, t.from)
	}
}

// ConnectionShared enters that the listener's signaling took a connection that was open
// already: it had no step of its own for it.
func (l *Listener) ConnectionShared() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for s := StepDNS; s < StepSignaling; s++ {
		l.steps[s] = stepTimes{}
	}
}

// stepDurations are how long the steps of one join took, at worst and at best.
type stepDurations struct {
	took        [joinSteps]bool
	worst, best [joinSteps]time.Duration
}

// slowest returns the longest steps.
func (d *stepDurations) slowest() (worst, best time.Duration) {
	for s := range d.took {
		worst, best = max(worst, d.worst[s]), max(best, d.best[s])
	}
	return worst, best
}

// joinSteps returns how long the steps of the listener's join took. A step in which the
// join failed took at least as long as the listener had for it: otherwise figures would
// get better by failing. Of the steps after it there is nothing.
func (l *Listener) joinSteps(doubts *doubt.Register, now time.Duration) (d stepDurations) {
	times := *l.steps
	if dtls := times[StepDTLS]; dtls.ended {
		from := dtls.until
		if s := &times[StepSubscription]; s.began {
			// It goes on beside the steps before, and only what is left of it is a step.
			s.from = max(s.from, from)
			s.until = max(s.until, s.from)
			from = s.until
		}
		times[StepFirstPacket] = stepTimes{true, l.joined, from, max(from, l.firstAt)}
	}
	if l.joined {
		times[StepFirstAudio] = stepTimes{true, l.recognised, l.firstAt, max(l.firstAt, l.recognisedAt)}
	}
	// Nothing but the connection is opened at the same time as something else.
	inner, innerStalled := time.Duration(0), time.Duration(0)
	failed := false
	for s := range joinSteps {
		t := &times[s]
		if !t.began || failed {
			continue
		}
		if !t.ended {
			t.until, failed = l.gaveUp(s, t.from, now), true
		}
		took, stalled := t.until-t.from, time.Duration(0)
		if t.ended {
			if stalled = l.ownTime(t.from, t.until, doubts.HeldBackToHear); s >= StepFirstPacket {
				stalled = max(stalled, l.sentLate)
			}
		} else if l.timedOut() {
			tried := max(t.from, min(t.until, l.triedUntil))
			if l.hinderedMuch() || doubts.ToBlame(t.from, tried, 0, l.waited(t.from, tried, doubts.Hindered)) {
				stalled = took - max(0, tried-t.from-l.ownTime(t.from, tried, doubts.Hindered))
			}
		}
		switch {
		case s < StepSignaling:
			inner += took
			innerStalled += stalled
		case s == StepSignaling:
			took, stalled = max(0, took-inner), max(0, stalled-innerStalled)
		}
		d.took[s], d.worst[s], d.best[s] = true, took, max(0, took-stalled)
	}
	return d
}

// gaveUp returns until when a step lasted at least that has begun at a time and not ended.
func (l *Listener) gaveUp(s Step, from, now time.Duration) time.Duration {
	switch {
	case l.joined && l.firstAt > from && s != StepSubscription: // one voice is not all
		return l.firstAt // it was over by then, and nobody saw when
	case l.deadline > from:
		return min(l.deadline, max(now, from))
	}
	return max(from, min(now, l.until.Start()))
}

// A stepTrend is a step's distribution over listeners.
type stepTrend struct{ worst, best metric.Trend }

// stepTrends are those of all steps, and of the slowest of each listener.
type stepTrends struct {
	each    [joinSteps]stepTrend
	slowest stepTrend
}

func (t *stepTrends) enter(d stepDurations) {
	entered := false
	for s, took := range d.took {
		if took {
			entered = true
			t.each[s].enter(d.worst[s], d.best[s])
		}
	}
	if entered {
		t.slowest.enter(d.slowest())
	}
}

func (t *stepTrend) enter(worst, best time.Duration) {
	t.worst.Record(ms(worst))
	t.best.Record(ms(best))
}

// all are the trends in a fixed order.
func (t *stepTrends) all() (all []*metric.Trend) {
	for s := range t.each {
		all = append(all, &t.each[s].worst, &t.each[s].best)
	}
	return append(all, &t.slowest.worst, &t.slowest.best)
}

func (t *stepTrends) merge(o *stepTrends) { mergeAll(t.all(), o.all()) }

// of returns the trend of a step by its name; "" is the slowest.
func (t *stepTrends) of(name string) *stepTrend {
	for s := range joinSteps {
		if s.String() == name {
			return &t.each[s]
		}
	}
	return &t.slowest
}
