package measure

import (
	"sync/atomic"
	"time"
)

// LongStop is for how long a generator has to have been stopped, so that a sound server may
// have ended its sessions, of listeners and of mics: RFC 7675 has it 30 s without consent,
// and widely used servers give up sooner, from 5 s on.
const LongStop = 5 * time.Second

// severed is since when sessions may be missing by the generator's doing: it began to be
// stopped for so long then. Nothing brings the sessions back, so it lasts until the run's
// end. Its zero value is never. It is safe for concurrent use.
type severed struct{ since atomic.Int64 } // ns and 1, or 0

func (s *severed) book(one doubt) {
	if one.kind != Stalled || one.until-one.from < LongStop {
		return
	}
	from := int64(max(one.from, 0)) + 1
	for {
		was := s.since.Load()
		if was != 0 && was <= from || s.since.CompareAndSwap(was, from) {
			return
		}
	}
}

// before reports whether that was before a time.
func (s *severed) before(t time.Duration) bool {
	since := s.since.Load()
	return since != 0 && int64(t) >= since
}

// cutOff reports whether the listener's session, or those of the mics that it is to hear,
// may have ended by a time since the generator was stopped for too long. A server that says
// no has not waited for that, and one that a listener did not reach was not there.
func (l *Listener) cutOff(by time.Duration) bool {
	return l.connected && l.ledger.aggregator.doubts.severed.before(by)
}
