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
const defiance = time.Second

// A moderation is how the server carried out what the timeline had its hosts do.
// It is safe for concurrent use.
type moderation struct {
	mu       sync.Mutex
	promoted metric.Trend // ms
	muted    metric.Trend // packets
	put      metric.Trend // packets
}

func (m *moderation) record(in *metric.Trend, v float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	in.Record(v)
}

// values enters what there was.
func (m *moderation) values(into metric.Values) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, t := range map[string]*metric.Trend{
		"promote_duration": &m.promoted, "mute_silence": &m.muted, "kick_silence": &m.put,
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
	r := p.hall.run
	p.mu.Lock()
	visit, t := p.visit, p.talk
	p.mu.Unlock()
	out := verb == scenario.Kick || verb == scenario.Ban
	if out {
		// What is on its way to them still counts.
		if p.account != nil {
			p.account.Left(r.clock.Now())
		}
		pause(ctx, leaving)
	}
	if t != nil {
		t.defy(true)
	}
	if err := p.hall.room.Act(ctx, verb, visit); err != nil {
		if t != nil {
			t.defy(false)
		}
		return err
	}
	acked := r.clock.Now()
	if t != nil {
		t.ledger.ExpectSilence(acked)
	}
	if out && p.account != nil {
		p.account.ExpectSilence(acked)
	}
	pause(ctx, defiance)
	if t != nil {
		t.mute(true)
	}
	pause(ctx, leaving)
	passed := 0
	if t != nil {
		passed = t.ledger.HeardInSilence()
	}
	if !out {
		r.moderation.record(&r.moderation.muted, float64(passed))
		return nil
	}
	if p.account != nil {
		passed = max(passed, p.account.HeardInSilence())
	}
	r.moderation.record(&r.moderation.put, float64(passed))
	return p.leave(ctx)
}

// rise takes a place on stage, opens the mic, and returns when somebody has heard
// it.
func (p *person) rise(ctx context.Context, role scenario.Role) error {
	r := p.hall.run
	acked := r.clock.Now()
	p.mu.Lock()
	p.role, p.hand, p.asked = role, false, false
	t := p.talk
	p.mu.Unlock()
	if t != nil {
		return nil // a speaker who is host now
	}
	if err := p.openMic(ctx); err != nil {
		return err
	}
	p.mu.Lock()
	ledger := p.talk.ledger
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
	p.mu.Lock()
	visit, ok := p.visit.(driver.Resumer)
	p.mu.Unlock()
	if !ok {
		return fmt.Errorf("%w: reconnect", driver.ErrUnsupported)
	}
	next, err := visit.Resume(ctx)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.visit = next
	return nil
}
