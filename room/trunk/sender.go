package trunk

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/room/fanout"
)

const (
	// TickEvery is how often [Sender.Tick] and [Receiver.Tick] are to be called.
	TickEvery = 100 * time.Millisecond
	// goneAfter is how long a hall may say nothing before its ears are given up.
	goneAfter = time.Second
	// stalled is how late a tick shows that this process stood still, and not the halls.
	stalled = 500 * time.Millisecond
	// snapshotEvery is how many ticks pass between two snapshots for a hall that misses
	// nothing, so that whatever went wrong is put right.
	snapshotEvery = 50
	// movesPerTick is how many ears of a hall that will close are moved at each tick: 500 a second,
	// which leaves most of a core to what is heard meanwhile.
	movesPerTick = 50
)

// Report is what a hall tells its stage: when it has carried out an order, and at each tick.
type Report struct {
	Hall string `json:"hall"`
	// Seq is the last message that the hall has had, and Silent that it waits for a snapshot.
	Seq    uint64 `json:"seq"`
	Silent bool   `json:"silent,omitempty"`
	// Ended are the ears that have ended by themselves. They are told at once, and repeated at each
	// tick until the stage closes them.
	Ended []uint64 `json:"ended,omitempty"`
	// Leaving says that the hall will close: its ears are to be opened elsewhere.
	Leaving bool `json:"leaving,omitempty"`
	// Gone says that the hall closes: all its ears end.
	Gone bool `json:"gone,omitempty"`
}

// SenderConfig is what a [Sender] is made of.
type SenderConfig struct {
	// Send passes a message on to all halls: an order, or a frame. It must not block, and may
	// drop messages.
	Send func(data []byte, order bool)
	Now  func() time.Time
	// Hold is how long the audience's packets may be held at first.
	Hold time.Duration
}

// Sender is the trunk's end at the server that has the room. Its methods may be called from
// any goroutine. It is a [fanout.Sink], for a subscription with Relay set, and takes reports
// by Heard.
type Sender struct {
	cfg   SenderConfig
	began time.Time

	mu    sync.Mutex
	seq   uint64
	ended bool
	halls map[string]*hallState
	ears  map[uint64]*stageEar
	last  uint64 // ear's number
	mutes map[uint32]bool
	hold  time.Duration
	tick  time.Time     // of the last Tick
	news  chan struct{} // closed at the next report
}

type hallState struct {
	seq   uint64
	heard time.Time
	asked time.Time // when it was last sent a snapshot because it is silent
	ticks int
	// leaving says that the hall will close.
	leaving bool
}

type stageEar struct {
	EarEvents
	hall  string
	owner uint32
	moved bool // Move has been called
}

// EarEvents are called, without a lock, for an ear of a hall.
type EarEvents struct {
	// Ended is called when the ear has ended by itself, or with its hall.
	Ended func()
	// Move is called once when the hall will close: the ear is to be opened elsewhere.
	Move func()
}

// NewSender makes a stage without halls.
func NewSender(cfg SenderConfig) *Sender {
	return &Sender{
		cfg: cfg, began: cfg.Now(), halls: map[string]*hallState{}, ears: map[uint64]*stageEar{}, mutes: map[uint32]bool{},
		hold: cfg.Hold, tick: cfg.Now(), news: make(chan struct{}),
	}
}

// send gives a message its place in the sequence. The caller holds the lock.
func (s *Sender) send(m message) {
	if len(s.halls) == 0 {
		return
	}
	s.seq++
	m.seq, m.stamp = s.seq, s.cfg.Now().Sub(s.began).Microseconds()
	s.cfg.Send(m.encode(), m.kind != kindFrame)
}

// Send implements [fanout.Sink]: it passes frames on to the halls.
func (s *Sender) Send(_ fanout.SendBatch, packets []fanout.Packet) (failed int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range packets {
		s.send(message{kind: kindFrame, frame: *packets[i].Frame})
	}
	return 0
}

// Add returns a number for an ear that a hall will open, and the last message before it.
func (s *Sender) Add(hall string, owner uint32, events EarEvents) (ear, since uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.halls[hall] == nil {
		s.halls[hall] = &hallState{heard: s.cfg.Now()}
	}
	s.last++
	s.ears[s.last] = &stageEar{EarEvents: events, hall: hall, owner: owner}
	return s.last, s.seq
}

// Close takes an ear away. It does nothing if it is not there.
func (s *Sender) Close(ear uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ears[ear] != nil {
		delete(s.ears, ear)
		s.send(message{kind: kindClose, ear: ear})
	}
}

// SetOwner sets whose ear it is: that talker is left out of it; 0: nobody.
func (s *Sender) SetOwner(ear uint64, talker uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.ears[ear]; e != nil && e.owner != talker {
		e.owner = talker
		s.send(message{kind: kindOwner, ear: ear, talker: talker})
	}
}

