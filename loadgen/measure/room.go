package measure

import (
	"fmt"
	"math"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/loadgen/speech"
)

// Lateness is how old a packet may be and still count as delivered. Words are
// settled when they are older.
const Lateness = 5 * time.Second

// never is a bin after every run.
const never = Bin(math.MaxInt64 / int64(BinLength) / 2)

// A Room is the ledger of one room of the run: its mics, and the listeners
// whose accounts are settled against them.
//
// A Room is safe for concurrent use, except that one goroutine at a time calls
// Settle and Finish.
type Room struct {
	tally *Tally

	mics                    atomic.Pointer[[]*Mic]
	steadyFrom, steadyUntil atomic.Int64
	mu                      sync.Mutex // adds to what follows
	clips                   map[*speech.Clip]*clip
	listeners               []*Listener

	// Settled so far, by whoever calls Settle: the next word, and the bits of
	// the bins in which somebody spoke, a word each, from the first on.
	next    int64
	spoken  []uint64
	history sync.RWMutex // guards spoken for its readers
	scratch []stretch
}

// NewRoom makes the ledger of a room whose listeners' figures go to tally.
func NewRoom(tally *Tally) *Room {
	r := &Room{tally: tally, clips: map[*speech.Clip]*clip{}}
	r.mics.Store(&[]*Mic{})
	r.steadyFrom.Store(int64(never))
	r.steadyUntil.Store(int64(never))
	return r
}

// AddMic adds a mic that plays a clip from frame first on, offset into each
// bin: 0 ≤ offset < 20 ms.
func (r *Room) AddMic(c *speech.Clip, first int, offset time.Duration) (*Mic, error) {
	if len(c.Frames) == 0 {
		return nil, fmt.Errorf("clip %s has no frames", c.Name)
	}
	if offset < 0 || offset >= BinLength {
		return nil, fmt.Errorf("mic offset %v is outside of a bin of %v", offset, BinLength)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	indexed, ok := r.clips[c]
	if !ok {
		indexed = newClip(c)
		r.clips[c] = indexed
	}
	m := &Mic{clip: indexed, first: first % len(c.Frames), offset: offset}
	m.last.Store(-1)
	mics := append(append([]*Mic{}, r.ledger()...), m)
	r.mics.Store(&mics)
	return m, nil
}

// AddListener opens the account of a listener whose ear has room for so many
// voices at once.
func (r *Room) AddListener(sections int) *Listener {
	return r.add(sections, &r.tally.crowd)
}

// AddProbe does so for a listener that stands beside the crowd, to be compared
// with it.
func (r *Room) AddProbe(sections int) *Listener {
	return r.add(sections, &r.tally.probes)
}

func (r *Room) add(sections int, s *share) *Listener {
	l := &Listener{room: r, share: s, capacity: sections, own: -1, until: never, heardFirst: make(chan struct{})}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.listeners = append(r.listeners, l)
	return l
}

func (r *Room) ledger() []*Mic { return *r.mics.Load() }

// Steady begins the measured window with the first bin that starts at or
// after t.
func (r *Room) Steady(t time.Duration) { r.steadyFrom.Store(int64(BinAt(t + BinLength - 1))) }

// Stop ends the measured window and what anyone is owed with the last bin that
// ends by t.
func (r *Room) Stop(t time.Duration) {
	r.steadyUntil.Store(int64(BinAt(t)))
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.listeners {
		l.Left(t)
	}
}

func (r *Room) steady() (from, until Bin) {
	return Bin(r.steadyFrom.Load()), Bin(r.steadyUntil.Load())
}

func (r *Room) inSteady(b Bin) bool {
	from, until := r.steady()
	return b >= from && b < until
}

// Settle accounts for the words that are old enough at now. It is called at
// least once a second.
func (r *Room) Settle(now time.Duration) {
	r.settle(int64(BinAt(max(now-Lateness, 0)))/wordBins-1, int64(BinAt(now))/wordBins)
}

func (r *Room) settle(last, present int64) {
	mics := r.ledger()
	r.history.Lock()
	for ; r.next <= last; r.next++ {
		r.spoken = append(r.spoken, speakers(mics, r.next))
	}
	r.history.Unlock()
	r.mu.Lock()
	listeners := r.listeners
	r.mu.Unlock()
	for _, l := range listeners {
		r.scratch = l.settle(mics, last, present, r.scratch)
	}
}

// Finish settles all up to now, a time after the last packet that may count,
// and closes every account.
func (r *Room) Finish(now time.Duration) {
	w := int64(BinAt(now)) / wordBins
	r.mu.Lock()
	listeners := r.listeners
	r.mu.Unlock()
	for _, l := range listeners {
		l.giveUp()
	}
	r.settle(w, w)
	for _, l := range listeners {
		l.finish(now)
	}
}

// speakers is a bit for each bin of word w in which a mic spoke.
func speakers(mics []*Mic, w int64) (any uint64) {
	for _, m := range mics {
		owed, _ := m.spoke(w)
		any |= owed
	}
	return any
}

// quiet is how much of [from, until) lies in bins in which nobody spoke.
func (r *Room) quiet(from, until time.Duration) (total time.Duration) {
	r.history.RLock()
	defer r.history.RUnlock()
	mics := r.ledger()
	first, last := BinAt(from), BinAt(until)
	for w := int64(first / wordBins); w <= int64(last/wordBins); w++ {
		var spoken uint64
		if w < int64(len(r.spoken)) {
			spoken = r.spoken[w]
		} else {
			spoken = speakers(mics, w)
		}
		// Whole bins only: the two at the ends are partly in the gap.
		total += time.Duration(bits.OnesCount64(^spoken&within(w, first+1, last))) * BinLength
	}
	return total
}
