package ledger

import (
	"fmt"
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/loadgen/doubt"
	"github.com/earshot-audio/earshot/loadgen/emodel"
	"github.com/earshot-audio/earshot/loadgen/mark"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/score"
	"github.com/earshot-audio/earshot/loadgen/speech"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// A Ledger keeps the frames that the sources of one room sent, and the listeners
// whose accounts are settled against them.
//
// A Ledger is safe for concurrent use, except that one goroutine at a time calls
// Settle and Finish. Its methods are the run's (this file), and those for sources of other
// processes (replica.go) and for scores (audioscore.go).
type Ledger struct {
	book       *Book
	aggregator *record.Aggregator
	room       int  // its number in the run
	id         int  // its number among the ledgers of the run, from 1: what is in doubt of it has that
	marked     bool // the sources' audio is, and packets are not recognised by what they hold
	scored     bool // what probes hear is

	sources atomic.Pointer[[]*Source]
	// unanswered is when mics came to nothing without a word from the server. It is set before anybody listens.
	unanswered []span
	// awaits means that others than this process have sources of the room, too. All that
	// was sent before bin horizon is known then.
	awaits    bool
	horizon   atomic.Int64
	codes     atomic.Pointer[[]*mark.Code]   // of the sources, in their order; set after them
	codec     atomic.Pointer[emodel.Factors] // see factors
	mu        sync.Mutex                     // adds to what follows
	clips     map[*speech.Clip]*clip
	listeners []*Listener

	// Of whoever calls Settle.
	scratch []stretch
	settled time.Duration // when it was called last
	// waiting is how many packets fit several frames, and wait for one that tells which, and
	// abandoned how many have waited in vain.
	waiting, abandoned atomic.Int64
	// processed is the bin up to which what came had been looked at then, if it awaits.
	processed atomic.Int64
	said      said
	kept      int64 // the next word to be kept there
	// delays are by how much what came in a word may have come later by the generator's doing, if at all.
	delays map[int64]time.Duration
	// lingering means that jitter buffers may still play later for a doubtful moment.
	lingering bool
	// uncertain is what is in doubt of the latencies of what came since then.
	uncertain uncertainty
}

// AddSource adds a source that plays a clip from frame first on, offset into each
// bin: 0 ≤ offset < 20 ms.
func (r *Ledger) AddSource(c *speech.Clip, first int, offset time.Duration) (*Source, error) {
	return r.addSource(c, nil, first, offset)
}

func (r *Ledger) addSource(c *speech.Clip, code *mark.Code, first int, offset time.Duration) (*Source, error) {
	if len(c.Frames) == 0 {
		return nil, fmt.Errorf("clip %s has no frames", c.Name)
	}
	if offset < 0 || offset >= timebase.BinLength {
		return nil, fmt.Errorf("source offset %v is outside of a bin of %v", offset, timebase.BinLength)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	indexed, ok := r.clips[c]
	if !ok {
		indexed = newClip(c)
		r.clips[c] = indexed
	}
	m := &Source{clip: indexed, first: first % len(c.Frames), offset: offset, ledger: r, aggregator: r.aggregator, code: code, index: len(r.list()), reached: make(chan struct{})}
	m.last.Store(-1)
	m.next.Store(int64(timebase.Never))
	sources := append(append([]*Source{}, r.list()...), m)
	r.sources.Store(&sources)
	codes := append(slices.Clone(*r.codes.Load()), code)
	r.codes.Store(&codes)
	r.mixFactors()
	return m, nil
}

// AddMarkedSource adds a source that plays a clip that is marked with a code, from its
// first frame on. A marked ledger has no others.
func (r *Ledger) AddMarkedSource(c *speech.Clip, code *mark.Code, offset time.Duration) (*Source, error) {
	return r.addSource(c, code, 0, offset)
}

// AddListener opens the account of a listener whose ear has room for so many
// voices at once.
func (r *Ledger) AddListener(sections int, labels record.Labels) *Listener {
	l := &Listener{
		ledger: r, cell: r.aggregator.Cell(labels), capacity: sections,
		own: -1, until: timebase.Never, heardFirst: make(chan struct{}),
		latencies: &latencySpread{}, windowed: &windowed{}, steps: &[record.JoinSteps]stepTimes{},
	}
	l.addSections(sections)
	l.usual = l.sections
	l.heard = l.first[:0]
	if r.awaits {
		l.held = &heldPackets{}
	}
	l.cell.Enter()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.marked {
		l.marked = &markedListener{}
	}
	if r.scored && labels.Probe && l.cell.Role == record.Audience {
		l.listening = &listening{taken: map[*excerpt][]score.Packet{}}
	}
	r.listeners = append(r.listeners, l)
	return l
}

func (r *Ledger) list() []*Source { return *r.sources.Load() }

// InRoom enters the number of the ledger's room in the run, from 0. It is called before there
// are listeners.
func (r *Ledger) InRoom(number int) { r.room = number }

// Stop ends what anyone is owed with the last bin that ends by t.
func (r *Ledger) Stop(t time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.listeners {
		l.stop(t)
	}
}

func (r *Ledger) inSteady(b timebase.Bin) bool {
	from, until := r.aggregator.MeasuredWindow()
	return b >= from && b < until
}

// Unplaced is a moment from which packets are counted whose source is not known.
type Unplaced struct{ abandoned int64 }

// Unplaced is the present moment.
func (r *Ledger) Unplaced() Unplaced { return Unplaced{r.abandoned.Load()} }

// UnplacedSince is how many packets at most have come since then that fit several frames, and whose they are is
// not known: any of the room's sources may have sent them.
func (r *Ledger) UnplacedSince(u Unplaced) uint64 {
	return uint64(r.waiting.Load() + r.abandoned.Load() - u.abandoned)
}

// Settle accounts for the words that are old enough at now, and returns the bin
// up to which all accounts are settled. It is called at least once a second.
func (r *Ledger) Settle(now time.Duration) timebase.Bin {
	present := timebase.BinAt(now)
	last := int64(timebase.BinAt(max(now-record.Lateness, 0)))/timebase.WordBins - 1
	open, remembered := r.book.open.Load()/timebase.WordBins-1, int64(present/timebase.WordBins)-(words-2)
	return r.settle(min(last, max(open, remembered)), present)
}

func (r *Ledger) settle(last int64, present timebase.Bin) timebase.Bin {
	sources := r.list()
	r.mu.Lock()
	listeners := r.listeners
	r.mu.Unlock()
	// What jitter buffers did since the last time may be in doubt.
	now := ((present/timebase.WordBins + 1) * timebase.WordBins).Start()
	since := r.settled
	if r.awaits {
		since = min(since, r.Processed()) // what came since then is looked at now
		horizon := timebase.Bin(r.horizon.Load())
		last = min(last, int64(horizon/timebase.WordBins)-1)
		defer r.processed.Store(int64(horizon))
	}
	began := since - doubt.Aftermath
	doubtful, dropped := r.aggregator.Doubts.Within(r.id, began, now)
	late, missing := r.aggregator.Doubts.Within(r.id, since-doubt.Lingers, now)
	r.lingering = late != 0 || missing
	since -= record.BucketLength
	stolen, reach := r.aggregator.Doubts.Cores.Taken(since, now)
	times := r.aggregator.Doubts.Times(since, now)
	waited, behind, always := r.aggregator.Doubts.Cores.Competition(since, now)
	r.uncertain = uncertainty{
		deprived: r.aggregator.Doubts.Cores.Deprived(since, now), waited: waited, behind: behind, always: always, stepped: times[doubt.Stepped] > 0, stolen: stolen, reach: reach,
	}
	if since -= doubt.ResentWithin; r.aggregator.Doubts.Times(since, now)[doubt.Dropped] > 0 {
		r.uncertain.dropped = r.aggregator.DropsIn(since, now)
	}
	r.settled = present.Start()
	for ; r.scored && r.kept <= last; r.kept++ {
		r.keepSaid(sources, r.kept)
	}
	settled := last + 1
	for _, l := range listeners {
		var to int64
		to, r.scratch = l.settle(sources, last, present, r.scratch, doubtful, began, dropped)
		settled = min(settled, to)
	}
	return timebase.Bin(max(settled, 0) * timebase.WordBins)
}

// Finish settles all up to now, a time after the last packet that may count,
// and closes every account.
func (r *Ledger) Finish(now time.Duration) {
	w := int64(timebase.BinAt(now)) / timebase.WordBins
	r.mu.Lock()
	listeners := r.listeners
	r.mu.Unlock()
	for _, l := range listeners {
		l.giveUp(now)
	}
	// Nobody is owed what was sent after the last that is known.
	r.horizon.Store(int64(timebase.Never))
	r.settle(w, timebase.BinAt(now))
	for _, l := range listeners {
		l.finish(now)
	}
}

// speakers is a bit for each bin of word w in which a source spoke.
func speakers(sources []*Source, w int64) (spoke uint64) {
	for _, m := range sources {
		owed, _ := m.spoke(w)
		spoke |= owed
	}
	return spoke
}

// quiet is in how many of the bins in [from, until) nobody spoke, as far as the
// ledger remembers.
func (r *Ledger) quiet(from, until timebase.Bin) int { return quiet(r.list(), from, until) }

// quiet is in how many of the bins in [from, until) none of some sources spoke.
func quiet(sources []*Source, from, until timebase.Bin) (bins int) {
	for w := int64(from / timebase.WordBins); w <= int64(until/timebase.WordBins); w++ {
		bins += bits.OnesCount64(^speakers(sources, w) & within(w, from, until))
	}
	return bins
}

// Voices returns how many sources are there that have sent something.
func (r *Ledger) Voices() (n int) {
	for _, m := range r.list() {
		if m.last.Load() >= 0 && timebase.Bin(m.next.Load()) != timebase.Never {
			n++
		}
	}
	return n
}

// factors are the mean of those of the room's recordings.
func (r *Ledger) factors() emodel.Factors {
	if f := r.codec.Load(); f != nil {
		return *f
	}
	return emodel.Usual
}

// mixFactors sets them. r.mu is held.
func (r *Ledger) mixFactors() {
	var mean emodel.Factors
	for i, m := range r.list() {
		mean = emodel.Mixed(mean, m.clip.factors, 1/float64(i+1))
	}
	r.codec.Store(&mean)
}
