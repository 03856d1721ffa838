package trunk

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/room/fanout"
)

const (
	// silentAfter is how long a hall may have nothing from its stage before it is silent.
	silentAfter = time.Second
	// DeadAfter is how long a hall without its stage, or without ears, is kept. When another server
	// has taken the room over it is silent: nobody hears both.
	DeadAfter = 8 * time.Second
	// lateAfter is how much longer than the quickest of the last ten seconds a frame may take.
	lateAfter = 200 * time.Millisecond
	// leastFor is how long a quickest one counts at least, and half of how long at most.
	leastFor = 5 * time.Second
	// idlePublisher is how long a talker who sends nothing keeps a publisher.
	idlePublisher = 5 * time.Second
	// rememberClosed is how long an ear is remembered that was closed before it was opened.
	rememberClosed = time.Minute
)

// HallRoom is what carries the audio of a hall. *rtc.MediaRoom is one.
type HallRoom interface {
	Publish(talker uint32) (*fanout.Publisher, error)
	Mute(talker uint32, muted bool)
	SetAudienceHold(d time.Duration)
}

// HallEar is an ear of a hall. *rtc.Ear is one.
type HallEar interface {
	SetOwner(talker uint32)
	Detach()
	Close() error
	OnEnd(f func())
}

// ReceiverConfig is what a [Receiver] is made of.
type ReceiverConfig struct {
	Name string
	Room HallRoom
	// Report passes a report on to the stage. It must not block.
	Report func(Report)
	// Delay, if it is not nil, is called with how much longer than the quickest each frame
	// took.
	Delay func(time.Duration)
	Now   func() time.Time
	// Leaving, if it is not nil, reports whether the hall will close: its ears are then moved.
	Leaving func() bool
}

// ReceiverStats are a hall's figures.
type ReceiverStats struct {
	Ears int
	// Frames counts those passed on, Late those that took too long, and Gaps how often
	// messages were missing, or the stage was not heard.
	Frames, Late, Gaps uint64
	Silent             bool
}

// Receiver is the trunk's end at a server that has ears of the room, and no more. Its methods may
// be called from any goroutine; Handle from one at a time. Close ends it.
type Receiver struct {
	cfg     ReceiverConfig
	began   time.Time
	begun   chan struct{}  // closed with the first snapshot
	closing sync.WaitGroup // of ears

	mu      sync.Mutex
	over    bool
	seq     uint64
	silent  bool
	heard   time.Time // when the last message came
	needed  time.Time // when there was an ear
	ears    map[uint64]hallEar
	ended   map[uint64]bool // ears that have ended by themselves
	closed  map[uint64]time.Time
	mutes   map[uint32]bool
	talkers map[uint32]*talker
	stats   ReceiverStats
	// least are the quickest of this leastFor, and of the one before.
	least    [2]int64
	leastEnd time.Time
}

type hallEar struct {
	HallEar
	since uint64
	owner uint32
}

type talker struct {
	publisher *fanout.Publisher
	source    uint32
	last      time.Time
}

// NewReceiver makes a hall, which is silent until it has a snapshot.
func NewReceiver(cfg ReceiverConfig) *Receiver {
	now := cfg.Now()
	return &Receiver{
		cfg: cfg, began: now, begun: make(chan struct{}), silent: true, heard: now, needed: now, ears: map[uint64]hallEar{}, ended: map[uint64]bool{},
		closed: map[uint64]time.Time{}, mutes: map[uint32]bool{}, talkers: map[uint32]*talker{},
	}
}

// Begun is closed when the hall has had its first snapshot: until then its ears hear nothing.
func (h *Receiver) Begun() <-chan struct{} { return h.begun }

// Add takes an ear in that was opened on the stage's behalf, with its number and the last
// message before it. It returns false if the stage has given it up already: the caller
// closes it.
func (h *Receiver) Add(number, since uint64, owner uint32, ear HallEar) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.needed = h.cfg.Now()
	if _, gone := h.closed[number]; gone || h.over {
		delete(h.closed, number)
		return false
	}
	h.ears[number] = hallEar{ear, since, owner}
	ear.OnEnd(func() { h.earEnded(number) })
	return true
}

