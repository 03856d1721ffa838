package measure

import (
	"math/bits"
	"slices"
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// LongStop is for how long a generator has to have been stopped, so that a sound server may
// have ended its sessions, of listeners and of mics: RFC 7675 has it 30 s without consent,
// and widely used servers give up sooner, from 5 s on.
const LongStop = 5 * time.Second

// StoppedLong reports whether the generator was in the way for [LongStop] within twice that, in [from, until): a
// server that heard so little of it may have taken its people for gone.
func (a *Aggregator) StoppedLong(from, until time.Duration) bool {
	if a.Stalled(from, until) < LongStop {
		return false
	}
	for ; from < until; from += time.Second {
		if a.Stalled(from, min(from+2*LongStop+time.Second, until)) >= LongStop {
			return true
		}
	}
	return false
}

// recovery is how long after the end of such a stop a server may still end a session for it: by
// then its timers have begun anew, or have run out.
const recovery = 30 * time.Second

// severed is since when sessions may be missing by the generator's doing: it began to be
// stopped for so long then. Nothing brings a session back, so it lasts until the run's end, but
// for sessions that are seen to have outlived it. Its zero value is never. It is safe for
// concurrent use.
type severed struct {
	since atomic.Int64 // ns and 1, or 0
	over  atomic.Int64 // ns: what is sent from then on is of sessions that live; or 0
}

func (s *severed) book(one doubt) {
	if one.kind != Stalled || one.until-one.from < LongStop {
		return
	}
	raise(&s.over, int64(one.until+recovery))
	from := int64(max(one.from, 0)) + 1
	for {
		was := s.since.Load()
		if was != 0 && was <= from || s.since.CompareAndSwap(was, from) {
			return
		}
	}
}

func raise(a *atomic.Int64, v int64) {
	for {
		was := a.Load()
		if v <= was || a.CompareAndSwap(was, v) {
			return
		}
	}
}

// before reports whether that was before a time.
func (s *severed) before(t time.Duration) bool {
	since := s.since.Load()
	return since != 0 && int64(t) >= since
}

// A survival is that a session is seen to have outlived a stop: something came over it that was
// sent when the stop was over. The zero survival is none. It is safe for concurrent use.
type survival struct {
	stop atomic.Int64 // which it outlived, by when that was over
	at   atomic.Int64 // when it was seen, ns
}

// note enters that something came at a time that was sent at another.
func (v *survival) note(s *severed, sent, at time.Duration) {
	over := s.over.Load()
	if over == 0 || int64(sent) < over || v.stop.Load() == over {
		return
	}
	v.at.Store(int64(at))
	v.stop.Store(over)
}

// by reports whether the session was seen by a time to have outlived the latest stop.
func (v *survival) by(s *severed, t time.Duration) bool {
	stop := v.stop.Load()
	return stop != 0 && stop == s.over.Load() && int64(t) >= v.at.Load()
}

// cutOff reports whether the listener's session, or those of the mics that it is to hear,
// may have ended by a time since the generator was stopped for too long. A server that says
// no has not waited for that, and one that a listener did not reach was not there.
func (l *Listener) cutOff(by time.Duration) bool {
	return l.connected && l.ledger.aggregator.doubts.severed.before(by)
}

// lostByStop is how many frames of a loss the listener may have missed since its session, or that
// of the mic, had ended by a stop of the generator.
func (l *Listener) lostByStop(a loss) (n uint64) {
	if !l.cutOff(a.until.Start()) {
		return 0
	}
	stops := &l.ledger.aggregator.doubts.severed
	if !l.outlived.by(stops, a.from.Start()) {
		return a.packets
	}
	sources := l.ledger.list()
	for _, s := range a.said {
		if !sources[s.source].outlived.by(stops, a.from.Start()) {
			n += uint64(bits.OnesCount64(s.speech &^ s.heard & a.mask))
		}
	}
	return min(n, a.packets)
}

// playedInDoubt reports whether what jitter buffers did in a time may be the doing of a stop that
// ended sessions: the listener's, or that of any mic that has sent since.
func (l *Listener) playedInDoubt(from, until time.Duration) bool {
	stops := &l.ledger.aggregator.doubts.severed
	if !stops.before(until) {
		return false
	}
	if !l.outlived.by(stops, from) {
		return true
	}
	over := timebase.BinAt(time.Duration(stops.over.Load()))
	return slices.ContainsFunc(l.ledger.list(), func(m *Source) bool {
		return timebase.Bin(m.last.Load()) >= over && !m.outlived.by(stops, from)
	})
}
