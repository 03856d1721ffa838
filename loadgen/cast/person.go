package cast

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/loadgen/client"
	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/ledger"
	"github.com/earshot-audio/earshot/loadgen/netem"
	"github.com/earshot-audio/earshot/loadgen/network"
	"github.com/earshot-audio/earshot/loadgen/problem"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/scenario"
)

// A person is one member of the cast, with the clients that they use: one that
// receives, and on stage one that sends.
//
// A person joins once. Timeline events may run while they leave. The methods are what
// a person does: come, publish, listen, act, and leave.
type person struct {
	room       *roomRun
	group      int // index in the cast
	number     int // within the group
	place      int // within the room's cast
	mic        int // the number of the mic that they open next, as they are cast or an event has it; -1 if none
	name       string
	account    *ledger.Listener  // nil for people on stage whose driver lets them only send
	probe      bool              // receives with a Pion peer connection
	impairment *netem.Impairment // the emulated network, or nil
	via        network.Transport // of what they receive, or on stage of their mic

	// connection guards the signaling connection: see connected. It is taken before mu.
	connection sync.RWMutex

	acts acts // taken before connection

	mu          sync.Mutex
	role        scenario.Role // at present
	participant driver.Participant
	subscriber  client.Subscriber
	sender      *frameSender   // while on stage
	state       scenario.State // all but Publishing, which sender says
	left        bool
	ear         earState
	// away means that they are on their way out, or that their connection was lost and is not
	// resumed: the server may not know them.
	away bool
}

// takeStage brings in a speaker or host with a connected mic, and with a receiving
// client if the driver lets people on stage listen. from is when they were to come.
func (p *person) takeStage(ctx context.Context, from time.Duration) error {
	c := p.room.cast
	ctx, cancel := context.WithDeadline(ctx, c.Clock.Time(from+c.Scenario.JoinDeadline.Duration()))
	defer cancel()
	err := p.comeOnStage(ctx)
	switch {
	case len(c.clips[p.group]) == 0: // a host without a mic
		return err
	case err != nil:
		c.Uplinks.Add(from).Failed(c.Clock.Now(), err)
		return err
	}
	return p.openMic(ctx, from)
}

// comeOnStage is all of takeStage but the mic.
func (p *person) comeOnStage(ctx context.Context) error {
	c := p.room.cast
	participant, err := p.room.client.Join(ctx, p.name, c.Scenario.Cast[p.group].Role)
	if err != nil {
		return err
	}
	p.enter(participant)
	if p.account != nil {
		// What they receive counts for their role, not for listeners.
		now := c.Clock.Now()
		p.account.Expect(now, now, now+c.Scenario.JoinDeadline.Duration())
		connected, err := p.subscribe(ctx, p.account.Receive)
		if err != nil {
			return err
		}
		p.account.Connected(connected)
		p.earOpened()
	}
	return nil
}

// enter begins a person's presence, or has it go on by another connection.
func (p *person) enter(participant driver.Participant) {
	p.mu.Lock()
	p.participant = participant
	p.mu.Unlock()
	participant.OnMediaClosed(p.mediaClosed)
	participant.OnEarMoving(p.earMoving)
	if p.room.cast.Scenario.Nodes() > 0 {
		participant.OnLost(p.connectionLost)
	}
}

// join brings a person in who was to come at a time.
func (p *person) join(ctx context.Context, intended time.Duration) {
	if p.room.cast.Scenario.Cast[p.group].Role == scenario.Listener {
		p.joinAudience(ctx, intended)
		return
	}
	doing := problem.Publishing
	if len(p.room.cast.clips[p.group]) == 0 {
		doing = "take the stage" // without a mic, which is no matter of the metric published
	}
	p.room.cast.Problems.Add(doing, p.takeStage(ctx, intended))
}