// Mute silences a talker in all halls, or lets it be heard again.
func (s *Sender) Mute(talker uint32, muted bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mutes[talker] == muted {
		return
	}
	if muted {
		s.mutes[talker] = true
	} else {
		delete(s.mutes, talker)
	}
	s.send(message{kind: kindMute, talker: talker, muted: muted})
}

// SetHold changes how long the audience's packets may be held.
func (s *Sender) SetHold(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hold = d
	s.send(message{kind: kindHold, hold: d})
}

// End closes all ears and ends the trunk.
func (s *Sender) End() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.send(message{kind: kindEnd})
	s.ended = true
	clear(s.ears)
}

// Ears returns how many ears there are in halls, and in how many.
func (s *Sender) Ears() (ears, halls int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.ears), len(s.halls)
}

// Settled waits until all halls that are there have carried out what was ordered so far, or
// until ctx ends. It reports whether they have.
func (s *Sender) Settled(ctx context.Context) bool {
	s.mu.Lock()
	target := s.seq
	for {
		behind := false
		for _, h := range s.halls {
			behind = behind || h.seq < target
		}
		news := s.news
		s.mu.Unlock()
		if !behind {
			return true
		}
		select {
		case <-news:
		case <-ctx.Done():
			return false
		}
		s.mu.Lock()
	}
}

// Heard takes a hall's report.
func (s *Sender) Heard(r Report) {
	now := s.cfg.Now()
	var ended []func()
	s.mu.Lock()
	h := s.halls[r.Hall]
	switch {
	case s.ended:
	case h == nil && !r.Gone: // given up, or of an earlier stage: it closes what it has
		s.halls[r.Hall] = &hallState{seq: r.Seq, heard: now}
		s.snapshot(r.Hall)
	case h == nil:
	case r.Gone:
		ended = s.giveUp(r.Hall)
	default:
		h.heard, h.seq, h.leaving = now, max(h.seq, r.Seq), r.Leaving
		for _, ear := range r.Ended {
			// One that is not there is closed already. A hall that has missed that gets a snapshot.
			if e := s.ears[ear]; e != nil {
				ended = append(ended, e.Ended)
				delete(s.ears, ear)
				s.send(message{kind: kindClose, ear: ear})
			}
		}
		if r.Silent && now.Sub(h.asked) >= TickEvery {
			h.asked = now
			s.snapshot(r.Hall)
		}
	}
	s.wake()
	s.mu.Unlock()
	for _, f := range ended {
		f()
	}
}

// wake has those who wait look again. The caller holds the lock.
func (s *Sender) wake() {
	close(s.news)
	s.news = make(chan struct{})
}

// giveUp forgets a hall and its ears, and returns what is to be called for them. The caller
// holds the lock.
func (s *Sender) giveUp(hall string) (ended []func()) {
	for number, e := range s.ears {
		if e.hall == hall {
			ended = append(ended, e.Ended)
			delete(s.ears, number)
		}
	}
	s.snapshot(hall) // of no ears: it may hear its stage and not be heard, and plays to them no longer
	delete(s.halls, hall)
	return ended
}

// snapshot sends a hall what holds. The caller holds the lock.
func (s *Sender) snapshot(hall string) {
	m := message{kind: kindSnapshot, hall: hall, hold: s.hold, mutes: slices.Sorted(maps.Keys(s.mutes))}
	for number, e := range s.ears {
		if e.hall == hall {
			m.ears = append(m.ears, earState{number, e.owner})
		}
	}
	s.send(m)
}

// move returns what moves the next ears of a hall that will close. The caller holds the lock.
func (s *Sender) move(hall string) (moves []func()) {
	for _, e := range s.ears {
		if len(moves) == movesPerTick {
			break
		}
		if e.hall == hall && !e.moved {
			e.moved = true
			moves = append(moves, e.Move)
		}
	}
	return moves
}

// Tick is to be called at each [TickEvery]. It moves ears of halls that will close, and gives up
// halls that say nothing, and returns their names.
func (s *Sender) Tick() (gone []string) {
	now := s.cfg.Now()
	var events []func()
	s.mu.Lock()
	stood := now.Sub(s.tick) > stalled
	s.tick = now
	s.send(message{kind: kindTick})
	for name, h := range s.halls {
		if stood {
			h.heard = now
		}
		if now.Sub(h.heard) > goneAfter {
			events = append(events, s.giveUp(name)...)
			gone = append(gone, name)
			continue
		}
		if h.leaving {
			events = append(events, s.move(name)...)
		}
		if h.ticks++; h.ticks%snapshotEvery == 0 {
			s.snapshot(name)
		}
	}
	if len(gone) > 0 {
		s.wake()
	}
	s.mu.Unlock()
	for _, f := range events {
		f()
	}
	return gone
}
