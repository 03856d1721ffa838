package fanout

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"
)

// DefaultSlots is how many voices a room passes on unless told otherwise,
// DefaultQueue how many packets may wait for a shard, and DefaultMaxAge for how
// long.
const (
	DefaultSlots  = 3
	DefaultQueue  = 256
	DefaultMaxAge = 10 * frameDuration
)

// maxSlots bounds the slots: more voices at once than anybody can follow.
const maxSlots = 64

// ErrClosed says that the hall is closed.
var ErrClosed = errors.New("the hall is closed")

// Config says how a hall works. The zero value of a field takes its default.
type Config struct {
	// Slots is the number of voices passed on at once.
	Slots int
	// Shards is the number of goroutines that send, by default GOMAXPROCS.
	Shards int
	// Queue is how many packets may wait for one shard before it drops some.
	Queue int
	// MaxAge is the age, since its arrival, at which a packet is dropped instead
	// of sent: a listener's jitter buffer has long played something in its
	// place. A shard that is behind catches up by leaving packets out, and is
	// not late for ever.
	MaxAge time.Duration
	// Now is the clock, by default time.Now.
	Now func() time.Time
	// OnActiveSpeakers is told who has the slots of the audience whenever that
	// changes, in ascending order. It is called from one goroutine, without
	// any lock; changes that come while it runs are told together. It must not
	// close the hall.
	OnActiveSpeakers func([]uint32)
	// NewOutbox, if there is one, makes the outbox of each shard, 0 to
	// Shards-1.
	NewOutbox func(shard int) Outbox
}

// Hall carries frames from mics to ears. All methods may be called from any
// goroutine.
type Hall struct {
	slots  int
	now    func() time.Time
	shards []*shard
	herald *herald

	mu     sync.Mutex
	closed bool
	mics   map[uint32]*Mic
	muted  map[uint32]bool
	// mixes holds the audience's mix first, which is always there, then every
	// other one that an ear hears.
	mixes []*mix
	ears  int
	stats counters
}

// counters are what the hall's lock guards of Stats.
type counters struct {
	pushed, muted, unheard uint64
}

// New makes a hall and starts its goroutines; Close stops them. A negative
// number, or more than 64 slots, is an error.
func New(cfg Config) (*Hall, error) {
	if cfg.Slots < 0 || cfg.Slots > maxSlots {
		return nil, fmt.Errorf("slots must be 1 to %d, not %d", maxSlots, cfg.Slots)
	}
	if cfg.Shards < 0 || cfg.Queue < 0 || cfg.MaxAge < 0 {
		return nil, fmt.Errorf("shards, queue and age must not be negative, they are %d, %d and %v", cfg.Shards, cfg.Queue, cfg.MaxAge)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.Queue = orDefault(cfg.Queue, DefaultQueue)
	cfg.MaxAge = orDefault(cfg.MaxAge, DefaultMaxAge)
	h := &Hall{
		slots: orDefault(cfg.Slots, DefaultSlots),
		now:   cfg.Now,
		mics:  map[uint32]*Mic{},
		muted: map[uint32]bool{},
	}
	for i := range orDefault(cfg.Shards, runtime.GOMAXPROCS(0)) {
		s := newShard(i, cfg)
		h.shards = append(h.shards, s)
		go s.run()
	}
	h.mixes = []*mix{newMix(mixKey{slots: h.slots}, len(h.shards))}
	h.herald = newHerald(h, cfg.OnActiveSpeakers)
	return h, nil
}

func orDefault[T int | time.Duration](n, def T) T {
	if n == 0 {
		return def
	}
	return n
}

// Slots is how many voices the hall passes on at once.
func (h *Hall) Slots() int { return h.slots }

// AddMic opens the mic of a talker, a number other than 0. A mic that the
// talker already has is closed: one person has one mic.
func (h *Hall) AddMic(talker uint32) (*Mic, error) {
	if talker == 0 {
		return nil, errors.New("talker 0 stands for nobody and can't have a mic")
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, ErrClosed
	}
	if old := h.mics[talker]; old != nil {
		h.drop(old)
	}
	m := &Mic{hall: h, talker: talker}
	h.mics[talker] = m
	return m, nil
}

// Mute silences a talker, or lets it be heard again, from the next frame on. It
// holds for a mic opened later too, and until it is undone: a muted mic that is
// published anew stays muted.
func (h *Hall) Mute(talker uint32, muted bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !muted {
		delete(h.muted, talker)
		return
	}
	h.muted[talker] = true
	if m := h.mics[talker]; m != nil {
		m.recent = ring[*Frame]{}
		h.release(m, true)
	}
}

// Muted tells whether a talker is silenced.
func (h *Hall) Muted(talker uint32) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.muted[talker]
}

// Listening says what an ear hears.
type Listening struct {
	// Sections is how many packets at once the ear can take, 1 or more. An ear
	// with more sections than the hall has slots leaves the rest empty.
	Sections int
	// Owner is the talker whose ear this is, who is left out of it; 0: nobody.
	Owner uint32
	// Since lets the ear have what came since then and is still remembered
	// (640 ms at most), before anything else: a listener who became ready
	// between two frames doesn't miss the one in the air. Zero stands for 20 ms
	// ago.
	Since time.Time
}

