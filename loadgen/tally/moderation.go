package tally

import (
	"sync"
	"time"

	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/scenario"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// IgnoreMuteFor is how long the client of a person who is muted, demoted or removed
// goes on sending and receiving, as a client would that ignores the server.
const IgnoreMuteFor = time.Second

// Moderation measures how the server carries out what the timeline's hosts do. It
// is safe for concurrent use.
type Moderation struct {
	mu sync.Mutex
	// promotions are when a person was promoted and first heard.
	promotions []Interval
	// silences are how many packets passed of people who were silenced, by metric, at worst
	// and at best.
	silences map[string]*[2]metric.Trend
	// unplayed is how many acts of a metric nobody was there for, perhaps by the generator's
	// doing.
	unplayed map[string]uint64
	// reconnects are when signaling connections were lost and resumed, and reopenings when
	// ears were lost and others were heard.
	reconnects, reopenings []Interval
	// ended is when the measuring did; 0 until then.
	ended time.Duration
}

// End ends the measuring at a moment. What begins later is not recorded; what is on its way is.
func (m *Moderation) End(at time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ended = at
}

// over reports whether something began after the end of the measuring. m.mu is held.
func (m *Moderation) over(i Interval) bool { return m.ended > 0 && i.From >= m.ended }

// An Interval is when something began and ended. It may have begun earlier by Behind. It may
// have Failed, when it would have Had longer; Refused is that the server's answer said so, and
// Excused that the generator may be to blame.
type Interval struct {
	From, Until              time.Duration
	Behind                   time.Duration
	Failed, Refused, Excused bool
	Had                      time.Duration
	// SentLate is by how much what ended it was sent late, by the generator.
	SentLate time.Duration
	// Quiet is for how much of it nobody was owed anything.
	Quiet time.Duration
	// Unfinished: the run ended first.
	Unfinished bool
	// Ambiguous: packets came meanwhile that may have ended it.
	Ambiguous bool
	// Clocks is by how much the clock that says when it ended may differ from the one that says
	// when it began.
	Clocks time.Duration
}

// RecentTime is how long after that a server may refuse what is asked for people: it has taken them
// for gone, since it had heard nothing of their generator for long.
const RecentTime = time.Minute

// atBest is how long something took at best that came to nothing: as long as it had, unless
// the generator may be to blame.
func (i Interval) atBest(stalls StallCounter) time.Duration {
	if i.Excused {
		return 0
	}
	if !i.Refused {
		if d := stalls.AtBest(i.From, i.Until, i.Had); d < i.Had {
			return d
		}
	}
	if stalls.StoppedLong(max(0, i.From-RecentTime), i.Until) {
		return 0
	}
	return i.Had
}

// InDoubt reports whether the generator may be to blame for what came to nothing.
func (i Interval) InDoubt(stalls StallCounter) bool { return i.atBest(stalls) < i.Had }

// Reconnected records a reconnection.
func (m *Moderation) Reconnected(i Interval) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.over(i) {
		m.reconnects = append(m.reconnects, i)
	}
}

// Reopened records that an ear was opened again.
func (m *Moderation) Reopened(i Interval) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.over(i) {
		m.reopenings = append(m.reopenings, i)
	}
}

// Promoted records a promotion.
func (m *Moderation) Promoted(i Interval) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.over(i) {
		m.promotions = append(m.promotions, i)
	}
}

// NotPlayed records that a verb was not played for so many people, perhaps by the generator's doing.
func (m *Moderation) NotPlayed(spec scenario.VerbSpec, people int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.unplayed == nil {
		m.unplayed = map[string]uint64{}
	}
	m.unplayed[metricOf(spec)] += uint64(people)
}

// metricOf is the metric that has a sample for each time that a verb is played, or "".
func metricOf(spec scenario.VerbSpec) string {
	switch {
	case spec.Removes:
		return "kick_silence"
	case spec.Silences:
		return "mute_silence"
	case spec.Becomes != "":
		return "promote_duration"
	case spec.Verb == scenario.Reconnect:
		return "reconnect_duration"
	}
	return ""
}

// A StallCounter knows for how long the generator was in the way.
type StallCounter interface {
	Stalled(from, until time.Duration) time.Duration
	StoppedLong(from, until time.Duration) bool
	HeldBack(from, until time.Duration) time.Duration
	HeldBackToHear(from, until time.Duration) time.Duration
	Behind(from, until time.Duration) time.Duration
	AtBest(from, failed, had time.Duration) time.Duration
}

