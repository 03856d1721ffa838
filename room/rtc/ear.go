package rtc

import (
	"sync"
	"time"

	"github.com/earshot-audio/earshot/room/fanout"
)

// airTime is how old a packet may be, when a listener has just connected, to be
// still in the air for them: one frame.
const airTime = 20 * time.Millisecond

// Ear is one listener's downlink. It hears the room from the moment DTLS is up.
type Ear struct {
	*session
	subscriber subscriber
}

// SetOwner sets whose ear it is: from the next packet on it leaves out that talker (0:
// nobody). Its sections run on unbroken.
func (e *Ear) SetOwner(talker uint32) { e.subscriber.setOwner(talker) }

// Detach implements Session.
func (e *Ear) Detach() { e.subscriber.detach() }

// subscriber subscribes an ear to its room once packets can be sent. Its methods
// may be called from any goroutine.
type subscriber struct {
	router   *fanout.Router
	sink     fanout.Sink
	sections int

	mu       sync.Mutex
	owner    uint32
	detached bool
	sub      *fanout.Subscription
}

// subscribe lets the ear hear the room. A frame that was in the air when DTLS came
// up is sent first. It does nothing the second time, or once the ear is detached.
func (s *subscriber) subscribe(up time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.detached || s.sub != nil {
		return
	}
	sub, err := s.router.Subscribe(s.sink, fanout.SubscribeOptions{
		Sections: s.sections,
		Owner:    s.owner,
		Since:    up.Add(-airTime),
	})
	if err != nil {
		return // the room is closing, and this session with it
	}
	s.sub = sub
}

// detach stops packets, but for one that is under way, and does not wait.
func (s *subscriber) detach() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.detached = true
	if s.sub != nil {
		s.sub.Detach()
	}
}

// unsubscribe stops packets. When it returns, none is under way.
func (s *subscriber) unsubscribe() {
	s.detach()
	s.mu.Lock()
	sub := s.sub
	s.mu.Unlock()
	if sub != nil {
		sub.Close()
	}
}

// setOwner sets the talker who is left out; 0: nobody.
func (s *subscriber) setOwner(talker uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.owner = talker
	if s.sub != nil {
		s.sub.SetOwner(talker)
	}
}
