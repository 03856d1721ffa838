package cast

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/earshot-audio/earshot/loadgen/client"
	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/tally"
)

// comeBackPause is how long a person waits on average between two attempts to come back.
const comeBackPause = 200 * time.Millisecond

// lingering is how long a mic goes on beside the one that replaces it when its room has moved: there are still
// listeners where the room was.
const lingering = 3 * time.Second

// connectionLost is called when a person's signaling connection has ended, and they are not out. In
// a cluster they come back, as the web page does: their room may have moved to another node, and then their media
// plays on where it was for a moment.
func (p *person) connectionLost(moved bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left || p.away || p.ear.back || !p.ear.open && !p.ear.busy && p.sender == nil {
		return
	}
	p.ear.back = p.room.cast.Reopening.run(func(ctx context.Context) { p.comeBack(ctx, moved) })
	p.away = p.ear.back
}

// comeBack brings a person back into their room, with their ear and their mic.
func (p *person) comeBack(ctx context.Context, moved bool) {
	c := p.room.cast
	lost := c.Clock.Now()
	trying, cancel := context.WithTimeout(ctx, actTimeout)
	defer cancel()
	err := p.enterAgain(trying, moved)
	p.mu.Lock()
	p.ear.back, p.away = false, err != nil
	left, sender := p.left, p.sender
	ear := err == nil && !left && p.account != nil && !p.ear.busy
	if ear {
		p.ear.moving = moved && p.ear.open && p.subscriber != nil
		p.ear.busy, p.ear.open, p.ear.lost = true, p.ear.moving, false
	}
	moves := p.ear.moving
	p.mu.Unlock()
	if left {
		return
	}
	c.moderation.Reconnected(c.tookAgain(ctx, lost, err))
	c.Problems.Add("come back", err)
	if err != nil {
		return
	}
	if sender != nil {
		old, err := p.reopenMic(trying, sender, moved)
		took := c.tookAgain(ctx, lost, err)
		if err == nil {
			took.SentLate = sender.ownWait()
		}
		c.moderation.Reopened(took)
		c.Problems.Add("open the lost mic again", err)
		defer func() { p.dropMic(trying, sender, old, moved) }()
	}
	switch {
	case ear && moves:
		p.moveEars(ctx, true)
	case ear:
		p.reopenEars(ctx)
	}
}

// tookAgain is how long it took until something that was lost was there again, or came to nothing.
func (s Setting) tookAgain(ctx context.Context, lost time.Duration, err error) tally.Interval {
	switch {
	case err == nil:
		return tally.Interval{From: lost, Until: s.Clock.Now()}
	case ctx.Err() != nil: // the run is over: it might have succeeded
		return tally.Interval{From: lost, Until: s.Clock.Now(), Unfinished: true, Had: actTimeout}
	}
	return s.failed(lost, err)
}

// enterAgain resumes the person's session, or has them join again if it is over, as it is where the room has moved.
func (p *person) enterAgain(ctx context.Context, moved bool) error {
	for over := moved; ; over = false {
		p.mu.Lock()
		old := p.participant
		p.mu.Unlock()
		var next driver.Participant
		var err error
		if !over {
			next, err = old.Resume(ctx)
			over = driver.Forgotten(err)
		}
		if over {
			next, err = p.room.client.Join(ctx, p.name, p.room.cast.Scenario.Cast[p.group].Role)
		}
		if err == nil {
			p.enter(next)
			return nil
		}
		if p.hasLeft() || !pauseAround(ctx, comeBackPause) {
			return err
		}
	}
}

// reopenMic gives a sender another publisher in the place of one that is lost, or goes on for a moment where the room
// was. It returns the one to drop; nil: none.
func (p *person) reopenMic(ctx context.Context, sender *frameSender, moved bool) (old *client.Publisher, err error) {
	var m *client.Publisher
	for {
		if m, err = p.publish(ctx); err == nil || p.hasLeft() || !pause(ctx, comeBackPause) {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open the mic: %w", err)
	}
	old = sender.replace(m, moved)
	if p.hasLeft() { // who leaves closes what they had then
		err = m.Close()
	}
	return old, err
}

// dropMic closes a publisher that another has replaced, after a moment if it goes on beside it.
func (p *person) dropMic(ctx context.Context, sender *frameSender, old *client.Publisher, lingers bool) {
	if old == nil {
		return
	}
	if lingers {
		pause(ctx, lingering)
	}
	p.room.cast.Problems.Add("close a mic", sender.drop(old))
}

// publish connects a publisher.
func (p *person) publish(ctx context.Context) (*client.Publisher, error) {
	c := p.room.cast
	m, err := c.clients.pion.NewPublisher(p.via, p.impairment, c.Scenario.Cast[p.group].RepairedBy(), p.discontinuous(), c.Aggregator.Doubts.LossInDoubt)
	if err != nil {
		return nil, ownFault{err}
	}
	if err := p.connectPublisher(ctx, m); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

// connectPublisher exchanges a publisher's offer for the server's answer, and waits until it is
// connected.
func (p *person) connectPublisher(ctx context.Context, m *client.Publisher) error {
	offer, err := m.Offer(ctx)
	if err != nil {
		return err
	}
	if err := p.negotiate(ctx, m, offer); err != nil {
		return err
	}
	return m.Wait(ctx)
}

// negotiate exchanges a publisher's offer and candidates with the server.
func (p *person) negotiate(ctx context.Context, m *client.Publisher, offer string) error {
	ctx, done := p.connected(ctx)
	defer done()
	p.mu.Lock()
	participant := p.participant
	p.mu.Unlock()
	answer, err := participant.Publish(ctx, offer)
	if err != nil {
		return err
	}
	if answer, err = p.room.cast.clients.names.canonical(ctx, answer); err != nil {
		return err
	}
	if err := m.Accept(answer); err != nil {
		return err
	}
	return p.trickleCandidates(ctx, participant, driver.Mic, offer, answer, m.AddCandidate)
}