// AddEar lets an ear hear the hall until its subscription is closed.
func (h *Hall) AddEar(ear Ear, l Listening) (*Subscription, error) {
	if l.Sections < 1 {
		return nil, fmt.Errorf("an ear needs at least one section, not %d", l.Sections)
	}
	since := l.Since
	if since.IsZero() {
		since = h.now().Add(-frameDuration)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, ErrClosed
	}
	x := h.mixFor(mixKey{slots: min(l.Sections, h.slots), excluded: l.Owner})
	s := slices.MinFunc(h.shards, func(a, b *shard) int { return a.ears - b.ears })
	sub := &Subscription{hall: h, shard: s, ear: ear, sections: l.Sections, mix: x}
	s.ears++
	h.ears++
	h.use(x, s)
	backlog := x.backlog(since)
	s.queue.do(func() { s.add(sub, x, backlog) })
	return sub, nil
}

// ActiveSpeakers lists who has the audience's slots now, in ascending order.
func (h *Hall) ActiveSpeakers() []uint32 {
	talkers, _ := h.talkers()
	return talkers
}

// Stats are a hall's figures since it was made.
type Stats struct {
	Mics, Ears int
	// Pushed counts the frames that mics gave, Muted those of them dropped
	// because the mic was muted, Unheard those that got none of the audience's
	// slots.
	Pushed, Muted, Unheard uint64
	// Sent counts the packets that ears took, Failed those that an ear could
	// not take, Overflow the packets dropped, for all ears of a shard at once,
	// because the shard was too far behind: its queue was full, or the packet
	// too old when its turn came.
	Sent, Failed, Overflow uint64
}

// Stats reads the figures.
func (h *Hall) Stats() Stats {
	h.mu.Lock()
	st := Stats{
		Mics: len(h.mics), Ears: h.ears,
		Pushed: h.stats.pushed, Muted: h.stats.muted, Unheard: h.stats.unheard,
	}
	h.mu.Unlock()
	for _, s := range h.shards {
		st.Sent += s.sent.Load()
		st.Failed += s.failed.Load()
		st.Overflow += s.queue.dropped.Load()
	}
	return st
}

// Close stops the hall and waits for its goroutines; packets that wait are
// discarded. Mics and subscriptions may still be closed afterwards.
func (h *Hall) Close() {
	h.mu.Lock()
	h.closed = true
	for _, m := range h.mics {
		m.gone = true
	}
	clear(h.mics)
	h.mu.Unlock()
	for _, s := range h.shards {
		s.queue.close()
	}
	for _, s := range h.shards {
		<-s.ended
	}
	h.herald.close()
}

// The rest is called with the hall's lock held.

// distribute offers a frame to a mix and queues it for the shards that have
// ears there.
func (h *Hall) distribute(x *mix, m *Mic, f *Frame) {
	index, p, changed, ok := x.offer(m, f)
	audience := x == h.mixes[0]
	if audience && (changed || ok) {
		h.herald.heard(changed)
	}
	if !ok {
		if audience {
			h.stats.unheard++
		}
		return
	}
	for i, n := range x.ears {
		if n > 0 {
			h.shards[i].queue.push(job{mix: x, slot: index, packet: p})
		}
	}
}

// mixFor finds or makes a mix. A new one starts with the frames that mics
// remember, so that it sounds as if it had been there before.
func (h *Hall) mixFor(key mixKey) *mix {
	for _, x := range h.mixes {
		if x.key == key {
			return x
		}
	}
	x := newMix(key, len(h.shards))
	type offered struct {
		mic   *Mic
		frame *Frame
	}
	var past []offered
	for _, m := range h.mics {
		m.recent.each(func(f *Frame) { past = append(past, offered{m, f}) })
	}
	slices.SortStableFunc(past, func(a, b offered) int { return a.frame.Arrived.Compare(b.frame.Arrived) })
	for _, o := range past {
		x.offer(o.mic, o.frame)
	}
	h.mixes = append(h.mixes, x)
	return x
}

func (h *Hall) use(x *mix, s *shard) {
	x.refs++
	x.ears[s.index]++
}

// unuse forgets a mix that nobody hears any more, except the audience's.
func (h *Hall) unuse(x *mix, s *shard) {
	x.refs--
	x.ears[s.index]--
	if x.refs > 0 || x == h.mixes[0] {
		return
	}
	h.mixes = slices.DeleteFunc(h.mixes, func(o *mix) bool { return o == x })
}

// drop takes a mic out.
func (h *Hall) drop(m *Mic) {
	if m.gone {
		return
	}
	m.gone = true
	if h.mics[m.talker] == m {
		delete(h.mics, m.talker)
	}
	h.release(m, false)
}

// release frees the mic's slots in every mix.
func (h *Hall) release(m *Mic, forget bool) {
	for i, x := range h.mixes {
		if x.release(m, forget) && i == 0 {
			h.herald.heard(true)
		}
	}
}
