package loadgen

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/scenario"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// ignoreMuteFor is how long the client of a person who is muted, demoted or removed
// goes on sending and receiving, as a client would that ignores the server.
const ignoreMuteFor = time.Second

// moderationStats measures how the server carries out what the timeline's hosts do. It
// is safe for concurrent use.
type moderationStats struct {
	mu sync.Mutex
	// promotions are when a person was promoted and first heard.
	promotions []interval
	// silences are how many packets passed of people who were silenced, by metric, at worst
	// and at best.
	silences map[string]*[2]metric.Trend
	// unplayed is how many acts of a metric nobody was there for, perhaps by the generator's
	// doing.
	unplayed map[string]uint64
	// reconnects are when signaling connections were lost and resumed, and reopenings when
	// ears were lost and others were heard.
	reconnects, reopenings []interval
	// ended is when the measuring did; 0 until then.
	ended time.Duration
}

// end ends the measuring at a moment. What begins later is not recorded; what is on its way is.
func (m *moderationStats) end(at time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ended = at
}

// over reports whether something began after the end of the measuring. m.mu is held.
func (m *moderationStats) over(i interval) bool { return m.ended > 0 && i.from >= m.ended }

// An interval is when something began and ended. It may have begun earlier by behind. It may
// have failed, when it would have had longer; refused is that the server's answer said so, and
// excused that the generator may be to blame.
type interval struct {
	from, until              time.Duration
	behind                   time.Duration
	failed, refused, excused bool
	had                      time.Duration
	// sentLate is by how much what ended it was sent late.
	sentLate time.Duration
	// quiet is for how much of it nobody was owed anything.
	quiet time.Duration
	// unfinished: the run ended first.
	unfinished bool
	// ambiguous: packets came meanwhile that may have ended it.
	ambiguous bool
	// clocks is by how much the clock that says when it ended may differ from the one that says
	// when it began.
	clocks time.Duration
}

// A server takes people for gone of whose generator it has heard nothing for long, and
// refuses what is asked for them soon after: in the last recentTime.
const recentTime = time.Minute

// atBest is how long something took at best that came to nothing: as long as it had, unless
// the generator may be to blame.
func (i interval) atBest(stalls stallCounter) time.Duration {
	if i.excused {
		return 0
	}
	if !i.refused {
		if d := stalls.AtBest(i.from, i.until, i.had); d < i.had {
			return d
		}
	}
	if stalls.StoppedLong(max(0, i.from-recentTime), i.until) {
		return 0
	}
	return i.had
}

// reconnected records a reconnection.
func (m *moderationStats) reconnected(i interval) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.over(i) {
		m.reconnects = append(m.reconnects, i)
	}
}

// reopened records that an ear was opened again.
func (m *moderationStats) reopened(i interval) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.over(i) {
		m.reopenings = append(m.reopenings, i)
	}
}

// promoted records a promotion.
func (m *moderationStats) promoted(i interval) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.over(i) {
		m.promotions = append(m.promotions, i)
	}
}

// notPlayed records that a verb was not played for so many people, perhaps by the generator's doing.
func (m *moderationStats) notPlayed(spec scenario.VerbSpec, people int) {
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

// A stallCounter knows for how long the generator was in the way.
type stallCounter interface {
	Stalled(from, until time.Duration) time.Duration
	StoppedLong(from, until time.Duration) bool
	HeldBack(from, until time.Duration) time.Duration
	HeldBackToHear(from, until time.Duration) time.Duration
	Behind(from, until time.Duration) time.Duration
	AtBest(from, failed, had time.Duration) time.Duration
}

// durations adds how long promotions and reconnections took, at worst and at best: without
// the time for which the generator did not run.
func (m *moderationStats) durations(stalls stallCounter, worst, best metric.Values) {
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
	all      []interval
	heldBack func(from, until time.Duration) time.Duration
}

// record records how long they took, at worst and at best.
func (of durationsOf) record(stalls stallCounter, slow, fast *metric.Trend) {
	for _, i := range of.all {
		slowest := max(0, i.until-i.from-i.quiet)
		fastest := max(0, slowest-max(of.heldBack(i.from, i.until), i.sentLate)-i.clocks)
		slowest += i.behind + i.clocks
		switch {
		case i.failed:
			slowest, fastest = i.had, i.atBest(stalls)
		case i.unfinished: // it may have taken any time
			slowest = max(slowest, i.had)
		}
		if i.ambiguous {
			fastest = 0
		}
		slow.Record(ms(slowest))
		fast.Record(ms(fastest))
	}
}

// passed is how many packets got through of somebody who was silenced, at worst and at best.
type passed struct{ worst, best int }

// silenced records how many packets passed of somebody who was silenced, in the metric of
// that name.
func (m *moderationStats) silenced(name string, got passed) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.silences == nil {
		m.silences = map[string]*[2]metric.Trend{}
	}
	if m.silences[name] == nil {
		m.silences[name] = &[2]metric.Trend{}
	}
	m.silences[name][0].Record(float64(got.worst))
	m.silences[name][1].Record(float64(got.best))
}

// packets adds how many packets passed of those who were silenced, at worst and at best.
func (m *moderationStats) packets(worst, best metric.Values) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, t := range m.silences {
		fewest := &metric.Trend{}
		fewest.Merge(&t[1])
		fewest.RecordN(0, m.unplayed[name])
		setBounds(name, &t[0], fewest, worst, best)
	}
}

// A silenceOrder is when somebody was to be silenced, and the server acknowledged it.
type silenceOrder struct{ requested, acknowledged time.Duration }