// Ear returns an ear by its number; nil: there is none.
func (h *Receiver) Ear(number uint64) HallEar {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ears[number].HallEar
}

// earEnded tells the stage of an ear that has ended by itself.
func (h *Receiver) earEnded(number uint64) {
	h.mu.Lock()
	_, there := h.ears[number]
	if there {
		delete(h.ears, number)
		h.ended[number] = true
	}
	r := h.report()
	r.Ended = []uint64{number}
	h.mu.Unlock()
	if there {
		h.cfg.Report(r)
	}
}

// close closes an ear in the background. The caller holds the lock.
func (h *Receiver) close(ear HallEar) {
	ear.Detach()
	h.closing.Go(func() { _ = ear.Close() }) // it may have ended already
}

// closeEar closes an ear by its number. The caller holds the lock.
func (h *Receiver) closeEar(number uint64) {
	delete(h.ended, number)
	ear, there := h.ears[number]
	if !there {
		h.closed[number] = h.cfg.Now()
		return
	}
	delete(h.ears, number)
	h.close(ear)
}

// Handle takes a message of the stage, which must not be changed afterwards.
func (h *Receiver) Handle(data []byte) {
	m, err := decode(data)
	if err != nil {
		return // of another version, which its stage's server does not send to this one
	}
	h.mu.Lock()
	answer := h.take(&m)
	var r Report
	if answer {
		r = h.report()
	}
	h.mu.Unlock()
	if answer {
		h.cfg.Report(r)
	}
}

// take takes a message, and reports whether the stage waits for an answer. The caller holds
// the lock.
func (h *Receiver) take(m *message) (answer bool) {
	if m.seq <= h.seq || h.over {
		return false // it has come before, or too late
	}
	missed := m.seq != h.seq+1
	h.seq, h.heard = m.seq, h.cfg.Now()
	mine := m.kind == kindSnapshot && m.hall == h.cfg.Name
	switch {
	case mine:
		h.silent = false
		select {
		case <-h.begun:
		default:
			close(h.begun)
		}
	case missed && !h.silent:
		h.fallSilent()
		answer = true
	}
	return h.apply(m, mine) || answer
}

// fallSilent lets nothing pass until there is a snapshot. The caller holds the lock.
func (h *Receiver) fallSilent() {
	h.silent = true
	h.stats.Gaps++
}

// apply carries a message out: of a silent hall only what takes something away. The caller
// holds the lock.
func (h *Receiver) apply(m *message, mine bool) (answer bool) {
	switch m.kind {
	case kindFrame:
		h.play(m)
		return false
	case kindTick:
		return false
	case kindSnapshot:
		if !mine {
			return false
		}
		h.restore(m)
	case kindClose:
		h.closeEar(m.ear)
	case kindMute:
		if m.muted || !h.silent {
			h.mute(m.talker, m.muted)
		}
	case kindOwner:
		h.setOwner(m.ear, m.talker)
	case kindHold:
		h.cfg.Room.SetAudienceHold(m.hold)
	case kindEnd:
		h.end()
	}
	return true
}

func (h *Receiver) mute(talker uint32, muted bool) {
	if h.mutes[talker] == muted {
		return
	}
	if muted {
		h.mutes[talker] = true
	} else {
		delete(h.mutes, talker)
	}
	h.cfg.Room.Mute(talker, muted)
}

func (h *Receiver) setOwner(number uint64, owner uint32) {
	if ear, there := h.ears[number]; there && ear.owner != owner {
		ear.SetOwner(owner)
		ear.owner = owner
		h.ears[number] = ear
	}
}

