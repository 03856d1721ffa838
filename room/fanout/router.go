package fanout

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// DefaultSlots is how many voices a room passes on by default,
// DefaultQueue how many packets may wait for a shard, and DefaultMaxAge for how
// long.
const (
	DefaultSlots  = 3
	DefaultQueue  = 256
	DefaultMaxAge = 10 * frameDuration
)

// maxSlots bounds the slots: more voices at once than anybody can follow.
const maxSlots = 64

// ErrClosed says that the router is closed.
var ErrClosed = errors.New("the router is closed")

// Config configures a router. The zero value of a field takes its default.
type Config struct {
	// Slots is the number of voices passed on at once.
	Slots int
	// Shards send for the router. They must be there, and outlive it.
	Shards *Shards
	// Queue is how many packets may wait for one shard before it drops some.
	Queue int
	// MaxAge is the age, since its arrival, at which a packet is dropped instead
	// of sent: a listener's jitter buffer has long played something in its
	// place. A shard that is behind catches up by leaving packets out, and is
	// not late for ever.
	MaxAge time.Duration
	// Now is the clock, by default time.Now.
	Now func() time.Time
	// OnActiveSpeakers is called with the talkers who have the audience's slots, in
	// ascending order, whenever that changes. It is called from one goroutine,
	// without any lock; changes that come while it runs are reported together. It
	// must not close the router.
	OnActiveSpeakers func([]uint32)
	// Hold is how long the packets of ears that nobody owns (the audience) may be
	// held, so that several leave together; 0: not at all. What is held is not older
	// for it, as far as MaxAge goes. SetHold changes it.
	Hold time.Duration
	// Speaks, if it is not nil, is asked for every frame whether it may be passed on. It is called
	// without any lock, and must not block.
	Speaks func() bool
}

// Router carries frames from the mics of a room to its ears. All methods may be
// called from any goroutine.
type Router struct {
	slots    int
	now      func() time.Time
	lanes    []*lane // one for each shard
	notifier *activeSpeakerNotifier
	speaks   func() bool // see Config; may be nil

	mu         sync.Mutex
	closed     bool
	publishers map[uint32]*Publisher
	muted      map[uint32]bool
	// mixes holds the audience's mix first, which is always there, then every
	// other one that an ear hears.
	mixes []*mix
	ears  int
	stats counters
	// epochs counts those that publishers have had.
	epochs uint32
}

// counters are the part of Stats that the router's lock guards.
type counters struct {
	pushed, muted, unheard uint64
}

// New makes a router, which Close ends. A negative number, or more than 64 slots, is an
// error.
func New(cfg Config) (*Router, error) {
	if cfg.Slots < 0 || cfg.Slots > maxSlots {
		return nil, fmt.Errorf("slots must be 1 to %d, not %d", maxSlots, cfg.Slots)
	}
	if cfg.Shards == nil {
		return nil, errors.New("a router needs shards")
	}
	if cfg.Queue < 0 || cfg.MaxAge < 0 || cfg.Hold < 0 {
		return nil, fmt.Errorf("queue, age and hold must not be negative, they are %d, %v and %v", cfg.Queue, cfg.MaxAge, cfg.Hold)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.Queue = orDefault(cfg.Queue, DefaultQueue)
	cfg.MaxAge = orDefault(cfg.MaxAge, DefaultMaxAge)
	r := &Router{
		slots:      orDefault(cfg.Slots, DefaultSlots),
		speaks:     cfg.Speaks,
		now:        cfg.Now,
		publishers: map[uint32]*Publisher{},
		muted:      map[uint32]bool{},
	}
	for _, s := range cfg.Shards.list {
		r.lanes = append(r.lanes, newLane(s, cfg))
	}
	r.mixes = []*mix{newMix(mixKey{slots: r.slots}, len(r.lanes))}
	r.notifier = newActiveSpeakerNotifier(r, cfg.OnActiveSpeakers)
	return r, nil
}

func orDefault[T int | time.Duration](n, def T) T {
	if n == 0 {
		return def
	}
	return n
}

// Slots is how many voices the router passes on at once.
func (r *Router) Slots() int { return r.slots }

// Publish lets a talker, a number other than 0, be heard. An earlier publisher of
// the same talker is closed: one person has one mic.
func (r *Router) Publish(talker uint32) (*Publisher, error) {
	if talker == 0 {
		return nil, errors.New("talker 0 stands for nobody and can't have a mic")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, ErrClosed
	}
	if old := r.publishers[talker]; old != nil {
		r.drop(old)
	}
	m := &Publisher{router: r, talker: talker, epoch: r.newEpoch()}
	r.publishers[talker] = m
	return m, nil
}

// Mute silences a talker, or lets it be heard again, from the next frame on. It
// holds for a mic opened later too, and until it is undone: a muted mic that is
// published anew stays muted.
func (r *Router) Mute(talker uint32, muted bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !muted {
		delete(r.muted, talker)
		return
	}
	r.muted[talker] = true
	if m := r.publishers[talker]; m != nil {
		m.recent = ring[*Frame]{}
		r.release(m, true)
	}
}

// Muted reports whether a talker is silenced.
func (r *Router) Muted(talker uint32) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.muted[talker]
}

