package cast

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/earshot-audio/earshot/loadgen/scenario"
	"github.com/earshot-audio/earshot/loadgen/tally"
)

// silence has the moderator mute, demote or remove a person. The person's client ignores
// that for a while, and the packets that still pass after the server's acknowledgement
// are counted. That takes its time beside what the server may take, and ends early if another act waits.
func (p *person) silence(ctx context.Context, spec scenario.VerbSpec, a *act) error {
	c := p.room.cast
	p.mu.Lock()
	sender := p.sender
	p.mu.Unlock()
	if spec.Removes {
		p.setAway(true)
		// Packets that are in flight to them still count.
		if p.account != nil {
			p.account.Left(c.Clock.Now())
		}
		pause(ctx, leaveDelay)
	}
	if sender != nil {
		sender.ignoreMute(true)
		if spec.Removes || spec.Becomes == scenario.Listener {
			sender.release()
		}
	}
	order, lost, unplaced := tally.SilenceOrder{Requested: c.Clock.Now()}, c.lostByAll(), p.room.ledger.Unplaced()
	if sender != nil {
		sender.source.ExpectSilence(order.Requested)
	}
	if spec.Removes && p.account != nil {
		p.account.ExpectSilence(order.Requested)
	}
	behind, err := p.requestInTime(ctx, spec.Verb)
	if err != nil {
		if sender != nil {
			sender.source.EndSilence()
			sender.ignoreMute(false)
		}
		p.setAway(false)
		if countsAsFailed(ctx, err) {
			c.moderation.Silenced(spec, tally.NeverSilenced(c.failed(order.Requested, err), &c.Aggregator.Doubts))
		}
		return err
	}
	order.Acknowledged = c.Clock.Now()
	a.answer(spec.Becomes == "")
	a.watch(ctx, tally.IgnoreMuteFor)
	if sender != nil {
		sender.mute(true)
	}
	pause(ctx, leaveDelay)
	heard := c.others == nil || c.others.AwaitProcessed(ctx, c.Clock.Now())
	slowed := behind + c.Aggregator.Doubts.Slowed(order.Requested, order.Acknowledged)
	dropped := c.lostByAll()
	dropped -= min(dropped, lost) // it is less for a moment while a client's socket is replaced
	dropped += p.room.ledger.UnplacedSince(unplaced)
	if !heard { // others may have heard all of it
		dropped = math.MaxUint64
	}
	var got tally.Passed
	if sender != nil {
		got = order.Count(sender.source.HeardInSilence, slowed, tally.IgnoreMuteFor, dropped)
	}
	if spec.Removes && p.account != nil {
		more := order.Count(p.account.HeardInSilence, slowed, time.Duration(p.room.ledger.Voices())*tally.IgnoreMuteFor, dropped)
		got = got.Max(more)
	}
	c.moderation.Silenced(spec, got)
	if spec.Removes {
		ctx, cancel := context.WithTimeout(ctx, actTimeout)
		defer cancel()
		return p.leave(ctx)
	}
	return nil
}

// joinStage gives a person a role on stage, opens their mic, and returns when somebody
// has heard it. The server may have acknowledged the promotion by so much earlier than now.
func (p *person) joinStage(ctx context.Context, spec scenario.VerbSpec, behind time.Duration) error {
	c := p.room.cast
	acknowledged := c.Clock.Now()
	p.mu.Lock()
	p.role, p.state = spec.Becomes, p.state&^spec.Clears
	sender := p.sender
	p.mu.Unlock()
	if sender != nil {
		return nil // a speaker who became host
	}
	unplaced := p.room.ledger.Unplaced()
	ambiguous := func() bool { return p.room.ledger.UnplacedSince(unplaced) > 0 }
	// Who is never heard has waited as long as they had.
	unheard := func(err error) error {
		never := c.failed(acknowledged, err)
		never.Ambiguous = ambiguous()
		c.moderation.Promoted(never)
		return err
	}
	if err := p.openMic(ctx, acknowledged); err != nil {
		return unheard(err)
	}
	p.mu.Lock()
	sender = p.sender
	p.mu.Unlock()
	source := sender.source
	select {
	case <-source.Reached():
		heard := tally.Interval{From: acknowledged, Behind: behind}
		if c.others != nil { // somebody else may have heard it sooner
			heard.Ambiguous = !c.others.AwaitProcessed(ctx, source.FirstHeard())
			heard.Clocks = c.others.ClockDoubt()
		}
		heard.Until, heard.Ambiguous = source.FirstHeard(), heard.Ambiguous || ambiguous()
		heard.SentLate = sender.ownWait() + source.SentLate(acknowledged, heard.Until)
		c.moderation.Promoted(heard)
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