// Durations adds how long promotions and reconnections took, at worst and at best: without
// the time for which the generator did not run.
func (m *Moderation) Durations(stalls StallCounter, worst, best metric.Values) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, parts := range map[string][]durationsOf{
		"promote_duration":   {{m.promotions, stalls.HeldBackToHear}},
		"reconnect_duration": {{m.reconnects, stalls.HeldBack}, {m.reopenings, stalls.HeldBackToHear}},
	} {
		slow, fast := &metric.Trend{}, &metric.Trend{}
		for _, of := range parts {
			of.record(stalls, slow, fast)
		}
		if slow.Count() > 0 {
			fast.RecordN(0, m.unplayed[name])
			setBounds(name, slow, fast, worst, best)
		}
	}
}

// durationsOf are intervals, and by how much the generator or its machine may have made one longer.
type durationsOf struct {
	all      []Interval
	heldBack func(from, until time.Duration) time.Duration
}

// record records how long they took, at worst and at best.
func (of durationsOf) record(stalls StallCounter, slow, fast *metric.Trend) {
	for _, i := range of.all {
		slowest := max(0, i.Until-i.From-i.Quiet)
		fastest := max(0, slowest-max(of.heldBack(i.From, i.Until), i.SentLate)-i.Clocks)
		slowest += i.Behind + i.Clocks
		switch {
		case i.Failed:
			slowest, fastest = i.Had, i.atBest(stalls)
		case i.Unfinished: // it may have taken any time
			slowest = max(slowest, i.Had)
		}
		if i.Ambiguous {
			fastest = 0
		}
		slow.Record(metric.InMilliseconds(slowest))
		fast.Record(metric.InMilliseconds(fastest))
	}
}

// Passed is how many packets got through of somebody who was silenced, at worst and at best.
type Passed struct{ Worst, best int }

// Max returns the greater of both, at worst and at best.
func (p Passed) Max(o Passed) Passed { return Passed{max(p.Worst, o.Worst), max(p.best, o.best)} }

// Silenced records how many packets passed of somebody whom a verb silenced.
func (m *Moderation) Silenced(spec scenario.VerbSpec, got Passed) {
	name := metricOf(spec)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.silences == nil {
		m.silences = map[string]*[2]metric.Trend{}
	}
	if m.silences[name] == nil {
		m.silences[name] = &[2]metric.Trend{}
	}
	m.silences[name][0].Record(float64(got.Worst))
	m.silences[name][1].Record(float64(got.best))
}

// Packets adds how many packets passed of those who were silenced, at worst and at best.
func (m *Moderation) Packets(worst, best metric.Values) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, t := range m.silences {
		fewest := &metric.Trend{}
		fewest.Merge(&t[1])
		fewest.RecordN(0, m.unplayed[name])
		setBounds(name, &t[0], fewest, worst, best)
	}
}

// A SilenceOrder is when somebody was to be silenced, and the server acknowledged it.
type SilenceOrder struct{ Requested, Acknowledged time.Duration }

// Count counts what passed after the acknowledgement: at best as it was read, and at worst as
// it may have been sent, before the generator stopped or lost packets. Heard counts the packets
// that were heard and planned after a moment, and of the others the generator's sockets
// dropped so many at most, or could not be told from somebody else's.
func (o SilenceOrder) Count(heard func(after time.Duration) int, slowed, planned time.Duration, dropped uint64) Passed {
	worst := heard(max(o.Requested, o.Acknowledged-slowed))
	return Passed{worst + int(min(dropped, uint64(max(0, framesIn(planned)-worst)))), heard(o.Acknowledged)}
}

// NeverSilenced is what an order that came to nothing counts for: who is not silenced goes
// on talking, so all that is planned in [IgnoreMuteFor] passes, unless the generator may be
// to blame for the failure.
func NeverSilenced(i Interval, stalls StallCounter) Passed {
	all := Passed{framesIn(IgnoreMuteFor), framesIn(IgnoreMuteFor)}
	if i.InDoubt(stalls) {
		all.best = 0
	}
	return all
}

// framesIn is how many frames a mic plans in a time.
func framesIn(planned time.Duration) int {
	return int((planned + timebase.BinLength - 1) / timebase.BinLength)
}