// count counts what passed after the acknowledgement: at best as it was read, and at worst as
// it may have been sent, before the generator stopped or lost packets. Heard counts the packets
// that were heard and planned after a moment, and of the others the generator's sockets
// dropped so many at most, or could not be told from somebody else's.
func (o silenceOrder) count(heard func(after time.Duration) int, slowed, planned time.Duration, dropped uint64) passed {
	worst := heard(max(o.requested, o.acknowledged-slowed))
	return passed{worst + int(min(dropped, uint64(max(0, framesIn(planned)-worst)))), heard(o.acknowledged)}
}

// neverSilenced is what an order that came to nothing counts for: who is not silenced goes
// on talking, so all that is planned in [ignoreMuteFor] passes, unless the generator may be
// to blame for the failure.
func neverSilenced(i interval, stalls stallCounter) passed {
	all := passed{framesIn(ignoreMuteFor), framesIn(ignoreMuteFor)}
	if i.atBest(stalls) < i.had {
		all.best = 0
	}
	return all
}

// framesIn is how many frames a mic plans in a time.
func framesIn(planned time.Duration) int {
	return int((planned + timebase.BinLength - 1) / timebase.BinLength)
}

// silence has the moderator mute, demote or remove a person. The person's client ignores
// that for a while, and the packets that still pass after the server's acknowledgement
// are counted.
func (p *person) silence(ctx context.Context, spec scenario.VerbSpec) error {
	r := p.room.run
	p.mu.Lock()
	sender := p.sender
	p.mu.Unlock()
	if spec.Removes {
		p.setAway(true)
		// Packets that are in flight to them still count.
		if p.account != nil {
			p.account.Left(r.clock.Now())
		}
		pause(ctx, leaveDelay)
	}
	if sender != nil {
		sender.ignoreMute(true)
		if spec.Removes || spec.Becomes == scenario.Listener {
			sender.release()
		}
	}
	order, lost, unplaced := silenceOrder{requested: r.clock.Now()}, r.lostByAll(), p.room.ledger.Unplaced()
	if sender != nil {
		sender.source.ExpectSilence(order.requested)
	}
	if spec.Removes && p.account != nil {
		p.account.ExpectSilence(order.requested)
	}
	name := metricOf(spec)
	behind, err := p.request(ctx, spec.Verb)
	if err != nil {
		if sender != nil {
			sender.source.EndSilence()
			sender.ignoreMute(false)
		}
		p.setAway(false)
		if r.countsAsFailed(ctx, err) {
			r.moderation.silenced(name, neverSilenced(r.failed(order.requested, err), &r.aggregator.Doubts))
		}
		return err
	}
	order.acknowledged = r.clock.Now()
	pause(ctx, ignoreMuteFor)
	if sender != nil {
		sender.mute(true)
	}
	pause(ctx, leaveDelay)
	if r.peers != nil {
		r.peers.awaitProcessed(ctx, r.clock.Now())
	}
	slowed := behind + r.aggregator.Doubts.Slowed(order.requested, order.acknowledged)
	dropped := r.lostByAll()
	dropped -= min(dropped, lost) // it is less for a moment while a client's socket is replaced
	dropped += uint64(max(0, p.room.ledger.Unplaced()-unplaced))
	var got passed
	if sender != nil {
		got = order.count(sender.source.HeardInSilence, slowed, ignoreMuteFor, dropped)
	}
	if spec.Removes && p.account != nil {
		more := order.count(p.account.HeardInSilence, slowed, time.Duration(p.room.ledger.Voices())*ignoreMuteFor, dropped)
		got = passed{max(got.worst, more.worst), max(got.best, more.best)}
	}
	r.moderation.silenced(name, got)
	if spec.Removes {
		return p.leave(ctx)
	}
	return nil
}

// joinStage gives a person a role on stage, opens their mic, and returns when somebody
// has heard it. The server may have acknowledged the promotion by so much earlier than now.
func (p *person) joinStage(ctx context.Context, spec scenario.VerbSpec, behind time.Duration) error {
	r := p.room.run
	acknowledged := r.clock.Now()
	p.mu.Lock()
	p.role, p.state = spec.Becomes, p.state&^spec.Clears
	sender := p.sender
	p.mu.Unlock()
	if sender != nil {
		return nil // a speaker who became host
	}
	unplaced := p.room.ledger.Unplaced()
	ambiguous := func() bool { return p.room.ledger.Unplaced() > unplaced }
	// Who is never heard has waited as long as they had.
	unheard := func(err error) error {
		never := r.failed(acknowledged, err)
		never.ambiguous = ambiguous()
		r.moderation.promoted(never)
		return err
	}
	if err := p.openMic(ctx, acknowledged); err != nil {
		return unheard(err)
	}
	p.mu.Lock()
	source := p.sender.source
	p.mu.Unlock()
	select {
	case <-source.Reached():
		heard := interval{from: acknowledged, behind: behind}
		if r.peers != nil { // somebody else may have heard it sooner
			r.peers.awaitProcessed(ctx, source.FirstHeard())
			heard.clocks = r.peers.clockDoubt()
		}
		heard.until, heard.ambiguous = source.FirstHeard(), ambiguous()
		heard.sentLate = source.SentLate(acknowledged, heard.until)
		r.moderation.promoted(heard)
		return nil
	case <-ctx.Done():
		return unheard(fmt.Errorf("nobody heard the promoted: %w", ctx.Err()))
	}
}

// leaveStage takes a person back to the audience and closes their mic.
func (p *person) leaveStage() error {
	p.mu.Lock()
	sender := p.sender
	p.role, p.sender, p.state = scenario.Listener, nil, p.state&^scenario.Muted
	p.mu.Unlock()
	if sender == nil {
		return nil
	}
	return sender.Close()
}