// restore makes everything as a snapshot says. The caller holds the lock.
func (h *Receiver) restore(m *message) {
	h.cfg.Room.SetAudienceHold(m.hold)
	muted := make(map[uint32]bool, len(m.mutes))
	for _, t := range m.mutes {
		muted[t] = true
		h.mute(t, true)
	}
	for t := range h.mutes {
		if !muted[t] {
			h.mute(t, false)
		}
	}
	kept := make(map[uint64]bool, len(m.ears))
	for _, e := range m.ears {
		kept[e.ear] = true
		h.setOwner(e.ear, e.owner)
	}
	for number, ear := range h.ears {
		if !kept[number] && ear.since < m.seq { // one that was added later is not in it
			h.closeEar(number)
		}
	}
	maps.DeleteFunc(h.ended, func(number uint64, _ bool) bool { return !kept[number] })
}

// play passes a frame on to the ears. The caller holds the lock.
func (h *Receiver) play(m *message) {
	if h.silent {
		return
	}
	now := h.heard
	delay := h.delayed(now, m.stamp)
	if h.cfg.Delay != nil {
		h.cfg.Delay(delay)
	}
	if delay > lateAfter {
		h.stats.Late++
		return
	}
	t := h.talkers[m.frame.Talker]
	if t == nil {
		publisher, err := h.cfg.Room.Publish(m.frame.Talker)
		if err != nil {
			return // the room is closing
		}
		t = &talker{publisher: publisher, source: m.frame.Source}
		h.talkers[m.frame.Talker] = t
	}
	if t.source != m.frame.Source {
		t.source = m.frame.Source
		t.publisher.Restart()
	}
	t.last = now
	h.stats.Frames++
	t.publisher.Push(m.frame)
}

// delayed returns how much longer a message took than the quickest lately. The clocks of the
// two servers need not agree. The caller holds the lock.
func (h *Receiver) delayed(now time.Time, stamp int64) time.Duration {
	took := now.Sub(h.began).Microseconds() - stamp
	if now.After(h.leastEnd) {
		h.least[1] = h.least[0]
		if now.Sub(h.leastEnd) > leastFor { // that one is old, too, or there was none
			h.least[1] = took
		}
		h.least[0], h.leastEnd = took, now.Add(leastFor)
	}
	h.least[0] = min(h.least[0], took)
	return time.Duration(took-min(h.least[0], h.least[1])) * time.Microsecond
}

// report returns what the stage is told at any time, without the ears that have ended: of many
// that end at once each would be told with each order. The caller holds the lock.
func (h *Receiver) report() Report {
	return Report{Hall: h.cfg.Name, Seq: h.seq, Silent: h.silent, Gone: h.over, Leaving: h.cfg.Leaving != nil && h.cfg.Leaving()}
}

// Tick is to be called at each [TickEvery]. It reports whether the hall is of use: it has
// ears, or had some lately, and has a stage.
func (h *Receiver) Tick() bool {
	now := h.cfg.Now()
	h.mu.Lock()
	if now.Sub(h.heard) > silentAfter && !h.silent {
		h.fallSilent()
	}
	if len(h.ears) > 0 {
		h.needed = now
	}
	for number, at := range h.closed {
		if now.Sub(at) > rememberClosed {
			delete(h.closed, number)
		}
	}
	for id, t := range h.talkers {
		if now.Sub(t.last) > idlePublisher {
			t.publisher.Close()
			delete(h.talkers, id)
		}
	}
	alive := !h.over && now.Sub(h.heard) < DeadAfter && now.Sub(h.needed) < DeadAfter
	r := h.report()
	r.Ended = slices.Collect(maps.Keys(h.ended))
	h.mu.Unlock()
	h.cfg.Report(r)
	return alive
}

// Stats reads the figures.
func (h *Receiver) Stats() ReceiverStats {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.stats
	s.Ears, s.Silent = len(h.ears), h.silent
	return s
}

// end closes all ears. The caller holds the lock.
func (h *Receiver) end() {
	h.over, h.silent = true, true
	for number := range h.ears {
		h.closeEar(number)
	}
}

// Close closes all ears, tells the stage, and waits until they are closed. It may be called
// more than once.
func (h *Receiver) Close() {
	h.mu.Lock()
	h.end()
	r := h.report()
	h.mu.Unlock()
	h.cfg.Report(r)
	h.closing.Wait()
}
