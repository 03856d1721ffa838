package ledger

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/loadgen/mark"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/speech"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// saidWithin is how long ago another room has to have sent a frame at most, so that a packet
// that holds it is taken for that room's, and not for one of the listener's own that is more
// than 5 s late.
const saidWithin = time.Second

// A Book has the ledgers of a run's rooms, and what all of them have to know. It is safe for concurrent use.
type Book struct {
	aggregator *record.Aggregator
	open       atomic.Int64               // the bin from which on nothing is settled: see HoldOpen
	clockBound atomic.Int64               // see ClockBound
	apart      atomic.Bool                // the clock of another process may be wrong
	limited    atomic.Bool                // see Limited
	excerpts   atomic.Pointer[[]*excerpt] // nil before they are known

	mu  sync.Mutex // adds
	all atomic.Pointer[[]*Ledger]
}

// NewBook makes the book of a run whose listeners' figures go to aggregator.
func NewBook(aggregator *record.Aggregator) *Book {
	b := &Book{aggregator: aggregator}
	b.open.Store(int64(timebase.Never))
	b.all.Store(&[]*Ledger{})
	return b
}

// NewLedger makes the ledger of a room.
func (b *Book) NewLedger() *Ledger {
	r := &Ledger{book: b, aggregator: b.aggregator, clips: map[*speech.Clip]*clip{}}
	r.sources.Store(&[]*Source{})
	r.codes.Store(&[]*mark.Code{})
	b.mu.Lock()
	defer b.mu.Unlock()
	all := append(append([]*Ledger{}, b.list()...), r)
	r.id = len(all)
	b.all.Store(&all)
	return r
}

// NewMarkedLedger makes the ledger of a room whose sources' audio is marked.
func (b *Book) NewMarkedLedger() *Ledger {
	r := b.NewLedger()
	r.marked = true
	return r
}

func (b *Book) list() []*Ledger { return *b.all.Load() }

// HoldOpen keeps what was sent from t on unsettled, until it is called again: a phase may begin or end
// there, and it is not known yet whether it does. Without it a phase whose end is entered late would
// end within what has been taken into account already.
//
// What the ledgers can't remember for longer is settled all the same.
func (b *Book) HoldOpen(t time.Duration) { b.open.Store(int64(timebase.BinAt(max(t, 0)))) }

// Limited enters that the generator had no file or port left for somebody who wanted to join. Whoever
// does not get in, and is not refused, may have met the same limit.
func (b *Book) Limited() { b.limited.Store(true) }

// ClockBound enters by how much this process's clock may be wrong.
func (b *Book) ClockBound(d time.Duration) { b.clockBound.Store(int64(d)) }

const (
	// maxAhead is by how much a sender's clock may be ahead of a listener's, and sameClock
	// what the same clock may show two processes of a machine.
	maxAhead  = 50 * time.Millisecond
	sameClock = time.Millisecond
)

// ahead is by how much senders' clocks may be ahead of this process's.
func (b *Book) ahead() time.Duration {
	if b.clockBound.Load() == 0 && !b.apart.Load() {
		return sameClock
	}
	return maxAhead
}

// Excerpts sets which stretches of the measured window are scored: all of it if it is so
// long at most, else so many that lie evenly in it.
func (b *Book) Excerpts(from, until time.Duration) {
	n := int((until - from + ExcerptLength - 1) / ExcerptLength)
	each := (until - from) / time.Duration(max(n, 1))
	if n > MostExcerpts {
		n, each = MostExcerpts, ExcerptLength
	}
	var all []*excerpt
	for i := range n {
		begin := from
		if n > 1 {
			begin += (until - from - each) * time.Duration(i) / time.Duration(n-1)
		}
		all = append(all, &excerpt{from: begin, until: begin + each})
	}
	b.excerpts.Store(&all)
}

// saidElsewhere reports whether a packet that fits no frame that its room sent in the last
// seconds is what another room has just sent: the two play the same recording, and the server
// mixes them up. After what may have made a packet so late on the generator's side nothing is
// said.
func (b *Book) saidElsewhere(here *Ledger, p Packet) bool {
	all := b.list()
	if len(all) < 2 || p.Unstamped || b.aggregator.Doubts.Spliced(here.id, p.At-2*record.Lateness, p.At) {
		return false
	}
	for _, r := range all {
		if r == here {
			continue
		}
		for _, m := range r.list() {
			if positions := m.clip.at[string(p.Payload)]; len(positions) == 1 && m.sentWithin(positions[0], p.At) {
				return true
			}
		}
	}
	return false
}

// sentWithin reports whether the source sent its clip's frame at a position at most
// saidWithin before a time.
func (m *Source) sentWithin(position int, at time.Duration) bool {
	oldest := timebase.BinAt(max(at-saidWithin, 0))
	for b := timebase.BinAt(max(at, 0)); b >= oldest; b-- {
		if m.position(b) == position && m.has(b) && m.Intended(b) <= at {
			return true
		}
	}
	return false
}