// SetHold changes how long the audience's packets may be held; what is held leaves at
// once. The time must not be negative.
func (r *Router) SetHold(d time.Duration) {
	for _, l := range r.lanes {
		l.shard.queue.do(l, func() { l.hold = d })
	}
}

// SubscribeOptions says what a subscriber hears.
type SubscribeOptions struct {
	// Sections is how many packets at once the ear can take, 1 or more. An ear
	// with more sections than the router has slots leaves the rest empty.
	Sections int
	// Owner is the talker whose ear this is, who is left out of it; 0: nobody.
	Owner uint32
	// Since lets the ear have what came since then and is still historySize
	// (640 ms at most), before anything else: a listener who became ready
	// between two frames doesn't miss the one in the air. Zero stands for 20 ms
	// ago.
	Since time.Time
	// Relay makes it no ear: the sink passes the packets on to another router, with as many
	// mics as Sections says, however many slots this one has. It counts in no figure, has
	// no backlog, and nothing is held for it.
	Relay bool
}

// Subscribe sends the room's packets to a sink until the subscription is closed.
func (r *Router) Subscribe(sink Sink, o SubscribeOptions) (*Subscription, error) {
	if o.Sections < 1 {
		return nil, fmt.Errorf("an ear needs at least one section, not %d", o.Sections)
	}
	since := o.Since
	if since.IsZero() {
		since = r.now().Add(-frameDuration)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, ErrClosed
	}
	key := mixKey{slots: min(o.Sections, r.slots), excluded: o.Owner}
	if o.Relay {
		key = mixKey{slots: o.Sections, relay: true}
	}
	x := r.mixFor(key)
	l := slices.MinFunc(r.lanes, func(a, b *lane) int {
		return cmp.Or(a.ears-b.ears, int(a.shard.ears.Load()-b.shard.ears.Load()))
	})
	sub := &Subscription{router: r, lane: l, sink: sink, sections: o.Sections, mix: x}
	r.use(x, l)
	var backlog []Packet
	if !o.Relay {
		l.ears++
		l.shard.ears.Add(1)
		r.ears++
		backlog = x.backlog(since)
	}
	l.shard.queue.doAmid(func() { l.shard.add(sub, x, backlog) })
	return sub, nil
}

// Stats are a router's figures since it was made.
type Stats struct {
	Mics, Ears int
	// Pushed counts the frames from mics, Muted those dropped because the talker
	// was muted, Unheard those that got none of the audience's slots.
	Pushed, Muted, Unheard uint64
	// Sent counts the packets that ears took, Failed those that an ear could not
	// take, Overflow the packets that a shard dropped for all of its ears because it
	// was too far behind: its queue was full, or the packet too old when its turn
	// came.
	Sent, Failed, Overflow uint64
}

