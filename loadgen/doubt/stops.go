package doubt

import (
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/internal/atomicmax"
)

// LongStop is for how long a generator has to have been stopped, so that a sound server may
// have ended its sessions, of listeners and of mics: RFC 7675 has it 30 s without consent,
// and widely used servers give up sooner, from 5 s on.
const LongStop = 5 * time.Second

// recovery is how long after the end of such a stop a server may still end a session for it: by
// then its timers have begun anew, or have run out.
const recovery = 30 * time.Second

// Stops is since when sessions may be missing by the generator's doing: it began to be
// stopped for so long then. Nothing brings a session back, so it lasts until the run's end, but
// for sessions that are seen to have outlived it. Its zero value is never. It is safe for
// concurrent use.
type Stops struct {
	since atomic.Int64 // ns and 1, or 0
	over  atomic.Int64 // ns: what is sent from then on is of sessions that live; or 0
}

func (s *Stops) book(one doubt) {
	if one.kind != Stalled || one.until-one.from < LongStop {
		return
	}
	atomicmax.Raise(&s.over, int64(one.until+recovery))
	from := int64(max(one.from, 0)) + 1
	for {
		was := s.since.Load()
		if was != 0 && was <= from || s.since.CompareAndSwap(was, from) {
			return
		}
	}
}

// Before reports whether that was before a time.
func (s *Stops) Before(t time.Duration) bool {
	since := s.since.Load()
	return since != 0 && int64(t) >= since
}

// Over is from when on what is sent is of sessions that live; 0 if there was no such stop.
func (s *Stops) Over() time.Duration { return time.Duration(s.over.Load()) }

// A Survival is that a session is seen to have outlived a stop: something came over it that was
// sent when the stop was over. The zero Survival is none. It is safe for concurrent use.
type Survival struct {
	stop atomic.Int64 // which it outlived, by when that was over
	at   atomic.Int64 // when it was seen, ns
}

// Note enters that something came at a time that was sent at another.
func (v *Survival) Note(s *Stops, sent, at time.Duration) {
	over := s.over.Load()
	if over == 0 || int64(sent) < over || v.stop.Load() == over {
		return
	}
	v.at.Store(int64(at))
	v.stop.Store(over)
}

// By reports whether the session was seen by a time to have outlived the latest stop.
func (v *Survival) By(s *Stops, t time.Duration) bool {
	stop := v.stop.Load()
	return stop != 0 && stop == s.over.Load() && int64(t) >= v.at.Load()
}
