package loadgen

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/scenario"
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
	muted      metric.Trend // packets
	kicked     metric.Trend // packets
	// reconnects are when signaling connections were lost and resumed.
	reconnects []interval
}

// An interval is when something began and ended. It may have failed, when it would have had
// longer.
type interval struct {
	from, until time.Duration
	failed      bool
	had         time.Duration
}

// reconnected records a reconnection.
func (m *moderationStats) reconnected(i interval) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reconnects = append(m.reconnects, i)
}

// promoted records a promotion.
func (m *moderationStats) promoted(i interval) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.promotions = append(m.promotions, i)
}

// A stallCounter knows for how long the generator was in the way.
type stallCounter interface {
	Stalled(from, until time.Duration) time.Duration
	AtBest(from, failed, had time.Duration) time.Duration
}

// durations adds how long promotions and reconnections took, at worst and at best: without
// the time for which the generator did not run.
func (m *moderationStats) durations(stalls stallCounter, worst, best metric.Values) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, all := range map[string][]interval{"promote_duration": m.promotions, "reconnect_duration": m.reconnects} {
		slow, fast := &metric.Trend{}, &metric.Trend{}
		for _, i := range all {
			slowest := i.until - i.from
			fastest := slowest - stalls.Stalled(i.from, i.until)
			if i.failed {
				slowest, fastest = i.had, stalls.AtBest(i.from, i.until, i.had)
			}
			slow.Record(ms(slowest))
			fast.Record(ms(fastest))
		}
		if len(all) > 0 {
			worst.Set(name, slow)
			if slow.Summary() != fast.Summary() {
				best.Set(name, fast)
			}
		}
	}
}

func (m *moderationStats) record(in *metric.Trend, v float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	in.Record(v)
}

// values adds the metrics that have values.
func (m *moderationStats) values(into metric.Values) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, t := range map[string]*metric.Trend{
		"mute_silence": &m.muted, "kick_silence": &m.kicked,
	} {
		if t.Count() > 0 {
			into.Set(name, t)
		}
	}
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
	if err := p.request(ctx, spec.Verb); err != nil {
		if sender != nil {
			sender.ignoreMute(false)
		}
		return err
	}
	acknowledged := r.clock.Now()
	if sender != nil {
		sender.source.ExpectSilence(acknowledged)
	}
	if spec.Removes && p.account != nil {
		p.account.ExpectSilence(acknowledged)
	}
	pause(ctx, ignoreMuteFor)
	if sender != nil {
		sender.mute(true)
	}
	pause(ctx, leaveDelay)
	if r.peers != nil {
		r.peers.awaitProcessed(ctx, r.clock.Now())
	}
	passed := 0
	if sender != nil {
		passed = sender.source.HeardInSilence()
	}
	if !spec.Removes {
		r.moderation.record(&r.moderation.muted, float64(passed))
		return nil
	}
	if p.account != nil {
		passed = max(passed, p.account.HeardInSilence())
	}
	r.moderation.record(&r.moderation.kicked, float64(passed))
	return p.leave(ctx)
}

// joinStage gives a person a role on stage, opens their mic, and returns when somebody
// has heard it.
func (p *person) joinStage(ctx context.Context, spec scenario.VerbSpec) error {
	r := p.room.run
	acknowledged := r.clock.Now()
	p.mu.Lock()
	p.role, p.state = spec.Becomes, p.state&^spec.Clears
	sender := p.sender
	p.mu.Unlock()
	if sender != nil {
		return nil // a speaker who became host
	}
	// Who is never heard has waited as long as they had.
	unheard := func(err error) error {
		r.moderation.promoted(interval{from: acknowledged, until: r.clock.Now(), failed: true, had: actTimeout})
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
		if r.peers != nil { // somebody else may have heard it sooner
			r.peers.awaitProcessed(ctx, source.FirstHeard())
		}
		r.moderation.promoted(interval{from: acknowledged, until: source.FirstHeard()})
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

// reconnect drops a person's signaling connection and resumes on a new one.
func (p *person) reconnect(ctx context.Context) error {
	if !p.room.run.clients.capabilities.Resume {
		return fmt.Errorf("%w: reconnect", driver.ErrUnsupported)
	}
	p.mu.Lock()
	participant := p.participant
	p.mu.Unlock()
	stats, clock := &p.room.run.moderation, p.room.run.clock
	lost := clock.Now()
	next, err := participant.Resume(ctx)
	if err != nil {
		// It took at least as long as it had: a server that refuses is not fast.
		if !errors.Is(ctx.Err(), context.Canceled) { // by the end of the run
			stats.reconnected(interval{from: lost, until: clock.Now(), failed: true, had: actTimeout})
		}
		return err
	}
	stats.reconnected(interval{from: lost, until: clock.Now()})
	p.mu.Lock()
	defer p.mu.Unlock()
	p.participant = next
	return nil
}
