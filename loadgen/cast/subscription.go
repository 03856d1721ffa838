package cast

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/internal/sdp"
	"github.com/earshot-audio/earshot/loadgen/client"
	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/ledger"
	"github.com/earshot-audio/earshot/loadgen/record"
)

// lateStart is how long after the answer to its offer a server may begin to send a voice that
// it has offered with others: what it sends before that is not owed.
const lateStart = time.Second

// A subscription is how far a server has subscribed one person to the room's voices, where
// it does that by and by. Only its descriptions tell.
type subscription struct {
	person *person
	offers bool // the server makes the offers, so that it sends after the client's word

	mu     sync.Mutex
	voices int // that the server sends
	at     time.Duration
	done   chan struct{} // closed when it has sent every voice once: at is when

	heard    map[int]bool // the sections in which something came
	heardAll chan struct{}
	allAt    time.Duration // when heardAll was closed
}

// follow follows the person's subscription from the server's first answer on. It returns nil
// if the server does not subscribe people.
func (p *person) follow(participant driver.Participant, e client.Subscriber, answer string) *subscription {
	negotiator, ok := participant.(driver.Negotiator)
	if !ok {
		return nil
	}
	s := p.subscription()
	s.described(answer)
	names, problems := &p.room.cast.clients.names, p.room.cast.Problems
	negotiator.Negotiate(driver.Negotiation{
		Offer: e.OfferAgain,
		Accept: func(answer string) {
			answer, err := names.canonical(context.Background(), answer)
			if err == nil {
				err = e.AcceptAgain(answer)
			}
			if err != nil {
				problems.Add("take another answer", err)
				return
			}
			s.described(answer)
		},
	})
	return s
}

// followOffers is follow for a server whose first offer the client has answered.
func (p *person) followOffers(participant driver.Participant, e client.Subscriber, offer string) *subscription {
	negotiator, ok := participant.(driver.Negotiator)
	if !ok {
		return nil
	}
	s := p.subscription()
	s.offers = true
	e.SetGate(func(packet ledger.Packet, deliver client.PacketFunc) {
		if deliver(packet); s.hears(packet) {
			e.SetGate(nil)
		}
	})
	s.described(offer)
	names, problems := &p.room.cast.clients.names, p.room.cast.Problems
	negotiator.Negotiate(driver.Negotiation{
		Answer: func(ctx context.Context, offer string, send func(answer string) error) error {
			offer, err := names.canonical(ctx, offer)
			answer := ""
			if err == nil {
				answer, err = e.Answer(ctx, offer)
			}
			if err != nil {
				if ctx.Err() == nil {
					problems.Add("answer another offer", err)
				}
				return err
			}
			if err := send(answer); err != nil {
				return err
			}
			s.described(offer)
			return nil
		},
		Candidate: func(attribute string) { problems.Add("take another candidate", e.AddCandidate(attribute)) },
	})
	return s
}

// subscription begins one of the person.
func (p *person) subscription() *subscription {
	p.account.StepBegan(record.StepSubscription, p.room.cast.Clock.Now())
	return &subscription{person: p, done: make(chan struct{}), heard: map[int]bool{}, heardAll: make(chan struct{})}
}

// described enters a description of the server's, which is in force.
func (s *subscription) described(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.voices = sdp.Voices(text)
	if s.at == 0 && s.voices >= s.person.owedVoices() {
		s.at = s.person.room.cast.Clock.Now()
		s.person.account.StepEnded(record.StepSubscription, s.at)
		close(s.done)
	}
}

// hears enters a packet, and reports whether there has been one of every voice.
func (s *subscription) hears(packet ledger.Packet) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard[packet.Section] = true
	if s.allAt == 0 && len(s.heard) >= s.person.owedVoices() {
		s.allAt = packet.At
		close(s.heardAll)
	}
	return s.allAt != 0
}

// owedVoices returns how many voices the person can hear at present.
func (p *person) owedVoices() int {
	return min(p.room.ledger.Voices(), p.room.cast.clients.sections(p.room.cast.Scenario.Cast[p.group]))
}

// wait waits until the server has subscribed the person to every voice, and returns from
// when on it is owed packets: from the first that comes. The server's word comes before it has
// begun to send.
func (s *subscription) wait(ctx context.Context, ended <-chan struct{}) (time.Duration, error) {
	cause := errSessionEnded
	select {
	case <-s.done:
		select {
		case <-s.person.account.Heard():
			return s.began(ctx), nil
		case <-ctx.Done():
			return 0, errNothingHeard
		}
	case <-ended:
	case <-ctx.Done():
		cause = ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return 0, fmt.Errorf("the server has subscribed the listener to %d of %d voices: %w", s.voices, s.person.owedVoices(), cause)
}

// began returns when the server has begun to send, at the latest. One that makes the offers
// begins each voice when it has read the answer, and not by its own word.
func (s *subscription) began(ctx context.Context) time.Duration {
	first := max(s.at, s.person.account.FirstHeard())
	if !s.offers {
		return first
	}
	latest := first + lateStart
	limit := time.NewTimer(latest - s.person.room.cast.Clock.Now())
	defer limit.Stop()
	select {
	case <-s.heardAll:
	case <-limit.C:
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.allAt != 0 { // though this may have come to know it late
		return min(max(first, s.allAt), latest)
	}
	return min(latest, s.person.room.cast.Clock.Now())
}

var errSessionEnded = errors.New("the session has ended")
