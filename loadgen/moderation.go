package loadgen

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/scenario"
)

// defiance is how long somebody whom the moderator silences goes on sending and
// receiving, as if nobody had told them.
const ignoreMuteFor = time.Second

// A moderation is how the server carried out what the timeline had its hosts do.
// It is safe for concurrent use.
type moderationStats struct {
	mu       sync.Mutex
	promoted metric.Trend // ms
	muted    metric.Trend // packets
	kicked   metric.Trend // packets
}

func (m *moderationStats) record(in *metric.Trend, v float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	in.Record(v)
}

// values enters what there was.
func (m *moderationStats) values(into metric.Values) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, t := range map[string]*metric.Trend{
		"promote_duration": &m.promoted, "mute_silence": &m.muted, "kick_silence": &m.kicked,
	} {
		if t.Count() > 0 {
			into.Set(name, t)
		}
	}
}

// silence has the moderator mute a person, send them to the audience, or put them
// out. Their client goes on sending and receiving for a while, and what passes of
// that after the server's acknowledgement is counted.
func (p *person) silence(ctx context.Context, verb scenario.Verb) error {
	r := p.room.run
	p.mu.Lock()
	visit, t := p.participant, p.sender
	p.mu.Unlock()
	out := verb == scenario.Kick || verb == scenario.Ban
	if out {
		// What is on its way to them still counts.
		if p.account != nil {
			p.account.Left(r.clock.Now())
		}
		pause(ctx, leaveDelay)
	}
	if t != nil {
		t.ignoreMute(true)
	}
	if err := p.room.client.Act(ctx, verb, visit); err != nil {
		if t != nil {
			t.ignoreMute(false)
		}
		return err
	}
	acked := r.clock.Now()
	if t != nil {
		t.source.ExpectSilence(acked)
	}
	if out && p.account != nil {
		p.account.ExpectSilence(acked)
	}
	pause(ctx, ignoreMuteFor)
	if t != nil {
		t.mute(true)
	}
	pause(ctx, leaveDelay)
	passed := 0
	if t != nil {
		passed = t.source.HeardInSilence()
	}
	if !out {
		r.moderation.record(&r.moderation.muted, float64(passed))
		return nil
	}
	if p.account != nil {
		passed = max(passed, p.account.HeardInSilence())
	}
	r.moderation.record(&r.moderation.kicked, float64(passed))
	return p.leave(ctx)
}

// rise takes a place on stage, opens the mic, and returns when somebody has heard
// it.
func (p *person) joinStage(ctx context.Context, role scenario.Role) error {
	r := p.room.run
	acked := r.clock.Now()
	p.mu.Lock()
	p.role, p.handRaised, p.invited = role, false, false
	t := p.sender
	p.mu.Unlock()
	if t != nil {
		return nil // a speaker who is host now
	}
	if err := p.openMic(ctx); err != nil {
		return err
	}
	p.mu.Lock()
	ledger := p.sender.source
	p.mu.Unlock()
	select {
	case <-ledger.Reached():
		r.moderation.record(&r.moderation.promoted, ms(ledger.FirstHeard()-acked))
		return nil
	case <-ctx.Done():
		return fmt.Errorf("nobody heard the promoted: %w", ctx.Err())
	}
}

// reconnect loses a person's signaling and has it back.
func (p *person) reconnect(ctx context.Context) error {
	if !p.room.run.Driver.Capabilities().Resume {
		return fmt.Errorf("%w: reconnect", driver.ErrUnsupported)
	}
	p.mu.Lock()
	participant := p.participant
	p.mu.Unlock()
	next, err := participant.Resume(ctx)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.participant = next
	return nil
}
