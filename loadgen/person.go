package loadgen

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/loadgen/client"
	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/measure"
	"github.com/earshot-audio/earshot/loadgen/netem"
	"github.com/earshot-audio/earshot/loadgen/scenario"
)

// A person is one of the cast, with the clients they use: an ear, and on stage
// a mic.
//
// A person joins once; what the timeline has them do may run at the same time
// as their leaving.
type person struct {
	room       *roomRun
	group      int // index in the cast
	number     int // within the group
	name       string
	account    *measure.Listener // nil for those on stage whose driver gives them no ear
	probe      bool              // listens with a whole peer connection
	impairment *netem.Impairment // their simulated network, or nil

	mu          sync.Mutex
	role        scenario.Role // as it is now
	participant driver.Participant
	subscriber  client.Subscriber
	sender      *frameSender // the mic, while on stage
	handRaised  bool         // is up
	invited     bool         // on stage, and has not answered
	muted       bool         // by the moderator
	left        bool
}

// takeStage brings a speaker or host in with a mic that can send, and an ear if
// the driver has sections for one.
func (p *person) takeStage(ctx context.Context) error {
	r := p.room.run
	ctx, cancel := context.WithTimeout(ctx, r.Scenario.JoinDeadline.Duration())
	defer cancel()
	visit, err := p.room.client.Join(ctx, p.name, r.Scenario.Cast[p.group].Role)
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.participant = visit
	p.mu.Unlock()
	if p.account != nil {
		// What they hear is in the figures of their role, and in no listener's.
		p.account.Expect(r.clock.Now())
		connected, err := p.subscribe(ctx, p.account.Receive)
		if err != nil {
			return err
		}
		p.account.Connected(connected)
	}
	if len(r.clips[p.group]) == 0 {
		return nil // a host without a mic
	}
	return p.openMic(ctx)
}

// join brings a listener in, and returns when it has heard something or its
// time to do so is over. Whatever goes wrong counts from then on as loss.
func (p *person) join(ctx context.Context, intended time.Duration) {
	r := p.room.run
	deadline := intended + r.Scenario.JoinDeadline.Duration()
	p.account.Expect(intended)
	// Only the first of these counts.
	defer p.account.Connected(deadline)

	ctx, cancel := context.WithDeadline(ctx, r.clock.Time(deadline))
	defer cancel()
	visit, err := p.room.client.Join(ctx, p.name, r.Scenario.Cast[p.group].Role)
	if err != nil {
		r.problems.add("join", err)
		return
	}
	p.mu.Lock()
	p.participant = visit
	p.mu.Unlock()
	connected, err := p.subscribe(ctx, p.account.Receive)
	if err != nil {
		r.problems.add("connect", err)
		return
	}
	p.account.Connected(connected)
	select {
	case <-p.account.Heard():
	case <-ctx.Done():
		r.problems.add("hear", errNothingHeard)
	}
}

var errNothingHeard = errors.New("connected, but heard nothing before the join deadline")

// listen opens an ear and returns when its DTLS handshake was complete.
func (p *person) subscribe(ctx context.Context, hear client.PacketFunc) (time.Duration, error) {
	r := p.room.run
	e, err := r.clients.newSubscriber(p, hear)
	if err != nil {
		return 0, err
	}
	p.mu.Lock()
	p.subscriber = e
	visit := p.participant
	p.mu.Unlock()
	offer, err := e.Offer(ctx)
	if err != nil {
		return 0, err
	}
	answer, err := visit.Listen(ctx, offer)
	var counter *driver.CounterOffer
	switch {
	case errors.As(err, &counter):
		err = p.answerCounterOffer(ctx, counter, hear)
	case err == nil:
		if err = e.Accept(answer); err == nil {
			err = p.trickleCandidates(ctx, visit, driver.Ear, offer, answer, e.AddCandidate)
		}
	}
	if err != nil {
		return 0, err
	}
	p.mu.Lock()
	e = p.subscriber
	p.mu.Unlock()
	return e.Wait(ctx)
}

// answer has another ear, which has made no offer, answer the server's.
func (p *person) answerCounterOffer(ctx context.Context, counter *driver.CounterOffer, hear client.PacketFunc) error {
	e, err := p.room.run.clients.newSubscriber(p, hear)
	if err != nil {
		return err
	}
	p.mu.Lock()
	old, visit := p.subscriber, p.participant
	p.subscriber = e
	p.mu.Unlock()
	if err := old.Close(); err != nil {
		return err
	}
	answer, err := e.Answer(ctx, counter.SDP)
	if err != nil {
		return err
	}
	if err := counter.Answer(ctx, answer); err != nil {
		return err
	}
	return p.trickleCandidates(ctx, visit, driver.Ear, answer, counter.SDP, e.AddCandidate)
}

// leave ends the visit and closes what the person has open.
func (p *person) leave(ctx context.Context) error {
	p.mu.Lock()
	if p.left {
		p.mu.Unlock()
		return nil
	}
	p.left = true
	visit, e, t := p.participant, p.subscriber, p.sender
	p.mu.Unlock()

	var errs []error
	if t != nil {
		errs = append(errs, t.Close())
	}
	if visit != nil {
		if err := visit.Leave(ctx); err != nil {
			errs = append(errs, fmt.Errorf("leave: %w", err))
		}
	}
	if e != nil {
		errs = append(errs, e.Close())
	}
	return errors.Join(errs...)
}

// losses returns how many packets the person's own socket dropped, and for how many
// packets the receive time was lost.
func (p *person) losses() (dropped, unstamped uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.subscriber == nil {
		return 0, 0
	}
	return p.subscriber.Losses()
}
