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
	"github.com/earshot-audio/earshot/loadgen/record"
)

// A subscription is how far a server has subscribed one person to the room's voices, where
// it does that by and by. Only its answers tell.
type subscription struct {
	person *person

	mu     sync.Mutex
	voices int // that the server sends
	at     time.Duration
	done   chan struct{} // closed when it has sent every voice once: at is when
}

// follow follows the person's subscription from the server's first answer on. It returns nil
// if the server does not subscribe people.
func (p *person) follow(participant driver.Participant, e client.Subscriber, answer string) *subscription {
	negotiator, ok := participant.(driver.Negotiator)
	if !ok {
		return nil
	}
	s := &subscription{person: p, done: make(chan struct{})}
	p.account.StepBegan(record.StepSubscription, p.room.cast.Clock.Now())
	s.answered(answer)
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
			s.answered(answer)
		},
	})
	return s
}

// answered enters an answer of the server's.
func (s *subscription) answered(answer string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.voices = sdp.Voices(answer)
	if s.at == 0 && s.voices >= s.person.owedVoices() {
		s.at = s.person.room.cast.Clock.Now()
		s.person.account.StepEnded(record.StepSubscription, s.at)
		close(s.done)
	}
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
			return max(s.at, s.person.account.FirstHeard()), nil
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

var errSessionEnded = errors.New("the session has ended")
