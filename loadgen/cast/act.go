package cast

import (
	"context"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/loadgen/scenario"
)

// acts has what the timeline does to a person follow one another. Of two at once, the generator would end by
// the one what it awaits of the other, such as a mic that opens, and blame the server. It is safe for concurrent
// use. Its zero value is ready.
type acts struct {
	one sync.Mutex // held by the one that is carried out

	mu      sync.Mutex
	planned int // those to come, and the one that is carried out while it changes what the person is
	waiting int
	next    chan struct{} // closed when another waits; nil: nobody wants to know
}

// busy reports whether something is under way that changes what the person is.
func (s *acts) busy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.planned > 0
}

// An act is one thing that is done to a person, or that they do, from when they are chosen for it: plan, begin,
// and end. It is for one goroutine.
type act struct {
	of       *acts
	room     *sync.RWMutex // held for reading until the server has answered
	planned  bool
	begun    bool
	answered bool
}

// plan adds an act to a person of a room.
func (h *roomRun) plan(p *person) *act {
	p.acts.mu.Lock()
	defer p.acts.mu.Unlock()
	p.acts.planned++
	return &act{of: &p.acts, room: &h.acting, planned: true}
}

// begin returns when those before it have ended. Who only measures is asked to come to an end.
func (a *act) begin() {
	s := a.of
	s.mu.Lock()
	s.waiting++
	if s.next != nil {
		close(s.next)
		s.next = nil
	}
	s.mu.Unlock()
	s.one.Lock()
	s.mu.Lock()
	s.waiting--
	s.mu.Unlock()
	a.room.RLock()
	a.begun = true
}

// answer enters that the server has carried it out: the room may end. If the person is what they will be, they
// may be chosen for something else.
func (a *act) answer(done bool) {
	if !a.answered {
		a.answered = true
		a.room.RUnlock()
	}
	if done && a.planned {
		a.of.mu.Lock()
		defer a.of.mu.Unlock()
		a.planned = false
		a.of.planned--
	}
}

// watch pauses for d while the act only measures, or until another waits for its end.
func (a *act) watch(ctx context.Context, d time.Duration) {
	s := a.of
	s.mu.Lock()
	if s.waiting > 0 {
		s.mu.Unlock()
		return
	}
	next := make(chan struct{})
	s.next = next
	s.mu.Unlock()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-next:
	case <-ctx.Done():
	}
}

// end ends it.
func (a *act) end() {
	if a.begun {
		a.answer(true)
		a.of.one.Unlock()
		return
	}
	a.answered = true // nobody was asked
	a.answer(true)
}

// A moderator is whoever asks the server, in a room, for what moderators do. It is safe for concurrent use. Its
// zero value is ready.
type moderator struct {
	asking sync.RWMutex // held for reading while the server is asked, and for writing while another becomes the moderator
}

// ask waits until the moderator may ask for a verb: nobody else is becoming the moderator, after which the server
// would refuse it. The context is for what is asked until done is called.
func (m *moderator) ask(ctx context.Context, s Setting, spec scenario.VerbSpec) (_ context.Context, done func()) {
	switch {
	case spec.Actor != scenario.Moderator:
		return ctx, func() {}
	case spec.Becomes == scenario.Host:
		return s.hold(ctx, m.asking.Lock, m.asking.Unlock)
	}
	return s.hold(ctx, m.asking.RLock, m.asking.RUnlock)
}