// joinAudience brings a listener in. It returns when they have received audio or their join
// deadline has passed. Whatever goes wrong counts as loss from then on.
func (p *person) joinAudience(ctx context.Context, intended time.Duration) {
	c := p.room.cast
	deadline := intended + c.Scenario.JoinDeadline.Duration()
	p.account.Expect(intended, c.Clock.Now(), deadline)
	// Only the first call of Connected counts. One who is refused is owed what is
	// sent from then on.
	defer p.account.Connected(deadline)

	ctx, cancel := context.WithDeadline(ctx, c.Clock.Time(deadline))
	defer cancel()
	p.account.StepBegan(record.StepSignaling, c.Clock.Now())
	ctx = traceConnection(ctx, c.Clock, p.account)
	turn := c.turns.Turn(func(waited time.Duration) {
		now := c.Clock.Now()
		p.account.HeldUp(now-waited, now)
	})
	defer turn.End()
	ctx = driver.WithTurn(ctx, turn)
	participant, err := p.room.client.Join(ctx, p.name, c.Scenario.Cast[p.group].Role)
	if err != nil {
		p.notIn("join", err)
		return
	}
	p.enter(participant)
	connected, err := p.subscribe(ctx, p.account.Receive)
	switch {
	case errors.Is(err, errNothingHeard):
		p.notIn("hear", err)
		return
	case err != nil:
		p.notIn("connect", err)
		return
	}
	p.account.Connected(connected)
	p.earOpened()
	select {
	case <-p.account.Heard():
	case <-ctx.Done():
		c.Problems.Add("hear", errNothingHeard)
	}
}

// notIn records that a listener did not get in. From then on they are owed what is sent.
func (p *person) notIn(doing string, err error) {
	c := p.room.cast
	if problem.AtLimit(err) {
		c.Book.Limited()
	}
	if driver.Refused(err) && !p.room.unanswered { // else it may be since nobody publishes there
		p.account.Refused(c.Clock.Now())
	} else {
		p.account.Failed(c.Clock.Now())
	}
	c.Problems.Add(doing, err)
}

var errNothingHeard = errors.New("connected by ICE and DTLS, but heard nothing before the join deadline: the server sent no audio that could be decrypted")

// subscribe connects a receiving client and returns from when on it is owed packets: its
// DTLS handshake was complete, and its subscription, if the server subscribes people.
func (p *person) subscribe(ctx context.Context, receive client.PacketFunc) (time.Duration, error) {
	e, err := p.connect(ctx, receive)
	if e.answered > 0 {
		p.recordSteps(e.answered, e.Connected)
	}
	if err != nil {
		return 0, err
	}
	if e.subscribed == nil {
		return e.DTLS, nil
	}
	at, err := e.subscribed.wait(ctx, e.participant.Done())
	return max(e.DTLS, at), err
}

// A connectedEar is how far a receiving client got.
type connectedEar struct {
	client.Connected
	answered    time.Duration // when the server had answered; 0: it has not
	participant driver.Participant
	subscribed  *subscription // nil if the server does not subscribe people
}

// connect connects a receiving client.
func (p *person) connect(ctx context.Context, receive client.PacketFunc) (got connectedEar, err error) {
	c := p.room.cast
	e, err := c.clients.newSubscriber(p, receive)
	if err != nil {
		return got, err
	}
	p.mu.Lock()
	if p.ear.moving {
		e.SetGate(client.Deaf)
	}
	p.subscriber = e
	got.participant = p.participant
	p.mu.Unlock()
	offer, err := e.Offer(ctx)
	if err != nil {
		return got, err
	}
	answer, err := p.listen(ctx, got.participant, offer)
	var counter *driver.CounterOffer
	switch {
	case errors.As(err, &counter):
		got.subscribed, err = p.answerCounterOffer(ctx, counter, receive)
	case err == nil:
		if answer, err = c.clients.names.canonical(ctx, answer); err == nil {
			err = e.Accept(answer)
		}
		if err == nil {
			err = p.trickleCandidates(ctx, got.participant, driver.Ear, offer, answer, e.AddCandidate)
		}
		if err == nil {
			got.subscribed = p.follow(got.participant, e, answer)
		}
	}
	if err != nil {
		return got, err
	}
	p.mu.Lock()
	e = p.subscriber
	p.mu.Unlock()
	driver.TurnOf(ctx).End()
	got.answered = c.Clock.Now()
	got.Connected, err = e.Wait(ctx)
	return got, err
}