// Stats reads the figures.
func (r *Router) Stats() Stats {
	r.mu.Lock()
	st := Stats{
		Mics: len(r.publishers), Ears: r.ears,
		Pushed: r.stats.pushed, Muted: r.stats.muted, Unheard: r.stats.unheard,
	}
	r.mu.Unlock()
	for _, l := range r.lanes {
		st.Sent += l.sent.Load()
		st.Failed += l.failed.Load()
		st.Overflow += l.dropped.Load()
	}
	return st
}

// Close stops the router: when it returns, no Send is under way and none will follow.
// Packets that wait are discarded. Publishers and subscriptions may still be closed
// afterwards. It may be called more than once.
func (r *Router) Close() {
	r.mu.Lock()
	r.closed = true
	for _, m := range r.publishers {
		m.gone = true
	}
	clear(r.publishers)
	r.mu.Unlock()
	gone := make([]chan struct{}, len(r.lanes))
	for i, l := range r.lanes {
		gone[i] = make(chan struct{})
		l.close(gone[i])
	}
	for i, l := range r.lanes {
		select {
		case <-gone[i]:
		case <-l.shard.ended:
		}
	}
	r.notifier.close()
}

// The rest is called with the router's lock held.

// newEpoch returns an epoch for a publisher.
func (r *Router) newEpoch() uint32 {
	r.epochs++
	return r.epochs
}

// distribute offers a frame to a mix and queues it for the shards that have
// ears there.
func (r *Router) distribute(x *mix, m *Publisher, f *Frame) {
	p, changed, ok := x.offer(m, f)
	audience := x == r.mixes[0]
	if audience && (changed || ok) {
		r.notifier.wakeUp(changed)
	}
	if !ok {
		if audience {
			r.stats.unheard++
		}
		return
	}
	for i, n := range x.ears {
		if n > 0 {
			l := r.lanes[i]
			l.shard.queue.push(job{lane: l, mix: x, packet: p})
		}
	}
}

// mixFor finds or makes a mix. A new one starts with the recent frames of all
// publishers, so that it sounds as if it had been there before.
func (r *Router) mixFor(key mixKey) *mix {
	for _, x := range r.mixes {
		if x.key == key {
			return x
		}
	}
	x := newMix(key, len(r.lanes))
	type offered struct {
		from  *Publisher
		frame *Frame
	}
	var recent []offered
	for _, m := range r.publishers {
		m.recent.each(func(f *Frame) { recent = append(recent, offered{m, f}) })
	}
	slices.SortStableFunc(recent, func(a, b offered) int { return a.frame.Arrived.Compare(b.frame.Arrived) })
	for _, o := range recent {
		x.offer(o.from, o.frame)
	}
	r.mixes = append(r.mixes, x)
	return x
}

func (r *Router) use(x *mix, l *lane) {
	x.refs++
	x.ears[l.shard.index]++
}

// unuse forgets a mix that nobody hears any more, except the audience's.
func (r *Router) unuse(x *mix, l *lane) {
	x.refs--
	x.ears[l.shard.index]--
	if x.refs > 0 || x == r.mixes[0] {
		return
	}
	r.mixes = slices.DeleteFunc(r.mixes, func(o *mix) bool { return o == x })
}

// drop removes a publisher.
func (r *Router) drop(m *Publisher) {
	if m.gone {
		return
	}
	m.gone = true
	if r.publishers[m.talker] == m {
		delete(r.publishers, m.talker)
	}
	r.release(m, false)
}

// release frees the publisher's slots in every mix.
func (r *Router) release(m *Publisher, forget bool) {
	for i, x := range r.mixes {
		if x.release(m, forget) && i == 0 {
			r.notifier.wakeUp(true)
		}
	}
}
