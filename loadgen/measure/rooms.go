package measure

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// saidWithin is how long ago another room has to have sent a frame at most, so that a packet
// that holds it is taken for that room's, and not for one of the listener's own that is more
// than 5 s late.
const saidWithin = time.Second

// rooms are the ledgers of a run. It is safe for concurrent use.
type rooms struct {
	mu  sync.Mutex // adds
	all atomic.Pointer[[]*Ledger]
}

func (r *rooms) add(l *Ledger) {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := append(append([]*Ledger{}, r.list()...), l)
	l.id = len(all)
	r.all.Store(&all)
}

func (r *rooms) list() []*Ledger {
	if all := r.all.Load(); all != nil {
		return *all
	}
	return nil
}

// saidElsewhere reports whether a packet that fits no frame that its room sent in the last
// seconds is what another room has just sent: the two play the same recording, and the server
// mixes them up. After what may have made a packet so late on the generator's side nothing is
// said.
func (a *Aggregator) saidElsewhere(here *Ledger, p Packet) bool {
	all := a.rooms.list()
	if len(all) < 2 || p.Unstamped || a.Doubts.Spliced(here.id, p.At-2*Lateness, p.At) {
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