// listen exchanges a receiving client's offer for the server's answer: of the node that the
// person's group is to hear, for their first ear. Another ear is wherever the cluster has room.
func (p *person) listen(ctx context.Context, participant driver.Participant, offer string) (string, error) {
	p.mu.Lock()
	first := !p.ear.another
	p.mu.Unlock()
	placed, ok := participant.(driver.Placed)
	if node := p.room.cast.Scenario.Cast[p.group].Node; node > 0 && first && ok {
		return placed.ListenAt(ctx, node, offer)
	}
	return participant.Listen(ctx, offer)
}

// answerCounterOffer answers the server's offer with a new client that has made none. It
// returns the person's subscription, or nil.
func (p *person) answerCounterOffer(ctx context.Context, counter *driver.CounterOffer, receive client.PacketFunc) (*subscription, error) {
	clients, turn := p.room.cast.clients, driver.TurnOf(ctx)
	offer, err := clients.names.canonical(ctx, counter.SDP)
	if err != nil {
		return nil, err
	}
	turn.Take(ctx)
	e, err := clients.newAnswerer(p, receive)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	old, participant := p.subscriber, p.participant
	p.subscriber = e
	p.mu.Unlock()
	if err := old.Close(); err != nil {
		return nil, err
	}
	answer, err := e.Answer(ctx, offer)
	if err != nil {
		return nil, err
	}
	turn.Give()
	if err := counter.Answer(ctx, answer); err != nil {
		return nil, err
	}
	if err := p.trickleCandidates(ctx, participant, driver.Ear, answer, offer, e.AddCandidate); err != nil {
		return nil, err
	}
	return p.followOffers(participant, e, offer), nil
}

// leave ends the person's presence and closes their clients.
func (p *person) leave(ctx context.Context) error {
	ctx, done := p.connected(ctx)
	defer done()
	p.mu.Lock()
	if p.left {
		p.mu.Unlock()
		return nil
	}
	p.left = true
	participant, e, t := p.participant, p.subscriber, p.sender
	p.mu.Unlock()

	var errs []error
	if t != nil {
		errs = append(errs, t.Close())
	}
	if participant != nil {
		errs = append(errs, participant.Leave(ctx))
	}
	if e != nil {
		errs = append(errs, e.Close())
	}
	return errors.Join(errs...)
}

// setAway says whether the server may not know them, so that nothing can be asked of it
// about them.
func (p *person) setAway(away bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.away = away
}

// depart leaves in the middle of the run. Counting ends first, and leaving waits for
// packets in flight.
func (p *person) depart(ctx context.Context) error {
	p.setAway(true)
	p.stopCounting()
	pause(ctx, leaveDelay)
	return p.leave(ctx)
}

// stopCounting ends what the person is owed, and what others are owed of them.
func (p *person) stopCounting() {
	p.mu.Lock()
	sender := p.sender
	p.mu.Unlock()
	if sender != nil {
		sender.mute(true)
		sender.release()
	}
	if p.account != nil {
		p.account.Left(p.room.cast.Clock.Now())
	}
}

// losses returns how many packets the person's own socket dropped, and for how many
// packets the receive time was lost.
func (p *person) losses() (dropped, unstamped uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	dropped, unstamped = p.ear.dropped, p.ear.unstamped
	if p.subscriber != nil {
		d, u := p.subscriber.Losses()
		dropped, unstamped = dropped+d, unstamped+u
	}
	return dropped, unstamped
}
